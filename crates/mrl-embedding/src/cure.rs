//! What a user can do with a file that holds no vectors that are read.

use std::path::{Path, PathBuf};

use crate::Contents;

/// The cure where no command can know what the vectors are.
const SAVE: &str = "save its vectors as .npy, by numpy.save";

/// Why the file at `path`, which begins with or is `bytes`, holds no vectors that are read, and the cure. None where it may hold some
/// and is damaged.
#[must_use]
pub(crate) fn no_vectors(contents: Contents, path: &Path, bytes: &[u8]) -> Option<String> {
    let cure = match contents {
        Contents::Npy | Contents::Parquet | Contents::Safetensors | Contents::Unknown => return None,
        Contents::Index => "give the vectors that it was built from".to_owned(),
        Contents::Zip => {
            let first_matrix = "a = numpy.load(sys.argv[1]); numpy.save(sys.argv[2], next(a[k] for k in a.files if a[k].ndim == 2))";
            format!("if it is an .npz of numpy, save its first matrix: {}", python(path, first_matrix)?)
        }
        Contents::Torch => {
            let tensor = "import torch; t = torch.load(sys.argv[1], map_location='cpu'); numpy.save(sys.argv[2], t.detach().float().numpy())";
            format!("if it is one tensor, convert it: {}", python(path, tensor)?)
        }
        Contents::Pickle => {
            let array = "numpy.save(sys.argv[2], numpy.load(sys.argv[1], allow_pickle=True))";
            format!("if you trust it and it is one array, convert it: {}", python(path, array)?)
        }
        Contents::Hdf5 => "save its matrix of vectors as .npy, by h5py and numpy.save".to_owned(),
        Contents::Compressed(program) => {
            let unpacked = free_name(path, "unpacked");
            format!("unpack it: {program} -dc {} > {}", quoted(path), quoted(&unpacked))
        }
        Contents::LfsPointer => {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            let (folder, name) = (folder.unwrap_or(Path::new(".")), Path::new(path.file_name()?));
            format!("fetch it: git -C {} lfs pull --include {}", quoted(folder), quoted(name))
        }
        Contents::Image(_) => "mrl embed makes vectors of the images in a folder".to_owned(),
        Contents::Page => "fetch the file again; the server sent something else".to_owned(),

        Contents::Text => match table_options(bytes) {
            Some(options) => {
                let table = format!(
                    "numpy.save(sys.argv[2], numpy.loadtxt(sys.argv[1], 'float32', ndmin=2{options}))"
                );
                format!("convert it: {}", python(path, &table)?)
            }
            None => SAVE.to_owned(),
        },
        Contents::Json => SAVE.to_owned(),
        Contents::Empty => "write it again".to_owned(),
    };
    Some(format!("is {contents}, and mrl reads vectors from safetensors, .npy and Parquet; {cure}"))
}

/// A command that runs Python on the file at `path` and a new `.npy` beside it.
fn python(path: &Path, code: &str) -> Option<String> {
    let code = format!("import sys, numpy; {code}");
    let npy = free_name(path, "npy");
    shlex::try_join(["python3", "-c", &code, &path.to_string_lossy(), &npy.to_string_lossy()]).ok()
}

/// The name of `path` with another ending, or a longer one if there is a file of that name.
fn free_name(path: &Path, ending: &str) -> PathBuf {
    let longer = (1..).map(|number| format!("{number}.{ending}"));
    let mut names =
        std::iter::once(ending.to_owned()).chain(longer).map(|ending| path.with_extension(ending));
    names.find(|name| name != path && !name.exists()).expect("there are names without end")
}

/// A path as a shell takes it, for commands that a user is to paste.
#[must_use]
pub fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    shlex::try_quote(&text).unwrap_or_else(|_| text.clone()).into_owned()
}

/// What `numpy.loadtxt` has to know of a table: what is between its numbers, a line of names at its top, a byte order mark. None if it is no
/// table of numbers.
fn table_options(bytes: &[u8]) -> Option<String> {
    /// Bytes of lines that are looked at.
    const LINES: usize = 1 << 16;
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(LINES)]);
    let (text, encoding) = match text.strip_prefix('\u{feff}') {
        Some(text) => (text, ", encoding='utf-8-sig'"),
        None => (&*text, ""),
    };
    let mut lines = text.lines();
    let first = lines.next()?;
    let (mark, shown) = [(',', ","), (';', ";"), ('\t', "\\t")]
        .into_iter()
        .find(|(mark, _)| first.contains(*mark))
        .map_or((' ', None), |(mark, shown)| (mark, Some(shown)));
    let is_numbers = |line: &str| {
        line.split(mark)
            .map(str::trim)
            .filter(|field| !field.is_empty())
            .all(|field| field.parse::<f64>().is_ok())
    };
    let skip = match (is_numbers(first), lines.next()) {
        (true, None) => "",
        (true, Some(second)) if is_numbers(second) => "",
        (false, Some(second)) if is_numbers(second) => ", skiprows=1",
        _ => return None,
    };
    let delimiter = shown.map_or_else(String::new, |mark| format!(", delimiter='{mark}'"));
    Some(delimiter + skip + encoding)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::EmbeddingSet;

    fn problem(path: &Path, bytes: &[u8]) -> String {
        no_vectors(Contents::of(bytes), path, bytes).unwrap()
    }

    #[test]
    fn a_table_is_converted_by_a_command_that_a_shell_takes() {
        let file = Path::new("my file.csv");
        assert_eq!(
            problem(file, b"a,b\n1,2\n"),
            "is a text file, and mrl reads vectors from safetensors, .npy and Parquet; convert it: python3 -c \"import sys, numpy; \
             numpy.save(sys.argv[2], numpy.loadtxt(sys.argv[1], 'float32', ndmin=2, delimiter=',', skiprows=1))\" 'my file.csv' \
             'my file.npy'"
        );
        for (bytes, options) in [
            (&b"1 2\n3 4\n"[..], Some("ndmin=2)")),
            (b"1;2", Some("ndmin=2, delimiter=';')")),
            (b"1\t2\n3\t4", Some("delimiter='\\\\t')")),
            ("\u{feff}1,2\n3,4\n".as_bytes(), Some("delimiter=',', encoding='utf-8-sig')")),
            (b"word 0.1 0.2\nother 0.3 0.4\n", None),
            (b"id,a\nx,1\n", None),
        ] {
            let problem = problem(file, bytes);
            assert!(problem.contains(options.unwrap_or("; save its vectors as .npy")), "{problem}");
        }
    }

    #[test]
    fn no_command_writes_over_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.npy");
        std::fs::write(&path, "1 2").unwrap();
        let words = |problem: &str| shlex::split(problem.split_once("it: ").unwrap().1).unwrap();
        assert_eq!(
            words(&problem(&path, b"1 2")).pop().unwrap(),
            path.with_extension("1.npy").to_string_lossy()
        );
        std::fs::write(path.with_extension("1.npy"), "").unwrap();
        assert_eq!(
            words(&problem(&path, b"1 2")).pop().unwrap(),
            path.with_extension("2.npy").to_string_lossy()
        );
        let expected = ["gzip", "-dc", "a b.gz", ">", "a b.unpacked"];
        assert_eq!(words(&problem(Path::new("a b.gz"), b"\x1f\x8b")), expected);
    }

    #[test]
    fn a_set_says_what_its_file_is_instead() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("set.safetensors");
        for (bytes, problem, cure) in [
            (&b"PAR1 and more"[..], "is a Parquet file, which is not read here", "numpy.save"),
            (b"\xff\xd8\xff\xe0", "is a JPEG image", "mrl embed makes vectors of the images in a folder"),
            (b"", "is an empty file", "write it again"),
            (b"mrl-ndx\n....", "is an mrl index", "give the vectors that it was built from"),
            (b"[1, 2]", "is a JSON file", "numpy.save"),
            (b"\x80\x03]", "is a pickle", "if you trust it"),
        ] {
            std::fs::write(&path, bytes).unwrap();
            let error = EmbeddingSet::read(&path).unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("{}: {problem}", path.display())) && error.contains(cure),
                "{error}"
            );
        }
    }
}
