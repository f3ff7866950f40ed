//! `mrl_train`: the command line of the reference implementation, mapped onto `mrl train`. Once it is understood, this becomes `mrl-torch`.

use std::process::ExitCode;

fn main() -> ExitCode {
    let _ = mrl_cli::reference::ReferenceArgs::of_process();
    mrl_cli::exit_code(Err(mrl_cli::torch_program::become_it("mrl_train")), |_| false).into()
}
