//! Image files as 8-bit RGB, turned upright.

use std::{
    fs::{self, File},
    io::{self, Cursor, Read},
    panic::catch_unwind,
    path::Path,
};

use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits, metadata::Orientation};

use super::image_file::not_read;
use crate::{DataError, Image};

const FORMATS: [ImageFormat; 7] = [
    ImageFormat::Jpeg,
    ImageFormat::Png,
    ImageFormat::WebP,
    ImageFormat::Bmp,
    ImageFormat::Tiff,
    ImageFormat::Gif,
    ImageFormat::Pnm,
];

/// The default limit of an image, in million pixels (about a medium-format camera). It keeps a small file from filling the memory.
pub const MAX_MEGAPIXELS: u32 = 134;
/// Bytes of decoded data allowed per pixel of the limit: enough for 8-bit RGBA. Images of 16 bits reach the limit with fewer pixels.
const BYTES_PER_PIXEL: u64 = 4;
/// The longest file that is read.
const LONGEST_FILE: u64 = 512 << 20;

/// An image in memory.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Decoded {
    pub(super) width: usize,
    pub(super) height: usize,
    /// `[height, width, 3]`.
    pub(super) pixels: Vec<u8>,
}

/// The image in the file at `path` (JPEG, PNG, WebP, BMP, TIFF, PNM, or the first frame of a GIF), as 8-bit RGB and upright.
///
/// # Errors
/// When the file cannot be read, or is no image that can be decoded.
pub fn read_image(path: &Path) -> Result<Image<'static>, DataError> {
    let Decoded { width, height, pixels } =
        decode_file(path, None).map_err(|problem| DataError::Damaged { path: path.to_owned(), problem })?;
    Ok(Image::new(width, height, pixels))
}

/// Decodes a file of at most `max_megapixels` million pixels. `None` means [`MAX_MEGAPIXELS`], for callers without that option; the error then
/// does not name it.
///
/// # Errors
/// Says what is wrong with the file or the image. The caller puts the file's name before it.
pub(super) fn decode_file(path: &Path, max_megapixels: Option<u32>) -> Result<Decoded, String> {
    let unreadable = |error: io::Error| format!("cannot be read ({error})");
    // Before it is opened: a pipe would wait for someone who writes to it.
    if !fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err("is not a file".to_owned());
    }
    let file = File::open(path).map_err(unreadable)?;
    let length = file.metadata().map_err(unreadable)?.len();
    if length > LONGEST_FILE {
        return Err(format!("has {length} bytes, too many for an image"));
    }
    let mut bytes = Vec::with_capacity(length as usize);
    file.take(LONGEST_FILE).read_to_end(&mut bytes).map_err(unreadable)?;
    decode(&bytes, max_megapixels)
}

/// Decodes an image, whose format its content tells.
fn decode(bytes: &[u8], max_megapixels: Option<u32>) -> Result<Decoded, String> {
    // A decoder that panics on a damaged file shall cost that image, not the run.
    catch_unwind(|| decode_unguarded(bytes, max_megapixels))
        .unwrap_or_else(|_| Err("is damaged (the decoder gave up)".into()))
}

fn decode_unguarded(bytes: &[u8], max_megapixels: Option<u32>) -> Result<Decoded, String> {
    if bytes.is_empty() {
        return Err("is empty".into());
    }
    let damaged = |error: image::ImageError| format!("is damaged ({error})");
    let mut reader = ImageReader::new(Cursor::new(bytes));
    let format = image::guess_format(bytes).ok().filter(|format| FORMATS.contains(format));
    let format = format.ok_or_else(|| not_read(bytes))?;
    if format == ImageFormat::Jpeg && !has_end_of_image(bytes) {
        return Err("is cut short (a JPEG without its end)".into());
    }
    reader.set_format(format);
    let mut limits = Limits::default();
    let (megapixels, cure) = match max_megapixels {
        Some(most) => (most, "make it smaller, or raise --max-megapixels"),
        None => (MAX_MEGAPIXELS, "make it smaller"),
    };
    let most_pixels = 1_000_000 * u64::from(megapixels);
    let most_bytes = BYTES_PER_PIXEL * most_pixels;
    limits.max_alloc = Some(most_bytes);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(damaged)?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > most_pixels || decoder.total_bytes() > most_bytes {
        return Err(format!(
            "is {width} x {height} pixels; an image may have at most {megapixels} million pixels and {most_bytes} decoded bytes; {cure}"
        ));
    }
    if width == 0 || height == 0 {
        return Err(format!("is {width} x {height}"));
    }
    // A damaged Exif block does not spoil the pixels.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut image = DynamicImage::from_decoder(decoder).map_err(damaged)?;
    image.apply_orientation(orientation);
    let image = image.into_rgb8();
    Ok(Decoded { width: image.width() as usize, height: image.height() as usize, pixels: image.into_raw() })
}

/// Whether a JPEG has the marker of its end after the first scan begins. The decoder is lenient and fills what is missing
/// with gray; a file that was cut must not pass for an image.
fn has_end_of_image(bytes: &[u8]) -> bool {
    let ends_after = |at: usize| {
        bytes.get(at..).is_some_and(|rest| rest.windows(2).rev().any(|pair| pair == [0xff, 0xd9]))
    };
    let mut at = 2;
    // The segments before the scan say their lengths; a thumbnail within one has an end of its own.
    while let Some(&[0xff, marker, high, low]) = bytes.get(at..at + 4) {
        match marker {
            // Fill bytes.
            0xff => at += 1,
            0xda => break,
            0x01 | 0xd0..=0xd8 => at += 2,
            _ => at += 2 + usize::from(u16::from_be_bytes([high, low])),
        }
    }
    ends_after(at)
}
