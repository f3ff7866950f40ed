use tch::{Kind, Tensor};

use super::{centred, off_diagonal_squares, sum_over};

/// Added to the variance under the root, as torch's batch norm does it.
const EPSILON: f64 = 1e-5;

/// Barlow Twins (arXiv 2103.03230, equation 1): the correlation, over the batch, of the dimensions of one view with those of
/// the other is to be the identity.
///
/// Projections `z1` and `z2` of two views by `p` prefixes, both `[p, n, k]` with row `i` from image `i`; `lambda` weighs what
/// is off the diagonal. Returns `[p]`.
pub(crate) fn barlow_twins_loss(z1: &Tensor, z2: &Tensor, lambda: f64) -> Tensor {
    let correlation = standardised(z1).mt().matmul(&standardised(z2)) / z1.size()[1]; // [p, k, k]
    let diagonal = sum_over(&(correlation.diagonal(0, -2, -1) - 1.0).square(), &[-1]);
    diagonal + lambda * off_diagonal_squares(&correlation)
}

/// Columns of mean 0 and variance 1 over the batch, `[p, n, k]`; the variance is divided by `n`, as in the authors' code.
fn standardised(z: &Tensor) -> Tensor {
    let z = centred(z);
    let variance = z.square().mean_dim([-2i64].as_slice(), true, Kind::Float);
    &z / (variance + EPSILON).sqrt()
}
