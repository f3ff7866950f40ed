use std::path::{Path, PathBuf};
use std::sync::Arc;

use mrl_data::{Image, ImageSet, prepare};
use mrl_embedding::{EmbeddingSet, Metadata};
use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, VariantNames};
use tch::{Device, Kind};

use crate::{
    ResolvedConfig, TrainError,
    config::check_image_size,
    encoder_file,
    features::{Features, prepare_batch},
    model::{Model, Network},
    run_folder::{checkpoints, encoder_path},
    tensor_file,
    torch_panic::catch_torch,
};

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
        let kind = config.run.precision.on(&device).kind();
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
    /// When an image cannot be read, a feature is not finite, or the memory is not enough.
    pub fn embed(
        &self,
        set: &ImageSet,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<EmbeddingSet, TrainError> {
        let width = self.config.model.features();
        let embeddings = catch_torch(|| self.features().of_all(set, progress))?;
        let embeddings = EmbeddingSet::new(embeddings, width)?;
        if let Some(image) = embeddings.not_finite() {
            let problem = format!(
                "makes numbers of image {image} that are not finite; train it again, at a lower rate"
            );
            return Err(TrainError::damaged(&self.source, problem));
        }
        describe(embeddings, set, self.metadata.clone())
    }

    /// The features of one image, `[1, d]`: those that it has in a set.
    ///
    /// # Errors
    /// When the memory is not enough.
    pub fn embed_image(&self, image: &Image<'_>) -> Result<EmbeddingSet, TrainError> {
        let (size, width) = (self.config.image_size(), self.config.model.features());
        let (mut pixels, mut embedding) = (vec![0.0; size * size * 3], vec![0.0; width]);
        prepare(image, size, &mut pixels);
        catch_torch(|| self.features().of_batch(&pixels, &mut embedding))?;
        let mut set = EmbeddingSet::new(embedding, width)?;
        set.metadata = self.metadata.clone();
        Ok(set)
    }

    fn features(&self) -> Features<'_> {
        Features::new(&self.config, &self.model, &self.network, self.kind, self.device)
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
