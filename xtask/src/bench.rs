//! `cargo xtask bench …`: side by side with the programs that users know, in a Python environment made for it.

use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Result, anyhow};

use crate::environment::Environment;
use crate::setup;
use crate::workspace::{Workspace, run, target_folder};

const EVALUATION: Environment = Environment {
    packages: &["numpy==2.4.*", "scikit-learn==1.9.*", "threadpoolctl==3.*"],
    imports: "import sklearn, threadpoolctl",
    folder: "bench-python",
};

/// 3 GB of packages, for torch's comes with NVIDIA's libraries.
const TRAINING: Environment = Environment {
    packages: &["torch==2.13.0", "torchvision==0.28.0", "mrl-pytorch==0.1.1"],
    imports: "import torchvision, mrl.mrl",
    folder: "bench-python-torch",
};

const SEARCH: Environment = Environment {
    packages: &["numpy==2.4.*", "safetensors==0.*", "faiss-cpu==1.15.*", "usearch==2.26.*"],
    imports: "import faiss, safetensors, usearch.index",
    folder: "bench-python-search",
};

/// Benchmarks of evaluation: a script under `bench/eval`.
///
/// # Errors
/// Set-up, the build, pip or the benchmark fails; its messages are above.
pub(crate) fn eval(workspace: &Workspace, script: &str, options: &[&str]) -> Result<()> {
    setup::ensure(workspace)?;
    let python = EVALUATION.python(workspace)?;
    workspace.cargo(&["build", "--release", "--package", "mrl-cli"], &[])?;
    let mrl = target_folder(workspace)?.join("release/mrl");
    let script = workspace.root().join("bench/eval").join(script);
    let mut command = workspace.command(&python);
    command.arg(&script).arg("--mrl").arg(&mrl).args(options);
    run(&mut command, &format!("{} {}", script.display(), options.join(" ")))
}

/// Training beside `PyTorch`: `bench/train/compare.py`.
///
/// # Errors
/// As [`eval`].
pub(crate) fn train(workspace: &Workspace, options: &[&str]) -> Result<()> {
    setup::ensure(workspace)?;
    let python = TRAINING.python(workspace)?;
    workspace.cargo(&["build", "--release", "--package", "mrl-cli"], &[])?;
    let script = workspace.root().join("bench/train/compare.py");
    let mut command = workspace.command(&python);
    command.arg(&script).arg("--mrl").arg(target_folder(workspace)?.join("release/mrl"));
    for (package, name) in
        [("mrl-cli", "step"), ("mrl-cli", "peak"), ("mrl-data", "views"), ("mrl-data", "folder")]
    {
        command.arg(format!("--{name}")).arg(benchmark(workspace, package, name)?);
    }
    run(command.args(options), &format!("{} {}", script.display(), options.join(" ")))
}

/// Search beside faiss and usearch: `bench/search/compare.py`.
///
/// # Errors
/// As [`eval`].
pub(crate) fn search(workspace: &Workspace, options: &[&str]) -> Result<()> {
    let python = SEARCH.python(workspace)?;
    let script = workspace.root().join("bench/search/compare.py");
    let mut command = workspace.command(&python);
    command.arg(&script).arg("--search").arg(benchmark(workspace, "mrl-retrieve", "search")?);
    run(command.args(options), &format!("{} {}", script.display(), options.join(" ")))
}

/// Builds a benchmark of one of our packages; the path of the program.
fn benchmark(workspace: &Workspace, package: &str, name: &str) -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let words = ["bench", "--no-run", "--message-format", "json", "--package", package, "--bench", name];
    let output = workspace.command(cargo).args(words).stderr(Stdio::inherit()).output()?;
    let messages = String::from_utf8_lossy(&output.stdout).into_owned();
    let program = |line: &str| -> Option<PathBuf> {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        let is_it = message["target"]["name"] == name;
        message["executable"].as_str().filter(|_| is_it).map(PathBuf::from)
    };
    messages
        .lines()
        .find_map(program)
        .ok_or_else(|| anyhow!("`cargo {}` failed; its messages are above", words.join(" ")))
}
