use mrl_config::{CheckedConfig, HeadLayers, ResolvedConfig, ResolvedRun};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::{
    StepRecord, TrainError,
    device::{resolve_for, torch_device},
    features::images,
    torch_panic::catch_torch,
    trainer::{Batch, Horizon, Trainer},
};

/// Steps on views of noise that lie in memory: what a benchmark measures, without images, loader and files.
pub struct StepBench {
    trainer: Trainer,
    views: Vec<tch::Tensor>,
    labels: Option<tch::Tensor>,
    run: ResolvedRun,
}

impl StepBench {
    /// Networks and views as `config` says, for images of `side` pixels.
    ///
    /// # Errors
    /// When the device is not there.
    pub fn new(config: CheckedConfig, side: usize) -> Result<Self, TrainError> {
        let config = &resolve_for(config, side, None)?;
        let trainer = Trainer::new(
            config,
            Horizon {
                total_steps: u64::MAX,
                gamma_steps: u64::MAX,
                warmup_steps: 0,
                before_nesting: 0,
                before_rotation: 0,
            },
        );
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let size = config.data.image_size;
        let small = config.run.small_views();
        let sides = std::iter::repeat_n(size, config.run.views);
        let sides = sides.chain(std::iter::repeat_n(small.side(size), small.count));
        let noise = |size: usize| {
            let numbers = config.run.batch_size * size * size * 3;
            let mut bytes = vec![0u8; numbers];
            rng.fill_bytes(&mut bytes);
            let values: Vec<f32> = bytes.into_iter().map(|byte| f32::from(byte) / 255.0).collect();
            images(&values, size, torch_device(config.run.device))
        };
        let (views, labels) = (sides.map(noise).collect(), labels(config));
        Ok(Self { trainer, views, labels, run: config.run.clone() })
    }

    /// On what it computes, and how.
    #[must_use]
    pub fn run(&self) -> &ResolvedRun {
        &self.run
    }

    /// One step.
    ///
    /// # Errors
    /// As those of [`pretrain`](crate::pretrain).
    pub fn step(&mut self) -> Result<StepRecord, TrainError> {
        catch_torch(|| {
            let views = self.views.iter().map(tch::Tensor::shallow_clone).collect();
            let labels = self.labels.as_ref().map(tch::Tensor::shallow_clone);
            self.trainer.step([Ok(Batch { views, labels })].into_iter())
        })
    }
}

/// Every class in turn, if the objective needs labels.
fn labels(config: &ResolvedConfig) -> Option<tch::Tensor> {
    let HeadLayers::Classifier { classes } = config.model.layers else { return None };
    let places = tch::Tensor::arange(config.run.batch_size as i64, (tch::Kind::Int64, tch::Device::Cpu));
    Some(places.remainder(classes as i64).to_device(torch_device(config.run.device)))
}
