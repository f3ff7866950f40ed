//! Small configurations for tests.

use mrl_config::{CheckedConfig, Config, Objective, Precision, ResolvedConfig, Stem};

use crate::device::resolve_for;

/// The reference's recipe for a network of 64 features, with a hidden layer as wide as the encoder.
pub(crate) fn tiny() -> Config {
    let mut config = Config::preset("reference").unwrap();
    (config.model.width, config.model.stem) = (0.125, Stem::Cifar);
    config.model.head_hidden = Some(config.model.embedding_width());
    config.run.precision = Precision::F32;
    config
}

/// Another objective; a supervised one has three classes and no projector.
pub(crate) fn set_objective(config: &mut Config, objective: &str) {
    config.objective.loss = objective.parse().unwrap();
    if let Objective::Supervised(supervised) = &mut config.objective.loss {
        supervised.classes = Some(3);
        let model = &mut config.model;
        (model.head_hidden, model.projection_dim) = (None, None);
        (model.head_nest_hidden, model.head_batch_norm) = (None, None);
    }
}

/// For images of `side` pixels.
pub(crate) fn resolved(config: &Config, side: usize) -> ResolvedConfig {
    let checked: CheckedConfig = config.clone().check().unwrap();
    resolve_for(checked, side, None).unwrap()
}
