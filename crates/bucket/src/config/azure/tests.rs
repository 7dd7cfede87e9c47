use super::*;

#[test]
fn connection_strings() {
    let check = |text: &str, account: &str, url: &str, credential: Credential| {
        let expected = Connection { account: account.to_owned(), url: url.to_owned(), credential };
        assert_eq!(Connection::parse(text), Ok(expected), "{text}");
    };
    let key = |key: &str| Credential::Key(key.to_owned());
    check(
        "DefaultEndpointsProtocol=https;AccountName=acc;AccountKey=a2V5==;EndpointSuffix=core.windows.net",
        "acc",
        "https://acc.blob.core.windows.net",
        key("a2V5=="),
    );
    check("AccountName=acc;AccountKey=k;", "acc", "https://acc.blob.core.windows.net", key("k"));
    check(
        "accountname=acc;AccountKey=k;EndpointSuffix=core.chinacloudapi.cn",
        "acc",
        "https://acc.blob.core.chinacloudapi.cn",
        key("k"),
    );
    check(
        "AccountName=acc;AccountKey=k;BlobEndpoint=http://127.0.0.1:1/acc/",
        "acc",
        "http://127.0.0.1:1/acc",
        key("k"),
    );
    check(
        "BlobEndpoint=https://acc.blob.core.windows.net/;SharedAccessSignature=?sv=2021&sig=a%3D",
        "acc",
        "https://acc.blob.core.windows.net",
        Credential::Signature("sv=2021&sig=a%3D".to_owned()),
    );
    let refused = |text: &str, says: &str| {
        let message = Connection::parse(text).expect_err(text);
        assert!(message.contains(says), "{message}");
    };
    refused("AccountName", "has no `=`");
    refused("AccountKey=k", "neither AccountName nor BlobEndpoint");
    refused("AccountName=a", "neither AccountKey nor SharedAccessSignature");
}
