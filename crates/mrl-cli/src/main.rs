//! `mrl`: Matryoshka embeddings from the command line.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    mrl_cli::run(mrl_cli::args::Cli::parse())
}
