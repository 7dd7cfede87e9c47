//! Bringing histograms of different bucket layouts onto one.

use std::cmp::Ordering;

use model::Span;

/// The union of two layouts, `a` and `b`, bucket by bucket.
#[derive(Debug)]
pub(super) struct Union {
    /// Index of the bucket, and whether it is in `a` and in `b`.
    buckets: Vec<(i64, bool, bool)>,
    pub(super) only_a: bool,
    pub(super) only_b: bool,
}

/// Which of the two layouts.
#[derive(Clone, Copy, Debug)]
pub(super) enum Side {
    A,
    B,
}

impl Union {
    pub(super) fn new(a: &[Span], b: &[Span]) -> Self {
        let mut union = Self { buckets: Vec::new(), only_a: false, only_b: false };
        let (mut a, mut b) = (indices(a).peekable(), indices(b).peekable());
        loop {
            let order = match (a.peek(), b.peek()) {
                (Some(x), Some(y)) => x.cmp(y),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => return union,
            };
            let x = if order.is_le() { a.next() } else { None };
            let y = if order.is_ge() { b.next() } else { None };
            union.only_a |= y.is_none();
            union.only_b |= x.is_none();
            union.buckets.push((x.or(y).unwrap_or_default(), x.is_some(), y.is_some()));
        }
    }

    /// `counts`, absolute and laid out as `side`, on the union; new buckets are zero.
    pub(super) fn spread<C: Copy + Default>(&self, side: Side, counts: &[C]) -> Vec<C> {
        let mut counts = counts.iter();
        let take = |&(_, a, b): &(i64, bool, bool)| {
            let present = match side {
                Side::A => a,
                Side::B => b,
            };
            if present { counts.next().copied().unwrap_or_default() } else { C::default() }
        };
        self.buckets.iter().map(take).collect()
    }

    /// Whether a bucket's absolute count is lower in `b` than in `a`: one missing from `b` counts as
    /// zero. A NaN is lower than nothing.
    pub(super) fn falls<C: PartialOrd + Default>(
        &self,
        mut a: impl Iterator<Item = C>,
        mut b: impl Iterator<Item = C>,
    ) -> bool {
        self.buckets.iter().any(|&(_, in_a, in_b)| {
            let x = if in_a { a.next() } else { None };
            let y = if in_b { b.next() } else { None };
            match (x, y) {
                (Some(x), Some(y)) => x > y,
                (Some(x), None) => x != C::default(),
                _ => false,
            }
        })
    }

    /// The spans of the union, as few as can be.
    pub(super) fn spans(&self) -> Vec<Span> {
        let mut spans = Vec::<Span>::new();
        let mut next = 0;
        for &(index, ..) in &self.buckets {
            match spans.last_mut() {
                Some(span) if index == next => span.length += 1,
                _ => spans.push(Span { offset: (index - next) as i32, length: 1 }),
            }
            next = index + 1;
        }
        spans
    }
}

/// The bucket indices that spans stand for.
fn indices(spans: &[Span]) -> impl Iterator<Item = i64> {
    let mut next = 0i64;
    spans.iter().flat_map(move |span| {
        let first = next + i64::from(span.offset);
        next = first + i64::from(span.length);
        first..next
    })
}
