//! When queries are asked, and durations.

use super::Grammar;
use crate::data::{END_MS, START_MS};
use crate::query::When;
use crate::random::Random;

pub(super) fn when(random: &mut Random) -> When {
    let on_grid = random.chance(50);
    let place = |t: i64| if on_grid { t - t.rem_euclid(30_000) } else { t };
    if random.chance(40) {
        return When::At(place(random.between(START_MS - 120_000, END_MS + 400_000)));
    }
    let start_ms = place(random.between(START_MS - 300_000, END_MS - 600_000));
    let step_ms =
        *random.pick(&[1_000, 7_000, 15_000, 30_000, 30_000, 45_000, 60_000, 61_500, 120_000, 300_000, 780_000]);
    let steps = *random.pick(&[0, 1, 2, 5, 9, 14, 20, 31]);
    let ragged = if random.chance(20) { random.between(0, step_ms) } else { 0 };
    When::Over { start_ms, end_ms: start_ms + steps * step_ms + ragged, step_ms }
}

impl Grammar {
    /// A positive duration, e.g. a range.
    pub(super) fn duration(&mut self) -> String {
        const PLAIN: &[&str] = &[
            "30s", "1m", "90s", "2m", "5m", "5m", "7m", "10m", "15s", "61s", "29s", "1ms", "3m1s", "15m", "45s", "300",
        ];
        if self.random.chance(8) {
            return self.expression();
        }
        self.pick(PLAIN).to_owned()
    }

    /// A duration that is computed; always positive.
    fn expression(&mut self) -> String {
        let plain = self.pick(&["1m", "30s", "90", "2m30s"]);
        match self.random.below(7) {
            0 => format!("{plain} * 2"),
            1 => format!("{plain} + step()"),
            2 => format!("max_of({plain}, step())"),
            3 => format!("min_of(10m, range() + {plain})"),
            4 => format!("({plain} + 45s) / 1.5"),
            5 => format!("{plain} ^ 1.2"),
            _ => format!("10m - {plain} % 20"),
        }
    }

    /// `offset` and `@`, mostly none.
    pub(super) fn modifiers(&mut self) -> String {
        match self.random.below(100) {
            0..78 => String::new(),
            78..88 => self.offset(),
            88..94 => self.at(),
            94..97 => format!("{}{}", self.at(), self.offset()),
            _ => format!("{}{}", self.offset(), self.at()),
        }
    }

    fn offset(&mut self) -> String {
        match self.random.below(10) {
            0 => " offset (step() - 1m)".to_owned(),
            1 => format!(" offset -({})", self.expression()),
            _ => format!(
                " offset {}{}",
                self.pick(&["", "-"]),
                self.pick(&["30s", "1m", "90s", "5m", "7s", "12m", "0s"])
            ),
        }
    }

    fn at(&mut self) -> String {
        match self.random.below(10) {
            0..2 => " @ start()".to_owned(),
            2..4 => " @ end()".to_owned(),
            4 => " @ 0".to_owned(),
            _ => {
                let t = self.random.between(START_MS, END_MS);
                let t = if self.random.chance(50) { t - t.rem_euclid(30_000) } else { t };
                format!(" @ {}.{:03}", t / 1000, t % 1000)
            }
        }
    }

    /// `[range:step]` with its modifiers; bounded in how many steps it makes.
    pub(super) fn subquery_range(&mut self) -> String {
        let step = self.pick(&["", "30s", "1m", "45s", "7s", "5m", "15s", "step() + 1s"]);
        let range = self.pick(&["2m", "5m", "10m", "61s", "1m", "20m", "30s"]);
        format!("[{range}:{step}]{}", self.modifiers())
    }
}
