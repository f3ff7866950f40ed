//! `cargo xtask bench …`: side by side with the programs that users know, in a Python environment made for it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::setup;
use crate::workspace::{Workspace, run, target_folder};

/// What the peers are, by the packages that pip installs.
const PACKAGES: &[&str] = &["numpy==2.4.*", "scikit-learn==1.9.*", "threadpoolctl==3.*"];

/// Benchmarks of evaluation: a script under `bench/eval`.
///
/// # Errors
/// Set-up, the build, pip or the benchmark fails; its messages are above.
pub(crate) fn eval(workspace: &Workspace, script: &str, options: &[&str]) -> Result<()> {
    setup::ensure(workspace)?;
    let python = environment(workspace)?;
    workspace.cargo(&["build", "--release", "--package", "mrl-cli"], &[])?;
    let mrl = target_folder(workspace)?.join("release/mrl");
    let script = workspace.root().join("bench/eval").join(script);
    let mut command = workspace.command(&python);
    command.arg(&script).arg("--mrl").arg(&mrl).args(options);
    run(&mut command, &format!("{} {}", script.display(), options.join(" ")))
}

/// The Python of an environment below the target folder that has the packages; made at the first call.
fn environment(workspace: &Workspace) -> Result<PathBuf> {
    let folder = target_folder(workspace)?.join("bench-python");
    let python = folder.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    if !ready(&python) {
        let mut venv = Command::new("python3");
        run(venv.args(["-m", "venv"]).arg(&folder), "python3 -m venv")?;
        let words = ["-m", "pip", "install", "--quiet"];
        run(Command::new(&python).args(words).args(PACKAGES), "pip install")?;
    }
    Ok(python)
}

/// Whether an earlier call got to its end.
fn ready(python: &Path) -> bool {
    let imports = ["-c", "import sklearn, threadpoolctl"];
    Command::new(python).args(imports).output().is_ok_and(|output| output.status.success())
}
