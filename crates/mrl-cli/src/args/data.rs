//! `mrl data`.

use std::path::PathBuf;

use clap::Args;
use mrl_data::{DatasetKind, Split};

use super::choice;

/// `mrl data`.
#[derive(Clone, Debug, Args)]
pub struct LookArgs {
    /// The folder of the images.
    #[arg(value_name = "DIR")]
    pub data_dir: PathBuf,
    /// The format of the images [default: folder].
    #[arg(long, value_parser = choice::<DatasetKind>())]
    pub dataset: Option<DatasetKind>,
    /// Look only at this split [default: every split that exists].
    #[arg(long, value_parser = choice::<Split>())]
    pub split: Option<Split>,
    /// For --dataset folder: the folder of the split, relative to DIR, if its name is not that of a split; `.` takes all of DIR.
    #[arg(long, value_name = "NAME")]
    pub split_folder: Option<PathBuf>,
    /// Treat images of a folder with more than N million pixels as corrupt. The limit keeps a small file from filling the memory [default: 134].
    #[arg(long, value_name = "N")]
    pub max_megapixels: Option<u32>,
    /// Print everything as JSON, with all corrupt files, copies and near duplicates.
    #[arg(long)]
    pub json: bool,
}
