//! Which files are images, by their names and by their first bytes.

use std::path::Path;

/// The endings of files that are read as images; case does not matter.
const READ: [&str; 14] =
    ["jpg", "jpeg", "jpe", "jfif", "png", "webp", "bmp", "tif", "tiff", "gif", "pnm", "ppm", "pgm", "pbm"];

/// The endings of images that are not read.
const NOT_READ: [&str; 18] = [
    "avif", "heic", "heif", "jp2", "j2k", "jpx", "jxl", "psd", "svg", "ico", "tga", "exr", "hdr", "dng",
    "cr2", "nef", "arw", "raw",
];

/// The formats of images that are read, for messages.
pub const FORMATS: &str = "JPEG, PNG, WebP, BMP, TIFF, GIF or PNM";

/// True if the file's name ends as those of images do that can be read: JPEG, PNG, WebP, BMP, TIFF, GIF or PNM.
#[must_use]
pub fn is_image_file(path: &Path) -> bool {
    has_ending(path, &READ)
}

/// True if the name ends as those of images do that cannot be read.
pub(super) fn is_other_image(path: &Path) -> bool {
    has_ending(path, &NOT_READ)
}

fn has_ending(path: &Path, endings: &[&str]) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str());
    ending.is_some_and(|ending| endings.iter().any(|known| ending.eq_ignore_ascii_case(known)))
}

/// Why bytes that are no image of a known format cannot be read, to follow the file's name.
pub(super) fn not_read(bytes: &[u8]) -> String {
    let brand = bytes.get(4..12).unwrap_or_default();
    let format = match bytes {
        _ if brand.starts_with(b"ftypavi") => "an AVIF image",
        _ if [&b"ftypheic"[..], b"ftypheix", b"ftypmif1", b"ftyphevc"].contains(&brand) => "a HEIC image",
        [0xff, 0x0a, ..] | [0, 0, 0, 0x0c, b'J', b'X', b'L', b' ', ..] => "a JPEG XL image",
        [0, 0, 0, 0x0c, b'j', b'P', ..] | [0xff, 0x4f, 0xff, 0x51, ..] => "a JPEG 2000 image",
        [b'8', b'B', b'P', b'S', ..] => "a Photoshop file",
        _ if bytes.starts_with(b"version https://git-lfs") => {
            return "is a pointer of Git LFS and not the image; fetch it with `git lfs pull`".to_owned();
        }
        _ => return format!("is not a {FORMATS} image"),
    };
    format!("is {format}, which is not read; convert it to PNG")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_tell_what_is_read_and_what_is_another_image() {
        for (name, read, other) in [
            ("a.JPG", true, false),
            ("a.b.tiff", true, false),
            ("a.PPM", true, false),
            ("a.heic", false, true),
            ("a.txt", false, false),
            ("png", false, false),
        ] {
            let path = Path::new(name);
            assert_eq!((is_image_file(path), is_other_image(path)), (read, other), "{name}");
        }
    }

    #[test]
    fn what_a_file_is_instead_is_said() {
        for (bytes, part) in [
            (&b"\0\0\0\x1cftypavif\0\0"[..], "is an AVIF image, which is not read; convert it to PNG"),
            (b"\0\0\0\x18ftypheic", "is a HEIC image"),
            (b"\0\0\0\x0cjP  ", "is a JPEG 2000 image"),
            (b"\xff\x0a\x01", "is a JPEG XL image"),
            (b"version https://git-lfs.github.com/spec/v1\noid", "is a pointer of Git LFS"),
            (b"text", "is not a JPEG, PNG, WebP, BMP, TIFF, GIF or PNM image"),
            (b"", "is not a JPEG"),
        ] {
            assert!(not_read(bytes).starts_with(part), "{}", not_read(bytes));
        }
    }
}
