//! Deduplication of replicas, on decoded columns.
//!
//! Three functions give one stream of samples for several replicas of a series. Floats and native
//! histograms follow the same rules, and no sample is ever invented or changed.
//!
//! * [`stable`], Esker's own and the default: a pure function of the samples and of absolute time. Time
//!   is cut into cells of [`CELL_MS`], aligned to the epoch. In each cell one replica is elected and
//!   gives all its samples; the others only fill its gaps.
//! * [`penalty`]: what Thanos' penalty iterator gives, on the values as they are.
//! * [`union`]: every sample of every replica (`chain`, one-to-one); it also puts together what several
//!   stores give of one replica.

mod cells;
mod doubt;
mod foresee;
mod lanes;
mod penalty;
mod picker;
mod scan;
mod sparse;
mod timeline;
mod union;

/// Cells of [`stable`] are those of [`block::spread`], so offline deduplication of blocks gives the same samples.
pub use block::spread::CELL_MS;
pub use cells::{Cells, Part, stable};
pub use doubt::doubtful;
pub use foresee::Foresight;
pub use lanes::{Lanes, split_lanes};
pub use penalty::penalty;
pub use picker::{Picker, Taken};
pub use sparse::{Span, Stretch, Survey};
pub use union::union;

use std::fmt;
use std::str::FromStr;

use model::TimeRange;

/// Within this distance of a cell's border the outcome of [`stable`] depends on the cell beyond, too.
pub const EDGE_MS: i64 = 5 * 60 * 1000;

/// What [`stable`] has to see to be right within `range`: whole cells, and the next one where `range`
/// ends within [`EDGE_MS`] of it. Extremes saturate.
#[must_use]
pub fn widen_to_cells(range: TimeRange) -> TimeRange {
    let start = |t: i64| t.div_euclid(CELL_MS).saturating_mul(CELL_MS);
    let (min, max) = (range.min.saturating_sub(EDGE_MS), range.max.saturating_add(EDGE_MS));
    TimeRange { min: start(min), max: start(max).saturating_add(CELL_MS - 1) }
}

/// How replicas become one series.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Func {
    #[default]
    Stable,
    Penalty,
    Chain,
}

impl Func {
    /// As flags and the parameter `dedup_func` spell it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stable => "stable",
            Self::Penalty => "penalty",
            Self::Chain => "chain",
        }
    }
}

impl fmt::Display for Func {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Func {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "stable" => Ok(Self::Stable),
            "penalty" => Ok(Self::Penalty),
            "chain" => Ok(Self::Chain),
            _ => Err(format!("unknown deduplication function {text:?}, want stable, penalty or chain")),
        }
    }
}

#[cfg(test)]
mod tests;
