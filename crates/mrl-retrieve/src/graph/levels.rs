//! Rows in 8 bits and queries in 16: their products are sums of whole numbers.

use super::Frame;
use crate::vector::prefetch;

/// The largest level that a row may have, be it of a file that was made to harm.
const LARGEST: i32 = 128;

/// Rows `[rows, dim]`: a number, in a frame, is its level times the scale of its row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Levels<'a> {
    frame: Frame<'a>,
    rows: &'a [i8],
    /// `[rows]`.
    scales: &'a [f32],
}

impl<'a> Levels<'a> {
    pub(super) fn new(frame: Frame<'a>, levels: &'a [i8], scales: &'a [f32]) -> Self {
        Self { frame, rows: levels, scales }
    }

    pub(super) fn dim(&self) -> usize {
        self.frame.dim()
    }

    #[inline(always)]
    fn row(&self, row: usize) -> &'a [i8] {
        &self.rows[row * self.dim()..][..self.dim()]
    }

    /// `values` `[dim]` as a query.
    pub(super) fn query(&self, values: &[f32]) -> Query {
        let mut query = Query::default();
        let (numbers, lacking) = self.frame.face(values);
        query.set(numbers);
        query.lacking = lacking;
        query
    }

    /// Row `row` as a query, put into `query`: for products with rows, by the [`Frame::weights`] of the frame.
    #[inline(always)]
    pub(super) fn query_of(&self, row: usize, weights: &[f32], query: &mut Query) {
        let weighed = self.row(row).iter().zip(weights).map(|(&level, &weight)| f32::from(level) * weight);
        query.set(weighed);
        query.scale *= self.scales[row];
    }

    /// The product of `query` and `row` less the centre.
    #[inline(always)]
    pub(super) fn product(&self, query: &Query, row: usize) -> f32 {
        product(self.row(row), &query.numbers) as f32 * self.scales[row] * query.scale
    }

    /// Asks for `row`, which is to be read soon.
    #[inline(always)]
    pub(super) fn prefetch(&self, row: usize) {
        prefetch(self.row(row));
        prefetch(&self.scales[row..=row]);
    }
}

/// What is multiplied with rows: numbers times a scale, as fine as sums of products in 32 bits allow.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query {
    numbers: Vec<i16>,
    scale: f32,
    /// The product with the centre of rows.
    pub(super) lacking: f32,
}

impl Query {
    #[inline(always)]
    fn set(&mut self, values: impl Iterator<Item = f32> + Clone) {
        let (mut largest, mut len) = (0.0f32, 0);
        for value in values.clone() {
            largest = largest.max(value.abs());
            len += 1;
        }
        let finest = (i32::MAX / (LARGEST * len)).min(i32::from(i16::MAX));
        self.scale = (largest / finest as f32).max(f32::MIN_POSITIVE);
        let scale = self.scale;
        self.numbers.clear();
        self.numbers.extend(values.map(|value| (value / scale).round_ties_even() as i16));
    }
}

#[inline(always)]
fn product(row: &[i8], query: &[i16]) -> i32 {
    let mut sum = 0;
    for (&a, &b) in row.iter().zip(query) {
        sum += i32::from(a) * i32::from(b);
    }
    sum
}
