//! What can be typed; nothing is checked here but the form.

use std::{path::PathBuf, str::FromStr};

use clap::{
    Args, Parser, Subcommand,
    builder::{PossibleValuesParser, TypedValueParser},
};
use mrl_data::{DatasetKind, Split};
use mrl_eval::Method;
use mrl_train::{DeviceChoice, Encoder, Head, NetworkChoice, Precision, Schedule, Stem};
use strum::VariantNames;

/// Matryoshka embeddings: train an encoder whose prefixes are embeddings of their own, embed with it, and see what
/// each length is worth.
#[derive(Debug, Parser)]
#[command(name = "mrl", version, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Train an encoder on unlabelled images.
    Train(TrainArgs),
    /// Turn images into an embedding set.
    Embed(EmbedArgs),
    /// Measure what each length of an embedding is worth: linear probe and 1-NN, beside PCA.
    Eval(EvalArgs),
}

/// `mrl train`.
#[derive(Clone, Debug, Default, Args)]
pub struct TrainArgs {
    /// Start from a preset: a name (demo, reference-cifar10-resnet18, …) or a file.toml; other options override it.
    #[arg(long, value_name = "NAME|FILE.toml")]
    pub preset: Option<String>,
    /// The folder of the run; it must be new, unless --resume is given.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Continue the run in --out from its last checkpoint; where there is none yet, begin it.
    #[arg(long)]
    pub resume: bool,
    /// The format of the images.
    #[arg(long, value_parser = choice::<DatasetKind>())]
    pub dataset: Option<DatasetKind>,
    /// The folder of the images; CIFAR and STL-10 are downloaded there when they are missing.
    #[arg(long, value_name = "PATH")]
    pub data_dir: Option<PathBuf>,
    /// The part to train on [default: unlabeled for stl10, train elsewhere].
    #[arg(long, value_parser = choice::<Split>())]
    pub split: Option<Split>,
    /// Only the first N images of each class.
    #[arg(long, value_name = "N")]
    pub subset_per_class: Option<usize>,
    /// Skip up to N unreadable images of a folder [default: 0].
    #[arg(long, value_name = "N")]
    pub max_corrupt: Option<usize>,
    /// The side of a view in pixels [default: that of the images].
    #[arg(long, value_name = "N")]
    pub image_size: Option<usize>,
    /// The architecture [default: resnet18].
    #[arg(long, value_parser = choice::<Encoder>())]
    pub encoder: Option<Encoder>,
    /// Factor on the number of channels [default: 1].
    #[arg(long, value_name = "FACTOR")]
    pub width: Option<f64>,
    /// The first layers; auto is cifar for views up to 64 pixels, imagenet above [default: auto].
    #[arg(long, value_parser = choice::<Stem>())]
    pub stem: Option<Stem>,
    /// The prefixes to train [default: powers of two from 8 to the encoder's width].
    #[arg(long, value_name = "8,16,…", value_delimiter = ',')]
    pub nesting: Option<Vec<usize>>,
    /// One projector for all prefixes (mrl-e), or one for each (mrl) [default: mrl-e].
    #[arg(long, value_parser = choice::<Head>())]
    pub head: Option<Head>,
    /// Passes over the images [default: 100].
    #[arg(long, value_name = "N", conflicts_with = "max_steps")]
    pub epochs: Option<u64>,
    /// Steps in all; 0 writes the untrained encoder.
    #[arg(long, value_name = "N")]
    pub max_steps: Option<u64>,
    /// Images in a step [default: 256].
    #[arg(long, value_name = "N")]
    pub batch_size: Option<usize>,
    /// The learning rate, at its highest [default: 0.0003].
    #[arg(long, value_name = "RATE")]
    pub lr: Option<f64>,
    /// L2 weight decay [default: 0.00001].
    #[arg(long, value_name = "FACTOR")]
    pub weight_decay: Option<f64>,
    /// The learning rate over time [default: constant].
    #[arg(long, value_parser = choice::<Schedule>())]
    pub schedule: Option<Schedule>,
    /// The number format of the activations; auto is bf16 where the device computes in it [default: auto].
    #[arg(long, value_parser = choice::<Precision>())]
    pub precision: Option<Precision>,
    /// auto, cpu, cuda:N or mps [default: auto].
    #[arg(long, value_name = "DEVICE")]
    pub device: Option<DeviceChoice>,
    /// Everything random follows from it [default: 0].
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// A line in metrics.jsonl every N steps [default: 10].
    #[arg(long, value_name = "N")]
    pub log_every: Option<u64>,
    /// A checkpoint every N steps [default: every epoch].
    #[arg(long, value_name = "N")]
    pub checkpoint_every: Option<u64>,
}

/// `mrl embed`.
#[derive(Clone, Debug, Args)]
pub struct EmbedArgs {
    /// The run whose encoder to use; while it goes on, that of its last checkpoint.
    #[arg(long, value_name = "DIR", required_unless_present = "pixels")]
    pub run: Option<PathBuf>,
    /// Use the raw pixels as the embedding: the baseline that an encoder must beat.
    #[arg(long, conflicts_with = "run")]
    pub pixels: bool,
    /// The moving average (target) or the network that the optimiser trains (online).
    #[arg(long, value_parser = choice::<NetworkChoice>(), default_value = "target", conflicts_with = "pixels")]
    pub network: NetworkChoice,
    /// The format of the images [default: that of the run].
    #[arg(long, value_parser = choice::<DatasetKind>())]
    pub dataset: Option<DatasetKind>,
    /// The folder of the images [default: that of the run].
    #[arg(long, value_name = "PATH")]
    pub data_dir: Option<PathBuf>,
    /// The part to embed.
    #[arg(long, value_parser = choice::<Split>(), default_value = "train")]
    pub split: Split,
    /// Only the first N images of each class.
    #[arg(long, value_name = "N")]
    pub subset_per_class: Option<usize>,
    /// Skip up to N unreadable images of a folder.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub max_corrupt: usize,
    /// The side to which --pixels scales the images [default: that of the images].
    #[arg(long, value_name = "N", requires = "pixels")]
    pub image_size: Option<usize>,
    /// Where to write: FILE.safetensors, or FILE.npy for the numbers alone, without labels and origin.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

/// `mrl eval`.
#[derive(Clone, Debug, Args)]
pub struct EvalArgs {
    /// The embedding set to learn from.
    #[arg(long, value_name = "FILE")]
    pub train: PathBuf,
    /// The embedding set to test on.
    #[arg(long, value_name = "FILE")]
    pub test: PathBuf,
    /// The lengths to measure [default: those that were trained].
    #[arg(long, value_name = "8,16,…", value_delimiter = ',')]
    pub dims: Option<Vec<usize>>,
    /// Prefixes as they are, and as many principal components.
    #[arg(long, value_delimiter = ',', value_parser = choice::<Method>(), default_value = "prefix,pca")]
    pub methods: Vec<Method>,
    /// The probe's L2 strength: scikit-learn's 1/C.
    #[arg(long, value_name = "STRENGTH", default_value_t = 1.0)]
    pub l2: f64,
    /// The folder for report.json, accuracy.svg and accuracy.png.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}

/// One of an enum's names, as strum knows them.
fn choice<T>() -> impl TypedValueParser<Value = T>
where
    T: VariantNames + FromStr + Clone + Send + Sync + 'static,
    T::Err: std::error::Error + Send + Sync + 'static,
{
    PossibleValuesParser::new(T::VARIANTS).try_map(|name| name.parse::<T>())
}
