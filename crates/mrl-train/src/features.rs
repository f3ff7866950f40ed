use mrl_config::ResolvedConfig;
use mrl_data::{ImageSource, prepare};
use rayon::prelude::*;
use tch::{Device, Kind, Tensor};

use crate::{
    TrainError,
    model::{Active, Mode, Model, Network},
};

/// Images that go through the encoder at once.
const BATCH: usize = 256;

/// An encoder in evaluation mode: it changes nothing of its network.
pub(crate) struct Features<'a> {
    model: &'a Model,
    weights: Active<'a>,
    /// The side of an image in pixels.
    size: usize,
    width: usize,
    device: Device,
}

impl<'a> Features<'a> {
    /// Activations are of `kind`; `model` and `network` are of `config`.
    pub(crate) fn new(
        config: &ResolvedConfig,
        model: &'a Model,
        network: &'a Network,
        kind: Kind,
        device: Device,
    ) -> Self {
        let (size, width) = (config.data.image_size, config.model.embedding_width());
        Self { model, weights: network.activate(Mode::Eval, kind), size, width, device }
    }

    /// Numbers of a row.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// The features of all images, `[n, width]`. `progress` hears how many of how many are done.
    ///
    /// # Errors
    /// When an image cannot be read, or the memory is not enough.
    pub(crate) fn of_all(
        &self,
        source: &impl ImageSource,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Vec<f32>, TrainError> {
        let mut embeddings = vec![0.0; source.len() * self.width];
        for (index, rows) in embeddings.chunks_mut(BATCH * self.width).enumerate() {
            let batch = prepare_batch(source, index * BATCH, rows.len() / self.width, self.size)?;
            self.of_batch(&batch, rows)?;
            progress((index * BATCH + rows.len() / self.width).min(source.len()), source.len());
        }
        Ok(embeddings)
    }

    /// Fills `rows`, `[n, width]`, with the features of `batch`, `[n, size, size, 3]`.
    ///
    /// # Errors
    /// When the memory is not enough.
    pub(crate) fn of_batch(&self, batch: &[f32], rows: &mut [f32]) -> Result<(), TrainError> {
        let batch = images(batch, self.size, self.device);
        let features = tch::no_grad(|| self.model.features(&self.weights, &batch));
        Ok(features.to_device(Device::Cpu).contiguous().f_copy_data(rows, rows.len())?)
    }
}

/// Images `first..first + count`, `[count, size, size, 3]`.
pub(crate) fn prepare_batch(
    source: &impl ImageSource,
    first: usize,
    count: usize,
    size: usize,
) -> Result<Vec<f32>, TrainError> {
    let mut batch = vec![0.0; count * size * size * 3];
    batch.par_chunks_mut(size * size * 3).enumerate().try_for_each(|(index, pixels)| {
        prepare(&source.image(first + index)?, size, pixels);
        Ok::<_, TrainError>(())
    })?;
    Ok(batch)
}

/// A batch `[n, size, size, 3]` as torch sees images, `[n, 3, size, size]`; the memory stays channels-last.
pub(crate) fn images(batch: &[f32], size: usize, device: Device) -> Tensor {
    let side = size as i64;
    Tensor::from_slice(batch).view([-1, side, side, 3]).permute([0, 3, 1, 2]).to_device(device)
}
