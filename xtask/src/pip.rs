//! Downloading wheels with the user's own pip: it knows the index, the proxy and the certificates to use.

use std::ffi::OsString;
use std::fs;
use std::io::{IsTerminal, Read, stdout};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Result, anyhow, bail};

use crate::wheels::Wheel;

/// A Python that has pip.
#[derive(Debug)]
pub(crate) struct Pip {
    python: OsString,
    /// What a user can do without it.
    instead: &'static str,
}

impl Pip {
    /// The first of `candidates` that runs. Its version does not matter: every wheel is asked for by its tags.
    ///
    /// # Errors
    /// No Python 3, or a Python without pip.
    pub(crate) fn find(candidates: &[OsString], instead: &'static str) -> Result<Self> {
        let runs = |python: &&OsString| {
            let output =
                Command::new(python).args(["-c", "import sys; sys.exit(sys.version_info[0] < 3)"]).output();
            output.is_ok_and(|output| output.status.success())
        };
        let Some(python) = candidates.iter().find(runs) else {
            bail!(
                "Python 3 was not found; install it with pip (on Debian: apt-get install python3-pip), or {instead}"
            );
        };
        let pip = Command::new(python).args(["-m", "pip", "--version"]).output()?;
        if !pip.status.success() {
            bail!(
                "{} has no pip; install it (on Debian: apt-get install python3-pip; elsewhere: \
                 python3 -m ensurepip), or {instead}",
                python.display()
            );
        }
        Ok(Self { python: python.clone(), instead })
    }

    /// Downloads `wheel` alone, without what it depends on, into the empty folder `into`.
    ///
    /// # Errors
    /// pip fails, or leaves other than one wheel of the version asked for.
    pub(crate) fn download(&self, wheel: &Wheel, into: &Path) -> Result<PathBuf> {
        // pip unpacks to TMPDIR first, which is often a small file system.
        let mut command = Command::new(&self.python);
        command.args(["-m", "pip", "download", "--no-deps", "--no-cache-dir", "--only-binary=:all:"]);
        command.args(["--disable-pip-version-check", "--no-input", "--implementation", "cp"]);
        command.args(["--python-version", "312", "--platform", wheel.platform, "--dest"]).arg(into);
        command.arg(format!("{}=={}", wheel.name, wheel.version)).env("TMPDIR", into);
        let progress = if stdout().is_terminal() { Stdio::inherit() } else { Stdio::null() };
        let mut child = command.stdin(Stdio::null()).stdout(progress).stderr(Stdio::piped()).spawn()?;
        let mut stderr = Vec::new();
        if let Some(mut pipe) = child.stderr.take() {
            pipe.read_to_end(&mut stderr)?;
        }
        if !child.wait()?.success() {
            return Err(self.failure(wheel, &String::from_utf8_lossy(&stderr)));
        }
        self.the_wheel(wheel, into)
    }

    /// What pip's messages mean for the user, in one sentence.
    fn failure(&self, wheel: &Wheel, stderr: &str) -> anyhow::Error {
        let last = stderr.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or("no message");
        let has = |words: &[&str]| words.iter().any(|word| stderr.contains(word));
        let Wheel { name, version, .. } = wheel;
        if has(&["No space left on device", "Disk quota exceeded"]) {
            anyhow!(
                "the disk became full while pip downloaded {name} {version}; free space and run this again"
            )
        } else if has(&["Retrying (", "from versions: none", "ConnectionError", "Network is unreachable"]) {
            anyhow!(
                "pip could not reach its package index for {name} {version}; check the network and \
                 `python3 -m pip config list`, then run this again, or {}",
                self.instead
            )
        } else if has(&["No matching distribution"]) {
            anyhow!(
                "pip's package index has no {name} {version} for {} ({last}); choose an index that has it \
                 (`python3 -m pip config list` shows yours), or {}",
                wheel.platform,
                self.instead
            )
        } else {
            anyhow!("pip could not download {name} {version} ({last}); cure that and run this again")
        }
    }

    fn the_wheel(&self, wheel: &Wheel, folder: &Path) -> Result<PathBuf> {
        let prefix = format!("{}-{}-", wheel.name.replace('-', "_"), wheel.version);
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if name.starts_with(&prefix) && path.extension().is_some_and(|extension| extension == "whl") {
                return Ok(path);
            }
        }
        bail!(
            "pip downloaded no {} {} (the version that is needed); check your index with `python3 -m pip config list`, \
             or {}",
            wheel.name,
            wheel.version,
            self.instead
        )
    }
}
