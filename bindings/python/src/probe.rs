use std::collections::BTreeMap;

use mrl_embedding::EmbeddingSet;
use mrl_eval::{EvalError, EvalOptions, Evaluation, Measure, Method};
use pyo3::prelude::*;

use crate::{
    convert::{Whole, set},
    error::value,
};

/// The test accuracy of a logistic probe on the first d numbers of each row, for each d: what each length is worth.
///
/// The probe (multinomial, features standardised) is fitted on the training rows until it converges; test rows choose
/// nothing. The same input gives the same numbers on any number of threads.
///
/// Args:
///     train_x: float32 [n, width], the training rows; copied.
///     train_y: whole numbers [n], their classes, from 0.
///     test_x: float32 [m, width], the test rows; copied.
///     test_y: whole numbers [m], their classes. One that no training row has counts as an error.
///     dims: the lengths; by default the powers of two from 8 and the width.
///     l2: the penalty, 1 / C of scikit-learn; by default chosen for each length by cross-validation on the training rows.
///
/// Returns:
///     The accuracy, from 0 to 1, by length.
///
/// Raises:
///     TypeError: numbers are of another kind.
///     ValueError: shapes or values cannot be used; the message says which.
#[pyfunction]
#[pyo3(signature = (train_x, train_y, test_x, test_y, dims=None, l2=None))]
pub(crate) fn probe(
    train_x: &Bound<'_, PyAny>,
    train_y: &Bound<'_, PyAny>,
    test_x: &Bound<'_, PyAny>,
    test_y: &Bound<'_, PyAny>,
    dims: Option<Vec<Whole>>,
    l2: Option<f64>,
) -> PyResult<BTreeMap<usize, f64>> {
    let train = set(("train_x", train_x), Some(("train_y", train_y)))?;
    let test = set(("test_x", test_x), Some(("test_y", test_y)))?;
    let options = EvalOptions {
        dims: dims.map(|dims| dims.into_iter().map(|Whole(dim)| dim).collect()),
        methods: vec![Method::Prefix],
        measures: vec![Measure::Probe],
        l2,
        resamples: 0,
        ..EvalOptions::default()
    };
    train_x.py().detach(|| accuracies(&train, &test, &options)).map_err(value)
}

/// Those of `options.methods`' only one, by dim.
fn accuracies(
    train: &EmbeddingSet,
    test: &EmbeddingSet,
    options: &EvalOptions,
) -> Result<BTreeMap<usize, f64>, EvalError> {
    let report = Evaluation::new(train, test, options)?.run(&mut |_| {})?;
    let accuracies = report.methods.values().flat_map(|measures| measures.logreg.iter().copied());
    Ok(report.dims.iter().copied().zip(accuracies).collect())
}
