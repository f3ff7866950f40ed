use std::{
    collections::BTreeMap,
    io::{self, Write},
    path::Path,
};

use safetensors::View;
use serde_json::{Map, Value, json};

use crate::write_atomically;

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
    use safetensors::{Dtype, SafeTensors, tensor::TensorView};

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
