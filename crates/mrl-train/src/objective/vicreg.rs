use tch::{Kind, Reduction, Tensor};

use super::{centred, off_diagonal_squares};
use crate::config::VicReg;

/// The standard deviation that every dimension is asked to have.
const DEVIATION: f64 = 1.0;
/// Added to the variance under the root.
const EPSILON: f64 = 1e-4;

/// `VICReg` (arXiv 2105.04906, algorithm 1): views of an image agree, each dimension varies over the batch, and no two
/// dimensions say the same.
///
/// Projections `z1` and `z2` of two views, both `[n, k]` with row `i` from image `i` and `n` at least 2. Returns a scalar.
/// As in the paper's algorithm, the variance term is the sum over the views; the authors' code has their mean.
pub(crate) fn vicreg_loss(z1: &Tensor, z2: &Tensor, weights: &VicReg) -> Tensor {
    let invariance = z1.mse_loss(z2, Reduction::Mean);
    let views = [centred(z1), centred(z2)];
    let [variance, covariance] = [variance, covariance].map(|term| term(&views[0]) + term(&views[1]));
    weights.invariance * invariance + weights.variance * variance + weights.covariance * covariance
}

/// How far the deviations of the columns of `z`, `[n, k]` with mean 0, are below the wanted one, on average.
fn variance(z: &Tensor) -> Tensor {
    let variance = z.square().sum_dim_intlist([0i64].as_slice(), false, Kind::Float) / (z.size()[0] - 1); // [k]
    (DEVIATION - (variance + EPSILON).sqrt()).relu().mean(Kind::Float)
}

/// The sum of the squared covariances of the columns of `z`, `[n, k]` with mean 0, by their number.
fn covariance(z: &Tensor) -> Tensor {
    let covariance = z.tr().matmul(z) / (z.size()[0] - 1); // [k, k]
    off_diagonal_squares(&covariance) / z.size()[1]
}
