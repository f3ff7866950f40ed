//! An output that is a single file.

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use anyhow::{Result, anyhow};

use super::{FileKind, place::check_folder};
use crate::{UsageError, file_name::has_extension};

/// A file that a command is going to write.
#[derive(Clone, Copy)]
pub struct OutputFile<'a> {
    /// The option that names it.
    pub option: &'static str,
    /// Where it is written.
    pub path: &'a Path,
    /// What is written.
    pub kind: FileKind,
    /// Whether it may replace a file of any kind.
    pub force: bool,
}

impl OutputFile<'_> {
    /// Whether the file can be written, as far as can be told, and replaces nothing that it must not: neither one of `inputs` nor a
    /// file of another kind. To be asked before work begins.
    pub fn check<P: AsRef<Path>>(&self, inputs: impl IntoIterator<Item = P>) -> Result<()> {
        self.check_name()?;
        self.check_inputs(inputs)?;
        if self.check_writable()? { self.check_replaced() } else { Ok(()) }
    }

    /// Checks that the path can be written, without writing to it. Returns true if a file exists there already.
    pub fn check_writable(&self) -> Result<bool> {
        let exists = self.exists()?;
        self.check_place()?;
        Ok(exists)
    }

    /// Refuses one of `inputs`, which would be lost.
    pub fn check_inputs<P: AsRef<Path>>(&self, inputs: impl IntoIterator<Item = P>) -> Result<()> {
        let Ok(there) = self.path.canonicalize() else { return Ok(()) };
        if inputs.into_iter().any(|input| input.as_ref().canonicalize().is_ok_and(|input| input == there)) {
            return Err(self.misused("is an input of this command; name another file"));
        }
        Ok(())
    }

    fn check_name(&self) -> Result<()> {
        // `x.json/` and `x.json/.` would be a folder.
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        if name.is_empty() || !self.path.to_string_lossy().ends_with(&*name) {
            return Err(self.misused("is the name of a folder; name a file"));
        }
        let extensions = self.kind.extensions;
        if extensions.is_empty() || has_extension(self.path, extensions) {
            return Ok(());
        }
        Err(self.misused(&format!("must end in .{}", extensions.join(" or ."))))
    }

    /// Whether there is a file already; refuses what is no file, such as a folder or a device.
    fn exists(&self) -> Result<bool> {
        let about = match fs::symlink_metadata(self.path) {
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                return Ok(false);
            }
            about => about
                .map_err(|error| self.wrong(&format!("cannot be written ({error}); name another file")))?,
        };
        let about = if about.is_symlink() {
            let cure = "is a link to a file that does not exist; remove the link, or name another file";
            fs::metadata(self.path).map_err(|_| self.wrong(cure))?
        } else {
            about
        };
        if about.is_dir() {
            return Err(self.wrong("is a folder; name a file"));
        }
        if !about.is_file() {
            return Err(self.wrong("is a device or another special file; name another file"));
        }
        Ok(true)
    }

    /// Whether files can be written to its folder.
    fn check_place(&self) -> Result<()> {
        let folder = self.folder();
        if !folder.exists() {
            let folder = folder.display();
            return Err(anyhow!("{folder}: the folder is not there; make it first: mkdir -p {folder}"));
        }
        check_folder(self.option, &folder)
    }

    /// The folder that the file is written to. If the path is a link, this is the folder of the link's target, because the target is
    /// replaced and the link stays.
    fn folder(&self) -> PathBuf {
        let file = self.path.canonicalize().unwrap_or_else(|_| self.path.to_owned());
        file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
    }

    /// Whether the file that exists may be replaced. An empty one holds nothing that could be lost.
    fn check_replaced(&self) -> Result<()> {
        let is_empty = fs::metadata(self.path).is_ok_and(|about| about.len() == 0);
        if self.force || is_empty || (self.kind.is_at)(self.path) {
            return Ok(());
        }
        let cure = format!("choose another {}, or add --force to replace it", self.option);
        if let Some(extension) = self.kind.unmarked.iter().find(|one| has_extension(self.path, &[**one])) {
            let problem = format!("a .{extension} file does not say whether mrl wrote it; {cure}");
            return Err(self.exists_and(&problem));
        }
        Err(self.exists_and(&format!("is not {}; {cure}", self.kind.name)))
    }

    fn exists_and(&self, problem: &str) -> anyhow::Error {
        anyhow!("{} exists and {problem}", self.path.display())
    }

    fn wrong(&self, problem: &str) -> anyhow::Error {
        anyhow!("{}: {problem}", self.path.display())
    }

    fn misused(&self, problem: &str) -> anyhow::Error {
        UsageError(format!("{} {} {problem}", self.option, self.path.display())).into()
    }
}
