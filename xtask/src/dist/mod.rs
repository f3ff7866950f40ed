//! `cargo xtask dist`: the programs with all that they need, in a folder that can be moved and as an archive, and the wheel of the Python module.

mod licences;
mod moved;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow, bail};

use self::licences::{copy_licences_of_libtorch, third_party};
use crate::python;
use crate::setup;
use crate::workspace::{Workspace, run, target_folder};

pub(crate) use self::moved::test_moved;

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

/// Builds the programs and lays them out in `target/dist`: `bin`, `lib`, `python` with the wheel, `licences`; and packs that folder.
///
/// # Errors
/// The system is not Linux, a build fails, a library is not found, or Python with venv, `tar` or `zstd` is missing.
pub(crate) fn dist(workspace: &Workspace) -> Result<()> {
    let dist = make(workspace)?;
    println!("folder:  {}", dist.folder.display());
    println!("archive: {}", dist.archive.display());
    println!("wheel:   {}", dist.wheel.display());
    Ok(())
}

/// The files that `cargo xtask dist` writes.
struct Dist {
    folder: PathBuf,
    archive: PathBuf,
    wheel: PathBuf,
}

fn make(workspace: &Workspace) -> Result<Dist> {
    if !cfg!(target_os = "linux") {
        bail!("`cargo xtask dist` makes folders for Linux, on Linux");
    }
    let python = python::environment(workspace)?;
    setup::ensure(workspace)?;
    workspace.cargo(&["build", "--release", "--package", "mrl-cli"], &[])?;
    let target = target_folder(workspace)?;
    let name = format!("mrl-{}-linux-{}", env!("CARGO_PKG_VERSION"), std::env::consts::ARCH);
    let parent = target.join("dist");
    let folder = parent.join(&name);
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("removing {}", folder.display()))?;
    }
    for part in ["bin", "lib", "licences"] {
        fs::create_dir_all(folder.join(part)).with_context(|| format!("making {}", folder.display()))?;
    }
    let libraries = copy_programs(&target.join("release"), &folder)?;
    let wheel = python::build(workspace, &python, "release", &folder.join("python"))?;
    copy(&workspace.root().join("LICENSE"), &folder.join("LICENSE"))?;
    copy_licences_of_libtorch(&libraries, &folder.join("licences"))?;
    let notices = folder.join("licences/THIRD-PARTY.txt");
    fs::write(&notices, third_party(workspace)?).with_context(|| format!("writing {}", notices.display()))?;
    let archive = pack(&parent, &name)?;
    Ok(Dist { folder, archive, wheel })
}

/// Copies the programs and the libraries that they load; the libraries by name.
fn copy_programs(release: &Path, folder: &Path) -> Result<BTreeMap<String, PathBuf>> {
    let mut libraries = BTreeMap::new();
    for program in PROGRAMS {
        let path = release.join(program);
        copy(&path, &folder.join("bin").join(program))?;
        libraries.extend(needed(&path)?);
    }
    for (library, path) in &libraries {
        copy(path, &folder.join("lib").join(library))?;
    }
    Ok(libraries)
}

/// Packs the folder `name` in `parent`; the archive.
fn pack(parent: &Path, name: &str) -> Result<PathBuf> {
    let archive = format!("{name}.tar.zst");
    let mut tar = Command::new("tar");
    tar.current_dir(parent).args(["--zstd", "-cf", &archive, name]);
    run(&mut tar, &format!("tar --zstd -cf {archive} {name}"))
        .context("packing needs tar and zstd (on Debian: apt-get install zstd)")?;
    Ok(parent.join(archive))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).map(drop).with_context(|| format!("copying {} to {}", from.display(), to.display()))
}

/// The libraries that the program at `path` loads, beside glibc's, by name.
fn needed(path: &Path) -> Result<BTreeMap<String, PathBuf>> {
    let libraries: Result<BTreeMap<String, PathBuf>> = ldd(path)?.lines().filter_map(library).collect();
    libraries.with_context(|| path.display().to_string())
}

/// What `ldd` prints of a program: a line for each library that it loads.
fn ldd(program: &Path) -> Result<String> {
    let output = Command::new("ldd").arg(program).output().context("running ldd")?;
    if !output.status.success() {
        bail!("`ldd {}` failed: {}", program.display(), String::from_utf8_lossy(&output.stderr).trim_end());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
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
}
