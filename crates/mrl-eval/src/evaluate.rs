use std::collections::BTreeMap;

use mrl_embedding::EmbeddingSet;

use crate::{
    EvalError, EvalOptions, Measures, Method, Report, Step,
    check::{Checked, check},
    examples,
    pca::principal_components,
    pieces::Pieces,
    projection::{Projection, pick, shuffled},
    report::Measured,
    rows::Rows,
    standardise::Moments,
    sweep::Sweep,
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
    /// When the eigenvectors of a covariance are not found.
    pub fn run(self, progress: &mut dyn FnMut(Step<'_>)) -> Result<Report, EvalError> {
        let Self { train, test, options, .. } = self;
        let sweep = Sweep::new(train, test, &self.checked, options);
        let finds_neighbours = options.finds_neighbours();
        let total = options.methods.len() * (1 + sweep.pieces()) + usize::from(finds_neighbours);
        let mut pieces = Pieces::new(total, progress);
        pieces.begin("mean and covariance");
        let moments = Moments::of(Rows::of(train));

        let mut methods = BTreeMap::new();
        for (index, &method) in options.methods.iter().enumerate() {
            if index > 0 {
                pieces.begin(&format!("{method}: features"));
            }
            methods.insert(method, self.sweep(&sweep, method, &moments, &mut pieces)?);
        }
        let examples = if finds_neighbours {
            pieces.begin("neighbours to be shown");
            examples::pick(train, test, &self.checked)
        } else {
            Vec::new()
        };
        pieces.end();
        let measured = Measured { methods, variance: moments.variance(), examples };
        drop(sweep);
        Ok(Report::new(train, test, options, self.checked, measured, self.baselines))
    }

    /// `moments` are those of the training set.
    fn sweep(
        &self,
        sweep: &Sweep<'_>,
        method: Method,
        moments: &Moments,
        pieces: &mut Pieces<'_>,
    ) -> Result<Measures, EvalError> {
        let (train, test) = (Rows::of(self.train), Rows::of(self.test));
        let Some(shorten) = shortening(method, moments, self.options.seed)? else {
            return sweep.run(train, test, moments, method, pieces);
        };
        let longest = self.checked.dims[self.checked.dims.len() - 1];
        let (train, test) = (shorten(train, longest), shorten(test, longest));
        let (train, test) = (Rows::new(&train, longest), Rows::new(&test, longest));
        sweep.run(train, test, &Moments::of(train), method, pieces)
    }
}

/// Makes of rows `[n, width]` and a length `d` rows `[n, d]`, whose first numbers are those of a shorter `d`.
type Shortening = Box<dyn Fn(Rows<'_>, usize) -> Vec<f32>>;

/// None for prefixes, which are the rows themselves.
fn shortening(method: Method, moments: &Moments, seed: u64) -> Result<Option<Shortening>, EvalError> {
    let width = moments.mean().len();
    let project = |map: Projection| -> Shortening { Box::new(move |rows, dims| map.project(rows, dims)) };
    Ok(match method {
        Method::Prefix => None,
        Method::Pca => Some(project(principal_components(moments)?.0)),
        Method::RandomProjection => Some(project(Projection::random(width, seed))),
        Method::RandomCoordinates => {
            let order = shuffled(width, seed);
            Some(Box::new(move |rows, dims| pick(rows, &order[..dims])))
        }
    })
}
