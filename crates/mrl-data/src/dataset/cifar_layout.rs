//! What the two layouts of CIFAR share: some batch files of equally many 32×32 images, and the names of the classes.

use std::path::Path;

use super::Split;
use crate::DataError;

pub(super) const SIDE: usize = 32;
/// Bytes of an image: three planes.
pub(super) const IMAGE_BYTES: usize = 3 * SIDE * SIDE;

/// The files of one layout of one data set.
pub(super) struct Layout {
    pub(super) folder: &'static str,
    pub(super) train: &'static [&'static str],
    pub(super) test: &'static [&'static str],
    pub(super) class_names: &'static str,
}

impl Layout {
    /// The batch files of a split.
    pub(super) fn files(&self, split: Split) -> &'static [&'static str] {
        if split == Split::Test { self.test } else { self.train }
    }

    /// All batches of a split; `read_batch` appends the images of a file and says how many there were.
    pub(super) fn read(
        &self,
        folder: &Path,
        split: Split,
        class_names: Option<Vec<String>>,
        read_batch: impl Fn(&Path, &mut Contents) -> Result<usize, DataError>,
    ) -> Result<Contents, DataError> {
        let mut contents = Contents { pixels: Vec::new(), labels: Vec::new(), class_names };
        let files = self.files(split);
        let counts = files
            .iter()
            .map(|file| read_batch(&folder.join(file), &mut contents))
            .collect::<Result<Vec<_>, _>>()?;
        check_batch_sizes(folder, files, &counts)?;
        Ok(contents)
    }
}

/// What a layout's reader gives back.
pub(super) struct Contents {
    /// `[n, 32, 32, 3]`.
    pub(super) pixels: Vec<u8>,
    pub(super) labels: Vec<i64>,
    pub(super) class_names: Option<Vec<String>>,
}

/// Checks that every batch has as many images as the first: a batch cut between two images shows only so.
fn check_batch_sizes(folder: &Path, files: &[&str], counts: &[usize]) -> Result<(), DataError> {
    let Some(odd) = counts.iter().position(|&count| count != counts[0]) else { return Ok(()) };
    Err(DataError::damaged(
        &folder.join(files[odd]),
        format!(
            "holds {} images and {} holds {}; all batches hold the same number, so one was cut: remove the folder and get it again",
            counts[odd], files[0], counts[0]
        ),
    ))
}
