use mrl_linalg::eigen;

use crate::{EvalError, projection::Projection, standardise::Moments};

/// What is subtracted from the rows before the components are computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Centring {
    /// The mean of the training set, as scikit-learn's `PCA` does.
    Mean,
    /// Nothing, as scikit-learn's `TruncatedSVD` does.
    None,
}

/// Principal components of a training set, not standardised. Returns the map onto them, in which those without variance are zero columns,
/// and the mean square of each component, `[d]`, from the largest: with [`Centring::Mean`] its variance.
///
/// Components whose variance is lost in rounding against the largest are set to zero: the training set says nothing about
/// them, and standardising them would blow rounding errors up to the size of features.
pub(crate) fn principal_components(
    moments: &Moments<'_>,
    centring: Centring,
) -> Result<(Projection, Vec<f64>), EvalError> {
    let d = moments.mean().len();
    let (mean, mut found) = match centring {
        Centring::Mean => (moments.mean().to_vec(), eigen(moments.covariance(), d)?),
        Centring::None => (vec![0.0; d], eigen(&moments.mean_products(), d)?),
    };
    // numpy's rule for the rank of a matrix, but for at most 4096 rows: of millions it would give up too much.
    let rounding = found.values[0] * d.max(moments.rows()).min(1 << 12) as f64 * f64::EPSILON;
    let rank = found.values.iter().take_while(|&&value| value > rounding).count();
    for row in found.vectors.chunks_exact_mut(d) {
        row[rank..].fill(0.0);
    }
    found.values[rank..].fill(0.0);
    Ok((Projection { mean, matrix: found.vectors }, found.values))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rows::Rows;

    /// One power iteration after the other on the covariance, with plain loops: the largest variance.
    fn largest_variance(values: &[f32], d: usize) -> f64 {
        let n = values.len() / d;
        let mean: Vec<f64> =
            (0..d).map(|j| (0..n).map(|i| f64::from(values[i * d + j])).sum::<f64>() / n as f64).collect();
        let centred = |i: usize, j: usize| f64::from(values[i * d + j]) - mean[j];
        let mut direction: Vec<f64> = (0..d).map(|j| 1.0 + 0.1 * j as f64).collect();
        let mut variance = 0.0;
        for _ in 0..3000 {
            let scores: Vec<f64> =
                (0..n).map(|i| (0..d).map(|j| centred(i, j) * direction[j]).sum()).collect();
            let next: Vec<f64> =
                (0..d).map(|j| (0..n).map(|i| centred(i, j) * scores[i]).sum::<f64>() / n as f64).collect();
            variance = next.iter().map(|value| value * value).sum::<f64>().sqrt();
            direction = next.iter().map(|value| value / variance).collect();
        }
        variance
    }

    fn matrix() -> impl Strategy<Value = (Vec<f32>, usize)> {
        (1usize..7, 1usize..12)
            .prop_flat_map(|(d, n)| (proptest::collection::vec(-4.0f32..4.0, n * d), Just(d)))
    }

    fn centring() -> impl Strategy<Value = Centring> {
        prop_oneof![Just(Centring::Mean), Just(Centring::None)]
    }

    proptest! {
        #[test]
        fn components_are_orthonormal_or_zero((values, d) in matrix(), centring in centring()) {
            let (map, variances) = principal_components(&Moments::of(Rows::new(&values, d)), centring).unwrap();
            let column = |j: usize| (0..d).map(move |i| i * d + j);
            for (a, &variance) in variances.iter().enumerate() {
                for b in 0..d {
                    let dot: f64 = column(a).zip(column(b)).map(|(a, b)| map.matrix[a] * map.matrix[b]).sum();
                    let expected = if a == b && variance > 0.0 { 1.0 } else { 0.0 };
                    prop_assert!((dot - expected).abs() < 1e-9, "{a} {b} {dot}");
                }
            }
        }

        #[test]
        fn all_components_rebuild_the_rows((values, d) in matrix(), centring in centring()) {
            let rows = Rows::new(&values, d);
            let (map, _) = principal_components(&Moments::of(rows), centring).unwrap();
            let projected = map.project(rows, d);
            for (i, scores) in projected.chunks_exact(d).enumerate() {
                for j in 0..d {
                    let rebuilt: f64 = (0..d).map(|k| f64::from(scores[k]) * map.matrix[j * d + k]).sum();
                    prop_assert!((rebuilt + map.mean[j] - f64::from(rows.row(i)[j])).abs() < 1e-4);
                }
            }
        }
    }

    #[test]
    fn the_largest_variance_is_that_of_plain_loops() {
        let values: Vec<f32> = (0..60).map(|i| ((i * 37 + i * i) % 23) as f32 / 7.0).collect();
        let (_, variances) =
            principal_components(&Moments::of(Rows::new(&values, 5)), Centring::Mean).unwrap();
        assert!((variances[0] - largest_variance(&values, 5)).abs() < 1e-9);
        assert!(variances.is_sorted_by(|a, b| a >= b));
    }

    #[test]
    fn without_centring_the_mean_square_of_each_component_is_its_value() {
        let values: Vec<f32> = (0..60).map(|i| ((i * 37 + i * i) % 23) as f32 / 7.0).collect();
        let rows = Rows::new(&values, 5);
        let (map, squares) = principal_components(&Moments::of(rows), Centring::None).unwrap();
        assert!(squares.is_sorted_by(|a, b| a >= b));
        let projected = map.project(rows, 5);
        for (j, &square) in squares.iter().enumerate() {
            let column = projected.chunks_exact(5).map(|row| f64::from(row[j]).powi(2));
            assert!((column.sum::<f64>() / 12.0 - square).abs() < 1e-4, "{j}");
        }
        let total: f64 = values.iter().map(|value| f64::from(*value).powi(2)).sum();
        assert!((squares.iter().sum::<f64>() - total / 12.0).abs() < 1e-4);
    }
}
