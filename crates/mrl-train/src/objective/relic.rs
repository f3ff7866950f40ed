use tch::{Kind, Reduction, Tensor};

/// The logits' scale (the inverse temperature) is learnt, up to this.
const MAX_SCALE: f64 = 5.0;

/// `ReLIC` (arXiv 2010.07922): telling images apart, and agreeing on it whichever view asks.
///
/// Online projections `z` and target projections `z_prime`, both `[n, k]` with row `i` from image `i`; `log_scale`
/// `[1]`; `alpha` weighs the invariance term. Returns a scalar.
pub(crate) fn relic_loss(z: &Tensor, z_prime: &Tensor, log_scale: &Tensor, alpha: f64) -> Tensor {
    let logits = logits(z, z_prime, log_scale); // [n, n]
    let own = Tensor::arange(logits.size()[0], (Kind::Int64, logits.device()));
    let discrimination = logits.cross_entropy_for_logits(&own);
    let across = logits.softmax(0, Kind::Float).tr();
    let invariance =
        logits.log_softmax(1, Kind::Float).kl_div(&across, Reduction::Sum, false) / logits.size()[0];
    discrimination + alpha * invariance
}

/// The loss of every prefix, `[dims]`: one view's online projections against the other view's target.
pub(crate) fn nested_relic_loss(
    online: &[Tensor],
    target: &[Tensor],
    log_scale: &Tensor,
    alpha: f64,
) -> Tensor {
    let losses = online.iter().zip(target).map(|(z, z_prime)| relic_loss(z, z_prime, log_scale, alpha));
    Tensor::stack(&losses.collect::<Vec<_>>(), 0)
}

/// How often, in %, an image's own target is the nearest of the batch, and among the nearest five.
pub(crate) fn contrastive_accuracy(z: &Tensor, z_prime: &Tensor, log_scale: &Tensor) -> (f64, f64) {
    let logits = logits(z, z_prime, log_scale);
    let own = Tensor::arange(logits.size()[0], (Kind::Int64, logits.device())).unsqueeze(1);
    let within = |k: i64| {
        let (_, nearest) = logits.topk(k.min(logits.size()[1]), 1, true, true);
        nearest.eq_tensor(&own).any_dim(1, false).to_kind(Kind::Float).mean(Kind::Float).double_value(&[])
            * 100.0
    };
    (within(1), within(5))
}

/// Scaled cosines of every pair, `[n, n]`.
fn logits(z: &Tensor, z_prime: &Tensor, log_scale: &Tensor) -> Tensor {
    unit_rows(z).matmul(&unit_rows(z_prime).tr()) * log_scale.exp().clamp(0.0, MAX_SCALE)
}

/// Rows scaled to length 1; torch's `normalize`, which leaves rows shorter than 1e-12 short.
fn unit_rows(z: &Tensor) -> Tensor {
    let length = z.norm_scalaropt_dim(2.0, [1i64].as_slice(), true).clamp_min(1e-12);
    z / length
}
