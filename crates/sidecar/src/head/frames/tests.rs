use super::*;

fn frame(data: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut len = data.len();
    while len >= 0x80 {
        out.push(len as u8 | 0x80);
        len >>= 7;
    }
    out.push(len as u8);
    out.extend_from_slice(&crc32c(data).to_be_bytes());
    out.extend_from_slice(data);
    out
}

#[test]
fn frames_come_out_whole_however_the_bytes_arrive() {
    let stream = [frame(b"one"), frame(&[7; 300]), frame(b"")].concat();
    for step in [1, 2, 5, stream.len()] {
        let mut frames = Frames::default();
        let mut found = Vec::new();
        for part in stream.chunks(step) {
            frames.push(part);
            while let Some(data) = frames.next().unwrap() {
                found.push(data.to_vec());
            }
        }
        assert_eq!(found, [b"one".to_vec(), vec![7; 300], Vec::new()]);
        assert!(frames.is_empty());
    }
}

#[test]
fn damage_is_an_error() {
    let mut wrong = frame(b"one");
    wrong[6] ^= 1;
    for bytes in [wrong, vec![0xff; 10], vec![0xff, 0xff, 0xff, 0xff, 0x7f]] {
        let mut frames = Frames::default();
        frames.push(&bytes);
        assert!(frames.next().is_err(), "{bytes:?}");
    }
}
