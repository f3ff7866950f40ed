//! What a run compares to know whether it still has its images.

use std::{fs, path::PathBuf};

use sha2::{Digest, Sha256};

use super::ImageSet;
use crate::DataError;

/// Images whose contents are looked at, at most.
const SAMPLE: usize = 64;

/// About [`SAMPLE`] of `count` places, evenly spaced, the first and the last among them.
pub(super) fn sample(count: usize) -> impl Iterator<Item = usize> {
    let taken = count.min(SAMPLE);
    (0..taken).map(move |number| number * (count - 1) / (taken - 1).max(1))
}

/// SHA-256 of parts, each with its length, so that no two lists of parts are alike.
pub(super) struct SetDigest(Sha256);

impl SetDigest {
    fn new(set: &ImageSet) -> Self {
        let mut digest = Self(Sha256::new());
        digest.part(set.name().as_bytes());
        digest.number(set.len());
        for id in set.ids().unwrap_or_default() {
            digest.part(id.as_bytes());
        }
        for label in set.labels().unwrap_or_default() {
            digest.part(&label.to_le_bytes());
        }
        digest
    }

    pub(super) fn part(&mut self, bytes: &[u8]) {
        self.number(bytes.len());
        self.0.update(bytes);
    }

    pub(super) fn number(&mut self, number: usize) {
        self.0.update((number as u64).to_le_bytes());
    }

    /// The whole contents of files.
    pub(super) fn files(&mut self, paths: &[PathBuf]) -> Result<(), DataError> {
        for path in paths {
            self.part(&fs::read(path).map_err(DataError::io(path))?);
        }
        Ok(())
    }

    fn finish(self) -> String {
        let digest = self.0.finalize();
        let first = digest.first_chunk().expect("SHA-256 has 32 bytes");
        format!("{:016x}", u64::from_be_bytes(*first))
    }
}

impl ImageSet {
    /// A digest (16 hexadecimal digits) that distinguishes this image set from others. It covers the name of the set, the count, ids and
    /// labels of all images, and the contents of at most 64 evenly spaced images. For a folder, the contents are the bytes of the image
    /// files; for other formats, the image size and the unpacked pixels. The place of the folder and the times of files are not included,
    /// so a copy has the same digest.
    ///
    /// # Errors
    /// When a file of a folder can no longer be read.
    pub fn digest(&self) -> Result<String, DataError> {
        let mut digest = SetDigest::new(self);
        self.add_contents(&mut digest)?;
        Ok(digest.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DatasetKind, Split};

    fn set(pixels: Vec<u8>, labels: Option<Vec<i64>>) -> ImageSet {
        ImageSet::from_pixels(DatasetKind::Mnist, Split::Train, (2, 2), pixels, labels).unwrap()
    }

    #[test]
    fn the_sample_is_evenly_spaced_from_the_first_to_the_last() {
        for count in [0, 1, 2, 63, 64, 65, 1000, 1_281_167] {
            let places: Vec<usize> = sample(count).collect();
            assert_eq!(places.len(), count.min(SAMPLE));
            assert!(places.windows(2).all(|pair| pair[0] < pair[1]), "{count}");
            assert_eq!(places.first().copied(), (count > 0).then_some(0));
            assert_eq!(places.last().copied(), count.checked_sub(1));
        }
    }

    #[test]
    fn other_pixels_labels_and_counts_are_other_sets() {
        let pixels: Vec<u8> = (0..60u8).collect();
        let of = |pixels: &[u8], labels: Option<&[i64]>| {
            set(pixels.to_vec(), labels.map(<[i64]>::to_vec)).digest().unwrap()
        };
        let digest = of(&pixels, Some(&[0, 1, 0, 1, 0]));
        assert_eq!(digest, of(&pixels, Some(&[0, 1, 0, 1, 0])));
        assert_eq!(digest.len(), 16);
        let mut changed = pixels.clone();
        changed[30] += 1;
        let others = [
            of(&changed, Some(&[0, 1, 0, 1, 0])),
            of(&pixels, Some(&[0, 1, 0, 0, 0])),
            of(&pixels, None),
            of(&pixels[..48], Some(&[0, 1, 0, 1])),
        ];
        for other in others {
            assert_ne!(digest, other);
        }
    }
}
