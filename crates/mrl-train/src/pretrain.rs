use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use mrl_config::{FoldChoice, NetworkChoice, ResolvedConfig};
use mrl_data::{Batches, ImageSet, ImageSource, LoaderOptions, Part, ViewLoader, ViewSize};
use mrl_embedding::EmbeddingSet;
use tch::Device;

use crate::{
    EvalRecord, Fold, FoldRecord, FoldTrial, HeldOutKnn1, RunFolder, StepRecord, TrainError,
    device::torch_device,
    encoder_file,
    features::images,
    fold,
    held_out::{HeldOut, Images},
    labels::{check_labels, labels_of},
    model::Network,
    phase::phase,
    run_folder::Metrics,
    run_images::RunImages,
    torch_panic::catch_torch,
    trainer::{Batch, Horizon, Trainer},
};

/// A checkpoint takes half a second, in which a GPU trains on thousands of images: by default none is written sooner than this after the last one.
const CHECKPOINT_AFTER: Duration = Duration::from_secs(60);
/// By default no more work than this is lost by a crash, however long an epoch is.
const CHECKPOINT_WITHIN: Duration = Duration::from_secs(10 * 60);

/// Watches a run, and may end it early.
pub trait Observer {
    /// Called once, before the first step.
    fn started(&mut self, _start: &Start) {}

    /// Called behind every step.
    fn stepped(&mut self, _record: &StepRecord, _images_per_s: f64) {}

    /// True when it implements [`knn1`](Observer::knn1) and [`neighbours_kept`](Observer::neighbours_kept).
    fn judges(&self) -> bool {
        false
    }

    /// The share of `queries` whose nearest row of `database`, by cosine, has their label, for each of `dims`: by prefixes, and by centred
    /// principal components of `database`.
    /// Asked for each network whenever `run.eval_every` says so.
    ///
    /// # Errors
    /// When it cannot be told.
    fn knn1(
        &mut self,
        _database: &EmbeddingSet,
        _queries: &EmbeddingSet,
        _dims: &[usize],
    ) -> Result<HeldOutKnn1, TrainError> {
        Err(TrainError::Evaluation("the observer judges, and has no knn1".to_owned()))
    }

    /// Called with what [`Observer::knn1`] has found of both networks.
    fn evaluated(&mut self, _record: &EvalRecord) {}

    /// For each of the prefixes `dims`, the share of the ten nearest rows by all numbers of `whole` that are among the ten nearest by the first numbers
    /// of `shortened`. Both are rows to search and rows to search for, the same in the same order; near is what has a large cosine.
    /// Asked at the end of a run whose `run.fold` is not none.
    ///
    /// # Errors
    /// When it cannot be told.
    fn neighbours_kept(
        &mut self,
        _whole: [&EmbeddingSet; 2],
        _shortened: [&EmbeddingSet; 2],
        _dims: &[usize],
    ) -> Result<Vec<f64>, TrainError> {
        Err(TrainError::Evaluation("the observer judges, and has no neighbours_kept".to_owned()))
    }

    /// Called after `step` steps, when the shorter prefixes begin to be trained (`run.nest_after`).
    fn nesting(&mut self, _step: u64) {}

    /// Called while images are embedded to rotate the features after `step` steps (`run.rotate_after`): how many of how many are done.
    fn rotating(&mut self, _step: u64, _done: usize, _total: usize) {}

    /// Called while a network embeds the images of its fold: how many of how many are done.
    fn folding(&mut self, _network: NetworkChoice, _done: usize, _total: usize) {}

    /// Called when a rotation was judged; it is folded into the network's encoder if it [helps](FoldRecord::helps).
    fn folded(&mut self, _network: NetworkChoice, _record: &FoldRecord) {}

    /// Called when no rotation could be fitted, and why.
    fn not_folded(&mut self, _network: NetworkChoice, _problem: &str) {}

    /// Asked before every step; `true` saves a checkpoint, and the run goes on.
    fn should_save(&self) -> bool {
        false
    }

    /// Called after a checkpoint was saved that [`should_save`](Observer::should_save) asked for.
    fn saved(&mut self, _step: u64) {}

    /// Asked before every step, and before each network's fold; `true` saves a checkpoint and ends the run.
    fn should_stop(&self) -> bool {
        false
    }
}

/// How a run begins.
#[derive(Clone, Debug)]
pub struct Start {
    /// Steps done before.
    pub first_step: u64,
    /// Steps of the whole run.
    pub total_steps: u64,
    /// Steps of an epoch; the incomplete last batch is dropped, and batches that make no whole step go to the next epoch.
    pub steps_per_epoch: u64,
    /// Images to train on.
    pub images: usize,
    /// Images that are held out.
    pub held_out: usize,
    /// The checkpoint that the run continues from.
    pub resumed_from: Option<PathBuf>,
    /// Whether that was trained on images of which the run does not say which they were, as runs of earlier versions do not. The images
    /// of now are taken for them.
    pub images_unknown: bool,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All steps are done.
    Finished {
        /// The files of the two encoders, the target network's first.
        encoders: [PathBuf; 2],
    },
    /// The observer stopped it, and a checkpoint is saved.
    Interrupted {
        /// Steps done.
        step: u64,
    },
}

/// Trains an encoder whose prefixes are embeddings of their own (arXiv 2205.13147), by the objective of `config`. The run's
/// files go to the folder `out`; with `resume`, the run continues where the last checkpoint there ends, if there is one.
///
/// # Errors
/// Before anything is written: when the batch is larger than the data set, the device is missing, the folder holds
/// something that is not a run to be resumed, or a run of another configuration or on other images, the objective needs labels that the
/// images have not, or `run.eval_every` or `run.fold` an observer that judges. Later: when an image or a file cannot be
/// read or written, the loss is not finite, or the memory is not enough; earlier checkpoints stay.
pub fn pretrain(
    config: &ResolvedConfig,
    images: Arc<ImageSet>,
    out: &Path,
    resume: bool,
    observer: &mut dyn Observer,
) -> Result<Outcome, TrainError> {
    let judged = [
        (
            config.run.eval_every.is_some(),
            "eval-every asks for an observer that judges the held-out images; leave it out",
        ),
        (
            config.run.fold != FoldChoice::None,
            "fold asks for an observer that judges rotations; use fold none",
        ),
    ];
    if let Some((_, problem)) = judged.iter().find(|(asked, _)| *asked && !observer.judges()) {
        return Err(TrainError::Usage((*problem).to_owned()));
    }
    catch_torch(|| Run::begin(config, images, out, resume)?.train(observer)).map_err(TrainError::in_a_run)
}

/// A run from its first step or its last checkpoint on.
struct Run<'a> {
    config: &'a ResolvedConfig,
    /// Images in the data set.
    images: usize,
    loader: ViewLoader<Part>,
    /// The embeddings that a rotation is fitted to and judged by.
    fold_images: Part,
    /// What is evaluated, if anything is.
    held_out: Option<HeldOut>,
    /// Those of the images that are trained on, where the objective needs them.
    labels: Option<Vec<i64>>,
    trainer: Trainer,
    folder: RunFolder,
    start: Start,
}

impl<'a> Run<'a> {
    fn begin(
        config: &'a ResolvedConfig,
        set: Arc<ImageSet>,
        out: &Path,
        resume: bool,
    ) -> Result<Self, TrainError> {
        check_labels(config, &set)?;
        let count = set.len();
        let run_images = RunImages::new(&set, config.data.data_dir.as_deref())?;
        let images = Images::split(config, set)?;
        let (trained, held_out) = (images.trained.len(), images.held_out());
        let labels = config.objective.loss.needs_labels().then(|| images.trained.labels()).flatten();
        let batches = trained / config.run.batch_size;
        let fold_images = fold::sample(config, &images.trained, config.total_steps(batches as u64));
        let loader = view_loader(config, images.trained, config.total_steps(batches as u64))?;
        let steps_per_epoch = steps_per_epoch(config, batches)?;
        let horizon = Horizon::new(config, batches as u64)?;
        let mut trainer = Trainer::new(config, horizon);
        let folder = RunFolder::open(out, config, &run_images, resume)?;
        let resumed_from = folder.checkpoints().restore(&mut trainer, count, config)?;
        if resumed_from.is_none() {
            folder.check_unfinished()?;
        }
        let (first_step, total_steps) = (trainer.step, horizon.total_steps);
        // After all that speaks against these images.
        let images_unknown = folder.keep_images(&run_images)? && resumed_from.is_some();
        let start = Start {
            first_step,
            total_steps,
            steps_per_epoch,
            images: trained,
            held_out,
            resumed_from,
            images_unknown,
        };
        let held_out = images.held_out;
        Ok(Self { config, images: count, loader, fold_images, held_out, labels, trainer, folder, start })
    }

    fn train(mut self, observer: &mut dyn Observer) -> Result<Outcome, TrainError> {
        let config = self.config;
        let Start { first_step, total_steps, steps_per_epoch, .. } = self.start;
        let mut saved = Instant::now();
        let mut metrics = self.folder.metrics_from(first_step)?;
        let mut speed = Speed::new();
        let accumulated = config.run.grad_accum;
        let mut batches = self.loader.start(first_step * accumulated as u64);
        observer.started(&self.start);
        while self.trainer.step < total_steps {
            if observer.should_stop() {
                self.save_checkpoint()?;
                return Ok(Outcome::Interrupted { step: self.trainer.step });
            }
            if observer.should_save() {
                self.save_checkpoint()?;
                saved = Instant::now();
                observer.saved(self.trainer.step);
            }
            if self.trainer.rotation_is_due() {
                let since = Instant::now();
                self.rotate(observer)?;
                speed.leave_out(since.elapsed());
            }
            if self.trainer.nesting_begins() {
                self.trainer.reset_prefixes();
                observer.nesting(self.trainer.step);
            }
            let next = |_| next_batch(&mut batches, config, self.labels.as_deref());
            let record = self.trainer.step((0..accumulated).map(next))?;
            let images_per_s = speed.count(config.run.batch_size * accumulated);
            observer.stepped(&record, images_per_s);
            if record.step.is_multiple_of(config.run.log_every) || record.step == total_steps {
                metrics.log(&record, images_per_s)?;
                speed = Speed::new();
            }
            // Before the checkpoint, behind which a resumed run would not come back to it.
            if self.is_evaluated() {
                let since = Instant::now();
                self.evaluate(&mut metrics, observer)?;
                speed.leave_out(since.elapsed());
            }
            let due =
                checkpoint_is_due(config.run.checkpoint_every, steps_per_epoch, record.step, saved.elapsed());
            if due && record.step < total_steps {
                self.save_checkpoint()?;
                saved = Instant::now();
            }
        }
        self.save_checkpoint()?;
        self.finish(observer)
    }

    /// Rotates the features to the principal components of some training images', so that prefixes have what matters most. It is the first thing after the
    /// last step before it, so that a run that is resumed there does the same.
    fn rotate(&self, observer: &mut dyn Observer) -> Result<(), TrainError> {
        let mut progress = |done, total| observer.rotating(self.trainer.step, done, total);
        let features = self.fold_features(&self.trainer.online, &mut progress)?;
        let rotation = Fold::principal(&features, self.config.model.nesting.dims())?;
        self.trainer.rotate(&rotation.tensor());
        Ok(())
    }

    /// What `network` makes of the images that a rotation is fitted to. `progress` hears how many of how many are done.
    fn fold_features(
        &self,
        network: &Network,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<EmbeddingSet, TrainError> {
        let encoder = self.trainer.encoder(network);
        Ok(EmbeddingSet::new(encoder.of_all(&self.fold_images, progress)?, encoder.width())?)
    }

    /// Whether the held-out images are judged behind this step.
    fn is_evaluated(&self) -> bool {
        let Start { total_steps, steps_per_epoch, .. } = self.start;
        let step = self.trainer.step;
        self.config.run.eval_every.is_some_and(|epochs| {
            step == total_steps || step.is_multiple_of(epochs.saturating_mul(steps_per_epoch))
        })
    }

    fn evaluate(&self, metrics: &mut Metrics, observer: &mut dyn Observer) -> Result<(), TrainError> {
        let Some(held_out) = &self.held_out else { return Ok(()) };
        let dims = self.config.model.nesting.dims();
        let batches = self.trainer.step * self.config.run.grad_accum as u64;
        let epoch = batches as f64 / self.loader.batches_per_epoch() as f64;
        let record = held_out.evaluate(&self.trainer, dims, epoch, observer)?;
        observer.evaluated(&record);
        metrics.log_evaluation(&record)
    }

    fn save_checkpoint(&self) -> Result<(), TrainError> {
        let _phase = phase!("checkpoint", Device::Cpu);
        self.folder.checkpoints().save(&self.trainer, self.images, &self.config.to_toml())
    }

    /// Writes the target network's file and the online network's. Those of a run that was finished before stay: their linear maps may have
    /// been changed since.
    fn finish(&self, observer: &mut dyn Observer) -> Result<Outcome, TrainError> {
        let Trainer { target, online, step, .. } = &self.trainer;
        let was_finished = self.start.first_step == *step;
        let networks = [(NetworkChoice::Target, target), (NetworkChoice::Online, online)];
        for (choice, network) in networks {
            let path = RunFolder::encoder(self.folder.path(), choice);
            if was_finished && path.exists() {
                continue;
            }
            if self.config.run.fold != FoldChoice::None && observer.should_stop() {
                return Ok(Outcome::Interrupted { step: *step });
            }
            let fold = self.fold(choice, network, observer)?;
            let metadata = encoder_file::metadata(self.config, choice, network, fold.as_ref());
            encoder_file::write(&path, network, fold.as_ref(), &metadata)?;
        }
        let encoders = networks.map(|(choice, _)| RunFolder::encoder(self.folder.path(), choice));
        Ok(Outcome::Finished { encoders })
    }

    /// The rotation to fold into the encoder of `network`, if one is asked for and helps.
    fn fold(
        &self,
        choice: NetworkChoice,
        network: &Network,
        observer: &mut dyn Observer,
    ) -> Result<Option<Fold>, TrainError> {
        if self.config.run.fold == FoldChoice::None {
            return Ok(None);
        }
        let features =
            self.fold_features(network, &mut |done, total| observer.folding(choice, done, total))?;
        let trial = match FoldTrial::new(self.config.run.fold, &features, &self.config.model.nesting) {
            Ok(Some(trial)) => trial,
            Ok(None) => return Ok(None),
            // Hours of training are not lost to features that no rotation can be fitted to.
            Err(TrainError::Vectors(problem)) => {
                observer.not_folded(choice, &problem);
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let record =
            trial.judge(|whole, shortened, dims| observer.neighbours_kept(whole, shortened, dims))?;
        observer.folded(choice, &record);
        Ok(record.helps().then(|| trial.fold().clone()))
    }
}

/// Whether a checkpoint is written after `step`: every so many steps, by default at the end of an epoch when the last one is as old as
/// [`CHECKPOINT_AFTER`], and within an epoch when it is as old as [`CHECKPOINT_WITHIN`].
fn checkpoint_is_due(every: Option<u64>, steps_per_epoch: u64, step: u64, age: Duration) -> bool {
    match every {
        Some(steps) => step.is_multiple_of(steps),
        None => age >= CHECKPOINT_WITHIN || (step.is_multiple_of(steps_per_epoch) && age >= CHECKPOINT_AFTER),
    }
}

/// Steps that an epoch of so many batches has.
fn steps_per_epoch(config: &ResolvedConfig, batches: usize) -> Result<u64, TrainError> {
    let accumulated = config.run.grad_accum;
    match batches / accumulated {
        0 => Err(TrainError::Usage(format!(
            "grad-accum {accumulated} does not fit the {batches} batches of an epoch; use 1 to {batches}"
        ))),
        steps => Ok(steps as u64),
    }
}

/// Waits for the next batch and gives it to the device.
fn next_batch(
    batches: &mut Batches,
    config: &ResolvedConfig,
    labels: Option<&[i64]>,
) -> Result<Batch, TrainError> {
    let waiting = phase!("wait for views", Device::Cpu);
    let batch = batches.next_batch()?;
    drop(waiting);
    let device = torch_device(config.run.device);
    let _phase = phase!("views to device", device);
    let labels = labels.map(|labels| labels_of(labels, &batch.indices, device));
    let views = batch.views.iter().map(|view| images(&view.pixels, view.size, device)).collect();
    Ok(Batch { views, labels })
}

/// The views of a run of so many steps.
fn view_loader(
    config: &ResolvedConfig,
    images: Arc<Part>,
    total_steps: u64,
) -> Result<ViewLoader<Part>, TrainError> {
    let growing = |sides| ViewSize::growing(sides, total_steps, config.run.grad_accum as u64);
    let options = LoaderOptions {
        size: config.view_sides().and_then(growing).unwrap_or_else(|| config.data.image_size.into()),
        views: config.run.views,
        small_views: config.run.small_views(),
        batch_size: config.run.batch_size,
        seed: config.run.seed,
        ..LoaderOptions::default()
    };
    Ok(ViewLoader::new(images, config.augmentation.clone(), options)?)
}

/// Images a second, on average since the last line of `metrics.jsonl`.
struct Speed {
    since: Instant,
    images: usize,
}

impl Speed {
    fn new() -> Self {
        Self { since: Instant::now(), images: 0 }
    }

    /// Does not count a time in which nothing was trained.
    fn leave_out(&mut self, time: Duration) {
        self.since += time;
    }

    fn count(&mut self, images: usize) -> f64 {
        self.images += images;
        self.images as f64 / self.since.elapsed().as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use mrl_data::{DatasetKind, Split};

    use super::*;
    use crate::testing::{resolved, tiny};

    struct Blind;
    impl Observer for Blind {}

    #[test]
    fn a_fold_asks_for_an_observer_that_judges() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("run");
        let mut config = tiny();
        config.run.fold = FoldChoice::Principal;
        (config.run.epochs, config.run.max_steps) = (None, Some(0));
        let pixels = vec![0; 300 * 3];
        let images = ImageSet::from_pixels(DatasetKind::Mnist, Split::Train, (1, 1), pixels, None).unwrap();
        let config = resolved(&config, 1);
        let error = pretrain(&config, Arc::new(images), &out, false, &mut Blind).unwrap_err();
        assert!(error.is_usage(), "{error}");
        assert!(error.to_string().starts_with("fold asks for an observer that judges rotations"), "{error}");
        assert!(!out.exists());
    }

    #[test]
    fn by_default_a_checkpoint_ends_an_epoch_once_a_minute_and_is_never_old() {
        let due = |every, step, age| checkpoint_is_due(every, 5, step, Duration::from_secs(age));
        assert!(due(None, 10, 60) && !due(None, 10, 59) && !due(None, 11, 599) && due(None, 11, 600));
        assert!(due(Some(3), 6, 0) && !due(Some(3), 5, 600));
    }
}
