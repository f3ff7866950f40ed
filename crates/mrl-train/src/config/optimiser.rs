use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, VariantNames};

use crate::TrainError;

/// The optimiser and its learning rate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OptimiserConfig {
    /// The rule by which gradients change weights.
    pub kind: OptimiserKind,
    /// The learning rate, at its highest.
    pub lr: f64,
    /// Weight decay: L2, added to the gradient; of `adamw` decoupled from it.
    pub weight_decay: f64,
    /// Whether tensors of one axis decay too: scales and biases of norms, biases, the temperature. Default: as torch does it,
    /// yes; with `lars` no, as in its papers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decay_norms_and_biases: Option<bool>,
    /// Momentum of `sgd` and `lars`. Default: 0.9.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub momentum: Option<f64>,
    /// Whether `sgd` and `lars` look one step of momentum ahead (Nesterov).
    pub nesterov: bool,
    /// `lars`: how far a tensor may move in a step, as a share of its norm and at a learning rate of 1. Default: 0.001.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trust_coefficient: Option<f64>,
    /// The learning rate over time.
    pub schedule: Schedule,
    /// Where a cosine ends.
    pub min_lr: f64,
    /// The learning rate rises for so many epochs, in a straight line, before its schedule begins. A fraction is possible.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warmup_epochs: Option<f64>,
    /// The same, in steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warmup_steps: Option<u64>,
    /// The same, as a share of the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warmup_share: Option<f64>,
}

/// The rule by which gradients change weights.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Display, EnumString, VariantNames,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum OptimiserKind {
    /// Adam (arXiv 1412.6980) with L2 weight decay, as `torch.optim.Adam`.
    #[default]
    Adam,
    /// Adam with decoupled weight decay (arXiv 1711.05101), as `torch.optim.AdamW`.
    AdamW,
    /// Gradient descent with momentum, as `torch.optim.SGD`.
    Sgd,
    /// SGD with a rate for each tensor, in proportion to its norm (arXiv 1708.03888), as `SimCLR` and BYOL use it: norms and
    /// biases have the plain rate.
    Lars,
}

/// The learning rate over time.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Display, EnumString, VariantNames,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Schedule {
    /// The same throughout.
    #[default]
    Constant,
    /// Half a cosine from `lr` to `min_lr` (arXiv 1608.03983, without restarts).
    Cosine,
}

impl Default for OptimiserConfig {
    fn default() -> Self {
        Self {
            kind: OptimiserKind::default(),
            lr: 3e-4,
            weight_decay: 1e-5,
            decay_norms_and_biases: None,
            momentum: None,
            nesterov: false,
            trust_coefficient: None,
            schedule: Schedule::default(),
            min_lr: 0.0,
            warmup_epochs: None,
            warmup_steps: None,
            warmup_share: None,
        }
    }
}

impl OptimiserConfig {
    /// Whether tensors of one axis decay too.
    pub(crate) fn decays_norms_and_biases(&self) -> bool {
        self.decay_norms_and_biases.unwrap_or(self.kind != OptimiserKind::Lars)
    }

    /// The share of the last steps that goes into a step of `sgd` and `lars`.
    pub(crate) fn momentum(&self) -> f64 {
        self.momentum.unwrap_or(0.9)
    }

    /// The trust coefficient of `lars`.
    pub(crate) fn trust_coefficient(&self) -> f64 {
        self.trust_coefficient.unwrap_or(0.001)
    }

    /// How many ways the warm-up is given in.
    fn warmups(&self) -> usize {
        let given = [self.warmup_epochs.is_some(), self.warmup_steps.is_some(), self.warmup_share.is_some()];
        given.into_iter().filter(|&given| given).count()
    }

    /// Checks ranges, and that nothing is set that the kind does not use.
    ///
    /// # Errors
    /// One sentence that names the setting and what it may be.
    pub(super) fn validate(&self) -> Result<(), TrainError> {
        let kind = self.kind;
        let has_momentum = matches!(kind, OptimiserKind::Sgd | OptimiserKind::Lars);
        let within = |number: Option<f64>, low: f64, high: f64| {
            number.is_none_or(|number| (low..=high).contains(&number))
        };
        let checks = [
            (self.lr > 0.0 && self.lr.is_finite(), "lr must be a positive number"),
            (
                self.weight_decay >= 0.0 && self.weight_decay.is_finite(),
                "weight_decay must be a finite number of 0 or more",
            ),
            (
                self.momentum.is_none() || has_momentum,
                "momentum is a setting of sgd and lars; leave it out, or choose one of them with --optimiser",
            ),
            (
                !self.nesterov || has_momentum,
                "nesterov is a setting of sgd and lars; leave it out, or choose one of them with --optimiser",
            ),
            (
                self.trust_coefficient.is_none() || kind == OptimiserKind::Lars,
                "trust_coefficient is a setting of lars; leave it out, or choose --optimiser lars",
            ),
            (
                self.momentum.is_none_or(|momentum| (0.0..1.0).contains(&momentum)),
                "momentum must be from 0 to below 1",
            ),
            (!self.nesterov || self.momentum() > 0.0, "nesterov needs a momentum above 0"),
            (
                self.trust_coefficient.is_none_or(|trust| trust > 0.0 && trust.is_finite()),
                "trust_coefficient must be a positive number",
            ),
            ((0.0..=self.lr).contains(&self.min_lr), "min_lr must be between 0 and lr"),
            (
                self.min_lr == 0.0 || self.schedule == Schedule::Cosine,
                "min_lr is where a cosine ends; leave it out, or choose --schedule cosine",
            ),
            (
                self.warmups() <= 1,
                "warmup-epochs, warmup-steps and warmup-share exclude each other; choose one",
            ),
            (within(self.warmup_share, 0.0, 1.0), "warmup-share must be between 0 and 1"),
            (within(self.warmup_epochs, 0.0, 1e9), "warmup-epochs must be between 0 and 1e9"),
        ];
        match checks.iter().find(|(holds, _)| !holds) {
            None => Ok(()),
            Some((_, problem)) => Err(TrainError::Config((*problem).to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        toml::from_str::<OptimiserConfig>(text).unwrap().validate().unwrap_err().to_string()
    }

    #[test]
    fn what_a_kind_does_not_use_is_refused() {
        assert!(refused("momentum = 0.9").starts_with("momentum is a setting of sgd and lars"));
        assert!(
            refused("kind = 'adamw'\nnesterov = true").starts_with("nesterov is a setting of sgd and lars")
        );
        assert!(
            refused("kind = 'sgd'\ntrust_coefficient = 1.0").starts_with("trust_coefficient is a setting")
        );
        assert!(refused("min_lr = 1e-4").starts_with("min_lr is where a cosine ends"));
    }

    #[test]
    fn numbers_out_of_range_are_refused() {
        assert_eq!(refused("kind = 'sgd'\nmomentum = 1.0"), "momentum must be from 0 to below 1");
        assert_eq!(
            refused("kind = 'sgd'\nmomentum = 0.0\nnesterov = true"),
            "nesterov needs a momentum above 0"
        );
        assert_eq!(
            refused("kind = 'lars'\ntrust_coefficient = 0.0"),
            "trust_coefficient must be a positive number"
        );
        assert_eq!(refused("schedule = 'cosine'\nmin_lr = 1.0"), "min_lr must be between 0 and lr");
        assert_eq!(refused("weight_decay = -1.0"), "weight_decay must be a finite number of 0 or more");
        assert_eq!(refused("weight_decay = inf"), "weight_decay must be a finite number of 0 or more");
        assert_eq!(refused("warmup_epochs = -1.0"), "warmup-epochs must be between 0 and 1e9");
        assert_eq!(refused("warmup_share = 1.5"), "warmup-share must be between 0 and 1");
        assert_eq!(
            refused("warmup_epochs = 1.0\nwarmup_steps = 1"),
            "warmup-epochs, warmup-steps and warmup-share exclude each other; choose one"
        );
    }

    #[test]
    fn norms_and_biases_decay_unless_lars_or_the_setting_says_no() {
        let decays = |text: &str| toml::from_str::<OptimiserConfig>(text).unwrap().decays_norms_and_biases();
        assert!(decays("") && decays("kind = 'adamw'") && decays("kind = 'sgd'") && !decays("kind = 'lars'"));
        assert!(!decays("decay_norms_and_biases = false"));
        assert!(decays("kind = 'lars'\ndecay_norms_and_biases = true"));
    }
}
