use super::*;

fn check(range: Range<usize>, patch: usize, pieces: &[(Range<usize>, Range<usize>)]) {
    let numbers = |from: i64, n: usize| -> Columns {
        let t: Vec<_> = (0..n as i64).map(|i| from + i).collect();
        Columns { v: t.iter().map(|&t| t as f64).collect(), t, ..Columns::default() }
    };
    let (mut columns, patch) = (numbers(0, 30), numbers(1000, patch));
    let (mut expected, mut from) = (Vec::<i64>::new(), range.start);
    for (replaced, by) in pieces {
        expected.extend(&columns.t[from..replaced.start]);
        expected.extend(&patch.t[by.clone()]);
        from = replaced.end;
    }
    expected.extend(&columns.t[from..range.end]);
    let pieces: Vec<_> = pieces.iter().cloned().map(|(replaced, by)| Piece { replaced, by, source: Some(0) }).collect();
    let (room, inner) = (9, columns.t.len());
    let mut spacious = numbers(-room, inner + 2 * room as usize);
    let moved = |range: &Range<usize>| range.start + room as usize..range.end + room as usize;
    let inside: Vec<_> = pieces.iter().map(|p| Piece { replaced: moved(&p.replaced), ..p.clone() }).collect();
    let untouched = spacious.clone();
    match fit(&mut spacious, &moved(&range), room as usize, &[&patch], &inside) {
        Some(at) => {
            assert_eq!(spacious.t[at.clone()], expected);
            assert_eq!(spacious.v[at.clone()], expected.iter().map(|&t| t as f64).collect::<Vec<_>>());
            // What lies beyond the room is others'.
            let beyond = |t: &[i64]| (t[..range.start].to_vec(), t[range.end + 2 * room as usize..].to_vec());
            assert_eq!(beyond(&spacious.t), beyond(&untouched.t));
        }
        None => assert_eq!((spacious.t, spacious.v), (untouched.t, untouched.v)),
    }
    let at = append(&mut columns, range, &[&patch], &pieces);
    assert_eq!((at.start, at.end), (30, columns.t.len()));
    assert_eq!(columns.t[at.clone()], expected);
    assert_eq!(columns.v[at], expected.iter().map(|&t| t as f64).collect::<Vec<_>>());
    assert!(columns.st.is_empty());
}

#[test]
fn parts_grow_shrink_and_stay() {
    check(10..20, 0, &[]);
    check(5..5, 3, &[(5..5, 0..3)]);
    check(0..10, 3, &[(0..10, 0..3)]);
    check(0..30, 20, &[(2..4, 0..2), (6..7, 2..20)]);
    check(10..20, 20, &[(10..12, 0..9), (14..19, 9..10), (20..20, 10..20)]);
    check(7..27, 12, &[(8..16, 0..0), (16..17, 0..11), (25..27, 11..12)]);
}

/// Of another place in the same columns, and how far the longest part moves, which is not at all.
#[test]
fn what_grows_is_put_in_between() {
    let columns = || Columns { t: (0..40).collect(), v: vec![0.0; 40], ..Columns::default() };
    let piece = |replaced, by| Piece { replaced, by, source: None };
    let mut both = columns();
    let pieces = [piece(12..12, 35..37), piece(20..21, 30..34)];
    assert_eq!(fit(&mut both, &(10..22), 5, &[], &pieces), Some(8..25));
    assert_eq!(both.t[8..25], [10, 11, 35, 36, 12, 13, 14, 15, 16, 17, 18, 19, 30, 31, 32, 33, 21]);
    // Too little room, and one that shrinks.
    assert_eq!(fit(&mut columns(), &(10..22), 2, &[], &pieces), None);
    assert_eq!(fit(&mut columns(), &(10..22), 5, &[], &[piece(12..14, 30..31)]), None);
}

#[test]
fn start_timestamps_move_along() {
    let mut columns = Columns { t: vec![1, 2, 3], v: vec![1.0, 2.0, 3.0], st: vec![7, 8, 9], ..Columns::default() };
    let patch = Columns { t: vec![5, 6], v: vec![5.0, 6.0], ..Columns::default() };
    append(&mut columns, 0..3, &[&patch], &[Piece { replaced: 1..2, by: 0..2, source: Some(0) }]);
    assert_eq!((&columns.t[3..], &columns.st[3..]), (&[1, 5, 6, 3][..], &[7, 0, 0, 9][..]));
}
