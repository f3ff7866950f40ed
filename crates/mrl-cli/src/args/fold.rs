//! `mrl fold`.

use std::path::PathBuf;

use clap::Args;
use mrl_config::{FoldChoice, NetworkChoice};

use super::{ImageArgs, choice};

/// `mrl fold`.
#[derive(Clone, Debug, Args)]
pub struct FoldArgs {
    /// The folder of a run, whose encoders are both folded, or the file of one encoder.
    #[arg(value_name = "RUN|ENCODER")]
    pub encoder: PathBuf,
    /// The rotation: the principal components of the features, one that is learned as by `mrl adapt fit`, or none, which removes the
    /// linear map that is there.
    #[arg(long, value_parser = choice::<FoldChoice>(), default_value = "principal")]
    pub with: FoldChoice,
    /// The images to fit the rotation to, and to judge it by.
    #[command(flatten)]
    pub images: ImageArgs,
    /// One of the run's networks [default: both].
    #[arg(long, value_parser = choice::<NetworkChoice>())]
    pub network: Option<NetworkChoice>,
    /// Fold even where the images kept out of the fit say that it does not help.
    #[arg(long)]
    pub always: bool,
    /// Where to write the encoder, folded or, where that does not help, as it is [default: it replaces the encoder that is read]. An
    /// encoder that is there is replaced, no other file.
    #[arg(long, value_name = "FILE.safetensors")]
    pub out: Option<PathBuf>,
    /// Replace any file at --out.
    #[arg(long, requires = "out")]
    pub force: bool,
}
