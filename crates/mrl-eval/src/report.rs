use std::{
    collections::{BTreeMap, HashSet},
    path::Path,
};

use mrl_embedding::EmbeddingSet;
use serde::{Deserialize, Serialize};

use crate::{
    EvalError, EvalOptions, Method,
    check::Checked,
    measures::{Example, Measures},
};

/// The layout of `report.json`; it grows when a field changes its meaning or goes.
pub const SCHEMA: u32 = 1;

/// The result of an evaluation: `report.json` is exactly this, field by field.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The layout of this file: [`SCHEMA`].
    pub schema: u32,
    /// The version of the program that evaluated.
    pub version: String,
    /// The lengths that were evaluated, increasing.
    pub dims: Vec<usize>,
    /// The lengths that were trained, evaluated or not; empty where the set does not say.
    pub trained_dims: Vec<usize>,
    /// What was measured, by method.
    pub methods: BTreeMap<Method, Measures>,
    /// What encoders of fixed width reach on the same images, by the name that the user gave: of what was measured, that
    /// which was measured of them too.
    pub baselines: BTreeMap<String, Measures>,
    /// Variance of each of the embedding's numbers on the training set, `[width]`.
    pub variance: Vec<f64>,
    /// Some test rows and what lies nearest to them.
    pub examples: Vec<Example>,
    /// Rows of the training set.
    pub train_size: usize,
    /// Rows of the test set.
    pub test_size: usize,
    /// Classes of the training set.
    pub classes: usize,
    /// Their labels, increasing: the order of confusion matrices and of per-class scores.
    pub labels: Vec<i64>,
    /// Their names, where the set knows them, else their labels.
    pub class_names: Vec<String>,
    /// Test rows whose label the training set does not have; each counts as an error.
    pub unseen_test_labels: usize,
    /// What was asked for.
    pub options: EvalOptions,
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
    /// The rotation that was folded into the encoder, `principal` or `learned`, where one was.
    #[serde(default)]
    pub fold: Option<String>,
    /// How images became the encoder's input.
    pub preprocessing: Option<String>,
    /// The run's resolved configuration, as TOML.
    pub config: Option<String>,
    /// The version of the program that made the embeddings.
    pub embeddings_version: Option<String>,
}

/// What an evaluation measured, before it is said whose it is.
pub(crate) struct Measured {
    pub(crate) methods: BTreeMap<Method, Measures>,
    pub(crate) variance: Vec<f64>,
    pub(crate) examples: Vec<Example>,
}

impl Report {
    pub(crate) fn new(
        train: &EmbeddingSet,
        test: &EmbeddingSet,
        options: &EvalOptions,
        checked: Checked,
        measured: Measured,
        baselines: BTreeMap<String, Measures>,
    ) -> Self {
        let (ours, theirs) = (&train.metadata, &test.metadata);
        let either = |a: &Option<String>, b: &Option<String>| a.clone().or_else(|| b.clone());
        let nesting = ours.nesting.as_ref().or(theirs.nesting.as_ref());
        let names = ours.class_names.as_ref().or(theirs.class_names.as_ref());
        Self {
            schema: SCHEMA,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            dims: checked.dims,
            trained_dims: nesting.map_or_else(Vec::new, |nesting| nesting.dims().to_vec()),
            methods: measured.methods,
            baselines,
            variance: measured.variance,
            examples: measured.examples,
            train_size: train.len(),
            test_size: test.len(),
            classes: checked.classes.len(),
            class_names: class_names(&checked.classes, names.map_or(&[], Vec::as_slice)),
            labels: checked.classes,
            unseen_test_labels: checked.test.iter().filter(|class| class.is_none()).count(),
            options: options.clone(),
            train_dataset: ours.dataset.clone(),
            test_dataset: theirs.dataset.clone(),
            encoder: either(&ours.encoder, &theirs.encoder),
            network: either(&ours.network, &theirs.network),
            weights: either(&ours.weights, &theirs.weights),
            fold: either(&ours.fold, &theirs.fold),
            preprocessing: either(&ours.preprocessing, &theirs.preprocessing),
            config: either(&ours.config, &theirs.config),
            embeddings_version: either(&ours.version, &theirs.version),
        }
    }

    /// Whether the prefix of length `dim` was trained; not known where the set does not say.
    #[must_use]
    pub fn is_trained(&self, dim: usize) -> Option<bool> {
        is_trained(&self.trained_dims, dim)
    }

    /// Voters of the weighted k-NN: as many as were asked for, or all training rows.
    #[must_use]
    pub fn voters(&self) -> usize {
        self.options.neighbours.min(self.train_size)
    }

    /// All that was measured, the methods before the baselines, by name.
    pub fn all_measures(&self) -> impl Iterator<Item = (String, &Measures)> {
        let methods = self.methods.iter().map(|(method, measures)| (method.to_string(), measures));
        methods.chain(self.baselines.iter().map(|(name, measures)| (name.clone(), measures)))
    }

    /// Reads a `report.json`, or that of a folder.
    ///
    /// # Errors
    /// When the file is missing, damaged, of another layout, or says what no evaluation could have found.
    pub fn read(path: &Path) -> Result<Self, EvalError> {
        let path = if path.is_dir() { path.join("report.json") } else { path.to_owned() };
        let text = std::fs::read(&path).map_err(|source| EvalError::Read { path: path.clone(), source })?;
        let damaged = |problem: String| EvalError::NotAReport { path: path.clone(), problem };
        let value: serde_json::Value =
            serde_json::from_slice(&text).map_err(|error| damaged(error.to_string()))?;
        match value["schema"].as_u64() {
            Some(schema) if schema == u64::from(SCHEMA) => {
                let report: Self =
                    serde_json::from_value(value).map_err(|error| damaged(error.to_string()))?;
                report.check().map_err(damaged)?;
                Ok(report)
            }
            Some(schema) => Err(damaged(format!("its schema is {schema}, this program reads {SCHEMA}"))),
            None => Err(damaged("it names no schema".to_owned())),
        }
    }
}

/// Whether a prefix is one of those that were trained; not known where there are none.
pub(crate) fn is_trained(trained_dims: &[usize], dim: usize) -> Option<bool> {
    (!trained_dims.is_empty()).then(|| trained_dims.contains(&dim))
}

/// A name for each label, no two the same: that of `names`, else the label.
fn class_names(labels: &[i64], names: &[String]) -> Vec<String> {
    let mut taken = HashSet::new();
    let name = |&label: &i64| {
        let known = usize::try_from(label).ok().and_then(|index| names.get(index)).cloned();
        let mut name = known.unwrap_or_else(|| label.to_string());
        while !taken.insert(name.clone()) {
            name = format!("{name} ({label})");
        }
        name
    };
    labels.iter().map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_have_names_of_their_own() {
        let names = ["cat", "dog", "cat"].map(str::to_owned);
        assert_eq!(class_names(&[0, 1, 2, 7], &names), ["cat", "dog", "cat (2)", "7"]);
        let names = ["cat (2)", "cat", "cat"].map(str::to_owned);
        assert_eq!(class_names(&[0, 1, 2], &names), ["cat (2)", "cat", "cat (2) (2)"]);
    }
}
