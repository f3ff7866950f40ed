//! What a file is, by how it begins: a name may say anything.

use std::{fmt, path::Path};

/// What a file is, as far as its first bytes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
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
    /// A file in compressed form, with the command that unpacks it.
    Compressed(&'static str),
    /// A pointer that git-lfs leaves where a file was not fetched.
    LfsPointer,
    /// An image of the named format.
    Image(&'static str),
    /// A web page.
    Page,
    /// Text, such as CSV or JSON.
    Text,
    /// Nothing.
    Empty,
    /// Something else, or a file that was cut or damaged.
    Unknown,
}

/// Bytes that are looked at, at most.
const HEAD: usize = 1024;

/// How files begin, the longest first.
const BEGINNINGS: [(&[u8], FileKind); 19] = [
    (b"version https://git-lfs.github.com/spec/", FileKind::LfsPointer),
    (b"\x89HDF\r\n\x1a\n", FileKind::Hdf5),
    (b"\x89PNG\r\n\x1a\n", FileKind::Image("PNG")),
    (b"mrl-ndx\n", FileKind::Index),
    (b"\x93NUMPY", FileKind::Npy),
    (b"GIF8", FileKind::Image("GIF")),
    (b"II*\0", FileKind::Image("TIFF")),
    (b"MM\0*", FileKind::Image("TIFF")),
    (b"PAR1", FileKind::Parquet),
    (b"PK\x03\x04", FileKind::Zip),
    (b"PK\x05\x06", FileKind::Zip),
    (b"\x28\xb5\x2f\xfd", FileKind::Compressed("unzstd --keep")),
    (b"\xff\xd8\xff", FileKind::Image("JPEG")),
    (b"BZh", FileKind::Compressed("bunzip2 --keep")),
    (b"\xfd7z", FileKind::Compressed("unxz --keep")),
    (b"\x1f\x8b", FileKind::Compressed("gunzip --keep")),
    (b"\x80\x02", FileKind::Pickle),
    (b"\x80\x04", FileKind::Pickle),
    (b"\x80\x05", FileKind::Pickle),
];

impl FileKind {
    /// What a file is that begins with, or is, `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let head = &bytes[..bytes.len().min(HEAD)];
        let begins = BEGINNINGS.iter().find(|(beginning, _)| head.starts_with(beginning));
        match begins {
            Some((_, Self::Zip)) if contains(head, b"data.pkl") => Self::Torch,
            Some((_, kind)) => *kind,
            None if head.is_empty() => Self::Empty,
            // The length of the header comes before it.
            None if head.len() > 8 && head[8] == b'{' && head[6..8] == [0, 0] => Self::Safetensors,
            None if head.starts_with(b"RIFF") && head[8..].starts_with(b"WEBP") => Self::Image("WebP"),
            None if is_text(head) => {
                let start = head.trim_ascii_start();
                let is_page = [&b"<!doctype"[..], b"<html"]
                    .iter()
                    .any(|tag| start.get(..tag.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(tag)));
                if is_page { Self::Page } else { Self::Text }
            }
            None => Self::Unknown,
        }
    }

    /// Why the file at `path` that begins with, or is, `bytes` holds no vectors that are read, and the cure.
    /// None where it may hold some and is damaged.
    #[must_use]
    pub fn no_vectors(self, path: &Path, bytes: &[u8]) -> Option<String> {
        let file = path.to_string_lossy();
        let npy = path.with_extension("npy");
        let npy = npy.to_string_lossy();
        let convert = |python: &str| {
            format!(
                "convert it: {}",
                command(&["python3", "-c", &format!("import sys, numpy; {python}"), &file, &npy])
            )
        };
        let cure = match self {
            Self::Npy | Self::Parquet | Self::Safetensors | Self::Unknown => return None,
            Self::Index => "give the vectors that it was built from".to_owned(),
            Self::Zip => convert("a = numpy.load(sys.argv[1]); numpy.save(sys.argv[2], a[a.files[0]])"),
            Self::Torch => convert("import torch; numpy.save(sys.argv[2], torch.load(sys.argv[1]).numpy())"),
            Self::Pickle => {
                convert("numpy.save(sys.argv[2], numpy.load(sys.argv[1], allow_pickle=True))")
                    + " (only if you trust it)"
            }
            Self::Hdf5 => "save its matrix of vectors as .npy, by h5py and numpy.save".to_owned(),
            Self::Compressed(unpack) => {
                let unpack: Vec<&str> = unpack.split(' ').chain([&*file]).collect();
                format!("unpack it: {}", command(&unpack))
            }
            Self::LfsPointer => format!("fetch it: {}", command(&["git", "lfs", "pull", "--include", &file])),
            Self::Image(_) => "mrl embed makes vectors of the images in a folder".to_owned(),
            Self::Page => "fetch the file again; the server sent something else".to_owned(),
            Self::Text => convert(&format!(
                "numpy.save(sys.argv[2], numpy.loadtxt(sys.argv[1], 'float32'{}))",
                table_options(bytes)
            )),
            Self::Empty => "write it again".to_owned(),
        };
        Some(format!("is {self}, which holds no vectors that mrl reads; {cure}"))
    }
}

impl fmt::Display for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Npy => "a .npy file",
            Self::Parquet => "a Parquet file",
            Self::Safetensors => "a safetensors file",
            Self::Index => "an mrl index",
            Self::Zip => "a ZIP archive, such as .npz",
            Self::Torch => "a file of torch.save",
            Self::Pickle => "a pickle",
            Self::Hdf5 => "an HDF5 file",
            Self::Compressed(_) => "a compressed file",
            Self::LfsPointer => "a pointer of git-lfs",
            Self::Image(format) => return write!(f, "a {format} image"),
            Self::Page => "a web page",
            Self::Text => "text",
            Self::Empty => "an empty file",
            Self::Unknown => "a file of an unknown kind",
        })
    }
}

/// A command that a shell takes as it is.
fn command(words: &[&str]) -> String {
    words.iter().map(|word| quoted(Path::new(word))).collect::<Vec<_>>().join(" ")
}

/// A path as a shell takes it, for commands that a user is to paste.
#[must_use]
pub fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    shlex::try_quote(&text).unwrap_or_else(|_| text.clone()).into_owned()
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

/// What `numpy.loadtxt` has to know of a table: what is between its numbers, and a line of names at its top.
fn table_options(bytes: &[u8]) -> String {
    let first = bytes.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let first = String::from_utf8_lossy(first);
    let delimiter = [",", ";", "\\t"].into_iter().find(|mark| first.contains(&mark.replace("\\t", "\t")));
    let fields = first.split([',', ';', '\t', ' ']);
    let has_names = fields.map(str::trim).any(|field| !field.is_empty() && field.parse::<f64>().is_err());
    let delimiter = delimiter.map_or_else(String::new, |mark| format!(", delimiter='{mark}'"));
    delimiter + if has_names { ", skiprows=1" } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::EmbeddingSet;

    #[test]
    fn files_are_what_their_first_bytes_say() {
        let long = "é".repeat(HEAD);
        for (bytes, kind) in [
            (&b"PAR1 and more"[..], FileKind::Parquet),
            (b"\x93NUMPY and more", FileKind::Npy),
            (b"\x10\0\0\0\0\0\0\0{\"a\":1}", FileKind::Safetensors),
            (b"PK\x03\x04..arr_0.npy", FileKind::Zip),
            (b"PK\x03\x04..archive/data.pkl", FileKind::Torch),
            (b"RIFF....WEBPVP8 ", FileKind::Image("WebP")),
            (b"\n <!DOCTYPE html>", FileKind::Page),
            (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", FileKind::LfsPointer),
            (b"0.5,1\n", FileKind::Text),
            (&long.as_bytes()[1..], FileKind::Unknown),
            (&long.as_bytes()[..HEAD + 1], FileKind::Text),
            (b"", FileKind::Empty),
            (b"\0\x01\x02", FileKind::Unknown),
        ] {
            assert_eq!(FileKind::of(bytes), kind, "{bytes:?}");
        }
        assert!(BEGINNINGS.iter().all(|(bytes, kind)| FileKind::of(bytes) == *kind));
    }

    #[test]
    fn the_cure_names_a_file_with_spaces_so_that_a_shell_takes_it() {
        let problem = |bytes: &[u8]| FileKind::of(bytes).no_vectors(Path::new("my file.csv"), bytes).unwrap();
        assert_eq!(
            problem(b"a,b\n1,2\n"),
            "is text, which holds no vectors that mrl reads; convert it: python3 -c \"import sys, numpy; numpy.save(sys.argv[2], \
             numpy.loadtxt(sys.argv[1], 'float32', delimiter=',', skiprows=1))\" 'my file.csv' 'my file.npy'"
        );
        assert!(problem(b"1 2\n3 4\n").contains("'float32'))"), "{}", problem(b"1 2\n3 4\n"));
        assert!(problem(b"\x1f\x8b\x08").ends_with("unpack it: gunzip --keep 'my file.csv'"));
    }

    #[test]
    fn a_set_says_what_its_file_is_instead() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("set.safetensors");
        for (bytes, problem) in [
            (&b"PAR1 and more"[..], "is a Parquet file, which is not read here"),
            (b"\xff\xd8\xff\xe0", "is a JPEG image, which holds no vectors that mrl reads; mrl embed makes"),
            (b"", "is an empty file, which holds no vectors that mrl reads; write it again"),
            (b"mrl-ndx\n....", "is an mrl index, which holds no vectors that mrl reads; give the vectors"),
        ] {
            std::fs::write(&path, bytes).unwrap();
            let error = EmbeddingSet::read(&path).unwrap_err().to_string();
            assert!(error.starts_with(&format!("{}: {problem}", path.display())), "{error}");
        }
    }
}
