//! `mrl`: Matryoshka embeddings from the command line. Commands that need libtorch are those of `mrl-torch`, which this becomes.

use std::process::ExitCode;

fn main() -> ExitCode {
    mrl_cli::run(&mrl_cli::args::Cli::of_process()).into()
}
