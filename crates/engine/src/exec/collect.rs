//! A scan as a vector, all series side by side.

use request::MemoryAccount;

use super::scan::{Morsel, Sink, Wants};
use super::{Run, check_held};
use crate::Error;
use crate::engine::Settings;
use crate::plan::Scan;
use crate::vector::{Vector, same_labels, samples_in, weight};

struct Collect<'a> {
    vector: Vector,
    settings: &'a Settings,
    /// How many values the query holds beside it.
    held: usize,
    histograms: usize,
}

impl Sink for Collect<'_> {
    fn absorb(&mut self, morsel: &mut Morsel) -> Result<(), Error> {
        self.vector.reserve(morsel.count)?;
        let from = self.vector.len();
        self.vector.values.extend_from_slice(morsel.values());
        self.vector.series.append(&mut morsel.heads);
        for native in morsel.natives.drain(..) {
            self.histograms += native.histograms.iter().flatten().map(|h| samples_in(h)).sum::<usize>();
            self.vector.pay_more_natives(weight(&native.histograms))?;
            self.vector.series[from + native.row].histograms = Some(native.histograms);
        }
        check_held(self.held + self.vector.values.len() + self.histograms, self.settings)
    }
}

impl Run<'_> {
    pub(super) async fn scan_all(&mut self, scan: Scan) -> Result<Vector, Error> {
        let memory: &MemoryAccount = self.cx.memory();
        let may_meet = !self.settings.delayed_name_removal && scan.drops_name() && scan.name.is_none();
        let vector = Vector::new(scan.shape.grid.len(), memory)?;
        let mut sink = Collect { vector, settings: self.settings, held: self.held, histograms: 0 };
        self.scan(scan, Wants { heads: true, keys: Vec::new() }, &mut sink).await?;
        if may_meet && sink.vector.has_duplicates() {
            return Err(same_labels());
        }
        Ok(sink.vector)
    }
}
