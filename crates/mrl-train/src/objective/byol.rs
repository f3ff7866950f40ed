use tch::Tensor;

use super::{mean_over, sum_over, unit_rows};

/// The loss of `BYOL` (arXiv 2006.07733, equation 2): the squared distance of unit vectors, `2 - 2 cos`.
///
/// Predictions `q` from one view's online projections and the other view's target projections `z_prime` by `p` prefixes,
/// both `[p, n, k]` with row `i` from image `i`. Returns the means over the images, `[p]`, between 0 and 4.
pub(crate) fn byol_loss(q: &Tensor, z_prime: &Tensor) -> Tensor {
    let cosines = sum_over(&(unit_rows(q) * unit_rows(z_prime)), &[-1]); // [p, n]
    2.0 - 2.0 * mean_over(&cosines, &[-1])
}
