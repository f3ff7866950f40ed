//! An output that is a folder of files.

use std::{
    fs,
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
};

use anyhow::{Result, anyhow};
use mrl_embedding::{FolderLock, is_unfinished, remove_unfinished, write_atomically};
use mrl_eval::{Document, NamedFile};

use super::{marker::Marker, place::check_folder};
use crate::progress::note;

/// The folder that `--out` names, for the files of a document.
pub struct OutputFolder {
    path: PathBuf,
    document: Document,
    /// Whether files of the document's names may be replaced that the marker does not list.
    force: bool,
}

impl OutputFolder {
    /// For this document.
    pub fn new(path: &Path, document: Document, force: bool) -> Self {
        Self { path: path.to_owned(), document, force }
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the document can be written there, and replaces nothing that is not ours. To be asked before work begins.
    pub fn check(&self) -> Result<()> {
        check_folder("--out", &self.path)?;
        let marker = self.marker()?;
        self.check_names(&marker, &self.document.file_names())
    }

    /// Makes the folder, and marks it as ours, before anything else is put into it.
    pub fn claim(&self) -> Result<()> {
        let _lock = self.lock()?;
        self.mark(&self.marker()?)
    }

    /// Writes `files`, each whole or not at all, and gives their paths. Files of the same document that an earlier call left there
    /// and that are not among them are removed; those of others stay.
    pub fn write(&self, files: Vec<NamedFile>) -> Result<Vec<PathBuf>> {
        let _lock = self.lock()?;
        let mut marker = self.marker()?;
        let names: Vec<String> = files.iter().map(|(name, _)| name.clone()).collect();
        self.check_names(&marker, &names)?;
        for stale in marker.replace(self.document, names) {
            self.remove(&stale)?;
        }
        // Before the files: what a crash leaves is listed, too.
        self.mark(&marker)?;
        files.into_iter().map(|(name, bytes)| self.write_file(&name, &bytes)).collect()
    }

    /// Makes the folder, and keeps other calls of `mrl eval` from it: without the lock each would write some of the files. A second call waits.
    fn lock(&self) -> Result<FolderLock> {
        fs::create_dir_all(&self.path).map_err(|error| failed(&self.path, &error))?;
        let waiting = || note(&format!("{}: another process is writing there; waiting", self.path.display()));
        Ok(FolderLock::take(&self.path, waiting))
    }

    /// Reads the marker of the folder. Returns an empty marker if there is none and the folder is missing or empty. With `force`, a
    /// missing or damaged marker also counts as empty.
    fn marker(&self) -> Result<Marker> {
        match Marker::read(&self.path) {
            Ok(Some(marker)) => Ok(marker),
            Ok(None) if self.force || self.is_empty()? => Ok(Marker::new()),
            Ok(None) => {
                Err(self
                    .refused("is not empty and was not written by mrl eval; choose another --out, or add"))
            }
            Err(_) if self.force => Ok(Marker::new()),
            Err(problem) => Err(self.refused(&format!(
                "has a marker that cannot be used: {}: {problem}; choose another --out, or add",
                Marker::path(&self.path).display()
            ))),
        }
    }

    fn refused(&self, problem: &str) -> anyhow::Error {
        anyhow!(
            "{} {problem} --force, which replaces only files with the same names as the new files",
            self.path.display()
        )
    }

    fn is_empty(&self) -> Result<bool> {
        match fs::read_dir(&self.path) {
            // A killed `mrl eval` may have left an unfinished marker.
            Ok(entries) => Ok(entries.flatten().all(|entry| is_unfinished(&entry.file_name()))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(true),
            Err(error) => {
                Err(anyhow!("{}: cannot be read ({error}); choose another --out", self.path.display()))
            }
        }
    }

    /// Returns an error if the path of one of `names` exists and `marker` does not list it, unless `force`. A link or a folder at such a
    /// path, or at the marker's path, is always an error, because writing to a link changes a file in another folder.
    fn check_names(&self, marker: &Marker, names: &[String]) -> Result<()> {
        let files = names.iter().map(|name| (self.path.join(name), marker.lists(name)));
        for (path, is_ours) in files.chain([(Marker::path(&self.path), true)]) {
            let problem = match fs::symlink_metadata(&path) {
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => format!(": cannot be written ({error}); choose another --out"),
                Ok(about) if !about.is_file() => " is a link or a folder; move it, or choose another --out".to_owned(),
                Ok(_) if self.force || is_ours => continue,
                Ok(_) => " exists, and mrl did not write it; move it, choose another --out, or add --force to replace it"
                    .to_owned(),
            };
            return Err(anyhow!("{}{problem}", path.display()));
        }
        Ok(())
    }

    fn mark(&self, marker: &Marker) -> Result<()> {
        remove_unfinished(&self.path).map_err(|error| failed(&self.path, &error))?;
        marker.write(&self.path).map_err(|error| failed(&Marker::path(&self.path), &error))
    }

    fn write_file(&self, name: &str, bytes: &[u8]) -> Result<PathBuf> {
        let path = self.path.join(name);
        write_atomically(&path, |file| file.write_all(bytes)).map_err(|error| failed(&path, &error))?;
        Ok(path)
    }

    /// Removes a file that the marker lists; a link or a folder of its name is not ours, and stays.
    fn remove(&self, name: &str) -> Result<()> {
        let path = self.path.join(name);
        if !fs::symlink_metadata(&path).is_ok_and(|about| about.is_file()) {
            return Ok(());
        }
        fs::remove_file(&path).map_err(|error| failed(&path, &error))
    }
}

fn failed(path: &Path, error: &std::io::Error) -> anyhow::Error {
    anyhow!("{}: {error}; check that the folder can be written and the disk has space", path.display())
}
