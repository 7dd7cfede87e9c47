use std::ops::Range;

use block::Columns;

/// Some floats that give way to some of another source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) replaced: Range<usize>,
    pub(super) by: Range<usize>,
    /// By which of the sources; none is where the replaced ones are.
    pub(super) source: Option<usize>,
}

impl Piece {
    /// How many floats more there are then; not to be asked where there are fewer.
    fn growth(&self) -> usize {
        self.by.len() - self.replaced.len()
    }
}

/// Puts the parts of the sources in their places, where there are `room` floats to spare before and behind those in
/// `range`; gives where they are then. `None`, and nothing is changed, where that takes more room, or is not so simple.
/// The pieces ascend and lie within the range.
pub(super) fn fit(
    columns: &mut Columns,
    range: &Range<usize>,
    room: usize,
    sources: &[&Columns],
    pieces: &[Piece],
) -> Option<Range<usize>> {
    let is_less = |piece: &Piece| piece.by.len() < piece.replaced.len();
    if !columns.st.is_empty() || sources.iter().any(|source| !source.st.is_empty()) || pieces.iter().any(is_less) {
        return None;
    }
    // The longest part between two pieces stays where it is; what comes before it goes towards the front.
    let (mut from, mut more) = (range.start, 0);
    let (mut longest, mut left) = (0, 0);
    let end = Piece { replaced: range.end..range.end, by: 0..0, source: None };
    for piece in pieces.iter().chain([&end]) {
        if piece.replaced.start - from > longest {
            (longest, left) = (piece.replaced.start - from, more);
        }
        (from, more) = (piece.replaced.end, more + piece.growth());
    }
    if left > room || more - left > room {
        return None;
    }
    fit_one(&mut columns.t, range, (left, more), |i| &sources[i].t, pieces);
    fit_one(&mut columns.v, range, (left, more), |i| &sources[i].v, pieces);
    Some(range.start - left..range.end + (more - left))
}

/// As [`fit`], by `more` in all, `left` of it towards the front.
fn fit_one<'a, T: Copy + 'a>(
    column: &mut [T],
    range: &Range<usize>,
    (left, more): (usize, usize),
    source: impl Fn(usize) -> &'a [T],
    pieces: &[Piece],
) {
    let (mut from, mut grown) = (range.start, 0);
    for piece in pieces {
        if grown < left {
            column.copy_within(from..piece.replaced.start, from + grown - left);
        }
        (from, grown) = (piece.replaced.end, grown + piece.growth());
    }
    let (mut to, mut grown) = (range.end, more);
    for piece in pieces.iter().rev() {
        let from = piece.replaced.end;
        if grown > left {
            column.copy_within(from..to, from + grown - left);
        }
        (to, grown) = (piece.replaced.start, grown - piece.growth());
    }
    for piece in pieces {
        let (at, by) = (piece.replaced.start + grown - left, piece.by.clone());
        match piece.source {
            Some(i) => column[at..at + by.len()].copy_from_slice(&source(i)[by]),
            None => column.copy_within(by, at),
        }
        grown += piece.growth();
    }
}

/// Appends to `columns` those of its floats that are in `range`, with parts of the sources in the place of some; gives
/// where they are. The pieces ascend and lie within the range.
pub(super) fn append(
    columns: &mut Columns,
    range: Range<usize>,
    sources: &[&Columns],
    pieces: &[Piece],
) -> Range<usize> {
    let begin = columns.t.len();
    if !columns.st.is_empty() || sources.iter().any(|source| !source.st.is_empty()) {
        columns.st.resize(begin, 0);
        let levelled = |source: &&Columns| {
            let mut starts = source.st.clone();
            starts.resize(source.t.len(), 0);
            starts
        };
        let starts: Vec<_> = sources.iter().map(levelled).collect();
        append_one(&mut columns.st, range.clone(), |i| &starts[i], pieces);
    }
    append_one(&mut columns.t, range.clone(), |i| &sources[i].t, pieces);
    append_one(&mut columns.v, range, |i| &sources[i].v, pieces);
    begin..columns.t.len()
}

fn append_one<'a, T: Copy + 'a>(
    columns: &mut Vec<T>,
    range: Range<usize>,
    source: impl Fn(usize) -> &'a [T],
    pieces: &[Piece],
) {
    let more: usize = pieces.iter().map(|piece| piece.by.len()).sum();
    columns.reserve(range.len() + more);
    let mut from = range.start;
    for Piece { replaced, by, source: i } in pieces {
        columns.extend_from_within(from..replaced.start);
        match i {
            Some(i) => columns.extend_from_slice(&source(*i)[by.clone()]),
            None => columns.extend_from_within(by.clone()),
        }
        from = replaced.end;
    }
    columns.extend_from_within(from..range.end);
}

#[cfg(test)]
mod tests;
