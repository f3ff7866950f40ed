//! What is minimised: free functions on tensors, and the one seam through which a step uses them.

mod barlow_twins;
mod byol;
mod relic;
mod simclr;
mod supervised;
mod vicreg;
mod views;

pub(crate) use barlow_twins::barlow_twins_loss;
pub(crate) use byol::byol_loss;
use mrl_config::Objective;
pub(crate) use relic::relic_loss;
pub(crate) use simclr::nt_xent_loss;
pub(crate) use supervised::cross_entropy_loss;
use tch::{Kind, Tensor};
pub(crate) use vicreg::vicreg_loss;
pub(crate) use views::{pairs, partners_of_view};

/// What the outputs of a view are compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Partner {
    /// The target network's projections of another view, `[p, n, k]`, which are constants: one view's part of the loss needs
    /// the online outputs of that view alone.
    Target,
    /// The labels, `[n]`: here too one view after the other.
    Labels,
    /// The online projections of another view, `[p, n, k]`: the loss needs both views at once.
    OtherView,
}

/// What the outputs of a view are compared with by `objective`.
pub(crate) fn partner_of(objective: &Objective) -> Partner {
    match objective {
        Objective::Relic(_) | Objective::Byol(_) => Partner::Target,
        Objective::Supervised(_) => Partner::Labels,
        Objective::Simclr(_) | Objective::Vicreg(_) | Objective::BarlowTwins(_) => Partner::OtherView,
    }
}

/// The losses of `p` prefixes, `[p]`: their outputs `[p, n, k]` against the partner. `log_scale`, `[1]`, is that of a model
/// of `ReLIC`.
pub(crate) fn loss_of(
    objective: &Objective,
    outputs: &Tensor,
    partner: &Tensor,
    log_scale: Option<&Tensor>,
) -> Tensor {
    match objective {
        Objective::Relic(relic) => relic_loss(outputs, partner, scale_of(log_scale), relic.alpha),
        Objective::Simclr(simclr) => nt_xent_loss(outputs, partner, simclr.temperature, simclr.decoupled),
        Objective::Byol(_) => byol_loss(outputs, partner),
        Objective::Vicreg(weights) => vicreg_loss(outputs, partner, weights),
        Objective::BarlowTwins(twins) => barlow_twins_loss(outputs, partner, twins.lambda),
        Objective::Supervised(_) => cross_entropy_loss(outputs, partner),
    }
}

/// Top-1 and top-5 accuracy in % of the widest prefix, `[2]`. The right answer is the image's label. For objectives without labels, it is
/// the place in the batch of the image whose view is the partner. Outputs and partner are those of the loss.
pub(crate) fn accuracy_of(objective: &Objective, outputs: &Tensor, partner: &Tensor) -> Tensor {
    let outputs = outputs.select(0, -1);
    if objective.needs_labels() {
        return accuracy(&outputs, partner);
    }
    let own = Tensor::arange(outputs.size()[0], (Kind::Int64, outputs.device()));
    accuracy(&cosines(&outputs, &partner.select(0, -1)), &own)
}

fn scale_of(log_scale: Option<&Tensor>) -> &Tensor {
    log_scale.expect("a model of ReLIC has a scale")
}

/// How often, in %, the highest of a row's `scores`, `[n, m]`, is the right one, `[n]`, and is among the highest five: `[2]`.
fn accuracy(scores: &Tensor, right: &Tensor) -> Tensor {
    let (n, m) = (scores.size()[0], scores.size()[1]);
    let (_, highest) = scores.topk(5.min(m), 1, true, true);
    let hits = sum_over(&highest.eq_tensor(&right.unsqueeze(1)), &[0]); // of each rank
    Tensor::stack(&[hits.get(0), sum_over(&hits, &[0])], 0) * 100.0 / n
}

/// The cosine of every row of `a`, `[.., n, k]`, with every row of `b`, `[.., m, k]`: `[.., n, m]`.
pub(crate) fn cosines(a: &Tensor, b: &Tensor) -> Tensor {
    unit_rows(a).matmul(&unit_rows(b).mt())
}

/// Rows scaled to length 1; torch's `normalize`, which leaves rows shorter than 1e-12 short.
fn unit_rows(z: &Tensor) -> Tensor {
    z / norms(z)
}

/// The lengths of the rows `[.., n, k]`, `[.., n, 1]`; at least 1e-12.
pub(crate) fn norms(z: &Tensor) -> Tensor {
    z.norm_scalaropt_dim(2.0, [-1i64].as_slice(), true).clamp_min(1e-12)
}

/// Columns without their mean, `[p, n, k]`.
fn centred(z: &Tensor) -> Tensor {
    z - z.mean_dim([-2i64].as_slice(), true, Kind::Float)
}

/// The sums of the squares of square matrices, `[p, k, k]`, beside their diagonals: `[p]`.
fn off_diagonal_squares(matrices: &Tensor) -> Tensor {
    let diagonal = Tensor::eye(matrices.size()[2], (Kind::Bool, matrices.device()));
    sum_over(&matrices.masked_fill(&diagonal, 0.0).square(), &[-2, -1])
}

/// The sum over these axes.
fn sum_over(x: &Tensor, axes: &[i64]) -> Tensor {
    x.sum_dim_intlist(axes, false, Kind::Float)
}

/// The mean over these axes.
fn mean_over(x: &Tensor, axes: &[i64]) -> Tensor {
    x.mean_dim(axes, false, Kind::Float)
}
