//! `mrl_train`: the command line of the reference implementation, mapped onto `mrl train`.

use std::process::ExitCode;

fn main() -> ExitCode {
    mrl_cli::reference::main(std::env::args_os())
}
