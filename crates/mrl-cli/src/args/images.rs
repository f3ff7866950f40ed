use std::path::PathBuf;

use clap::Args;
use mrl_data::{DatasetKind, Split};

use super::choice;

/// The images that a run's encoder embeds.
#[derive(Clone, Debug, Default, PartialEq, Args)]
pub struct ImageArgs {
    /// The format of the images [default: that of the run].
    #[arg(long, value_parser = choice::<DatasetKind>())]
    pub dataset: Option<DatasetKind>,
    /// The folder of the images [default: that of the run].
    #[arg(long, value_name = "PATH")]
    pub data_dir: Option<PathBuf>,
    /// The part to embed [default: train].
    #[arg(long, value_parser = choice::<Split>())]
    pub split: Option<Split>,
    /// For --dataset folder: the folder of the split, relative to --data-dir, if its name is not that of a split; `.` takes all of --data-dir
    #[arg(long, value_name = "NAME")]
    pub split_folder: Option<PathBuf>,
    /// Only the first N images of each class.
    #[arg(long, value_name = "N")]
    pub subset_per_class: Option<usize>,
    /// Skip up to N corrupt images of a folder [default: 0].
    #[arg(long, value_name = "N")]
    pub max_corrupt: Option<usize>,
    /// Treat images of a folder with more than N million pixels as corrupt. The limit keeps a small file from filling the memory [default: that of the run, or 134].
    #[arg(long, value_name = "N")]
    pub max_megapixels: Option<u32>,
}
