//! Which images a run is trained on.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use mrl_data::ImageSet;
use mrl_embedding::{quoted, write_atomically};
use serde::{Deserialize, Serialize};

use crate::TrainError;

const NAME: &str = "images.json";

/// The record by which a run recognises its images: `images.json` in the run folder. Runs of earlier versions do not have this file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RunImages {
    /// [`ImageSet::digest`], before any image is held out.
    digest: String,
    count: usize,
    /// Where they were when the run began, as it was written then.
    data_dir: Option<PathBuf>,
}

impl RunImages {
    /// # Errors
    /// When an image can no longer be read.
    pub(crate) fn new(set: &ImageSet, data_dir: Option<&Path>) -> Result<Self, TrainError> {
        Ok(Self { digest: set.digest()?, count: set.len(), data_dir: data_dir.map(Path::to_owned) })
    }

    /// Those of the run in `folder`, if it says which.
    ///
    /// # Errors
    /// When the file cannot be read, or is damaged.
    pub(crate) fn read(folder: &Path) -> Result<Option<Self>, TrainError> {
        let file = folder.join(NAME);
        let bytes = match fs::read(&file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read.map_err(TrainError::io(&file))?,
        };
        let damaged = |error: serde_json::Error| {
            let problem = format!(
                "does not say which images the run is trained on ({error}); restore it, or delete it if the images are the same"
            );
            TrainError::damaged(&file, problem)
        };
        serde_json::from_slice(&bytes).map(Some).map_err(damaged)
    }

    pub(crate) fn write(&self, folder: &Path) -> Result<(), TrainError> {
        let file = folder.join(NAME);
        write_atomically(&file, |out| {
            serde_json::to_writer_pretty(&mut *out, self)?;
            out.write_all(b"\n")
        })
        .map_err(TrainError::io(&file))
    }

    /// Returns an error if `given` differs in digest or count from the images that the run in `folder` is trained on (`self`). The data
    /// folder may differ.
    pub(crate) fn check_same(&self, given: &Self, folder: &Path) -> Result<(), TrainError> {
        if (&self.digest, self.count) == (&given.digest, given.count) {
            return Ok(());
        }
        let cure = match &self.data_dir {
            Some(data_dir) if Some(data_dir) != given.data_dir.as_ref() => {
                format!("resume it with --data-dir {}", quoted(data_dir))
            }
            _ => "restore the images".to_owned(),
        };
        let problem = format!(
            "the run was trained on {self}, and these are {given}; {cure}, or start a new run in another --out"
        );
        Err(TrainError::damaged(&folder.join(NAME), problem))
    }
}

impl std::fmt::Display for RunImages {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} images", self.count)?;
        if let Some(data_dir) = &self.data_dir {
            write!(f, " of {}", data_dir.display())?;
        }
        write!(f, " (digest {})", self.digest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn images(digest: &str, count: usize, data_dir: &str) -> RunImages {
        RunImages { digest: digest.to_owned(), count, data_dir: Some(data_dir.into()) }
    }

    #[test]
    fn they_survive_the_file_and_may_move() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(RunImages::read(folder.path()).unwrap(), None);
        let stored = images("00aa", 40, "data");
        stored.write(folder.path()).unwrap();
        assert_eq!(RunImages::read(folder.path()).unwrap().unwrap(), stored);
        stored.check_same(&images("00aa", 40, "/elsewhere"), folder.path()).unwrap();
        fs::write(folder.path().join(NAME), "[{\"file\": \"cat.png\"}]").unwrap();
        let error = RunImages::read(folder.path()).unwrap_err().to_string();
        assert!(error.contains("images.json: does not say which images"), "{error}");
    }

    #[test]
    fn both_sides_are_named_with_a_cure() {
        let refused = |given: &RunImages| {
            images("00aa", 40, "data").check_same(given, Path::new("run")).unwrap_err().to_string()
        };
        assert_eq!(
            refused(&images("00bb", 40, "other")),
            "run/images.json: the run was trained on 40 images of data (digest 00aa), and these are 40 images of other \
             (digest 00bb); resume it with --data-dir data, or start a new run in another --out"
        );
        let changed = refused(&images("00aa", 41, "data"));
        assert!(changed.contains("; restore the images, or start a new run"), "{changed}");
    }
}
