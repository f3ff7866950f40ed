use clap::Args;
use mrl_train::Objective;

use super::choice;

/// What `mrl train` minimises.
#[derive(Clone, Debug, Default, Args)]
pub struct ObjectiveArgs {
    /// The loss, nested over the prefixes; supervised needs labels, the others look at none [default: vicreg].
    #[arg(long, value_parser = choice::<Objective>())]
    pub objective: Option<Objective>,
    /// What the loss of each prefix weighs in the sum [default: 1 for each].
    #[arg(long, value_name = "1,2,…", value_delimiter = ',')]
    pub dim_weights: Option<Vec<f64>>,
    /// Of relic: weight of the invariance term [default: 1].
    #[arg(long, value_name = "WEIGHT")]
    pub alpha: Option<f64>,
    /// Of simclr: what cosines are divided by [default: 0.5].
    #[arg(long, value_name = "T")]
    pub temperature: Option<f64>,
    /// Of simclr: an image's other view is not among what a view is told from [default: false].
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub decoupled: Option<bool>,
    /// Of byol: hidden units of the predictor [default: 512].
    #[arg(long, value_name = "N")]
    pub predictor_hidden: Option<usize>,
    /// Of vicreg: the weights of invariance, variance and covariance [default: 25,25,1].
    #[arg(long, value_name = "I,V,C", value_delimiter = ',', num_args = 1)]
    pub vicreg_weights: Option<Vec<f64>>,
    /// Of barlow-twins: weight of the correlations between different dimensions [default: 0.005].
    #[arg(long, value_name = "WEIGHT")]
    pub lambda: Option<f64>,
}
