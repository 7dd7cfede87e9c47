//! Counters, gauges, classic histograms, info series.

use model::STALE_NAN_BITS;

use super::Collector;

pub(super) fn generate(all: &mut Collector) {
    for job in ["a", "b", "c"] {
        for instance in 1..=3 {
            let target = format!("instance={instance},job={job}");
            for code in ["200", "404", "500"] {
                if all.random.chance(75) {
                    let samples = counter(all);
                    all.add_floats(&format!("__name__=req_total,code={code},{target}"), samples);
                }
            }
            let samples = messy(all);
            all.add_floats(&format!("__name__=gauge,{target}"), samples);
            let samples = smooth(all);
            all.add_floats(&format!("__name__=load,{target}"), samples);
            let samples = switch(all);
            all.add_floats(&format!("__name__=up,{target}"), samples);
            if job != "c" {
                classic(all, "lat", &target, &["0.1", "0.5", "1", "5", "+Inf"], 100);
            }
            info(all, &target);
        }
        let samples = messy(all);
        all.add_floats(&format!("__name__=solo,job={job},x=y"), samples);
    }
    // Buckets that do not add up: not monotonic, without +Inf, with bounds that are no numbers.
    classic(all, "odd", "job=a", &["1", "2", "4", "+Inf"], 60);
    classic(all, "odd", "job=b", &["1", "2"], 100);
    classic(all, "odd", "job=c", &["-1", "0", "wide", "+Inf"], 100);
    let samples = smooth(all);
    all.add_floats("__name__=odd_bucket,job=a", samples);
    for (labels, scale) in [
        ("__name__=single", 1.0),
        ("__name__=huge,job=a", 1e306),
        ("__name__=huge,job=b", -1e300),
        ("__name__=tiny,job=a", 1e-306),
        ("__name__=a.b c,job=a,label.dot=x", 1.0),
        ("__name__=a.b c,job=b,label.dot=y", 1.0),
        ("__name__=unix_seconds,job=a", 3e7),
        ("__name__=unix_seconds,job=b", -1e8),
    ] {
        let samples = smooth(all).into_iter().map(|(t, v)| (t, v * scale)).collect();
        all.add_floats(labels, samples);
    }
}

/// Some samples become markers of staleness.
fn with_markers(all: &mut Collector, mut samples: Vec<(i64, f64)>) -> Vec<(i64, f64)> {
    if all.random.chance(40) {
        for (_, v) in &mut samples {
            if all.random.chance(3) {
                *v = f64::from_bits(STALE_NAN_BITS);
            }
        }
    }
    samples
}

fn counter(all: &mut Collector) -> Vec<(i64, f64)> {
    let mut v = *all.random.pick(&[0.0, 0.0, 100.0, 12345.5]);
    let resets = *all.random.pick(&[0, 1, 8]);
    let times = all.times();
    let samples = times
        .into_iter()
        .map(|t| {
            if all.random.chance(resets) {
                v = *all.random.pick(&[0.0, 1.0, 3.0]);
            } else {
                v += *all.random.pick(&[0.0, 0.0, 1.0, 2.0, 5.0, 0.25, 10.0, 333.3]);
            }
            (t, v)
        })
        .collect();
    with_markers(all, samples)
}

fn messy(all: &mut Collector) -> Vec<(i64, f64)> {
    let times = all.times();
    let odd = all.random.chance(40);
    let samples = times
        .into_iter()
        .map(|t| {
            let v = match all.random.below(20) {
                0..8 => (all.random.unit() * 10_000.0 - 5_000.0).round() / 100.0,
                8 => 0.0,
                9 => -1.0,
                10 if odd => f64::NAN,
                11 if odd => f64::INFINITY,
                12 if odd => f64::NEG_INFINITY,
                13 => -0.0,
                n => n as f64 - 14.0,
            };
            (t, v)
        })
        .collect();
    with_markers(all, samples)
}

fn smooth(all: &mut Collector) -> Vec<(i64, f64)> {
    let mut v = all.random.unit() * 40.0;
    let times = all.times();
    times
        .into_iter()
        .map(|t| {
            v += all.random.unit() * 4.0 - 1.9;
            (t, v)
        })
        .collect()
}

fn switch(all: &mut Collector) -> Vec<(i64, f64)> {
    let mut v = 1.0;
    let times = all.times();
    let samples = times
        .into_iter()
        .map(|t| {
            if all.random.chance(10) {
                v = 1.0 - v;
            }
            (t, v)
        })
        .collect();
    with_markers(all, samples)
}

/// `<name>_bucket`, `_sum` and `_count`; in `ordered` of 100 samples the buckets are cumulative.
fn classic(all: &mut Collector, name: &str, target: &str, bounds: &[&str], ordered: usize) {
    let times = all.times();
    let mut counts = vec![0.0_f64; bounds.len()];
    let mut buckets = vec![Vec::new(); bounds.len()];
    let (mut sums, mut totals, mut sum) = (Vec::new(), Vec::new(), 0.0);
    for t in times {
        if all.random.chance(2) {
            counts.fill(0.0);
            sum = 0.0;
        }
        for _ in 0..all.random.below(6) {
            counts[all.random.below(bounds.len())] += 1.0;
            sum += all.random.unit();
        }
        let mut total = 0.0;
        for (samples, count) in buckets.iter_mut().zip(&counts) {
            total += count;
            let v = if all.random.chance(ordered) { total } else { total - 1.0 };
            samples.push((t, v));
        }
        sums.push((t, sum));
        totals.push((t, total));
    }
    for (le, samples) in bounds.iter().zip(buckets) {
        all.add_floats(&format!("__name__={name}_bucket,{target},le={le}"), samples);
    }
    all.add_floats(&format!("__name__={name}_sum,{target}"), sums);
    all.add_floats(&format!("__name__={name}_count,{target}"), totals);
}

/// What a target says of itself, which changes on the way; now and then twice at once.
fn info(all: &mut Collector, target: &str) {
    let times = all.times();
    let cut = all.random.below(times.len().max(1));
    let overlap = all.random.below(3);
    let parts = [&times[..cut], &times[cut.saturating_sub(overlap)..]];
    for (version, part) in ["1", "2"].iter().zip(parts) {
        let samples: Vec<_> = part.iter().map(|&t| (t, 1.0)).collect();
        all.add_floats(&format!("__name__=target_info,{target},version={version},zone=z{version}"), samples.clone());
        if all.random.chance(50) {
            all.add_floats(&format!("__name__=build_info,{target},build=b{version}"), samples);
        }
    }
}
