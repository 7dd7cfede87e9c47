//! The numbers of a histogram chunk, and how each follows from the sample before: integers as deltas of
//! deltas, floats as XORs.

use std::fmt::Debug;

use super::super::bits::{BitReader, BitWriter};
use super::super::varbit::{read_int, read_ints, read_uint, write_int, write_uint};
use super::super::window::Window;
use crate::Corrupt;

/// A count or bucket as the last sample left it.
pub(in crate::chunk) trait Number: Copy + Debug {
    /// As a histogram holds it. Buckets of integers are differences to the bucket before.
    type Value: Copy + Debug + Default + PartialOrd;

    /// As a writer starts behind the first sample.
    fn new(value: Self::Value) -> Self;
    fn value(self) -> Self::Value;

    /// Reads a count of a first sample.
    fn read_first_count(r: &mut BitReader<'_>) -> Result<Self, Corrupt>;
    /// Reads a bucket of a first sample.
    fn read_first_bucket(r: &mut BitReader<'_>) -> Result<Self, Corrupt>;
    fn read(&mut self, r: &mut BitReader<'_>) -> Result<(), Corrupt>;
    /// Reads one number after the other.
    fn read_all(numbers: &mut [Self], r: &mut BitReader<'_>) -> Result<(), Corrupt>;

    fn write_first_count(w: &mut BitWriter, value: Self::Value);
    fn write_first_bucket(w: &mut BitWriter, value: Self::Value);
    fn write(&mut self, w: &mut BitWriter, value: Self::Value);
    /// Writes a count of a staleness marker, which does not matter.
    fn write_stale(&mut self, w: &mut BitWriter);

    /// The absolute count of a bucket behind one of `before`, and back.
    fn absolute(before: Self::Value, value: Self::Value) -> Self::Value;
    fn relative(before: Self::Value, absolute: Self::Value) -> Self::Value;
    /// Whether a count is lower than the one before. A NaN is lower than nothing.
    fn count_falls(before: Self::Value, value: Self::Value) -> bool;
    fn count_to_float(value: Self::Value) -> f64;
    /// Of an absolute bucket count.
    fn bucket_to_float(absolute: Self::Value) -> f64;
}

/// The absolute counts of buckets.
pub(super) fn absolute<N: Number>(values: impl Iterator<Item = N::Value>) -> impl Iterator<Item = N::Value> {
    let mut count = N::Value::default();
    values.map(move |value| {
        count = N::absolute(count, value);
        count
    })
}

/// The buckets of absolute counts.
pub(super) fn relative<N: Number>(counts: &[N::Value]) -> Vec<N::Value> {
    let mut last = N::Value::default();
    counts.iter().map(|&count| N::relative(std::mem::replace(&mut last, count), count)).collect()
}

/// An integer and what it grew by last.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::chunk) struct Running {
    value: i64,
    delta: i64,
}

impl Running {
    #[inline]
    fn grow(&mut self, dod: i64) {
        self.delta = self.delta.wrapping_add(dod);
        self.value = self.value.wrapping_add(self.delta);
    }

    /// Goes to `value` and gives the delta of delta.
    #[inline]
    fn advance(&mut self, value: i64) -> i64 {
        let delta = value.wrapping_sub(self.value);
        let dod = delta.wrapping_sub(self.delta);
        (self.value, self.delta) = (value, delta);
        dod
    }
}

impl Number for Running {
    type Value = i64;

    fn new(value: i64) -> Self {
        Self { value, delta: 0 }
    }

    #[inline]
    fn value(self) -> i64 {
        self.value
    }

    fn read_first_count(r: &mut BitReader<'_>) -> Result<Self, Corrupt> {
        Ok(Self::new(read_uint(r)? as i64))
    }

    fn read_first_bucket(r: &mut BitReader<'_>) -> Result<Self, Corrupt> {
        Ok(Self::new(read_int(r)?))
    }

    #[inline]
    fn read(&mut self, r: &mut BitReader<'_>) -> Result<(), Corrupt> {
        self.grow(read_int(r)?);
        Ok(())
    }

    #[inline]
    fn read_all(numbers: &mut [Self], r: &mut BitReader<'_>) -> Result<(), Corrupt> {
        let count = numbers.len();
        let mut numbers = numbers.iter_mut();
        read_ints(r, count, |dod| {
            if let Some(number) = numbers.next() {
                number.grow(dod);
            }
        })
    }

    fn write_first_count(w: &mut BitWriter, value: i64) {
        write_uint(w, value as u64);
    }

    fn write_first_bucket(w: &mut BitWriter, value: i64) {
        write_int(w, value);
    }

    #[inline]
    fn write(&mut self, w: &mut BitWriter, value: i64) {
        write_int(w, self.advance(value));
    }

    fn write_stale(&mut self, w: &mut BitWriter) {
        self.advance(0);
        // The shortest stands in.
        write_int(w, 0);
    }

    #[inline]
    fn absolute(before: i64, value: i64) -> i64 {
        before.wrapping_add(value)
    }

    fn relative(before: i64, absolute: i64) -> i64 {
        absolute.wrapping_sub(before)
    }

    fn count_falls(before: i64, value: i64) -> bool {
        (value as u64) < before as u64
    }

    fn count_to_float(value: i64) -> f64 {
        value as u64 as f64
    }

    #[inline]
    fn bucket_to_float(absolute: i64) -> f64 {
        absolute as f64
    }
}

/// A float and the window that its next difference may use.
#[derive(Clone, Copy, Debug)]
pub(in crate::chunk) struct Xored {
    bits: u64,
    window: Window,
}

impl Xored {
    pub(super) fn read_first(r: &mut BitReader<'_>) -> Result<Self, Corrupt> {
        Ok(Self { bits: r.bits(64)?, window: Window::FULL })
    }
}

impl Number for Xored {
    type Value = f64;

    fn new(value: f64) -> Self {
        Self { bits: value.to_bits(), window: Window::UNSET }
    }

    #[inline]
    fn value(self) -> f64 {
        f64::from_bits(self.bits)
    }

    fn read_first_count(r: &mut BitReader<'_>) -> Result<Self, Corrupt> {
        Self::read_first(r)
    }

    fn read_first_bucket(r: &mut BitReader<'_>) -> Result<Self, Corrupt> {
        Self::read_first(r)
    }

    #[inline]
    fn read(&mut self, r: &mut BitReader<'_>) -> Result<(), Corrupt> {
        self.bits = self.window.read(r, self.bits)?;
        Ok(())
    }

    /// Most floats stay as they are, which is a zero bit: a run of those is taken at once.
    #[inline]
    fn read_all(numbers: &mut [Self], r: &mut BitReader<'_>) -> Result<(), Corrupt> {
        let mut at = 0;
        while at < numbers.len() {
            let zeros = r.zeros_ahead().min(numbers.len() - at);
            r.skip(zeros);
            at += zeros;
            if let Some(number) = numbers.get_mut(at) {
                number.read(r)?;
                at += 1;
            }
        }
        Ok(())
    }

    fn write_first_count(w: &mut BitWriter, value: f64) {
        w.bits(value.to_bits(), 64);
    }

    fn write_first_bucket(w: &mut BitWriter, value: f64) {
        w.bits(value.to_bits(), 64);
    }

    #[inline]
    fn write(&mut self, w: &mut BitWriter, value: f64) {
        self.window.write(w, value.to_bits(), self.bits);
        self.bits = value.to_bits();
    }

    fn write_stale(&mut self, w: &mut BitWriter) {
        self.write(w, 0.0);
    }

    #[inline]
    fn absolute(_before: f64, value: f64) -> f64 {
        value
    }

    fn relative(_before: f64, absolute: f64) -> f64 {
        absolute
    }

    fn count_falls(before: f64, value: f64) -> bool {
        value < before
    }

    fn count_to_float(value: f64) -> f64 {
        value
    }

    #[inline]
    fn bucket_to_float(absolute: f64) -> f64 {
        absolute
    }
}
