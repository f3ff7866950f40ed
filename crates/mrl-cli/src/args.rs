//! What can be typed; nothing is checked here but the form.

mod adapt;
mod data;
mod defaults;
mod fold;
mod images;
mod index;
mod train;

use std::{path::PathBuf, str::FromStr};

use clap::{
    Args, CommandFactory, FromArgMatches, Parser, Subcommand,
    builder::{PossibleValuesParser, TypedValueParser},
};
use mrl_config::NetworkChoice;
use mrl_eval::{Database, Measure, Method};
use strum::VariantNames;

pub use adapt::{AdaptCommand, ApplyArgs, FitArgs};
pub use data::LookArgs;
pub use fold::FoldArgs;
pub use images::ImageArgs;
pub use index::{
    AddArgs, BenchArgs, BuildArgs, IndexCommand, InfoArgs, InputArgs, PushArgs, RemoveArgs, SearchArgs,
    TableArgs, TuneArgs,
};
pub use train::{Sections, TrainArgs};

const AFTER_HELP: &str = "\
From images to a report and a search:
  mrl train --dataset cifar10 --data-dir data --out runs/cifar10
  mrl embed --run runs/cifar10 --split train --out train.safetensors
  mrl embed --run runs/cifar10 --split test --out test.safetensors
  mrl eval --train train.safetensors --test test.safetensors --out report
  mrl index build --input train.safetensors --out train.index

Environment:
  MRL_SIMD  Widest vector instructions for views, evaluation and search: scalar, avx2 or avx512
            (on ARM scalar or neon) [default: the widest of the processor]";

const TRAIN_EXAMPLES: &str = "\
Examples:
  A first look at CIFAR-10, on 10,000 images (add --width 0.25 for a quarter of the channels):
    mrl train --dataset cifar10 --data-dir data --subset-per-class 1000 --epochs 15 --out runs/look
  Your own photos, with the accuracy of a tenth of them every five epochs:
    mrl train --dataset folder --data-dir photos --holdout 0.1 --eval-every 5 --out runs/photos
  Continue after an interruption: mrl train --resume --out runs/photos";

/// Matryoshka embeddings: train an encoder whose prefixes are embeddings of their own, embed with it, see what each dim is worth,
/// and search by them.
#[derive(Debug, Parser)]
#[command(name = "mrl", version, max_term_width = 100, after_help = AFTER_HELP)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

impl Cli {
    /// Parses the arguments of the process. If they are wrong or ask for help, it prints that and ends the process.
    #[must_use]
    pub fn of_process() -> Self {
        Self::from_arg_matches(&Self::described().get_matches()).unwrap_or_else(|error| error.exit())
    }

    /// The same of these words, of which the first is the program's name.
    ///
    /// # Errors
    /// When they are wrong, or ask for help.
    pub fn parse_words(words: impl IntoIterator<Item = String>) -> Result<Self, clap::Error> {
        Self::from_arg_matches(&Self::described().try_get_matches_from(words)?)
    }

    /// The command line with all that its help says.
    #[must_use]
    pub fn described() -> clap::Command {
        Self::command().mut_subcommand("train", |train| train.mut_args(defaults::shown))
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show what a folder of images or another data set holds: classes, sizes, corrupt files and duplicates.
    Data(LookArgs),
    /// Train an encoder, on images without labels or by their labels.
    #[command(after_help = TRAIN_EXAMPLES)]
    Train(Box<TrainArgs>),
    /// Turn images into an embedding set.
    Embed(EmbedArgs),
    /// Fold a rotation into trained encoders, so that their prefixes are principal components and full vectors keep their cosines.
    Fold(FoldArgs),
    /// Measure what each dim of an embedding is worth: probe, neighbours, retrieval, beside PCA and random projections.
    Eval(EvalArgs),
    /// Make the prefixes of frozen vectors of any encoder useful.
    #[command(subcommand)]
    Adapt(AdaptCommand),
    /// Search vectors: short prefixes to shortlist, the full vector to rank.
    #[command(subcommand)]
    Index(IndexCommand),
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
    /// The vectors to learn from, with labels: an embedding set (safetensors), or .npy or Parquet with the options below; one for each --test,
    /// or one for all.
    #[arg(long, value_name = "FILE", required_unless_present = "compare", requires = "test")]
    pub train: Vec<PathBuf>,
    /// The vectors to test on, likewise. Several are several runs: each has its report in a folder run-N of --out, and mean and
    /// standard deviation are shown.
    #[arg(long, value_name = "FILE", required_unless_present = "compare", requires = "train")]
    pub test: Vec<PathBuf>,
    /// A label for each vector of --train, instead of those in its file: an array (.npy) of whole numbers or text, or text with a label in each
    /// line; one for each --train.
    #[arg(long, value_name = "FILE", conflicts_with = "label_column")]
    pub train_labels: Vec<PathBuf>,
    /// The same for --test.
    #[arg(long, value_name = "FILE", conflicts_with = "label_column")]
    pub test_labels: Vec<PathBuf>,
    /// The column of vectors of Parquet files [default: the only one of lists of floats, or else of 8-bit integers].
    #[arg(long, value_name = "NAME")]
    pub column: Option<String>,
    /// The column of labels of Parquet files, whole numbers or text.
    #[arg(long, value_name = "NAME")]
    pub label_column: Option<String>,
    /// Draw reports that are there already in one chart: folders that `mrl eval` wrote, or their report.json.
    #[arg(long, value_name = "RUN", num_args = 1.., conflicts_with_all = [
        "train", "test", "train_labels", "test_labels", "column", "label_column", "baseline", "dims", "methods", "measures", "l2", "tolerance", "neighbours", "temperature", "database",
        "hits", "resamples", "seed", "data_dir", "outcomes",
    ])]
    pub compare: Vec<PathBuf>,
    /// An encoder of fixed width to compare with, measured with its full width: the report of `mrl eval` on the same
    /// images, or its two embedding sets. The same name may be given for several widths. What both have measured is compared.
    #[arg(long, value_name = "NAME=REPORT|TRAIN,TEST", value_parser = baseline)]
    pub baseline: Vec<Baseline>,
    /// The dims to measure [default: those that were trained].
    #[arg(long, value_name = "8,16,…", value_delimiter = ',')]
    pub dims: Option<Vec<usize>>,
    /// Prefixes as they are, and other ways to reduce the dims [default: all but pca-uncentred].
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
    /// Also write outcomes.safetensors: which test rows are classified correctly, by method, measure and dim. Two encoders can so be
    /// compared row by row.
    #[arg(long)]
    pub outcomes: bool,
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
