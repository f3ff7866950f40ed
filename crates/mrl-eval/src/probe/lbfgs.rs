//! Limited-memory BFGS (Nocedal & Wright, Numerical Optimization, algorithm 7.4) for smooth convex functions.

use std::collections::VecDeque;

/// Pairs of steps and gradient changes that are kept.
const HISTORY: usize = 20;

/// Sufficient decrease and curvature of the Wolfe conditions.
const DECREASE: f64 = 1e-4;
const CURVATURE: f64 = 0.9;

/// Evaluations within one line search.
const MAX_TRIALS: usize = 40;

/// Differences of values below this, relative to the value, are rounding.
const ROUNDING: f64 = 1e-14;

/// A function's value, and the norm of its gradient by which convergence is judged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Value {
    pub(crate) value: f64,
    pub(crate) norm: f64,
}

/// Where a search ended.
pub(crate) struct Minimum {
    pub(crate) point: Vec<f64>,
    pub(crate) value: f64,
    pub(crate) norm: f64,
    pub(crate) iterations: usize,
}

/// Searches from `point` until the norm is below `tolerance`, rounding stops all progress, or `max_steps` are done.
///
/// `function` gives the value at a point and writes its gradient. `scale` is the inverse of the curvature that the first
/// step assumes.
pub(crate) fn minimise(
    mut function: impl FnMut(&[f64], &mut [f64]) -> Value,
    point: Vec<f64>,
    scale: f64,
    tolerance: f64,
    max_steps: usize,
) -> Minimum {
    let mut gradient = vec![0.0; point.len()];
    let mut here = function(&point, &mut gradient);
    let mut point = point;
    let mut history = History { pairs: VecDeque::new(), scale };
    let mut iterations = 0;
    while here.norm >= tolerance && iterations < max_steps {
        let direction = history.direction(&gradient);
        let Some(found) = line_search(&mut function, &point, here, &gradient, &direction) else {
            // Old pairs may point nowhere any more; without any to blame, rounding has won.
            if history.pairs.is_empty() {
                break;
            }
            history.pairs.clear();
            continue;
        };
        history.remember(difference(&found.point, &point), difference(&found.gradient, &gradient));
        (point, gradient, here) = (found.point, found.gradient, found.value);
        iterations += 1;
    }
    Minimum { point, value: here.value, norm: here.norm, iterations }
}

struct Pair {
    step: Vec<f64>,
    change: Vec<f64>,
    /// `1 / (step · change)`.
    inverse: f64,
}

struct History {
    pairs: VecDeque<Pair>,
    /// The inverse curvature that stands for everything the pairs do not say.
    scale: f64,
}

impl History {
    fn remember(&mut self, step: Vec<f64>, change: Vec<f64>) {
        let product = dot(&step, &change);
        let square = dot(&change, &change);
        // A pair without curvature says nothing, and would divide by zero.
        if product <= f64::EPSILON * square {
            return;
        }
        self.scale = product / square;
        self.pairs.push_back(Pair { step, change, inverse: product.recip() });
        if self.pairs.len() > HISTORY {
            self.pairs.pop_front();
        }
    }

    /// The two-loop recursion: minus the approximate inverse Hessian times the gradient.
    fn direction(&self, gradient: &[f64]) -> Vec<f64> {
        let mut direction: Vec<f64> = gradient.iter().map(|entry| -entry).collect();
        let mut factors = Vec::with_capacity(self.pairs.len());
        for pair in self.pairs.iter().rev() {
            let factor = pair.inverse * dot(&pair.step, &direction);
            add(&mut direction, -factor, &pair.change);
            factors.push(factor);
        }
        for entry in &mut direction {
            *entry *= self.scale;
        }
        for (pair, factor) in self.pairs.iter().zip(factors.into_iter().rev()) {
            let correction = factor - pair.inverse * dot(&pair.change, &direction);
            add(&mut direction, correction, &pair.step);
        }
        direction
    }
}

struct Found {
    point: Vec<f64>,
    gradient: Vec<f64>,
    value: Value,
}

/// One trial on the line: the length of the step, the value and the slope there.
#[derive(Clone, Copy)]
struct Trial {
    length: f64,
    value: f64,
    slope: f64,
}

/// A step that fulfils the Wolfe conditions, found by bracketing: they suffice for a convex function.
fn line_search(
    function: &mut impl FnMut(&[f64], &mut [f64]) -> Value,
    point: &[f64],
    here: Value,
    gradient: &[f64],
    direction: &[f64],
) -> Option<Found> {
    let start = Trial { length: 0.0, value: here.value, slope: dot(gradient, direction) };
    if start.slope >= 0.0 {
        return None;
    }
    let mut low = start;
    let mut high: Option<Trial> = None;
    let mut length = 1.0;
    let mut found = vec![0.0; point.len()];
    for _ in 0..MAX_TRIALS {
        let mut moved = point.to_vec();
        add(&mut moved, length, direction);
        let value = function(&moved, &mut found);
        let trial = Trial { length, value: value.value, slope: dot(&found, direction) };
        if !descends(start, trial) {
            high = Some(trial);
        } else if trial.slope >= CURVATURE * start.slope {
            return Some(Found { point: moved, gradient: found, value });
        } else {
            low = trial;
        }
        length = high.map_or(2.0 * length, |high| between(low, high));
    }
    None
}

/// Whether the value has decreased enough, judged by slopes where rounding hides the values' difference (Hager & Zhang
/// 2005, the approximate Wolfe conditions).
fn descends(start: Trial, trial: Trial) -> bool {
    let enough = trial.value <= start.value + DECREASE * trial.length * start.slope;
    let hidden = (trial.value - start.value).abs() <= ROUNDING * start.value.abs();
    enough || (hidden && trial.slope <= (2.0 * DECREASE - 1.0) * start.slope)
}

/// The minimum of the cubic through two trials, kept away from both ends.
fn between(low: Trial, high: Trial) -> f64 {
    let width = high.length - low.length;
    let sum = low.slope + high.slope - 3.0 * (high.value - low.value) / width;
    let root = (sum * sum - low.slope * high.slope).max(0.0).sqrt();
    let cubic = 1.0 - (high.slope + root - sum) / (high.slope - low.slope + 2.0 * root);
    let fraction = if cubic.is_finite() { cubic.clamp(0.1, 0.9) } else { 0.5 };
    low.length + fraction * width
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn add(to: &mut [f64], factor: f64, values: &[f64]) {
    to.iter_mut().zip(values).for_each(|(to, value)| *to += factor * value);
}

fn difference(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn largest(gradient: &[f64]) -> f64 {
        gradient.iter().map(|entry| entry.abs()).fold(0.0, f64::max)
    }

    #[test]
    fn an_ill_conditioned_quadratic_is_solved() {
        let curvature = [1.0, 10.0, 100.0, 1e4];
        let function = |point: &[f64], gradient: &mut [f64]| {
            let offset: Vec<f64> = point.iter().map(|entry| entry - 3.0).collect();
            gradient.iter_mut().zip(offset.iter().zip(curvature)).for_each(|(entry, (x, c))| *entry = c * x);
            let value = offset.iter().zip(curvature).map(|(x, c)| 0.5 * c * x * x).sum();
            Value { value, norm: largest(gradient) }
        };
        let found = minimise(function, vec![0.0; 4], 1.0, 1e-9, 200);
        assert!(found.norm < 1e-9);
        assert!(found.point.iter().all(|entry| (entry - 3.0).abs() < 1e-8), "{:?}", found.point);
    }

    #[test]
    fn a_first_step_far_too_long_or_too_short_is_mended() {
        let function = |point: &[f64], gradient: &mut [f64]| {
            gradient[0] = point[0].sinh();
            Value { value: point[0].cosh(), norm: gradient[0].abs() }
        };
        for scale in [1e-6, 1.0, 100.0] {
            let found = minimise(function, vec![2.0], scale, 1e-10, 100);
            assert!(found.point[0].abs() < 1e-9, "scale {scale}: {}", found.point[0]);
        }
    }

    #[test]
    fn an_impossible_tolerance_ends_without_convergence() {
        let function = |point: &[f64], gradient: &mut [f64]| {
            gradient[0] = (point[0] - 0.1).exp() - 1.0;
            Value { value: (point[0] - 0.1).exp() - point[0], norm: gradient[0].abs().max(1e-30) }
        };
        let found = minimise(function, vec![3.0], 1.0, 1e-300, 1_000);
        assert!(found.iterations < 1_000);
        assert!((found.point[0] - 0.1).abs() < 1e-7);
    }
}
