use super::*;

fn config(endpoint: &str) -> S3Config {
    S3Config { bucket: "b".to_owned(), endpoint: endpoint.to_owned(), ..S3Config::default() }
}

#[test]
fn scheme_from_endpoint_or_flag() {
    let check = |endpoint: &str, insecure, expected| {
        assert_eq!(S3Config { insecure, ..config(endpoint) }.endpoint(), expected);
    };
    check("h:9000", false, ("https", "h:9000"));
    check("h:9000/", true, ("http", "h:9000"));
    check("http://h", false, ("http", "h"));
    check("https://h", true, ("https", "h"));
}

#[test]
fn regions() {
    let check = |endpoint: &str, expected: &str| assert_eq!(config(endpoint).region(|_| None), expected, "{endpoint}");
    check("s3.eu-central-1.amazonaws.com", "eu-central-1");
    check("s3-eu-west-1.amazonaws.com", "eu-west-1");
    check("https://s3.dualstack.us-west-2.amazonaws.com", "us-west-2");
    check("s3.us-west-004.backblazeb2.com", "us-west-004");
    check("s3.amazonaws.com", "us-east-1");
    check("minio:9000", "us-east-1");
    assert_eq!(config("minio:9000").region(|_| Some("from-env".to_owned())), "from-env");
    assert_eq!(
        S3Config { region: "given".to_owned(), ..config("s3.eu-west-1.amazonaws.com") }.region(|_| None),
        "given"
    );
}

#[test]
fn lookup() {
    assert!(config("s3.eu-west-1.amazonaws.com").virtual_hosted());
    assert!(!S3Config { bucket: "a.b".to_owned(), ..config("s3.amazonaws.com") }.virtual_hosted());
    assert!(!config("minio:9000").virtual_hosted());
    assert!(S3Config { bucket_lookup_type: LookupType::VirtualHosted, ..config("minio") }.virtual_hosted());
    assert!(!S3Config { bucket_lookup_type: LookupType::Path, ..config("s3.amazonaws.com") }.virtual_hosted());
}

#[test]
fn base64_pads() {
    let check = |text: &str, expected: &str| assert_eq!(base64(text.as_bytes()), expected);
    check("", "");
    check("f", "Zg==");
    check("fo", "Zm8=");
    check("foo", "Zm9v");
    check("foobar", "Zm9vYmFy");
}

#[test]
fn user_metadata_and_storage_class() {
    let metadata = [("x-amz-storage-class", "GLACIER"), ("Team", "a")];
    let put_user_metadata = metadata.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
    let attributes = S3Config { put_user_metadata, ..config("h") }.attributes();
    assert_eq!(attributes.get(&Attribute::StorageClass).map(AsRef::as_ref), Some("GLACIER"));
    assert_eq!(attributes.get(&Attribute::Metadata("team".into())).map(AsRef::as_ref), Some("a"));
}

#[test]
fn encryption_keys_are_checked() {
    let dir = tempfile::tempdir().expect("temp dir");
    let path = dir.path().join("key");
    let sse = SseConfig { kind: "SSE-C".to_owned(), encryption_key: path.clone(), ..SseConfig::default() };
    assert!(sse.apply(AmazonS3Builder::new()).is_err(), "no such file");
    std::fs::write(&path, [7; 31]).expect("write");
    let message = sse.apply(AmazonS3Builder::new()).expect_err("too short").to_string();
    assert!(message.contains("31 bytes, 32 are needed"), "{message}");
    std::fs::write(&path, [7; 32]).expect("write");
    assert!(sse.apply(AmazonS3Builder::new()).is_ok());
    let sse = SseConfig { kind: "SSE-S3".to_owned(), ..SseConfig::default() };
    assert!(sse.apply(AmazonS3Builder::new()).is_ok());
}
