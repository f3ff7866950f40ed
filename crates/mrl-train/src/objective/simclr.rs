use tch::{Kind, Tensor};

use super::cosines;

/// NT-Xent, the loss of `SimCLR` (arXiv 2002.05709, equation 1): each of the `2n` views tells the other view of its image
/// from the `2n - 2` views of the other images.
///
/// Projections `z1` and `z2` of two views, both `[n, k]` with row `i` from image `i`; cosines are divided by
/// `temperature`. Returns the mean over the `2n` views, a scalar.
pub(crate) fn nt_xent_loss(z1: &Tensor, z2: &Tensor, temperature: f64) -> Tensor {
    let z = Tensor::cat(&[z1, z2], 0); // [2n, k]
    let n = z1.size()[0];
    let itself = Tensor::eye(2 * n, (Kind::Bool, z.device()));
    let logits = (cosines(&z, &z) / temperature).masked_fill(&itself, f64::NEG_INFINITY); // [2n, 2n]
    let positives = Tensor::arange(2 * n, (Kind::Int64, z.device())).roll([n], [0]);
    logits.cross_entropy_for_logits(&positives)
}
