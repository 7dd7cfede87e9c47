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
