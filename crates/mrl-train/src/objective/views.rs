//! Which views of an image are compared. Small views learn from the others, and others learn from them only where the loss is of a pair.

use mrl_config::Objective;
use tch::{Kind, Tensor};

/// The places of the two views of each pair among `views`, of which the first `large` are not small. Two small views are no pair: they may
/// show different things (arXiv 2006.09882, section 3.3).
pub(crate) fn pairs(views: usize, large: usize) -> impl Iterator<Item = [usize; 2]> {
    (0..large).flat_map(move |first| (first + 1..views).map(move |second| [first, second]))
}

/// What the view at `place` is compared with by an objective that learns from a target network. `targets` are the target's projections of
/// the views that are not small, `[p, n, k]` each. `ReLIC` compares with each of them but the view's own. BYOL compares with their mean,
/// which is less noisy (`FastSiam`, Pototzky et al. 2022).
pub(crate) fn partners_of_view(objective: &Objective, targets: &[Tensor], place: usize) -> Vec<Tensor> {
    let others = targets.iter().enumerate().filter(|(other, _)| *other != place);
    let others: Vec<Tensor> = others.map(|(_, target)| target.shallow_clone()).collect();
    match objective {
        Objective::Byol(_) => vec![Tensor::stack(&others, 0).mean_dim([0i64].as_slice(), false, Kind::Float)],
        _ => others,
    }
}
