//! Label sets: owned ([`Labels`]), borrowed ([`LabelsRef`]) and in bulk ([`LabelTable`]).
//!
//! The order is Prometheus' `labels.Compare`: name, value, name, value … as byte strings, and a
//! label set that is a prefix of another comes first.

mod set;
mod table;

pub use set::{Labels, LabelsBuilder};
pub use table::{LabelTable, LabelTableBuilder, LabelsRef, Room, SymbolId, SymbolTable};

use std::cmp::Ordering;

/// Compares two label sets given as sorted `(name, value)` pairs in Prometheus' order.
pub fn compare<'a>(
    a: impl Iterator<Item = (&'a str, &'a str)>,
    b: impl Iterator<Item = (&'a str, &'a str)>,
) -> Ordering {
    a.cmp(b)
}

#[cfg(test)]
mod tests;
