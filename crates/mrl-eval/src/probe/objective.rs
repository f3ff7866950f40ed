use std::ops::Range;

use mrl_linalg::{Matrix, multiply, multiply_add};
use rayon::prelude::*;

use super::{Part, Problem, basis::Basis, lbfgs::Value};
use crate::{rows::blocks, vector};

/// Rows that go through forward and backward pass together, so that they are read from memory once.
const BLOCK: usize = 128;

/// Values below this do not make the gradient's norm larger: rounding would be taken for it.
const SMALLEST_SCALE: f64 = 1e-5;

/// Rows are cut into at most this many pieces, which run in parallel and are added up in order: the sum, and so the whole
/// fit, does not depend on the number of threads.
const PIECES: usize = 32;

/// The mean objective of a probe as a function of whitened weights and intercepts.
pub(crate) struct Objective<'a> {
    problem: &'a Problem<'a>,
    part: Part<'a>,
    /// Rows of the part.
    n: f64,
    basis: Basis<'a>,
    penalty: f64,
}

/// What one piece of the rows adds: the loss, and its gradient with respect to raw weights and intercepts.
struct Sum {
    loss: f64,
    /// `[classes, dims]`.
    weights: Vec<f64>,
    /// `[classes]`.
    intercepts: Vec<f64>,
}

impl<'a> Objective<'a> {
    /// `l2` is the factor of `||W||²/2` in the sum over rows.
    pub(crate) fn new(problem: &'a Problem<'a>, part: Part<'a>, l2: f64) -> Self {
        let n = (0..problem.rows.len()).filter(|&row| part.has(row)).count().max(1) as f64;
        let basis = Basis::new(&problem.rotation, problem.classes, l2 / n);
        Self { problem, part, n, basis, penalty: l2 / n }
    }

    /// Rows of the part.
    pub(crate) fn n(&self) -> f64 {
        self.n
    }

    pub(crate) fn basis(&self) -> &Basis<'a> {
        &self.basis
    }

    /// The value at `point`, and its gradient: both `[classes * dims]` whitened weights, then `[classes]` intercepts.
    /// The norm is the largest entry of the gradient with respect to weights of standardised features and intercepts, over the
    /// value where that is below 1.
    pub(crate) fn at(&self, point: &[f64], gradient: &mut [f64]) -> Value {
        let n = self.n;
        let (whitened, intercepts) = point.split_at(self.problem.classes * self.problem.rows.dims());
        let (whitened_gradient, intercept_gradient) = gradient.split_at_mut(whitened.len());
        let weights = self.basis.to_standardised(whitened);
        let mut sum = self.pass(&weights, intercepts);

        sum.weights.iter_mut().chain(&mut sum.intercepts).for_each(|entry| *entry /= n);
        self.basis.standardise_gradient(&mut sum.weights, &sum.intercepts);
        self.basis.whiten_gradient(&sum.weights, whitened_gradient);
        intercept_gradient.copy_from_slice(&sum.intercepts);

        let mut penalised = 0.0;
        let scales = self.basis.scale().iter().cycle();
        for ((entry, weight), scale) in whitened_gradient.iter_mut().zip(whitened).zip(scales) {
            *entry += self.penalty * scale * scale * weight;
            penalised += (scale * weight).powi(2);
        }
        let by_weight = sum.weights.iter().zip(&weights).map(|(entry, weight)| entry + self.penalty * weight);
        let norm = by_weight.chain(sum.intercepts.iter().copied()).map(f64::abs).fold(0.0, f64::max);
        let value = sum.loss / n + 0.5 * self.penalty * penalised;
        // An objective near zero, as of separable classes, needs a gradient as small to be known to as many digits.
        Value { value, norm: norm / value.clamp(SMALLEST_SCALE, 1.0) }
    }

    /// One pass over the rows.
    fn pass(&self, weights: &[f64], intercepts: &[f64]) -> Sum {
        let (weights, intercepts) = self.basis.to_raw(weights, intercepts);
        let rows = self.problem.rows.len();
        let pieces: Vec<Range<usize>> = blocks(0..rows, rows.div_ceil(PIECES).max(BLOCK)).collect();
        let sums: Vec<Sum> =
            pieces.into_par_iter().map(|piece| self.piece(piece, &weights, &intercepts)).collect();
        sums.into_iter().reduce(Sum::plus).expect("a set has at least one row")
    }

    fn piece(&self, piece: Range<usize>, weights: &[f64], intercepts: &[f64]) -> Sum {
        let &Problem { rows, classes, .. } = self.problem;
        let dims = rows.dims();
        let mut sum = Sum { loss: 0.0, weights: vec![0.0; classes * dims], intercepts: vec![0.0; classes] };
        let mut block = Vec::with_capacity(BLOCK * dims);
        let mut logits = vec![0.0; BLOCK * classes];
        for range in blocks(piece, BLOCK) {
            let count = range.len();
            rows.widen(range.clone(), &mut block);
            let logits = &mut logits[..count * classes];
            let features = Matrix::new(&block, count, dims);
            multiply(features, Matrix::new(weights, classes, dims).transposed(), logits);
            self.residuals(logits, intercepts, range, &mut sum);
            multiply_add(Matrix::new(logits, count, classes).transposed(), features, &mut sum.weights);
        }
        sum
    }

    /// Makes of the logits `[rows, classes]`, intercepts not yet added, probabilities less one at the target, or 0 for rows
    /// that are not of the part; adds their cross-entropy and intercepts' gradient to `sum`.
    fn residuals(&self, logits: &mut [f64], intercepts: &[f64], rows: Range<usize>, sum: &mut Sum) {
        let &Problem { targets, classes, .. } = self.problem;
        for (row, index) in logits.chunks_exact_mut(classes).zip(rows.clone()) {
            row.iter_mut().zip(intercepts).for_each(|(logit, intercept)| *logit += intercept);
            let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            for logit in &mut *row {
                *logit -= largest;
            }
            if self.part.has(index) {
                sum.loss -= row[targets[index]];
            }
        }
        vector::exp_of_negatives(logits);
        for (row, index) in logits.chunks_exact_mut(classes).zip(rows) {
            if !self.part.has(index) {
                row.fill(0.0);
                continue;
            }
            let total: f64 = row.iter().sum();
            sum.loss += total.ln();
            let inverse = total.recip();
            for weight in &mut *row {
                *weight *= inverse;
            }
            row[targets[index]] -= 1.0;
            sum.intercepts.iter_mut().zip(&*row).for_each(|(sum, residual)| *sum += residual);
        }
    }
}

impl Sum {
    fn plus(mut self, other: Self) -> Self {
        self.loss += other.loss;
        self.weights.iter_mut().zip(other.weights).for_each(|(sum, entry)| *sum += entry);
        self.intercepts.iter_mut().zip(other.intercepts).for_each(|(sum, entry)| *sum += entry);
        self
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{rows::Rows, standardise::Moments};

    fn problem() -> impl Strategy<Value = (Vec<f32>, Vec<usize>, Vec<f64>, usize, usize)> {
        (1usize..5, 2usize..5, 2usize..20).prop_flat_map(|(d, k, n)| {
            let features = proptest::collection::vec(-2.0f32..2.0, n * d);
            let targets = proptest::collection::vec(0..k, n);
            (features, targets, proptest::collection::vec(-1.0..1.0, k * (d + 1)), Just(d), Just(k))
        })
    }

    proptest! {
        #[test]
        fn the_gradient_is_that_of_finite_differences(
            (features, targets, point, d, k) in problem(),
            held in 0u8..4,
        ) {
            let rows = Rows::new(&features, d);
            let problem = Problem::new(rows, &targets, k, &Moments::of(rows)).unwrap();
            let folds: Vec<u8> = (0..rows.len()).map(|row| (row % 3) as u8).collect();
            let part = if held < 3 { Part::Without { folds: &folds, fold: held } } else { Part::All };
            let objective = Objective::new(&problem, part, 0.1 * rows.len() as f64);
            let mut gradient = vec![0.0; point.len()];
            objective.at(&point, &mut gradient);
            let mut ignored = gradient.clone();
            for index in 0..point.len() {
                let mut value_at = |offset: f64| {
                    let mut moved = point.clone();
                    moved[index] += offset;
                    objective.at(&moved, &mut ignored).value
                };
                let difference = (value_at(1e-5) - value_at(-1e-5)) / 2e-5;
                prop_assert!((difference - gradient[index]).abs() < 1e-7 * (1.0 + difference.abs()));
            }
        }
    }
}
