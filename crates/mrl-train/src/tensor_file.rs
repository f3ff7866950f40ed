//! libtorch's tensors in safetensors files.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
    fs::File,
    path::{Path, PathBuf},
};

use mrl_config::{ResolvedConfig, parse_run_config};
use mrl_embedding::{DIGEST, FileDigest, read_signed, short_digest, write_tensors};
use safetensors::{Dtype, View, tensor::TensorView};
use sha2::{Digest, Sha256};
use tch::{Device, Kind, Tensor};

use crate::TrainError;

/// Named tensors, f32 or i64, and the header's text entries.
pub(crate) struct TensorFile {
    path: PathBuf,
    tensors: HashMap<String, Tensor>,
    entries: HashMap<String, String>,
}

impl TensorFile {
    /// An error that names the file.
    pub(crate) fn damaged(&self, problem: impl Into<String>) -> TrainError {
        TrainError::damaged(&self.path, problem)
    }

    /// A text entry of the header.
    pub(crate) fn entry(&self, key: &str) -> Option<&str> {
        self.entries.get(key).map(String::as_str)
    }

    /// All text entries of the header.
    pub(crate) fn entries(&self) -> BTreeMap<String, String> {
        self.entries.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
    }

    /// The configuration in the header.
    pub(crate) fn config(&self) -> Result<ResolvedConfig, TrainError> {
        let text = self.entry("config").ok_or_else(|| self.damaged("does not say how it was trained"))?;
        let damaged = |error: String| self.damaged(format!("has a damaged configuration: {error}"));
        parse_run_config(text).map_err(|error| damaged(error.to_string()))
    }

    /// The tensor `name`, if there is one.
    pub(crate) fn tensor(&self, name: &str) -> Option<&Tensor> {
        self.tensors.get(name)
    }

    /// All tensors and their names, in no order.
    pub(crate) fn tensors(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.tensors.iter().map(|(name, tensor)| (name.as_str(), tensor))
    }

    /// The shape of the tensor `name`, if there is one.
    pub(crate) fn shape(&self, name: &str) -> Option<Vec<i64>> {
        self.tensor(name).map(Tensor::size)
    }

    /// Copies the tensor `name` into `into`, which must have its shape.
    pub(crate) fn copy(&self, name: &str, mut into: Tensor) -> Result<(), TrainError> {
        let tensor = self.tensors.get(name).ok_or_else(|| self.damaged(format!("has no tensor `{name}`")))?;
        if tensor.size() != into.size() {
            let problem =
                format!("`{name}` has shape {:?}, and should have {:?}", tensor.size(), into.size());
            return Err(self.damaged(problem));
        }
        tch::no_grad(|| into.copy_(tensor));
        Ok(())
    }
}

/// Writes tensors in torch's order of axes, and a digest of all that the file says; it appears whole or not at all.
pub(crate) fn write(
    path: &Path,
    tensors: impl Iterator<Item = (String, Tensor)>,
    mut entries: BTreeMap<String, String>,
) -> Result<(), TrainError> {
    let tensors: BTreeMap<_, _> =
        tensors.map(|(name, tensor)| (name, tensor.to_device(Device::Cpu))).collect();
    let mut digest = FileDigest::new(&entries);
    for (name, tensor) in &tensors {
        digest.tensor(name, &shape(tensor), &bytes(tensor));
    }
    entries.insert(DIGEST.to_owned(), digest.finish());
    let tensors = tensors.into_iter().map(|(name, tensor)| (name, Stored::new(tensor)));
    write_tensors(path, tensors, &entries).map_err(TrainError::io(path))
}

fn shape(tensor: &Tensor) -> Vec<usize> {
    tensor.size().iter().map(|&size| size as usize).collect()
}

/// A tensor whose bytes are copied when they are written, so that not all copies are there at once.
struct Stored {
    tensor: Tensor,
    shape: Vec<usize>,
}

impl Stored {
    fn new(tensor: Tensor) -> Self {
        Self { shape: shape(&tensor), tensor }
    }
}

impl View for Stored {
    fn dtype(&self) -> Dtype {
        if self.tensor.kind() == Kind::Int64 { Dtype::I64 } else { Dtype::F32 }
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        bytes(&self.tensor).into()
    }

    fn data_len(&self) -> usize {
        self.tensor.numel() * self.tensor.kind().elt_size_in_bytes()
    }
}

/// A tensor's values in torch's order of axes, little-endian.
pub(crate) fn bytes(tensor: &Tensor) -> Vec<u8> {
    let mut bytes = vec![0; tensor.numel() * tensor.kind().elt_size_in_bytes()];
    tensor.to_device(Device::Cpu).contiguous().copy_data_u8(&mut bytes, tensor.numel());
    bytes
}

/// SHA-256 of named tensors, its first 16 hexadecimal digits.
pub(crate) fn fingerprint<'a>(tensors: impl Iterator<Item = (&'a str, Tensor)>) -> String {
    let mut hash = Sha256::new();
    for (name, tensor) in tensors {
        hash.update(name);
        hash.update(bytes(&tensor));
    }
    short_digest(hash)
}

pub(crate) fn read(path: &Path) -> Result<TensorFile, TrainError> {
    let file = File::open(path).map_err(TrainError::io(path))?;
    // SAFETY: the map is compared and copied here, and gone then; our own files are replaced by renaming, never cut in place.
    let bytes = unsafe { memmap2::Mmap::map(&file) }.map_err(TrainError::io(path))?;
    parse(path, &bytes)
}

fn parse(path: &Path, bytes: &[u8]) -> Result<TensorFile, TrainError> {
    let (file, entries) = read_signed(bytes).map_err(|problem| TrainError::damaged(path, problem))?;
    let tensors = file.iter().map(|(name, view)| Ok((name.to_owned(), to_tensor(path, name, &view)?)));
    Ok(TensorFile { path: path.to_owned(), tensors: tensors.collect::<Result<_, TrainError>>()?, entries })
}

fn to_tensor(path: &Path, name: &str, view: &TensorView<'_>) -> Result<Tensor, TrainError> {
    let kind = match view.dtype() {
        Dtype::F32 => Kind::Float,
        Dtype::I64 => Kind::Int64,
        other => {
            return Err(TrainError::damaged(
                path,
                format!("`{name}` is {other:?}; weights are stored as F32"),
            ));
        }
    };
    let shape: Vec<i64> = view.shape().iter().map(|&size| size as i64).collect();
    Ok(Tensor::f_from_data_size(view.data(), &shape, kind)?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sample() -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights.safetensors");
        let tensors = [
            ("a".to_owned(), Tensor::from_slice(&[1.0f32, 2.0, 3.0, 4.0]).view([2, 2]).tr()),
            ("n".to_owned(), Tensor::from(7i64)),
        ];
        write(&path, tensors.into_iter(), BTreeMap::from([("step".to_owned(), "3".to_owned())])).unwrap();
        std::fs::read(&path).unwrap()
    }

    #[test]
    fn tensors_survive_the_file() {
        let file = parse(Path::new("weights"), &sample()).unwrap();
        assert_eq!(file.tensors["a"], Tensor::from_slice(&[1.0f32, 3.0, 2.0, 4.0]).view([2, 2]));
        assert_eq!(file.tensors["n"].int64_value(&[]), 7);
        assert_eq!(file.entries["step"], "3");
    }

    #[test]
    fn a_changed_bit_is_told_wherever_it_is() {
        let whole = sample();
        let read = |bytes: &[u8]| parse(Path::new("weights"), bytes);
        let clean = read(&whole).unwrap();
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            // Of the header's own syntax a bit may change nothing.
            if let Ok(file) = read(&bytes) {
                assert_eq!(
                    (&file.tensors, file.entry("step")),
                    (&clean.tensors, clean.entry("step")),
                    "byte {at}"
                );
            }
        }
        let number = whole.len() - 5;
        let mut bytes = whole;
        bytes[number] ^= 64;
        let error = read(&bytes).err().unwrap().to_string();
        assert!(error.starts_with("weights: is not what was written"), "{error}");
    }

    proptest! {
        #[test]
        fn damaged_bytes_never_panic(cut in 0usize..300, at in 0usize..300, value: u8) {
            let mut bytes = sample();
            let at = at % bytes.len();
            bytes[at] = value;
            bytes.truncate(bytes.len().saturating_sub(cut));
            let _ = parse(Path::new("damaged"), &bytes);
        }
    }
}
