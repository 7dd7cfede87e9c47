use super::*;

const FULL: &str = r#"{
	"ulid": "01M7YEMVRKJZY661YXJ02D114M",
	"minTime": 1768435220722,
	"maxTime": 1768442400000,
	"stats": {
		"numSamples": 16500,
		"numSeries": 75,
		"numWidgets": 3
	},
	"compaction": {
		"level": 2,
		"sources": [
			"01M7YEMVRKJZY661YXJ02D114M"
		],
		"parents": [
			{
				"ulid": "01M7YEMVRKJZY661YXJ02D114M",
				"minTime": 1,
				"maxTime": 2,
				"later": "kept"
			}
		]
	},
	"version": 1,
	"thanos": {
		"version": 1,
		"labels": {
			"cluster": "eu",
			"replica": "a"
		},
		"downsample": {
			"resolution": 300000,
			"later": "kept"
		},
		"source": "sidecar",
		"segment_files": [
			"000001"
		],
		"files": [
			{
				"rel_path": "index",
				"size_bytes": 7641
			},
			{
				"rel_path": "meta.json",
				"later": {
					"kept": 1
				}
			}
		],
		"index_stats": {
			"later": 7
		},
		"upload_time": "2026-11-21T07:03:19.39204145Z",
		"later": [
			1
		]
	},
	"future": {
		"kept": true
	}
}
"#;

#[test]
fn a_file_comes_out_as_it_went_in_unknown_fields_included() {
    let meta = BlockMeta::parse(FULL.as_bytes()).unwrap();
    assert_eq!(meta.resolution_ms(), 300_000);
    assert_eq!(meta.labels().to_string(), r#"{cluster="eu", replica="a"}"#);
    assert_eq!(String::from_utf8(meta.to_json()).unwrap(), FULL);
}

#[test]
fn nulls_and_missing_sections_are_empty() {
    let text = r#"{"ulid":"01M7YEMVRKJZY661YXJ02D114M","minTime":0,"maxTime":1,"compaction":{"level":1,"sources":null},
        "version":1,"thanos":{"labels":null,"downsample":{"resolution":0},"source":"sidecar","files":null}}"#;
    let meta = BlockMeta::parse(text.as_bytes()).unwrap();
    assert!(meta.labels().is_empty());
    assert!(meta.compaction.sources.is_empty());
}

#[test]
fn damage_is_named_with_its_place() {
    let error = BlockMeta::parse(b"{\n\"ulid\": 7}").unwrap_err();
    assert_eq!((error.file.as_str(), error.offset > 0), ("meta.json", true));
    assert!(BlockMeta::parse(&FULL.replace("\"version\": 1", "\"version\": 2").into_bytes()).is_err());
    for end in 0..FULL.len() - 2 {
        assert!(BlockMeta::parse(&FULL.as_bytes()[..end]).is_err());
    }
}

#[test]
fn marks_are_written_as_others_read_them() {
    let id = Ulid::from_string("01M7YEMVRKJZY661YXJ02D114M").unwrap();
    let mark = DeletionMark::new(id, 17, "why");
    let text = "{\n\t\"id\": \"01M7YEMVRKJZY661YXJ02D114M\",\n\t\"version\": 1,\n\t\"details\": \"why\",\n\t\"deletion_time\": 17\n}\n";
    assert_eq!(String::from_utf8(mark.to_json()).unwrap(), text);
    assert_eq!(DeletionMark::parse(text.as_bytes()).unwrap(), mark);
    let mark = NoCompactMark::new(id, 17, reason::MANUAL, "");
    assert_eq!(NoCompactMark::parse(&mark.to_json()).unwrap(), mark);
    let mark = NoDownsampleMark::new(id, 17, reason::MANUAL, "");
    assert_eq!(NoDownsampleMark::parse(&mark.to_json()).unwrap(), mark);
}
