use super::{FRAME, Found, Known, Noted, Steady, UNIT};

fn steady(chunk: usize) -> Steady {
    [Steady::Unknown, Steady::Last, Steady::All][chunk % 3]
}

/// Chunks of the lengths one behind the other: each is known as what it was noted as, and nothing else is.
fn check(frames: &[(usize, Option<(usize, u32)>)]) {
    let mut at = 8;
    let mut starts = Vec::new();
    for (len, _) in frames {
        starts.push(at);
        at += len;
    }
    let known = Known::new(at);
    let noted = |i: usize| {
        let ((frame, floats), offset) = (frames[i], starts[i]);
        let own = (offset + frame) / UNIT - offset / UNIT;
        let room = own >= 25;
        match floats {
            _ if own < 2 => Found::Nothing,
            Some((len, samples)) if room && (128..4096).contains(&len) && (1..256).contains(&samples) => {
                Found::Floats { payload_len: len, samples, spread: None }
            }
            _ => Found::Intact,
        }
    };
    // From both ends, for neighbours must not spoil each other.
    let mut order: Vec<_> = (0..frames.len()).collect();
    order.sort_by_key(|i| (*i).min(frames.len() - i));
    for (done, &i) in order.iter().enumerate() {
        assert_eq!(known.get(starts[i]), Found::Nothing, "chunk {i} before");
        known.set(starts[i], starts[i] + frames[i].0, frames[i].1);
        known.set(starts[i], starts[i] + frames[i].0, frames[i].1);
        for &i in &order[..=done] {
            assert_eq!(known.get(starts[i]), noted(i), "chunk {i} at {}", starts[i]);
        }
    }
    assert_eq!(known.get(at + 1000), Found::Nothing);
    // Then how they are spread, as many numbers as there is room for.
    let numbers = |i: usize| [i as u8 + 1, 250 - i as u8, 7 * i as u8 + 3];
    let room = |i: usize| {
        let counts = (0..4).rev().find(|&count| Known::has_room(starts[i], starts[i] + frames[i].0, count));
        counts.filter(|_| matches!(noted(i), Found::Floats { .. }))
    };
    for (done, &i) in order.iter().enumerate() {
        let Some(count) = room(i) else { continue };
        known.set_spread(starts[i], steady(i), &numbers(i)[..count]);
        for &i in &order[..=done] {
            match (known.get(starts[i]), room(i)) {
                (Found::Floats { spread: Some(Noted { steady, numbers: found }), .. }, Some(count)) => {
                    assert_eq!((steady, &found[..count]), (self::steady(i), &numbers(i)[..count]), "chunk {i}");
                }
                (found, room) => assert_eq!((found, room), (noted(i), None), "chunk {i}"),
            }
        }
        for &i in &order[done + 1..] {
            assert_eq!(known.get(starts[i]), noted(i), "chunk {i}, of which nothing was noted");
        }
    }
}

#[test]
fn chunks_side_by_side_are_told_apart() {
    for first in 8..80 {
        let floats = |len: usize, samples: u32| (len + FRAME + 4, Some((len, samples)));
        check(&[
            (first, None),
            floats(500, 120),
            floats(490, 119),
            (8, None),
            floats(180, 255),
            floats(200, 3),
            floats(260, 9),
            floats(320, 2),
            floats(128, 1),
        ]);
        check(&[(first, None), floats(4095, 255), floats(4096, 255), floats(300, 256), floats(127, 3), (9, None)]);
        check(&[
            (first, None),
            (8, None),
            (8, None),
            floats(186, 200),
            floats(187, 200),
            floats(191, 4),
            floats(247, 200),
            floats(600, 0),
            (17, None),
        ]);
    }
}

#[test]
fn what_lies_outside_is_not_known() {
    let known = Known::new(0);
    known.set(8, 700, Some((500, 120)));
    assert_eq!(known.get(8), Found::Nothing);
}
