use mrl_linalg::EigenError;
use std::{fmt, path::PathBuf};

use crate::number::number;

/// Which of the two sets a sentence speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The set that the probe is fitted on and that neighbours come from.
    Train,
    /// The set whose accuracy is reported.
    Test,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Train => "the training set",
            Self::Test => "the test set",
        })
    }
}

/// What can go wrong with an evaluation.
#[derive(Debug, thiserror::Error)]
pub enum EvalError {
    /// A set has no rows.
    #[error("{0} has no embeddings; give at least one")]
    Empty(Side),
    /// A set has no labels.
    #[error(
        "{0} has no labels, which accuracy is measured against; embed a labelled split, or give a file of labels (--train-labels, --test-labels)"
    )]
    NoLabels(Side),
    /// A label is negative, which by convention means unlabelled.
    #[error("row {row} of {side} has label {label}; leave unlabelled rows out, labels count from 0")]
    NegativeLabel {
        /// The set.
        side: Side,
        /// The row, from 0.
        row: usize,
        /// Its label.
        label: i64,
    },
    /// The training labels are all the same.
    #[error("all labels of the training set are {0}; a classifier needs rows of at least two classes")]
    OneClass(i64),
    /// A number is NaN or infinite.
    #[error(
        "row {row} of {side} holds {value} at position {position}; embed again with an encoder whose numbers are finite"
    )]
    NotFinite {
        /// The set.
        side: Side,
        /// The row, from 0.
        row: usize,
        /// The place in the row, from 0.
        position: usize,
        /// The number.
        value: f32,
    },
    /// The sets are not equally wide.
    #[error("the training set is {train} wide but the test set is {test}; embed both with the same encoder")]
    Width {
        /// Width of the training set.
        train: usize,
        /// Width of the test set.
        test: usize,
    },
    /// The sets say that they were made differently, so that their numbers cannot be compared.
    #[error("the training set's {what} is {train} but the test set's is {test}; embed both in the same way")]
    Mismatch {
        /// `encoder`, `network`, `preprocessing`, `nesting`, `fold`.
        what: &'static str,
        /// What the training set says.
        train: String,
        /// What the test set says.
        test: String,
    },
    /// A label is not the same class in both sets.
    #[error(
        "label {label} is {train} in the training set but {test} in the test set; number classes alike: give both splits a folder for every class, an empty one where a split has no image of it"
    )]
    ClassNames {
        /// The label.
        label: usize,
        /// Its class in the training set.
        train: String,
        /// Its class in the test set.
        test: String,
    },
    /// The sets come from runs with different settings.
    #[error(
        "the training set and the test set come from runs with different configurations; embed both with one run"
    )]
    Configuration,
    /// The sets come from the same run at different times.
    #[error(
        "the training set and the test set come from different weights of one run, which went on in between; embed both with the same weights"
    )]
    Weights,
    /// The list of dims is empty.
    #[error("no dims to evaluate; give at least one")]
    NoDims,
    /// Dim 0 was asked for.
    #[error("a prefix of 0 dims is empty; use dims from 1")]
    ZeroDim,
    /// A dim is wider than the sets.
    #[error("dim {dim} exceeds the embeddings' width {width}; use dims up to {width}")]
    DimTooWide {
        /// The dim.
        dim: usize,
        /// The width of both sets.
        width: usize,
    },
    /// A dim was given twice.
    #[error("dim {0} is given twice; give each dim once")]
    RepeatedDim(usize),
    /// The list of methods is empty.
    #[error("no methods to evaluate; give at least one, such as prefix")]
    NoMethods,
    /// A method was given twice.
    #[error("method {0} is given twice; give each method once")]
    RepeatedMethod(crate::Method),
    /// The list of measures is empty.
    #[error("nothing to measure; give at least one measure, such as probe")]
    NoMeasures,
    /// A measure was given twice.
    #[error("measure {0} is given twice; give each measure once")]
    RepeatedMeasure(crate::Measure),
    /// No neighbour may vote.
    #[error("0 neighbours cannot vote; give at least 1, such as 200")]
    NoNeighbours,
    /// The temperature of the vote is not a positive number.
    #[error("temperature cannot be {}; give a number above 0, such as 0.1", number(*.0))]
    Temperature(f64),
    /// The lengths of the list of hits are empty, 0, or repeated.
    #[error(
        "hits cannot be {0:?}; give how many hits to look at, each number once and above 0, such as 10,100"
    )]
    Hits(Vec<usize>),
    /// Too many bootstrap resamples to hold.
    #[error(
        "{resamples} resamples of {rows} test rows exceed the memory that is meant for them; use up to {most}"
    )]
    Resamples {
        /// How many were asked for.
        resamples: usize,
        /// Rows of the test set.
        rows: usize,
        /// How many fit.
        most: usize,
    },
    /// The test set has no label that the training set has.
    #[error("no label of the test set is in the training set; embed two splits of one data set")]
    NoKnownLabels,
    /// There is nothing to hold out.
    #[error(
        "no class has two training rows, one of which could be held out; give --l2 and leave out the measure cascade"
    )]
    NothingHeldOut,
    /// Too many neighbours to hold.
    #[error(
        "{k} neighbours in each of {searches} searches exceed the memory that is meant for them; use up to {most}"
    )]
    Neighbours {
        /// Neighbours or hits of a row.
        k: usize,
        /// Rows of the test set times dims.
        searches: usize,
        /// How many fit.
        most: usize,
    },
    /// A baseline was not measured on the same images in the same way.
    #[error(
        "baseline {name} differs from the evaluation in {what}: {theirs}, not {ours}; evaluate both on the same images and in the same way"
    )]
    Baseline {
        /// The name that the user gave it.
        name: String,
        /// `test set`, `l2`, …
        what: String,
        /// Of the evaluation.
        ours: String,
        /// Of the baseline.
        theirs: String,
    },
    /// A baseline was measured at a width that another of the same name has.
    #[error("baseline {name} is given twice at {dim} dims; give each width once, or another name")]
    RepeatedBaseline {
        /// The name that the user gave it.
        name: String,
        /// The width.
        dim: usize,
    },
    /// A baseline was not measured with its full width.
    #[error(
        "baseline {name} is {width} wide, but was measured up to dim {dim} alone; evaluate it at {width} too"
    )]
    PartOfBaseline {
        /// The name that the user gave it.
        name: String,
        /// The longest dim that was measured.
        dim: usize,
        /// The width.
        width: usize,
    },
    /// A baseline is called like a method.
    #[error("{0} is the name of a method; choose another for the baseline")]
    BaselineName(String),
    /// A baseline and the evaluation have no measure in common.
    #[error(
        "baseline {name} was measured otherwise: {theirs}, not {ours}; evaluate both with a measure in common"
    )]
    NothingShared {
        /// The name that the user gave it.
        name: String,
        /// The measures of the evaluation.
        ours: String,
        /// Those of the baseline.
        theirs: String,
    },
    /// A baseline has no prefix that was measured.
    #[error("baseline {0} holds no measures of a prefix; evaluate it with the method prefix")]
    EmptyBaseline(String),
    /// No reports, or just one, to set side by side.
    #[error("there is nothing to compare; give at least two runs")]
    NothingToCompare,
    /// A report was given twice.
    #[error("{0} is given twice; give each run once")]
    RepeatedRun(String),
    /// A report has no prefixes.
    #[error("{0}: holds no measures of prefixes to compare; evaluate it with the method prefix")]
    NoPrefixes(String),
    /// The runs differ in what was measured.
    #[error(
        "run {run} has other dims, methods, measures or classes than run 1, so that a mean would say nothing; evaluate each alone and use `mrl eval --compare`"
    )]
    OtherRun {
        /// From 1.
        run: usize,
    },
    /// The penalty is not a positive number.
    #[error(
        "l2 cannot be {}; give a number above 0: without a penalty, classes that can be separated have no best probe",
        number(*.0)
    )]
    L2(f64),
    /// The tolerance is not a positive number.
    #[error("tolerance cannot be {}; give a number above 0, such as 1e-6", number(*.0))]
    Tolerance(f64),
    /// The eigenvectors of the features' covariance were not found.
    #[error(
        "the eigenvectors of the {0} x {0} covariance were not found; the embeddings' scales differ too much, rescale them"
    )]
    Eigen(usize),
    /// A method makes numbers beyond `f32` of a set.
    #[error(
        "{method} makes numbers of {side} that are too large for f32; divide the embeddings by a constant"
    )]
    TooLarge {
        /// The way of shortening.
        method: crate::Method,
        /// The set.
        side: Side,
    },
    /// The chart could not be drawn.
    #[error("{file}: the chart could not be drawn: {problem}")]
    Plot {
        /// The name of the file it was meant for.
        file: String,
        /// What the plotting library said.
        problem: String,
    },
    /// A report could not be read.
    #[error("{}: {source}; name a report.json, or the folder that `mrl eval` wrote it to", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A file is no report of this version.
    #[error("{}: is not a report that can be used ({problem}); write it again with `mrl eval`", path.display())]
    NotAReport {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
}

impl From<EigenError> for EvalError {
    fn from(EigenError(d): EigenError) -> Self {
        Self::Eigen(d)
    }
}

impl EvalError {
    /// Whether the cure is to ask for something else: another option.
    #[must_use]
    pub fn is_usage(&self) -> bool {
        matches!(
            self,
            Self::NoDims
                | Self::ZeroDim
                | Self::DimTooWide { .. }
                | Self::RepeatedDim(_)
                | Self::NoMethods
                | Self::RepeatedMethod(_)
                | Self::NoMeasures
                | Self::RepeatedMeasure(_)
                | Self::NoNeighbours
                | Self::Temperature(_)
                | Self::Hits(_)
                | Self::Resamples { .. }
                | Self::Neighbours { .. }
                | Self::NothingHeldOut
                | Self::RepeatedBaseline { .. }
                | Self::BaselineName(_)
                | Self::L2(_)
                | Self::Tolerance(_)
        )
    }
}
