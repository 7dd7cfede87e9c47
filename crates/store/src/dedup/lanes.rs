use model::TimeRange;

/// Which lane each chunk is in, and how many there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lanes {
    pub of: Vec<u32>,
    pub count: usize,
}

/// Deals chunks, ascending by start, to the fewest lanes in which none overlap: each goes to the first
/// lane that has ended before it starts. This is how Thanos tells replicas apart whose labels it does
/// not know. `lanes` is replaced.
pub fn split_lanes(chunks: impl IntoIterator<Item = TimeRange>, lanes: &mut Lanes) {
    lanes.of.clear();
    let mut ends: Vec<i64> = Vec::with_capacity(2);
    for chunk in chunks {
        let lane = ends.iter().position(|&end| end < chunk.min).unwrap_or(ends.len());
        if lane == ends.len() {
            ends.push(chunk.max);
        } else {
            ends[lane] = chunk.max;
        }
        lanes.of.push(u32::try_from(lane).expect("fewer than 2^32 chunks"));
    }
    lanes.count = ends.len();
}
