//! What can be seen before anything is fitted.

use std::collections::HashSet;

use mrl_config::{AdaptObjective, AdapterForm, MAX_LAYER};
use mrl_embedding::EmbeddingSet;

use super::{AdaptOptions, nesting};
use crate::TrainError;

impl AdaptOptions {
    /// Whether an adapter can be fitted to the rows of `set` in this way.
    ///
    /// # Errors
    /// When an option is out of its range, the form rotation is given a hidden layer, or there are fewer than two rows; when a row is
    /// zero, not finite or of a norm above 1e37; and for the objective labels, when the labels are not usable: they must be given and
    /// not negative, of two classes or more, and one class must have two rows or more.
    pub fn check(&self, set: &EmbeddingSet) -> Result<(), TrainError> {
        nesting(&self.dims, set.width())?;
        if let Some(problem) = self.problem() {
            return Err(TrainError::Usage(problem));
        }
        if set.len() < 2 {
            let problem =
                format!("{} vectors cannot be compared with each other; give at least two", set.len());
            return Err(TrainError::Vectors(problem));
        }
        check_rows(set)?;
        if self.objective == AdaptObjective::Labels { check_labels(set) } else { Ok(()) }
    }

    fn problem(&self) -> Option<String> {
        if self.batch_size < 2 {
            return Some(format!(
                "batch-size must be 2 or more, got {}: the loss compares the vectors of a batch with each other",
                self.batch_size
            ));
        }
        if self.epochs == 0 {
            return Some("epochs must be 1 or more, got 0".to_owned());
        }
        if !(self.lr > 0.0 && self.lr.is_finite()) {
            return Some(format!("lr must be finite and above 0, got {}", self.lr));
        }
        let hidden = self.hidden?;
        if self.form == AdapterForm::Rotation {
            return Some("a rotation has no hidden layer; leave it out, or use the residual form".to_owned());
        }
        (!(1..=MAX_LAYER).contains(&hidden))
            .then(|| format!("hidden must be between 1 and {MAX_LAYER}, got {hidden}"))
    }
}

/// Every row must have a direction.
pub(super) fn check_rows(set: &EmbeddingSet) -> Result<(), TrainError> {
    let wrong = |row: usize, problem: &str| Err(TrainError::Vectors(format!("row {row} {problem}")));
    if let Some(row) = set.not_finite() {
        return wrong(row, "is not finite, and has no direction to keep; leave it out");
    }
    for row in 0..set.len() {
        match norm(set.row(row)) {
            0.0 => return wrong(row, "is zero, and has no direction to keep; leave it out"),
            norm if norm > LARGEST_NORM => {
                return wrong(
                    row,
                    &format!("has norm {norm:e}; scale all vectors down, to norms up to 1e37"),
                );
            }
            _ => {}
        }
    }
    Ok(())
}

/// An index takes no longer rows either; what is adapted stays far from the largest `f32`.
const LARGEST_NORM: f64 = 1e37;

/// The length of a row; in `f64`, where no square of an `f32` is too large.
fn norm(row: &[f32]) -> f64 {
    row.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>().sqrt()
}

/// Rows `[n, d]` of norm 1, of whatever size those of `rows` `[n, d]` are, and their norms `[n]`; a row of zeros stays.
pub(super) fn directions(rows: &[f32], width: usize) -> (Vec<f32>, Vec<f64>) {
    let norms: Vec<f64> = rows.chunks_exact(width).map(norm).collect();
    let mut units = Vec::with_capacity(rows.len());
    for (row, norm) in rows.chunks_exact(width).zip(&norms) {
        let norm = if *norm == 0.0 { 1.0 } else { *norm };
        units.extend(row.iter().map(|&value| (f64::from(value) / norm) as f32));
    }
    (units, norms)
}

/// Returns an error unless every row has a label of 0 or more, there are at least two classes, and one class has at least two rows.
fn check_labels(set: &EmbeddingSet) -> Result<(), TrainError> {
    let wrong = |problem: String| Err(TrainError::Vectors(problem));
    let Some(labels) = set.labels() else {
        return wrong("the vectors have no labels; use the objective similarity, or give labels".to_owned());
    };
    if let Some(row) = labels.iter().position(|&label| label < 0) {
        return wrong(format!(
            "row {row} has label {}; leave unlabelled rows out, labels count from 0",
            labels[row]
        ));
    }
    let different = labels.iter().collect::<HashSet<_>>().len();
    if different == 1 {
        return wrong(format!("all labels are {}; give vectors of at least two classes", labels[0]));
    }
    if different == labels.len() {
        return wrong("no two vectors have the same label; use the objective similarity".to_owned());
    }
    Ok(())
}
