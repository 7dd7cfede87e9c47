use super::*;

fn s3(yaml: &str) -> S3Config {
    match ObjstoreConfig::parse(yaml).expect("valid").provider {
        Provider::S3(config) => *config,
        other => panic!("not S3: {other:?}"),
    }
}

/// As users of Thanos on Kubernetes with MinIO have it.
const MINIO: &str = "\
type: s3
config:
  bucket: thanos
  endpoint: minio.minio.svc.cluster.local:9000
  access_key: minio
  secret_key: minio123
  insecure: true
  signature_version2: false
";

#[test]
fn minio_manifest() {
    let config = s3(MINIO);
    assert_eq!((config.bucket.as_str(), config.endpoint.as_str()), ("thanos", "minio.minio.svc.cluster.local:9000"));
    assert!(config.insecure && !config.signature_version2);
    assert_eq!(config.part_size, 64 << 20);
}

#[test]
fn every_s3_key() {
    let config = s3(
        "type: S3\nprefix: /tenants/a/\nconfig:\n  bucket: b\n  endpoint: e\n  region: r\n  disable_dualstack: yes\n  \
         aws_sdk_auth: false\n  access_key: 12345\n  insecure: off\n  signature_version2: false\n  secret_key: s\n  \
         session_token: t\n  put_user_metadata: {X-Amz-Storage-Class: STANDARD_IA, team: x}\n  http_config:\n    \
         idle_conn_timeout: 1m30s\n    response_header_timeout: 2m\n    insecure_skip_verify: true\n    \
         tls_handshake_timeout: 10s\n    expect_continue_timeout: 1s\n    max_idle_conns: 10\n    \
         max_idle_conns_per_host: 11\n    max_conns_per_host: 12\n    tls_config: {ca_file: '', cert_file: '', key_file: '', \
         server_name: '', insecure_skip_verify: false}\n    disable_compression: true\n  trace: {enable: true}\n  \
         list_objects_version: v2\n  bucket_lookup_type: virtual-hosted\n  send_content_md5: false\n  \
         disable_multipart: true\n  part_size: 16777216\n  sse_config: {type: SSE-KMS, kms_key_id: k, \
         kms_encryption_context: {}, encryption_key: ''}\n  sts_endpoint: https://sts\n  max_retries: 3\n",
    );
    assert_eq!(config.access_key, "12345");
    assert!(config.disable_dualstack && config.http_config.insecure_skip_verify && config.disable_multipart);
    assert_eq!(config.http_config.idle_conn_timeout.as_secs(), 90);
    assert_eq!(config.bucket_lookup_type, LookupType::VirtualHosted);
    assert_eq!((config.part_size, config.max_retries), (16 << 20, 3));
    assert_eq!(config.sse_config.kms_key_id, "k");
}

#[test]
fn prefix_and_types() {
    let config = ObjstoreConfig::parse("type: filesystem\nprefix: /a/b/\nconfig: {directory: /x}\n").expect("valid");
    assert_eq!(config.prefix, "a/b");
    assert_eq!(config.provider, Provider::Filesystem(FilesystemConfig { directory: "/x".into() }));
    // Only the first document counts.
    let two = ObjstoreConfig::parse("type: FILESYSTEM\nconfig: {directory: /x}\n---\nnonsense: 1\n");
    assert!(two.is_ok(), "{two:?}");
}

#[test]
fn messages_name_key_and_place() {
    let check = |yaml: &str, parts: &[&str]| {
        let message = ObjstoreConfig::parse(yaml).expect_err(yaml).to_string();
        for part in parts {
            assert!(message.contains(part), "{message:?} does not say {part:?}");
        }
    };
    check("", &["type"]);
    check("config: {}", &["`type` is missing"]);
    check("type: FTP\nconfig: {}", &["unknown type \"FTP\""]);
    check("type: cos\nconfig: {}", &["COS is not supported", "use type S3"]);
    check("type: S3", &["`config` is missing"]);
    check("type: S3\nbucket: x\nconfig: {}", &["unknown field `bucket`", "line 2"]);
    check("type: S3\nconfig:\n  bucket: b\n  end_point: e\n", &["config", "unknown field `end_point`", "line 4"]);
    check("type: S3\nconfig:\n  endpoint: e\n  http_config:\n    idle: 1s\n", &["http_config", "unknown field `idle`"]);
    check("type: FILESYSTEM\nconfig: {dir: x}", &["unknown field `dir`"]);
    check("type: FILESYSTEM\nconfig: {directory: ''}", &["config.directory is empty"]);
    check("type: S3\nconfig: {bucket: b}", &["config.endpoint is missing"]);
    check("type: S3\nconfig: {endpoint: e}", &["config.bucket is missing"]);
    let with = |rest: &str| format!("type: S3\nconfig: {{bucket: b, endpoint: e, {rest}}}");
    check(&with("signature_version2: true"), &["signature_version2", "not supported"]);
    check(&with("access_key: a"), &["without config.secret_key"]);
    check(&with("secret_key: a"), &["without config.access_key"]);
    check(&with("aws_sdk_auth: true, access_key: a, secret_key: b"), &["mutually exclusive"]);
    check(&with("list_objects_version: v1"), &["list_objects_version"]);
    check(&with("bucket_lookup_type: dns"), &["dns", "virtual-hosted"]);
    check(&with("part_size: 1"), &["part_size"]);
    check(&with("insecure: maybe"), &["maybe", "not a boolean"]);
    check(&with("sse_config: {type: SSE-C}"), &["encryption_key must be set"]);
    check(&with("sse_config: {type: SSE-KMS}"), &["kms_key_id must be set"]);
    check(&with("sse_config: {type: AES}"), &["supported are SSE-S3"]);
    check(&with("http_config: {tls_config: {cert_file: x}}"), &["cert_file and key_file"]);
    check(&with("http_config: {idle_conn_timeout: soon}"), &["not a valid duration"]);
}

#[test]
fn flags() {
    let args = |file: Option<&str>, inline: Option<&str>| ObjstoreArgs {
        config_file: file.map(PathBuf::from),
        config: inline.map(str::to_owned),
        ..ObjstoreArgs::default()
    };
    assert_eq!(args(None, None).load().expect("none is fine"), None);
    let message = args(None, None).require().expect_err("required").to_string();
    assert!(message.contains("objstore.config-file or objstore.config is required"), "{message}");
    let message = args(Some("/x"), Some(MINIO)).load().expect_err("both").to_string();
    assert!(message.contains("both objstore.config-file and objstore.config flags set"), "{message}");
    let message = args(Some("/no/such/file"), None).load().expect_err("no file").to_string();
    assert!(message.contains("/no/such/file"), "{message}");
    assert!(args(None, Some(MINIO)).require().is_ok());
    let unlikely = ObjstoreArgs { hedge_budget: 2.0, ..args(None, Some(MINIO)) };
    let message = unlikely.load().expect_err("too much").to_string();
    assert!(message.contains("objstore.hedge-budget 2"), "{message}");
}

#[test]
fn every_gcs_key() {
    let key = r#"{"type": "service_account", "private_key": "p", "private_key_id": "i", "client_email": "e"}"#;
    let yaml = format!(
        "type: GCS\nconfig:\n  bucket: b\n  service_account: |-\n    {key}\n  use_grpc: true\n  grpc_conn_pool_size: 4\n  \
         http_config: {{idle_conn_timeout: 30s, max_conns_per_host: 7}}\n  chunk_size_bytes: 8388608\n  max_retries: 1\n"
    );
    let Provider::Gcs(config) = ObjstoreConfig::parse(&yaml).expect("valid").provider else { panic!("not GCS") };
    assert_eq!((config.bucket.as_str(), config.service_account.as_str()), ("b", key));
    assert_eq!((config.chunk_size_bytes, config.max_retries, config.http_config.max_conns_per_host), (8 << 20, 1, 7));
    assert!(config.use_grpc);
    let Provider::Gcs(least) = ObjstoreConfig::parse("type: gcs\nconfig: {bucket: b}").expect("valid").provider else {
        panic!("not GCS")
    };
    assert_eq!(least.service_account, "", "workload identity");
}

#[test]
fn every_azure_key() {
    let yaml = "type: AZURE\nconfig:\n  storage_account: acc\n  storage_account_key: a2V5\n  storage_connection_string: ''\n  \
                storage_create_container: false\n  container: c\n  endpoint: blob.core.chinacloudapi.cn\n  \
                user_assigned_id: ''\n  max_retries: 4\n  reader_config: {max_retry_requests: 2}\n  pipeline_config: \
                {max_tries: 3, try_timeout: 30s, retry_delay: 1s, max_retry_delay: 5s}\n  http_config: \
                {idle_conn_timeout: 1m30s}\n  msi_resource: ''\n  az_tenant_id: ''\n  client_id: ''\n  client_secret: ''\n";
    let Provider::Azure(config) = ObjstoreConfig::parse(yaml).expect("valid").provider else { panic!("not Azure") };
    assert_eq!((config.storage_account.as_str(), config.container.as_str()), ("acc", "c"));
    assert_eq!((config.pipeline_config.max_tries, config.pipeline_config.try_timeout.as_secs()), (3, 30));
    let least = "type: AZURE\nconfig: {storage_account: acc, container: c}";
    let Provider::Azure(least) = ObjstoreConfig::parse(least).expect("valid").provider else { panic!("not Azure") };
    assert_eq!(least.endpoint, "blob.core.windows.net");
    assert!(least.storage_create_container);
}

#[test]
fn messages_of_other_stores() {
    let check = |yaml: &str, part: &str| {
        let message = ObjstoreConfig::parse(yaml).expect_err(yaml).to_string();
        assert!(message.contains(part), "{message:?} does not say {part:?}");
    };
    check("type: GCS\nconfig: {}", "config.bucket is missing");
    check("type: GCS\nconfig: {bucket: b, buket: c}", "unknown field `buket`");
    check("type: GCS\nconfig: {bucket: b, service_account: nonsense}", "config.service_account: not JSON");
    check("type: GCS\nconfig: {bucket: b, service_account: '{}'}", "has no \"private_key\"");
    check("type: GCS\nconfig: {bucket: b, service_account: '{\"type\": \"external_account\"}'}", "workload identity");
    let azure = |rest: &str| format!("type: AZURE\nconfig: {{{rest}}}");
    let both = "storage_account: a, container: c";
    check(&azure("container: c"), "config.storage_account is required");
    check(&azure("storage_account: a"), "config.container is missing");
    check(&azure(&format!("{both}, contaner: d")), "unknown field `contaner`");
    check(&azure(&format!("{both}, client_id: i")), "must be set together");
    check(&azure(&format!("{both}, user_assigned_id: u, storage_account_key: k")), "storage_account_key");
    check(&azure(&format!("{both}, storage_connection_string: s, storage_account_key: k")), "cannot both be set");
    check(
        &azure(&format!("{both}, storage_connection_string: s")),
        "config.storage_connection_string: a part has no `=`",
    );
    check(&azure(&format!("{both}, pipeline_config: {{tries: 1}}")), "unknown field `tries`");
}
