//! `mrl adapt`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use mrl_config::{AdaptObjective, AdapterForm, DeviceChoice};

use super::{InputArgs, choice};

/// What to do with an adapter.
#[derive(Clone, Debug, Subcommand)]
pub enum AdaptCommand {
    /// Fit an adapter to vectors, and show what it gains over principal components on vectors held out.
    Fit(FitArgs),
    /// Adapt vectors.
    Apply(ApplyArgs),
}

/// `mrl adapt fit`.
#[derive(Clone, Debug, Args)]
#[command(allow_negative_numbers = true)]
pub struct FitArgs {
    /// Where the vectors come from.
    #[command(flatten)]
    pub input: InputArgs,
    /// The adapter to write, FILE.safetensors. An adapter that is there is replaced, no other file.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Replace any file at --out.
    #[arg(long)]
    pub force: bool,
    /// The form of the map. A rotation keeps all products of full vectors. residual rotates vectors onto their principal components
    /// and adds the output of a small network.
    #[arg(long, value_parser = choice::<AdapterForm>(), default_value = "rotation")]
    pub form: AdapterForm,
    /// What prefixes are to keep: which vectors are near, or which have the same label.
    #[arg(long, value_parser = choice::<AdaptObjective>(), default_value = "similarity")]
    pub objective: AdaptObjective,
    /// The prefixes [default: powers of two from 8].
    #[arg(long, value_name = "8,16,…", value_delimiter = ',')]
    pub dims: Vec<usize>,
    /// Passes over the vectors, in all.
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub epochs: usize,
    /// Vectors that are compared with each other.
    #[arg(long, value_name = "N", default_value_t = 512)]
    pub batch_size: usize,
    /// The learning rate, at its highest.
    #[arg(long, value_name = "RATE", default_value_t = 3e-3)]
    pub lr: f64,
    /// Numbers of the hidden layer of the residual form [default: as many as a vector has].
    #[arg(long, value_name = "N")]
    pub hidden: Option<usize>,
    /// The share of the vectors, at most 0.5, that is held out to show what the adapter gains, but no more than 2,000; 0 fits it to all and
    /// shows nothing.
    #[arg(long, value_name = "SHARE", default_value_t = 0.1)]
    pub holdout: f64,
    /// What random numbers follow from.
    #[arg(long, value_name = "N", default_value_t = 42)]
    pub seed: u64,
    /// Where to compute: auto, cpu, cuda:N or mps.
    #[arg(long, value_name = "DEVICE", default_value_t)]
    pub device: DeviceChoice,
}

/// `mrl adapt apply`.
#[derive(Clone, Debug, Args)]
pub struct ApplyArgs {
    /// The adapter, as fit wrote it.
    #[arg(long, value_name = "FILE")]
    pub adapter: PathBuf,
    /// Where the vectors come from.
    #[command(flatten)]
    pub input: InputArgs,
    /// Where to write the adapted vectors: FILE.safetensors, or FILE.npy for the numbers alone. An embedding set that mrl wrote to
    /// FILE.safetensors is replaced.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Replace any file at --out. An existing FILE.npy always needs this: it does not say whether mrl wrote it.
    #[arg(long)]
    pub force: bool,
}
