use std::path::PathBuf;

use serde::Serialize;

use super::{
    DatasetKind, Split,
    digest::{SetDigest, sample},
    folder::FolderImages,
    subset,
};
use crate::{DataError, Image};

/// The images of one split, in a fixed order, with labels where they are known.
///
/// Sets that are small files of raw pixels lie in memory whole; a folder's images lie in a mapped cache, or in their files
/// but for those that fit the memory they may have.
#[derive(Debug)]
pub struct ImageSet {
    kind: DatasetKind,
    split: Split,
    images: Images,
    pub(super) labels: Option<Vec<i64>>,
    pub(super) class_names: Option<Vec<String>>,
    pub(super) ids: Option<Vec<String>>,
    pub(super) skipped: Vec<Skipped>,
    pub(super) left_out: Vec<LeftOut>,
}

/// Entries of a folder that are not images which can be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// The class in whose folder they lie; nothing of those that lie in none.
    pub class: Option<String>,
    /// What they are, e.g. `.txt` files.
    pub reason: String,
    /// How many there are.
    pub count: usize,
}

/// A corrupt image that was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub reason: String,
}

#[derive(Debug)]
enum Images {
    /// All of one size: `[n, height, width, 3]`.
    Packed {
        width: usize,
        height: usize,
        pixels: Vec<u8>,
    },
    Folder(FolderImages),
}

impl ImageSet {
    /// A set that lies in memory: `pixels` is `[n, height, width, 3]`, 8-bit RGB.
    ///
    /// # Errors
    /// When the pixels do not make whole images, or there is not one label for each.
    pub fn from_pixels(
        kind: DatasetKind,
        split: Split,
        (width, height): (usize, usize),
        pixels: Vec<u8>,
        labels: Option<Vec<i64>>,
    ) -> Result<Self, DataError> {
        let bytes = width * height * 3;
        if bytes == 0 || !pixels.len().is_multiple_of(bytes) {
            return Err(DataError::Shape(format!(
                "{} bytes do not make images of {width} x {height} x 3",
                pixels.len()
            )));
        }
        let n = pixels.len() / bytes;
        if let Some(labels) = &labels
            && labels.len() != n
        {
            return Err(DataError::Shape(format!(
                "{} labels for {n} images; give one for each",
                labels.len()
            )));
        }
        let images = Images::Packed { width, height, pixels };
        Ok(Self {
            kind,
            split,
            images,
            labels,
            class_names: None,
            ids: None,
            skipped: Vec::new(),
            left_out: Vec::new(),
        })
    }

    pub(super) fn from_folder(split: Split, images: FolderImages) -> Self {
        let images = Images::Folder(images);
        Self {
            kind: DatasetKind::Folder,
            split,
            images,
            labels: None,
            class_names: None,
            ids: None,
            skipped: Vec::new(),
            left_out: Vec::new(),
        }
    }

    /// Names the classes: label `i` is `names[i]`.
    #[must_use]
    pub fn with_class_names(mut self, names: Option<Vec<String>>) -> Self {
        self.class_names = names;
        self
    }

    /// The number of images.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.images {
            Images::Packed { width, height, pixels } => pixels.len() / (width * height * 3),
            Images::Folder(images) => images.len(),
        }
    }

    /// Whether there are no images.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Image `index`. It is borrowed where its pixels are in memory and decoded otherwise.
    ///
    /// # Errors
    /// When an image that is not cached can no longer be read or decoded: its file changed since the set was opened.
    ///
    /// # Panics
    /// When `index` is not below [`ImageSet::len`].
    pub fn image(&self, index: usize) -> Result<Image<'_>, DataError> {
        match &self.images {
            Images::Packed { width, height, pixels } => {
                let bytes = width * height * 3;
                Ok(Image::new(*width, *height, &pixels[index * bytes..][..bytes]))
            }
            Images::Folder(images) => images.image(index),
        }
    }

    /// A label for each image, where they are known; −1 is an image without one.
    #[must_use]
    pub fn labels(&self) -> Option<&[i64]> {
        self.labels.as_deref()
    }

    /// The names of the classes, where they are known: label `i` is `class_names()[i]`.
    #[must_use]
    pub fn class_names(&self) -> Option<&[String]> {
        self.class_names.as_deref()
    }

    /// Of a folder the path of each image below the folder, with `/` between its parts.
    #[must_use]
    pub fn ids(&self) -> Option<&[String]> {
        self.ids.as_deref()
    }

    /// The corrupt images of a folder that were left out.
    #[must_use]
    pub fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }

    /// What a folder holds beside the images: other files, and folders that no person made.
    #[must_use]
    pub fn left_out(&self) -> &[LeftOut] {
        &self.left_out
    }

    /// Which data set this is.
    #[must_use]
    pub fn kind(&self) -> DatasetKind {
        self.kind
    }

    /// Which part of it.
    #[must_use]
    pub fn split(&self) -> Split {
        self.split
    }

    /// The data set and its split, e.g. `cifar10 test`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{} {}", self.kind, self.split)
    }

    /// The shorter side of the images in pixels, where all have the same size. Images that are decoded for views are measured as they are kept.
    #[must_use]
    pub fn native_size(&self) -> Option<usize> {
        let (width, height) = match &self.images {
            Images::Packed { width, height, .. } => (*width, *height),
            Images::Folder(images) => images.size()?,
        };
        Some(width.min(height))
    }

    /// Adds what a sample of the images holds.
    pub(super) fn add_contents(&self, digest: &mut SetDigest) -> Result<(), DataError> {
        match &self.images {
            Images::Packed { width, height, pixels } => {
                digest.number(*width);
                digest.number(*height);
                let bytes = width * height * 3;
                sample(self.len()).for_each(|image| digest.part(&pixels[image * bytes..][..bytes]));
                Ok(())
            }
            Images::Folder(images) => digest.files(images.sample()),
        }
    }

    /// Keeps the first `count` images of each class, in the set's order.
    ///
    /// # Errors
    /// When `count` is 0, an image has no label, or a class has fewer images.
    pub(super) fn subset_per_class(mut self, count: usize) -> Result<Self, DataError> {
        let labels = subset::checked_labels(&self.name(), self.labels(), count)?;
        let classes = self.class_names.as_ref().map(Vec::len).or(self.kind.classes());
        let kept = subset::first_of_each_class(labels, count);
        let labels: Vec<i64> = kept.iter().map(|&index| labels[index]).collect();
        subset::check_counts(&self.name(), &labels, classes, self.class_names(), count)?;
        if let Images::Packed { width, height, pixels } = &mut self.images {
            let bytes = *width * *height * 3;
            // `kept` is increasing, so a row never moves over one that is still to be moved.
            for (to, &from) in kept.iter().enumerate() {
                pixels.copy_within(from * bytes..(from + 1) * bytes, to * bytes);
            }
            pixels.truncate(kept.len() * bytes);
            pixels.shrink_to_fit();
        }
        self.labels = Some(labels);
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(labels: &[i64]) -> ImageSet {
        let pixels = (0..labels.len()).flat_map(|i| [i as u8; 12]).collect();
        ImageSet::from_pixels(DatasetKind::Mnist, Split::Train, (2, 2), pixels, Some(labels.to_vec()))
            .unwrap()
            .with_class_names(Some(vec!["a".into(), "b".into()]))
    }

    #[test]
    fn a_subset_keeps_the_first_of_each_class_in_order() {
        let set = sample(&[1, 1, 0, 1, 0, 0]).subset_per_class(2).unwrap();
        assert_eq!(set.labels().unwrap(), [1, 1, 0, 0]);
        let firsts: Vec<u8> = (0..set.len()).map(|i| set.image(i).unwrap().pixels()[0]).collect();
        assert_eq!(firsts, [0, 1, 2, 4]);
        assert_eq!(set.native_size(), Some(2));
        assert_eq!(set.name(), "mnist train");
    }

    #[test]
    fn a_subset_that_cannot_be_had_is_refused() {
        let message = |labels: &[i64], count| sample(labels).subset_per_class(count).unwrap_err().to_string();
        assert_eq!(
            message(&[1, 0, 1], 2),
            "mnist train has 1 images of class 0 (a), fewer than the 2 of each class that were asked for; ask for at most 1"
        );
        assert_eq!(
            message(&[1, 1], 2),
            "mnist train has 0 images of class 0 (a), fewer than the 2 of each class that were asked for; put images there, or remove the class"
        );
        assert_eq!(message(&[1, 0], 0), "a subset of 0 images of each class is empty; ask for at least 1");
        assert_eq!(
            message(&[1, -1], 1),
            "mnist train has images without labels, so no number of each class can be taken; leave the subset out"
        );
    }

    #[test]
    fn pixels_that_make_no_whole_images_are_refused() {
        let set = |bytes, labels: usize| {
            let labels = Some(vec![0; labels]);
            ImageSet::from_pixels(DatasetKind::Mnist, Split::Train, (2, 2), vec![0; bytes], labels)
        };
        assert!(set(24, 2).is_ok());
        assert_eq!(set(25, 2).unwrap_err().to_string(), "25 bytes do not make images of 2 x 2 x 3");
        assert_eq!(set(24, 1).unwrap_err().to_string(), "1 labels for 2 images; give one for each");
    }
}
