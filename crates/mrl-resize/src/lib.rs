//! Bilinear resizing of RGB images. A crate of its own, because the library's generic code takes half a minute to compile, and what uses it
//! is compiled often.

use fast_image_resize::{
    FilterType, ResizeAlg, ResizeOptions, Resizer,
    images::{TypedImage, TypedImageRef},
    pixels::U8x3,
};

/// Bilinear resizing with antialiasing, the same as Pillow's but for a level now and then.
#[derive(Default)]
pub struct Resize(Resizer);

impl Resize {
    /// `[h, w, 3]` to `[h', w', 3]`; sizes are `[w, h]`.
    ///
    /// # Panics
    /// When a buffer has not the size that is said.
    pub fn bilinear(&mut self, from: &[u8], from_size: [usize; 2], to: &mut [u8], to_size: [usize; 2]) {
        if from_size == to_size {
            to.copy_from_slice(from);
            return;
        }
        // The types say that pixels are RGB of 8 bits: without, code for 13 other forms would be compiled, which takes minutes.
        let [width, height] = from_size.map(|side| side as u32);
        let source =
            TypedImageRef::<U8x3>::from_buffer(width, height, from).expect("the buffer has the image's size");
        let [width, height] = to_size.map(|side| side as u32);
        let mut target =
            TypedImage::<U8x3>::from_buffer(width, height, to).expect("the buffer has the view's size");
        let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
        self.0.resize_typed(&source, &mut target, &options).expect("both images have pixels");
    }
}
