use super::Address;

#[test]
fn addresses_read_as_thanos_reads_them() {
    let dns = |host: &str, port| Address::Dns { host: host.to_owned(), port };
    let srv = |name: &str, port| Address::Srv { name: name.to_owned(), port };
    let cases = [
        ("store:10901", Address::Static("store:10901".to_owned())),
        ("127.0.0.1:1", Address::Static("127.0.0.1:1".to_owned())),
        ("[::1]:10901", Address::Static("[::1]:10901".to_owned())),
        ("dns+store.monitoring.svc:10901", dns("store.monitoring.svc", 10901)),
        ("dnsdualstack+store:10901", dns("store", 10901)),
        ("dnssrv+_grpc._tcp.store", srv("_grpc._tcp.store", None)),
        ("dnssrv+_grpc._tcp.store:99", srv("_grpc._tcp.store", Some(99))),
        ("dnssrvnoa+_grpc._tcp.store", Address::SrvNoA { name: "_grpc._tcp.store".to_owned(), port: None }),
    ];
    for (text, address) in cases {
        assert_eq!(text.parse(), Ok(address), "{text}");
    }
}

#[test]
fn wrong_addresses_say_what_is_wrong() {
    let cases = [
        ("store", "address \"store\": the port is missing, as in host:10901"),
        (":10901", "address \":10901\": the host is missing"),
        ("", "address \"\": the port is missing, as in host:10901"),
        ("store:http", "address \"store:http\": the port is not a number from 1 to 65535"),
        ("dns+store", "address \"dns+store\": the port is missing, as in dns+host:10901"),
        ("dns+", "address \"dns+\": the name to look up is missing"),
        ("mdns+x:1", "address \"mdns+x:1\": unknown kind before '+'; known are dns, dnssrv, dnssrvnoa"),
    ];
    for (text, message) in cases {
        assert_eq!(text.parse::<Address>().map_err(|e| e.to_string()), Err(message.to_owned()));
    }
}
