//! `cargo xtask setup`: libtorch in the cache, and the link `.libtorch` in the clone that points there.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};

use crate::cache::{self, Plan};
use crate::chosen::{Chosen, LINK, chosen};
use crate::unpack::Variant;
use crate::workspace::Workspace;

/// The folder for what is shared by all clones of one user.
///
/// # Errors
/// No home folder is known.
pub(crate) fn cache_folder(os: &str, var: impl Fn(&str) -> Option<OsString>) -> Result<PathBuf> {
    // A relative path there is to be ignored (XDG Base Directory Specification).
    if let Some(folder) = var("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute()) {
        return Ok(folder.join("mrl"));
    }
    let home = var("HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
    let home = home.ok_or_else(|| anyhow!("no home folder is known; set HOME or XDG_CACHE_HOME"))?;
    Ok(home.join(if os == "macos" { "Library/Caches/mrl" } else { ".cache/mrl" }))
}

/// Prepares the variant asked for and points the clone at it.
///
/// # Errors
/// One sentence with the cure.
pub(crate) fn setup(workspace: &Workspace, variant: Variant) -> Result<()> {
    let root = workspace.root();
    if let Chosen::Users(words) = chosen(root, |name| std::env::var_os(name)) {
        println!("{words}; nothing to set up");
        return Ok(());
    }
    refuse_users_own(&root.join(LINK))?;
    let cache = cache_folder(std::env::consts::OS, |name| std::env::var_os(name))?;
    let torch = Plan::new(cache, variant)?.prepare()?;
    if point(&root.join(LINK), &torch)? {
        // Cargo cannot see that the link leads elsewhere now: what was linked with the old one must go.
        workspace.forget_builds(&["torch-sys", "tch", "mrl-train", "mrl-cli"])?;
    }
    println!("libtorch {} ({}) is ready: {}", cache::VERSION, variant.name(), torch.display());
    Ok(())
}

/// Set-up for the other commands: keeps whichever variant the clone uses already, if it is whole.
///
/// # Errors
/// As [`setup`].
pub(crate) fn ensure(workspace: &Workspace) -> Result<()> {
    let linked = fs::read_link(workspace.root().join(LINK)).ok();
    let is_cuda = linked.as_deref().and_then(folder_of).is_some_and(|name| name.contains("-cuda-"));
    setup(workspace, if is_cuda { Variant::Cuda } else { Variant::Cpu })
}

/// The server that tests start, `bin` and all; `None`, said with the reason, where it cannot be had. `MRL_POSTGRES` names
/// another, and `MRL_REQUIRE_POSTGRES` says that there must be one.
///
/// # Errors
/// There must be one, and there is none.
pub(crate) fn server() -> Result<Option<PathBuf>> {
    if let Some(folder) = std::env::var_os("MRL_POSTGRES") {
        return Ok(Some(folder.into()));
    }
    let cache = cache_folder(std::env::consts::OS, |name| std::env::var_os(name));
    match cache.and_then(|cache| Plan::new(cache, Variant::Postgres)?.prepare()) {
        Ok(folder) => Ok(Some(folder)),
        Err(error) if std::env::var_os("MRL_REQUIRE_POSTGRES").is_some() => Err(error),
        Err(error) => {
            println!("the tests of PostgreSQL will be skipped: {error:#}");
            Ok(None)
        }
    }
}

/// Name of the cache's folder that holds `torch`, if it looks like one that set-up made.
fn folder_of(torch: &Path) -> Option<String> {
    let name = torch.parent()?.file_name()?.to_str()?;
    (torch.file_name()? == "torch" && name.starts_with("libtorch-")).then(|| name.to_owned())
}

/// Fails if something stands in the link's place that set-up did not make.
fn refuse_users_own(link: &Path) -> Result<()> {
    let Ok(metadata) = fs::symlink_metadata(link) else { return Ok(()) };
    if !metadata.is_symlink() {
        bail!("{} is not a link that set-up made; move it away, or set LIBTORCH to it", link.display());
    }
    let target = fs::read_link(link).with_context(|| format!("reading {}", link.display()))?;
    if folder_of(&target).is_none() {
        bail!(
            "{} leads to {}, which set-up did not make; remove the link, or set LIBTORCH to that folder",
            link.display(),
            target.display()
        );
    }
    Ok(())
}

/// Makes `link` lead to `torch`; whether it led elsewhere before.
fn point(link: &Path, torch: &Path) -> Result<bool> {
    let before = fs::read_link(link).ok();
    if before.as_deref() == Some(torch) {
        return Ok(false);
    }
    // Renaming over the old link leaves no moment without one.
    let new = link.with_extension(format!("new-{}", std::process::id()));
    symlink(torch, &new).and_then(|()| fs::rename(&new, link)).map_err(|e| {
        anyhow!("cannot make the link {} ({e}); make the clone's folder writable", link.display())
    })?;
    Ok(before.is_some())
}

#[cfg(unix)]
fn symlink(to: &Path, at: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(to, at)
}
