//! Everything that can be wrong with the input of an evaluation is found here, before anything is computed.

use std::collections::BTreeSet;

use mrl_embedding::{EmbeddingSet, Metadata, Nesting};

use crate::{EvalError, EvalOptions, Measure, error::Side};

/// What both sets say once they have been checked.
pub(crate) struct Checked {
    /// Increasing, each from 1 to the width.
    pub(crate) dims: Vec<usize>,
    /// The training labels, each once, increasing: class `c` is `classes[c]`.
    pub(crate) classes: Vec<i64>,
    /// Class of each training row.
    pub(crate) train: Vec<usize>,
    /// Class of each test row; none where training has no such label.
    pub(crate) test: Vec<Option<usize>>,
}

pub(crate) fn check(
    train: &EmbeddingSet,
    test: &EmbeddingSet,
    options: &EvalOptions,
) -> Result<Checked, EvalError> {
    check_options(options, test.len())?;
    check_agreement(train, test)?;
    let nesting = train.metadata.nesting.as_ref().or(test.metadata.nesting.as_ref());
    let dims = dims(train.width(), nesting, options.dims.as_deref())?;
    check_neighbours(options, train.len().max(test.len()), test.len() * dims.len())?;
    let train_labels = check_set(train, Side::Train)?;
    let test_labels = check_set(test, Side::Test)?;
    let classes: Vec<i64> = train_labels.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
    if let &[only] = classes.as_slice() {
        return Err(EvalError::OneClass(only));
    }
    let class = |label: &i64| classes.binary_search(label).ok();
    let train: Vec<usize> = train_labels.iter().filter_map(class).collect();
    let test: Vec<Option<usize>> = test_labels.iter().map(class).collect();
    if test.iter().all(Option::is_none) {
        return Err(EvalError::NoKnownLabels);
    }
    if options.holds_out() && classes.len() == train.len() {
        return Err(EvalError::NothingHeldOut);
    }
    Ok(Checked { dims, classes, train, test })
}

/// A byte for each test row and resample.
const MOST_RESAMPLED: usize = 1 << 30;

/// Sixteen bytes for each test row, dim and neighbour.
const MOST_FOUND: usize = 1 << 28;

fn check_options(options: &EvalOptions, test_rows: usize) -> Result<(), EvalError> {
    let usable = |value: f64| value > 0.0 && value.is_finite();
    if options.methods.is_empty() {
        return Err(EvalError::NoMethods);
    }
    if let Some(method) = repeated(&options.methods) {
        return Err(EvalError::RepeatedMethod(method));
    }
    if options.measures.is_empty() {
        return Err(EvalError::NoMeasures);
    }
    if let Some(measure) = repeated(&options.measures) {
        return Err(EvalError::RepeatedMeasure(measure));
    }
    if options.neighbours == 0 {
        return Err(EvalError::NoNeighbours);
    }
    if !usable(options.temperature) {
        return Err(EvalError::Temperature(options.temperature));
    }
    if options.hits.is_empty() || options.hits.contains(&0) || repeated(&options.hits).is_some() {
        return Err(EvalError::Hits(options.hits.clone()));
    }
    let most = MOST_RESAMPLED / test_rows.max(1);
    if options.resamples > most {
        return Err(EvalError::Resamples { resamples: options.resamples, rows: test_rows, most });
    }
    if let Some(l2) = options.l2.filter(|&l2| !usable(l2)) {
        return Err(EvalError::L2(l2));
    }
    if !usable(options.tolerance) {
        return Err(EvalError::Tolerance(options.tolerance));
    }
    Ok(())
}

/// Whether the neighbours among at most `rows` others can be held: of all test rows, by all dims.
fn check_neighbours(options: &EvalOptions, rows: usize, searches: usize) -> Result<(), EvalError> {
    let nearest = options.takes(Measure::Knn1).then_some(1);
    let voters = options.takes(Measure::Knn).then_some(options.neighbours);
    let hits = options.takes(Measure::Retrieval).then(|| options.hits.iter().copied().max()).flatten();
    let most = MOST_FOUND / searches.max(1);
    match nearest.max(voters).max(hits).map(|k| k.min(rows)) {
        Some(k) if k > most => Err(EvalError::Neighbours { k, searches, most }),
        _ => Ok(()),
    }
}

fn repeated<T: Copy + Ord>(values: &[T]) -> Option<T> {
    let mut seen = BTreeSet::new();
    values.iter().copied().find(|&value| !seen.insert(value))
}

/// What only one of the sets says is no contradiction: a set may come from another program.
fn check_agreement(train: &EmbeddingSet, test: &EmbeddingSet) -> Result<(), EvalError> {
    if train.width() != test.width() {
        return Err(EvalError::Width { train: train.width(), test: test.width() });
    }
    let (a, b) = (&train.metadata, &test.metadata);
    let nesting = |nesting: &Option<Nesting>| nesting.as_ref().map(ToString::to_string);
    // Sets of our encoders say their weights; without a fold they are unfolded.
    let unfolded = |set: &Metadata| set.weights.as_ref().map(|_| "none".to_owned());
    let fold = |set: &Metadata| set.fold.clone().or_else(|| unfolded(set));
    let said = [
        ("encoder", a.encoder.clone(), b.encoder.clone()),
        ("network", a.network.clone(), b.network.clone()),
        ("preprocessing", a.preprocessing.clone(), b.preprocessing.clone()),
        ("nesting", nesting(&a.nesting), nesting(&b.nesting)),
        ("fold", fold(a), fold(b)),
    ];
    for (what, train, test) in said {
        if let (Some(train), Some(test)) = (train, test)
            && train != test
        {
            return Err(EvalError::Mismatch { what, train, test });
        }
    }
    check_class_names(a, b)?;
    let differ =
        |train: &Option<String>, test: &Option<String>| train.is_some() && test.is_some() && train != test;
    if differ(&a.config, &b.config) {
        return Err(EvalError::Configuration);
    }
    if differ(&a.weights, &b.weights) {
        return Err(EvalError::Weights);
    }
    Ok(())
}

fn check_class_names(train: &Metadata, test: &Metadata) -> Result<(), EvalError> {
    match train.class_of_another_name(test) {
        Some((label, train, test)) => {
            Err(EvalError::ClassNames { label, train: train.to_owned(), test: test.to_owned() })
        }
        None => Ok(()),
    }
}

/// The labels of a set whose every number and label can be used.
fn check_set(set: &EmbeddingSet, side: Side) -> Result<&[i64], EvalError> {
    if set.is_empty() {
        return Err(EvalError::Empty(side));
    }
    let labels = set.labels().ok_or(EvalError::NoLabels(side))?;
    if let Some(row) = labels.iter().position(|&label| label < 0) {
        return Err(EvalError::NegativeLabel { side, row, label: labels[row] });
    }
    if let Some(index) = set.embeddings().iter().position(|value| !value.is_finite()) {
        let (row, position) = (index / set.width(), index % set.width());
        return Err(EvalError::NotFinite { side, row, position, value: set.embeddings()[index] });
    }
    Ok(labels)
}

/// Those asked for, or else those that were trained.
fn dims(width: usize, nesting: Option<&Nesting>, asked: Option<&[usize]>) -> Result<Vec<usize>, EvalError> {
    let mut dims = match (asked, nesting) {
        (Some(dims), _) => dims.to_vec(),
        (None, Some(nesting)) => nesting.dims().to_vec(),
        (None, None) => Nesting::powers_of_two(width).map_err(|_| EvalError::NoDims)?.dims().to_vec(),
    };
    if dims.is_empty() {
        return Err(EvalError::NoDims);
    }
    if dims.contains(&0) {
        return Err(EvalError::ZeroDim);
    }
    if let Some(&dim) = dims.iter().find(|&&dim| dim > width) {
        return Err(EvalError::DimTooWide { dim, width });
    }
    if let Some(dim) = repeated(&dims) {
        return Err(EvalError::RepeatedDim(dim));
    }
    dims.sort_unstable();
    Ok(dims)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Method;

    fn set(labels: &[i64]) -> EmbeddingSet {
        let values = (0..labels.len() * 4).map(|value| value as f32).collect();
        EmbeddingSet::new(values, 4).unwrap().with_labels(labels.to_vec()).unwrap()
    }

    fn message(train: &EmbeddingSet, test: &EmbeddingSet, options: &EvalOptions) -> String {
        check(train, test, options).err().expect("an error").to_string()
    }

    fn option_message(options: &EvalOptions) -> String {
        message(&set(&[0, 1]), &set(&[0]), options)
    }

    fn dims_message(dims: &[usize]) -> String {
        option_message(&EvalOptions { dims: Some(dims.to_vec()), ..EvalOptions::default() })
    }

    fn set_message(train: &EmbeddingSet, test: &EmbeddingSet) -> String {
        message(train, test, &EvalOptions::default())
    }

    #[test]
    fn each_unusable_option_has_its_own_sentence() {
        let options = EvalOptions::default;
        assert_eq!(dims_message(&[]), "no dims to evaluate; give at least one");
        assert_eq!(dims_message(&[2, 0]), "a prefix of 0 dims is empty; use dims from 1");
        assert_eq!(dims_message(&[2, 8]), "dim 8 exceeds the embeddings' width 4; use dims up to 4");
        assert_eq!(dims_message(&[2, 4, 2]), "dim 2 is given twice; give each dim once");
        assert_eq!(
            option_message(&EvalOptions { methods: vec![], ..options() }),
            "no methods to evaluate; give at least one, such as prefix"
        );
        assert_eq!(
            option_message(&EvalOptions { methods: vec![Method::Pca, Method::Pca], ..options() }),
            "method pca is given twice; give each method once"
        );
        assert_eq!(
            option_message(&EvalOptions { measures: vec![], ..options() }),
            "nothing to measure; give at least one measure, such as probe"
        );
        assert_eq!(
            option_message(&EvalOptions { measures: vec![Measure::Knn, Measure::Knn], ..options() }),
            "measure knn is given twice; give each measure once"
        );
        assert_eq!(
            option_message(&EvalOptions { neighbours: 0, ..options() }),
            "0 neighbours cannot vote; give at least 1, such as 200"
        );
        assert_eq!(
            option_message(&EvalOptions { temperature: -1.0, ..options() }),
            "temperature cannot be -1; give a number above 0, such as 0.1"
        );
        assert_eq!(
            option_message(&EvalOptions { hits: vec![10, 0], ..options() }),
            "hits cannot be [10, 0]; give how many hits to look at, each number once and above 0, such as 10,100"
        );
        assert_eq!(
            option_message(&EvalOptions { resamples: 1 << 40, ..options() }),
            "1099511627776 resamples of 1 test rows exceed the memory that is meant for them; use up to 1073741824"
        );
        let many = EvalOptions { neighbours: 1 << 40, ..options() };
        assert!(check_neighbours(&many, 1 << 20, 1 << 8).is_ok());
        assert_eq!(
            check_neighbours(&many, 1 << 20, 1 << 9).unwrap_err().to_string(),
            "1048576 neighbours in each of 512 searches exceed the memory that is meant for them; use up to 524288"
        );
        assert_eq!(
            option_message(&EvalOptions { l2: Some(0.0), ..options() }),
            "l2 cannot be 0; give a number above 0: without a penalty, classes that can be separated have no best probe"
        );
        assert_eq!(
            option_message(&EvalOptions { tolerance: f64::NAN, ..options() }),
            "tolerance cannot be NaN; give a number above 0, such as 1e-6"
        );
    }

    #[test]
    fn each_unusable_set_has_its_own_sentence() {
        let good = set(&[0, 1]);
        let unlabelled = EmbeddingSet::new(vec![0.0; 8], 4).unwrap();
        assert_eq!(
            set_message(&unlabelled, &good),
            "the training set has no labels, which accuracy is measured against; embed a labelled split, or give a file of labels (--train-labels, --test-labels)"
        );
        assert_eq!(
            set_message(&good, &unlabelled),
            "the test set has no labels, which accuracy is measured against; embed a labelled split, or give a file of labels (--train-labels, --test-labels)"
        );
        assert_eq!(set_message(&good, &set(&[])), "the test set has no embeddings; give at least one");
        assert_eq!(
            set_message(&set(&[7, 7]), &good),
            "all labels of the training set are 7; a classifier needs rows of at least two classes"
        );
        assert_eq!(
            set_message(&good, &set(&[0, -1])),
            "row 1 of the test set has label -1; leave unlabelled rows out, labels count from 0"
        );
        assert_eq!(
            set_message(&good, &set(&[2, 3])),
            "no label of the test set is in the training set; embed two splits of one data set"
        );
        assert_eq!(
            set_message(&good, &good),
            "no class has two training rows, one of which could be held out; give --l2 and leave out the measure cascade"
        );
        let damaged = EmbeddingSet::new(vec![0.0, 0.0, 0.0, 0.0, 0.0, f32::INFINITY, 0.0, 0.0], 4).unwrap();
        assert_eq!(
            set_message(&damaged.with_labels(vec![0, 1]).unwrap(), &good),
            "row 1 of the training set holds inf at position 1; embed again with an encoder whose numbers are finite"
        );
    }

    #[test]
    fn each_contradiction_between_the_sets_has_its_own_sentence() {
        let with = |metadata: Metadata| {
            let mut set = set(&[0, 1]);
            set.metadata = metadata;
            set
        };
        let contradiction = |train: Metadata, test: Metadata| set_message(&with(train), &with(test));
        let some = |text: &str| Some(text.to_owned());
        let other = Metadata::default;
        let narrow = EmbeddingSet::new(vec![0.0; 4], 2).unwrap().with_labels(vec![0, 1]).unwrap();
        assert_eq!(
            set_message(&set(&[0, 1]), &narrow),
            "the training set is 4 wide but the test set is 2; embed both with the same encoder"
        );
        assert_eq!(
            contradiction(
                Metadata { encoder: some("resnet18"), ..other() },
                Metadata { encoder: some("resnet50"), ..other() }
            ),
            "the training set's encoder is resnet18 but the test set's is resnet50; embed both in the same way"
        );
        assert_eq!(
            contradiction(
                Metadata { network: some("target"), ..other() },
                Metadata { network: some("online"), ..other() }
            ),
            "the training set's network is target but the test set's is online; embed both in the same way"
        );
        assert_eq!(
            contradiction(
                Metadata { preprocessing: some("32x32"), ..other() },
                Metadata { preprocessing: some("64x64"), ..other() }
            ),
            "the training set's preprocessing is 32x32 but the test set's is 64x64; embed both in the same way"
        );
        let nesting = |dims: &[usize]| Some(Nesting::new(dims, 4).unwrap());
        assert_eq!(
            contradiction(
                Metadata { nesting: nesting(&[2, 4]), ..other() },
                Metadata { nesting: nesting(&[4]), ..other() }
            ),
            "the training set's nesting is 2,4 but the test set's is 4; embed both in the same way"
        );
        assert_eq!(
            contradiction(
                Metadata { weights: some("1f"), fold: some("principal"), ..other() },
                Metadata { weights: some("2e"), ..other() }
            ),
            "the training set's fold is principal but the test set's is none; embed both in the same way"
        );
        assert_eq!(
            contradiction(
                Metadata { config: some("seed = 1"), ..other() },
                Metadata { config: some("seed = 2"), ..other() }
            ),
            "the training set and the test set come from runs with different configurations; embed both with one run"
        );
        assert_eq!(
            contradiction(
                Metadata { weights: some("1f"), ..other() },
                Metadata { weights: some("2e"), ..other() }
            ),
            "the training set and the test set come from different weights of one run, which went on in between; embed \
             both with the same weights"
        );
        let classes = |names: &[&str]| Some(names.iter().map(|&name| name.to_owned()).collect());
        assert_eq!(
            contradiction(
                Metadata { class_names: classes(&["ant", "bee", "cat"]), ..other() },
                Metadata { class_names: classes(&["bee", "cat"]), ..other() }
            ),
            "label 0 is ant in the training set but bee in the test set; number classes alike: give both splits a folder for \
             every class, an empty one where a split has no image of it"
        );
        assert!(
            check(
                &with(Metadata { encoder: some("resnet18"), ..other() }),
                &with(other()),
                &EvalOptions { measures: vec![Measure::Knn], ..EvalOptions::default() }
            )
            .is_ok()
        );
    }

    #[test]
    fn dims_default_to_the_trained_ones_then_to_powers_of_two() {
        let nesting = Nesting::new([1, 3, 4], 4).unwrap();
        assert_eq!(dims(4, None, None).unwrap(), [4]);
        assert_eq!(dims(4, Some(&nesting), None).unwrap(), [1, 3, 4]);
        assert_eq!(dims(4, Some(&nesting), Some(&[4, 2])).unwrap(), [2, 4]);
        let mut test = set(&[0, 1, 0]);
        test.metadata.nesting = Some(nesting);
        let options = EvalOptions { measures: vec![Measure::Knn1], ..EvalOptions::default() };
        assert_eq!(check(&set(&[0, 1]), &test, &options).unwrap().dims, [1, 3, 4]);
    }

    #[test]
    fn labels_become_classes_and_unseen_ones_none() {
        let checked = check(&set(&[5, 2, 9, 5]), &set(&[9, 3, 2]), &EvalOptions::default()).unwrap();
        assert_eq!(checked.classes, [2, 5, 9]);
        assert_eq!(checked.train, [1, 0, 2, 1]);
        assert_eq!(checked.test, [Some(2), None, Some(0)]);
    }
}
