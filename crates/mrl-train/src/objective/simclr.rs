use tch::{Kind, Tensor};

use super::{mean_over, unit_rows};

/// NT-Xent, the loss of `SimCLR` (arXiv 2002.05709, equation 1): each of the `2n` views tells the other view of its image
/// from the `2n - 2` views of the other images. `decoupled`, the other view is not among what it is told from (arXiv 2110.06848),
/// so that a pair that is alike already still learns.
///
/// Projections `z1` and `z2` of two views by `p` prefixes, both `[p, n, k]` with row `i` from image `i`; cosines are divided
/// by `temperature`. Returns the means over the `2n` views, `[p]`.
pub(crate) fn nt_xent_loss(z1: &Tensor, z2: &Tensor, temperature: f64, decoupled: bool) -> Tensor {
    let z = unit_rows(&Tensor::cat(&[z1, z2], 1)); // [p, 2n, k]
    let n = z1.size()[1];
    let logits = z.matmul(&z.mt()) / temperature; // [p, 2n, 2n]
    let itself = Tensor::eye(2 * n, (Kind::Bool, z.device()));
    let left_out = if decoupled { itself.logical_or(&itself.roll([n], [1])) } else { itself };
    let rest = logits.masked_fill(&left_out, f64::NEG_INFINITY).logsumexp([-1i64].as_slice(), false);
    // Of the first view's rows, [p, n], for the second's are the same: the logits are symmetric.
    let positives = logits.diagonal(n, -2, -1);
    mean_over(&rest, &[-1]) - mean_over(&positives, &[-1])
}
