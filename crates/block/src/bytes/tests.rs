use super::*;

#[test]
fn numbers_come_back() {
    for value in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX] {
        let mut out = Vec::new();
        put_uvarint(&mut out, value);
        assert_eq!(Cursor::at(&out, 0).uvarint(), Ok(value));
        for end in 0..out.len() {
            assert!(Cursor::at(&out[..end], 0).uvarint().is_err());
        }
    }
    for value in [0, -1, 1, i64::MIN, i64::MAX, 1_768_435_220_722] {
        let mut out = Vec::new();
        put_varint(&mut out, value);
        assert_eq!(Cursor::at(&out, 0).varint(), Ok(value));
    }
}

#[test]
fn overlong_numbers_are_refused() {
    assert!(Cursor::at(&[0xff; 20], 0).uvarint().is_err());
    assert!(Cursor::at(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2], 0).uvarint().is_err());
}

#[test]
fn a_section_knows_its_end_and_its_checksum() {
    let mut file = vec![9, 0, 0, 0, 2, 5, 6];
    file.extend_from_slice(&crc32c::crc32c(&[5, 6]).to_be_bytes());
    let mut cursor = Cursor::at(&file, 1);
    let mut body = cursor.section().unwrap();
    assert_eq!((body.byte(), body.byte(), body.is_empty()), (Ok(5), Ok(6), true));
    assert!(cursor.is_empty());
    file[5] ^= 1;
    assert_eq!(Cursor::at(&file, 1).section().unwrap_err().offset, 1);
}
