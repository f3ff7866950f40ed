/// Of the widest axis's unit, the least that another may have.
const LEAST: f64 = 1e-2;

/// By what the numbers of rows are measured on each axis before they get 8 bits: from the mean of all rows on, in the geometric mean of
/// how far rows spread on the axis and on the widest. In one unit for all axes, the few that hold most of a row would leave the others a level or two; in units as long
/// as rows reach, those that hardly count in products would have as many as the first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame<'a> {
    /// `[dim]`.
    centre: &'a [f32],
    /// `[dim]`, positive.
    units: &'a [f32],
}

impl<'a> Frame<'a> {
    /// What [`fit`] gave, `[2, dim]`.
    pub(super) fn new(numbers: &'a [f32]) -> Self {
        let (centre, units) = numbers.split_at(numbers.len() / 2);
        Self { centre, units }
    }

    pub(super) fn dim(&self) -> usize {
        self.units.len()
    }

    /// Makes `row` its numbers in this frame.
    pub(super) fn place(&self, row: &mut [f32]) {
        for ((value, centre), unit) in row.iter_mut().zip(self.centre).zip(self.units) {
            *value = (*value - centre) / unit;
        }
    }

    /// Numbers whose product with a row in this frame is that of `values` and the row less the centre; and what that lacks.
    pub(super) fn face(&self, values: &[f32]) -> (impl Iterator<Item = f32> + Clone, f32) {
        let lacking = values.iter().zip(self.centre).map(|(value, centre)| value * centre).sum();
        (values.iter().zip(self.units).map(|(value, unit)| value * unit), lacking)
    }

    /// Products of rows in this frame, so weighed, are those of rows less the centre, over the square of the widest unit: of numbers
    /// about 1, whatever the rows are.
    pub(super) fn weights(&self) -> Vec<f32> {
        let widest = self.units.iter().fold(0.0f32, |widest, &unit| widest.max(unit));
        self.units.iter().map(|unit| (unit / widest) * (unit / widest)).collect()
    }
}

/// The frame of rows `values` `[rows, dim]`: centre and units, `[2, dim]`.
pub(super) fn fit(values: &[f32], dim: usize) -> Vec<f32> {
    let centre = means(values, dim, |_, value| value);
    let spreads: Vec<f64> =
        means(values, dim, |axis, value| (value - centre[axis]).powi(2)).into_iter().map(f64::sqrt).collect();
    let widest = spreads.iter().copied().fold(0.0, f64::max);
    let unit = |spread: f64| {
        // Of numbers that `f32` hardly tells apart, nothing is to be known.
        if widest > f64::from(f32::MIN_POSITIVE) { (spread * widest).sqrt().max(LEAST * widest) } else { 1.0 }
    };
    let units = spreads.iter().map(|&spread| unit(spread));
    centre.iter().copied().chain(units).map(|value| value as f32).collect()
}

/// For each axis, the mean of what `of` makes of its numbers.
fn means(values: &[f32], dim: usize, of: impl Fn(usize, f64) -> f64) -> Vec<f64> {
    let mut sums = vec![0.0f64; dim];
    for row in values.chunks_exact(dim) {
        for (axis, (sum, &value)) in sums.iter_mut().zip(row).enumerate() {
            *sum += of(axis, f64::from(value));
        }
    }
    let rows = (values.len() / dim).max(1) as f64;
    sums.into_iter().map(|sum| sum / rows).collect()
}
