use std::collections::BTreeMap;

use mrl_embedding::EmbeddingSet;

use crate::{
    EvalError, EvalOptions, Method, Report, Step,
    check::check,
    examples,
    pca::Pca,
    pieces::Pieces,
    projection::{Projection, pick, shuffled},
    report::Measured,
    rows::Rows,
    standardise::Moments,
    sweep::Sweep,
};

/// Measures what `test` is worth at each length, given `train`.
///
/// For each method and dim what [`EvalOptions::measures`] names: a logistic probe (multinomial, standardised features,
/// fitted on `train` until it converges), neighbours by cosine (truncated, then normalised; of equal cosines the row that
/// comes first; a zero row has cosine 0 with every other), and what follows from them. A test label that `train` does not
/// have counts as an error of every classifier, and the report says how many there are. Nothing is chosen by looking at
/// the test rows.
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
    let sweep = Sweep::new(train, test, &checked, options);
    let mut pieces = Pieces::new(options.methods.len() * (1 + sweep.pieces()), progress);
    let (train_rows, test_rows) = (Rows::of(train), Rows::of(test));
    pieces.begin("mean and covariance");
    let moments = Moments::of(train_rows);
    let longest = checked.dims[checked.dims.len() - 1];

    let mut methods = BTreeMap::new();
    for (index, &method) in options.methods.iter().enumerate() {
        if index > 0 {
            pieces.begin(&format!("{method}: features"));
        }
        let measures = match shortening(method, &moments, options.seed)? {
            None => sweep.run(train_rows, test_rows, &moments, method, &mut pieces)?,
            Some(shorten) => {
                let (train, test) = (shorten(train_rows, longest), shorten(test_rows, longest));
                let (train, test) = (Rows::new(&train, longest), Rows::new(&test, longest));
                sweep.run(train, test, &Moments::of(train), method, &mut pieces)?
            }
        };
        methods.insert(method, measures);
    }
    pieces.end();
    let examples = examples::pick(train, test, &checked);
    let measured = Measured { methods, variance: moments.variance(), examples };
    Ok(Report::new(train, test, options, checked, measured))
}

/// Makes of rows `[n, width]` and a length `d` rows `[n, d]`, whose first numbers are those of a shorter `d`.
type Shortening = Box<dyn Fn(Rows<'_>, usize) -> Vec<f32>>;

/// None for prefixes, which are the rows themselves.
fn shortening(method: Method, moments: &Moments, seed: u64) -> Result<Option<Shortening>, EvalError> {
    let width = moments.mean().len();
    let project = |map: Projection| -> Shortening { Box::new(move |rows, dims| map.project(rows, dims)) };
    Ok(match method {
        Method::Prefix => None,
        Method::Pca => Some(project(Pca::fit(moments)?.map)),
        Method::RandomProjection => Some(project(Projection::random(width, seed))),
        Method::RandomCoordinates => {
            let order = shuffled(width, seed);
            Some(Box::new(move |rows, dims| pick(rows, &order[..dims])))
        }
    })
}
