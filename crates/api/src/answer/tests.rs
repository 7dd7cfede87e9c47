use std::sync::Arc;

use model::{Labels, Sample, Series, Value};

use super::{Coverage, Extras, MissingPart, Notes, answer, label_sets, names, query_result};
use crate::{ApiError, Pieces};

fn text(pieces: Pieces) -> String {
    String::from_utf8(pieces.concat()).expect("UTF-8")
}

fn result(value: Value) -> String {
    text(query_result(value, &Notes::default(), &Extras::default()))
}

#[test]
fn each_type_of_result_is_written_as_prometheus_writes_it() {
    assert_eq!(
        result(Value::Scalar { t: 1_500, v: 2.5 }),
        r#"{"status":"success","data":{"resultType":"scalar","result":[1.500,"2.5"],"analysis":{}}}"#
    );
    assert_eq!(
        result(Value::String { t: 0, v: "a\"b\u{1}é".to_owned() }),
        r#"{"status":"success","data":{"resultType":"string","result":[0,"a\"b\u0001é"],"analysis":{}}}"#
    );
    let labels = Labels::from_pairs([("__name__", "up"), ("job", "a")]);
    let vector = Value::Vector(vec![Sample { labels: labels.clone(), t: 60_000, v: f64::INFINITY, h: None }]);
    assert_eq!(
        result(vector),
        r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{"__name__":"up","job":"a"},"value":[60,"+Inf"]}],"analysis":{}}}"#
    );
    let t: Arc<[i64]> = [0, 15_000].into();
    let series =
        |labels: &Labels, v: [f64; 2]| Series { labels: labels.clone(), t: Arc::clone(&t), v: v.to_vec(), h: vec![] };
    let other = Series { labels: Labels::empty(), t: [1].into(), v: vec![-0.0], h: vec![] };
    let matrix = Value::Matrix(vec![series(&labels, [1.0, f64::NAN]), series(&Labels::empty(), [2.0, 3.0]), other]);
    assert_eq!(
        result(matrix),
        concat!(
            r#"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"up","job":"a"},"values":[[0,"1"],[15,"NaN"]]},"#,
            r#"{"metric":{},"values":[[0,"2"],[15,"3"]]},{"metric":{},"values":[[0.001,"-0"]]}],"analysis":{}}}"#
        )
    );
    assert_eq!(
        result(Value::Vector(vec![])),
        r#"{"status":"success","data":{"resultType":"vector","result":[],"analysis":{}}}"#
    );
}

#[test]
fn notes_stand_beside_the_data() {
    let missing = MissingPart {
        labels: [("cluster".to_owned(), "eu".to_owned())].into(),
        min_time: 1,
        max_time: 2,
        store: "a:1".to_owned(),
        cause: "gone".to_owned(),
    };
    let notes = Notes {
        warnings: vec!["w".to_owned()],
        infos: vec!["i".to_owned(), "j".to_owned()],
        coverage: Some(Coverage { complete: false, resolutions_ms: vec![0], missing: vec![missing] }),
    };
    assert_eq!(
        text(names(vec!["x".to_owned(), "y".to_owned()], &notes)),
        concat!(
            r#"{"status":"success","data":["x","y"],"warnings":["w"],"infos":["i","j"],"coverage":{"complete":false,"#,
            r#""resolutions_ms":[0],"missing":[{"labels":{"cluster":"eu"},"min_time":1,"max_time":2,"store":"a:1","cause":"gone"}]}}"#
        )
    );
    assert_eq!(answer(&[1, 2], &Notes::default()).expect("plain data"), br#"{"status":"success","data":[1,2]}"#);
    assert_eq!(
        text(label_sets(vec![Labels::from_pairs([("a", "b")])], &Notes::default())),
        r#"{"status":"success","data":[{"a":"b"}]}"#
    );
}

#[test]
fn large_answers_come_in_pieces_that_make_one_document() {
    let many: Vec<String> = (0..50_000).map(|i| format!("name-{i}")).collect();
    let pieces: Vec<Vec<u8>> = names(many, &Notes::default()).map(|write| write()).collect();
    assert!(pieces.len() > 5 && pieces.iter().all(|p| p.len() < 80 << 10));
    let json: serde_json::Value = serde_json::from_slice(&pieces.concat()).expect("one document");
    assert_eq!(json["data"].as_array().map(Vec::len), Some(50_000));
}

#[test]
fn errors_have_the_envelope() {
    let e = ApiError::bad_param("time", "nonsense");
    assert_eq!(e.kind.status(), 400);
    assert_eq!(
        e.to_json(),
        br#"{"status":"error","errorType":"bad_data","error":"invalid parameter \"time\": nonsense"}"#
    );
}

#[test]
fn native_histograms_name_their_bounds() {
    let histogram = Arc::new(model::FloatHistogram {
        zero_threshold: 0.5,
        zero_count: 2.0,
        count: 5.0,
        sum: 7.5,
        positive_spans: Arc::from([model::Span { offset: 1, length: 2 }]),
        positive_buckets: vec![1.0, 0.0],
        negative_spans: Arc::from([model::Span { offset: 0, length: 1 }]),
        negative_buckets: vec![2.0],
        ..model::FloatHistogram::default()
    });
    let json = r#"{"count":"5","sum":"7.5","buckets":[[1,"-1","-0.5","2"],[3,"-0.5","0.5","2"],[0,"1","2","1"]]}"#;
    let vector = Value::Vector(vec![Sample { labels: Labels::empty(), t: 1_000, v: 0.0, h: Some(histogram.clone()) }]);
    let expected = format!(
        r#"{{"status":"success","data":{{"resultType":"vector","result":[{{"metric":{{}},"histogram":[1,{json}]}}],"analysis":{{}}}}}}"#
    );
    assert_eq!(result(vector), expected);
    let series = Series { labels: Labels::empty(), t: [].into(), v: vec![], h: vec![(1_000, histogram)] };
    let expected = format!(
        r#"{{"status":"success","data":{{"resultType":"matrix","result":[{{"metric":{{}},"histograms":[[1,{json}]]}}],"analysis":{{}}}}}}"#
    );
    assert_eq!(result(Value::Matrix(vec![series])), expected);
}
