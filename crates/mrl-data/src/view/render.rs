use super::{blur::Blur, colour, params::ViewParams, planes::Planes, resample::Resample};
use crate::Image;

/// Buffers that one thread reuses from view to view.
#[derive(Default)]
pub struct Scratch {
    resample: Resample,
    planes: Planes,
    blur: Blur,
}

/// Makes one view: `out` is `[size, size, 3]`, values in `[0, 1]`.
///
/// Every operator works on 8-bit levels, as torchvision's do on PIL images.
///
/// # Panics
/// When `out` has another length, or the crop does not lie within the image.
pub fn render(params: &ViewParams, image: &Image<'_>, size: usize, scratch: &mut Scratch, out: &mut [f32]) {
    assert_eq!(out.len(), size * size * 3, "a view of {size} x {size}");
    let Scratch { resample, planes, blur } = scratch;
    planes.set_pixels(size * size);
    resample.bilinear(image, params.crop, params.flip, size, planes);
    if let Some(jitter) = &params.jitter {
        colour::jitter(planes, jitter);
    }
    if params.grayscale {
        colour::grayscale(planes);
    }
    if let Some(sigma) = params.blur_sigma {
        planes.each_mut().into_iter().for_each(|plane| blur.apply(plane, size, sigma));
    }
    if let Some(threshold) = params.solarize {
        colour::solarize(planes, threshold);
    }
    planes.write(out);
}
