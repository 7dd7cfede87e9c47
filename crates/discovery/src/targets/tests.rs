use std::net::IpAddr;

use super::Targets;
use crate::{Error, Resolve, Service};

/// Knows one host and one service; everything else fails or does not exist.
struct Zone {
    up: bool,
}

impl Resolve for Zone {
    async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, Error> {
        match host {
            _ if !self.up => Err(Error::Lookup { name: host.to_owned(), why: "the server is down".to_owned() }),
            "store" => Ok(vec![IpAddr::from([10, 0, 0, 2]), IpAddr::from([10, 0, 0, 1]), IpAddr::from([0_u16; 8])]),
            _ => Ok(vec![]),
        }
    }

    async fn services(&self, name: &str) -> Result<Vec<Service>, Error> {
        match name {
            _ if !self.up => Err(Error::Lookup { name: name.to_owned(), why: "the server is down".to_owned() }),
            "_grpc._tcp.store" => Ok(vec![Service { target: "store".to_owned(), port: 7 }]),
            _ => Ok(vec![]),
        }
    }
}

fn targets(addresses: &[&str]) -> Targets {
    Targets::new(addresses.iter().map(|a| a.parse().expect("an address")))
}

/// Lookups of the test zone never wait.
fn now<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
}

#[test]
fn every_form_comes_to_its_addresses_sorted_and_once() {
    let mut t = targets(&[
        "z:1",
        "dns+store:9",
        "dnssrv+_grpc._tcp.store",
        "dnssrv+_grpc._tcp.store:9",
        "dnssrvnoa+_grpc._tcp.store",
    ]);
    assert_eq!(t.current(), ["z:1"]);
    assert!(!t.is_fixed());
    assert_eq!(now(t.refresh(&Zone { up: true })), []);
    assert_eq!(
        t.current(),
        ["10.0.0.1:7", "10.0.0.1:9", "10.0.0.2:7", "10.0.0.2:9", "[::]:7", "[::]:9", "store:7", "z:1"]
    );
}

#[test]
fn a_failed_lookup_keeps_the_last_addresses_and_an_empty_one_does_not() {
    let mut t = targets(&["dns+store:9"]);
    now(t.refresh(&Zone { up: true }));
    let before = t.current();
    assert_eq!(now(t.refresh(&Zone { up: false })).len(), 1);
    assert_eq!(t.current(), before);

    let mut gone = targets(&["dns+nowhere:9"]);
    assert_eq!(now(gone.refresh(&Zone { up: true })), []);
    assert!(gone.current().is_empty());
    assert!(targets(&["a:1"]).is_fixed());
}
