//! What is measured of a link: how long until an answer begins, and how fast it then comes.

use std::time::Duration;

use parking_lot::Mutex;

/// Answers that are remembered, and how many there must be before anything is concluded.
const REMEMBERED: usize = 256;
const ENOUGH: usize = 32;

/// Second requests that may come at once, however few there were before.
const BURST: f64 = 8.0;

/// A second request is never made sooner: below, waiting costs less.
const LATE_MIN: Duration = Duration::from_millis(10);

/// Smaller bodies come with the headers and say nothing of the rate.
const BODY_BYTES_MIN: u64 = 64 << 10;

#[derive(Debug)]
pub(super) struct Pace {
    /// Of all requests, at most this share are second ones.
    hedge_budget: f64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Seconds until an answer began; the oldest is replaced.
    began: Vec<f64>,
    next: usize,
    /// Half and 95 of 100 answers had begun by then.
    median: f64,
    late: f64,
    /// Bytes a second of one answer.
    rate: Option<f64>,
    /// Second requests that may still be made.
    budget: f64,
}

impl Pace {
    pub(super) fn new(hedge_budget: f64) -> Self {
        Self { hedge_budget, state: Mutex::default() }
    }

    /// A read is about to be asked for.
    pub(super) fn asked(&self) {
        let mut state = self.state.lock();
        state.budget = (state.budget + self.hedge_budget).min(BURST);
    }

    /// An answer began after `took`.
    pub(super) fn began(&self, took: Duration) {
        let mut state = self.state.lock();
        let State { began, next, .. } = &mut *state;
        if began.len() < REMEMBERED {
            began.push(took.as_secs_f64());
        } else {
            began[*next % REMEMBERED] = took.as_secs_f64();
        }
        *next += 1;
        if *next % 16 == 0 {
            let mut sorted = began.clone();
            sorted.sort_unstable_by(f64::total_cmp);
            (state.median, state.late) = (sorted[sorted.len() / 2], sorted[sorted.len() * 95 / 100]);
        }
    }

    /// A body of so many bytes came in so much time.
    pub(super) fn carried(&self, bytes: u64, took: Duration) {
        if bytes < BODY_BYTES_MIN || took.is_zero() {
            return;
        }
        let now = bytes as f64 / took.as_secs_f64();
        let mut state = self.state.lock();
        state.rate = Some(state.rate.map_or(now, |before| before.mul_add(0.9, now * 0.1)));
    }

    /// When an answer that has not begun is late; `None` while nobody knows, or second requests are off.
    pub(super) fn late(&self) -> Option<Duration> {
        let state = self.state.lock();
        let known = state.began.len() >= ENOUGH && self.hedge_budget > 0.0;
        known.then(|| Duration::from_secs_f64(state.late).max(LATE_MIN))
    }

    /// Takes a second request out of the budget.
    pub(super) fn may_hedge(&self) -> bool {
        let mut state = self.state.lock();
        let may = state.budget >= 1.0;
        if may {
            state.budget -= 1.0;
        }
        may
    }

    pub(super) fn bytes_in_a_round(&self) -> Option<u64> {
        let state = self.state.lock();
        let rate = state.rate.filter(|_| state.began.len() >= ENOUGH)?;
        Some((rate * state.median) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn late_is_when_95_of_100_have_begun() {
        let pace = Pace::new(0.05);
        assert_eq!(pace.late(), None);
        for ms in 1..=200 {
            pace.began(Duration::from_millis(ms % 100));
        }
        let late = pace.late().expect("known").as_millis();
        assert!((90..=96).contains(&late), "{late}");
        assert_eq!(pace.bytes_in_a_round(), None, "the rate is not known");
        pace.carried(1000, Duration::from_micros(1));
        pace.carried(8 << 20, Duration::from_millis(100));
        let bytes = pace.bytes_in_a_round().expect("known");
        assert!((4_000_000..4_400_000).contains(&bytes), "50 ms at 84 MB/s: {bytes}");
        for _ in 0..256 {
            pace.began(Duration::from_micros(100));
        }
        assert_eq!(pace.late(), Some(LATE_MIN));
    }

    #[test]
    fn second_requests_are_a_share_of_all() {
        let pace = Pace::new(0.05);
        assert!(!pace.may_hedge());
        let mut second = 0;
        for _ in 0..10_000 {
            pace.asked();
            second += usize::from(pace.may_hedge());
        }
        assert!((490..=500).contains(&second), "{second}");
        for _ in 0..10_000 {
            pace.asked();
        }
        assert_eq!((0..100).filter(|_| pace.may_hedge()).count(), 8, "a burst is bounded");
        let off = Pace::new(0.0);
        (0..100).for_each(|_| off.began(Duration::from_millis(1)));
        assert_eq!(off.late(), None);
    }
}
