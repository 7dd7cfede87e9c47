use std::sync::Arc;
use std::time::Duration;

use daemon::Shell;
use daemon::flags::GrpcArgs;
use discovery::Targets;
use model::{Labels, TimeRange};
use store::testing::{ScriptedStore, Then};
use store::{Extent, StoreInfo, StoreKind};

use super::{Remotes, SharedLabels, UpstreamSettings, shared_labels};
use crate::{Querier, Settings, Upstreams};

fn info(name: &str, kind: StoreKind, labels: &[(&str, &str)]) -> Arc<StoreInfo> {
    let extent = |range| Extent { labels: Labels::from_pairs(labels.iter().copied()), range };
    let extents = vec![extent(TimeRange::new(0, 10)), extent(TimeRange::new(20, 30))];
    Arc::new(StoreInfo { name: name.to_owned(), kind, extents, ..StoreInfo::default() })
}

#[test]
fn only_sidecars_that_share_labels_are_named() {
    let eu = [("cluster", "eu")];
    let infos = [
        info("a", StoreKind::Sidecar, &eu),
        info("b", StoreKind::Store, &eu),
        info("c", StoreKind::Sidecar, &[("cluster", "us")]),
        info("d", StoreKind::Sidecar, &eu),
    ];
    let (labels, first, second) = (Labels::from_pairs(eu).to_string(), "a".to_owned(), "d".to_owned());
    assert_eq!(shared_labels(&infos), [SharedLabels { labels, first, second }]);
    assert_eq!(shared_labels(&infos[..3]), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sidecars_over_the_wire_are_compared_and_one_that_is_gone_is_named_in_the_answer() {
    let shell = Shell::new("query", daemon::Settings::default()).expect("a shell");
    let mut addresses = Vec::new();
    for name in ["a", "b"] {
        let info = info(name, StoreKind::Sidecar, &[("cluster", "eu")]);
        let store = Arc::new(ScriptedStore { info, then: Then::Hang });
        let args = GrpcArgs { grpc_address: "127.0.0.1:0".to_owned(), ..GrpcArgs::default() };
        addresses.push(rpc::spawn(&shell, &args, store).await.expect("a server").to_string());
    }
    let gone = daemon::listen("127.0.0.1:0").await.expect("a port").local_addr().expect("bound").to_string();
    addresses.push(gone.clone());
    let settings = UpstreamSettings {
        dns_interval: Duration::from_secs(3600),
        unhealthy_timeout: Duration::from_secs(3600),
        response_timeout: Duration::ZERO,
        tls: None,
        compression: rpc::Compression::None,
        strict: Vec::new(),
    };
    let remotes = Arc::new(Remotes::new(&shell, settings));
    let targets = Targets::new(addresses.iter().map(|a| a.parse().expect("an address")));
    let (send, first) = tokio::sync::oneshot::channel();
    tokio::select! {
        () = remotes.follow(targets, None, || send.send(()).expect("somebody waits")) => {}
        known = first => known.expect("the first round ends"),
    }
    let eu = Labels::from_pairs([("cluster", "eu")]).to_string();
    assert_eq!(remotes.shared_labels.lock().iter().collect::<Vec<_>>(), [&eu]);

    // Only the one that is gone: the others would hang.
    let matcher = crate::params::selector("storeMatch[]", &format!("{{__address__={gone:?}}}")).expect("a selector");
    let querier = Querier::new(&shell, remotes.restricted(&[matcher]), Settings::default());
    let request = http::Request::get("/api/v1/query?query=up").body(axum::body::Body::empty()).expect("a request");
    let response = tower::ServiceExt::oneshot(querier.router(), request).await.expect("infallible");
    let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.expect("a body");
    let json: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
    let missing = &json["coverage"]["missing"][0];
    assert_eq!((&json["status"], &missing["store"]), (&"success".into(), &gone.as_str().into()), "{json}");
    assert!(missing["cause"].as_str().is_some_and(|cause| cause.contains("refused")), "{json}");
    assert!(json["warnings"][0].as_str().is_some_and(|w| w.contains(&gone)), "{json}");
    shell.shutdown().cancel();
}
