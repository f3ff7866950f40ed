//! `mrl-torch`: the commands of `mrl` that compute with libtorch. `mrl` and `mrl_train` become this program when they need it.

mod adapt;
mod embed;
mod fold;
mod held_out;
mod neighbours_kept;
mod pixel_cache;
mod profile;
mod signals;
mod train;

use std::{
    env,
    io::{Write, stdout},
    path::Path,
};

use mrl_cli::{
    args::{Cli, Command},
    commands, limit_simd, memory,
    reference::ReferenceArgs,
};
use mrl_train::TrainError;

fn main() {
    memory::keep_freed_pages();
    leave_torch_panics_to_errors();
    let code = mrl_cli::exit_code(limit_simd().and_then(|()| run()), |error| {
        error.downcast_ref::<TrainError>().is_some_and(TrainError::is_usage)
    });
    end(code)
}

/// Ends the program without libtorch's destructors. They take 0.1 seconds and only free memory, which the system frees anyway.
fn end(code: u8) -> ! {
    // `progress` has already reported output that could not be written.
    let _ = stdout().flush();
    // SAFETY: `_exit` only ends the process. What commands write is in its files, and their values are dropped.
    unsafe { libc::_exit(code.into()) }
}

fn run() -> anyhow::Result<mrl_cli::Ending> {
    if is_called("mrl_train") {
        return train::as_reference(&ReferenceArgs::of_process());
    }
    match Cli::of_process().command {
        Command::Train(args) => train::train(&args),
        Command::Embed(args) => embed::embed(&args),
        Command::Fold(args) => fold::fold(&args),
        Command::Adapt(command) => adapt::adapt(&command),
        Command::Data(args) => commands::data(&args),
        Command::Eval(args) => commands::eval(&args),
        Command::Index(command) => commands::index(&command, embed::query),
    }
}

/// Whether the program was started under this name.
fn is_called(name: &str) -> bool {
    env::args_os()
        .next()
        .is_some_and(|called| Path::new(&called).file_stem().is_some_and(|stem| stem == name))
}

/// The library makes an error of what libtorch throws, which says it better than a panic.
fn leave_torch_panics_to_errors() {
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !mrl_train::is_torch_panic(panic.payload()) {
            default(panic);
        }
    }));
}
