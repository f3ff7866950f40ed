//! The `mrl` command line: what was typed ([`args`]), what it means (`settings`), and one function a command.

pub mod args;
mod commands;
mod file_name;
mod memory;
mod outputs;
mod pixel_cache;
mod profile;
mod progress;
pub mod reference;
mod settings;
mod signals;
mod simd;
mod waiting;

use std::process::ExitCode;

use args::{Cli, Command};
use mrl_eval::EvalError;
use mrl_retrieve::postgres::PostgresError;
use mrl_train::TrainError;

/// What a command ended with, beside errors.
pub(crate) enum Ending {
    Done,
    /// Stopped by a signal, after saving a checkpoint.
    Interrupted,
}

/// The user asked for something that cannot be meant; ends with the code for wrong usage.
#[derive(Debug)]
pub(crate) struct UsageError(pub(crate) String);

impl std::fmt::Display for UsageError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for UsageError {}

/// Runs a command: 0 done, 1 failed, 2 wrong usage, 130 interrupted after saving a checkpoint.
#[must_use]
pub fn run(cli: Cli) -> ExitCode {
    prepare_process();
    if matches!(cli.command, Command::Train(_) | Command::Embed(_) | Command::Fold(_) | Command::Adapt(_)) {
        waiting::sleep_while_waiting();
    }
    exit_code(simd::limit().and_then(|()| match cli.command {
        Command::Train(args) => commands::train(&args),
        Command::Embed(args) => commands::embed(&args),
        Command::Fold(args) => commands::fold(&args),
        Command::Eval(args) => commands::eval(&args),
        Command::Adapt(command) => commands::adapt(&command),
        Command::Index(command) => commands::index(&command),
    }))
}

/// What every program does first.
pub fn prepare_process() {
    memory::keep_freed_pages();
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        // The library makes an error of it, which says it better.
        if !mrl_train::is_torch_panic(panic.payload()) {
            default(panic);
        }
    }));
}

fn exit_code(result: anyhow::Result<Ending>) -> ExitCode {
    match result {
        Ok(Ending::Done) if progress::lost_an_answer() => ExitCode::FAILURE,
        Ok(Ending::Done) => ExitCode::SUCCESS,
        Ok(Ending::Interrupted) => ExitCode::from(130),
        Err(error) => {
            progress::error(&error);
            ExitCode::from(if is_usage(&error) { 2 } else { 1 })
        }
    }
}

fn is_usage(error: &anyhow::Error) -> bool {
    error.is::<UsageError>()
        || error.downcast_ref::<TrainError>().is_some_and(TrainError::is_usage)
        || error.downcast_ref::<EvalError>().is_some_and(EvalError::is_usage)
        || error.downcast_ref::<mrl_retrieve::Error>().is_some_and(mrl_retrieve::Error::is_usage)
        || error.downcast_ref::<PostgresError>().is_some_and(PostgresError::is_usage)
}
