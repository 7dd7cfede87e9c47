use super::*;

fn id(n: u128) -> Ulid {
    Ulid::from_parts(1_700_000_000_000, n)
}

fn listed(size: u64, e_tag: Option<&str>) -> Listed {
    Listed { size, modified_ms: 1_700_000_000_123, e_tag: e_tag.map(str::to_owned) }
}

fn some_blocks() -> Known {
    let mut known = Known::default();
    for n in 0..50 {
        let meta = listed(100 + n, Some("\"a\""));
        let objects =
            [("meta.json", meta.clone()), ("index", listed(7, None)), ("deletion-mark.json", listed(9, None))];
        let objects = objects.map(|(name, object)| (name.to_owned(), object));
        let block = id(u128::from(n));
        known.blocks.insert(block, Arc::new(objects.into()));
        let parsed = Parsed::Meta(Arc::new(BlockMeta::new(block, 0, 10)));
        known.parsed.insert((block, BlockFile::Meta), (meta, parsed));
        let mark = Parsed::Deletion(Arc::new(DeletionMark::new(block, 5, "old")));
        known.parsed.insert((block, BlockFile::DeletionMark), (listed(9, None), mark));
    }
    known
}

#[test]
fn what_is_written_is_read() {
    let known = some_blocks();
    let of = CopyOf { e_tag: Some("x".to_owned()), bucket: "b".to_owned() };
    let encoded = encode(&known, 42, Some(of)).expect("encode");
    let read = decode(&encoded.bytes).expect("decode");
    let (e_tag, bucket) = (Some("x".to_owned()), Some("b".to_owned()));
    assert_eq!(read.head, Head { listed_ms: 42, blocks: 50, e_tag, bucket });
    assert_eq!(read.known.blocks, known.blocks);
    assert_eq!(read.known.parsed.len(), known.parsed.len());
    for (key, (seen, parsed)) in &known.parsed {
        let (same, found) = &read.known.parsed[key];
        assert_eq!(seen, same);
        assert_eq!(format!("{found:?}"), format!("{parsed:?}"));
    }
    // The fingerprint is of the blocks alone.
    assert_eq!(encode(&known, 43, None).expect("encode").fingerprint, encoded.fingerprint);
    let mut fewer = known.clone();
    fewer.blocks.pop_first();
    assert_ne!(encode(&fewer, 42, None).expect("encode").fingerprint, encoded.fingerprint);
}

#[test]
fn what_was_read_of_an_older_version_is_left_out() {
    let mut known = some_blocks();
    let (seen, _) = known.parsed.get_mut(&(id(1), BlockFile::Meta)).expect("read");
    seen.size += 1;
    let read = decode(&encode(&known, 0, None).expect("encode").bytes).expect("decode");
    assert!(!read.known.parsed.contains_key(&(id(1), BlockFile::Meta)));
    assert!(read.known.parsed.contains_key(&(id(2), BlockFile::Meta)));
}

#[test]
fn damage_is_found_wherever_it_is() {
    let bytes = encode(&some_blocks(), 0, None).expect("encode").bytes;
    for at in 0..bytes.len() {
        let mut damaged = bytes.to_vec();
        damaged[at] ^= 0x10;
        let error = decode(&damaged).expect_err("damaged").to_string();
        assert!(error.contains("esker/bucket-index: corrupt at offset"), "{error}");
        assert!(decode(&bytes[..at]).is_err(), "cut at {at}");
    }
    let mut newer = bytes.to_vec();
    newer[11] = 2;
    let crc = crc32c::crc32c(&newer[..24]);
    newer[24..28].copy_from_slice(&crc.to_be_bytes());
    let error = decode(&newer).expect_err("a newer version").to_string();
    assert!(error.contains("version 2, only 1 is known"), "{error}");
}
