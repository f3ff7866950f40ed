//! `cargo xtask dist`: the programs with all that they need, in a folder that can be moved, and as an archive.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow, bail};
use serde_json::Value;

use crate::setup;
use crate::workspace::{Workspace, run, target_folder};

const PROGRAMS: [&str; 3] = ["mrl", "mrl-torch", "mrl_train"];

/// Libraries that every system with glibc has, and that must be its own.
const GLIBC: [&str; 11] = [
    "ld-linux",
    "libanl.so",
    "libc.so",
    "libdl.so",
    "libm.so",
    "libmvec.so",
    "libpthread.so",
    "libresolv.so",
    "librt.so",
    "libutil.so",
    "linux-vdso",
];

/// Builds the programs and lays them out in `target/dist`: `bin`, `lib`, licences; and packs that folder.
///
/// # Errors
/// The system is not Linux, the build fails, a library is not found, or `tar` or `zstd` is missing.
pub(crate) fn dist(workspace: &Workspace) -> Result<()> {
    if !cfg!(target_os = "linux") {
        bail!("`cargo xtask dist` makes folders for Linux, on Linux");
    }
    setup::ensure(workspace)?;
    workspace.cargo(&["build", "--release", "--package", "mrl-cli"], &[])?;
    let release = target_folder(workspace)?.join("release");
    let name = format!("mrl-{}-linux-{}", env!("CARGO_PKG_VERSION"), std::env::consts::ARCH);
    let parent = target_folder(workspace)?.join("dist");
    let folder = parent.join(&name);
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("removing {}", folder.display()))?;
    }
    for part in ["bin", "lib", "licences"] {
        fs::create_dir_all(folder.join(part)).with_context(|| format!("making {}", folder.display()))?;
    }
    let mut libraries = BTreeMap::new();
    for program in PROGRAMS {
        let path = release.join(program);
        copy(&path, &folder.join("bin").join(program))?;
        libraries.extend(needed(&path)?);
    }
    for (library, path) in &libraries {
        copy(path, &folder.join("lib").join(library))?;
    }
    copy(&workspace.root().join("LICENSE"), &folder.join("LICENSE"))?;
    copy_licences_of_libtorch(&libraries, &folder.join("licences"))?;
    let notices = folder.join("licences/THIRD-PARTY.txt");
    fs::write(&notices, third_party(workspace)?).with_context(|| format!("writing {}", notices.display()))?;
    let archive = format!("{name}.tar.zst");
    let mut tar = Command::new("tar");
    tar.current_dir(&parent).args(["--zstd", "-cf", &archive, &name]);
    run(&mut tar, &format!("tar --zstd -cf {archive} {name}"))
        .context("packing needs tar and zstd (on Debian: apt-get install zstd)")?;
    println!("folder:  {}", folder.display());
    println!("archive: {}", parent.join(archive).display());
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).map(drop).with_context(|| format!("copying {} to {}", from.display(), to.display()))
}

/// The libraries that the program at `path` loads, beside glibc's, by name.
fn needed(path: &Path) -> Result<BTreeMap<String, PathBuf>> {
    let output = Command::new("ldd").arg(path).output().context("running ldd")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let libraries: Result<BTreeMap<String, PathBuf>> = text.lines().filter_map(library).collect();
    let libraries = libraries.with_context(|| path.display().to_string())?;
    if !output.status.success() {
        bail!("`ldd {}` failed: {}", path.display(), String::from_utf8_lossy(&output.stderr).trim_end());
    }
    Ok(libraries)
}

/// The name and the place of a library in a line of ldd's, unless it is glibc's: `libgomp.so.1 => /cache/libgomp.so.1 (0x7f…)`.
fn library(line: &str) -> Option<Result<(String, PathBuf)>> {
    let (name, rest) = line.trim().split_once(" => ")?;
    if GLIBC.iter().any(|start| name.starts_with(start)) {
        return None;
    }
    let place = rest.split(" (").next().unwrap_or_default();
    if !place.starts_with('/') {
        return Some(Err(anyhow!("the library {name} is not found")));
    }
    Some(Ok((name.to_owned(), place.into())))
}

/// The texts that the wheels of libtorch bring along.
fn copy_licences_of_libtorch(libraries: &BTreeMap<String, PathBuf>, folder: &Path) -> Result<()> {
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

/// Name, version, licence and licence texts of every crate that the programs are built of.
fn third_party(workspace: &Workspace) -> Result<String> {
    let output = workspace.cargo_command(&["metadata", "--locked", "--format-version", "1"]).output()?;
    let metadata: Value =
        serde_json::from_slice(&output.stdout).context("reading what `cargo metadata` printed")?;
    let used = used_packages(workspace)?;
    let mut text = "The programs are built of these packages; their licences follow.\n".to_owned();
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

/// `name version` of all that the programs depend on, but for what only builds them.
fn used_packages(workspace: &Workspace) -> Result<BTreeSet<String>> {
    let args = ["tree", "--locked", "--package", "mrl-cli", "--edges", "normal", "--prefix", "none"];
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
    fn libraries_are_those_beside_glibcs() {
        let found = |line: &str| library(line).map(|found| found.map_err(|error| error.to_string()));
        let gomp = "\tlibgomp.so.1 => /a cache/libgomp.so.1 (0x00007f8e0)";
        assert_eq!(found(gomp), Some(Ok(("libgomp.so.1".to_owned(), "/a cache/libgomp.so.1".into()))));
        assert_eq!(found("\tlibm.so.6 => /lib/libm.so.6 (0x1)"), None);
        assert_eq!(found("\t/lib64/ld-linux-x86-64.so.2 (0x1)"), None);
        let missing = found("\tlibc10.so => not found").unwrap().unwrap_err();
        assert_eq!(missing, "the library libc10.so is not found");
    }

    #[test]
    fn licences_are_found_by_their_names() {
        assert!(is_licence("LICENSE-MIT") && is_licence("license.txt") && is_licence("NOTICE"));
        assert!(!is_licence("README.md") && !is_licence("relicense.py"));
    }
}
