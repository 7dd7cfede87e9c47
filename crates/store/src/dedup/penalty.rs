use block::Columns;

use super::timeline::{Timeline, Writer};

/// The penalty in milliseconds before two samples have been seen.
const FIRST_PENALTY_MS: i64 = 5000;

/// What Thanos' penalty iterator gives for these replicas, in this order, into `out`, which is replaced.
///
/// Replicas are folded pair by pair. The earlier sample is taken, and the other side may only come in
/// again after twice the distance of the last two samples taken. Samples must be cut to the fetch window
/// before, since the outcome depends on where a stream begins.
pub fn penalty(replicas: &[Columns], out: &mut Columns) {
    let timelines: Vec<_> = replicas.iter().map(Timeline::new).collect();
    out.clear();
    let mut out = Writer::new(&timelines, out);
    let Some((first, rest)) = timelines.split_first() else { return };
    let mut taken: Vec<Pick> = picks(first, 0).collect();
    let mut folded = Vec::new();
    for (i, timeline) in rest.iter().enumerate() {
        folded.clear();
        fold(&taken, timeline, i + 1, &mut folded);
        std::mem::swap(&mut taken, &mut folded);
    }
    for run in taken.chunk_by(|a, b| a.replica == b.replica && a.i + 1 == b.i) {
        out.copy(run[0].replica, run[0].i..run[0].i + run.len());
    }
}

#[derive(Clone, Copy, Debug)]
struct Pick {
    t: i64,
    replica: usize,
    i: usize,
}

fn picks(timeline: &Timeline<'_>, replica: usize) -> impl Iterator<Item = Pick> {
    timeline.times.iter().enumerate().map(move |(i, &t)| Pick { t, replica, i })
}

/// One pair: `a` before `b` where both have a sample of the same time.
fn fold(a: &[Pick], b: &Timeline<'_>, replica: usize, out: &mut Vec<Pick>) {
    let times = &b.times;
    let (mut i, mut k) = (0, 0);
    let (mut penalty_a, mut penalty_b) = (0, 0);
    let mut last: Option<i64> = None;
    loop {
        if let Some(last) = last {
            i += a[i..].iter().take_while(|p| p.t <= last.saturating_add(penalty_a)).count();
            k += times[k..].iter().take_while(|&&t| t <= last.saturating_add(penalty_b)).count();
        }
        let (pick, from_a) = match (a.get(i), times.get(k)) {
            (None, None) => return,
            (Some(&pick), None) => {
                penalty_a = 0;
                out.push(pick);
                last = Some(pick.t);
                continue;
            }
            (None, Some(&t)) => {
                penalty_b = 0;
                out.push(Pick { t, replica, i: k });
                last = Some(t);
                continue;
            }
            (Some(&pick), Some(&t)) if pick.t <= t => (pick, true),
            (Some(_), Some(&t)) => (Pick { t, replica, i: k }, false),
        };
        let penalty = last.map_or(FIRST_PENALTY_MS, |last| 2 * (pick.t - last));
        (penalty_a, penalty_b) = if from_a { (0, penalty) } else { (penalty, 0) };
        last = Some(pick.t);
        out.push(pick);
    }
}
