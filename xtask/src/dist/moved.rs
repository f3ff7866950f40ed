//! Tests what `dist` makes as another machine would meet it: another user, a path with a space, a root with glibc and nothing else.

use std::fs;
use std::os::unix::fs::chown;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::{Dist, GLIBC, PROGRAMS, ldd, make};
use crate::workspace::{Workspace, run};

/// Who runs the programs: `nobody`.
const USER: u32 = 65534;

/// Where the folder is unpacked, below the other root.
const PLACE: &str = "a place";

/// A shell program that runs a command in another root. Its arguments are the other root, the user, and the command. The loader finds where a program
/// lies by `/proc`, which is mounted for this process alone.
const ENTER: &str = r#"root="$1"; user="$2"; shift 2
mount -t proc proc "$root/proc" && exec chroot --userspec="$user" "$root" "$@""#;

/// The folder there that the other user may write in.
const WORK: &str = "/work";

/// Makes the folder, unpacks its archive in another root, and trains, embeds, evaluates and searches there. Says so where it cannot: only root may
/// change the root.
///
/// # Errors
/// The folder cannot be made, or a program fails there.
pub(crate) fn test_moved(workspace: &Workspace) -> Result<()> {
    let root = tempfile::tempdir().context("making a folder for another root")?;
    if !may_change_root() {
        println!(
            "skipped: running the folder of `cargo xtask dist` in another root needs Linux, and root with the right to mount"
        );
        return Ok(());
    }
    let dist = make(workspace)?;
    let moved = Moved::new(workspace, &dist, root.path())?;
    let images = format!("--data-dir {WORK}/images");
    let [run, set, index] = ["run", "test.safetensors", "test.index"].map(|name| format!("{WORK}/{name}"));
    for words in [
        "--version".to_owned(),
        format!("train --preset demo {images} --max-steps 2 --out {run}"),
        format!("embed --run {run} --dataset idx {images} --split test --out {set}"),
        format!("eval --train {set} --test {set} --measures knn1 --out {WORK}/report"),
        format!("index build --input {set} --out {index}"),
        format!("index search {index} --queries {set} --k 3 --out {WORK}/hits.json"),
    ] {
        moved.mrl(&words)?;
    }
    Ok(())
}

fn may_change_root() -> bool {
    let mount = ["--mount", "sh", "-c", "mount -t tmpfs none /mnt && chroot / true"];
    cfg!(target_os = "linux")
        && Command::new("unshare").args(mount).output().is_ok_and(|output| output.status.success())
}

/// The folder in its other root.
struct Moved<'a> {
    root: &'a Path,
    programs: String,
}

impl<'a> Moved<'a> {
    fn new(workspace: &Workspace, dist: &Dist, root: &'a Path) -> Result<Self> {
        let place = root.join(PLACE);
        for folder in [&place, &root.join("proc")] {
            fs::create_dir(folder).context("making the other root")?;
        }
        let mut tar = Command::new("tar");
        tar.arg("-xf").arg(&dist.archive).arg("-C").arg(&place);
        run(&mut tar, &format!("tar -xf {}", dist.archive.display()))?;
        let name = dist.folder.file_name().context("the folder has no name")?.to_string_lossy();
        let programs = format!("/{PLACE}/{name}/bin");
        for program in PROGRAMS {
            copy_glibc(&dist.folder.join("bin").join(program), root)?;
        }
        let work = root.join(WORK.trim_start_matches('/'));
        fs::create_dir(&work)?;
        let mut copy = Command::new("cp");
        copy.arg("-r").arg(workspace.root().join("datasets/scripts")).arg(work.join("images"));
        run(&mut copy, "cp -r datasets/scripts")?;
        // Whatever the umask is.
        let mut open = Command::new("chmod");
        run(open.args(["-R", "a+rX"]).arg(root), "chmod -R a+rX")?;
        chown(&work, Some(USER), Some(USER)).context("giving the other user a folder")?;
        Ok(Self { root, programs })
    }

    /// Runs `mrl` there as another user, with nothing of the environment here.
    fn mrl(&self, words: &str) -> Result<()> {
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", ENTER, "sh"]).arg(self.root).arg(format!("{USER}:{USER}"));
        command.arg(format!("{}/mrl", self.programs)).args(words.split_whitespace());
        // `unshare` and `chroot` are found by the path here; the program finds nothing by it.
        let path = std::env::var_os("PATH").unwrap_or_default();
        command
            .env_clear()
            .env("PATH", path)
            .env("HOME", WORK)
            .env("XDG_CACHE_HOME", format!("{WORK}/cache"));
        run(&mut command, &format!("mrl {words} (in another root)"))
    }
}

/// Copies the libraries of glibc that a program loads, and its loader, to the same places below `root`.
fn copy_glibc(program: &Path, root: &Path) -> Result<()> {
    for path in glibc(&ldd(program)?) {
        let copy = root.join(path.trim_start_matches('/'));
        if let Some(folder) = copy.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::copy(path, &copy).with_context(|| format!("copying {path}"))?;
    }
    Ok(())
}

/// The files of glibc among what ldd says.
fn glibc(ldd: &str) -> Vec<&str> {
    let is_glibc = |path: &&str| {
        let name = path.rsplit('/').next().unwrap_or_default();
        path.starts_with('/') && GLIBC.iter().any(|start| name.starts_with(start))
    };
    ldd.split_whitespace().filter(is_glibc).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn glibc_is_its_loader_and_its_libraries() {
        let ldd = "\tlinux-vdso.so.1 (0x1)\n\tlibm.so.6 => /lib/x/libm.so.6 (0x2)\n\tlibz.so.1 => /lib/x/libz.so.1 (0x3)\n\
                   \t/lib64/ld-linux-x86-64.so.2 (0x4)\n";
        assert_eq!(glibc(ldd), ["/lib/x/libm.so.6", "/lib64/ld-linux-x86-64.so.2"]);
    }
}
