use tch::{Kind, Reduction, Tensor};

use super::{cosines, mean_over, sum_over};

/// The logits' scale (the inverse temperature) is learnt, up to this.
const MAX_SCALE: f64 = 5.0;

/// `ReLIC` (arXiv 2010.07922): telling images apart, and agreeing on it whichever view asks.
///
/// Online projections `z` and target projections `z_prime` by `p` prefixes, both `[p, n, k]` with row `i` from image `i`;
/// `log_scale` `[1]`; `alpha` weighs the invariance term. Returns `[p]`.
pub(crate) fn relic_loss(z: &Tensor, z_prime: &Tensor, log_scale: &Tensor, alpha: f64) -> Tensor {
    let logits = relic_logits(z, z_prime, log_scale); // [p, n, n]
    let log = logits.log_softmax(-1, Kind::Float);
    let discrimination = -mean_over(&log.diagonal(0, -2, -1), &[-1]);
    let across = logits.softmax(-2, Kind::Float).mt();
    let divergences = log.kl_div(&across, Reduction::None, false); // [p, n, n]
    let invariance = sum_over(&divergences, &[-2, -1]) / logits.size()[1];
    discrimination + alpha * invariance
}

/// Scaled cosines of every pair, `[p, n, n]`.
fn relic_logits(z: &Tensor, z_prime: &Tensor, log_scale: &Tensor) -> Tensor {
    cosines(z, z_prime) * log_scale.exp().clamp(0.0, MAX_SCALE)
}
