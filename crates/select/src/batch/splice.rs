use std::ops::Range;

use block::Columns;

/// Some floats that give way to some of a patch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) replaced: Range<usize>,
    /// Counted among the patch's.
    pub(super) by: Range<usize>,
}

/// Appends to `columns` those of its floats that are in `range`, with parts of `patch` in the place of some; gives where
/// they are. The pieces ascend and lie within the range.
pub(super) fn append(columns: &mut Columns, range: Range<usize>, patch: &Columns, pieces: &[Piece]) -> Range<usize> {
    let begin = columns.t.len();
    if !columns.st.is_empty() || !patch.st.is_empty() {
        columns.st.resize(begin, 0);
        let mut starts = patch.st.clone();
        starts.resize(patch.t.len(), 0);
        append_one(&mut columns.st, range.clone(), &starts, pieces);
    }
    append_one(&mut columns.t, range.clone(), &patch.t, pieces);
    append_one(&mut columns.v, range, &patch.v, pieces);
    begin..columns.t.len()
}

fn append_one<T: Copy>(columns: &mut Vec<T>, range: Range<usize>, patch: &[T], pieces: &[Piece]) {
    let more: usize = pieces.iter().map(|piece| piece.by.len()).sum();
    columns.reserve(range.len() + more);
    let mut from = range.start;
    for Piece { replaced, by } in pieces {
        columns.extend_from_within(from..replaced.start);
        columns.extend_from_slice(&patch[by.clone()]);
        from = replaced.end;
    }
    columns.extend_from_within(from..range.end);
}

#[cfg(test)]
mod tests;
