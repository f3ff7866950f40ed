//! The clone that the commands work in, and how they call Cargo there.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow, bail};

use crate::chosen::{Chosen, LINK, chosen};

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
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = self.command(cargo);
        command.args(args).envs(environment.iter().copied());
        run(&mut command, &format!("cargo {}", args.join(" ")))
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

/// Says what is run, runs it, and fails if it does.
///
/// # Errors
/// The program cannot be run, or it failed.
pub(crate) fn run(command: &mut Command, words: &str) -> Result<()> {
    println!("+ {words}");
    let status = command.status().with_context(|| format!("running {words}"))?;
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
