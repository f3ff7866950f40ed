//! The licences of what the programs are built of.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use serde_json::Value;

use crate::workspace::Workspace;

/// The texts that the wheels of libtorch bring along.
pub(super) fn copy_licences_of_libtorch(libraries: &BTreeMap<String, PathBuf>, folder: &Path) -> Result<()> {
    let torch =
        libraries.get("libtorch_cpu.so").ok_or_else(|| anyhow!("mrl-torch needs no libtorch_cpu.so"))?;
    let torch = fs::canonicalize(torch).with_context(|| torch.display().to_string())?;
    if torch.with_file_name("libtorch_cuda.so").exists() {
        bail!(
            "the libraries of CUDA load others by name, which a folder would lack; prepare libtorch for the CPU: cargo xtask setup"
        );
    }
    let wheels = torch.ancestors().nth(3).ok_or_else(|| anyhow!("{} has no folder", torch.display()))?;
    let mut found = 0;
    for entry in fs::read_dir(wheels).with_context(|| format!("reading {}", wheels.display()))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if let Some(package) = name.strip_suffix(".dist-info") {
            for (place, text) in texts_in(&entry.path(), 2) {
                fs::write(folder.join(format!("{package}-{}", place.replace('/', "-"))), text)?;
                found += 1;
            }
        }
    }
    if found == 0 {
        bail!("{} has no licences of libtorch; use the libtorch of `cargo xtask setup`", wheels.display());
    }
    Ok(())
}

/// The licences and notices in a folder and those below it, by their place in it.
fn texts_in(folder: &Path, depth: usize) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = entry.path();
        if path.is_dir() && depth > 0 {
            found.extend(
                texts_in(&path, depth - 1).into_iter().map(|(place, text)| (format!("{name}/{place}"), text)),
            );
        } else if is_licence(&name) {
            found.extend(fs::read(&path).ok().map(|text| (name, text)));
        }
    }
    found.sort();
    found
}

fn is_licence(name: &str) -> bool {
    let name = name.to_uppercase();
    ["LICENSE", "LICENCE", "COPYING", "NOTICE", "UNLICENSE"].iter().any(|start| name.starts_with(start))
}

/// Name, version, licence and licence texts of every crate that the programs and the wheel are built of.
pub(super) fn third_party(workspace: &Workspace) -> Result<String> {
    let output = workspace.cargo_command(&["metadata", "--locked", "--format-version", "1"]).output()?;
    let metadata: Value =
        serde_json::from_slice(&output.stdout).context("reading what `cargo metadata` printed")?;
    let used = used_packages(workspace)?;
    let mut text =
        "The programs and the wheel are built of these packages; their licences follow.\n".to_owned();
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let mut texts: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for package in packages {
        let word = |key: &str| package[key].as_str().unwrap_or_default();
        let name = format!("{} {}", word("name"), word("version"));
        if !used.contains(&name) || package["source"].is_null() {
            continue;
        }
        writeln!(text, "{name}: {}", word("license"))?;
        let folder = Path::new(word("manifest_path")).parent().unwrap_or(Path::new(""));
        for (_, licence) in texts_in(folder, 0) {
            texts.entry(String::from_utf8_lossy(&licence).into_owned()).or_default().insert(name.clone());
        }
    }
    for (licence, names) in texts {
        let names: Vec<String> = names.into_iter().collect();
        write!(text, "\n{}\n{}\n\n{}\n", "=".repeat(78), names.join(", "), licence.trim_end())?;
    }
    Ok(text)
}

/// `name version` of all that the programs and the wheel depend on, but for what only builds them.
fn used_packages(workspace: &Workspace) -> Result<BTreeSet<String>> {
    let packages = ["--package", "mrl-cli", "--package", "mrl-python"];
    let args = [&["tree", "--locked", "--edges", "normal", "--prefix", "none"][..], &packages].concat();
    let output = workspace.cargo_command(&args).output()?;
    if !output.status.success() {
        bail!("`cargo tree` failed: {}", String::from_utf8_lossy(&output.stderr).trim_end());
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let package = |line: &str| {
        let mut words = line.split_whitespace();
        Some(format!("{} {}", words.next()?, words.next()?.trim_start_matches('v')))
    };
    Ok(text.lines().filter_map(package).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn licences_are_found_by_their_names() {
        assert!(is_licence("LICENSE-MIT") && is_licence("license.txt") && is_licence("NOTICE"));
        assert!(!is_licence("README.md") && !is_licence("relicense.py"));
    }
}
