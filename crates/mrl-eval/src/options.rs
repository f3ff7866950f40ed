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
    /// The first `d` centred principal components, fitted on the whole width of the training set.
    Pca,
    /// The first `d` uncentred principal components: the mean is not subtracted. All `d` of them keep the cosines of the full vectors.
    PcaUncentred,
    /// `d` random directions, normally distributed; those of a shorter one are the first of a longer one.
    RandomProjection,
    /// `d` of the numbers, chosen at random; those of a shorter one are among a longer one's.
    RandomCoordinates,
}

/// What to measure at each length.
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
pub enum Measure {
    /// The logistic probe: accuracy, log-loss, calibration error, confusion matrix.
    Probe,
    /// Temperature scaling of the probe on held-out training rows, and the cascade that it makes possible.
    Cascade,
    /// The nearest neighbour.
    Knn1,
    /// The weighted vote of the nearest neighbours.
    Knn,
    /// Mean average precision, precision and recall of the hits.
    Retrieval,
    /// Effective rank.
    Geometry,
}

/// Where the test rows search as queries.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Display, EnumString, VariantNames,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Database {
    /// Among the training rows.
    #[default]
    Train,
    /// Among the other test rows.
    Test,
}

/// What to evaluate, and how strictly.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct EvalOptions {
    /// The lengths to evaluate, in any order; by default those that the set says were trained, else powers of two.
    pub dims: Option<Vec<usize>>,
    /// The ways of shortening to compare.
    pub methods: Vec<Method>,
    /// What to measure.
    pub measures: Vec<Measure>,
    /// The probe's penalty, scikit-learn's `1 / C`; none chooses it for each dim by cross-validation on the training set.
    pub l2: Option<f64>,
    /// The probe is converged when no entry of the gradient of its mean objective exceeds this, or this times the objective
    /// where that is below 1, though not below 1e-5.
    pub tolerance: f64,
    /// Voters of the weighted k-NN; all training rows where there are fewer.
    pub neighbours: usize,
    /// A voter weighs `exp(cosine / temperature)` (Wu et al. 2018).
    pub temperature: f64,
    /// Where the test rows search.
    pub database: Database,
    /// The lengths of the list of hits.
    pub hits: Vec<usize>,
    /// Bootstrap resamples of the test rows; without any there are no intervals.
    pub resamples: usize,
    /// What the bootstrap, the random projection and the random coordinates are drawn from, and which rows cross-validation judges by
    /// where they are too many.
    pub seed: u64,
}

impl Default for EvalOptions {
    fn default() -> Self {
        Self {
            dims: None,
            methods: vec![Method::Prefix, Method::Pca, Method::RandomProjection, Method::RandomCoordinates],
            measures: vec![
                Measure::Probe,
                Measure::Cascade,
                Measure::Knn1,
                Measure::Knn,
                Measure::Retrieval,
                Measure::Geometry,
            ],
            l2: None,
            tolerance: 1e-6,
            neighbours: 200,
            temperature: 0.1,
            database: Database::Train,
            hits: vec![10, 100],
            resamples: 1_000,
            seed: 0,
        }
    }
}

impl EvalOptions {
    pub(crate) fn takes(&self, measure: Measure) -> bool {
        self.measures.contains(&measure)
    }

    pub(crate) fn fits_probes(&self) -> bool {
        self.takes(Measure::Probe) || self.takes(Measure::Cascade)
    }

    /// Whether the lists of a measure are filled; those of the probe also for a cascade.
    pub(crate) fn lists(&self, measure: Measure) -> bool {
        if measure == Measure::Probe { self.fits_probes() } else { self.takes(measure) }
    }

    /// Whether probes are fitted without a part of the training rows, to judge it.
    pub(crate) fn holds_out(&self) -> bool {
        self.takes(Measure::Cascade) || (self.takes(Measure::Probe) && self.l2.is_none())
    }

    pub(crate) fn finds_neighbours(&self) -> bool {
        [Measure::Knn1, Measure::Knn, Measure::Retrieval].into_iter().any(|measure| self.takes(measure))
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
