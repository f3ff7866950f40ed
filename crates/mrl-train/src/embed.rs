use std::path::{Path, PathBuf};
use std::sync::Arc;

use mrl_data::{Image, ImageSet, prepare};
use mrl_embedding::{EmbeddingSet, Metadata};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, VariantNames};
use tch::{Device, Kind};

use crate::{
    ResolvedConfig, TrainError,
    config::check_image_size,
    encoder_file,
    model::{Active, Mode, Model, Network},
    run_folder::{checkpoints, encoder_path},
    tensor_file,
    torch_panic::catch_torch,
    trainer::images,
};

/// Images that go through the encoder at once.
const BATCH: usize = 256;

/// Which of a run's two networks.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Display, EnumString, VariantNames,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum NetworkChoice {
    /// The moving average, which the reference evaluates.
    #[default]
    Target,
    /// The network that the optimiser trains.
    Online,
}

/// A trained encoder, for use: its weights are never changed.
pub struct Embedder {
    config: ResolvedConfig,
    model: Model,
    network: Network,
    metadata: Metadata,
    source: PathBuf,
    device: Device,
    kind: Kind,
}

impl Embedder {
    /// Opens an encoder of the run in `run`: the final one, or while the run goes on that of its last checkpoint.
    ///
    /// # Errors
    /// When there is neither, or the file is damaged.
    pub fn open(run: &Path, choice: NetworkChoice) -> Result<Self, TrainError> {
        catch_torch(|| Self::load(run, choice))
    }

    fn load(run: &Path, choice: NetworkChoice) -> Result<Self, TrainError> {
        let file = encoder_path(run, choice);
        let (source, prefix) = if file.exists() {
            (file, String::new())
        } else {
            let newest = checkpoints(run).newest()?;
            let problem = "holds neither an encoder nor a checkpoint; train one with `mrl train --out`";
            (newest.ok_or_else(|| TrainError::damaged(run, problem))?, format!("{choice}."))
        };
        let contents = tensor_file::read(&source)?;
        let config = contents.config()?;
        // The run's device may be another machine's.
        let device = config.run.device.resolve().or_else(|_| crate::DeviceChoice::Auto.resolve())?;
        let kind = config.run.precision.resolve(&device).kind();
        let (model, layout) = Model::new(&config, config.nesting().dims());
        let network = Network::zeros(Arc::new(layout), device.torch());
        encoder_file::fill(&contents, &prefix, &network)?;
        let metadata = encoder_file::metadata(&config, choice, &network);
        Ok(Self { config, model, network, metadata, source, device: device.torch(), kind })
    }

    /// How the encoder was trained.
    #[must_use]
    pub fn config(&self) -> &ResolvedConfig {
        &self.config
    }

    /// The file that the weights came from.
    #[must_use]
    pub fn source(&self) -> &Path {
        &self.source
    }

    /// The features of all images, `[n, d]`, in the set's order, with its labels and ids. `progress` hears how many
    /// of how many are done.
    ///
    /// # Errors
    /// When an image cannot be read, or the memory is not enough.
    pub fn embed(
        &self,
        set: &ImageSet,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<EmbeddingSet, TrainError> {
        let width = self.config.model.features();
        let mut embeddings = vec![0.0; set.len() * width];
        catch_torch(|| self.features(set, &mut embeddings, progress))?;
        describe(EmbeddingSet::new(embeddings, width)?, set, self.metadata.clone())
    }

    /// The features of one image, `[1, d]`: those that it has in a set.
    ///
    /// # Errors
    /// When the memory is not enough.
    pub fn embed_image(&self, image: &Image<'_>) -> Result<EmbeddingSet, TrainError> {
        let (size, width) = (self.config.image_size(), self.config.model.features());
        let (mut pixels, mut embedding) = (vec![0.0; size * size * 3], vec![0.0; width]);
        prepare(image, size, &mut pixels);
        let weights = self.network.activate(Mode::Eval, self.kind);
        catch_torch(|| self.features_of(&weights, &pixels, &mut embedding))?;
        let mut set = EmbeddingSet::new(embedding, width)?;
        set.metadata = self.metadata.clone();
        Ok(set)
    }

    /// Fills `embeddings`, `[n, d]`.
    fn features(
        &self,
        set: &ImageSet,
        embeddings: &mut [f32],
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<(), TrainError> {
        let (size, width) = (self.config.image_size(), self.config.model.features());
        let weights = self.network.activate(Mode::Eval, self.kind);
        for (index, rows) in embeddings.chunks_mut(BATCH * width).enumerate() {
            let batch = prepare_batch(set, index * BATCH, rows.len() / width, size)?;
            self.features_of(&weights, &batch, rows)?;
            progress((index * BATCH + rows.len() / width).min(set.len()), set.len());
        }
        Ok(())
    }

    /// Fills `rows`, `[n, d]`, with the features of `batch`, `[n, size, size, 3]`.
    fn features_of(&self, weights: &Active<'_>, batch: &[f32], rows: &mut [f32]) -> Result<(), TrainError> {
        let batch = images(batch, self.config.image_size(), self.device);
        let features = tch::no_grad(|| self.model.features(weights, &batch));
        Ok(features.to_device(Device::Cpu).contiguous().f_copy_data(rows, rows.len())?)
    }
}

/// The images' own pixels as embeddings, `[n, size · size · 3]`: what an encoder must beat.
///
/// # Errors
/// When the size cannot be used or an image cannot be read.
pub fn embed_pixels(
    set: &ImageSet,
    size: usize,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<EmbeddingSet, TrainError> {
    check_image_size(size)?;
    let pixels = prepare_batch(set, 0, set.len(), size)?;
    progress(set.len(), set.len());
    let metadata = Metadata {
        encoder: Some("raw pixels".to_owned()),
        version: Some(crate::VERSION.to_owned()),
        ..Metadata::default()
    };
    describe(EmbeddingSet::new(pixels, size * size * 3)?, set, metadata)
}

/// Images `first..first + count`, `[count, size, size, 3]`.
fn prepare_batch(set: &ImageSet, first: usize, count: usize, size: usize) -> Result<Vec<f32>, TrainError> {
    let mut batch = vec![0.0; count * size * size * 3];
    batch.par_chunks_mut(size * size * 3).enumerate().try_for_each(|(index, pixels)| {
        prepare(&set.image(first + index)?, size, pixels);
        Ok::<_, TrainError>(())
    })?;
    Ok(batch)
}

fn describe(mut rows: EmbeddingSet, set: &ImageSet, metadata: Metadata) -> Result<EmbeddingSet, TrainError> {
    if let Some(labels) = set.labels() {
        rows = rows.with_labels(labels.to_vec())?;
    }
    if let Some(ids) = set.ids() {
        rows = rows.with_ids(ids.to_vec())?;
    }
    rows.metadata = Metadata {
        dataset: Some(set.name()),
        class_names: set.class_names().map(<[String]>::to_vec),
        ..metadata
    };
    Ok(rows)
}
