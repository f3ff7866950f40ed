//! Environments of Python below the target folder, each made for one purpose.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::workspace::{Workspace, run, target_folder};

/// The packages that pip installs, and what Python imports once they are there.
pub(crate) struct Environment {
    pub(crate) packages: &'static [&'static str],
    pub(crate) imports: &'static str,
    /// Its name below the target folder.
    pub(crate) folder: &'static str,
}

impl Environment {
    /// The Python that has the packages; it is made at the first call.
    ///
    /// # Errors
    /// Python has no venv, or pip fails; its messages are above.
    pub(crate) fn python(&self, workspace: &Workspace) -> Result<PathBuf> {
        let folder = target_folder(workspace)?.join(self.folder);
        let python = folder.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
        if !self.is_ready(&python) {
            let mut venv = Command::new("python3");
            run(venv.args(["-m", "venv"]).arg(&folder), "python3 -m venv")?;
            let words = ["-m", "pip", "install", "--quiet"];
            run(Command::new(&python).args(words).args(self.packages), "pip install")?;
        }
        Ok(python)
    }

    /// Whether an earlier call got to its end.
    fn is_ready(&self, python: &Path) -> bool {
        let output = Command::new(python).args(["-c", self.imports]).output();
        output.is_ok_and(|output| output.status.success())
    }
}
