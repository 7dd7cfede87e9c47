use block::Columns;

use super::timeline::{Timeline, Writer};

/// Every sample of every input, ascending, into `out`, which is replaced. Of samples at the same time
/// the first input's is kept, but a staleness marker gives way to a sample.
pub fn union(inputs: &[Columns], out: &mut Columns) {
    let timelines: Vec<_> = inputs.iter().map(Timeline::new).collect();
    out.clear();
    let mut out = Writer::new(&timelines, out);
    let mut at = vec![0; inputs.len()];
    loop {
        // The first input with the least next time, and how long it stays below all others.
        let mut best: Option<(i64, usize)> = None;
        let mut bound = i64::MAX;
        for (i, timeline) in timelines.iter().enumerate() {
            let Some(&t) = timeline.times.get(at[i]) else { continue };
            match best {
                Some((least, _)) if t >= least => bound = bound.min(t),
                _ => {
                    bound = best.map_or(bound, |(least, _)| bound.min(least));
                    best = Some((t, i));
                }
            }
        }
        let Some((t, i)) = best else { return };
        if bound > t {
            let n = if bound == i64::MAX {
                timelines[i].times.len() - at[i]
            } else {
                timelines[i].times[at[i]..].partition_point(|&t| t < bound)
            };
            out.copy(i, at[i]..at[i] + n);
            at[i] += n;
            continue;
        }
        let same = |r: &usize| timelines[*r].times.get(at[*r]) == Some(&t);
        let chosen = (0..inputs.len()).filter(same).find(|&r| !timelines[r].stale(at[r])).unwrap_or(i);
        out.copy(chosen, at[chosen]..at[chosen] + 1);
        for (timeline, at) in timelines.iter().zip(&mut at) {
            *at += usize::from(timeline.times.get(*at) == Some(&t));
        }
    }
}
