use mrl_data::epoch_order;
use tch::Tensor;

use super::{AdaptOptions, AdaptStep, vectors::Vectors};
use crate::{TrainError, schedule::cosine};

/// The steps of a fit, in stages of equal numbers of steps.
pub(super) struct Steps<'a> {
    fitted: &'a Vectors,
    batches: Batches,
    /// The learning rate at the start of a stage.
    lr: f64,
    per_stage: usize,
    total: usize,
    made: usize,
    progress: &'a mut dyn FnMut(AdaptStep),
}

impl<'a> Steps<'a> {
    /// All passes that `options` ask for, in `stages`.
    pub(super) fn new(
        fitted: &'a Vectors,
        options: &AdaptOptions,
        stages: usize,
        progress: &'a mut dyn FnMut(AdaptStep),
    ) -> Self {
        let batches = Batches::new(fitted.len(), options.batch_size, options.seed);
        let per_stage = (batches.per_epoch() * options.epochs).div_ceil(stages.max(1));
        let lr = options.lr;
        Self { fitted, batches, lr, per_stage, total: per_stage * stages, made: 0, progress }
    }

    /// The next stage. `learn` is given a batch and a learning rate, which falls to 0 along a cosine, and returns the loss, a scalar.
    ///
    /// # Errors
    /// When the loss is not finite.
    pub(super) fn stage(&mut self, learn: &mut dyn FnMut(&Vectors, f64) -> Tensor) -> Result<(), TrainError> {
        for step in 0..self.per_stage {
            let batch = self.fitted.select(&self.batches.next());
            let lr = cosine(self.lr, 0.0, step as f64 / self.per_stage as f64);
            let loss = learn(&batch, lr).double_value(&[]);
            self.made += 1;
            if !loss.is_finite() {
                return Err(TrainError::Usage(format!(
                    "the loss is {loss} at step {}; lower the learning rate",
                    self.made
                )));
            }
            (self.progress)(AdaptStep { step: self.made, steps: self.total, loss });
        }
        Ok(())
    }
}

/// Batches of rows in random orders, one order an epoch, without end. All are of one size; the few rows that are left in an epoch wait for
/// another order.
struct Batches {
    rows: usize,
    size: usize,
    seed: u64,
    epoch: u64,
    order: Vec<i64>,
}

impl Batches {
    /// Batches of at most `batch_size`, at least 2, of `rows` rows, at least 2.
    fn new(rows: usize, batch_size: usize, seed: u64) -> Self {
        let size = (rows / rows.div_ceil(batch_size)).max(2);
        Self { rows, size, seed, epoch: 0, order: Vec::new() }
    }

    /// Batches in an epoch.
    fn per_epoch(&self) -> usize {
        self.rows / self.size
    }

    /// The rows of the next batch.
    fn next(&mut self) -> Vec<i64> {
        if self.order.len() < self.size {
            let order = epoch_order(self.seed, self.epoch, self.rows);
            self.order = order.into_iter().map(|row| row as i64).collect();
            self.epoch += 1;
        }
        self.order.split_off(self.order.len() - self.size)
    }
}
