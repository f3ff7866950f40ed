use std::sync::OnceLock;

use mrl_linalg::{Matrix, eigenvalues, multiply_add_parallel};

use crate::{
    EvalError,
    rows::{Rows, blocks},
};

/// Rows that are widened and multiplied at once: large enough for the matrix product, small enough for the cache.
const BLOCK: usize = 1024;

/// Mean and covariance of a set's features, in `f64`.
pub(crate) struct Moments<'a> {
    rows: Rows<'a>,
    /// `[d]`.
    mean: Vec<f64>,
    /// `[d]`, divided by the number of rows as scikit-learn's `StandardScaler` does.
    variance: Vec<f64>,
    /// `[d, d]`; made when it is asked for, for neighbours need none.
    covariance: OnceLock<Vec<f64>>,
}

impl<'a> Moments<'a> {
    /// Two passes over `rows`: the mean, then the squares of the centred features.
    ///
    /// Everything is taken relative to the first row, so that a constant feature has a variance of exactly 0.
    pub(crate) fn of(rows: Rows<'a>) -> Self {
        let (n, d) = (rows.len(), rows.dims());
        let mut block = Vec::new();
        let pivot: Vec<f64> = rows.row(0).iter().map(|&value| f64::from(value)).collect();
        let mut mean = vec![0.0; d];
        for range in blocks(0..n, BLOCK) {
            rows.widen(range, &mut block);
            for row in block.chunks_exact(d) {
                mean.iter_mut()
                    .zip(row)
                    .zip(&pivot)
                    .for_each(|((mean, value), pivot)| *mean += value - pivot);
            }
        }
        mean.iter_mut().zip(&pivot).for_each(|(mean, pivot)| *mean = *mean / n as f64 + pivot);

        let mut variance = vec![0.0; d];
        for range in blocks(0..n, BLOCK) {
            rows.widen(range, &mut block);
            for row in block.chunks_exact(d) {
                let centred = row.iter().zip(&mean).map(|(value, mean)| value - mean);
                variance.iter_mut().zip(centred).for_each(|(sum, value)| *sum += value * value);
            }
        }
        for value in &mut variance {
            *value /= n as f64;
        }
        Self { rows, mean, variance, covariance: OnceLock::new() }
    }

    fn products(&self) -> Vec<f64> {
        let (n, d) = (self.rows.len(), self.rows.dims());
        let (mut block, mut covariance) = (Vec::new(), vec![0.0; d * d]);
        for range in blocks(0..n, BLOCK) {
            self.rows.widen(range.clone(), &mut block);
            for row in block.chunks_exact_mut(d) {
                row.iter_mut().zip(&self.mean).for_each(|(value, mean)| *value -= mean);
            }
            let centred = Matrix::new(&block, range.len(), d);
            multiply_add_parallel(centred.transposed(), centred, &mut covariance);
        }
        for value in &mut covariance {
            *value /= n as f64;
        }
        covariance
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows.len()
    }

    /// `[d]`.
    pub(crate) fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// `[d, d]`.
    pub(crate) fn covariance(&self) -> &[f64] {
        self.covariance.get_or_init(|| self.products())
    }

    /// The mean over the rows of the products of each two features, `[d, d]`: the covariance if the mean is not subtracted.
    pub(crate) fn mean_products(&self) -> Vec<f64> {
        let (covariance, mean) = (self.covariance(), &self.mean);
        let entries = covariance.chunks_exact(mean.len()).zip(mean);
        entries.flat_map(|(row, a)| row.iter().zip(mean).map(move |(entry, b)| entry + a * b)).collect()
    }

    /// Variance of each feature, `[d]`.
    pub(crate) fn variance(&self) -> &[f64] {
        &self.variance
    }

    /// `exp` of the entropy of the eigenvalues of the covariance of the first `dims` features, each over their sum (Roy &
    /// Vetterli 2007); 0 where nothing varies.
    pub(crate) fn effective_rank(&self, dims: usize) -> Result<f64, EvalError> {
        let corner: Vec<f64> = self
            .covariance()
            .chunks_exact(self.mean.len())
            .take(dims)
            .flat_map(|row| &row[..dims])
            .copied()
            .collect();
        let values = eigenvalues(&corner, dims)?;
        let total: f64 = values.iter().filter(|&&value| value > 0.0).sum();
        let shares = values.iter().map(|value| value / total).filter(|&share| share > 0.0);
        Ok(if total > 0.0 { (-shares.map(|share| share * share.ln()).sum::<f64>()).exp() } else { 0.0 })
    }

    /// `1 / standard deviation` of the first `dims` features; 0 for a constant one, which thus stays 0.
    pub(crate) fn inverse_deviation(&self, dims: usize) -> Vec<f64> {
        let inverse = |&variance: &f64| if variance > 0.0 { variance.sqrt().recip() } else { 0.0 };
        self.variance[..dims].iter().map(inverse).collect()
    }

    /// The covariance of the first `dims` features after standardisation, `[dims, dims]`.
    pub(crate) fn correlation(&self, dims: usize) -> Vec<f64> {
        let d = self.mean.len();
        let (covariance, inverse) = (self.covariance(), self.inverse_deviation(dims));
        let entry = |i: usize, j: usize| covariance[i * d + j] * inverse[i] * inverse[j];
        (0..dims).flat_map(|i| (0..dims).map(move |j| (i, j))).map(|(i, j)| entry(i, j)).collect()
    }
}

#[cfg(test)]
mod tests {
    use mrl_linalg::eigen;

    use super::*;

    #[test]
    fn moments_of_a_small_matrix() {
        // Columns: 1, 3, 5 (mean 3, variance 8/3), a constant that f32 rounds, and twice the first.
        let values = [1.0, 0.1, 2.0, 3.0, 0.1, 6.0, 5.0, 0.1, 10.0];
        let moments = Moments::of(Rows::new(&values, 3));
        assert_eq!(moments.mean()[0], 3.0);
        assert_eq!(moments.mean()[1], f64::from(0.1f32));
        assert_eq!(moments.inverse_deviation(3)[1], 0.0);
        let correlation = moments.correlation(3);
        let expected = [1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 1.0];
        for (value, expected) in correlation.iter().zip(expected) {
            assert!((value - expected).abs() < 1e-12, "{correlation:?}");
        }
    }

    #[test]
    fn the_effective_rank_counts_directions() {
        // Two equal variances without covariance, a copy of the first, and a constant.
        let values = [1.0, 1.0, 1.0, 7.0, 1.0, -1.0, 1.0, 7.0, -1.0, 1.0, -1.0, 7.0, -1.0, -1.0, -1.0, 7.0];
        let moments = Moments::of(Rows::new(&values, 4));
        assert_eq!(moments.variance(), [1.0, 1.0, 1.0, 0.0]);
        assert!((moments.effective_rank(1).unwrap() - 1.0).abs() < 1e-12);
        assert!((moments.effective_rank(2).unwrap() - 2.0).abs() < 1e-12);
        // Shares 2/3 and 1/3.
        let expected = 3.0 / 2f64.powf(2.0 / 3.0);
        assert!((moments.effective_rank(3).unwrap() - expected).abs() < 1e-12);
        assert!((moments.effective_rank(4).unwrap() - expected).abs() < 1e-9);
        assert_eq!(Moments::of(Rows::new(&[3.0; 6], 2)).effective_rank(2).unwrap(), 0.0);
    }

    #[test]
    fn many_equal_rows_have_no_variance() {
        let values = vec![0.1f32; 5_000 * 2];
        let moments = Moments::of(Rows::new(&values, 2));
        assert_eq!(moments.covariance(), [0.0; 4]);
    }

    /// Wide enough for faer to share its work out.
    #[test]
    fn covariances_and_eigenvectors_do_not_depend_on_the_number_of_threads() {
        let d = 400;
        let values: Vec<f32> = (0..3 * d * d).map(|i| ((i * 7_919 + i * i % 31) % 1_009) as f32).collect();
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let moments = Moments::of(Rows::new(&values, d));
                let found = eigen(moments.covariance(), d).unwrap();
                (moments.covariance().to_vec(), found.values, found.vectors)
            })
        };
        let alone = on(1);
        assert!(on(2) == alone && on(5) == alone);
    }
}
