//! What all histograms of a chunk share: schema, zero threshold, spans, custom bounds.

use std::sync::Arc;

use model::Span;
use model::histogram::{bucket_count, is_custom_buckets_schema, is_known_schema};

use super::super::bits::{BitReader, BitWriter};
use super::super::varbit::{read_int, read_uint, write_int, write_uint};
use crate::Corrupt;

/// The largest custom bound in thousandths that is written as an integer.
const BOUND_MAX: f64 = 33_554_430.0;

#[derive(Clone, Debug, Default)]
pub(in crate::chunk) struct Layout {
    pub(super) schema: i32,
    pub(super) zero_threshold: f64,
    pub(super) positive: Arc<[Span]>,
    pub(super) negative: Arc<[Span]>,
    pub(super) custom_values: Arc<[f64]>,
}

impl Layout {
    pub(super) fn read(r: &mut BitReader<'_>) -> Result<Self, Corrupt> {
        let zero_threshold = read_zero_threshold(r)?;
        let schema = read_int(r)? as i32;
        let positive = read_spans(r)?;
        let negative = read_spans(r)?;
        let custom_values = if is_custom_buckets_schema(schema) { read_bounds(r)? } else { Arc::default() };
        if !is_known_schema(schema) {
            return Err(r.corrupt(format!("unknown histogram schema {schema}")));
        }
        let layout = Self { schema, zero_threshold, positive, negative, custom_values };
        // Each bucket takes a bit at least: no more memory is taken than the payload accounts for.
        let buckets = bucket_count(&layout.positive).saturating_add(bucket_count(&layout.negative));
        if buckets > r.left() {
            return Err(r.corrupt(format!("spans for {buckets} buckets in a chunk too short for them")));
        }
        Ok(layout)
    }

    pub(super) fn write(&self, w: &mut BitWriter) {
        write_zero_threshold(w, self.zero_threshold);
        write_int(w, self.schema.into());
        write_spans(w, &self.positive);
        write_spans(w, &self.negative);
        if is_custom_buckets_schema(self.schema) {
            write_uint(w, self.custom_values.len() as u64);
            for &bound in &*self.custom_values {
                write_bound(w, bound);
            }
        }
    }
}

fn read_spans(r: &mut BitReader<'_>) -> Result<Arc<[Span]>, Corrupt> {
    let n = read_uint(r)?;
    if n > r.left() as u64 / 2 {
        return Err(r.corrupt(format!("{n} spans in a chunk too short for them")));
    }
    let mut spans = Vec::with_capacity(n as usize);
    for _ in 0..n {
        let length = read_uint(r)? as u32;
        let offset = read_int(r)? as i32;
        spans.push(Span { offset, length });
    }
    Ok(spans.into())
}

fn write_spans(w: &mut BitWriter, spans: &[Span]) {
    write_uint(w, spans.len() as u64);
    for span in spans {
        write_uint(w, span.length.into());
        write_int(w, span.offset.into());
    }
}

/// One byte for zero and for the powers of two from 2^−243 to 2^10, else 255 and the number.
fn read_zero_threshold(r: &mut BitReader<'_>) -> Result<f64, Corrupt> {
    Ok(match r.bits(8)? {
        0 => 0.0,
        255 => f64::from_bits(r.bits(64)?),
        // 0.5 times 2 to the power of (byte − 243), built from its exponent field.
        byte => f64::from_bits((byte + 1022 - 243) << 52),
    })
}

fn write_zero_threshold(w: &mut BitWriter, threshold: f64) {
    let bits = threshold.to_bits();
    // The exponent of the number as a fraction in [0.5, 1).
    let exponent = (bits >> 52) as i64 - 1022;
    if threshold == 0.0 {
        w.bits(0, 8);
    } else if bits << 12 != 0 || !(-242..=11).contains(&exponent) {
        w.bits(255, 8);
        w.bits(bits, 64);
    } else {
        w.bits((exponent + 243) as u64, 8);
    }
}

fn read_bounds(r: &mut BitReader<'_>) -> Result<Arc<[f64]>, Corrupt> {
    let n = read_uint(r)?;
    if n > r.left() as u64 {
        return Err(r.corrupt(format!("{n} custom bounds in a chunk too short for them")));
    }
    let bounds: Result<Vec<_>, _> = (0..n).map(|_| read_bound(r)).collect();
    Ok(bounds?.into())
}

/// Thousandths plus one as an integer, or 0 and the number.
fn read_bound(r: &mut BitReader<'_>) -> Result<f64, Corrupt> {
    Ok(match read_uint(r)? {
        0 => f64::from_bits(r.bits(64)?),
        n => (n - 1) as f64 / 1000.0,
    })
}

fn write_bound(w: &mut BitWriter, bound: f64) {
    let thousandths = bound * 1000.0;
    // NaN is not whole.
    let whole = thousandths.round().max(0.0) / 1000.0 == bound;
    if !(0.0..=BOUND_MAX).contains(&thousandths) || !whole {
        w.bit(false);
        w.bits(bound.to_bits(), 64);
    } else {
        write_uint(w, thousandths.round() as u64 + 1);
    }
}
