use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, VariantNames};

use crate::{ModelConfig, config::MAX_LAYER};

/// How the prefixes share a projector or a classifier (arXiv 2205.13147, section 3), and which of them are trained.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Display, EnumString, VariantNames,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Head {
    /// One whose prefixes serve the prefixes (the paper's efficient form).
    #[default]
    MrlE,
    /// One of its own for each prefix.
    Mrl,
    /// One for the whole width, which alone is trained: no nesting, the baseline.
    Fixed,
    /// Shared like `mrl-e`; each step trains one prefix, drawn as its weight says (nested dropout, arXiv 1402.0915).
    RandomPrefix,
}

/// The layers of a projector. Their keys in a file are those of [`ModelConfig`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProjectorConfig {
    /// Hidden units of the widest prefix; 0 for one linear map without bias.
    #[serde(rename = "head_hidden")]
    pub hidden: usize,
    /// Whether a shorter prefix has its share of the hidden units; else it has all of them.
    #[serde(rename = "head_nest_hidden")]
    pub nest_hidden: bool,
    /// Batch norm between the hidden layer and its `ReLU`, in predictors too; each prefix has its own.
    #[serde(rename = "head_batch_norm")]
    pub batch_norm: bool,
    /// Output dims.
    #[serde(rename = "projection_dim")]
    pub dim: usize,
}

impl Head {
    /// Whether each prefix has weights of its own.
    #[must_use]
    pub fn is_separate(self) -> bool {
        self == Self::Mrl
    }
}

impl ProjectorConfig {
    /// Hidden units of the prefix `dim` of an encoder of `width`: its share, rounded up, or all. None where there is no hidden layer.
    #[must_use]
    pub fn hidden_units(&self, dim: usize, width: usize) -> Option<usize> {
        let all = Some(self.hidden).filter(|&units| units > 0)?;
        Some(if self.nest_hidden { (all * dim).div_ceil(width) } else { all })
    }
}

/// The keys of the projector's settings in the section `model`.
pub(crate) const PROJECTOR_KEYS: [&str; 4] =
    ["head_hidden", "head_nest_hidden", "head_batch_norm", "projection_dim"];

impl ModelConfig {
    /// The projector, or what is wrong with its settings, and the cure.
    pub(crate) fn projector(&self) -> Result<ProjectorConfig, String> {
        let missing = |name: &str| format!("{name} is missing; give it, or a preset that has it");
        let projector = ProjectorConfig {
            hidden: self.head_hidden.ok_or_else(|| missing("head_hidden"))?,
            nest_hidden: self.head_nest_hidden.ok_or_else(|| missing("head_nest_hidden"))?,
            batch_norm: self.head_batch_norm.ok_or_else(|| missing("head_batch_norm"))?,
            dim: self.projection_dim.ok_or_else(|| missing("projection_dim"))?,
        };
        for (name, width, least) in
            [("head-hidden", projector.hidden, 0), ("projection-dim", projector.dim, 1)]
        {
            if !(least..=MAX_LAYER).contains(&width) {
                return Err(format!("{name} {width} must be between {least} and {MAX_LAYER}"));
            }
        }
        let of_hidden =
            [("head-batch-norm", projector.batch_norm), ("head-nest-hidden", !projector.nest_hidden)];
        match of_hidden.into_iter().find(|(_, is_set)| *is_set && projector.hidden == 0) {
            None => Ok(projector),
            Some((name, _)) => Err(format!(
                "{name} is a setting of the hidden layer, which head-hidden 0 leaves out; leave {name} out, or give head-hidden 1 or more"
            )),
        }
    }

    /// What is wrong with settings of a projector beside a classifier, which is one linear layer.
    pub(crate) fn classifier_problem(&self) -> Option<String> {
        let has_layers = self.head_hidden.is_some()
            || self.head_nest_hidden.is_some()
            || self.head_batch_norm.is_some()
            || self.projection_dim.is_some();
        has_layers.then(|| {
            "the objective supervised has a linear classifier as its head; leave head-hidden, head-nest-hidden, head-batch-norm and \
             projection-dim out"
                .to_owned()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Config;

    fn model(hidden: usize, nest_hidden: bool, batch_norm: bool) -> ModelConfig {
        ModelConfig {
            head_hidden: Some(hidden),
            head_nest_hidden: Some(nest_hidden),
            head_batch_norm: Some(batch_norm),
            projection_dim: Some(64),
            ..Config::default().model
        }
    }

    #[test]
    fn a_prefix_has_its_share_of_the_hidden_units() {
        let units = |hidden, dim| {
            model(hidden, true, false).projector().unwrap().hidden_units(dim, 512).unwrap_or_default()
        };
        assert_eq!([units(0, 8), units(0, 512)], [0, 0], "there is no hidden layer");
        assert_eq!([units(2048, 8), units(2048, 512)], [32, 2048]);
        assert_eq!([units(3, 8), units(3, 256), units(3, 512)], [1, 2, 3]);
        let all = model(20, false, false).projector().unwrap();
        assert_eq!([all.hidden_units(8, 512), all.hidden_units(512, 512)], [Some(20), Some(20)]);
    }

    #[test]
    fn layers_that_a_classifier_lacks_are_refused() {
        let plain = ModelConfig {
            head_hidden: None,
            head_nest_hidden: None,
            head_batch_norm: None,
            projection_dim: None,
            ..Config::default().model
        };
        assert_eq!(plain.classifier_problem(), None);
        for config in [
            ModelConfig { head_hidden: Some(8), ..plain.clone() },
            ModelConfig { head_batch_norm: Some(true), ..plain.clone() },
            ModelConfig { head_nest_hidden: Some(false), ..plain.clone() },
            ModelConfig { projection_dim: Some(8), ..plain.clone() },
        ] {
            assert!(config.classifier_problem().unwrap().contains("leave head-hidden"));
        }
        let problem = |model: ModelConfig| model.projector().unwrap_err();
        assert_eq!(problem(model(65537, true, false)), "head-hidden 65537 must be between 0 and 65536");
        let none = ModelConfig { projection_dim: Some(0), ..model(1, true, false) };
        assert_eq!(problem(none), "projection-dim 0 must be between 1 and 65536");
        assert_eq!(problem(plain), "head_hidden is missing; give it, or a preset that has it");
    }

    #[test]
    fn settings_of_a_hidden_layer_that_is_left_out_are_refused() {
        model(0, true, false).projector().unwrap();
        for (settings, name) in
            [(model(0, true, true), "head-batch-norm"), (model(0, false, false), "head-nest-hidden")]
        {
            let problem = settings.projector().unwrap_err();
            assert!(problem.starts_with(name) && problem.contains("head-hidden 0"), "{problem}");
            ModelConfig { head_hidden: Some(1), ..settings }.projector().unwrap();
        }
    }
}
