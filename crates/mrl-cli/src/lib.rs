//! The command lines: what was typed ([`args`], [`mod@reference`]), what it means ([`settings`]), and a function for each command that
//! needs no libtorch ([`commands`]). The others are those of the program `mrl-torch`, in `src/torch`.

#![allow(
    clippy::missing_errors_doc,
    clippy::must_use_candidate,
    reason = "this library is for the two programs alone: their functions end with an error that is shown to the user"
)]

pub mod args;
pub mod commands;
mod file_name;
pub mod memory;
pub mod outputs;
pub mod progress;
pub mod reference;
pub mod settings;
mod simd;
pub mod torch_program;

use args::{Cli, Command};
use mrl_config::ConfigError;
use mrl_eval::EvalError;
use mrl_retrieve::postgres::PostgresError;

pub use simd::limit as limit_simd;

/// What a command ended with, beside errors.
pub enum Ending {
    /// All is done.
    Done,
    /// Stopped by a signal, after saving a checkpoint.
    Interrupted,
}

/// The user asked for something that cannot be meant; ends with the code for wrong usage.
#[derive(Debug)]
pub struct UsageError(pub String);

impl std::fmt::Display for UsageError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for UsageError {}

/// Runs a command: 0 done, 1 failed, 2 wrong usage, 130 interrupted after saving a checkpoint.
#[must_use]
pub fn run(cli: &Cli) -> u8 {
    let become_torch = || Err(torch_program::become_it("mrl"));
    let result = limit_simd().and_then(|()| match &cli.command {
        // Wrong settings are reported before libtorch is loaded.
        Command::Train(args) => settings::train_config(args).and_then(|_| become_torch()),
        Command::Embed(_) | Command::Fold(_) | Command::Adapt(_) => become_torch(),
        Command::Data(args) => commands::data(args),
        Command::Eval(args) => commands::eval(args),
        Command::Index(command) => commands::index(command, |_, _| Err(torch_program::become_it("mrl"))),
    });
    exit_code(result, |_| false)
}

/// The exit code of a command, after its error is shown. `is_usage_of_other` tells of errors that [`is_usage`] does not know.
pub fn exit_code(result: anyhow::Result<Ending>, is_usage_of_other: impl Fn(&anyhow::Error) -> bool) -> u8 {
    match result {
        Ok(Ending::Done) => u8::from(progress::lost_an_answer()),
        Ok(Ending::Interrupted) => 130,
        Err(error) => {
            progress::error(&error);
            if is_usage_of_other(&error) || is_usage(&error) { 2 } else { 1 }
        }
    }
}

/// Whether an error is of wrong usage, so that the cure is to ask for something else.
#[must_use]
pub fn is_usage(error: &anyhow::Error) -> bool {
    error.is::<UsageError>()
        || error.downcast_ref::<ConfigError>().is_some_and(ConfigError::is_usage)
        || error.downcast_ref::<EvalError>().is_some_and(EvalError::is_usage)
        || error.downcast_ref::<mrl_retrieve::Error>().is_some_and(mrl_retrieve::Error::is_usage)
        || error.downcast_ref::<PostgresError>().is_some_and(PostgresError::is_usage)
}
