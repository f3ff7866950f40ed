use tch::{Kind, Tensor};

use super::{centred, off_diagonal_squares};

/// Added to the variance under the root, as torch's batch norm does it.
const EPSILON: f64 = 1e-5;

/// Barlow Twins (arXiv 2103.03230, equation 1): the correlation, over the batch, of the dimensions of one view with those of
/// the other is to be the identity.
///
/// Projections `z1` and `z2` of two views, both `[n, k]` with row `i` from image `i`; `lambda` weighs what is off the
/// diagonal. Returns a scalar.
pub(crate) fn barlow_twins_loss(z1: &Tensor, z2: &Tensor, lambda: f64) -> Tensor {
    let correlation = standardised(z1).tr().matmul(&standardised(z2)) / z1.size()[0]; // [k, k]
    let diagonal = (correlation.diagonal(0, 0, 1) - 1.0).square().sum(Kind::Float);
    diagonal + lambda * off_diagonal_squares(&correlation)
}

/// Columns of mean 0 and variance 1 over the batch, `[n, k]`; the variance is divided by `n`, as in the authors' code.
fn standardised(z: &Tensor) -> Tensor {
    let z = centred(z);
    let variance = z.square().mean_dim([0i64].as_slice(), true, Kind::Float);
    &z / (variance + EPSILON).sqrt()
}
