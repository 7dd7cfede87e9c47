use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use model::{MatchOp, TimeRange};
use proptest::prelude::*;
use store::testing::{MemoryStore, labels_request};
use store::{LabelsRequest, Names, SeriesRequest, Store, StoreInfo};

use super::*;
use crate::Compression;
use crate::tests::over_the_wire;

fn block_matchers() -> Vec<Matcher> {
    vec![Matcher::new(MatchOp::Regex, "__block_id", "01A.*").unwrap(), Matcher::equal("cluster", "eu")]
}

fn shown(matchers: &[Matcher]) -> Vec<String> {
    matchers.iter().map(ToString::to_string).collect()
}

#[test]
fn requests_ask_for_blocks_and_statistics() {
    for (blocks, stats) in [(block_matchers(), true), (block_matchers(), false), (vec![], true)] {
        let hints = ask(&blocks, stats).unwrap();
        assert_eq!(hints.type_url, "type.googleapis.com/hintspb.SeriesRequestHints");
        let (found, wanted) = asked(Some(&hints)).unwrap();
        assert_eq!((shown(&found), wanted), (shown(&blocks), stats));
    }
    assert_eq!(ask(&[], false), None);
    for call in [Labels::Names, Labels::Values] {
        let hints = call.ask(&block_matchers()).unwrap();
        assert_eq!(shown(&call.asked(Some(&hints)).unwrap()), shown(&block_matchers()));
        assert_eq!(call.ask(&[]), None);
    }
}

#[test]
fn what_others_hint_is_passed_over_and_what_is_damaged_refused() {
    let mut hints = ask(&block_matchers(), true).unwrap();
    let other = Any { type_url: "type.googleapis.com/cortex.Hints".to_owned(), ..hints.clone() };
    assert!(matches!(asked(Some(&other)), Ok((blocks, false)) if blocks.is_empty()));
    assert!(Labels::Names.asked(Some(&hints)).unwrap().is_empty(), "of another call");
    hints.value.truncate(3);
    assert!(matches!(asked(Some(&hints)), Err(Error::BadRequest(_))));
    let wrong = wire::SeriesRequestHints {
        block_matchers: vec![proto::thanos::LabelMatcher { r#type: 2, name: "a".to_owned(), value: "(".to_owned() }],
        enable_query_stats: true,
    };
    assert!(matches!(asked(Some(&pack("SeriesRequestHints", &wrong))), Err(Error::BadRequest(_))));
}

proptest! {
    #[test]
    fn no_answer_makes_a_client_panic(value in proptest::collection::vec(any::<u8>(), 0..200)) {
        let hints = Any { type_url: "x/hintspb.SeriesResponseHints".to_owned(), value };
        let cx = Context::inline(0).counted_in(Arc::new(Tally::new("")));
        drop(answered(&cx, &hints));
    }
}

/// Says that it read two blocks, and for one of them what that took.
#[derive(Debug)]
struct Blocks;

const IDS: [&str; 2] = ["01AAAAAAAAAAAAAAAAAAAAAAAA", "01BBBBBBBBBBBBBBBBBBBBBBBB"];

fn stats() -> Stats {
    let looked =
        |n| Looked { touched: n, touched_bytes: n * 10, fetched: n + 1, fetched_bytes: n * 7, requests: n + 2 };
    let blocks = IDS.map(ToOwned::to_owned).to_vec();
    Stats { blocks_queried: 2, blocks, postings: looked(3), series: looked(40), chunks: looked(500) }
}

#[async_trait]
impl Store for Blocks {
    fn info(&self) -> Arc<StoreInfo> {
        MemoryStore::new("m").extent(model::Labels::empty(), TimeRange::ALL).info()
    }

    fn series(&self, cx: &Context, request: SeriesRequest) -> BoxStream<'static, store::Result<Frame>> {
        assert_eq!(shown(&request.block_matchers), shown(&block_matchers()));
        if cx.tally().is_some() {
            let block = cx.part(IDS[0]);
            let took = Took { time: Duration::from_millis(3), chunks: 4, fetched_bytes: 5, ..Took::default() };
            block.tally().unwrap().add(took);
            block.part("its part").tally().unwrap().add(Took { requests: 6, ..Took::default() });
        }
        stream::iter([Ok(Frame::Stats(stats()))]).boxed()
    }

    async fn label_names(&self, _: &Context, request: LabelsRequest) -> store::Result<Names> {
        assert_eq!(shown(&request.block_matchers), shown(&block_matchers()));
        Ok(Names { names: vec!["a".to_owned()], blocks: IDS.map(ToOwned::to_owned).to_vec(), ..Names::default() })
    }

    async fn label_values(&self, cx: &Context, request: LabelsRequest) -> store::Result<Names> {
        self.label_names(cx, request).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_answer_took_crosses_the_wire() {
    let (remote, _stop) = over_the_wire(Arc::new(Blocks), Compression::None).await;
    let request = SeriesRequest { block_matchers: block_matchers(), ..SeriesRequest::new(TimeRange::ALL, Vec::new()) };
    let ask = async |cx: &Context| {
        let frames: Vec<_> = remote.series(cx, request.clone()).map(Result::unwrap).collect().await;
        let [Frame::Stats(stats)] = &frames[..] else { panic!("{frames:?}") };
        stats.clone()
    };
    let tally = Arc::new(Tally::new("a store"));
    assert_eq!(ask(&Context::inline(0).counted_in(Arc::clone(&tally))).await, stats());
    let took = tally.took();
    assert_eq!((took.fetched_bytes, took.requests), (stats().bytes_fetched(), stats().requests()));
    let parts = tally.parts();
    assert_eq!(parts.iter().map(|part| part.name()).collect::<Vec<_>>(), [IDS[0]]);
    let expected = Took { time: Duration::from_millis(3), chunks: 4, fetched_bytes: 5, ..Took::default() };
    assert_eq!(parts[0].took(), expected);
    assert_eq!(parts[0].parts()[0].took(), Took { requests: 6, ..Took::default() });
    // Who does not ask is told the blocks only.
    let only = Stats { blocks_queried: 2, blocks: stats().blocks, ..Stats::default() };
    assert_eq!(ask(&Context::inline(0)).await, only);

    let request = LabelsRequest { block_matchers: block_matchers(), ..labels_request("a", Vec::new()) };
    for found in
        [remote.label_names(&Context::inline(0), request.clone()), remote.label_values(&Context::inline(0), request)]
    {
        assert_eq!(found.await.unwrap().blocks, IDS);
    }
}

#[test]
fn blocks_of_a_store_that_tells_no_more_are_parts() {
    let queried_blocks = blocks_to_wire(&IDS.map(ToOwned::to_owned));
    let hints = pack("SeriesResponseHints", &wire::SeriesResponseHints { queried_blocks, ..Default::default() });
    let tally = Arc::new(Tally::new("a store"));
    let stats = answered(&Context::inline(0).counted_in(Arc::clone(&tally)), &hints).unwrap();
    assert_eq!((stats.blocks_queried, tally.parts().len()), (2, 2));
}
