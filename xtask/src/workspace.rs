//! The clone that the commands work in, and how they call Cargo there.

use std::io::{BufRead, BufReader, Write, pipe, stdout};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use anyhow::{Context, Result, anyhow, bail};

use crate::chosen::{Chosen, LINK, chosen};
use crate::failures::Failures;

/// A clone of the repository.
#[derive(Debug)]
pub(crate) struct Workspace {
    root: PathBuf,
}

impl Workspace {
    /// The clone that this program was built in. Cargo says where it is now; a clone can be moved.
    pub(crate) fn find() -> Self {
        let manifest = std::env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
        Self { root: manifest.parent().unwrap_or(&manifest).to_owned() }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// A command in the root, in the environment that the user's own shell would give it.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root);
        // `cargo run` says which package it runs. Left in, build scripts that look at it (ring's) would run again, and all that
        // depends on them would be built again, here and in the user's next plain `cargo build`.
        let of_xtask =
            |name: &str| ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|start| name.starts_with(start));
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(of_xtask)) {
            command.env_remove(name);
        }
        if chosen(&self.root, |name| std::env::var_os(name)) == Chosen::Ours {
            // Cargo set it from the configuration and will do so again. Left in, it would count as set by the user,
            // and the next plain `cargo build` would find that it had changed.
            command.env_remove("LIBTORCH");
        }
        command
    }

    /// Runs Cargo and fails if it does.
    ///
    /// # Errors
    /// Cargo cannot be run, or it failed; it has said why.
    pub(crate) fn cargo(&self, args: &[&str], environment: &[(&str, &str)]) -> Result<()> {
        let mut command = self.cargo_command(args);
        command.envs(environment.iter().copied());
        run(&mut command, &format!("cargo {}", args.join(" ")))
    }

    /// Runs `cargo test` with all test programs, even if one fails.
    ///
    /// # Errors
    /// Cargo cannot be run, it failed, or tests did, which the error names.
    pub(crate) fn cargo_test(&self, args: &[&str], environment: &[(&str, &str)]) -> Result<()> {
        let args = [&["test", "--workspace", "--no-fail-fast"], args].concat();
        let mut command = self.cargo_command(&args);
        // Colours would hide the names of tests.
        command.envs(environment.iter().copied()).env("CARGO_TERM_COLOR", "never");
        let mut failures = Failures::default();
        let result = run_read(command, &as_typed(&args, environment), |line| failures.read_cargo(line));
        failures.or(result)
    }

    /// Cargo with these arguments, to be changed and run.
    pub(crate) fn cargo_command(&self, args: &[&str]) -> Command {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = self.command(cargo);
        command.args(args.get(..1).unwrap_or_default());
        // The versions that were tested, not newer ones.
        if args.first().is_some_and(|first| ["build", "clippy", "doc", "test"].contains(first)) {
            command.arg("--locked");
        }
        command.args(args.get(1..).unwrap_or_default());
        command
    }

    /// Whether `cargo NAME` can be called.
    pub(crate) fn has_subcommand(&self, name: &str) -> bool {
        let version = self.cargo_command(&[name, "--version"]).output();
        version.is_ok_and(|output| output.status.success())
    }

    /// Drops what Cargo has built of `packages`, in both usual profiles.
    ///
    /// # Errors
    /// As [`Workspace::cargo`].
    pub(crate) fn forget_builds(&self, packages: &[&str]) -> Result<()> {
        println!("{LINK} leads elsewhere than before; what was linked with the old libtorch is built again");
        for profile in ["dev", "release"] {
            let mut args = vec!["clean", "--quiet", "--profile", profile];
            args.extend(packages.iter().flat_map(|package| ["--package", package]));
            self.cargo(&args, &[])?;
        }
        Ok(())
    }
}

/// A call of Cargo as it is typed in a shell.
pub(crate) fn as_typed(args: &[&str], environment: &[(&str, &str)]) -> String {
    let settings = environment.iter().map(|(name, value)| format!("{name}={value}"));
    let words: Vec<String> = settings.chain([format!("cargo {}", args.join(" "))]).collect();
    words.join(" ")
}

/// Says what is run, runs it, and fails if it does.
///
/// # Errors
/// The program cannot be run, or it failed.
pub(crate) fn run(command: &mut Command, words: &str) -> Result<()> {
    println!("+ {words}");
    let status = command.status().with_context(|| format!("running {words}"))?;
    check(status, words)
}

/// As [`run`], and hands each line that the program prints to `read`, after passing it on. What it writes to stderr goes to stdout,
/// so that all lines stay in order.
///
/// # Errors
/// The program cannot be run, or it failed.
pub(crate) fn run_read(mut command: Command, words: &str, mut read: impl FnMut(&str)) -> Result<()> {
    println!("+ {words}");
    let context = || format!("running {words}");
    let (output, input) = pipe().with_context(context)?;
    command.stdout(input.try_clone().with_context(context)?).stderr(input);
    let mut child = command.spawn().with_context(context)?;
    // It holds ends of the pipe that are to be the program's alone.
    drop(command);
    let mut output = BufReader::new(output);
    let mut line = Vec::new();
    while output.read_until(b'\n', &mut line).with_context(context)? > 0 {
        stdout().write_all(&line).and_then(|()| stdout().flush()).with_context(context)?;
        read(String::from_utf8_lossy(&line).trim_end());
        line.clear();
    }
    check(child.wait().with_context(context)?, words)
}

fn check(status: ExitStatus, words: &str) -> Result<()> {
    if !status.success() {
        bail!("`{words}` failed ({status}); its messages are above");
    }
    Ok(())
}

/// Where Cargo builds, whatever the user's configuration says.
///
/// # Errors
/// Cargo cannot be run, or says something new.
pub(crate) fn target_folder(workspace: &Workspace) -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output =
        workspace.command(cargo).args(["metadata", "--no-deps", "--format-version", "1"]).output()?;
    let metadata: serde_json::Value =
        serde_json::from_slice(&output.stdout).context("reading what `cargo metadata` printed")?;
    let folder = metadata["target_directory"].as_str();
    folder.map(PathBuf::from).ok_or_else(|| anyhow!("`cargo metadata` names no target folder; update Cargo"))
}
