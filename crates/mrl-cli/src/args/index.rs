//! `mrl index`.

use std::{num::NonZeroUsize, path::PathBuf};

use clap::{Args, Subcommand};
use mrl_config::NetworkChoice;
use mrl_retrieve::{
    Dtype, GraphChoice, Metric, Rotate, Schedule, Workload,
    postgres::{Ann, TableName},
};

use super::choice;

/// What to do with an index.
#[derive(Clone, Debug, Subcommand)]
pub enum IndexCommand {
    /// Build an index of vectors.
    Build(BuildArgs),
    /// Add vectors.
    Add(AddArgs),
    /// Remove vectors by their ids.
    Remove(RemoveArgs),
    /// Write the index anew without what was removed.
    Compact {
        /// The index.
        index: PathBuf,
    },
    /// Show what an index is.
    Info(InfoArgs),
    /// Find the fastest schedule that finds enough, and let searches follow it.
    Tune(TuneArgs),
    /// Time schedules on this machine, beside exact answers and brute force.
    Bench(BenchArgs),
    /// Find the nearest vectors of each query.
    Search(SearchArgs),
    /// Copy an index to a table of Postgres with pgvector.
    Push(PushArgs),
}

/// Where vectors come from.
#[derive(Clone, Debug, Args)]
pub struct InputArgs {
    /// The vectors: an embedding set (safetensors), rows of numbers (.npy), or Parquet; the contents say which.
    #[arg(long, value_name = "FILE")]
    pub input: PathBuf,
    /// The column of vectors of a Parquet file [default: the only one of lists of floats, or else of 8-bit integers].
    #[arg(long, value_name = "NAME")]
    pub column: Option<String>,
    /// The column of ids of a Parquet file, numbers or text [default: rows are numbered].
    #[arg(long, value_name = "NAME")]
    pub id_column: Option<String>,
    /// The column of labels of a Parquet file, whole numbers or text [default: no labels].
    #[arg(long, value_name = "NAME")]
    pub label_column: Option<String>,
    /// A label for each vector, instead of those in the file of the vectors: an array (.npy) of whole numbers or text, or text with a label
    /// in each line.
    #[arg(long, value_name = "FILE", conflicts_with = "label_column")]
    pub labels: Option<PathBuf>,
}

impl InputArgs {
    /// The files that are read.
    pub fn files(&self) -> impl Iterator<Item = &PathBuf> {
        [&self.input].into_iter().chain(&self.labels)
    }

    /// True if `--labels` or `--label-column` is given.
    #[must_use]
    pub fn names_labels(&self) -> bool {
        self.labels.is_some() || self.label_column.is_some()
    }
}

/// `mrl index build`.
#[derive(Clone, Debug, Args)]
pub struct BuildArgs {
    /// Where the vectors come from.
    #[command(flatten)]
    pub input: InputArgs,
    /// The prefixes to search by [default: those that were trained, or else powers of two from 8].
    #[arg(long, value_name = "8,16,…", value_delimiter = ',')]
    pub dims: Vec<usize>,
    /// What makes two vectors alike.
    #[arg(long, value_parser = choice::<Metric>(), default_value = "cosine")]
    pub metric: Metric,
    /// Whether shortlists are made by principal components instead of the trained prefixes; auto is pca where that finds
    /// more. Scores stay what they are.
    #[arg(long, value_parser = choice::<Rotate>(), default_value = "auto")]
    pub rotate: Rotate,
    /// How the numbers for shortlists are stored; ranking always uses the vectors as they were given.
    #[arg(long, value_parser = choice::<Dtype>(), default_value = "int8")]
    pub shortlist_dtype: Dtype,
    /// A prefix that shortlists, which gets a graph for beam search (--schedule g64:100,512); tune adds one where it is faster.
    #[arg(long, value_name = "DIM")]
    pub graph: Option<usize>,
    /// The index to write; an index that is there is replaced when the new one is whole, any other file is not.
    #[arg(long, value_name = "INDEX")]
    pub out: PathBuf,
    /// Replace any file at --out.
    #[arg(long)]
    pub force: bool,
}

/// `mrl index add`.
#[derive(Clone, Debug, Args)]
pub struct AddArgs {
    /// The index.
    pub index: PathBuf,
    /// Where the vectors come from.
    #[command(flatten)]
    pub input: InputArgs,
}

/// `mrl index remove`.
#[derive(Clone, Debug, Args)]
pub struct RemoveArgs {
    /// The index.
    pub index: PathBuf,
    /// The ids to remove.
    #[arg(value_name = "ID", required_unless_present = "ids_from")]
    pub ids: Vec<String>,
    /// A text file with an id in each line.
    #[arg(long, value_name = "FILE")]
    pub ids_from: Option<PathBuf>,
}

/// `mrl index info`.
#[derive(Clone, Debug, Args)]
pub struct InfoArgs {
    /// The index.
    pub index: PathBuf,
    /// Compare every part of the file with its checksum.
    #[arg(long)]
    pub verify: bool,
    /// As JSON, with all that is known.
    #[arg(long)]
    pub json: bool,
}

/// A table of a database.
#[derive(Clone, Debug, Args)]
pub struct TableArgs {
    /// The database, postgres://USER:PASSWORD@HOST:PORT/DATABASE; without a password there, that of PGPASSWORD is used.
    #[arg(long, value_name = "URL")]
    pub postgres: Option<String>,
    /// The table in it, NAME or SCHEMA.NAME.
    #[arg(long, value_name = "NAME", default_value = "embeddings", requires = "postgres")]
    pub table: TableName,
}

/// `mrl index push`.
#[derive(Clone, Debug, Args)]
pub struct PushArgs {
    /// The index.
    pub index: PathBuf,
    /// Where it goes.
    #[command(flatten)]
    pub table: TableArgs,
    /// The prefix that shortlists, which pgvector indexes [default: that of the index's schedule, or else its longest up to
    /// 64].
    #[arg(long, value_name = "DIM")]
    pub prefix: Option<usize>,
    /// How it is indexed: hnsw finds nearly all, ivfflat is built quicker, none reads all rows.
    #[arg(long, value_parser = choice::<Ann>(), default_value = "hnsw")]
    pub ann: Ann,
    /// Rows that are committed together; a push that is cut goes on from the last of these [default: those of 16 MiB].
    #[arg(long, value_name = "ROWS", value_parser = clap::value_parser!(u32).range(1..))]
    pub batch: Option<u32>,
}

/// `mrl index tune`.
#[derive(Clone, Debug, Args)]
pub struct TuneArgs {
    /// The index.
    pub index: PathBuf,
    /// Queries like those to come, safetensors, .npy or Parquet; at most 500 are used, evenly spaced. With labels on both sides, the mean average precision is measured too: a vector is relevant when it has the query's label, and of each query the
    /// precision at every relevant hit is summed and divided by K, or by the relevant vectors where these are fewer [default:
    /// some rows of the index, none of which may find itself].
    #[arg(long, value_name = "FILE")]
    pub queries: Option<PathBuf>,
    /// The column of vectors of a Parquet file of queries [default: the only one of lists of floats, or else of 8-bit integers].
    #[arg(long, value_name = "NAME", requires = "queries")]
    pub column: Option<String>,
    /// The column of labels of a Parquet file of queries, whole numbers or text [default: no labels].
    #[arg(long, value_name = "NAME", requires = "queries")]
    pub label_column: Option<String>,
    /// A label for each query, instead of those in the file of the queries: an array (.npy) of whole numbers or text, or text with a label in
    /// each line.
    #[arg(long, value_name = "FILE", requires = "queries", conflicts_with = "label_column")]
    pub labels: Option<PathBuf>,
    /// How many of the true nearest a search must find on average, from 0 to 1: at least, with a confidence of 95 %, for others
    /// than the queries that are measured.
    #[arg(long, value_name = "SHARE", default_value_t = 0.99)]
    pub recall: f64,
    /// Vectors to find for each query.
    #[arg(long, value_name = "K", default_value_t = 10)]
    pub k: usize,
    /// How queries will come: many at once, or one after the other.
    #[arg(long, value_parser = choice::<Workload>(), default_value = "batch")]
    pub workload: Workload,
    /// Whether a graph is tried, which takes minutes to build for a million vectors: none, auto (if a query takes longer than a
    /// millisecond without one), or the dims of its prefix. The index keeps it if it wins.
    #[arg(long, value_name = "auto|none|DIM", default_value_t)]
    pub graph: GraphChoice,
    /// Show what was measured, and leave the index as it is.
    #[arg(long)]
    pub dry_run: bool,
    /// Draw what each schedule finds by its speed and by its multiplications: FILE.svg or FILE.png. A chart that mrl drew is replaced, no
    /// other file.
    #[arg(long, value_name = "FILE")]
    pub chart: Option<PathBuf>,
    /// Replace any file at --chart.
    #[arg(long, requires = "chart")]
    pub force: bool,
}

/// `mrl index bench`.
#[derive(Clone, Debug, Args)]
pub struct BenchArgs {
    /// The index.
    pub index: PathBuf,
    /// Queries like those to come, safetensors, .npy or Parquet; at most 500 are used, evenly spaced [default: some rows of the index, none
    /// of which may find itself].
    #[arg(long, value_name = "FILE")]
    pub queries: Option<PathBuf>,
    /// The column of vectors of a Parquet file of queries [default: the only one of lists of floats, or else of 8-bit integers].
    #[arg(long, value_name = "NAME", requires = "queries")]
    pub column: Option<String>,
    /// Vectors to find for each query.
    #[arg(long, value_name = "K", default_value_t = NonZeroUsize::new(10).expect("10 is not 0"))]
    pub k: NonZeroUsize,
    /// A schedule to time beside exact and brute force; may be given several times [default: that of the index].
    #[arg(long, value_name = "SCHEDULE")]
    pub schedule: Vec<Schedule>,
    /// Rounds; in each, every schedule has its turn, and the median of all counts.
    #[arg(long, value_name = "N", default_value_t = NonZeroUsize::new(5).expect("5 is not 0"))]
    pub repeats: NonZeroUsize,
    /// As JSON, with the fastest and the slowest round.
    #[arg(long)]
    pub json: bool,
}

/// `mrl index search`.
#[derive(Clone, Debug, Args)]
pub struct SearchArgs {
    /// The index.
    #[arg(required_unless_present = "postgres", conflicts_with = "postgres")]
    pub index: Option<PathBuf>,
    /// The table that it was pushed to.
    #[command(flatten)]
    pub table: TableArgs,
    /// The queries: an embedding set (safetensors), rows of numbers (.npy), Parquet, or an image (FILE.jpg, .png and the like), which --run
    /// embeds.
    #[arg(long, value_name = "FILE")]
    pub queries: PathBuf,
    /// The column of vectors of a Parquet file of queries [default: the only one of lists of floats, or else of 8-bit integers].
    #[arg(long, value_name = "NAME", conflicts_with = "run")]
    pub column: Option<String>,
    /// The run whose encoder made the vectors of the index, for queries that are images.
    #[arg(long, value_name = "DIR")]
    pub run: Option<PathBuf>,
    /// Which of the run's networks.
    #[arg(long, value_parser = choice::<NetworkChoice>(), default_value = "target", requires = "run")]
    pub network: NetworkChoice,
    /// Vectors to find for each query.
    #[arg(long, value_name = "K", default_value_t = 10)]
    pub k: usize,
    /// In which steps: exact, or shortlists and the dims that rank, such as 64:200,512: by the first 64 dims keep 200, and
    /// rank these by 512; t64:200 uses the vectors as they were given, g64:200 walks along a graph [default: that of the
    /// index, or else exact].
    #[arg(long, value_name = "SCHEDULE")]
    pub schedule: Option<Schedule>,
    /// Where to write ids and scores, a row for each query: FILE.json, or FILE.npy with the fields id and score. Without it
    /// they are shown. The hits of an earlier search are replaced, no other file.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Replace any file at --out.
    #[arg(long, requires = "out")]
    pub force: bool,
}
