use super::*;

#[test]
fn requests_are_read_or_refused() {
    let request = json!({
        "rpc": "Series", "min_time": 1, "max_time": 2, "aggregates": ["COUNT", "MAX"], "skip_chunks": true,
        "matchers": [{"Type": "NRE", "Name": "code", "Value": "5.."}],
        "shard_info": {"shard_index": 1, "total_shards": 3, "by": true, "labels": ["instance"]},
        "without_replica_labels": ["replica"], "limit": 7, "response_batch_size": 8,
    });
    let read = series_request(&request).expect("a request");
    assert_eq!((read.min_time, read.max_time, read.limit, read.response_batch_size), (1, 2, 7, 8));
    assert_eq!(read.aggregates, [1, 4]);
    assert_eq!(read.matchers[0].r#type, i32::from(wire::label_matcher::Type::Nre));
    assert!(read.skip_chunks && read.shard_info.is_some_and(|s| s.by && s.total_shards == 3));
    for (field, value) in [
        ("min_time", json!("x")),
        ("aggregates", json!(["MEAN"])),
        ("aggregates", json!("COUNT")),
        ("matchers", json!([{"Type": "GT", "Name": "a", "Value": "b"}])),
        ("matchers", json!([{"Type": "EQ", "Name": "a"}])),
        ("without_replica_labels", json!([1])),
    ] {
        let mut wrong = request.clone();
        wrong[field] = value;
        assert!(series_request(&wrong).is_err(), "{field}: {}", wrong[field]);
    }
}

#[test]
fn chunks_are_shown_by_aggregate() {
    let part = |byte: u8, kind| Some(wire::Chunk { r#type: kind, data: vec![byte; 3].into(), hash: 0 });
    let chunk = wire::AggrChunk { min_time: 1, max_time: 2, count: part(1, 0), sum: part(2, 9), ..Default::default() };
    let series =
        wire::Series { labels: vec![wire::Label { name: "a".into(), value: "b".into() }], chunks: vec![chunk] };
    let crc = |byte: u8| crc32c::crc32c(&[byte; 3]);
    let wanted = json!({
        "labels": [["a", "b"]],
        "chunks": [{"min_time": 1, "max_time": 2, "aggregates": {
            "COUNT": {"encoding": "XOR", "len": 3, "crc32c": crc(1)},
            "SUM": {"encoding": "9", "len": 3, "crc32c": crc(2)},
        }}],
    });
    assert_eq!(show_series(&series), wanted);
}
