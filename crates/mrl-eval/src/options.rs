use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, VariantNames};

/// How an embedding is shortened to `d` numbers.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    Display,
    EnumString,
    VariantNames,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Method {
    /// The first `d` numbers: what nesting trains.
    Prefix,
    /// The first `d` principal components, fitted on the whole width of the training set.
    Pca,
}

/// What to evaluate, and how strictly.
#[derive(Clone, Debug, PartialEq)]
pub struct EvalOptions {
    /// The lengths to evaluate, in any order; by default those that the set says were trained, else powers of two.
    pub dims: Option<Vec<usize>>,
    /// The ways of shortening to compare.
    pub methods: Vec<Method>,
    /// The probe's penalty: scikit-learn's `1 / C`.
    pub l2: f64,
    /// The probe is converged when no entry of the gradient of its mean objective exceeds this.
    pub tolerance: f64,
}

impl Default for EvalOptions {
    fn default() -> Self {
        Self { dims: None, methods: vec![Method::Prefix, Method::Pca], l2: 1.0, tolerance: 1e-6 }
    }
}

/// How far an evaluation has come: reported before each piece of work, and once more when all are done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step<'a> {
    /// Pieces that are finished.
    pub done: usize,
    /// Pieces in all.
    pub total: usize,
    /// The piece that begins now, in words; empty at the end.
    pub what: &'a str,
}
