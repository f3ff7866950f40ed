use tch::{Kind, Tensor};

use super::mean_over;

/// The cross-entropy of each prefix's classifier (Matryoshka representation learning, arXiv 2205.13147, equation 1).
///
/// Logits `[p, n, classes]` of `p` prefixes; `labels` `[n]`, i64. Returns the means over the images, `[p]`.
pub(crate) fn cross_entropy_loss(logits: &Tensor, labels: &Tensor) -> Tensor {
    let labels = labels.view([1, -1, 1]).expand([logits.size()[0], -1, -1], false);
    let right = logits.log_softmax(-1, Kind::Float).gather(-1, &labels, false); // [p, n, 1]
    -mean_over(&right, &[-2, -1])
}
