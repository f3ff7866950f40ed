//! The first numbers of all rows, ready to be multiplied with queries.

use std::ops::Range;

use crate::{
    Error,
    quantise::from_bf16,
    space::{Band, Guard, Metric, Segment, Values},
};

/// The first `dim` dims of all rows in one of the spaces, and numbers that bound what is missing: a row's product with a query is
/// at most that of both, so extended.
pub(super) struct Prefix<'d> {
    dim: usize,
    bounds: Bounds,
    parts: Vec<Part<'d>>,
}

/// What is added to each row, and to each query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bounds {
    /// Nothing: products are what they are.
    None,
    /// The norms of what lies beyond the prefix (Cauchy–Schwarz).
    Beyond,
    /// That, and the norm of what storing the row in fewer bits has changed; for the query, the norm of the prefix.
    BeyondAndErrors,
}

/// The prefix of the rows of one segment.
pub(super) struct Part<'d> {
    /// The number of the first row.
    pub(super) start: usize,
    pub(super) segment: &'d Segment<'d>,
    pub(super) bands: &'d [Band<'d>],
    /// The norms of the rows as they count in scores, where they do not have norm 1 already.
    pub(super) whole: Option<Norms<'d>>,
    pub(super) metric: Metric,
}

/// Norms of rows, which may be those of a longer prefix than the one that is read, and who vouches for them.
#[derive(Clone, Copy)]
pub(super) struct Norms<'d> {
    /// `[rows]`.
    values: &'d [f32],
    guard: &'d dyn Guard,
}

/// Rows of a smaller norm are not divided by it in `f32`: their scores are NaN, of which nothing is concluded.
const TINY: f32 = 1e-25;

/// How far the square of a norm that was rounded to the nearest `f32` may be off, relatively, and more.
const ROUNDING: f64 = 2.0 * f32::EPSILON as f64;

/// Numbers of a row that are multiplied side by side.
const LANES: usize = 8;

/// Rows that are multiplied at a time: their sums stay in the cache.
pub(super) const BLOCK: usize = 256;

impl<'d> Prefix<'d> {
    pub(super) fn new(dim: usize, bounds: Bounds, parts: Vec<Part<'d>>) -> Self {
        Self { dim, bounds, parts }
    }

    pub(super) fn dim(&self) -> usize {
        self.dim
    }

    /// Numbers of a row and of a query: those of the prefix, and bounds.
    pub(super) fn extent(&self) -> usize {
        self.dim + self.bounds.numbers()
    }

    /// Extends the prefix of a query; `inside` and `beyond` are the norms of the prefix and of what lies beyond.
    pub(super) fn extend(&self, query: &[f32], beyond: f32, inside: f32, out: &mut Vec<f32>) {
        out.extend_from_slice(&query[..self.dim]);
        out.extend_from_slice(&[beyond, inside][..self.bounds.numbers()]);
    }

    /// Cuts `rows` into blocks of at most `size` rows of one segment.
    pub(super) fn blocks(&self, rows: Range<usize>, size: usize) -> impl Iterator<Item = Rows<'_>> {
        self.parts.iter().flat_map(move |part| {
            let end = part.start + part.segment.rows;
            let (from, to) = (rows.start.clamp(part.start, end), rows.end.clamp(part.start, end));
            let local = move |start: usize| start - part.start..to.min(start + size) - part.start;
            let bounds = self.bounds;
            (from..to).step_by(size).map(move |start| Rows { part, local: local(start), bounds })
        })
    }

    /// Row `row` by itself.
    pub(super) fn row(&self, row: usize) -> Rows<'_> {
        let part = &self.parts[self.parts.partition_point(|part| part.start <= row) - 1];
        let local = row - part.start;
        Rows { part, local: local..local + 1, bounds: self.bounds }
    }
}

impl Bounds {
    fn numbers(self) -> usize {
        match self {
            Self::None => 0,
            Self::Beyond => 1,
            Self::BeyondAndErrors => 2,
        }
    }
}

impl<'d> Norms<'d> {
    /// Of the prefix that ends with `band`, which is of the trained space.
    pub(super) fn of(band: &Band<'d>) -> Self {
        Self { values: band.aside, guard: band.guard }
    }
}

impl Part<'_> {
    pub(super) fn is_in_fewer_bits(&self) -> bool {
        self.bands.iter().any(|band| !band.errors.is_empty())
    }

    /// Whether products with rows are divided by their norms.
    #[inline(always)]
    fn is_divided(&self) -> bool {
        self.metric == Metric::Cosine && self.whole.is_some()
    }

    /// By what the product with `row` is multiplied.
    #[inline(always)]
    fn inverse(&self, row: usize) -> f32 {
        match self.whole {
            Some(whole) if self.is_divided() => match whole.values[row] {
                0.0 => 0.0,
                norm if norm < TINY => f32::NAN,
                norm => norm.recip(),
            },
            _ => 1.0,
        }
    }

    /// A bound of the norm of what lies beyond the prefix.
    #[inline(always)]
    fn beyond(&self, row: usize) -> f32 {
        let aside = self.bands[self.bands.len() - 1].aside[row];
        let Some(whole) = self.whole else { return aside };
        let (whole, prefix) = (f64::from(whole.values[row]), f64::from(aside));
        let squared = whole * whole * (1.0 + ROUNDING) - prefix * prefix * (1.0 - ROUNDING);
        squared.max(0.0).sqrt() as f32
    }

    /// A bound of the norm of what storing the prefix in fewer bits has changed. `f32` knows no squares of small errors.
    #[inline(always)]
    fn error(&self, row: usize) -> f32 {
        let mut squares = 0.0f64;
        for band in self.bands.iter().filter(|band| !band.errors.is_empty()) {
            let error = f64::from(band.errors[row]);
            squares += error * error;
        }
        (squares * (1.0 + ROUNDING)).sqrt() as f32
    }
}

/// Some rows of a prefix that are all in one segment.
pub(super) struct Rows<'p> {
    part: &'p Part<'p>,
    /// Their numbers in the segment.
    local: Range<usize>,
    bounds: Bounds,
}

impl Rows<'_> {
    pub(super) fn len(&self) -> usize {
        self.local.len()
    }

    /// The number of the first among all rows.
    pub(super) fn start(&self) -> usize {
        self.part.start + self.local.start
    }

    pub(super) fn is_removed(&self, row: usize) -> bool {
        self.part.segment.is_removed(row - self.part.start)
    }

    /// Whether what is stored of them is what was written.
    pub(super) fn check(&self) -> Result<(), Error> {
        self.check_from(0)
    }

    /// Whether what is stored of them from dim `from` on, and by what they are divided, is what was written.
    pub(super) fn check_from(&self, from: usize) -> Result<(), Error> {
        let mut bands = self.part.bands.iter().filter(|band| band.dims.start >= from);
        bands.try_for_each(|band| band.guard.check(self.local.clone()))?;
        self.part.whole.map_or(Ok(()), |whole| whole.guard.check_aside(self.local.clone()))
    }

    /// Writes the extended rows to `panels` `[panels, extent, panel]`: `panel` rows lie side by side. Rows beyond the last are 0.
    #[inline(always)]
    pub(super) fn pack(&self, panel: usize, panels: &mut Vec<f32>) {
        let part = self.part;
        let dim = part.bands[part.bands.len() - 1].dims.end;
        let extent = dim + self.bounds.numbers();
        panels.clear();
        panels.resize(self.len().div_ceil(panel) * panel * extent, 0.0);
        for (rows, panels) in blocks(self.local.clone(), panel).zip(panels.chunks_exact_mut(panel * extent)) {
            for band in part.bands {
                pack_band(
                    band,
                    rows.clone(),
                    &mut panels[band.dims.start * panel..band.dims.end * panel],
                    panel,
                );
            }
            let (numbers, bounds) = panels.split_at_mut(dim * panel);
            let (beyond, errors) = bounds.split_at_mut(panel.min(bounds.len()));
            for (out, row) in beyond.iter_mut().zip(rows.clone()) {
                *out = part.beyond(row) * part.inverse(row);
            }
            for (out, row) in errors.iter_mut().zip(rows.clone()) {
                *out = part.error(row);
            }
            if part.is_divided() {
                for numbers in numbers.chunks_exact_mut(panel) {
                    for (number, row) in numbers.iter_mut().zip(rows.clone()) {
                        *number *= part.inverse(row);
                    }
                }
            }
        }
    }

    /// The products of the extended rows, at most [`BLOCK`], and `query` `[extent]`.
    #[inline(always)]
    pub(super) fn multiply(&self, query: &[f32], out: &mut [f32]) {
        let mut sums = [[0.0f32; LANES]; BLOCK];
        let sums = &mut sums[..self.len()];
        for band in self.part.bands {
            add_products(band, self.local.clone(), &query[band.dims.clone()], sums);
        }
        for (out, &mut sums) in out.iter_mut().zip(sums) {
            *out = sum(sums);
        }
        self.extend_products(query, out);
    }

    /// The product of a single extended row and `query` `[extent]`.
    #[inline(always)]
    pub(super) fn multiply_one(&self, query: &[f32]) -> f32 {
        let mut out = [self.sum_from(0, query)];
        self.extend_products(query, &mut out);
        out[0]
    }

    /// The undivided product of a single row and a query whose score by `self` is `score`. A walk along a graph knows scores of
    /// rows whose norms nobody has looked at: they are checked.
    pub(super) fn undivided(&self, score: f32) -> Result<f32, Error> {
        let part = self.part;
        match part.whole {
            Some(whole) if part.is_divided() => {
                whole.guard.check_aside(self.local.clone())?;
                Ok(score * whole.values[self.local.start])
            }
            _ => Ok(score),
        }
    }

    /// The product of a single row and `query`, which is known to be `product` up to dim `from`, divided as scores are.
    #[inline(always)]
    pub(super) fn go_on(&self, product: f32, from: usize, query: &[f32]) -> f32 {
        (product + self.sum_from(from, query)) * self.part.inverse(self.local.start)
    }

    /// The product of a single row and `query` from dim `from` on, where a band begins.
    #[inline(always)]
    fn sum_from(&self, from: usize, query: &[f32]) -> f32 {
        let mut sums = [[0.0f32; LANES]];
        for band in self.part.bands.iter().filter(|band| band.dims.start >= from) {
            add_products(band, self.local.clone(), &query[band.dims.clone()], &mut sums);
        }
        sum(sums[0])
    }

    /// Adds the bounds to products of rows and `query`.
    #[inline(always)]
    fn extend_products(&self, query: &[f32], out: &mut [f32]) {
        let part = self.part;
        let bounds = &query[query.len() - self.bounds.numbers()..];
        if let Some(beyond) = bounds.first() {
            for (out, row) in out.iter_mut().zip(self.local.clone()) {
                *out += beyond * part.beyond(row);
            }
        }
        if part.is_divided() {
            for (out, row) in out.iter_mut().zip(self.local.clone()) {
                *out *= part.inverse(row);
            }
        }
        if let Some(inside) = bounds.get(1) {
            for (out, row) in out.iter_mut().zip(self.local.clone()) {
                *out += inside * part.error(row);
            }
        }
    }
}

/// Cuts `range` into pieces of at most `size`.
fn blocks(range: Range<usize>, size: usize) -> impl Iterator<Item = Range<usize>> {
    let end = range.end;
    range.step_by(size).map(move |start| start..end.min(start + size))
}

/// Writes `rows` of `band` to `out` `[dims, panel]`.
#[inline(always)]
fn pack_band(band: &Band<'_>, rows: Range<usize>, out: &mut [f32], panel: usize) {
    let width = band.dims.len();
    let range = rows.start * width..rows.end * width;
    match band.values {
        Values::F32(values) => pack_values(&values[range], width, |value, _| value, out, panel),
        Values::Bf16(bits) => pack_values(&bits[range], width, |bits, _| from_bf16(bits), out, panel),
        Values::Int8 { levels, scales } => {
            let scales = &scales[rows];
            pack_values(&levels[range], width, |level, row| f32::from(level) * scales[row], out, panel);
        }
    }
}

/// Writes rows `[any, width]`, each number widened, to `out` `[width, panel]`.
#[inline(always)]
fn pack_values<T: Copy>(
    rows: &[T],
    width: usize,
    widen: impl Fn(T, usize) -> f32,
    out: &mut [f32],
    panel: usize,
) {
    for (lane, row) in rows.chunks_exact(width).enumerate() {
        for (out, &value) in out.chunks_exact_mut(panel).zip(row) {
            out[lane] = widen(value, lane);
        }
    }
}

/// Adds the products of the numbers of `rows` in `band` and those of `query` to `sums`, one for each row.
#[inline(always)]
fn add_products(band: &Band<'_>, rows: Range<usize>, query: &[f32], sums: &mut [[f32; LANES]]) {
    let width = query.len();
    let range = rows.start * width..rows.end * width;
    match band.values {
        Values::F32(values) => {
            for (row, sums) in values[range].chunks_exact(width).zip(sums) {
                add_scaled(row, query, |value| value, 1.0, sums);
            }
        }
        Values::Bf16(bits) => {
            for (row, sums) in bits[range].chunks_exact(width).zip(sums) {
                add_scaled(row, query, from_bf16, 1.0, sums);
            }
        }
        Values::Int8 { levels, scales } => {
            for ((row, &scale), sums) in levels[range].chunks_exact(width).zip(&scales[rows]).zip(sums) {
                add_scaled(row, query, f32::from, scale, sums);
            }
        }
    }
}

/// Adds `scale` times the products of `row`, widened, and `query`.
#[inline(always)]
fn add_scaled<T: Copy>(
    row: &[T],
    query: &[f32],
    widen: impl Fn(T) -> f32,
    scale: f32,
    sums: &mut [f32; LANES],
) {
    let ((row, row_rest), (query, query_rest)) = (row.as_chunks::<LANES>(), query.as_chunks::<LANES>());
    let mut products = [0.0f32; LANES];
    for (row, query) in row.iter().zip(query) {
        for ((product, &value), &query) in products.iter_mut().zip(row).zip(query) {
            *product += widen(value) * query;
        }
    }
    for ((product, &value), &query) in products.iter_mut().zip(row_rest).zip(query_rest) {
        *product += widen(value) * query;
    }
    for (sum, product) in sums.iter_mut().zip(products) {
        *sum += product * scale;
    }
}

/// In the order in which vectors are folded.
#[inline(always)]
fn sum(lanes: [f32; LANES]) -> f32 {
    let [a, b, c, d, e, f, g, h] = lanes;
    ((a + e) + (c + g)) + ((b + f) + (d + h))
}
