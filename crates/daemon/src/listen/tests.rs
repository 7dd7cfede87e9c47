use super::*;

#[test]
fn takes_all_of_gos_forms() {
    let check = |address: &str, expected: (&str, u16)| assert_eq!(split(address).unwrap(), expected, "{address}");
    check(":10901", ("", 10901));
    check("0.0.0.0:10902", ("0.0.0.0", 10902));
    check("[::1]:0", ("::1", 0));
    check("[::]:80", ("::", 80));
    check("localhost:80", ("localhost", 80));
    for bad in ["10901", "::1:80", "localhost:http-alt", "[::1:80", "h:70000", ""] {
        let message = split(bad).unwrap_err().to_string();
        assert!(message.contains(bad), "{message}");
    }
}

#[tokio::test]
async fn all_addresses_answer_on_ipv4() {
    let listener = listen(":0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let taken = listen(&format!(":{port}")).await.unwrap_err();
    assert_eq!(taken.to_string(), format!("cannot listen on :{port}"));
}
