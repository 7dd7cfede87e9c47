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

#[test]
fn start_timestamps_move_along() {
    let mut columns = Columns { t: vec![1, 2, 3], v: vec![1.0, 2.0, 3.0], st: vec![7, 8, 9], ..Columns::default() };
    let patch = Columns { t: vec![5, 6], v: vec![5.0, 6.0], ..Columns::default() };
    append(&mut columns, 0..3, &[&patch], &[Piece { replaced: 1..2, by: 0..2, source: Some(0) }]);
    assert_eq!((&columns.t[3..], &columns.st[3..]), (&[1, 5, 6, 3][..], &[7, 0, 0, 9][..]));
}
