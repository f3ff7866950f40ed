use tch::{Kind, Tensor};

use super::cosines;

/// NT-Xent, the loss of `SimCLR` (arXiv 2002.05709, equation 1): each of the `2n` views tells the other view of its image
/// from the `2n - 2` views of the other images. `decoupled`, the other view is not among what it is told from (arXiv 2110.06848),
/// so that a pair that is alike already still learns.
///
/// Projections `z1` and `z2` of two views, both `[n, k]` with row `i` from image `i`; cosines are divided by
/// `temperature`. Returns the mean over the `2n` views, a scalar.
pub(crate) fn nt_xent_loss(z1: &Tensor, z2: &Tensor, temperature: f64, decoupled: bool) -> Tensor {
    let z = Tensor::cat(&[z1, z2], 0); // [2n, k]
    let n = z1.size()[0];
    let logits = cosines(&z, &z) / temperature; // [2n, 2n]
    let itself = Tensor::eye(2 * n, (Kind::Bool, z.device()));
    let other_view = itself.roll([n], [1]);
    let positives = logits.roll([n], [1]).diagonal(0, 0, 1); // [2n]
    let left_out = if decoupled { itself.logical_or(&other_view) } else { itself };
    let rest = logits.masked_fill(&left_out, f64::NEG_INFINITY).logsumexp([1i64].as_slice(), false);
    (rest - positives).mean(Kind::Float)
}
