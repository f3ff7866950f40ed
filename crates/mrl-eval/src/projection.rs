use mrl_linalg::{Matrix, multiply};
use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;

use crate::rows::Rows;

const BLOCK: usize = 256;

/// A linear map from rows of `d` numbers to as many, of which the first are taken.
pub(crate) struct Projection {
    /// Taken away first, `[d]`.
    pub(crate) mean: Vec<f64>,
    /// `[d, d]` row-major: column `j` makes number `j`.
    pub(crate) matrix: Vec<f64>,
}

impl Projection {
    /// Independent normal entries (Johnson & Lindenstrauss).
    pub(crate) fn random(d: usize, seed: u64) -> Self {
        let rng = ChaCha8Rng::seed_from_u64(seed);
        let entries = Distribution::<f64>::sample_iter(StandardNormal, rng);
        let scale = (d as f64).sqrt().recip();
        Self { mean: vec![0.0; d], matrix: entries.take(d * d).map(|entry| entry * scale).collect() }
    }

    /// The first `dims` numbers of the map of each of `rows` `[n, d]`: `[n, dims]`, row-major.
    pub(crate) fn project(&self, rows: Rows<'_>, dims: usize) -> Vec<f32> {
        let d = self.mean.len();
        let matrix: Vec<f64> = self.matrix.chunks_exact(d).flat_map(|row| &row[..dims]).copied().collect();
        let mut projected = vec![0.0f32; rows.len() * dims];
        projected.par_chunks_mut(BLOCK * dims).enumerate().for_each_init(Vec::new, |block, (index, out)| {
            let count = out.len() / dims;
            rows.widen(index * BLOCK..index * BLOCK + count, block);
            for row in block.chunks_exact_mut(d) {
                row.iter_mut().zip(&self.mean).for_each(|(value, mean)| *value -= mean);
            }
            let mut product = vec![0.0; count * dims];
            multiply(Matrix::new(block, count, d), Matrix::new(&matrix, d, dims), &mut product);
            out.iter_mut().zip(product).for_each(|(out, value)| *out = value as f32);
        });
        projected
    }
}

/// The numbers `0..d` in random order.
pub(crate) fn shuffled(d: usize, seed: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..d).collect();
    order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    order
}

/// The numbers `order` of each of `rows` `[n, d]`: `[n, order]`, row-major.
pub(crate) fn pick(rows: Rows<'_>, order: &[usize]) -> Vec<f32> {
    let picked = |index: usize| order.iter().map(move |&position| rows.row(index)[position]);
    (0..rows.len()).flat_map(picked).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_projection_is_that_of_plain_loops() {
        let values: Vec<f32> = (0..300 * 4).map(|i| ((i * 37) % 23) as f32 / 7.0 - 1.0).collect();
        let rows = Rows::new(&values, 4);
        let map = Projection { mean: vec![0.5, -1.0, 0.0, 2.0], ..Projection::random(4, 3) };
        for (index, projected) in map.project(rows, 3).chunks_exact(3).enumerate() {
            for (j, &projected) in projected.iter().enumerate() {
                let plain: f64 = (0..4)
                    .map(|i| (f64::from(rows.row(index)[i]) - map.mean[i]) * map.matrix[i * 4 + j])
                    .sum();
                assert!((f64::from(projected) - plain).abs() < 1e-6);
            }
        }
    }

    #[test]
    fn a_random_projection_keeps_lengths_on_average() {
        let d = 200;
        let map = Projection::random(d, 0);
        let square: f64 = map.matrix.iter().map(|entry| entry * entry).sum();
        assert!((square / d as f64 - 1.0).abs() < 0.05, "{square}");
    }

    #[test]
    fn all_numbers_are_picked_once() {
        let mut order = shuffled(50, 4);
        assert_ne!(order, (0..50).collect::<Vec<_>>());
        assert_eq!(pick(Rows::new(&[1.0, 2.0, 3.0, 4.0], 2), &[1, 0]), [2.0, 1.0, 4.0, 3.0]);
        order.sort_unstable();
        assert_eq!(order, (0..50).collect::<Vec<_>>());
    }
}
