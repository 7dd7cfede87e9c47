use std::ops::Range;

use block::Columns;

/// Some floats that give way to some of a patch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) replaced: Range<usize>,
    /// Counted among the patch's.
    pub(super) by: Range<usize>,
}

/// Puts parts of `patch` in the place of floats of `out`. The pieces ascend; so do their parts of the patch.
pub(super) fn splice(out: &mut Columns, patch: &mut Columns, pieces: &[Piece]) {
    if !out.st.is_empty() || !patch.st.is_empty() {
        out.st.resize(out.t.len(), 0);
        patch.st.resize(patch.t.len(), 0);
        splice_one(&mut out.st, &patch.st, pieces);
    }
    splice_one(&mut out.t, &patch.t, pieces);
    splice_one(&mut out.v, &patch.v, pieces);
}

fn splice_one<T: Copy + Default>(out: &mut Vec<T>, patch: &[T], pieces: &[Piece]) {
    let old = out.len();
    // What stays behind each piece, and where it goes.
    let kept = |i: usize| pieces[i].replaced.end..pieces.get(i + 1).map_or(old, |next| next.replaced.start);
    let grown: usize = pieces.iter().map(|piece| piece.by.len()).sum();
    let shrunk: usize = pieces.iter().map(|piece| piece.replaced.len()).sum();
    let len = old + grown - shrunk;
    out.resize(len.max(old), T::default());
    // Those that go down first, from the front, then those that go up, from the back: none is written over.
    let (mut more, mut less) = (0, 0);
    for (i, piece) in pieces.iter().enumerate() {
        (more, less) = (more + piece.by.len(), less + piece.replaced.len());
        if more < less {
            out.copy_within(kept(i), kept(i).start + more - less);
        }
    }
    for (i, piece) in pieces.iter().enumerate().rev() {
        if more > less {
            out.copy_within(kept(i), kept(i).start + more - less);
        }
        (more, less) = (more - piece.by.len(), less - piece.replaced.len());
        let to = piece.replaced.start + more - less;
        out[to..to + piece.by.len()].copy_from_slice(&patch[piece.by.clone()]);
    }
    out.truncate(len);
}
