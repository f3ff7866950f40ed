//! An orthogonal map that moves what tells rows apart into the first dims: dot products stay, prefixes say more.

use mrl_linalg::{Matrix, add_second_moment, eigen, multiply};

use crate::{Error, space::Metric, vector::norm};

/// Rows that are brought together before they are multiplied.
const BLOCK: usize = 1024;

/// A bound of the Frobenius norm of `axes axesᵀ - 1`, and so of how much of the product of two vectors of norm 1 is lost.
pub(crate) const DISTORTION: f64 = 1e-5;

/// An orthogonal matrix.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rotation {
    width: usize,
    /// `[width, width]` row-major: each row is a new axis. All are `f32`s.
    axes: Vec<f64>,
}

impl Rotation {
    /// The principal components, from the largest, of `n` rows of `width` numbers, not centred: the axes of which each
    /// holds as much of the squared norm as those before have left. For cosine, rows count as if they had norm 1.
    ///
    /// # Errors
    /// When the eigenvectors cannot be found.
    pub(crate) fn fit<'a>(
        row: impl Fn(usize) -> &'a [f32],
        n: usize,
        width: usize,
        metric: Metric,
    ) -> Result<Self, Error> {
        let axes = eigenvectors(&second_moment(row, n, width, metric), width)?;
        let rotation = Self::of(&axes, width);
        if rotation.distortion() <= DISTORTION { Ok(rotation) } else { Err(Error::Rotation { width }) }
    }

    /// What [`Rotation::axes`] gave.
    pub(crate) fn of(axes: &[f32], width: usize) -> Self {
        assert_eq!(axes.len(), width * width, "numbers of a rotation in {width} dims");
        Self { width, axes: axes.iter().map(|&value| f64::from(value)).collect() }
    }

    /// `[width, width]` row-major: each row is a new axis.
    pub(crate) fn axes(&self) -> Vec<f32> {
        self.axes.iter().map(|&value| value as f32).collect()
    }

    /// The first `dims` coordinates of `rows` `[n, width]` on the new axes, `[n, dims]`. On this thread.
    pub(crate) fn apply(&self, rows: &[f64], dims: usize) -> Vec<f64> {
        let n = rows.len() / self.width;
        let mut out = vec![0.0; n * dims];
        let axes = Matrix::new(&self.axes[..dims * self.width], dims, self.width);
        multiply(Matrix::new(rows, n, self.width), axes.transposed(), &mut out);
        out
    }

    fn distortion(&self) -> f64 {
        let mut product = self.apply(&self.axes, self.width);
        product.iter_mut().step_by(self.width + 1).for_each(|value| *value -= 1.0);
        norm(product.iter().copied())
    }
}

/// The lower triangle of the sum of `row rowᵀ` over all rows, `[width, width]`.
fn second_moment<'a>(row: impl Fn(usize) -> &'a [f32], n: usize, width: usize, metric: Metric) -> Vec<f64> {
    let mut moment = vec![0.0; width * width];
    let mut block = Vec::with_capacity(BLOCK * width);
    for start in (0..n).step_by(BLOCK) {
        let indices = start..n.min(start + BLOCK);
        block.clear();
        block.extend(indices.clone().flat_map(|index| metric.scaled(row(index))));
        add_second_moment(&mut moment, &block, width);
    }
    moment
}

/// The eigenvectors of a symmetric matrix, of which the lower triangle is read, as rows from the largest eigenvalue.
fn eigenvectors(matrix: &[f64], d: usize) -> Result<Vec<f32>, Error> {
    let found = eigen(matrix, d).map_err(|_| Error::Rotation { width: d })?;
    let axis = |j: usize| found.vectors[j..].iter().step_by(d).map(|&value| value as f32);
    Ok((0..d).flat_map(axis).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::vector::dot;

    fn matrix() -> impl Strategy<Value = (Vec<f32>, usize)> {
        (1usize..7, 1usize..12)
            .prop_flat_map(|(d, n)| (proptest::collection::vec(-4.0f32..4.0, n * d), Just(d)))
    }

    fn fitted(values: &[f32], d: usize, metric: Metric) -> Rotation {
        Rotation::fit(|row| &values[row * d..][..d], values.len() / d, d, metric).unwrap()
    }

    fn wide(values: &[f32]) -> Vec<f64> {
        values.iter().map(|&value| f64::from(value)).collect()
    }

    proptest! {
        #[test]
        fn axes_are_orthonormal_and_products_stay((values, d) in matrix()) {
            for metric in [Metric::Cosine, Metric::Dot] {
                let rotation = fitted(&values, d, metric);
                prop_assert!(rotation.distortion() < 1e-6);
                let turned = rotation.apply(&wide(&values), d);
                let first: Vec<f32> = turned[..d].iter().map(|&value| value as f32).collect();
                for (row, turned) in values.chunks(d).zip(turned.chunks(d)) {
                    let turned: Vec<f32> = turned.iter().map(|&value| value as f32).collect();
                    prop_assert!((dot(row, &values[..d]) - dot(&turned, &first)).abs() < 1e-4);
                }
            }
        }

        #[test]
        fn no_axis_holds_more_than_those_before((values, d) in matrix()) {
            let rotation = fitted(&values, d, Metric::Dot);
            let turned = rotation.apply(&wide(&values), d);
            let held: Vec<f64> =
                (0..d).map(|axis| turned.iter().skip(axis).step_by(d).map(|value| value * value).sum()).collect();
            prop_assert!(held.windows(2).all(|pair| pair[1] <= pair[0] + 1e-3), "{held:?}");
            // The first axis holds no less than any single direction that the rows themselves point to.
            for row in values.chunks(d) {
                let squared: f64 = values.chunks(d).map(|other| dot(row, other).powi(2)).sum();
                prop_assert!(squared / dot(row, row).max(1e-9) <= held[0] + 1e-3);
            }
        }

        #[test]
        fn a_prefix_is_a_prefix((values, d) in matrix()) {
            let rotation = fitted(&values, d, Metric::Cosine);
            let (whole, short) = (rotation.apply(&wide(&values), d), rotation.apply(&wide(&values), 1));
            for (whole, short) in whole.chunks(d).zip(&short) {
                prop_assert!((whole[0] - short).abs() < 1e-9);
            }
            prop_assert_eq!(&Rotation::of(&rotation.axes(), d), &rotation);
        }
    }

    #[test]
    fn rows_without_variance_still_give_a_rotation() {
        assert!(fitted(&[0.0; 12], 4, Metric::Cosine).distortion() < 1e-6);
    }
}
