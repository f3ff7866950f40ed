use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, VariantNames};

use super::{MAX_LAYER, ModelConfig};

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

impl Head {
    /// Whether each prefix has weights of its own.
    pub(crate) fn is_separate(self) -> bool {
        self == Self::Mrl
    }
}

impl ModelConfig {
    /// The projector's output dims.
    pub(crate) fn projection_dim(&self) -> usize {
        self.projection_dim.unwrap_or(64)
    }

    /// What is wrong with the heads, and the cure. A classifier is one linear layer: it has no parameters.
    pub(super) fn head_problem(&self, is_classifier: bool) -> Option<String> {
        let has_layers = self.head_hidden.is_some()
            || !self.head_nest_hidden
            || self.head_batch_norm
            || self.projection_dim.is_some();
        if is_classifier && has_layers {
            let problem = "the objective supervised has a linear classifier as its head; leave head-hidden, \
                           head-nest-hidden, head-batch-norm and projection-dim out";
            return Some(problem.to_owned());
        }
        let widths = [("head-hidden", self.head_hidden, 0), ("projection-dim", self.projection_dim, 1)];
        let out_of_range = widths.into_iter().find_map(|(name, width, least)| {
            let width = width.filter(|width| !(least..=MAX_LAYER).contains(width))?;
            Some(format!("{name} {width} must be between {least} and {MAX_LAYER}"))
        });
        out_of_range.or_else(|| self.hidden_layer_problem())
    }

    /// The setting of a hidden layer that is given although the projector has none.
    fn hidden_layer_problem(&self) -> Option<String> {
        let settings =
            [("head-batch-norm", self.head_batch_norm), ("head-nest-hidden", !self.head_nest_hidden)];
        let (name, _) = settings.into_iter().find(|(_, is_set)| *is_set && self.head_hidden == Some(0))?;
        Some(format!(
            "{name} is a setting of the hidden layer, which head-hidden 0 leaves out; leave {name} out, or give head-hidden 1 or more"
        ))
    }

    /// Hidden units of the prefix `dim` of an encoder of `width`: its share, rounded up, or all. None where the projectors have no
    /// hidden layer.
    pub(crate) fn hidden_units(&self, dim: usize, width: usize) -> Option<usize> {
        let all = Some(self.head_hidden.unwrap_or(width)).filter(|&units| units > 0)?;
        Some(if self.head_nest_hidden { (all * dim).div_ceil(width) } else { all })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_has_its_share_of_the_hidden_units() {
        let share =
            |head_hidden, dim| ModelConfig { head_hidden, ..ModelConfig::default() }.hidden_units(dim, 512);
        assert_eq!([share(Some(0), 8), share(Some(0), 512)], [None, None], "there is no hidden layer");
        let units = |head_hidden, dim| share(head_hidden, dim).unwrap();
        assert_eq!([units(None, 8), units(None, 512)], [8, 512]);
        assert_eq!([units(Some(2048), 8), units(Some(2048), 512)], [32, 2048]);
        assert_eq!([units(Some(3), 8), units(Some(3), 256), units(Some(3), 512)], [1, 2, 3]);
        let all = ModelConfig { head_hidden: Some(20), head_nest_hidden: false, ..ModelConfig::default() };
        assert_eq!([all.hidden_units(8, 512), all.hidden_units(512, 512)], [Some(20), Some(20)]);
    }

    #[test]
    fn layers_that_a_classifier_lacks_are_refused() {
        let plain = ModelConfig::default();
        assert_eq!(plain.head_problem(true), None);
        for config in [
            ModelConfig { head_hidden: Some(8), ..plain.clone() },
            ModelConfig { head_batch_norm: true, ..plain.clone() },
            ModelConfig { head_nest_hidden: false, ..plain.clone() },
            ModelConfig { projection_dim: Some(8), ..plain.clone() },
        ] {
            assert!(config.head_problem(true).unwrap().contains("leave head-hidden"));
            assert_eq!(config.head_problem(false), None);
        }
        let wide = ModelConfig { head_hidden: Some(65537), ..plain.clone() };
        assert_eq!(wide.head_problem(false).unwrap(), "head-hidden 65537 must be between 0 and 65536");
        let none = ModelConfig { projection_dim: Some(0), ..plain };
        assert_eq!(none.head_problem(false).unwrap(), "projection-dim 0 must be between 1 and 65536");
    }

    #[test]
    fn settings_of_a_hidden_layer_that_is_left_out_are_refused() {
        let linear = ModelConfig { head_hidden: Some(0), ..ModelConfig::default() };
        assert_eq!(linear.head_problem(false), None);
        for (config, name) in [
            (ModelConfig { head_batch_norm: true, ..linear.clone() }, "head-batch-norm"),
            (ModelConfig { head_nest_hidden: false, ..linear.clone() }, "head-nest-hidden"),
        ] {
            let problem = config.head_problem(false).unwrap();
            assert!(problem.starts_with(name) && problem.contains("head-hidden 0"), "{problem}");
            assert_eq!(ModelConfig { head_hidden: Some(1), ..config }.head_problem(false), None);
        }
    }
}
