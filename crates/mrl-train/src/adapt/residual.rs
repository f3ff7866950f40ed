//! Fitting a residual network.

use mrl_embedding::Nesting;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tch::{
    Device, Tensor,
    nn::{self, OptimizerConfig},
};

use super::{
    AdaptOptions, AdaptStep, form::Residual, judge::Judge, loss::Loss, steps::Steps, vectors::Vectors,
};
use crate::TrainError;

/// How much of what the network says is added: the first that is best, or nothing.
const SHARES: [f64; 3] = [1.0, 0.5, 0.25];

/// Fits a network to rows that lie along their principal axes. The network's output is added with the factor from [`SHARES`] that has the
/// highest mean, among those that `judge` finds better than the principal components. If there is none, nothing is added.
pub(super) fn fit(
    fitted: &Vectors,
    judge: &Judge,
    nesting: &Nesting,
    options: &AdaptOptions,
    progress: &mut dyn FnMut(AdaptStep),
) -> Result<Residual, TrainError> {
    let (dims, device) = (nesting.dims(), fitted.rows.device());
    let store = nn::VarStore::new(device);
    let residual = start(&store, nesting.width() as i64, options);
    let mut adam = nn::Adam::default().build(&store, options.lr)?;
    let mut loss = Loss::new(options.objective, dims.len(), device)?;
    Steps::new(fitted, options, 1, progress).stage(&mut |batch, rate| {
        adam.set_lr(rate);
        adam.zero_grad();
        let value = loss.backward(batch, &(&batch.rows + residual.of(&batch.rows)), dims);
        adam.step();
        value
    })?;
    let (mut best, mut best_worth) = (0.0, judge.principal());
    for share in SHARES {
        let worth = judge.worth(&|rows| rows + residual.of(rows) * share, usize::MAX);
        if worth.is_better && worth.mean > best_worth {
            (best, best_worth) = (share, worth.mean);
        }
    }
    let stored = |tensor: &Tensor| tensor.detach().to_device(Device::Cpu).contiguous();
    Ok(Residual {
        hidden: stored(&residual.hidden),
        bias: stored(&residual.bias),
        out: stored(&residual.out) * best,
    })
}

/// A network that adds nothing at first.
fn start(store: &nn::VarStore, width: i64, options: &AdaptOptions) -> Residual {
    let (root, hidden) = (store.root(), options.hidden.map_or(width, |hidden| hidden as i64));
    Residual {
        hidden: root.var_copy("hidden", &uniform(width, hidden, options.seed)),
        bias: root.zeros("bias", &[hidden]),
        out: root.zeros("out", &[hidden, width]),
    }
}

/// `[width, hidden]`, for products of rows of norm 1 that are about as large for any width.
fn uniform(width: i64, hidden: i64, seed: u64) -> Tensor {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let numbers: Vec<f32> = (0..width * hidden).map(|_| random.random_range(-1.0f32..1.0)).collect();
    Tensor::from_slice(&numbers).view([width, hidden])
}
