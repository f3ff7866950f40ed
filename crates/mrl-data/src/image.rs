use std::borrow::Cow;

/// A decoded image: 8-bit RGB, `[height, width, 3]` row-major, borrowed where the data set holds it in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image<'a> {
    width: usize,
    height: usize,
    pixels: Cow<'a, [u8]>,
}

impl<'a> Image<'a> {
    /// Wraps `pixels`, `[height, width, 3]`.
    ///
    /// # Panics
    /// When the number of bytes does not fit the size, or the image is empty: readers check their files before.
    #[must_use]
    pub fn new(width: usize, height: usize, pixels: impl Into<Cow<'a, [u8]>>) -> Self {
        let pixels = pixels.into();
        assert!(
            width > 0 && height > 0 && pixels.len() == width * height * 3,
            "an image of {width} x {height}"
        );
        Self { width, height, pixels }
    }

    /// Pixels in a row.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows.
    #[must_use]
    pub fn height(&self) -> usize {
        self.height
    }

    /// The bytes, `[height, width, 3]` row-major.
    #[must_use]
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }
}
