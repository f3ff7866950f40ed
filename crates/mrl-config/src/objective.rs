use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use strum::{Display, EnumString, VariantNames};

use crate::{config::MAX_LAYER, tagged::foreign_setting};

/// `[objective]`: the loss of one prefix, by its `name`, with its own parameters, and what each prefix weighs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ObjectiveConfig {
    /// The loss.
    #[serde(flatten)]
    pub loss: Objective,
    /// The weight of each nesting dim's loss in the sum. Default: 1 for each.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dim_weights: Option<Vec<f64>>,
}

/// A loss and its parameters. As text it is the name, and has the default parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Display, EnumString, VariantNames)]
#[serde(tag = "name", rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Objective {
    /// Contrast with a target network, and invariance (arXiv 2010.07922).
    Relic(Relic),
    /// Contrast of two views (arXiv 2002.05709).
    Simclr(SimClr),
    /// Prediction of a target network (arXiv 2006.07733).
    Byol(Byol),
    /// Invariance, variance and covariance (arXiv 2105.04906).
    Vicreg(VicReg),
    /// Correlation of two views (arXiv 2103.03230).
    BarlowTwins(BarlowTwins),
    /// Cross-entropy with labels, as the first Matryoshka embeddings were trained (arXiv 2205.13147).
    Supervised(Supervised),
}

/// `ReLIC` (arXiv 2010.07922).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Relic {
    /// Weight of the invariance (KL) term.
    pub alpha: f64,
}

/// `SimCLR` (arXiv 2002.05709).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SimClr {
    /// What cosines are divided by. The default is the paper's for CIFAR-10 (appendix B.9).
    pub temperature: f64,
    /// Whether the other view of an image is not among what a view is told from (arXiv 2110.06848).
    pub decoupled: bool,
}

/// `BYOL` (arXiv 2006.07733).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Byol {
    /// Hidden units of the predictor that each prefix has. The paper has 4096 for projections of 256 dims.
    pub predictor_hidden: usize,
}

/// `VICReg` (arXiv 2105.04906): the weights of its three terms.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct VicReg {
    /// Views of an image agree.
    pub invariance: f64,
    /// Every dimension varies over the batch.
    pub variance: f64,
    /// No two dimensions say the same.
    pub covariance: f64,
}

/// Barlow Twins (arXiv 2103.03230).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BarlowTwins {
    /// Weight of the correlations between different dimensions.
    pub lambda: f64,
}

/// Cross-entropy of a linear classifier (arXiv 2205.13147, section 3).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Supervised {
    /// The number of classes. Default: that of the images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub classes: Option<usize>,
}

impl Default for Relic {
    fn default() -> Self {
        Self { alpha: 1.0 }
    }
}

impl Default for SimClr {
    fn default() -> Self {
        Self { temperature: 0.5, decoupled: false }
    }
}

impl Default for Byol {
    fn default() -> Self {
        Self { predictor_hidden: 512 }
    }
}

impl Default for VicReg {
    fn default() -> Self {
        Self { invariance: 25.0, variance: 25.0, covariance: 1.0 }
    }
}

impl Default for BarlowTwins {
    fn default() -> Self {
        Self { lambda: 5e-3 }
    }
}

impl<'de> Deserialize<'de> for ObjectiveConfig {
    /// Each loss knows its own keys alone.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut table = toml::Table::deserialize(deserializer)?;
        let weights = table.remove("dim_weights");
        let Some(name) = table.get("name").map(|name| name.as_str().unwrap_or_default().to_owned()) else {
            return Err(D::Error::missing_field("name"));
        };
        if let Some(problem) = foreign_setting::<Objective>("objective", "name", &name, &table) {
            return Err(D::Error::custom(problem));
        }
        let problem = |error: toml::de::Error| {
            D::Error::custom(format!("objective {name:?}: {}", error.message().trim_end()))
        };
        let dim_weights = weights.map(toml::Value::try_into).transpose().map_err(problem)?;
        Ok(Self { loss: table.try_into().map_err(problem)?, dim_weights })
    }
}

impl ObjectiveConfig {
    /// What is wrong with it for so many nesting dims, and the cure.
    pub(crate) fn problem(&self, dims: usize) -> Option<String> {
        let weights = self.dim_weights.as_deref().unwrap_or_default();
        if self.dim_weights.is_some() && weights.len() != dims {
            return Some(format!(
                "there are {} dim-weights for {dims} nesting dims; give one for each",
                weights.len()
            ));
        }
        if let Some(weight) = weights.iter().find(|weight| !is_positive(**weight)) {
            return Some(format!(
                "dim-weight {weight} must be a positive number; leave a dim that has none out of the nesting"
            ));
        }
        self.loss.problem().map(str::to_owned)
    }

    /// The weight of each of so many nesting dims.
    pub(crate) fn weights(&self, dims: usize) -> Vec<f64> {
        self.dim_weights.clone().unwrap_or_else(|| vec![1.0; dims])
    }
}

impl Objective {
    /// Whether images need labels.
    #[must_use]
    pub fn needs_labels(&self) -> bool {
        matches!(self, Self::Supervised(_))
    }

    fn problem(&self) -> Option<&'static str> {
        let (holds, problem) = match self {
            Self::Relic(Relic { alpha }) => (is_weight(*alpha), "alpha must be a finite number of 0 or more"),
            Self::Simclr(SimClr { temperature, .. }) => {
                (is_positive(*temperature), "temperature must be a positive number")
            }
            Self::Byol(Byol { predictor_hidden }) => {
                ((1..=MAX_LAYER).contains(predictor_hidden), "predictor_hidden must be between 1 and 65536")
            }
            Self::Vicreg(VicReg { invariance, variance, covariance }) => (
                [invariance, variance, covariance].into_iter().all(|weight| is_weight(*weight)),
                "invariance, variance and covariance must be finite numbers of 0 or more",
            ),
            Self::BarlowTwins(BarlowTwins { lambda }) => {
                (is_weight(*lambda), "lambda must be a finite number of 0 or more")
            }
            Self::Supervised(Supervised { classes }) => (
                classes.is_none_or(|classes| (2..=MAX_LAYER).contains(&classes)),
                "classes must be between 2 and 65536",
            ),
        };
        (!holds).then_some(problem)
    }
}

fn is_weight(number: f64) -> bool {
    number >= 0.0 && number.is_finite()
}

fn is_positive(number: f64) -> bool {
    number > 0.0 && number.is_finite()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<ObjectiveConfig, String> {
        toml::from_str(text).map_err(|error: toml::de::Error| error.message().to_owned())
    }

    #[test]
    fn every_objective_is_read_as_it_is_written() {
        for name in Objective::VARIANTS {
            let loss: Objective = name.parse().unwrap();
            assert_eq!(loss.to_string(), *name);
            let config = ObjectiveConfig { loss, dim_weights: Some(vec![1.0, 2.5]) };
            let text = toml::to_string(&config).unwrap();
            assert!(text.starts_with(&format!("name = {name:?}\n")), "{text}");
            assert_eq!(read(&text).unwrap(), config);
            assert_eq!(read(&format!("name = {name:?}")).unwrap().loss, config.loss);
        }
        assert_eq!(
            read("name = \"vicreg\"\ncovariance = 2").unwrap().loss,
            Objective::Vicreg(VicReg { covariance: 2.0, ..VicReg::default() })
        );
    }

    #[test]
    fn settings_of_another_objective_are_refused_with_its_name() {
        for (text, parts) in [
            (
                "name = \"simclr\"\nalpha = 1.0",
                ["alpha is a setting of relic", "not of the objective simclr"],
            ),
            (
                "name = \"supervised\"\nlambda = 1.0",
                ["a setting of barlow-twins", "not of the objective supervised"],
            ),
            ("name = \"relic\"\nlamda = 1.0", ["unknown field `lamda`", "`alpha`"]),
            ("name = \"moco\"", ["`relic`", "`barlow-twins`"]),
            ("name = \"relic\"\ndim_weights = [1, \"x\"]", ["\"relic\": invalid type: string \"x\"", "f64"]),
            ("alpha = 1.0", ["missing field", "`name`"]),
        ] {
            let problem = read(text).unwrap_err();
            assert!(parts.iter().all(|part| problem.contains(part)), "{text}: {problem}");
        }
    }

    #[test]
    fn parameters_that_cannot_be_are_refused() {
        for (text, part) in [
            ("name = \"relic\"\nalpha = -1.0", "alpha must be a finite number of 0 or more"),
            ("name = \"simclr\"\ntemperature = 0", "temperature must be a positive number"),
            ("name = \"byol\"\npredictor_hidden = 0", "predictor_hidden must be between 1 and 65536"),
            ("name = \"vicreg\"\nvariance = nan", "must be finite numbers of 0 or more"),
            ("name = \"barlow-twins\"\nlambda = inf", "lambda must be a finite number of 0 or more"),
            ("name = \"supervised\"\nclasses = 1", "classes must be between 2 and 65536"),
            (
                "name = \"relic\"\ndim_weights = [1, 2]",
                "there are 2 dim-weights for 3 nesting dims; give one for each",
            ),
            ("name = \"relic\"\ndim_weights = [1, 0, 1]", "dim-weight 0 must be a positive number"),
        ] {
            let problem = read(text).unwrap().problem(3).expect(text);
            assert!(problem.contains(part), "{text}: {problem}");
        }
        assert_eq!(read("name = \"byol\"\ndim_weights = [1, 2, 3]").unwrap().problem(3), None);
        assert_eq!(read("name = \"byol\"").unwrap().weights(2), [1.0, 1.0]);
    }
}
