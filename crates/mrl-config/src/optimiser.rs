use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use strum::{Display, EnumString, VariantNames};

use crate::{
    ConfigError,
    error::refuse,
    tagged::{foreign_setting, unknown_setting},
};

/// The optimiser and its learning rate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
// The derived functions are called by the implementations below, which check more.
#[serde(remote = "Self")]
pub struct OptimiserConfig {
    /// The rule by which gradients change weights, `kind` and its own settings in a file.
    #[serde(flatten)]
    pub rule: Rule,
    /// The learning rate, at its highest.
    pub lr: f64,
    /// Weight decay: L2, added to the gradient; of `adamw` decoupled from it.
    pub weight_decay: f64,
    /// Whether tensors of one axis decay too: scales and biases of norms, biases, the temperature.
    pub decay_norms_and_biases: bool,
    /// The learning rate over time.
    pub schedule: Schedule,
    /// Where a cosine ends.
    pub min_lr: f64,
    /// How long the learning rate rises in a straight line before its schedule begins.
    #[serde(flatten)]
    pub warmup: Warmup,
}

/// The rule by which gradients change weights. As text it is the kind, and has the default settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Display, EnumString, VariantNames)]
#[serde(tag = "kind", rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Rule {
    /// Adam (arXiv 1412.6980) with L2 weight decay, as `torch.optim.Adam`.
    Adam,
    /// Adam with decoupled weight decay (arXiv 1711.05101), as `torch.optim.AdamW`.
    AdamW,
    /// Gradient descent with momentum, as `torch.optim.SGD`.
    Sgd(Sgd),
    /// SGD with a rate for each tensor, in proportion to its norm (arXiv 1708.03888), as `SimCLR` and BYOL use it: norms and
    /// biases have the plain rate.
    Lars(Lars),
}

/// The settings of SGD.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sgd {
    /// The share of the last steps that goes into a step.
    pub momentum: f64,
    /// Whether steps look one step of momentum ahead (Nesterov).
    pub nesterov: bool,
}

/// The settings of LARS.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Lars {
    /// The share of the last steps that goes into a step.
    pub momentum: f64,
    /// Whether steps look one step of momentum ahead (Nesterov).
    pub nesterov: bool,
    /// How far a tensor may move in a step, as a share of its norm and at a learning rate of 1.
    pub trust_coefficient: f64,
}

/// The learning rate over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Display, EnumString, VariantNames)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Schedule {
    /// The same throughout.
    Constant,
    /// Half a cosine from `lr` to `min_lr` (arXiv 1608.03983, without restarts).
    Cosine,
}

/// The length of the warm-up; one key in a file.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Warmup {
    /// In epochs, which may be a fraction.
    #[serde(rename = "warmup_epochs")]
    Epochs(f64),
    /// In steps.
    #[serde(rename = "warmup_steps")]
    Steps(u64),
    /// As a share of the run.
    #[serde(rename = "warmup_share")]
    Share(f64),
}

/// The keys of [`Warmup`].
pub(crate) const WARMUP_KEYS: [&str; 3] = ["warmup_epochs", "warmup_steps", "warmup_share"];

impl Default for Sgd {
    fn default() -> Self {
        Self { momentum: 0.9, nesterov: false }
    }
}

impl Default for Lars {
    fn default() -> Self {
        Self { momentum: 0.9, nesterov: false, trust_coefficient: 0.001 }
    }
}

impl Serialize for OptimiserConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}

impl<'de> Deserialize<'de> for OptimiserConfig {
    /// Each rule knows its own settings alone.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let given = toml::Table::deserialize(deserializer)?;
        let kind = given.get("kind").and_then(toml::Value::as_str).unwrap_or_default();
        if let Some(problem) = foreign_setting::<Rule>("optimiser", "kind", kind, &given) {
            return Err(D::Error::custom(problem));
        }
        if given.keys().filter(|key| WARMUP_KEYS.contains(&&***key)).count() > 1 {
            let problem = "warmup-epochs, warmup-steps and warmup-share exclude each other; choose one";
            return Err(D::Error::custom(problem));
        }
        let read =
            Self::deserialize(given.clone()).map_err(|error| D::Error::custom(error.message().trim_end()))?;
        unknown_setting(&given, &read).map_or(Ok(read), |problem| Err(D::Error::custom(problem)))
    }
}

impl OptimiserConfig {
    /// Checks ranges.
    ///
    /// # Errors
    /// One sentence that names the setting and what it may be.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let checks = [
            (self.lr > 0.0 && self.lr.is_finite(), "lr must be a positive number"),
            (
                self.weight_decay >= 0.0 && self.weight_decay.is_finite(),
                "weight_decay must be a finite number of 0 or more",
            ),
            ((0.0..=self.lr).contains(&self.min_lr), "min_lr must be between 0 and lr"),
            (
                self.min_lr == 0.0 || self.schedule == Schedule::Cosine,
                "min_lr is where a cosine ends; leave it out, or choose --schedule cosine",
            ),
        ];
        let problem = checks.iter().find(|(holds, _)| !holds).map(|(_, problem)| *problem);
        refuse(problem.or_else(|| self.rule.problem()).or_else(|| self.warmup.problem()).map(str::to_owned))
    }
}

impl Rule {
    fn problem(&self) -> Option<&'static str> {
        let (momentum, nesterov, trust) = match *self {
            Self::Adam | Self::AdamW => return None,
            Self::Sgd(Sgd { momentum, nesterov }) => (momentum, nesterov, 1.0),
            Self::Lars(Lars { momentum, nesterov, trust_coefficient }) => {
                (momentum, nesterov, trust_coefficient)
            }
        };
        let checks = [
            ((0.0..1.0).contains(&momentum), "momentum must be from 0 to below 1"),
            (!nesterov || momentum > 0.0, "nesterov needs a momentum above 0"),
            (trust > 0.0 && trust.is_finite(), "trust_coefficient must be a positive number"),
        ];
        checks.iter().find(|(holds, _)| !holds).map(|(_, problem)| *problem)
    }
}

impl Warmup {
    fn problem(self) -> Option<&'static str> {
        match self {
            Self::Share(share) if !(0.0..=1.0).contains(&share) => {
                Some("warmup-share must be between 0 and 1")
            }
            Self::Epochs(epochs) if !(0.0..=1e9).contains(&epochs) => {
                Some("warmup-epochs must be between 0 and 1e9")
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Settings;

    /// The reference's optimiser with these settings over it.
    fn read(text: &str) -> Result<OptimiserConfig, ConfigError> {
        let over = Settings::parse(&format!("[optimiser]\n{text}")).unwrap();
        let config = over.over(Settings::preset("reference")?)?.config()?;
        config.optimiser.check().map(|()| config.optimiser)
    }

    fn refused(text: &str) -> String {
        read(text).unwrap_err().to_string()
    }

    const SGD: &str = "kind = 'sgd'\nlr = 0.1\nweight_decay = 0.0";
    const LARS: &str = "kind = 'lars'\nlr = 0.1\nweight_decay = 0.0";

    #[test]
    fn what_a_rule_does_not_use_is_refused() {
        let problem = refused("momentum = 0.9");
        assert!(
            problem.contains("momentum is a setting of sgd and lars, not of the optimiser adam"),
            "{problem}"
        );
        let problem = refused(&format!("{SGD}\ntrust_coefficient = 1.0"));
        assert!(problem.contains("trust_coefficient is a setting of lars"), "{problem}");
        assert!(refused("min_lr = 1e-4").starts_with("min_lr is where a cosine ends"));
        assert!(
            refused("lrr = 1e-4").contains("unknown field `lrr`, expected one of"),
            "{}",
            refused("lrr = 1")
        );
    }

    #[test]
    fn numbers_out_of_range_are_refused() {
        assert_eq!(refused(&format!("{SGD}\nmomentum = 1.0")), "momentum must be from 0 to below 1");
        assert_eq!(
            refused(&format!("{SGD}\nmomentum = 0\nnesterov = true")),
            "nesterov needs a momentum above 0"
        );
        assert_eq!(
            refused(&format!("{LARS}\ntrust_coefficient = 0.0")),
            "trust_coefficient must be a positive number"
        );
        assert_eq!(refused("schedule = 'cosine'\nmin_lr = 1.0"), "min_lr must be between 0 and lr");
        assert_eq!(refused("weight_decay = -1.0"), "weight_decay must be a finite number of 0 or more");
        assert_eq!(refused("weight_decay = inf"), "weight_decay must be a finite number of 0 or more");
        assert_eq!(refused("warmup_epochs = -1.0"), "warmup-epochs must be between 0 and 1e9");
        assert_eq!(refused("warmup_share = 1.5"), "warmup-share must be between 0 and 1");
        assert!(refused("warmup_epochs = 1.0\nwarmup_steps = 1").contains("exclude each other; choose one"));
    }

    #[test]
    fn every_optimiser_is_read_as_it_is_written() {
        for kind in Rule::VARIANTS {
            let config =
                read(&format!("kind = '{kind}'\nlr = 1\nweight_decay = 0\nwarmup_share = 0.5")).unwrap();
            assert_eq!((config.rule.to_string(), config.warmup), ((*kind).to_owned(), Warmup::Share(0.5)));
            let text = toml::to_string(&config).unwrap();
            assert_eq!(toml::from_str::<OptimiserConfig>(&text).unwrap(), config, "{text}");
        }
    }
}
