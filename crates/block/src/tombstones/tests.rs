use super::*;

#[test]
fn ranges_that_touch_become_one_and_come_back() {
    let mut tombstones = Tombstones::default();
    for (min, max) in [(10, 20), (30, 40), (21, 25), (100, 110), (41, 50), (5, 4), (26, 29)] {
        tombstones.add(7, TimeRange::new(min, max));
    }
    tombstones.add(300, TimeRange::new(i64::MIN, i64::MAX));
    assert_eq!(tombstones.get(7), [TimeRange::new(10, 50), TimeRange::new(100, 110)]);
    assert_eq!((tombstones.len(), tombstones.get(8)), (3, &[][..]));
    let file = tombstones.to_bytes();
    assert_eq!(Tombstones::parse(&file), Ok(tombstones));
}

#[test]
fn a_file_in_no_order_is_read_as_if_added_one_by_one() {
    let ranges = [(30, 40), (1, 2), (10, 20), (35, 60), (3, 5), (i64::MAX - 1, i64::MAX), (41, 42), (100, 110)];
    let (mut body, mut expected) = (Vec::new(), Tombstones::default());
    for (min, max) in ranges {
        put_uvarint(&mut body, 7);
        put_varint(&mut body, min);
        put_varint(&mut body, max);
        expected.add(7, TimeRange::new(min, max));
    }
    let crc = crc32c::crc32c(&body).to_be_bytes();
    let file = [&MAGIC.to_be_bytes()[..], &[FORMAT], &body, &crc].concat();
    assert_eq!(Tombstones::parse(&file), Ok(expected));
}

#[test]
fn every_flipped_byte_and_every_cut_is_noticed() {
    let mut tombstones = Tombstones::default();
    tombstones.add(7, TimeRange::new(1, 1_768_435_220_722));
    let file = tombstones.to_bytes();
    for i in 0..file.len() {
        let mut damaged = file.clone();
        damaged[i] ^= 0x40;
        assert_eq!(Tombstones::parse(&damaged).unwrap_err().file, "tombstones");
        assert!(Tombstones::parse(&file[..i]).is_err());
    }
}
