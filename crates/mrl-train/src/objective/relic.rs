use tch::{Kind, Reduction, Tensor};

use super::cosines;

/// The logits' scale (the inverse temperature) is learnt, up to this.
const MAX_SCALE: f64 = 5.0;

/// `ReLIC` (arXiv 2010.07922): telling images apart, and agreeing on it whichever view asks.
///
/// Online projections `z` and target projections `z_prime`, both `[n, k]` with row `i` from image `i`; `log_scale`
/// `[1]`; `alpha` weighs the invariance term. Returns a scalar.
pub(crate) fn relic_loss(z: &Tensor, z_prime: &Tensor, log_scale: &Tensor, alpha: f64) -> Tensor {
    let logits = relic_logits(z, z_prime, log_scale); // [n, n]
    let own = Tensor::arange(logits.size()[0], (Kind::Int64, logits.device()));
    let discrimination = logits.cross_entropy_for_logits(&own);
    let across = logits.softmax(0, Kind::Float).tr();
    let invariance =
        logits.log_softmax(1, Kind::Float).kl_div(&across, Reduction::Sum, false) / logits.size()[0];
    discrimination + alpha * invariance
}

/// Scaled cosines of every pair, `[n, n]`.
fn relic_logits(z: &Tensor, z_prime: &Tensor, log_scale: &Tensor) -> Tensor {
    cosines(z, z_prime) * log_scale.exp().clamp(0.0, MAX_SCALE)
}
