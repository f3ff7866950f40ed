//! A linear probe: multinomial logistic regression with scikit-learn's objective, run until it converges.
//!
//! On standardised features `x` the objective is `sum_i cross-entropy(W x_i + b, y_i) + l2/2 * ||W||²`, the intercepts
//! `b` free. scikit-learn fits two classes with a single weight vector, whose penalty is that of two opposite vectors
//! under twice the `l2`; so does this probe, see [`ProbeOptions::penalty`].

mod basis;
mod lbfgs;
mod objective;

use basis::Basis;
use objective::Objective;
use rayon::prelude::*;

use crate::{
    EvalError,
    linear::{Matrix, multiply},
    rows::Rows,
    standardise::Moments,
};

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
    /// The factor of `||W||²/2` in the multinomial form.
    fn penalty(&self, classes: usize) -> f64 {
        if classes == 2 { 2.0 * self.l2 } else { self.l2 }
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
    /// The largest entry of the gradient of the mean objective with respect to `weights` and `intercepts`.
    pub(crate) gradient_norm: f64,
    /// Steps of L-BFGS.
    pub(crate) iterations: usize,
    /// Whether `gradient_norm` is below the tolerance.
    pub(crate) converged: bool,
}

/// Fits a probe on `rows` `[n, dims]` with classes `targets` `[n]` below `classes`.
///
/// `moments` are those of the rows, at their width or wider. `shorter` is a probe on a prefix of the same features: its
/// weights are the start, and no worse a start than none, for the new features begin with weight 0.
pub(crate) fn fit(
    rows: Rows<'_>,
    targets: &[usize],
    classes: usize,
    moments: &Moments,
    options: ProbeOptions,
    shorter: Option<&Probe>,
) -> Result<Probe, EvalError> {
    let (n, dims) = (rows.len() as f64, rows.dims());
    let penalty = options.penalty(classes) / n;
    let basis = Basis::new(moments, dims, classes, penalty)?;
    let mut start = vec![0.0; classes * (dims + 1)];
    if let Some(shorter) = shorter {
        let (weights, intercepts) = start.split_at_mut(classes * dims);
        basis.whiten(&shorter.widened(classes, dims), weights);
        intercepts.copy_from_slice(&shorter.intercepts);
    }
    let objective = Objective::new(rows, targets, classes, basis, penalty);
    // At zero weights the softmax's curvature along a whitened direction is 1/classes.
    let found = lbfgs::minimise(
        |point, gradient| objective.at(point, gradient),
        start,
        classes as f64,
        options.tolerance,
        MAX_STEPS,
    );
    let basis = objective.basis();
    let (whitened, intercepts) = found.point.split_at(classes * dims);
    let weights = basis.to_standardised(whitened);
    let (raw_weights, raw_intercepts) = basis.to_raw(&weights, intercepts);
    Ok(Probe {
        weights,
        intercepts: intercepts.to_vec(),
        raw_weights,
        raw_intercepts,
        objective: found.value * n,
        gradient_norm: found.norm,
        iterations: found.iterations,
        converged: found.norm < options.tolerance,
    })
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

    /// The most probable class of each row, `[n]`; of equals the lower.
    pub(crate) fn classify(&self, rows: Rows<'_>) -> Vec<usize> {
        let mut classes = vec![0; rows.len()];
        classes.par_chunks_mut(BLOCK).enumerate().for_each_init(
            Default::default,
            |scratch, (index, classes)| {
                let first = index * BLOCK;
                let logits = self.logits(rows, first..first + classes.len(), scratch);
                for (class, logits) in classes.iter_mut().zip(logits.chunks_exact(self.intercepts.len())) {
                    *class = largest(logits);
                }
            },
        );
        classes
    }

    /// The logits of the rows of `range`, `[range, classes]`.
    pub(crate) fn logits<'s>(
        &self,
        rows: Rows<'_>,
        range: std::ops::Range<usize>,
        scratch: &'s mut (Vec<f64>, Vec<f64>),
    ) -> &'s [f64] {
        let (count, dims, classes) = (range.len(), rows.dims(), self.intercepts.len());
        let (block, logits) = scratch;
        rows.widen(range, block);
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

fn largest(values: &[f64]) -> usize {
    (1..values.len()).fold(0, |best, index| if values[index] > values[best] { index } else { best })
}
