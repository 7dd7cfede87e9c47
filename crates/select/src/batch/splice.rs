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
