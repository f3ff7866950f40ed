//! What the encoders are worth on images that are never trained on, while training goes on.

use std::sync::Arc;

use mrl_config::ResolvedConfig;
use mrl_data::{ImageSet, ImageSource, Part};
use mrl_embedding::EmbeddingSet;
use serde::Serialize;

use crate::{Observer, TrainError, model::Network, phase::phase, trainer::Trainer};

/// What the two encoders were worth at a step: a line of `metrics.jsonl`. Accuracies are shares of 1, one for each nesting dim.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EvalRecord {
    /// Steps done.
    pub step: u64,
    /// Epochs done, with the fraction of one that was begun.
    pub epoch: f64,
    /// How often the nearest training image of a held-out one has its class, by the online network's prefixes.
    pub online_knn1: Vec<f64>,
    /// The same by as many centred principal components of its features.
    pub online_pca_knn1: Vec<f64>,
    /// By the target network's prefixes.
    pub target_knn1: Vec<f64>,
    /// By as many centred principal components of its features.
    pub target_pca_knn1: Vec<f64>,
}

/// The share of held-out images whose nearest training image has their class, for each dim.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HeldOutKnn1 {
    /// By prefixes.
    pub prefix: Vec<f64>,
    /// By as many centred principal components of the same features.
    pub pca: Vec<f64>,
}

/// The images to train on, and those to judge by.
pub(crate) struct Images {
    pub(crate) trained: Arc<Part>,
    pub(crate) held_out: Option<HeldOut>,
}

impl Images {
    /// Splits `set` as `config` says.
    ///
    /// # Errors
    /// When no image can be held out that shall be.
    pub(crate) fn split(config: &ResolvedConfig, set: Arc<ImageSet>) -> Result<Self, TrainError> {
        let Some(share) = config.data.holdout else {
            return Ok(Self { trained: Arc::new(Part::whole(set)), held_out: None });
        };
        let [trained, queries] =
            Part::hold_out(&set, share).map_err(|error| TrainError::Usage(error.to_string()))?;
        let database = trained.labelled();
        Ok(Self { trained: Arc::new(trained), held_out: Some(HeldOut { database, queries }) })
    }

    /// How many images are held out.
    pub(crate) fn held_out(&self) -> usize {
        self.held_out.as_ref().map_or(0, |held_out| held_out.queries.len())
    }
}

/// Held-out images, and among which they look for their neighbours.
pub(crate) struct HeldOut {
    database: Part,
    queries: Part,
}

impl HeldOut {
    /// Lets `observer` judge both networks after so many epochs. Nothing of the training changes: weights, running statistics, random state.
    ///
    /// # Errors
    /// When an image cannot be read, the memory is not enough, or the observer fails.
    pub(crate) fn evaluate(
        &self,
        trainer: &Trainer,
        dims: &[usize],
        epoch: f64,
        observer: &mut dyn Observer,
    ) -> Result<EvalRecord, TrainError> {
        let _phase = phase!("evaluation", tch::Device::Cpu);
        let mut knn1 = |network: &Network| {
            let [database, queries] = [&self.database, &self.queries];
            observer.knn1(&embed(trainer, network, database)?, &embed(trainer, network, queries)?, dims)
        };
        let (online, target) = (knn1(&trainer.online)?, knn1(&trainer.target)?);
        Ok(EvalRecord {
            step: trainer.step,
            epoch,
            online_knn1: online.prefix,
            online_pca_knn1: online.pca,
            target_knn1: target.prefix,
            target_pca_knn1: target.pca,
        })
    }
}

/// The features of a part's images by one of the trainer's networks, with labels.
fn embed(trainer: &Trainer, network: &Network, part: &Part) -> Result<EmbeddingSet, TrainError> {
    let encoder = trainer.encoder(network);
    let set = EmbeddingSet::new(encoder.of_all(part, &mut |_, _| {})?, encoder.width())?;
    Ok(set.with_labels(part.labels().unwrap_or_default())?)
}

#[cfg(test)]
mod tests {
    use mrl_data::{DatasetKind, Split};

    use super::*;
    use mrl_config::NetworkChoice;

    use crate::{
        Embedder, pretrain,
        testing::{resolved, tiny},
    };

    /// Keeps what it was asked about.
    #[derive(Default)]
    struct Asked {
        sets: Vec<[EmbeddingSet; 2]>,
        records: Vec<EvalRecord>,
    }

    impl Observer for Asked {
        fn judges(&self) -> bool {
            true
        }

        fn knn1(
            &mut self,
            database: &EmbeddingSet,
            queries: &EmbeddingSet,
            dims: &[usize],
        ) -> Result<HeldOutKnn1, TrainError> {
            self.sets.push([database.clone(), queries.clone()]);
            let prefix: Vec<f64> = dims.iter().map(|&dim| dim as f64 + self.sets.len() as f64).collect();
            Ok(HeldOutKnn1 { pca: prefix.iter().map(|value| value + 100.0).collect(), prefix })
        }

        fn evaluated(&mut self, record: &EvalRecord) {
            self.records.push(record.clone());
        }
    }

    struct Blind;
    impl Observer for Blind {}

    /// 12 images of 8 × 8 pixels, 2 without a label.
    fn images() -> Arc<ImageSet> {
        let pixels = (0..12 * 8 * 8 * 3u32).map(|place| (place * place / 7) as u8).collect();
        let labels = vec![0, 1, -1, 0, 1, 0, 1, -1, 0, 1, 0, 1];
        Arc::new(
            ImageSet::from_pixels(DatasetKind::Mnist, Split::Train, (8, 8), pixels, Some(labels)).unwrap(),
        )
    }

    fn config() -> ResolvedConfig {
        let mut config = tiny();
        (config.run.epochs, config.run.max_steps) = (None, Some(3));
        (config.run.batch_size, config.run.eval_every) = (4, Some(1));
        config.data.holdout = Some(0.2);
        resolved(&config, 8)
    }

    #[test]
    fn the_observer_is_shown_what_the_finished_encoders_embed() {
        let (folder, mut asked) = (tempfile::tempdir().unwrap(), Asked::default());
        let out = folder.path().join("run");
        pretrain(&config(), images(), &out, false, &mut asked).unwrap();
        // 10 images are trained on, 2 steps an epoch: behind step 2, and at the end.
        let steps: Vec<_> = asked.records.iter().map(|record| (record.step, record.epoch)).collect();
        assert_eq!(steps, [(2, 1.0), (3, 1.5)]);
        let last = &asked.records[1];
        assert_eq!((last.online_knn1[0], last.target_knn1[0]), (8.0 + 3.0, 8.0 + 4.0));
        assert_eq!((last.online_pca_knn1[0], last.target_pca_knn1[0]), (108.0 + 3.0, 108.0 + 4.0));
        assert_eq!(asked.sets.len(), 4);

        let [trained, held_out] = Part::hold_out(&images(), 0.2).unwrap();
        for (choice, sets) in [NetworkChoice::Online, NetworkChoice::Target].into_iter().zip(&asked.sets[2..])
        {
            let encoder = Embedder::open(&out, choice).unwrap();
            for (part, set) in [trained.labelled(), held_out.clone()].iter().zip(sets) {
                assert_eq!(set.labels().unwrap(), part.labels().unwrap());
                for index in 0..part.len() {
                    let embedded = encoder.embed_image(&part.image(index).unwrap()).unwrap();
                    let same = |(a, b): (&f32, &f32)| (a - b).abs() < 1e-5;
                    assert!(embedded.row(0).iter().zip(set.row(index)).all(same), "{choice} {index}");
                }
            }
        }
        assert_eq!((asked.sets[0][0].len(), asked.sets[0][1].len()), (8, 2));
    }

    #[test]
    fn an_observer_that_cannot_judge_is_told_so() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("run");
        let error = pretrain(&config(), images(), &out, false, &mut Blind).unwrap_err().to_string();
        assert!(error.starts_with("eval-every asks for an observer that judges"), "{error}");
        assert!(!out.exists());
    }
}
