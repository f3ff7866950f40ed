//! A linear probe: multinomial logistic regression with scikit-learn's objective, run until it converges.
//!
//! On standardised features `x` the objective is `sum_i cross-entropy(W x_i + b, y_i) + l2/2 * ||W||²`, the intercepts
//! `b` free. scikit-learn fits two classes with a single weight vector, whose penalty is that of two opposite vectors
//! under twice the `l2`; so does this probe, see [`ProbeOptions::penalty`].

mod basis;
mod cross_validation;
mod lbfgs;
mod objective;

pub(crate) use cross_validation::{FoldFits, Folds, HeldOut};

use basis::Rotation;
use mrl_linalg::{Matrix, multiply};
use objective::Objective;
use rayon::prelude::*;

use crate::{EvalError, rows::Rows, standardise::Moments};

/// Rows classified at once.
const BLOCK: usize = 256;

/// A bound that no problem in practice reaches; one that does is reported as not converged.
const MAX_STEPS: usize = 5_000;

/// How the probe is fitted.
#[derive(Clone, Copy)]
pub(crate) struct ProbeOptions {
    pub(crate) l2: f64,
    pub(crate) tolerance: f64,
}

impl ProbeOptions {
    /// The factor of `||W||²/2` in the multinomial form, beside the sum over rows.
    fn penalty(&self, classes: usize) -> f64 {
        if classes == 2 { 2.0 * self.l2 } else { self.l2 }
    }
}

/// Rows, their classes, and the coordinates that they are fitted in.
pub(crate) struct Problem<'a> {
    /// `[n, dims]`.
    rows: Rows<'a>,
    /// `[n]`, each below `classes`.
    targets: &'a [usize],
    classes: usize,
    rotation: Rotation,
}

/// The rows that a probe learns from.
#[derive(Clone, Copy)]
pub(crate) enum Part<'a> {
    /// All.
    All,
    /// All but those of one fold; `folds` is `[n]`.
    Without { folds: &'a [u8], fold: u8 },
}

impl Part<'_> {
    fn has(self, row: usize) -> bool {
        match self {
            Self::All => true,
            Self::Without { folds, fold } => folds[row] != fold,
        }
    }
}

/// A fitted probe.
pub(crate) struct Probe {
    /// For standardised features, `[classes, dims]`.
    pub(crate) weights: Vec<f64>,
    /// For standardised features, `[classes]`.
    pub(crate) intercepts: Vec<f64>,
    /// The same map for features as they are, `[classes, dims]`.
    raw_weights: Vec<f64>,
    /// `[classes]`.
    raw_intercepts: Vec<f64>,
    /// The objective, summed over the training rows.
    pub(crate) objective: f64,
    /// The largest entry of the gradient of the mean objective with respect to `weights` and `intercepts`, over the objective
    /// where that is below 1.
    pub(crate) gradient_norm: f64,
    /// Steps of L-BFGS.
    pub(crate) iterations: usize,
    /// Whether `gradient_norm` is below the tolerance.
    pub(crate) converged: bool,
}

impl<'a> Problem<'a> {
    /// `moments` are those of the rows, at their width or wider.
    pub(crate) fn new(
        rows: Rows<'a>,
        targets: &'a [usize],
        classes: usize,
        moments: &Moments<'_>,
    ) -> Result<Self, EvalError> {
        Ok(Self { rows, targets, classes, rotation: Rotation::of(moments, rows.dims())? })
    }

    /// Fits a probe on `part`, of features standardised over all rows.
    ///
    /// `start` is a probe on the same features or a prefix of them: its weights are the start, and no worse a start than
    /// none, for new features begin with weight 0.
    pub(crate) fn fit(&self, options: ProbeOptions, part: Part<'_>, start: Option<&Probe>) -> Probe {
        let (dims, classes) = (self.rows.dims(), self.classes);
        let objective = Objective::new(self, part, options.penalty(classes));
        let mut point = vec![0.0; classes * (dims + 1)];
        if let Some(start) = start {
            let (weights, intercepts) = point.split_at_mut(classes * dims);
            objective.basis().whiten(&start.widened(classes, dims), weights);
            intercepts.copy_from_slice(&start.intercepts);
        }
        // At zero weights the softmax's curvature along a whitened direction is 1/classes.
        let found = lbfgs::minimise(
            |point, gradient| objective.at(point, gradient),
            point,
            classes as f64,
            options.tolerance,
            MAX_STEPS,
        );
        let basis = objective.basis();
        let (whitened, intercepts) = found.point.split_at(classes * dims);
        let weights = basis.to_standardised(whitened);
        let (raw_weights, raw_intercepts) = basis.to_raw(&weights, intercepts);
        Probe {
            weights,
            intercepts: intercepts.to_vec(),
            raw_weights,
            raw_intercepts,
            objective: found.value * objective.n(),
            gradient_norm: found.norm,
            iterations: found.iterations,
            converged: found.norm < options.tolerance,
        }
    }
}

impl Probe {
    /// The weights with zeros for features that this probe has not seen, `[classes, dims]`.
    fn widened(&self, classes: usize, dims: usize) -> Vec<f64> {
        let own = self.weights.len() / classes;
        let mut wide = vec![0.0; classes * dims];
        for (wide, weights) in wide.chunks_exact_mut(dims).zip(self.weights.chunks_exact(own)) {
            wide[..own].copy_from_slice(weights);
        }
        wide
    }

    /// What `judge` makes of the logits `[classes]` of each of `indices`, in their order.
    pub(crate) fn judge<T: Send>(
        &self,
        rows: Rows<'_>,
        indices: &[usize],
        judge: impl Fn(usize, &[f64]) -> T + Sync,
    ) -> Vec<T> {
        let block = |scratch: &mut (Vec<f64>, Vec<f64>), indices: &[usize]| -> Vec<T> {
            let logits = self.logits(rows, indices, scratch);
            let each = indices.iter().zip(logits.chunks_exact(self.intercepts.len()));
            each.map(|(&index, logits)| judge(index, logits)).collect()
        };
        indices.par_chunks(BLOCK).map_init(Default::default, block).flatten_iter().collect()
    }

    /// The logits of the rows of `indices`, `[indices, classes]`.
    pub(crate) fn logits<'s>(
        &self,
        rows: Rows<'_>,
        indices: &[usize],
        scratch: &'s mut (Vec<f64>, Vec<f64>),
    ) -> &'s [f64] {
        let (count, dims, classes) = (indices.len(), rows.dims(), self.intercepts.len());
        let (block, logits) = scratch;
        rows.widen(indices.iter().copied(), block);
        logits.resize(count * classes, 0.0);
        multiply(
            Matrix::new(block, count, dims),
            Matrix::new(&self.raw_weights, classes, dims).transposed(),
            logits,
        );
        for logits in logits.chunks_exact_mut(classes) {
            logits.iter_mut().zip(&self.raw_intercepts).for_each(|(logit, intercept)| *logit += intercept);
        }
        logits
    }
}
