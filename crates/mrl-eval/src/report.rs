use std::{
    collections::BTreeMap,
    io::Write,
    path::{Path, PathBuf},
};

use mrl_embedding::{EmbeddingSet, write_atomically};
use serde::{Deserialize, Serialize};

use crate::{EvalError, EvalOptions, Method, check::Checked, plot, probe::Probe, table};

/// The result of an evaluation: `report.json` is exactly this, field by field.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The lengths that were evaluated, increasing.
    pub dims: Vec<usize>,
    /// The lengths that were trained, evaluated or not; empty where the set does not say.
    pub trained_dims: Vec<usize>,
    /// What was measured, by method.
    pub methods: BTreeMap<Method, Measures>,
    /// Rows of the training set.
    pub train_size: usize,
    /// Rows of the test set.
    pub test_size: usize,
    /// Classes of the training set.
    pub classes: usize,
    /// Test rows whose label the training set does not have; each counts as an error.
    pub unseen_test_labels: usize,
    /// The probe's penalty: scikit-learn's `1 / C`.
    pub l2: f64,
    /// The largest gradient entry with which a probe counts as converged.
    pub tolerance: f64,
    /// The training set and its split.
    pub train_dataset: Option<String>,
    /// The test set and its split.
    pub test_dataset: Option<String>,
    /// The encoder that made the embeddings.
    pub encoder: Option<String>,
    /// Which of a run's two networks.
    pub network: Option<String>,
    /// What tells the encoder's weights from others.
    pub weights: Option<String>,
    /// How images became the encoder's input.
    pub preprocessing: Option<String>,
    /// The run's resolved configuration, as TOML.
    pub config: Option<String>,
    /// The version of the program that made the embeddings.
    pub embeddings_version: Option<String>,
    /// The version of the program that evaluated.
    pub version: String,
}

/// What one method reached, an entry for each of [`Report::dims`]. Accuracies are fractions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Measures {
    /// Accuracy of the logistic probe.
    pub logreg: Vec<f64>,
    /// Accuracy of the nearest neighbour by cosine.
    pub knn1: Vec<f64>,
    /// The probe's objective on the training set, summed over rows, as scikit-learn defines it.
    pub logreg_objective: Vec<f64>,
    /// The largest entry of the gradient of the probe's mean objective, where fitting ended.
    pub logreg_gradient_norm: Vec<f64>,
    /// Steps of L-BFGS, from the probe of the dim before.
    pub logreg_iterations: Vec<usize>,
    /// Whether the gradient norm is below the tolerance.
    pub logreg_converged: Vec<bool>,
}

impl Measures {
    pub(crate) fn push_probe(&mut self, accuracy: f64, probe: &Probe) {
        self.logreg.push(accuracy);
        self.logreg_objective.push(probe.objective);
        self.logreg_gradient_norm.push(probe.gradient_norm);
        self.logreg_iterations.push(probe.iterations);
        self.logreg_converged.push(probe.converged);
    }
}

impl Report {
    pub(crate) fn new(
        train: &EmbeddingSet,
        test: &EmbeddingSet,
        options: &EvalOptions,
        checked: Checked,
        methods: BTreeMap<Method, Measures>,
    ) -> Self {
        let (ours, theirs) = (&train.metadata, &test.metadata);
        let either = |a: &Option<String>, b: &Option<String>| a.clone().or_else(|| b.clone());
        let nesting = ours.nesting.as_ref().or(theirs.nesting.as_ref());
        Self {
            dims: checked.dims,
            trained_dims: nesting.map_or_else(Vec::new, |nesting| nesting.dims().to_vec()),
            methods,
            train_size: train.len(),
            test_size: test.len(),
            classes: checked.classes.len(),
            unseen_test_labels: checked.test.iter().filter(|class| class.is_none()).count(),
            l2: options.l2,
            tolerance: options.tolerance,
            train_dataset: ours.dataset.clone(),
            test_dataset: theirs.dataset.clone(),
            encoder: either(&ours.encoder, &theirs.encoder),
            network: either(&ours.network, &theirs.network),
            weights: either(&ours.weights, &theirs.weights),
            preprocessing: either(&ours.preprocessing, &theirs.preprocessing),
            config: either(&ours.config, &theirs.config),
            embeddings_version: either(&ours.version, &theirs.version),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }

    /// Whether the prefix of length `dim` was trained; not known where the set does not say.
    #[must_use]
    pub fn is_trained(&self, dim: usize) -> Option<bool> {
        (!self.trained_dims.is_empty()).then(|| self.trained_dims.contains(&dim))
    }

    /// The accuracies as an aligned plain-text table in percent, and what a reader must know beside them.
    #[must_use]
    pub fn table(&self) -> String {
        table::render(self)
    }

    /// Writes `report.json`, `accuracy.svg` and `accuracy.png` to `folder`, which is made if missing, and gives their
    /// paths. Each file appears whole or not at all.
    ///
    /// # Errors
    /// When a file cannot be written or the chart cannot be drawn.
    pub fn write(&self, folder: &Path) -> Result<Vec<PathBuf>, EvalError> {
        std::fs::create_dir_all(folder)
            .map_err(|source| EvalError::Io { path: folder.to_owned(), source })?;
        let json = serde_json::to_vec_pretty(self)
            .map_err(|error| EvalError::Io { path: folder.join("report.json"), source: error.into() })?;
        let chart = plot::accuracy(self);
        let png =
            chart.png().map_err(|problem| EvalError::Plot { path: folder.join("accuracy.png"), problem })?;
        let files =
            [("report.json", json), ("accuracy.svg", chart.svg().into_bytes()), ("accuracy.png", png)];
        let write = |(name, bytes): (&str, Vec<u8>)| {
            let path = folder.join(name);
            write_atomically(&path, |file| file.write_all(&bytes))
                .map_err(|source| EvalError::Io { path: path.clone(), source })?;
            Ok(path)
        };
        files.into_iter().map(write).collect()
    }
}
