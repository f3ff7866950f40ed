use mrl_data::epoch_order;
use mrl_embedding::{EmbeddingSet, Nesting};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tch::{
    Device, Kind, Tensor,
    nn::{self, OptimizerConfig},
};

use super::{
    AdaptObjective, AdaptOptions, AdaptStep, AdapterForm,
    check::{check_rows, directions},
    form::{Map, Residual},
    loss::{label_loss, same_label, similarity_loss},
};
use crate::{OptimiserConfig, Schedule, TrainError, objective::cosines, schedule::learning_rate};

/// The map that `options` ask for, fitted to the rows of `set`.
pub(super) fn fit(
    set: &EmbeddingSet,
    nesting: &Nesting,
    options: &AdaptOptions,
    progress: &mut dyn FnMut(AdaptStep),
) -> Result<Map, TrainError> {
    options.check(set)?;
    let device = options.device.resolve()?.torch();
    let objective = Objective::new(set, options, device);
    // What is computed in a mapped space needs no gradient of the axes it begins with.
    let rows = unit_rows(set)?;
    let start = Map::principal(&rows);
    let rows = rows.matmul(&start.axes).to_device(device);
    let store = nn::VarStore::new(device);
    let learnt = Learnt::new(&store, set.width() as i64, options);
    let mut adam = nn::Adam::default().build(&store, options.lr)?;
    let batches = set.len().div_ceil(options.batch_size);
    // Of one size; the few rows that are left wait for another order.
    let size = (set.len() / batches).max(2);
    let steps = set.len() / size * options.epochs;
    let rate = OptimiserConfig { lr: options.lr, schedule: Schedule::Cosine, ..OptimiserConfig::default() };
    let mut step = 0;
    for epoch in 0..options.epochs {
        let order: Vec<i64> =
            epoch_order(options.seed, epoch as u64, set.len()).into_iter().map(|row| row as i64).collect();
        for batch in order.chunks_exact(size) {
            let batch = Tensor::from_slice(batch).to_device(device);
            let loss = objective.loss(&rows, &batch, &learnt, nesting);
            let value = finite(&loss, step + 1)?;
            adam.set_lr(learning_rate(&rate, 0, steps as u64, step as u64));
            adam.backward_step(&loss);
            step += 1;
            progress(AdaptStep { step, steps, loss: value });
        }
    }
    let map = learnt.finish(&start);
    let is_finite = |tensor: &Tensor| tensor.isfinite().all().int64_value(&[]) == 1;
    if map.tensors().into_iter().all(|(_, tensor)| is_finite(tensor)) {
        return Ok(map);
    }
    Err(TrainError::Config(
        "the last step left numbers that are not finite; lower the learning rate".to_owned(),
    ))
}

/// The value of the loss of `step`.
fn finite(loss: &Tensor, step: usize) -> Result<f64, TrainError> {
    let value = loss.double_value(&[]);
    if value.is_finite() {
        return Ok(value);
    }
    Err(TrainError::Config(format!("the loss is {value} at step {step}; lower the learning rate")))
}

/// The rows of `set`, of norm 1, `[n, d]`.
///
/// # Errors
/// When a row is zero, not finite or too long.
pub(super) fn unit_rows(set: &EmbeddingSet) -> Result<Tensor, TrainError> {
    check_rows(set)?;
    let (rows, _) = directions(set.embeddings(), set.width());
    Ok(Tensor::from_slice(&rows).view([-1, set.width() as i64]))
}

/// What tells the loss which rows belong together.
enum Objective {
    Similarity,
    /// `[n]`.
    Labels(Tensor),
}

impl Objective {
    fn new(set: &EmbeddingSet, options: &AdaptOptions, device: Device) -> Self {
        match options.objective {
            AdaptObjective::Similarity => Self::Similarity,
            AdaptObjective::Labels => {
                let labels = set.labels().expect("checked");
                Self::Labels(Tensor::from_slice(labels).to_device(device))
            }
        }
    }

    /// Of the rows `batch` `[any]` of `rows` `[n, d]`; the mean over the prefixes.
    fn loss(&self, rows: &Tensor, batch: &Tensor, learnt: &Learnt, nesting: &Nesting) -> Tensor {
        let rows = rows.index_select(0, batch);
        let mapped = learnt.apply(&rows);
        let prefixes = nesting.dims().iter().map(|&dim| mapped.narrow(1, 0, dim as i64));
        let losses: Vec<Tensor> = match self {
            Self::Similarity => {
                let whole = cosines(&rows, &rows);
                prefixes.map(|prefix| similarity_loss(&whole, &prefix)).collect()
            }
            Self::Labels(labels) => {
                let same = same_label(&labels.index_select(0, batch));
                prefixes.map(|prefix| label_loss(&same, &prefix)).collect()
            }
        };
        Tensor::stack(&losses, 0).mean(Kind::Float)
    }
}

/// What is fitted, to rows that lie along their principal axes.
enum Learnt {
    /// `[d, d]`: what it lacks to being symmetric turns rows.
    Turn(Tensor),
    Residual(Residual),
}

impl Learnt {
    /// At first, none of them changes a row.
    fn new(store: &nn::VarStore, width: i64, options: &AdaptOptions) -> Self {
        let root = store.root();
        match options.form {
            AdapterForm::Rotation => Self::Turn(root.zeros("turn", &[width, width])),
            AdapterForm::Residual => {
                let hidden = options.hidden.map_or(width, |hidden| hidden as i64);
                Self::Residual(Residual {
                    hidden: root.var_copy("hidden", &uniform(width, hidden, options.seed)),
                    bias: root.zeros("bias", &[hidden]),
                    out: root.zeros("out", &[hidden, width]),
                })
            }
        }
    }

    fn apply(&self, rows: &Tensor) -> Tensor {
        match self {
            Self::Turn(turn) => rows.matmul(&orthogonal(turn)),
            Self::Residual(residual) => rows + residual.of(rows),
        }
    }

    /// The map of rows as they are given, which begins with `start`.
    fn finish(self, start: &Map) -> Map {
        let stored = |tensor: &Tensor| tensor.detach().to_device(Device::Cpu).contiguous();
        match self {
            Self::Turn(turn) => {
                let turn = orthogonal(&stored(&turn).to_kind(Kind::Double));
                let axes = start.axes.to_kind(Kind::Double).matmul(&turn).to_kind(Kind::Float);
                Map { axes: stored(&axes), residual: None }
            }
            Self::Residual(residual) => Map {
                axes: stored(&start.axes),
                residual: Some(Residual {
                    hidden: stored(&residual.hidden),
                    bias: stored(&residual.bias),
                    out: stored(&residual.out),
                }),
            },
        }
    }
}

/// `[width, hidden]`, for products of rows of norm 1 that are about as large for any width.
fn uniform(width: i64, hidden: i64, seed: u64) -> Tensor {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let numbers: Vec<f32> = (0..width * hidden).map(|_| random.random_range(-1.0f32..1.0)).collect();
    Tensor::from_slice(&numbers).view([width, hidden])
}

/// An orthogonal matrix, by Cayley's transform (Helfrich et al., arXiv 1707.09520): the identity where `turn` `[d, d]` is symmetric.
fn orthogonal(turn: &Tensor) -> Tensor {
    let skew = turn - turn.tr();
    let one = Tensor::eye(turn.size()[0], (turn.kind(), turn.device()));
    Tensor::linalg_solve(&(&one - &skew), &(&one + &skew), true)
}
