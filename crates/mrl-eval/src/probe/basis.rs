use mrl_linalg::{Eigen, Matrix, eigen, multiply};

use crate::{EvalError, standardise::Moments};

/// Standardised features and the eigenvectors of their covariance.
pub(crate) struct Rotation {
    dims: usize,
    /// Of the raw features, `[dims]`.
    mean: Vec<f64>,
    /// Of the raw features, `[dims]`; 0 for constant ones.
    inverse_deviation: Vec<f64>,
    /// Of the correlation, `[dims, dims]`.
    eigen: Eigen,
}

impl Rotation {
    /// Of the first `dims` features.
    pub(crate) fn of(moments: &Moments<'_>, dims: usize) -> Result<Self, EvalError> {
        Ok(Self {
            dims,
            mean: moments.mean()[..dims].to_vec(),
            inverse_deviation: moments.inverse_deviation(dims),
            eigen: eigen(&moments.correlation(dims), dims)?,
        })
    }
}

/// The coordinates in which the probe is fitted: standardised features, rotated onto the eigenvectors of their
/// covariance and scaled to near equal curvature.
///
/// The rotation leaves `||W||²` as it is and the scaling turns it into a sum with known weights, so the optimum is the
/// same as without, while L-BFGS needs a fraction of the steps. Only weights and gradients are transformed; the features
/// stay where they are.
pub(crate) struct Basis<'a> {
    rotation: &'a Rotation,
    /// Scale of each whitened direction, `[dims]`.
    scale: Vec<f64>,
}

impl<'a> Basis<'a> {
    /// `penalty` is the factor of `||W||²/2` in the mean objective.
    ///
    /// Along an eigenvector of eigenvalue `v` the objective's curvature is about `v/classes + penalty`; the scale is the
    /// inverse root of that, up to a constant, so that directions without variance are not blown up.
    pub(crate) fn new(rotation: &'a Rotation, classes: usize, penalty: f64) -> Self {
        let floor = penalty * classes as f64;
        let scale = |value: &f64| (value.max(0.0) + floor).sqrt().recip();
        Self { rotation, scale: rotation.eigen.values.iter().map(scale).collect() }
    }

    /// `[dims]`.
    pub(crate) fn scale(&self) -> &[f64] {
        &self.scale
    }

    /// Whitened weights `[classes, dims]` as weights of standardised features.
    pub(crate) fn to_standardised(&self, whitened: &[f64]) -> Vec<f64> {
        let classes = whitened.len() / self.rotation.dims;
        let mut scaled = whitened.to_vec();
        self.rescale(&mut scaled, |value, scale| value * scale);
        let mut weights = vec![0.0; whitened.len()];
        multiply(
            Matrix::new(&scaled, classes, self.rotation.dims),
            self.vectors().transposed(),
            &mut weights,
        );
        weights
    }

    /// The inverse of [`Basis::to_standardised`].
    pub(crate) fn whiten(&self, weights: &[f64], whitened: &mut [f64]) {
        multiply(
            Matrix::new(weights, weights.len() / self.rotation.dims, self.rotation.dims),
            self.vectors(),
            whitened,
        );
        self.rescale(whitened, |value, scale| value / scale);
    }

    /// Weights `[classes, dims]` and intercepts `[classes]` of standardised features as those of raw ones.
    pub(crate) fn to_raw(&self, weights: &[f64], intercepts: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let mut raw = weights.to_vec();
        let mut shifted = intercepts.to_vec();
        for (row, intercept) in raw.chunks_exact_mut(self.rotation.dims).zip(&mut shifted) {
            row.iter_mut()
                .zip(&self.rotation.inverse_deviation)
                .for_each(|(weight, inverse)| *weight *= inverse);
            *intercept -=
                row.iter().zip(&self.rotation.mean).map(|(weight, mean)| weight * mean).sum::<f64>();
        }
        (raw, shifted)
    }

    /// The gradient with respect to raw weights, made in place into that with respect to weights of standardised
    /// features: both `[classes, dims]`. `residuals` `[classes]` is the gradient with respect to the intercepts.
    pub(crate) fn standardise_gradient(&self, gradient: &mut [f64], residuals: &[f64]) {
        for (row, residual) in gradient.chunks_exact_mut(self.rotation.dims).zip(residuals) {
            for ((entry, mean), inverse) in
                row.iter_mut().zip(&self.rotation.mean).zip(&self.rotation.inverse_deviation)
            {
                *entry = (*entry - residual * mean) * inverse;
            }
        }
    }

    /// The gradient with respect to weights of standardised features as that with respect to whitened weights.
    pub(crate) fn whiten_gradient(&self, gradient: &[f64], whitened: &mut [f64]) {
        multiply(
            Matrix::new(gradient, gradient.len() / self.rotation.dims, self.rotation.dims),
            self.vectors(),
            whitened,
        );
        self.rescale(whitened, |value, scale| value * scale);
    }

    fn vectors(&self) -> Matrix<'_, f64> {
        Matrix::new(&self.rotation.eigen.vectors, self.rotation.dims, self.rotation.dims)
    }

    fn rescale(&self, rows: &mut [f64], change: impl Fn(f64, f64) -> f64) {
        for row in rows.chunks_exact_mut(self.rotation.dims) {
            row.iter_mut().zip(&self.scale).for_each(|(value, &scale)| *value = change(*value, scale));
        }
    }
}
