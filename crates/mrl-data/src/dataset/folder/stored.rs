//! The size at which a folder's images are kept.

use std::path::Path;

use mrl_resize::Resize;

use crate::{
    DataError, OpenOptions,
    dataset::decode::{Decoded, decode_file},
};

/// The shorter side of a kept image is at most so many times the side of a view.
///
/// A random crop has 8 to 100 % of the image's area, uniformly: at twice the view's side a quarter of the area is a view's
/// worth of pixels, so four crops in five are still made smaller on their way to the view, and the smallest are enlarged
/// about twice. So do `ImageNet`'s images, about 470 × 390, with the 224 pixels of its views, on which these crops were
/// tuned. More would cost space and reading time for detail that most views cannot show.
const VIEWS: usize = 2;

/// Images of a chunk need about so much memory at most, while they wait to be written.
const CHUNK_BYTES: usize = 256 << 20;
/// A camera's image, 4000 × 3000 × 3.
const PHOTO_BYTES: usize = 36 << 20;

/// How large the images of a folder may be, in their files and when they are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StoredSize {
    /// The longest that a kept image's shorter side may be; nothing where images stay as they are.
    shorter: Option<usize>,
    /// The most million pixels that an image may have in its file.
    max_megapixels: u32,
}

impl StoredSize {
    /// The size for images of which views of the options' size are cut.
    pub(super) fn new(options: &OpenOptions) -> Self {
        let shorter = options.view_size.map(|size| size.max(1).saturating_mul(VIEWS));
        Self { shorter, max_megapixels: options.max_megapixels }
    }

    /// The longest shorter side in pixels; 0 where there is no limit.
    pub(super) fn shorter(self) -> u64 {
        self.shorter.unwrap_or(0) as u64
    }

    /// The most million pixels that an image may have in its file.
    pub(super) fn max_megapixels(self) -> u32 {
        self.max_megapixels
    }

    /// Reads and decodes a file, and shrinks the image where it is too large.
    ///
    /// # Errors
    /// Says what is wrong with the file or the image. The caller puts the file's name before it.
    pub(super) fn load(self, path: &Path) -> Result<Decoded, String> {
        decode_file(path, Some(self.max_megapixels)).map(|decoded| self.shrink(decoded))
    }

    /// Loads again what was an image before.
    ///
    /// # Errors
    /// When the file changed meanwhile and is none any more.
    pub(super) fn reload(self, path: &Path) -> Result<Decoded, DataError> {
        let changed = |problem: String| format!("{problem}; it changed since the data set was opened");
        self.load(path).map_err(|problem| DataError::damaged(path, changed(problem)))
    }

    /// Resizes an image so that its shorter side is the limit, the longer one cut to whole pixels; a smaller one stays bit
    /// for bit.
    fn shrink(self, decoded: Decoded) -> Decoded {
        let Decoded { width, height, pixels } = &decoded;
        let shorter = *width.min(height);
        let Some(limit) = self.shorter.filter(|&limit| limit < shorter) else { return decoded };
        let [to_width, to_height] = [*width, *height].map(|side| side * limit / shorter);
        let mut resized = vec![0; to_width * to_height * 3];
        Resize::default().bilinear(pixels, [*width, *height], &mut resized, [to_width, to_height]);
        Decoded { width: to_width, height: to_height, pixels: resized }
    }

    /// How many images, at most `most`, are decoded at once when all of them wait to be written: at least one a thread.
    /// They are taken to be of 3 × 2.
    pub(super) fn chunk(self, most: usize) -> usize {
        let usual =
            self.shorter.map_or(PHOTO_BYTES, |limit| limit.saturating_mul(limit).saturating_mul(9) / 2);
        (CHUNK_BYTES / usual.max(1)).min(most).max(rayon::current_num_threads())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(view_size: Option<usize>) -> StoredSize {
        StoredSize::new(&OpenOptions { view_size, ..OpenOptions::default() })
    }

    fn image(width: usize, height: usize) -> Decoded {
        let pixels = (0..width * height * 3).map(|place| (place * 7 % 251) as u8).collect();
        Decoded { width, height, pixels }
    }

    fn size(view_size: usize, width: usize, height: usize) -> (usize, usize) {
        let Decoded { width, height, pixels } = stored(Some(view_size)).shrink(image(width, height));
        assert_eq!(pixels.len(), width * height * 3);
        (width, height)
    }

    #[test]
    fn the_shorter_side_becomes_twice_the_view() {
        assert_eq!(size(8, 100, 40), (40, 16));
        assert_eq!(size(8, 40, 101), (16, 40));
        assert_eq!(size(8, 17, 17), (16, 16));
        assert_eq!(size(8, 1, 1000), (1, 1000));
    }

    #[test]
    fn an_image_that_is_small_enough_stays_as_it_is() {
        for (width, height) in [(16, 16), (16, 90), (3, 5)] {
            assert_eq!(stored(Some(8)).shrink(image(width, height)), image(width, height));
        }
        assert_eq!(stored(None).shrink(image(900, 700)), image(900, 700));
    }

    #[test]
    fn large_images_wait_in_small_chunks() {
        let threads = rayon::current_num_threads();
        let chunk = |view_size| stored(view_size).chunk(256);
        assert_eq!(chunk(Some(32)), 256.max(threads));
        assert_eq!((chunk(Some(usize::MAX)), chunk(None)), (threads, threads.max(7)));
    }
}
