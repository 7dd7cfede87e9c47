use futures::StreamExt;
use http_body_util::{BodyExt, StreamBody};
use tower::ServiceExt;

use super::*;

/// What comes of a body that arrives in pieces of `size`.
async fn recoded(bytes: &[u8], size: usize, way: Way, status: &'static str) -> Result<Vec<u8>, Status> {
    let pieces: Vec<_> = bytes.chunks(size).map(|c| Ok(Frame::data(Bytes::copy_from_slice(c)))).collect();
    let trailers = Frame::trailers(HeaderMap::from_iter([(STATUS, HeaderValue::from_static(status))]));
    let frames = futures::stream::iter(pieces.into_iter().chain([Ok::<_, Status>(trailers)]));
    let mut body = Recoded::body(Body::new(StreamBody::new(frames.boxed())), way);
    let (mut out, mut ended) = (Vec::new(), false);
    while let Some(frame) = body.frame().await {
        match frame?.into_data() {
            Ok(data) => out.extend_from_slice(&data),
            Err(trailers) => ended = trailers.is_trailers(),
        }
    }
    assert!(ended, "trailers come through");
    Ok(out)
}

fn message(packed: bool, text: &[u8]) -> Vec<u8> {
    framed(packed, [&[0; HEADER_BYTES], text].concat()).unwrap().to_vec()
}

#[tokio::test]
async fn messages_are_packed_and_unpacked_however_they_arrive() {
    let messages: [&[u8]; 4] = [b"", b"short", &[7; 200_000], b"last"];
    let plain: Vec<u8> = messages.iter().flat_map(|m| message(false, m)).collect();
    for size in [1, 7, 65_536, usize::MAX] {
        let packed = recoded(&plain, size, Way::Pack, "0").await.unwrap();
        assert!(packed.len() < 20_000, "{} bytes", packed.len());
        let short = HEADER_BYTES + HEADER_BYTES + 5;
        assert_eq!(packed[..short], plain[..short], "what would become longer stays");
        assert_eq!(packed[short], 1);
        assert_eq!(recoded(&packed, size, Way::Unpack, "0").await.unwrap(), plain);
        // Who may pack need not.
        assert_eq!(recoded(&plain, size, Way::Unpack, "0").await.unwrap(), plain);
    }
}

#[tokio::test]
async fn what_is_wrong_is_an_error() {
    let cut = &message(false, b"cut off")[..9];
    let long = [1, 0xff, 0xff, 0xff, 0xff, 0];
    for (bytes, says) in [
        (&message(true, b"not packed at all")[..], "not snappy"),
        (cut, "ends within a message"),
        (&long, "more than 2147483647 bytes"),
    ] {
        let error = recoded(bytes, 100, Way::Unpack, "0").await.unwrap_err();
        assert!(error.message().contains(says), "{error}");
    }
    // A failure that breaks a message off is what is told.
    assert_eq!(recoded(cut, 100, Way::Unpack, "13").await.unwrap(), b"");
}

#[test]
fn packed_answers_are_for_those_who_read_them() {
    for (named, packs) in [
        (&[][..], true),
        (&["snappy"], true),
        (&["gzip, snappy,identity"], true),
        (&["gzip", "snappy"], true),
        (&["gzip,identity"], false),
        (&["snappy-of-another-kind"], false),
    ] {
        let headers = named.iter().map(|name| (ACCEPTED, HeaderValue::from_static(name)));
        let mut all = HeaderMap::new();
        headers.for_each(|(name, value)| _ = all.append(name, value));
        assert_eq!(accepts(&all), packs, "{named:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_answers_as_it_is_asked() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let name = "a store whose name is a long one, a long one, a long one, a long one, a long one, a long one";
    let labels = model::Labels::from_pairs([("name", name)]);
    let store = store::testing::MemoryStore::new(name).extent(labels, model::TimeRange::new(0, 1));
    let contexts: crate::Contexts = std::sync::Arc::new(|_| ::request::Context::inline(0));
    let settings = crate::ServerSettings::default();
    let server = crate::serve(std::sync::Arc::new(store), contexts, listener, settings, std::future::pending::<()>());
    let asked = async {
        let channel = crate::client::endpoint(&address, None).unwrap().connect_lazy();
        for (encoding, accepted, answered, packed) in [
            (None, None, None, false),
            (None, Some("snappy"), None, false),
            (Some("snappy"), None, Some("snappy"), true),
            (Some("snappy"), Some("snappy, gzip"), Some("snappy"), true),
            (Some("snappy"), Some("gzip"), None, false),
        ] {
            let mut request = Request::post("/thanos.info.Info/Info").header("content-type", "application/grpc");
            for (header, value) in [(ENCODING, encoding), (ACCEPTED, accepted)] {
                request = value.into_iter().fold(request, |request, value| request.header(&header, value));
            }
            let body = Body::new(http_body_util::Full::new(Bytes::from(message(false, b""))));
            let uri = format!("http://{address}/thanos.info.Info/Info");
            let answer = channel.clone().oneshot(request.uri(uri).body(body).unwrap()).await.unwrap();
            assert_eq!(answer.headers().get(ENCODING).map(|v| v.to_str().unwrap()), answered, "{encoding:?}");
            let bytes = answer.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(bytes[0] == 1, packed, "{encoding:?} {accepted:?}");
            assert!(bytes.len() > 50);
        }
        let request = Request::post(format!("http://{address}/thanos.info.Info/Info"));
        let request = request.header("content-type", "application/grpc").header(ENCODING, "br");
        let answer = channel.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(answer.headers()[STATUS], "12");
        assert!(accepts(answer.headers()), "{:?}", answer.headers());
    };
    tokio::select! {
        served = server => panic!("the server ended: {served:?}"),
        () = asked => {}
    }
}
