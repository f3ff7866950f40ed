//! What can be typed; nothing is checked here but the form.

mod adapt;
mod fold;
mod images;
mod index;
mod objective;
mod optimiser;

use std::{path::PathBuf, str::FromStr};

use clap::{
    Args, Parser, Subcommand,
    builder::{PossibleValuesParser, TypedValueParser},
};
use mrl_data::{AugmentationPreset, DatasetKind, Split};
use mrl_eval::{Database, Measure, Method};
use mrl_train::{DeviceChoice, Encoder, FoldChoice, Head, NetworkChoice, Precision, Stem};
use strum::VariantNames;

pub use adapt::{AdaptCommand, ApplyArgs, FitArgs};
pub use fold::FoldArgs;
pub use images::ImageArgs;
pub use index::{
    AddArgs, BenchArgs, BuildArgs, IndexCommand, InfoArgs, InputArgs, PushArgs, RemoveArgs, SearchArgs,
    TableArgs, TuneArgs,
};
pub use objective::ObjectiveArgs;
pub use optimiser::OptimiserArgs;

const ENVIRONMENT: &str = "\
Environment:
  MRL_SIMD  Widest vector instructions for views, evaluation and search: scalar, avx2 or avx512
            (on ARM scalar or neon) [default: the widest of the processor]";

/// Matryoshka embeddings: train an encoder whose prefixes are embeddings of their own, embed with it, see what each length is
/// worth, and search by them.
#[derive(Debug, Parser)]
#[command(name = "mrl", version, max_term_width = 100, after_help = ENVIRONMENT)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Train an encoder, on images without labels or by their labels.
    Train(Box<TrainArgs>),
    /// Turn images into an embedding set.
    Embed(EmbedArgs),
    /// Fold a rotation into trained encoders, so that their prefixes are principal components and whole vectors keep their cosines.
    Fold(FoldArgs),
    /// Measure what each length of an embedding is worth: probe, neighbours, retrieval, beside PCA and chance.
    Eval(EvalArgs),
    /// Make the prefixes of frozen vectors useful, whatever made them.
    #[command(subcommand)]
    Adapt(AdaptCommand),
    /// Search vectors: short prefixes to shortlist, the full vector to rank.
    #[command(subcommand)]
    Index(IndexCommand),
}

/// `mrl train`.
#[derive(Clone, Debug, Default, Args)]
#[command(allow_negative_numbers = true)]
pub struct TrainArgs {
    /// Start from a preset: a name (demo, reference, reference-cifar10-resnet18, …) or a file.toml; other options override it [default:
    /// default, whose values are the defaults below].
    #[arg(long, value_name = "NAME|FILE.toml")]
    pub preset: Option<String>,
    /// The folder of the run; it must be new or empty, unless --resume is given, and lie outside of the folder of the images.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Continue the run in --out from its last checkpoint, on the same images; begin it where --out is new or empty.
    #[arg(long)]
    pub resume: bool,
    /// The format of the images.
    #[arg(long, value_parser = choice::<DatasetKind>())]
    pub dataset: Option<DatasetKind>,
    /// The folder of the images; CIFAR and STL-10 are downloaded there when they are missing.
    #[arg(long, value_name = "PATH")]
    pub data_dir: Option<PathBuf>,
    /// The part to train on [default: unlabeled for stl10 unless the objective needs labels, train elsewhere].
    #[arg(long, value_parser = choice::<Split>())]
    pub split: Option<Split>,
    /// Only the first N images of each class.
    #[arg(long, value_name = "N")]
    pub subset_per_class: Option<usize>,
    /// Skip up to N corrupt images of a folder [default: 0].
    #[arg(long, value_name = "N")]
    pub max_corrupt: Option<usize>,
    /// Never train on this share of each class: always the same images, whatever the seed; 0 for none, where the preset has some.
    #[arg(long, value_name = "SHARE")]
    pub holdout: Option<f64>,
    /// The side at which images are embedded, and the largest of views, in pixels [default: that of the images, 224 where they differ].
    #[arg(long, value_name = "N")]
    pub image_size: Option<usize>,
    /// Where the decoded pixels of a folder are kept, so that later epochs and runs need not decode
    /// [default: mrl/pixels in the user's cache folder].
    #[arg(long, value_name = "DIR")]
    pub pixel_cache: Option<PathBuf>,
    /// Decode the images of a folder every time, and keep no pixels on the disk; the views are the same.
    #[arg(long, conflicts_with = "pixel_cache")]
    pub no_pixel_cache: bool,
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
    /// One projector for all prefixes (mrl-e), one for each (mrl), the whole width alone (fixed), or one prefix drawn for
    /// each step (random-prefix) [default: mrl-e].
    #[arg(long, value_parser = choice::<Head>())]
    pub head: Option<Head>,
    /// Hidden units of the widest prefix's projector; 0: no hidden layer, one linear map as in the reference [default: 2048].
    #[arg(long, value_name = "N")]
    pub head_hidden: Option<usize>,
    /// Whether shorter prefixes have their share of the hidden units, or all of them [default: false].
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub head_nest_hidden: Option<bool>,
    /// Batch norm in projectors and predictors [default: true].
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub head_batch_norm: Option<bool>,
    /// Numbers of a projection [default: 512].
    #[arg(long, value_name = "N")]
    pub projection_dim: Option<usize>,
    /// What to minimise.
    #[command(flatten)]
    pub objective: ObjectiveArgs,
    /// Passes over the images [default: 100].
    #[arg(long, value_name = "N", conflicts_with = "max_steps")]
    pub epochs: Option<u64>,
    /// Steps in all; 0 writes the untrained encoder.
    #[arg(long, value_name = "N")]
    pub max_steps: Option<u64>,
    /// Images that the loss tells apart from each other [default: 128].
    #[arg(long, value_name = "N")]
    pub batch_size: Option<usize>,
    /// Batches whose gradients make one step. The loss compares images within a batch alone: this is no larger batch [default:
    /// 1].
    #[arg(long, value_name = "N")]
    pub grad_accum: Option<usize>,
    /// The sides of the views in equal parts of the run, in parts of --image-size: small ones are trained on faster [default:
    /// 0.5,0.5,0.5,1].
    #[arg(long, value_name = "0.5,…,1", value_delimiter = ',')]
    pub view_scales: Option<Vec<f64>>,
    /// How gradients change weights, and how fast.
    #[command(flatten)]
    pub optimiser: OptimiserArgs,
    /// How the two views of an image are made, all of it; a preset's augmentation section can also change parts of one of
    /// these [default: simclr-cifar with crops of 20 % or more].
    #[arg(long, value_parser = choice::<AugmentationPreset>())]
    pub augmentation: Option<AugmentationPreset>,
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
    /// A checkpoint every N steps [default: behind an epoch, once a minute at most].
    #[arg(long, value_name = "N")]
    pub checkpoint_every: Option<u64>,
    /// After N steps, batch norm of both networks uses its running statistics, which no longer change. The reference's script does so
    /// from its first evaluation on, after 2,000 steps [default: never].
    #[arg(long, value_name = "N")]
    pub freeze_batch_norm_after: Option<u64>,
    /// Every N epochs, and at the end, the 1-NN accuracy of the images of --holdout by each trained length of both networks.
    #[arg(long, value_name = "N")]
    pub eval_every: Option<u64>,
    /// The rotation to fold into the encoders at the end, where images kept out of its fit say that prefixes find more of the nearest
    /// neighbours with it [default: principal].
    #[arg(long, value_parser = choice::<FoldChoice>())]
    pub fold: Option<FoldChoice>,
    /// Write the phases of each step as a trace that Perfetto and Chrome show.
    #[arg(long, value_name = "FILE.json")]
    pub profile: Option<PathBuf>,
    /// Replace the file of --profile even if it is not a profile that mrl wrote. A run is never replaced.
    #[arg(long, requires = "profile")]
    pub force: bool,
}

/// `mrl embed`.
#[derive(Clone, Debug, Args)]
pub struct EmbedArgs {
    /// The run whose encoder to use, while it goes on that of its last checkpoint; or the file of an encoder.
    #[arg(long, value_name = "RUN|ENCODER", required_unless_present = "pixels")]
    pub run: Option<PathBuf>,
    /// Use the raw pixels as the embedding: the baseline that an encoder must beat. Gray data sets have one number a pixel.
    #[arg(long, conflicts_with = "run")]
    pub pixels: bool,
    /// The moving average (target) or the network that the optimiser trains (online); the file of an encoder says which it is
    /// [default: target].
    #[arg(long, value_parser = choice::<NetworkChoice>(), conflicts_with = "pixels")]
    pub network: Option<NetworkChoice>,
    /// Leave out the rotation that was folded into the encoder: prefixes as they were trained.
    #[arg(long, conflicts_with = "pixels")]
    pub unfolded: bool,
    /// The images to embed.
    #[command(flatten)]
    pub images: ImageArgs,
    /// The side to which --pixels scales the images [default: that of the images].
    #[arg(long, value_name = "N", requires = "pixels", conflicts_with = "run")]
    pub image_size: Option<usize>,
    /// Where to write: FILE.safetensors, or FILE.npy for the numbers alone, without labels and origin. An embedding set that mrl wrote to
    /// FILE.safetensors is replaced.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Replace any file at --out. An existing FILE.npy always needs this: it does not say whether mrl wrote it.
    #[arg(long)]
    pub force: bool,
}

/// `mrl eval`.
#[derive(Clone, Debug, Args)]
#[command(allow_negative_numbers = true)]
pub struct EvalArgs {
    /// The embedding set to learn from; one for each --test, or one for all.
    #[arg(long, value_name = "FILE", required_unless_present = "compare", requires = "test")]
    pub train: Vec<PathBuf>,
    /// The embedding set to test on. Several are several runs: each has its report in a folder run-N of --out, and mean and
    /// standard deviation are shown.
    #[arg(long, value_name = "FILE", required_unless_present = "compare", requires = "train")]
    pub test: Vec<PathBuf>,
    /// Draw reports that are there already in one chart: folders that `mrl eval` wrote, or their report.json.
    #[arg(long, value_name = "RUN", num_args = 1.., conflicts_with_all = [
        "train", "test", "baseline", "dims", "methods", "measures", "l2", "tolerance", "neighbours", "temperature", "database",
        "hits", "resamples", "seed", "data_dir",
    ])]
    pub compare: Vec<PathBuf>,
    /// An encoder of fixed width to compare with, measured with its full width: the report of `mrl eval` on the same
    /// images, or its two embedding sets. The same name may be given for several widths. What both have measured is compared.
    #[arg(long, value_name = "NAME=REPORT|TRAIN,TEST", value_parser = baseline)]
    pub baseline: Vec<Baseline>,
    /// The lengths to measure [default: those that were trained].
    #[arg(long, value_name = "8,16,…", value_delimiter = ',')]
    pub dims: Option<Vec<usize>>,
    /// Prefixes as they are, and what else makes short rows of long ones [default: all].
    #[arg(long, value_delimiter = ',', value_parser = choice::<Method>())]
    pub methods: Option<Vec<Method>>,
    /// What to measure [default: all].
    #[arg(long, value_delimiter = ',', value_parser = choice::<Measure>())]
    pub measures: Option<Vec<Measure>>,
    /// The probe's L2 strength, scikit-learn's 1/C [default: chosen for each dim by cross-validation on --train].
    #[arg(long, value_name = "STRENGTH")]
    pub l2: Option<f64>,
    /// The largest entry of the gradient with which a probe is converged; less where the objective is below 1 [default:
    /// 0.000001].
    #[arg(long, value_name = "NORM")]
    pub tolerance: Option<f64>,
    /// Voters of the weighted k-NN; all of --train where there are fewer [default: 200].
    #[arg(long, value_name = "K")]
    pub neighbours: Option<usize>,
    /// A voter weighs exp(cosine / T) [default: 0.1].
    #[arg(long, value_name = "T")]
    pub temperature: Option<f64>,
    /// Where the test rows search for retrieval: among the training rows, or among the other test rows [default: train].
    #[arg(long, value_parser = choice::<Database>())]
    pub database: Option<Database>,
    /// The lengths of the list of hits for retrieval [default: 10,100].
    #[arg(long, value_name = "K,…", value_delimiter = ',')]
    pub hits: Option<Vec<usize>>,
    /// Bootstrap resamples of the test rows for the intervals; 0: no intervals [default: 1000].
    #[arg(long, value_name = "N")]
    pub resamples: Option<usize>,
    /// The bootstrap and the random methods follow from it [default: 0].
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// The folder of the images that were embedded: the page then shows nearest neighbours.
    #[arg(long, value_name = "PATH")]
    pub data_dir: Option<PathBuf>,
    /// The folder for report.json, report.html and the charts: new, empty, or written by an earlier `mrl eval`, whose files of the same
    /// kind are replaced.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Write to --out even if it holds other files. Of these, only files with the names of a report's are replaced.
    #[arg(long)]
    pub force: bool,
}

/// `--baseline`.
#[derive(Clone, Debug)]
pub struct Baseline {
    /// What the report calls it.
    pub name: String,
    /// REPORT, or TRAIN,TEST.
    pub files: String,
}

fn baseline(text: &str) -> Result<Baseline, String> {
    let form = "write NAME=REPORT or NAME=TRAIN,TEST";
    let (name, files) = text.split_once('=').ok_or(form)?;
    if name.is_empty() || files.is_empty() || files.starts_with(',') || files.ends_with(',') {
        return Err(form.to_owned());
    }
    if Method::VARIANTS.contains(&name) {
        return Err(format!("{name} is the name of a method; choose another"));
    }
    Ok(Baseline { name: name.to_owned(), files: files.to_owned() })
}

/// One of an enum's names, as strum knows them.
fn choice<T>() -> impl TypedValueParser<Value = T>
where
    T: VariantNames + FromStr + Clone + Send + Sync + 'static,
    T::Err: std::error::Error + Send + Sync + 'static,
{
    PossibleValuesParser::new(T::VARIANTS).try_map(|name| name.parse::<T>())
}
