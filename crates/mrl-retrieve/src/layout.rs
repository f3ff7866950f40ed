//! How rows become the bands of a segment.

use std::ops::Range;

use crate::{
    quantise::{Dtype, Encoded, encode, round_up},
    rotation::Rotation,
    space::Metric,
    vector::dot,
};

/// Rows of a larger norm are refused: their products would be lost beyond what `f32` knows.
pub(crate) const LARGEST_NORM: f64 = 1e37;

/// What the rows of an index are turned into.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout<'a> {
    pub(crate) metric: Metric,
    /// Where bands end: increasing, the last is the width of the rows.
    pub(crate) dims: &'a [usize],
    pub(crate) shortlist: Option<Shortlist<'a>>,
}

/// How the shortlist space is made from the trained one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shortlist<'a> {
    pub(crate) rotation: Option<&'a Rotation>,
    pub(crate) dtype: Dtype,
}

/// A block of rows, ready to be stored behind those before it.
#[derive(Debug)]
pub(crate) struct Block {
    /// For each of the dims.
    pub(crate) trained: Vec<TrainedBand>,
    /// For each of the dims but the last, where there is a shortlist.
    pub(crate) shortlist: Vec<ShortlistBand>,
    /// A bound of the norms of the rows.
    pub(crate) largest_norm: f32,
}

/// Rows of a band of the trained space.
#[derive(Debug)]
pub(crate) struct TrainedBand {
    /// `[rows, width]`.
    pub(crate) values: Vec<f32>,
    /// `[rows]`, of the prefix that ends here, to the nearest.
    pub(crate) norms: Vec<f32>,
}

/// Rows of a band of the shortlist space.
#[derive(Debug)]
pub(crate) struct ShortlistBand {
    pub(crate) encoded: Encoded,
    /// `[rows]`, a bound of the norm of what lies beyond.
    pub(crate) beyond: Vec<f32>,
}

impl Layout<'_> {
    fn width(&self) -> usize {
        self.dims[self.dims.len() - 1]
    }

    /// Bands of `rows` `[n, width]`, of norms up to [`LARGEST_NORM`]. On this thread, with several times the memory of `rows`:
    /// meant for blocks of some hundred.
    pub(crate) fn encode(&self, rows: &[f32]) -> Block {
        let (trained, largest_norm) = self.encode_trained(rows);
        let shortlist = self.shortlist.map_or(Vec::new(), |shortlist| self.encode_shortlist(rows, shortlist));
        Block { trained, shortlist, largest_norm }
    }

    fn encode_trained(&self, rows: &[f32]) -> (Vec<TrainedBand>, f32) {
        let mut squares = vec![0.0f64; rows.len() / self.width()];
        let band = |dims: Range<usize>| {
            let values = columns(rows, self.width(), dims.clone());
            for (sum, part) in squares.iter_mut().zip(values.chunks_exact(dims.len())) {
                *sum += dot(part, part);
            }
            let norms = squares.iter().map(|sum| sum.sqrt() as f32).collect();
            TrainedBand { values, norms }
        };
        let bands = bands(self.dims).map(band).collect();
        (bands, squares.iter().map(|sum| round_up(sum.sqrt())).fold(0.0, f32::max))
    }

    fn encode_shortlist(&self, rows: &[f32], shortlist: Shortlist<'_>) -> Vec<ShortlistBand> {
        let width = self.width();
        let scaled: Vec<f64> = rows.chunks_exact(width).flat_map(|row| self.metric.scaled(row)).collect();
        let turned = match shortlist.rotation {
            Some(rotation) => rotation.apply(&scaled, width),
            None => scaled,
        };
        let narrow: Vec<f32> = turned.iter().map(|&value| value as f32).collect();
        let beyond = beyond(&turned, width, self.dims);
        bands(&self.dims[..self.dims.len() - 1])
            .zip(beyond)
            .map(|(dims, beyond)| {
                let values = columns(&narrow, width, dims.clone());
                ShortlistBand { encoded: encode(&values, dims.len(), shortlist.dtype), beyond }
            })
            .collect()
    }
}

/// For each of `dims` but the last, a bound of the norm of each row's numbers beyond it, `[rows]`.
fn beyond(rows: &[f64], width: usize, dims: &[usize]) -> Vec<Vec<f32>> {
    let short = &dims[..dims.len() - 1];
    let mut bounds: Vec<Vec<f32>> = short.iter().map(|_| Vec::with_capacity(rows.len() / width)).collect();
    for row in rows.chunks_exact(width) {
        let mut sum = 0.0;
        let mut end = width;
        for (bounds, &dim) in bounds.iter_mut().zip(short).rev() {
            sum += row[dim..end].iter().map(|value| value * value).sum::<f64>();
            end = dim;
            bounds.push(round_up(sum.sqrt()));
        }
    }
    bounds
}

/// Where the bands that end at `dims` lie.
pub(crate) fn bands(dims: &[usize]) -> impl Iterator<Item = Range<usize>> {
    let starts = std::iter::once(0).chain(dims.iter().copied());
    starts.zip(dims).map(|(start, &end)| start..end)
}

/// The numbers `range` of each row, `[rows, range]`.
fn columns(rows: &[f32], width: usize, range: Range<usize>) -> Vec<f32> {
    rows.chunks_exact(width).flat_map(|row| &row[range.clone()]).copied().collect()
}

impl Metric {
    /// What stands for `row` where products are compared: for cosine it has norm 1 (or 0, if it has).
    pub(crate) fn scaled(self, row: &[f32]) -> impl Iterator<Item = f64> {
        let norm = match self {
            Self::Cosine => dot(row, row).sqrt(),
            Self::Dot => 1.0,
        };
        let divisor = if norm > 0.0 { norm } else { 1.0 };
        row.iter().map(move |&value| f64::from(value) / divisor)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::quantise::Numbers;

    fn rows() -> impl Strategy<Value = Vec<f32>> {
        (1usize..9).prop_flat_map(|n| proptest::collection::vec(-2.0f32..2.0, n * 5))
    }

    fn norm(values: &[f32]) -> f64 {
        dot(values, values).sqrt()
    }

    proptest! {
        #[test]
        fn bands_hold_the_rows_and_their_norms(rows in rows(), cosine: bool) {
            let metric = if cosine { Metric::Cosine } else { Metric::Dot };
            let rotation = Rotation::fit(|row| &rows[row * 5..][..5], rows.len() / 5, 5, metric).unwrap();
            let shortlist = Shortlist { rotation: Some(&rotation), dtype: Dtype::F32 };
            let block = Layout { metric, dims: &[1, 3, 5], shortlist: Some(shortlist) }.encode(&rows);
            prop_assert_eq!((block.trained.len(), block.shortlist.len()), (3, 2));
            for (index, row) in rows.chunks(5).enumerate() {
                prop_assert!(norm(row) <= f64::from(block.largest_norm));
                for (band, dims) in block.trained.iter().zip(bands(&[1, 3, 5])) {
                    prop_assert_eq!(&band.values[index * dims.len()..][..dims.len()], &row[dims.clone()]);
                    prop_assert!((f64::from(band.norms[index]) - norm(&row[..dims.end])).abs() < 1e-5);
                }
                let mut squares = 0.0;
                for (band, dims) in block.shortlist.iter().zip(bands(&[1, 3])) {
                    let Numbers::F32(values) = &band.encoded.numbers else { panic!("not f32") };
                    squares += norm(&values[index * dims.len()..][..dims.len()]).powi(2);
                    let whole = if cosine && norm(row) > 0.0 { 1.0 } else { norm(row) };
                    let beyond = (whole.powi(2) - squares).max(0.0).sqrt();
                    prop_assert!((f64::from(band.beyond[index]) - beyond).abs() < 2e-3);
                }
            }
        }
    }

    #[test]
    fn without_a_rotation_the_shortlist_has_the_dims_of_the_rows() {
        let shortlist = Shortlist { rotation: None, dtype: Dtype::F32 };
        let layout = Layout { metric: Metric::Cosine, dims: &[1, 2], shortlist: Some(shortlist) };
        let block = layout.encode(&[3.0, -4.0, 0.0, 0.0]);
        assert_eq!(block.shortlist[0].encoded.numbers, Numbers::F32(vec![0.6, 0.0]));
        assert_eq!(block.shortlist[0].beyond, [round_up(0.8), 0.0]);
    }
}
