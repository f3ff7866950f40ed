use tch::{Kind, Tensor};

use super::unit_rows;

/// The loss of `BYOL` (arXiv 2006.07733, equation 2): the squared distance of unit vectors, `2 - 2 cos`.
///
/// Predictions `p` from one view's online projections and the other view's target projections `z_prime`, both `[n, k]`
/// with row `i` from image `i`. Returns the mean over the images, a scalar between 0 and 4.
pub(crate) fn byol_loss(p: &Tensor, z_prime: &Tensor) -> Tensor {
    let cosines = (unit_rows(p) * unit_rows(z_prime)).sum_dim_intlist([1i64].as_slice(), false, Kind::Float); // [n]
    2.0 - 2.0 * cosines.mean(Kind::Float)
}
