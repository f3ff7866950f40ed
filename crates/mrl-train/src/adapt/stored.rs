//! An adapter in a safetensors file.

use std::{collections::BTreeMap, path::Path};

use mrl_embedding::{Metadata, Nesting};
use tch::{Device, Tensor};

use super::{
    Adapter,
    form::{AXES, BIAS, HIDDEN, Map, OUT, Residual},
};
use crate::{
    TrainError,
    tensor_file::{self, TensorFile},
};

/// What its text entries are called.
const DIMS: &str = "adapter_dims";
const WEIGHTS: &str = "source_weights";
const ENCODER: &str = "source_encoder";

impl Adapter {
    /// Writes the adapter; the file appears whole or not at all.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<(), TrainError> {
        let dims: Vec<String> = self.nesting.dims().iter().map(ToString::to_string).collect();
        let mut entries = BTreeMap::from([
            (DIMS.to_owned(), dims.join(",")),
            ("version".to_owned(), crate::VERSION.to_owned()),
        ]);
        let known = [(WEIGHTS, &self.source.weights), (ENCODER, &self.source.encoder)];
        entries.extend(known.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value.clone()?))));
        let tensors =
            self.map.tensors().into_iter().map(|(name, tensor)| (name.to_owned(), tensor.shallow_clone()));
        tensor_file::write(path.as_ref(), tensors, entries)
    }

    /// Reads an adapter that was written.
    ///
    /// # Errors
    /// When the file cannot be read, is damaged, or is none of an adapter.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, TrainError> {
        let file = tensor_file::read(path.as_ref())?;
        let no_adapter = || file.damaged("is no adapter; make one with `mrl adapt fit`");
        let nesting = Nesting::parse(file.entry(DIMS).ok_or_else(no_adapter)?)
            .map_err(|problem| file.damaged(format!("has damaged dims: {problem}")))?;
        let width = nesting.width() as i64;
        let axes = tensor(&file, AXES, &[width, width])?;
        let residual = match file.shape(HIDDEN) {
            None => None,
            Some(shape) => {
                let hidden = shape.last().copied().unwrap_or(0);
                Some(Residual {
                    hidden: tensor(&file, HIDDEN, &[width, hidden])?,
                    bias: tensor(&file, BIAS, &[hidden])?,
                    out: tensor(&file, OUT, &[hidden, width])?,
                })
            }
        };
        let known = |key| file.entry(key).map(str::to_owned);
        let source = Metadata { weights: known(WEIGHTS), encoder: known(ENCODER), ..Metadata::default() };
        Ok(Self { map: Map { axes, residual }, nesting, source })
    }
}

/// The tensor `name` of `file`, which must be f32 of `shape`.
fn tensor(file: &TensorFile, name: &str, shape: &[i64]) -> Result<Tensor, TrainError> {
    let tensor = Tensor::zeros(shape, (tch::Kind::Float, Device::Cpu));
    file.copy(name, tensor.shallow_clone())?;
    Ok(tensor)
}

/// Tells the map from others.
pub(super) fn fingerprint(map: &Map) -> String {
    tensor_file::fingerprint(map.tensors().into_iter().map(|(name, tensor)| (name, tensor.shallow_clone())))
}
