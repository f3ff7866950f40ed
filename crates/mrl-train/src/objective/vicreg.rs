use mrl_config::VicReg;
use tch::Tensor;

use super::{centred, mean_over, off_diagonal_squares, sum_over};

/// The standard deviation that every dimension is asked to have.
const DEVIATION: f64 = 1.0;
/// Added to the variance under the root.
const EPSILON: f64 = 1e-4;

/// `VICReg` (arXiv 2105.04906, algorithm 1): views of an image agree, each dimension varies over the batch, and no two
/// dimensions say the same.
///
/// Projections `z1` and `z2` of two views by `p` prefixes, both `[p, n, k]` with row `i` from image `i` and `n` at least 2.
/// Returns `[p]`. As in the paper's algorithm, the variance term is the sum over the views; the authors' code has their mean.
pub(crate) fn vicreg_loss(z1: &Tensor, z2: &Tensor, weights: &VicReg) -> Tensor {
    let invariance = mean_over(&(z1 - z2).square(), &[-2, -1]);
    let views = [centred(z1), centred(z2)];
    let [variance, covariance] = [variance, covariance].map(|term| term(&views[0]) + term(&views[1]));
    weights.invariance * invariance + weights.variance * variance + weights.covariance * covariance
}

/// How far the deviations of the columns of `z`, `[p, n, k]` with mean 0, are below the wanted one, on average: `[p]`.
fn variance(z: &Tensor) -> Tensor {
    let variance = sum_over(&z.square(), &[-2]) / (z.size()[1] - 1); // [p, k]
    mean_over(&(DEVIATION - (variance + EPSILON).sqrt()).relu(), &[-1])
}

/// The sum of the squared covariances of the columns of `z`, `[p, n, k]` with mean 0, by their number: `[p]`.
fn covariance(z: &Tensor) -> Tensor {
    let covariance = z.mt().matmul(z) / (z.size()[1] - 1); // [p, k, k]
    off_diagonal_squares(&covariance) / z.size()[2]
}
