//! Recognises the format of a file by its first bytes, because its name may be wrong.

use std::{
    fmt,
    fs::{self, File},
    io::{self, Read},
    path::Path,
};

/// The format of a file, recognised by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contents {
    /// An array of numpy.
    Npy,
    /// Columns, as Arrow, pandas and Spark write them.
    Parquet,
    /// Named tensors.
    Safetensors,
    /// An index of `mrl`.
    Index,
    /// A ZIP archive that is not one of `torch.save`, such as `.npz`.
    Zip,
    /// What `torch.save` writes.
    Torch,
    /// A pickle of Python.
    Pickle,
    /// An HDF5 file.
    Hdf5,
    /// A compressed file, with the program that unpacks it.
    Compressed(&'static str),
    /// A pointer that git-lfs leaves where a file was not fetched.
    LfsPointer,
    /// An image of the named format.
    Image(&'static str),
    /// A web page.
    Page,
    /// An object or a list of JSON.
    Json,
    /// Other text, such as CSV.
    Text,
    /// Nothing.
    Empty,
    /// Something else, or a file that was cut or damaged.
    Unknown,
}

/// How an index of `mrl` begins.
pub const INDEX_MAGIC: [u8; 8] = *b"mrl-ndx\n";

/// Bytes that are looked at, at most.
const HEAD: usize = 1024;

/// How files begin, the longest first.
const BEGINNINGS: [(&[u8], Contents); 20] = [
    (b"version https://git-lfs.github.com/spec/", Contents::LfsPointer),
    (b"\x89HDF\r\n\x1a\n", Contents::Hdf5),
    (b"\x89PNG\r\n\x1a\n", Contents::Image("PNG")),
    (&INDEX_MAGIC, Contents::Index),
    (b"\x93NUMPY", Contents::Npy),
    (b"GIF8", Contents::Image("GIF")),
    (b"II*\0", Contents::Image("TIFF")),
    (b"MM\0*", Contents::Image("TIFF")),
    (b"PAR1", Contents::Parquet),
    (b"PK\x03\x04", Contents::Zip),
    (b"PK\x05\x06", Contents::Zip),
    (b"\x28\xb5\x2f\xfd", Contents::Compressed("zstd")),
    (b"\xff\xd8\xff", Contents::Image("JPEG")),
    (b"BZh", Contents::Compressed("bzip2")),
    (b"\xfd7z", Contents::Compressed("xz")),
    (b"\x1f\x8b", Contents::Compressed("gzip")),
    (b"\x80\x02", Contents::Pickle),
    (b"\x80\x03", Contents::Pickle),
    (b"\x80\x04", Contents::Pickle),
    (b"\x80\x05", Contents::Pickle),
];

impl Contents {
    /// Recognises a format by the first bytes of a file. `bytes` may also be the whole file.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let head = &bytes[..bytes.len().min(HEAD)];
        let begins = BEGINNINGS.iter().find(|(beginning, _)| head.starts_with(beginning));
        match begins {
            Some((_, Self::Zip)) if contains(head, b"data.pkl") => Self::Torch,
            Some((_, kind)) => *kind,
            None if head.is_empty() => Self::Empty,
            // The header follows its 8-byte length.
            None if head.len() > 8 && head[8] == b'{' && head[6..8] == [0, 0] => Self::Safetensors,
            None if head.starts_with(b"RIFF") && head.get(8..12) == Some(b"WEBP") => Self::Image("WebP"),
            None if is_text(head) => of_text(head.trim_ascii_start()),
            None => Self::Unknown,
        }
    }

    /// Recognises the format of the file at `path`.
    ///
    /// # Errors
    /// When it cannot be read, or is no file.
    pub fn of_file(path: &Path) -> io::Result<Self> {
        let mut head = Vec::new();
        open(path)?.take(HEAD as u64).read_to_end(&mut head)?;
        Ok(Self::of(&head))
    }
}

/// Opens a file to read it. A pipe is refused: opening one would wait for someone who writes to it.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    let kind = fs::metadata(path)?;
    if kind.is_dir() {
        return Err(io::Error::new(io::ErrorKind::IsADirectory, "is a folder; name a file"));
    }
    if !kind.is_file() {
        let problem = "is a pipe or a device; write its contents to a file first, and name that";
        return Err(io::Error::new(io::ErrorKind::Unsupported, problem));
    }
    File::open(path)
}

fn of_text(start: &[u8]) -> Contents {
    let is_tag = |tag: &[u8]| start.get(..tag.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(tag));
    match start {
        _ if is_tag(b"<!doctype") || is_tag(b"<html") => Contents::Page,
        [b'{' | b'[', ..] => Contents::Json,
        _ => Contents::Text,
    }
}

impl fmt::Display for Contents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Npy => "a .npy file",
            Self::Parquet => "a Parquet file",
            Self::Safetensors => "a safetensors file",
            Self::Index => "an mrl index",
            Self::Zip => "a ZIP archive",
            Self::Torch => "a file of torch.save",
            Self::Pickle => "a pickle",
            Self::Hdf5 => "an HDF5 file",
            Self::Compressed(_) => "a compressed file",
            Self::LfsPointer => "a pointer of git-lfs",
            Self::Image(format) => return write!(f, "a {format} image"),
            Self::Page => "a web page",
            Self::Json => "a JSON file",
            Self::Text => "a text file",
            Self::Empty => "an empty file",
            Self::Unknown => "a file of an unknown kind",
        })
    }
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// Whether `head` is the beginning of UTF-8 text.
fn is_text(head: &[u8]) -> bool {
    let valid = match std::str::from_utf8(head) {
        Ok(text) => text,
        // The head may end within a character.
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&head[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return false,
    };
    !valid.chars().any(|letter| letter.is_control() && !letter.is_whitespace())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_hold_what_their_first_bytes_say() {
        let long = "é".repeat(HEAD);
        for (bytes, kind) in [
            (&b"PAR1 and more"[..], Contents::Parquet),
            (b"\x93NUMPY and more", Contents::Npy),
            (b"\x10\0\0\0\0\0\0\0{\"a\":1}", Contents::Safetensors),
            (b"PK\x03\x04..arr_0.npy", Contents::Zip),
            (b"PK\x03\x04..archive/data.pkl", Contents::Torch),
            (b"RIFF....WEBPVP8 ", Contents::Image("WebP")),
            (b"RIFF", Contents::Text),
            (b"\n <!DOCTYPE html>", Contents::Page),
            (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", Contents::LfsPointer),
            (b" [[0.5,1]]", Contents::Json),
            (b"0.5,1\n", Contents::Text),
            (&long.as_bytes()[1..], Contents::Unknown),
            (&long.as_bytes()[..=HEAD], Contents::Text),
            (b"", Contents::Empty),
            (b"\0\x01\x02", Contents::Unknown),
        ] {
            assert_eq!(Contents::of(bytes), kind, "{bytes:?}");
        }
        for (bytes, kind) in BEGINNINGS {
            assert_eq!(Contents::of(bytes), kind);
            for cut in 0..bytes.len() {
                let _ = Contents::of(&bytes[..cut]);
            }
        }
        for cut in 0..12 {
            let _ = Contents::of(&b"RIFF....WEBP"[..cut]);
        }
    }

    #[test]
    fn folders_and_pipes_are_no_files() {
        let folder = tempfile::tempdir().unwrap();
        let error = |path: &Path| Contents::of_file(path).unwrap_err().to_string();
        assert_eq!(error(folder.path()), "is a folder; name a file");
        #[cfg(unix)]
        assert!(error(Path::new("/dev/null")).starts_with("is a pipe or a device; write its contents"));
    }
}
