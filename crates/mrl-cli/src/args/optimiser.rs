use clap::Args;
use mrl_train::{OptimiserKind, Schedule};

use super::choice;

/// How gradients change weights, and how fast.
#[derive(Clone, Debug, Default, Args)]
pub struct OptimiserArgs {
    /// The rule by which gradients change weights; with another one than the preset's, the preset's momentum, nesterov and
    /// trust coefficient are forgotten [default: adamw].
    #[arg(long, value_parser = choice::<OptimiserKind>())]
    pub optimiser: Option<OptimiserKind>,
    /// The learning rate, at its highest [default: 0.002].
    #[arg(long, value_name = "RATE")]
    pub lr: Option<f64>,
    /// Weight decay: L2, of adamw decoupled from the gradient [default: 0.1].
    #[arg(long, value_name = "FACTOR")]
    pub weight_decay: Option<f64>,
    /// Whether scales and biases of norms, biases and the temperature decay too [default: false].
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub decay_norms_and_biases: Option<bool>,
    /// Momentum of sgd and lars [default: 0.9].
    #[arg(long, value_name = "SHARE")]
    pub momentum: Option<f64>,
    /// Whether sgd and lars look one step of momentum ahead [default: false].
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub nesterov: Option<bool>,
    /// Of lars, how far a tensor moves in a step, as a share of its norm, at a rate of 1 [default: 0.001].
    #[arg(long, value_name = "SHARE")]
    pub trust_coefficient: Option<f64>,
    /// The learning rate over time [default: cosine].
    #[arg(long, value_parser = choice::<Schedule>())]
    pub schedule: Option<Schedule>,
    /// Where a cosine ends [default: 0].
    #[arg(long, value_name = "RATE")]
    pub min_lr: Option<f64>,
    /// The learning rate rises in a line for N epochs, which may be a fraction, before its schedule begins.
    #[arg(long, value_name = "N", conflicts_with = "warmup_steps")]
    pub warmup_epochs: Option<f64>,
    /// The same, in steps.
    #[arg(long, value_name = "N")]
    pub warmup_steps: Option<u64>,
    /// The same, as a share of the run [default: 0.075].
    #[arg(long, value_name = "SHARE", conflicts_with_all = ["warmup_steps", "warmup_epochs"])]
    pub warmup_share: Option<f64>,
}
