//! `encoder.safetensors` and `online.safetensors`: an encoder's weights under torchvision's names.

use std::path::Path;

use mrl_embedding::Metadata;
use serde::Serialize;
use tch::Tensor;

use crate::{
    NetworkChoice, ResolvedConfig, TrainError,
    model::{Network, is_encoder},
    tensor_file::{self, TensorFile},
};

/// How an image becomes the encoder's input: what `mrl_data::prepare` does.
#[derive(Debug, Serialize)]
struct Preprocessing {
    image_size: usize,
    resize: &'static str,
    crop: &'static str,
    range: [f32; 2],
}

/// The text entries that say what made the weights; an embedding set carries them on.
pub(crate) fn metadata(config: &ResolvedConfig, choice: NetworkChoice, network: &Network) -> Metadata {
    let preprocessing = Preprocessing {
        image_size: config.image_size(),
        resize: "shorter side, bilinear, antialiased",
        crop: "centre",
        range: [0.0, 1.0],
    };
    Metadata {
        nesting: Some(config.nesting().clone()),
        encoder: Some(config.model.describe()),
        network: Some(choice.to_string()),
        weights: Some(fingerprint(network)),
        preprocessing: Some(serde_json::to_string(&preprocessing).expect("plain values")),
        config: Some(config.to_toml()),
        version: Some(crate::VERSION.to_owned()),
        ..Metadata::default()
    }
}

/// Tells the encoder's weights from others: the same run has other weights later.
fn fingerprint(network: &Network) -> String {
    tensor_file::fingerprint(network.layout().views(network.flat()).filter(|(name, _)| is_encoder(name)))
}

/// Writes the encoder of `network`, without the projector.
pub(crate) fn write(path: &Path, network: &Network, metadata: &Metadata) -> Result<(), TrainError> {
    let mut tensors = Vec::new();
    for (name, tensor) in network.layout().views(network.flat()).filter(|(name, _)| is_encoder(name)) {
        if let Some(norm) = name.strip_suffix("running_mean") {
            tensors
                .push((format!("{norm}num_batches_tracked"), Tensor::from(network.batches_tracked().get())));
        }
        tensors.push((name.to_owned(), tensor));
    }
    tensor_file::write(path, tensors.into_iter(), metadata.entries())
}

/// Fills the encoder of `network`; in the file its tensors' names start with `prefix`.
pub(crate) fn fill(file: &TensorFile, prefix: &str, network: &Network) -> Result<(), TrainError> {
    for (name, tensor) in network.layout().views(network.flat()).filter(|(name, _)| is_encoder(name)) {
        file.copy(&format!("{prefix}{name}"), tensor)?;
    }
    Ok(())
}
