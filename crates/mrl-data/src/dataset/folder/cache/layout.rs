//! The bytes of a cache: a header, the pixels of one image after the other, and an index of them.
//!
//! ```text
//!      0   8  "mrlpixel"
//!      8   4  version of this layout
//!     12  32  key: what the pixels were made of
//!     44   8  length of the index, which ends the file
//!     52  32  SHA-256 of the bytes before and of the index
//!     84      pixels, [height, width, 3] of each image
//!             index: the number of whole images; of each its place in the scan, where its pixels begin, width, height;
//!             the number of corrupt images; of each its place, and what is wrong: the length in bytes, and the text
//! ```
//!
//! Numbers are little-endian and of 64 bits, version, width and height of 32.

use sha2::{Digest, Sha256};

use crate::dataset::folder::select::Selected;

/// To be raised with each change of the layout, of decoding or of resizing: the pixels are then made anew.
pub(super) const VERSION: u32 = 2;

/// The length of the header, which is where the pixels begin.
pub(super) const HEADER_BYTES: usize = 84;

const MAGIC: &[u8; 8] = b"mrlpixel";
/// The header's part that the checksum covers.
const CHECKED_BYTES: usize = 52;

/// What a cache was made of.
pub(super) type Key = [u8; 32];

/// Where the pixels of an image lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The place of its first byte, counted from the first of all pixels.
    pub(super) start: u64,
    pub(super) width: u32,
    pub(super) height: u32,
}

impl Place {
    /// The bytes of its pixels, if that is a number.
    fn bytes(self) -> Option<u64> {
        u64::from(self.width).checked_mul(u64::from(self.height))?.checked_mul(3)
    }

    /// Whether it is an image, and one that lies within so many bytes of pixels.
    fn is_within(self, pixel_bytes: u64) -> bool {
        let end = self.bytes().filter(|&bytes| bytes > 0).and_then(|bytes| self.start.checked_add(bytes));
        end.is_some_and(|end| end <= pixel_bytes)
    }
}

/// The header of a cache with this index.
pub(super) fn header(key: &Key, index: &[u8]) -> Vec<u8> {
    let mut header = MAGIC.to_vec();
    header.extend(VERSION.to_le_bytes());
    header.extend(key);
    header.extend((index.len() as u64).to_le_bytes());
    let checksum = checksum(&header, index);
    header.extend(checksum);
    header
}

/// The index of what became of the images.
pub(super) fn index(selected: &Selected<Place>) -> Vec<u8> {
    let mut bytes = (selected.whole.len() as u64).to_le_bytes().to_vec();
    for (image, Place { start, width, height }) in &selected.whole {
        bytes.extend((*image as u64).to_le_bytes());
        bytes.extend(start.to_le_bytes());
        bytes.extend(width.to_le_bytes());
        bytes.extend(height.to_le_bytes());
    }
    bytes.extend((selected.corrupt.len() as u64).to_le_bytes());
    for (image, problem) in &selected.corrupt {
        bytes.extend((*image as u64).to_le_bytes());
        bytes.extend((problem.len() as u64).to_le_bytes());
        bytes.extend(problem.as_bytes());
    }
    bytes
}

/// Reads header and index of a whole file, and believes nothing in it: every place lies within the pixels, and every
/// image is one of the scan's `images`.
///
/// # Errors
/// What is wrong with the file, to follow its name.
pub(super) fn read(file: &[u8], key: &Key, images: usize) -> Result<Selected<Place>, String> {
    let cut = || "is cut short".to_owned();
    let (header, body) = file.split_at_checked(HEADER_BYTES).ok_or_else(cut)?;
    let (checked, sum) = header.split_at(CHECKED_BYTES);
    let mut fields = Reader(checked);
    if fields.take(MAGIC.len()) != Some(MAGIC.as_slice()) {
        return Err("is not a cache of pixels".to_owned());
    }
    if fields.u32() != Some(VERSION) || fields.take(key.len()) != Some(key.as_slice()) {
        return Err("is a cache of other images".to_owned());
    }
    let index_bytes = fields.u64().and_then(|bytes| usize::try_from(bytes).ok());
    let pixel_bytes = index_bytes.and_then(|bytes| body.len().checked_sub(bytes)).ok_or_else(cut)?;
    let index = &body[pixel_bytes..];
    if checksum(checked, index).as_slice() != sum {
        return Err("is cut or damaged (its checksum is wrong)".to_owned());
    }
    read_index(index, pixel_bytes as u64, images)
        .ok_or_else(|| "is damaged (its index makes no sense)".to_owned())
}

fn read_index(index: &[u8], pixel_bytes: u64, images: usize) -> Option<Selected<Place>> {
    let mut fields = Reader(index);
    // The lists grow with what is there, whatever the numbers of images say.
    let (mut whole, mut corrupt) = (Vec::<(usize, Place)>::new(), Vec::new());
    for _ in 0..fields.u64()? {
        let image = fields.image(images)?;
        let place = Place { start: fields.u64()?, width: fields.u32()?, height: fields.u32()? };
        let increases = whole.last().is_none_or(|&(last, _)| last < image);
        whole.push((increases && place.is_within(pixel_bytes)).then_some((image, place))?);
    }
    for _ in 0..fields.u64()? {
        let image = fields.image(images)?;
        let length = usize::try_from(fields.u64()?).ok()?;
        corrupt.push((image, String::from_utf8(fields.take(length)?.to_vec()).ok()?));
    }
    fields.0.is_empty().then_some(Selected { whole, corrupt })
}

fn checksum(header: &[u8], index: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(header).chain_update(index).finalize().into()
}

/// Takes fields from the front, as long as there are some.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, bytes: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(bytes)?;
        self.0 = rest;
        Some(taken)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take(4)?.try_into().ok().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take(8)?.try_into().ok().map(u64::from_le_bytes)
    }

    /// The place of an image in a scan of so many.
    fn image(&mut self, images: usize) -> Option<usize> {
        usize::try_from(self.u64()?).ok().filter(|&image| image < images)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: Key = [7; 32];

    fn selected() -> Selected<Place> {
        let place = |start, width, height| Place { start, width, height };
        Selected {
            whole: vec![(0, place(12, 2, 2)), (2, place(0, 1, 4))],
            corrupt: vec![(3, "is empty".to_owned()), (1, "is damaged".to_owned())],
        }
    }

    /// A cache of 24 bytes of pixels, with a right checksum.
    fn cache(selected: &Selected<Place>) -> Vec<u8> {
        with_index(&index(selected))
    }

    fn with_index(index: &[u8]) -> Vec<u8> {
        [&header(&KEY, index)[..], &[5; 24], index].concat()
    }

    #[test]
    fn what_was_written_is_read() {
        assert_eq!(header(&KEY, &[]).len(), HEADER_BYTES);
        assert_eq!(read(&cache(&selected()), &KEY, 4), Ok(selected()));
    }

    #[test]
    fn every_damage_is_told() {
        let file = cache(&selected());
        let told = |file: &[u8]| read(file, &KEY, 4).unwrap_err();
        assert_eq!(told(&file[..83]), "is cut short");
        assert_eq!(told(&file[..90]), "is cut short");
        assert_eq!(told(&file[1..]), "is not a cache of pixels");
        assert_eq!(told(&file[..file.len() - 1]), "is cut or damaged (its checksum is wrong)");
        assert_eq!(told(&[&file[..], b"x"].concat()), "is cut or damaged (its checksum is wrong)");
        assert_eq!(read(&file, &[8; 32], 4).unwrap_err(), "is a cache of other images");
    }

    #[test]
    fn a_hostile_index_is_not_believed() {
        let hostile = |change: &dyn Fn(&mut Selected<Place>)| {
            let mut selected = selected();
            change(&mut selected);
            read(&cache(&selected), &KEY, 4).unwrap_err()
        };
        let senseless = "is damaged (its index makes no sense)";
        assert_eq!(hostile(&|selected| selected.whole[0].1.start = 13), senseless);
        assert_eq!(hostile(&|selected| selected.whole[0].1.start = u64::MAX), senseless);
        assert_eq!(hostile(&|selected| selected.whole[0].1.width = 0), senseless);
        assert_eq!(
            hostile(
                &|selected| (selected.whole[0].1.width, selected.whole[0].1.height) = (u32::MAX, u32::MAX)
            ),
            senseless
        );
        assert_eq!(hostile(&|selected| selected.whole[1].0 = 4), senseless);
        assert_eq!(hostile(&|selected| selected.whole[1].0 = 0), senseless);
        assert_eq!(hostile(&|selected| selected.corrupt[0].0 = 4), senseless);
        // 2^64 - 1 images, and a text of as many bytes.
        assert_eq!(read(&with_index(&[0xff; 8]), &KEY, 4).unwrap_err(), senseless);
        let text = [&[0; 8][..], &[1, 0, 0, 0, 0, 0, 0, 0], &[0; 8], &[0xff; 8]].concat();
        assert_eq!(read(&with_index(&text), &KEY, 4).unwrap_err(), senseless);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(read(&bytes, &KEY, 4).is_err());
            let _ = read(&with_index(&bytes), &KEY, 4);
        }
    }
}
