use fast_image_resize::{
    FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer,
    images::{Image as Target, ImageRef},
};

/// Bilinear resizing with antialiasing, the same as Pillow's but for a level now and then.
#[derive(Default)]
pub(crate) struct Resize(Resizer);

impl Resize {
    /// `[h, w, 3]` to `[h', w', 3]`; sizes are `[w, h]`.
    pub(crate) fn bilinear(
        &mut self,
        from: &[u8],
        from_size: [usize; 2],
        to: &mut [u8],
        to_size: [usize; 2],
    ) {
        if from_size == to_size {
            to.copy_from_slice(from);
            return;
        }
        let [width, height] = from_size.map(|side| side as u32);
        let source =
            ImageRef::new(width, height, from, PixelType::U8x3).expect("the buffer has the image's size");
        let [width, height] = to_size.map(|side| side as u32);
        let mut target = Target::from_slice_u8(width, height, to, PixelType::U8x3)
            .expect("the buffer has the view's size");
        let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
        self.0.resize(&source, &mut target, &options).expect("both images are RGB");
    }
}
