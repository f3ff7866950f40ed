use std::path::{Path, PathBuf};
use std::sync::Arc;

use mrl_config::{DeviceChoice, NetworkChoice, ResolvedConfig, check_image_size};
use mrl_data::{Image, ImageSet, ImageSource, Part, prepare};
use mrl_embedding::{EmbeddingSet, Metadata};
use tch::{Device, Kind};

use crate::{
    Fold, RunFolder, TrainError,
    device::{native, present, torch_device, torch_kind},
    encoder_file,
    features::{Features, prepare_batch},
    fold,
    model::{Model, Network},
    run_folder::checkpoints,
    tensor_file::{self, TensorFile},
    torch_panic::catch_torch,
};

/// A trained encoder, for use: its weights are never changed.
pub struct Embedder {
    config: ResolvedConfig,
    choice: NetworkChoice,
    model: Model,
    network: Network,
    /// The linear map after the features.
    fold: Option<Fold>,
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
        let file = RunFolder::encoder(run, choice);
        if file.exists() {
            return Self::read(&file);
        }
        catch_torch(|| {
            let newest = checkpoints(run).newest()?;
            let problem = "holds neither an encoder nor a checkpoint; train one with `mrl train --out`";
            let newest = newest.ok_or_else(|| TrainError::damaged(run, problem))?;
            Self::load(&tensor_file::read(&newest)?, newest, choice, &format!("{choice}."))
        })
    }

    /// Opens the file of an encoder, which says of which network it is.
    ///
    /// # Errors
    /// When it cannot be read, is damaged, or is of something else.
    pub fn read(file: &Path) -> Result<Self, TrainError> {
        catch_torch(|| {
            let contents = tensor_file::read(file)?;
            let choice = contents.entry("network").and_then(|network| network.parse().ok());
            let problem = "is no encoder; name a run's encoder.safetensors or online.safetensors";
            let choice = choice.ok_or_else(|| contents.damaged(problem))?;
            Self::load(&contents, file.to_owned(), choice, "")
        })
    }

    /// The encoder in `contents`, of the file `source`, where the names of its tensors start with `prefix`.
    fn load(
        contents: &TensorFile,
        source: PathBuf,
        choice: NetworkChoice,
        prefix: &str,
    ) -> Result<Self, TrainError> {
        let config = contents.config()?;
        // The run's device may be another machine's.
        let device = present(config.run.device).or_else(|_| present(DeviceChoice::Auto))?;
        let kind = torch_kind(native(config.run.precision, device));
        let (model, layout) = Model::new(&config);
        let network = Network::zeros(Arc::new(layout), torch_device(device));
        encoder_file::fill(contents, prefix, &network)?;
        let fold = encoder_file::read_fold(contents, &config)?;
        // To the letter: an earlier version's configuration is that of the sets that it embedded.
        let written = contents.entry("config").map(str::to_owned);
        let metadata = encoder_file::metadata(&config, choice, &network, fold.as_ref());
        let metadata = Metadata { config: written, ..metadata };
        Ok(Self {
            config,
            choice,
            model,
            network,
            fold,
            metadata,
            source,
            device: torch_device(device),
            kind,
        })
    }

    /// The same encoder without its fold: its prefixes are as they were trained.
    #[must_use]
    pub fn unfolded(self) -> Self {
        let metadata = self.metadata_with(None);
        Self { fold: None, metadata, ..self }
    }

    /// The rotation that was folded in, if one was.
    #[must_use]
    pub fn fold(&self) -> Option<&Fold> {
        self.fold.as_ref()
    }

    /// Which of the run's networks it is.
    #[must_use]
    pub fn network(&self) -> NetworkChoice {
        self.choice
    }

    /// Writes the encoder's file to `path` with `fold` as its linear map, in place of the one that it has. All else stays to the bit. The
    /// file appears whole or not at all.
    ///
    /// # Errors
    /// When the encoder is of a checkpoint, or a file cannot be read or written.
    pub fn write_with(&self, fold: Option<&Fold>, path: &Path) -> Result<(), TrainError> {
        catch_torch(|| {
            let contents = tensor_file::read(&self.source)?;
            if contents.entry("network").is_none() {
                return Err(
                    contents.damaged("is a checkpoint; finish the run with `mrl train --resume` first")
                );
            }
            encoder_file::write_again(&contents, path, &self.network, fold, &self.metadata_with(fold))
        })
    }

    fn metadata_with(&self, fold: Option<&Fold>) -> Metadata {
        let metadata = encoder_file::metadata(&self.config, self.choice, &self.network, fold);
        Metadata { config: self.metadata.config.clone(), ..metadata }
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

    /// The embeddings of all images, `[n, d]`, in the set's order, with its labels and ids: the features, or what the linear map makes
    /// of them. `progress` hears how many of how many are done.
    ///
    /// # Errors
    /// When an image cannot be read, a feature is not finite, or the memory is not enough.
    pub fn embed(
        &self,
        set: &ImageSet,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<EmbeddingSet, TrainError> {
        let embeddings = self.rows(set, progress)?;
        if let Some(image) = embeddings.not_finite() {
            let problem = format!(
                "makes numbers of image {image} that are not finite; train it again, at a lower rate"
            );
            return Err(TrainError::damaged(&self.source, problem));
        }
        describe(embeddings, set, self.metadata.clone())
    }

    /// The embeddings of some images of `set`, evenly spaced, `[n, d]`: a rotation is fitted to and judged by them.
    ///
    /// # Errors
    /// When an image cannot be read, or the memory is not enough.
    pub fn embed_some(
        &self,
        set: Arc<ImageSet>,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<EmbeddingSet, TrainError> {
        self.rows(&Part::whole(set).evenly(fold::IMAGES), progress)
    }

    /// The embeddings of all images of `source`, `[n, d]`.
    fn rows(
        &self,
        source: &impl ImageSource,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<EmbeddingSet, TrainError> {
        let mut rows = catch_torch(|| self.features().of_all(source, progress))?;
        if let Some(fold) = &self.fold {
            fold.apply(&mut rows);
        }
        Ok(EmbeddingSet::new(rows, self.config.model.embedding_width())?)
    }

    /// The embedding of one image, `[1, d]`: that which it has in a set.
    ///
    /// # Errors
    /// When the memory is not enough.
    pub fn embed_image(&self, image: &Image<'_>) -> Result<EmbeddingSet, TrainError> {
        let (size, width) = (self.config.data.image_size, self.config.model.embedding_width());
        let (mut pixels, mut embedding) = (vec![0.0; size * size * 3], vec![0.0; width]);
        prepare(image, size, &mut pixels);
        catch_torch(|| self.features().of_batch(&pixels, &mut embedding))?;
        if let Some(fold) = &self.fold {
            fold.apply(&mut embedding);
        }
        let mut set = EmbeddingSet::new(embedding, width)?;
        set.metadata = self.metadata.clone();
        Ok(set)
    }

    fn features(&self) -> Features<'_> {
        Features::new(&self.config, &self.model, &self.network, self.kind, self.device)
    }
}

/// The images' own pixels as embeddings, `[n, size · size · 3]`: what an encoder must beat. Those of a gray data set are
/// `[n, size · size]`: the same value three times would change no cosine.
///
/// # Errors
/// When the size cannot be used or an image cannot be read.
pub fn embed_pixels(
    set: &ImageSet,
    size: usize,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<EmbeddingSet, TrainError> {
    check_image_size(size)?;
    let channels = if set.kind().is_gray() { 1 } else { 3 };
    let mut pixels = prepare_batch(set, 0, set.len(), size)?;
    if channels == 1 {
        pixels = pixels.into_iter().step_by(3).collect();
    }
    progress(set.len(), set.len());
    let metadata = Metadata {
        encoder: Some("raw pixels".to_owned()),
        version: Some(crate::VERSION.to_owned()),
        ..Metadata::default()
    };
    describe(EmbeddingSet::new(pixels, size * size * channels)?, set, metadata)
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
