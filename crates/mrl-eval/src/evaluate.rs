use std::collections::BTreeMap;

use mrl_embedding::EmbeddingSet;

use crate::{
    EvalError, EvalOptions, Measures, Method, Report, Step,
    check::{Checked, check},
    knn,
    pca::Pca,
    probe::{self, Probe, ProbeOptions},
    report::Measured,
    rows::Rows,
    standardise::Moments,
};

/// Measures what `test` is worth at each length, given `train`.
///
/// For each method and dim: the accuracy of a logistic probe (multinomial, standardised features, fitted on `train` until
/// it converges) and of the nearest neighbour by cosine (truncated, then normalised; of equal cosines the row that comes
/// first; a zero row has cosine 0 with every other). A test label that `train` does not have counts as an error of every
/// classifier, and the report says how many there are.
///
/// # Errors
/// Before anything is computed, when an option or a set cannot be used or the sets contradict each other: see
/// [`EvalError`].
pub fn evaluate(
    train: &EmbeddingSet,
    test: &EmbeddingSet,
    options: &EvalOptions,
    progress: &mut dyn FnMut(Step<'_>),
) -> Result<Report, EvalError> {
    let checked = check(train, test, options)?;
    let mut pieces =
        Pieces { done: 0, total: options.methods.len() * (1 + 2 * checked.dims.len()), progress };
    let (train_rows, test_rows) = (Rows::of(train), Rows::of(test));
    let mut methods = BTreeMap::new();
    pieces.begin("mean and covariance");
    let moments = Moments::of(train_rows);
    for (index, &method) in options.methods.iter().enumerate() {
        if index > 0 {
            pieces.begin(&format!("{method}: features"));
        }
        let measures = match method {
            Method::Prefix => sweep(train_rows, test_rows, &moments, &checked, options, method, &mut pieces)?,
            _ => {
                let longest = checked.dims[checked.dims.len() - 1];
                let pca = Pca::fit(&moments)?;
                let (train, test) = (pca.project(train_rows, longest), pca.project(test_rows, longest));
                let (train, test) = (Rows::new(&train, longest), Rows::new(&test, longest));
                sweep(train, test, &Moments::of(train), &checked, options, method, &mut pieces)?
            }
        };
        methods.insert(method, measures);
    }
    pieces.end();
    let measured = Measured { methods, variance: Vec::new(), examples: Vec::new() };
    Ok(Report::new(train, test, options, checked, measured))
}

/// All dims of one method, from the shortest: each probe starts from the one before.
fn sweep(
    train: Rows<'_>,
    test: Rows<'_>,
    moments: &Moments,
    checked: &Checked,
    options: &EvalOptions,
    method: Method,
    pieces: &mut Pieces<'_>,
) -> Result<Measures, EvalError> {
    let settings = ProbeOptions { l2: options.l2.unwrap_or(1.0), tolerance: options.tolerance };
    let mut measures = Measures { dims: checked.dims.clone(), ..Measures::default() };
    let mut shorter: Option<Probe> = None;
    for &dim in &checked.dims {
        let (train, test) = (train.prefix(dim), test.prefix(dim));
        pieces.begin(&format!("{method}: logistic probe on {dim} dims"));
        let probe =
            probe::fit(train, &checked.train, checked.classes.len(), moments, settings, shorter.as_ref())?;
        measures.logreg.push(accuracy(&probe.classify(test), &checked.test));
        shorter = Some(probe);

        pieces.begin(&format!("{method}: nearest neighbours on {dim} dims"));
        let nearest = knn::nearest(train, test).into_iter().map(|row| checked.train[row]).collect::<Vec<_>>();
        measures.knn1.push(accuracy(&nearest, &checked.test));
    }
    Ok(measures)
}

/// The fraction of rows that are classified right.
fn accuracy(found: &[usize], truth: &[Option<usize>]) -> f64 {
    let right = found.iter().zip(truth).filter(|&(&found, &truth)| Some(found) == truth).count();
    right as f64 / truth.len() as f64
}

/// Counts pieces of work for the caller.
struct Pieces<'a> {
    done: usize,
    total: usize,
    progress: &'a mut dyn FnMut(Step<'_>),
}

impl Pieces<'_> {
    fn begin(&mut self, what: &str) {
        (self.progress)(Step { done: self.done, total: self.total, what });
        self.done += 1;
    }

    fn end(&mut self) {
        (self.progress)(Step { done: self.total, total: self.total, what: "" });
    }
}
