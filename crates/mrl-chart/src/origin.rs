//! Charts say that `mrl` drew them, so that a program knows which files it may replace.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

/// A comment after the opening tag of an SVG.
const SVG: &str = "<!-- Drawn by mrl -->";

/// The data of a PNG's `tEXt` chunk: a keyword of the standard (PNG 3, section 11.3.3.2), a zero, the text.
const PNG: &[u8] = b"Software\0mrl";

/// What every PNG begins with.
const PNG_MAGIC: &[u8] = b"\x89PNG\r\n\x1a\n";

/// Where the first chunk of a PNG ends, which is `IHDR`: after the magic come 12 bytes of frame and 13 of data.
const AFTER_HEADER: usize = 8 + 12 + 13;

/// The mark of an SVG lies within so many bytes: an opening tag has fewer.
const HEAD: u64 = 1024;

pub(crate) fn sign_svg(svg: &str) -> String {
    let (tag, rest) = svg.split_at(svg.find('>').map_or(0, |end| end + 1));
    [tag, "\n", SVG, rest].concat()
}

pub(crate) fn sign_png(png: &[u8]) -> Vec<u8> {
    let (header, rest) = png.split_at(AFTER_HEADER.min(png.len()));
    [header, &text_chunk(), rest].concat()
}

/// Length, type, data and checksum.
fn text_chunk() -> Vec<u8> {
    let body = [b"tEXt", PNG].concat();
    let checksum = crc32fast::hash(&body).to_be_bytes();
    [&(PNG.len() as u32).to_be_bytes()[..], &body, &checksum].concat()
}

/// Whether the file at `path` is a chart that [`Drawing::svg`](crate::Drawing::svg) or [`Drawing::png`](crate::Drawing::png) made.
///
/// # Errors
/// When the file cannot be read.
pub fn is_chart(path: &Path) -> io::Result<bool> {
    let mut head = Vec::new();
    File::open(path)?.take(HEAD).read_to_end(&mut head)?;
    Ok(is_signed_svg(&head) || is_signed_png(&head))
}

fn is_signed_svg(head: &[u8]) -> bool {
    head.starts_with(b"<svg") && head.windows(SVG.len()).any(|part| part == SVG.as_bytes())
}

fn is_signed_png(head: &[u8]) -> bool {
    head.starts_with(PNG_MAGIC)
        && head.get(AFTER_HEADER..).is_some_and(|rest| rest.starts_with(&text_chunk()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Drawing, Grid};

    fn drawing() -> Drawing {
        Drawing::Grid(Grid {
            title: "Confusion".to_owned(),
            subtitle: "of a test".to_owned(),
            names: vec!["a".to_owned(), "b".to_owned()],
            values: vec![vec![0.9, 0.1], vec![0.2, 0.8]],
            most: 1.0,
            row_label: "class",
            column_label: "predicted",
        })
    }

    #[test]
    fn our_charts_are_known_again_and_others_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("chart");
        let is_chart_of = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            is_chart(&path).unwrap()
        };
        let (svg, png) = (drawing().svg(), drawing().png().unwrap());
        assert!(is_chart_of(svg.as_bytes()) && is_chart_of(&png));
        let unsigned = [&png[..AFTER_HEADER], &png[AFTER_HEADER + text_chunk().len()..]].concat();
        assert!(!is_chart_of(&unsigned) && !is_chart_of(svg.replace(SVG, "").as_bytes()));
        assert!(!is_chart_of(b"") && !is_chart_of(&png[..20]) && !is_chart_of(SVG.as_bytes()));
    }

    #[test]
    fn a_signed_chart_is_still_a_whole_file() {
        let (svg, png) = (drawing().svg(), drawing().png().unwrap());
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
        // Every chunk up to the last has its length and a right checksum.
        let mut rest = png.strip_prefix(PNG_MAGIC).unwrap();
        let mut names = Vec::new();
        while let Some((length, after)) = rest.split_first_chunk::<4>() {
            let length = u32::from_be_bytes(*length) as usize;
            let (body, after) = after.split_at(4 + length);
            let (checksum, after) = after.split_first_chunk::<4>().unwrap();
            assert_eq!(u32::from_be_bytes(*checksum), crc32fast::hash(body));
            names.push(body[..4].to_vec());
            rest = after;
        }
        assert_eq!(
            (&names[0][..], &names[1][..], &names[names.len() - 1][..]),
            (&b"IHDR"[..], &b"tEXt"[..], &b"IEND"[..])
        );
    }
}
