use serde::{Deserialize, Serialize};

use crate::{EvalOptions, Measure};

/// What one way of shortening reached. The lists have an entry for each of `dims`, or none where the measure was not
/// asked for. Accuracies are fractions of the test rows; intervals hold 95 % of the bootstrap's resamples, without which there
/// are none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Measures {
    /// The lengths, increasing.
    pub dims: Vec<usize>,
    /// Accuracy of the logistic probe.
    pub logreg: Vec<f64>,
    /// Its interval.
    pub logreg_interval: Vec<Interval>,
    /// Accuracy of the nearest neighbour by cosine.
    pub knn1: Vec<f64>,
    /// Its interval.
    pub knn1_interval: Vec<Interval>,
    /// Accuracy of the weighted vote of the nearest neighbours.
    pub knn: Vec<f64>,
    /// Its interval.
    pub knn_interval: Vec<Interval>,
    /// More about the probes.
    pub probe: Vec<ProbeScores>,
    /// What the prefix finds as a query.
    pub retrieval: Vec<RetrievalScores>,
    /// `exp` of the entropy of the covariance's eigenvalues (Roy & Vetterli 2007): how many directions carry the variance.
    pub effective_rank: Vec<f64>,
    /// Classifying with as few numbers as each row needs; for prefixes alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cascade: Option<Cascade>,
}

impl Measures {
    /// What the lists are of.
    pub(crate) const LISTED: [Measure; 5] =
        [Measure::Probe, Measure::Knn1, Measure::Knn, Measure::Retrieval, Measure::Geometry];

    /// The name and length of each list, and whether `options` ask for what is in it.
    pub(crate) fn lengths(&self, options: &EvalOptions) -> [(&'static str, usize, bool); 9] {
        let [probe, knn1, knn, retrieval, geometry] = Self::LISTED.map(|measure| options.lists(measure));
        let sure = options.resamples > 0;
        [
            ("logreg", self.logreg.len(), probe),
            ("logreg_interval", self.logreg_interval.len(), probe && sure),
            ("probe", self.probe.len(), probe),
            ("knn1", self.knn1.len(), knn1),
            ("knn1_interval", self.knn1_interval.len(), knn1 && sure),
            ("knn", self.knn.len(), knn),
            ("knn_interval", self.knn_interval.len(), knn && sure),
            ("retrieval", self.retrieval.len(), retrieval),
            ("effective_rank", self.effective_rank.len(), geometry),
        ]
    }
}

/// Lower and upper end.
pub type Interval = [f64; 2];

/// A logistic probe, as fitted and as measured on the test rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProbeScores {
    /// The penalty, given or chosen by cross-validation on the training rows: scikit-learn's `1 / C`.
    pub l2: f64,
    /// The objective on the training set, summed over rows, as scikit-learn defines it.
    pub objective: f64,
    /// The largest entry of the gradient of the mean objective, over the objective where that is below 1, though not below 1e-5, where fitting
    /// ended.
    pub gradient_norm: f64,
    /// Steps of L-BFGS.
    pub iterations: usize,
    /// Whether the gradient norm is below the tolerance.
    pub converged: bool,
    /// Probabilities as the probe gives them.
    pub raw: Calibration,
    /// Probabilities after temperature scaling; none where it was not asked for.
    pub scaled: Option<Calibration>,
    /// An entry for each of the report's class labels.
    pub classes: Vec<ClassScores>,
    /// Test rows by true class (outer) and predicted class (inner); empty above 100 classes.
    pub confusion: Vec<Vec<usize>>,
}

/// How far probabilities can be believed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// What the logits are divided by (Guo et al. 2017), fitted on held-out training rows; 1 before scaling.
    pub temperature: f64,
    /// Mean of `-ln` of the probability of the true class, in nats, over test rows of known classes: others have no such
    /// probability.
    pub log_loss: f64,
    /// Expected calibration error, over the bins: of all test rows, those of unknown classes being wrong.
    pub ece: f64,
    /// Bins of equal width of the confidence, from 0 to 1.
    pub bins: Vec<Bin>,
}

/// Test rows whose confidence lies in one bin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Bin {
    /// Rows.
    pub count: usize,
    /// Mean probability of the predicted class; 0 for an empty bin.
    pub confidence: f64,
    /// Fraction of rows that are right; 0 for an empty bin.
    pub accuracy: f64,
}

/// How well one class is found. What has no rows to be a fraction of is 0, as in scikit-learn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ClassScores {
    /// Of the rows predicted as this class, the fraction that is.
    pub precision: f64,
    /// Of the rows of this class, the fraction predicted as it.
    pub recall: f64,
    /// Harmonic mean of both.
    pub f1: f64,
    /// Test rows of this class.
    pub support: usize,
}

/// What test rows find as queries, by cosine: a found row is relevant when it has the query's label. Means over the queries
/// for which there is a relevant row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RetrievalScores {
    /// Multiply-adds of a query against the database: rows times dims.
    pub multiply_adds: u64,
    /// An entry for each length of the list of hits.
    pub at: Vec<RetrievalAt>,
}

/// Retrieval with lists of `k` hits; no scores where no query has a relevant row.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RetrievalAt {
    /// Hits.
    pub k: usize,
    /// Mean average precision: precision at each relevant hit, summed, over `min(k, relevant rows)`.
    pub map: Option<f64>,
    /// Its interval.
    pub map_interval: Option<Interval>,
    /// Relevant hits over `k`.
    pub precision: Option<f64>,
    /// Relevant hits over relevant rows.
    pub recall: Option<f64>,
}

/// A cascade of the probes: a row stops at the first dim whose confidence reaches that dim's threshold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cascade {
    /// From the cheapest cascade to the most careful.
    pub points: Vec<CascadePoint>,
    /// Which point loses nothing on held-out training rows against the longest dim alone.
    pub lossless: usize,
    /// A row stops at the first dim that is right, if any is, else at the shortest: no thresholds can do better.
    pub oracle: CascadeCost,
}

/// A cascade's thresholds, fitted on held-out training rows, and what they reach on the test rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CascadePoint {
    /// What the thresholds may lose, as a fraction of the held-out rows, against the longest dim alone.
    pub allowed_loss: f64,
    /// A threshold for each dim but the last, which takes what is left; above 1 nothing stops.
    pub thresholds: Vec<f64>,
    /// What it reaches.
    #[serde(flatten)]
    pub cost: CascadeCost,
}

/// Accuracy and cost of a cascade on the test rows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CascadeCost {
    /// Fraction of rows that are right.
    pub accuracy: f64,
    /// Mean of the dim at which rows stop: the numbers that are read.
    pub expected_dims: f64,
    /// Mean of the sum of all dims tried until then: the numbers that are multiplied, for each probe begins anew.
    pub expected_dims_tried: f64,
}

/// A test row and what lies nearest to it, at some prefix lengths.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Example {
    /// The test row.
    pub row: usize,
    /// Its label.
    pub label: i64,
    /// Its neighbours at each of these dims.
    pub prefixes: Vec<ExamplePrefix>,
}

/// The neighbours of a test row at one dim.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExamplePrefix {
    /// The prefix length.
    pub dim: usize,
    /// Training rows, from the nearest.
    pub rows: Vec<usize>,
    /// Their labels.
    pub labels: Vec<i64>,
}
