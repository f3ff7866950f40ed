/// Of the widest axis's unit, the least that another may have: beyond it, what an axis holds counts for nothing.
const LEAST: f64 = 1e-2;

/// By what the numbers of rows are measured on each axis before they get 8 bits: from the mean of all rows on, in the square root of how
/// far rows lie from it. In one unit for all axes, the few that hold most of a row would leave the others a level or two; in units as long
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

    /// The numbers of `row` in this frame.
    pub(super) fn place(&self, row: &[f32]) -> impl Iterator<Item = f32> {
        row.iter().zip(self.centre).zip(self.units).map(|((&value, &centre), &unit)| (value - centre) / unit)
    }

    /// Numbers whose product with a row in this frame is that of `values` and the row less the centre; and what that lacks.
    pub(super) fn face(&self, values: &[f32]) -> (impl Iterator<Item = f32> + Clone, f32) {
        let lacking = values.iter().zip(self.centre).map(|(value, centre)| value * centre).sum();
        (values.iter().zip(self.units).map(|(value, unit)| value * unit), lacking)
    }

    /// The units squared: products of rows in this frame, so weighed, are those of rows less the centre.
    #[inline(always)]
    pub(super) fn weights(&self) -> impl Iterator<Item = f32> + Clone + use<'a> {
        self.units.iter().map(|unit| unit * unit)
    }
}

/// The frame of rows `values` `[rows, dim]`: centre and units, `[2, dim]`.
pub(super) fn fit(values: &[f32], dim: usize) -> Vec<f32> {
    let rows = (values.len() / dim).max(1) as f64;
    let mean = |of: &dyn Fn(usize, f64) -> f64| {
        let mut sums = vec![0.0f64; dim];
        for row in values.chunks_exact(dim) {
            for (axis, (sum, &value)) in sums.iter_mut().zip(row).enumerate() {
                *sum += of(axis, f64::from(value));
            }
        }
        sums.into_iter().map(|sum| sum / rows).collect::<Vec<f64>>()
    };
    let centre = mean(&|_, value| value);
    let units: Vec<f64> = mean(&|axis, value| (value - centre[axis]).powi(2))
        .into_iter()
        .map(|square| square.sqrt().sqrt())
        .collect();
    let widest = units.iter().copied().fold(0.0, f64::max);
    let least = if widest > 0.0 { LEAST * widest } else { 1.0 };
    centre
        .into_iter()
        .chain(units.into_iter().map(|unit| unit.max(least)))
        .map(|value| value as f32)
        .collect()
}
