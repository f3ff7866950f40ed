use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fmt,
    io::{self, Write},
    path::Path,
};

use safetensors::{SafeTensors, View};
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, IgnoredAny, MapAccess, Visitor},
};
use serde_json::{Map, Value, json};

use crate::{Contents, write_atomically};

/// The tensors of a safetensors file that holds `bytes`, and the text entries of its header.
///
/// # Errors
/// When it is no safetensors file, a damaged one, or one with a name that comes twice; in words, with the cure.
pub fn read_tensors(bytes: &[u8]) -> Result<(SafeTensors<'_>, HashMap<String, String>), String> {
    let read = SafeTensors::read_metadata(bytes)
        .and_then(|(size, header)| Ok((size, header, SafeTensors::deserialize(bytes)?)));
    let (size, header, tensors) = read.map_err(|error| match Contents::of(bytes) {
        Contents::Safetensors | Contents::Unknown => {
            format!("is not a whole safetensors file ({error}); it was cut or damaged: write it again")
        }
        kind => format!("is {kind}, not a safetensors file"),
    })?;
    // The header follows its 8-byte length.
    let names: Result<UniqueNames, _> = serde_json::from_slice(&bytes[8..8 + size]);
    names.map_err(|error| format!("has a header that is not valid ({error}); write it again"))?;
    Ok((tensors, header.metadata().clone().unwrap_or_default()))
}

/// A JSON object in which no name comes twice, nor in its `__metadata__`: a name that does is ambiguous.
struct UniqueNames;

impl<'de> Deserialize<'de> for UniqueNames {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Self)
    }
}

impl<'de> Visitor<'de> for UniqueNames {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self, A::Error> {
        let mut names = HashSet::new();
        while let Some(name) = map.next_key::<String>()? {
            if name == "__metadata__" {
                map.next_value::<UniqueNames>()?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
            if let Some(twice) = names.replace(name) {
                return Err(A::Error::custom(format!("`{twice}` comes twice")));
            }
        }
        Ok(self)
    }
}

/// Writes a safetensors file with text `entries` in its header; it appears whole or not at all.
///
/// Equal contents give equal bytes. The safetensors crate's own writer orders the entries at random, and holds a second
/// copy of all tensors.
///
/// # Errors
/// When the file cannot be written.
pub fn write_tensors<V: View>(
    path: &Path,
    tensors: impl IntoIterator<Item = (String, V)>,
    entries: &BTreeMap<String, String>,
) -> io::Result<()> {
    write_atomically(path, |file| write_to(file, tensors, entries))
}

/// The bytes of such a file.
///
/// # Panics
/// When there are more tensors than the memory holds.
pub fn tensor_bytes<V: View>(
    tensors: impl IntoIterator<Item = (String, V)>,
    entries: &BTreeMap<String, String>,
) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_to(&mut bytes, tensors, entries).expect("memory takes what is written");
    bytes
}

fn write_to<V: View>(
    file: &mut impl Write,
    tensors: impl IntoIterator<Item = (String, V)>,
    entries: &BTreeMap<String, String>,
) -> io::Result<()> {
    let mut tensors: Vec<(String, V)> = tensors.into_iter().collect();
    // The widest types first keeps every tensor aligned, for a reader that maps the file.
    tensors.sort_by(|(a, left), (b, right)| right.dtype().cmp(&left.dtype()).then_with(|| a.cmp(b)));
    let header = header(&tensors, entries)?;
    file.write_all(&(header.len() as u64).to_le_bytes())?;
    file.write_all(&header)?;
    tensors.iter().try_for_each(|(_, tensor)| file.write_all(&tensor.data()))
}

/// The header of the format: a JSON object of each tensor's type, shape and place, padded to a multiple of 8 bytes.
fn header<V: View>(tensors: &[(String, V)], entries: &BTreeMap<String, String>) -> io::Result<Vec<u8>> {
    let mut fields = Map::new();
    if !entries.is_empty() {
        fields.insert("__metadata__".to_owned(), json!(entries));
    }
    let mut start = 0;
    for (name, tensor) in tensors {
        let end = start + tensor.data_len();
        let place = json!({"dtype": tensor.dtype(), "shape": tensor.shape(), "data_offsets": [start, end]});
        fields.insert(name.clone(), place);
        start = end;
    }
    let mut header = serde_json::to_vec(&Value::Object(fields))?;
    header.resize(header.len().next_multiple_of(8), b' ');
    Ok(header)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use safetensors::{Dtype, tensor::TensorView};

    use super::*;

    fn written(tensors: &[(String, Dtype, Vec<u8>)], entries: &BTreeMap<String, String>) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file.safetensors");
        let views = tensors.iter().map(|(name, dtype, bytes)| {
            let shape = vec![bytes.len() * 8 / dtype.bitsize()];
            (name.clone(), TensorView::new(*dtype, shape, bytes).unwrap())
        });
        write_tensors(&path, views, entries).unwrap();
        std::fs::read(path).unwrap()
    }

    fn tensor() -> impl Strategy<Value = (Dtype, Vec<u8>)> {
        let of = |dtype: Dtype| {
            let size = dtype.bitsize() / 8;
            (0usize..5, any::<u8>()).prop_map(move |(count, fill)| (dtype, vec![fill; count * size]))
        };
        prop_oneof![of(Dtype::U8), of(Dtype::F32), of(Dtype::I64)]
    }

    #[test]
    fn a_name_that_comes_twice_is_refused() {
        let bytes = |second: &str| {
            let place = r#"{"dtype":"U8","shape":[1],"data_offsets":[0,1]}"#;
            let header = format!(r#"{{"a":{place},"{second}":{place}}}"#);
            [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &[7]].concat()
        };
        let problem = read_tensors(&bytes("a")).unwrap_err();
        assert!(problem.starts_with("has a header that is not valid (`a` comes twice"), "{problem}");
        // Two tensors at one place are an error too.
        assert!(read_tensors(&bytes("b")).unwrap_err().starts_with("is not a whole safetensors file"));
    }

    #[test]
    fn a_file_of_another_kind_is_named() {
        let problem = |bytes: &[u8]| read_tensors(bytes).unwrap_err();
        assert_eq!(problem(b"\xff\xd8\xff\xe0 and more"), "is a JPEG image, not a safetensors file");
        assert_eq!(problem(b"8,16\n"), "is a text file, not a safetensors file");
        assert!(problem(b"\x01\x02\x03").starts_with("is not a whole safetensors file ("));
    }

    proptest! {
        #[test]
        fn the_crate_reads_back_what_was_written(
            tensors in proptest::collection::btree_map("[a-z.\"é]{1,6}", tensor(), 0..5),
            entries in proptest::collection::btree_map("[a-z]{1,4}", ".{0,8}", 0..9),
        ) {
            let tensors: Vec<_> = tensors.into_iter().map(|(name, (dtype, bytes))| (name, dtype, bytes)).collect();
            let bytes = written(&tensors, &entries);
            prop_assert_eq!(&bytes, &written(&tensors, &entries));

            let read = SafeTensors::deserialize(&bytes).unwrap();
            prop_assert_eq!(read.len(), tensors.len());
            for (name, dtype, data) in &tensors {
                let tensor = read.tensor(name).unwrap();
                prop_assert_eq!((tensor.dtype(), tensor.data()), (*dtype, data.as_slice()));
                let offset = tensor.data().as_ptr().addr() - bytes.as_ptr().addr();
                prop_assert_eq!(offset % (dtype.bitsize() / 8), 0, "{} is not aligned", name);
            }
            let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
            let found: BTreeMap<_, _> = header.metadata().clone().unwrap_or_default().into_iter().collect();
            prop_assert_eq!(found, entries);
        }
    }
}
