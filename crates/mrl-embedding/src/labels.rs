use std::{
    collections::{HashMap, HashSet},
    io::Cursor,
    path::Path,
};

use half::f16;
use npyz::{NpyFile, TypeChar};

use crate::{Contents, Error, file, npy, values};

/// A label for each of several rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Labels {
    /// Whole numbers, `[n]`.
    Numbers(Vec<i64>),
    /// Names of classes, `[n]`.
    Names(Vec<String>),
}

impl Labels {
    /// Reads a file with a label for each row: a `.npy` array `[n]` or `[n, 1]` of whole numbers (floats and booleans too) or text, a text
    /// file with a label in each line, or the tensor `labels` of safetensors.
    ///
    /// # Errors
    /// When the file cannot be read, is damaged, or holds something else.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let map = values::map(path).map_err(Error::io(path))?;
        let damaged = |problem: String| Error::damaged(path, problem);
        match Contents::of(&map) {
            Contents::Npy => of_array(&map).map_err(damaged),
            Contents::Text => of_lines(&map).map_err(damaged),
            Contents::Safetensors => file::read_labels(path, &map),
            kind => Err(damaged(format!(
                "is {kind}; give labels as .npy, or as UTF-8 text with a label in each line"
            ))),
        }
    }

    /// Whole numbers that are stored as floats.
    ///
    /// # Errors
    /// When one is not whole; with the cure.
    pub fn of_floats(numbers: impl IntoIterator<Item = f64>) -> Result<Self, String> {
        whole(numbers).map(Self::Numbers)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Numbers(numbers) => numbers.len(),
            Self::Names(names) => names.len(),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The labels as numbers. A name's number is its place in the list of classes that comes with them: first the `known` ones, then
    /// the others by their letters. Numbers stay as they are, and no list comes with them.
    #[must_use]
    pub fn numbered(self, known: &[String]) -> (Vec<i64>, Option<Vec<String>>) {
        let names = match self {
            Self::Numbers(numbers) => return (numbers, None),
            Self::Names(names) => names,
        };
        let mut classes = known.to_vec();
        let known: HashSet<&String> = known.iter().collect();
        let mut others: Vec<&String> = names.iter().filter(|name| !known.contains(name)).collect();
        others.sort_unstable();
        others.dedup();
        classes.extend(others.into_iter().cloned());
        let numbers: HashMap<&str, i64> =
            classes.iter().enumerate().rev().map(|(number, name)| (name.as_str(), number as i64)).collect();
        let labels = names.iter().map(|name| numbers[name.as_str()]).collect();
        (labels, Some(classes))
    }
}

/// Floats as the whole numbers that they are.
pub(crate) fn whole(floats: impl IntoIterator<Item = f64>) -> Result<Vec<i64>, String> {
    let whole = |(row, number): (usize, f64)| {
        // Floats of 64 bits have all whole numbers up to this one.
        if number.fract() == 0.0 && number.abs() <= 2f64.powi(53) {
            return Ok(number as i64);
        }
        Err(format!("row {row} has the label {number}; give whole numbers or text"))
    };
    floats.into_iter().enumerate().map(whole).collect()
}

/// The labels of a text file, one in each line.
fn of_lines(bytes: &[u8]) -> Result<Labels, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "is no UTF-8; store it as UTF-8".to_owned())?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).trim_end();
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    if let Some(line) = lines.iter().position(|line| line.is_empty()) {
        return Err(format!("line {} has no label; give one in each line", line + 1));
    }
    let numbers: Option<Vec<i64>> = lines.iter().map(|line| line.parse().ok()).collect();
    // As numpy.savetxt writes them.
    let floats: Option<Vec<f64>> = lines.iter().map(|line| line.parse().ok()).collect();
    match (numbers, floats) {
        (Some(numbers), _) => Ok(Labels::Numbers(numbers)),
        (None, Some(floats)) => Labels::of_floats(floats),
        (None, None) => Ok(Labels::Names(lines.into_iter().map(str::to_owned).collect())),
    }
}

/// The labels of an array of numpy.
fn of_array(bytes: &[u8]) -> Result<Labels, String> {
    let mut cursor = Cursor::new(bytes);
    let header = npy::header(&mut cursor)?;
    let (&[n] | &[n, 1]) = header.shape() else {
        return Err(format!("has shape {:?}; store one label for each embedding, as [n]", header.shape()));
    };
    let descr = header.dtype().descr();
    let unusable = || {
        format!("holds labels of type {descr}; save them with astype(numpy.int64), or astype(str) for text")
    };
    let npyz::DType::Plain(kind) = header.dtype() else { return Err(unusable()) };
    let size = kind.num_bytes().filter(|&size| size > 0).ok_or_else(unusable)?;
    npy::check_size(&[n], size as u64, cursor.position(), bytes)?;
    let file = NpyFile::with_header(header, cursor);
    match (kind.type_char(), size) {
        (TypeChar::Bool, _) => {
            npy::in_order_of_file(file, |is_true: bool| Ok(i64::from(is_true))).map(Labels::Numbers)
        }
        (TypeChar::Int, 1) => {
            npy::in_order_of_file(file, |number: i8| Ok(number.into())).map(Labels::Numbers)
        }
        (TypeChar::Int, 2) => {
            npy::in_order_of_file(file, |number: i16| Ok(number.into())).map(Labels::Numbers)
        }
        (TypeChar::Int, 4) => {
            npy::in_order_of_file(file, |number: i32| Ok(number.into())).map(Labels::Numbers)
        }
        (TypeChar::Int, 8) => npy::in_order_of_file(file, |number: i64| Ok(number)).map(Labels::Numbers),
        (TypeChar::Uint, 1) => {
            npy::in_order_of_file(file, |number: u8| Ok(number.into())).map(Labels::Numbers)
        }
        (TypeChar::Uint, 2) => {
            npy::in_order_of_file(file, |number: u16| Ok(number.into())).map(Labels::Numbers)
        }
        (TypeChar::Uint, 4) => {
            npy::in_order_of_file(file, |number: u32| Ok(number.into())).map(Labels::Numbers)
        }
        (TypeChar::Uint, 8) => npy::in_order_of_file(file, |number: u64| {
            i64::try_from(number).map_err(|_| format!("holds {number}; give whole numbers below 2^63"))
        })
        .map(Labels::Numbers),
        (TypeChar::Float, 2) => {
            Labels::of_floats(npy::in_order_of_file(file, |number: f16| Ok(number.to_f64()))?)
        }
        (TypeChar::Float, 4) => {
            Labels::of_floats(npy::in_order_of_file(file, |number: f32| Ok(number.into()))?)
        }
        (TypeChar::Float, 8) => Labels::of_floats(npy::in_order_of_file(file, |number: f64| Ok(number))?),
        (TypeChar::UnicodeStr, _) => npy::in_order_of_file(file, |name: String| Ok(name)).map(Labels::Names),
        (TypeChar::ByteStr, _) => npy::in_order_of_file(file, |name: Vec<u8>| {
            String::from_utf8(name).map_err(|_| "has labels that are no UTF-8; store text".to_owned())
        })
        .map(Labels::Names),
        _ => Err(unusable()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GOLDENS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../goldens/labels");

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    fn read_text(text: &str) -> Result<Labels, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("labels.txt");
        std::fs::write(&path, text).unwrap();
        let prefix = format!("{}: ", path.display());
        Labels::read(&path).map_err(|error| error.to_string().replace(&prefix, ""))
    }

    #[test]
    fn arrays_of_numpy_are_read() {
        for kind in
            ["b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "big-i4", "column-i8"]
        {
            let expected = if kind == "b1" { vec![1, 0, 1] } else { vec![3, 0, 1] };
            let path = Path::new(GOLDENS).join(format!("{kind}.npy"));
            assert_eq!(Labels::read(&path).unwrap(), Labels::Numbers(expected), "{kind}");
        }
        for kind in ["unicode", "bytes"] {
            let expected = Labels::Names(names(&["dog", "ant", "bee"]));
            assert_eq!(Labels::read(Path::new(GOLDENS).join(format!("{kind}.npy"))).unwrap(), expected);
        }
    }

    #[test]
    fn arrays_of_something_else_are_refused() {
        for (kind, problem) in [
            ("half", "row 1 has the label 0.5; give whole numbers or text"),
            ("matrix", "has shape [2, 2]; store one label for each embedding, as [n]"),
            ("large", "holds 18446744073709551615; give whole numbers below 2^63"),
            ("complex", "save them with astype(numpy.int64), or astype(str) for text"),
            ("object", "save them with astype(numpy.int64), or astype(str) for text"),
        ] {
            let error = Labels::read(Path::new(GOLDENS).join(format!("{kind}.npy"))).unwrap_err().to_string();
            assert!(error.ends_with(problem), "{error}");
        }
    }

    #[test]
    fn lines_are_numbers_or_names() {
        assert_eq!(read_text("3\n -1 \r\n0\n\n").unwrap(), Labels::Numbers(vec![3, -1, 0]));
        assert_eq!(read_text("\u{feff}ant\nbee\n3").unwrap(), Labels::Names(names(&["ant", "bee", "3"])));
        assert_eq!(read_text("1.000e+00\n2.0\n").unwrap(), Labels::Numbers(vec![1, 2]));
        assert_eq!(read_text("1\n0.5").unwrap_err(), "row 1 has the label 0.5; give whole numbers or text");
        assert_eq!(read_text("1\n\n2\n").unwrap_err(), "line 2 has no label; give one in each line");
    }

    #[test]
    fn labels_of_a_set_have_its_names() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("set");
        let mut set = crate::EmbeddingSet::new(vec![0.5; 3], 1).unwrap().with_labels(vec![1, 0, 1]).unwrap();
        set.write(&path).unwrap();
        assert_eq!(Labels::read(&path).unwrap(), Labels::Numbers(vec![1, 0, 1]));
        set.metadata.class_names = Some(names(&["cat", "dog"]));
        set.write(&path).unwrap();
        assert_eq!(Labels::read(&path).unwrap(), Labels::Names(names(&["dog", "cat", "dog"])));
    }

    #[test]
    fn a_file_of_something_else_is_named() {
        let problem = "is a JPEG image; give labels as .npy, or as UTF-8 text with a label in each line";
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("labels.npy");
        std::fs::write(&path, b"\xff\xd8\xff\xe0 and more").unwrap();
        assert!(Labels::read(&path).unwrap_err().to_string().ends_with(problem));
    }

    #[test]
    fn names_get_the_numbers_of_known_classes() {
        let labels = Labels::Names(names(&["dog", "ant", "bee", "dog"]));
        let (numbers, classes) = labels.clone().numbered(&[]);
        assert_eq!((numbers, classes), (vec![2, 0, 1, 2], Some(names(&["ant", "bee", "dog"]))));
        let (numbers, classes) = labels.numbered(&names(&["bee", "cat"]));
        assert_eq!((numbers, classes), (vec![3, 2, 0, 3], Some(names(&["bee", "cat", "ant", "dog"]))));
        assert_eq!(Labels::Numbers(vec![7]).numbered(&names(&["cat"])), (vec![7], None));
    }

    proptest! {
        #[test]
        fn damaged_bytes_never_panic(cut in 0usize..200, at in 0usize..200, value: u8, name in proptest::sample::select(&["unicode", "bytes", "f8", "b1"][..])) {
            let mut bytes = std::fs::read(Path::new(GOLDENS).join(format!("{name}.npy"))).unwrap();
            let at = at % bytes.len();
            bytes[at] = value;
            bytes.truncate(bytes.len().saturating_sub(cut));
            let _ = of_array(&bytes);
        }
    }
}
