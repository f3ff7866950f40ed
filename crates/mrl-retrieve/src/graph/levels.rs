//! Rows in 8 bits and queries in 16: their products are sums of whole numbers.

use crate::vector::prefetch;

/// The largest level of a row.
const LARGEST: i32 = 127;

/// Rows `[rows, dim]`: a number is its level times the scale of its row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Levels<'a> {
    dim: usize,
    rows: &'a [i8],
    /// `[rows]`.
    scales: &'a [f32],
}

impl<'a> Levels<'a> {
    pub(super) fn new(dim: usize, levels: &'a [i8], scales: &'a [f32]) -> Self {
        Self { dim, rows: levels, scales }
    }

    pub(super) fn dim(&self) -> usize {
        self.dim
    }

    #[inline(always)]
    fn row(&self, row: usize) -> &'a [i8] {
        &self.rows[row * self.dim..][..self.dim]
    }

    /// Row `row` as a query, put into `query`.
    #[inline(always)]
    pub(super) fn query(&self, row: usize, query: &mut Query) {
        query.numbers.clear();
        query.numbers.extend(self.row(row).iter().map(|&level| i16::from(level)));
        query.scale = self.scales[row];
    }

    /// The product of `query` and `row`.
    #[inline(always)]
    pub(super) fn product(&self, query: &Query, row: usize) -> f32 {
        product(self.row(row), &query.numbers) as f32 * self.scales[row] * query.scale
    }

    /// The product of two rows.
    #[inline(always)]
    pub(super) fn product_of(&self, a: usize, b: usize) -> f32 {
        product(self.row(a), self.row(b)) as f32 * self.scales[a] * self.scales[b]
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
}

impl Query {
    pub(crate) fn new(values: &[f32]) -> Self {
        let largest = values.iter().fold(0.0f32, |largest, value| largest.max(value.abs()));
        let finest = (i32::MAX / (LARGEST * values.len() as i32)).min(i32::from(i16::MAX));
        let scale = if largest > 0.0 { largest / finest as f32 } else { 1.0 };
        let numbers = values.iter().map(|value| (value / scale).round_ties_even() as i16).collect();
        Self { numbers, scale }
    }
}

#[inline(always)]
fn product<T: Copy + Into<i32>>(row: &[i8], query: &[T]) -> i32 {
    let mut sum = 0;
    for (&a, &b) in row.iter().zip(query) {
        sum += i32::from(a) * b.into();
    }
    sum
}
