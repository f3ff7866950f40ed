use std::collections::BTreeMap;

use mrl_embedding::EmbeddingSet;

use crate::{
    EvalError, EvalOptions, Measures, Method, Outcomes, Report, Step,
    check::{Checked, check},
    error::Side,
    examples,
    pca::{Centring, principal_components},
    pieces::Pieces,
    projection::{Projection, pick, shuffled},
    report::Measured,
    rows::Rows,
    standardise::Moments,
    sweep::{Found, Sweep},
};

/// Measures what `test` is worth at each length, given `train`: an [`Evaluation`] without baselines.
///
/// # Errors
/// As [`Evaluation::new`] and [`Evaluation::run`].
pub fn evaluate(
    train: &EmbeddingSet,
    test: &EmbeddingSet,
    options: &EvalOptions,
    progress: &mut dyn FnMut(Step<'_>),
) -> Result<Report, EvalError> {
    Evaluation::new(train, test, options)?.run(progress)
}

/// What is to be measured, with all that can be checked beforehand checked.
pub struct Evaluation<'a> {
    pub(crate) train: &'a EmbeddingSet,
    pub(crate) test: &'a EmbeddingSet,
    pub(crate) options: &'a EvalOptions,
    pub(crate) checked: Checked,
    pub(crate) baselines: BTreeMap<String, Measures>,
}

impl<'a> Evaluation<'a> {
    /// Checks options and sets.
    ///
    /// # Errors
    /// When an option or a set cannot be used or the sets contradict each other: see [`EvalError`].
    pub fn new(
        train: &'a EmbeddingSet,
        test: &'a EmbeddingSet,
        options: &'a EvalOptions,
    ) -> Result<Self, EvalError> {
        let checked = check(train, test, options)?;
        Ok(Self { train, test, options, checked, baselines: BTreeMap::new() })
    }

    /// Measures, for each method and dim, what [`EvalOptions::measures`] names: a logistic probe (multinomial, standardised
    /// features, fitted on the training set until it converges), neighbours by cosine (truncated, then normalised; of equal
    /// cosines the row that comes first; a zero row has cosine 0 with every other), and what follows from them. A test
    /// label that the training set does not have counts as an error of every classifier, and the report says how many
    /// there are. Nothing is chosen by looking at the test rows.
    ///
    /// # Errors
    /// When the eigenvectors of a covariance are not found, or a method makes numbers that are too large.
    pub fn run(self, progress: &mut dyn FnMut(Step<'_>)) -> Result<Report, EvalError> {
        Ok(self.run_with_outcomes(progress)?.0)
    }

    /// As [`Evaluation::run`], and returns which test rows were right.
    ///
    /// # Errors
    /// As [`Evaluation::run`].
    pub fn run_with_outcomes(
        self,
        progress: &mut dyn FnMut(Step<'_>),
    ) -> Result<(Report, Outcomes), EvalError> {
        let Self { train, test, options, .. } = self;
        let sweep = Sweep::new(train, test, &self.checked, options);
        let finds_neighbours = options.finds_neighbours();
        let total = options.methods.len() * (1 + sweep.pieces()) + usize::from(finds_neighbours);
        let mut pieces = Pieces::new(total, progress);
        pieces.begin("mean and variance");
        let moments = Moments::of(Rows::of(train));

        let mut methods = BTreeMap::new();
        let mut outcomes = Outcomes::new(test.len(), &self.checked.dims);
        for (index, &method) in options.methods.iter().enumerate() {
            if index > 0 {
                pieces.begin(&format!("{method}: features"));
            }
            let Found { measures, right } = self.sweep(&sweep, method, &moments, &mut pieces)?;
            methods.insert(method, measures);
            outcomes.insert(method, right);
        }
        let examples = if finds_neighbours {
            pieces.begin("neighbours to be shown");
            examples::pick(train, test, &self.checked)
        } else {
            Vec::new()
        };
        pieces.end();
        let measured = Measured { methods, variance: moments.variance().to_vec(), examples };
        drop(sweep);
        Ok((Report::new(train, test, options, self.checked, measured, self.baselines), outcomes))
    }

    /// `moments` are those of the training set.
    fn sweep(
        &self,
        sweep: &Sweep<'_>,
        method: Method,
        moments: &Moments<'_>,
        pieces: &mut Pieces<'_>,
    ) -> Result<Found, EvalError> {
        let (train, test) = (Rows::of(self.train), Rows::of(self.test));
        let Some(shorten) = shortening(method, moments, self.options.seed)? else {
            return sweep.run(train, test, moments, method, pieces);
        };
        let longest = self.checked.dims[self.checked.dims.len() - 1];
        let shortened = |rows: Rows<'_>, side: Side| {
            let values = shorten(rows, longest);
            let is_held = values.iter().all(|value| value.is_finite());
            if is_held { Ok(values) } else { Err(EvalError::TooLarge { method, side }) }
        };
        let (train, test) = (shortened(train, Side::Train)?, shortened(test, Side::Test)?);
        let (train, test) = (Rows::new(&train, longest), Rows::new(&test, longest));
        sweep.run(train, test, &Moments::of(train), method, pieces)
    }
}

/// Makes of rows `[n, width]` and a length `d` rows `[n, d]`, whose first numbers are those of a shorter `d`.
type Shortening = Box<dyn Fn(Rows<'_>, usize) -> Vec<f32>>;

/// None for prefixes, which are the rows themselves.
fn shortening(method: Method, moments: &Moments<'_>, seed: u64) -> Result<Option<Shortening>, EvalError> {
    let width = moments.mean().len();
    let project = |map: Projection| -> Shortening { Box::new(move |rows, dims| map.project(rows, dims)) };
    Ok(match method {
        Method::Prefix => None,
        Method::Pca => Some(project(principal_components(moments, Centring::Mean)?.0)),
        Method::PcaUncentred => Some(project(principal_components(moments, Centring::None)?.0)),
        Method::RandomProjection => Some(project(Projection::random(width, seed))),
        Method::RandomCoordinates => {
            let order = shuffled(width, seed);
            Some(Box::new(move |rows, dims| pick(rows, &order[..dims])))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Measure;

    #[test]
    fn numbers_that_a_method_makes_too_large_are_an_error() {
        let set = |values: &[f32], labels: &[i64]| {
            EmbeddingSet::new(values.to_vec(), 2).unwrap().with_labels(labels.to_vec()).unwrap()
        };
        let train = set(&[0.0, 0.0, 1.0, 1.0, 2.0, 2.0, 3.0, 3.0], &[0, 0, 1, 1]);
        let test = set(&[3e38, 3e38], &[1]);
        let options = EvalOptions {
            dims: Some(vec![1]),
            methods: vec![Method::Pca],
            measures: vec![Measure::Knn1],
            ..EvalOptions::default()
        };
        let error = evaluate(&train, &test, &options, &mut |_| {}).unwrap_err().to_string();
        assert!(error.starts_with("pca makes numbers of the test set that are too large for f32"), "{error}");
    }
}
