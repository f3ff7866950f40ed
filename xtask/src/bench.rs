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

const PROOF: Environment = Environment {
    packages: &["numpy==2.4.*", "safetensors==0.*", "matplotlib==3.11.*"],
    imports: "import matplotlib, safetensors.numpy",
    folder: "bench-python-prove",
};

/// Benchmarks of evaluation: a script under `bench/eval`.
///
/// # Errors
/// Set-up, the build, pip or the benchmark fails; its messages are above.
pub(crate) fn eval(workspace: &Workspace, script: &str, options: &[&str]) -> Result<()> {
    beside_mrl(workspace, &EVALUATION, &format!("bench/eval/{script}"), options)
}

/// Whether prefixes of a recipe's nested encoder beat principal components: `bench/prove/prove.py`.
///
/// # Errors
/// As [`eval`], and when they do not.
pub(crate) fn prove(workspace: &Workspace, options: &[&str]) -> Result<()> {
    beside_mrl(workspace, &PROOF, "bench/prove/prove.py", options)
}

/// A script that starts the program itself.
fn beside_mrl(
    workspace: &Workspace,
    environment: &Environment,
    script: &str,
    options: &[&str],
) -> Result<()> {
    setup::ensure(workspace)?;
    let python = environment.python(workspace)?;
    workspace.cargo(&["build", "--release", "--package", "mrl-cli"], &[])?;
    let mrl = target_folder(workspace)?.join("release/mrl");
    let script = workspace.root().join(script);
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
    let names = ["step", "peak", "views", "folder"];
    for (name, program) in names.iter().zip(benchmarks(workspace, &["mrl-cli", "mrl-data"], &names)?) {
        command.arg(format!("--{name}")).arg(program);
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
    let programs = benchmarks(workspace, &["mrl-retrieve"], &["search"])?;
    command.arg(&script).arg("--search").args(programs);
    run(command.args(options), &format!("{} {}", script.display(), options.join(" ")))
}

/// Builds benchmarks of our packages, all at once, so that what they depend on is built once; the paths of the programs.
fn benchmarks(workspace: &Workspace, packages: &[&str], names: &[&str]) -> Result<Vec<PathBuf>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut words = vec!["bench", "--no-run", "--message-format", "json"];
    words.extend(packages.iter().flat_map(|package| ["--package", *package]));
    words.extend(names.iter().flat_map(|name| ["--bench", *name]));
    let output = workspace.command(cargo).args(&words).stderr(Stdio::inherit()).output()?;
    let messages = String::from_utf8_lossy(&output.stdout);
    let messages: Vec<serde_json::Value> =
        messages.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let program = |name: &&str| {
        let mut of_name = messages.iter().filter(|message| message["target"]["name"] == *name);
        let program = of_name.find_map(|message| message["executable"].as_str());
        program
            .map(PathBuf::from)
            .ok_or_else(|| anyhow!("`cargo {}` failed; its messages are above", words.join(" ")))
    };
    names.iter().map(program).collect()
}
