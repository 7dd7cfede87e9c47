use super::*;

fn queue(connected: &str, headers: &[(&str, &str)]) -> String {
    let mut request = http::Request::get("/");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let (mut parts, ()) = request.body(()).expect("a request").into_parts();
    parts.extensions.insert(ConnectInfo(connected.parse::<SocketAddr>().expect("an address")));
    Client::of(&parts).queue
}

#[test]
fn all_connections_of_a_client_wait_in_one_queue() {
    let cases = [
        ("10.0.0.7:4711", &[][..], "10.0.0.7"),
        ("10.0.0.7:4712", &[], "10.0.0.7"),
        ("[::ffff:10.0.0.7]:4713", &[], "10.0.0.7"),
        ("[2001:db8::1]:4711", &[], "2001:db8::1"),
        ("10.0.0.7:4711", &[("x-forwarded-for", "192.0.2.1:80, 10.0.0.9")], "192.0.2.1"),
        ("10.0.0.7:4711", &[("x-forwarded-for", "unknown")], "unknown"),
        ("10.0.0.7:4711", &[("x-grafana-user", "ada"), ("x-forwarded-for", "192.0.2.1")], "ada"),
        ("10.0.0.7:4711", &[("x-grafana-user", ""), ("x-forwarded-for", "")], "10.0.0.7"),
    ];
    for (connected, headers, expected) in cases {
        assert_eq!(queue(connected, headers), expected, "{connected} {headers:?}");
    }
}
