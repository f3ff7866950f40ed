use std::{f64::consts::PI, sync::Arc};

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use tch::{Device, Kind, Tensor};

use crate::{
    ResolvedConfig, TrainError,
    features::Features,
    loss_scale::LossScale,
    model::{Mode, Model, Network},
    objective,
    optimiser::Optimiser,
    phase::phase,
    schedule::{learning_rate, warmup_steps},
};

/// Everything that training changes, and one step of it.
pub(crate) struct Trainer {
    config: ResolvedConfig,
    model: Model,
    pub(crate) online: Network,
    pub(crate) target: Network,
    pub(crate) optimiser: Optimiser,
    pub(crate) loss_scale: LossScale,
    /// Steps done.
    pub(crate) step: u64,
    pub(crate) horizon: Horizon,
    device: Device,
    kind: Kind,
}

/// How far the schedules reach.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Horizon {
    /// Steps of the whole run.
    pub(crate) total_steps: u64,
    /// Where the target's decay reaches 1: two epochs behind the end, as the reference has it.
    pub(crate) gamma_steps: u64,
    /// Steps in which the learning rate rises.
    pub(crate) warmup_steps: u64,
}

impl Horizon {
    /// # Errors
    /// When the run ends before the learning rate has warmed up.
    pub(crate) fn new(config: &ResolvedConfig, steps_per_epoch: u64) -> Result<Self, TrainError> {
        let total_steps = config.total_steps(steps_per_epoch);
        let gamma_steps = total_steps
            .saturating_add(2 * steps_per_epoch)
            .saturating_sub(config.target.update_gamma_after_step);
        let warmup_steps = warmup_steps(&config.optimiser, steps_per_epoch, total_steps)?;
        Ok(Self { total_steps, gamma_steps: gamma_steps.max(1), warmup_steps })
    }
}

/// What a step did: a line of `metrics.jsonl` but for the speed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StepRecord {
    /// Steps done, this one included.
    pub step: u64,
    /// The loss: the sum over the prefixes.
    pub loss: f64,
    /// The loss of each nesting dim.
    pub loss_per_dim: Vec<f64>,
    /// L2 norm of the gradient of all parameters.
    pub grad_norm: f64,
    /// The learnt scale of the logits, which the reference calls temperature.
    pub temperature: f64,
    /// The decay with which the target followed in this step; 0 where it was copied.
    pub gamma: f64,
    /// The learning rate.
    pub lr: f64,
    /// How often, in %, the widest projection of a view is nearest to the other view's target.
    pub top1: f64,
    /// How often it is among the nearest five.
    pub top5: f64,
}

/// What the batches of a step have shown, on average.
#[derive(Default)]
struct Seen {
    loss_per_dim: Vec<f64>,
    temperature: f64,
    top1: f64,
    top5: f64,
}

impl Seen {
    fn add(&mut self, other: &Self, share: f64) {
        self.loss_per_dim.resize(other.loss_per_dim.len(), 0.0);
        self.loss_per_dim.iter_mut().zip(&other.loss_per_dim).for_each(|(sum, loss)| *sum += share * loss);
        self.temperature += share * other.temperature;
        self.top1 += share * other.top1;
        self.top5 += share * other.top5;
    }
}

impl Trainer {
    /// Fresh networks.
    pub(crate) fn new(config: &ResolvedConfig, horizon: Horizon) -> Self {
        let (model, layout) = Model::new(&config.model, config.nesting().dims());
        let layout = Arc::new(layout);
        let device = config.run.device.torch();
        let mut rng = ChaCha8Rng::seed_from_u64(config.run.seed);
        let online = Network::new(Arc::clone(&layout), &mut rng, device);
        let target = Network::zeros(layout, device);
        target.copy_from(&online);
        let optimiser = Optimiser::new(&config.optimiser, &online);
        let kind = config.run.precision.kind();
        let loss_scale = LossScale::new(kind);
        Self {
            config: config.clone(),
            model,
            online,
            target,
            optimiser,
            loss_scale,
            step: 0,
            horizon,
            device,
            kind,
        }
    }

    /// One step: the mean gradient over `batches`, each two views of the same images, `[n, 3, h, w]` in `[0, 1]`.
    ///
    /// No weight is changed when a batch cannot be had or its loss is not finite.
    pub(crate) fn step(
        &mut self,
        batches: impl ExactSizeIterator<Item = Result<[Tensor; 2], TrainError>>,
    ) -> Result<StepRecord, TrainError> {
        let share = 1.0 / batches.len() as f64;
        let gradient = self.online.trainable().zeros_like();
        let mut seen = Seen::default();
        for views in batches {
            seen.add(&self.learn(&views?, share, &gradient)?, share);
        }
        let _ = gradient.shallow_clone().g_div_scalar_(self.loss_scale.factor());
        let grad_norm = gradient.norm().double_value(&[]);
        let Horizon { total_steps, warmup_steps, .. } = self.horizon;
        let lr = learning_rate(&self.config.optimiser, warmup_steps, total_steps, self.step);
        if self.loss_scale.accept(grad_norm).ok_or(TrainError::GradientNotFinite { step: self.step + 1 })? {
            let _phase = phase!("optimiser", self.device);
            self.optimiser.step(&self.online, &gradient, lr);
        }
        let gamma = self.update_target();
        self.step += 1;
        let Seen { loss_per_dim, temperature, top1, top5 } = seen;
        let loss = loss_per_dim.iter().sum();
        Ok(StepRecord { step: self.step, loss, loss_per_dim, grad_norm, temperature, gamma, lr, top1, top5 })
    }

    /// Adds a batch's gradient, times `share`, to `gradient`, `[trainable]`.
    ///
    /// Each view's part of the loss needs the online projections of that view alone, so that one view after the other goes
    /// forward and backward: the gradient is the same, while the activations of one view are kept instead of two.
    fn learn(&self, views: &[Tensor; 2], share: f64, gradient: &Tensor) -> Result<Seen, TrainError> {
        let targets = self.target_projections(views);
        let online = self.online.activate(Mode::Train, self.kind);
        let mut seen = Seen::default();
        for view in [0, 1] {
            let forward = phase!("online forward", self.device);
            let projected = self.model.project(&online, &views[view]);
            drop(forward);
            let (target, log_scale) = (&targets[1 - view], self.model.log_scale(&online));
            let loss = phase!("loss", self.device);
            let losses =
                objective::nested_relic_loss(&projected, target, log_scale, self.config.objective.alpha); // [dims]
            let (top1, top5) = tch::no_grad(|| {
                let last = projected.len() - 1;
                objective::contrastive_accuracy(&projected[last], &target[last], log_scale)
            });
            let temperature = log_scale.exp().double_value(&[0]);
            drop(loss);
            seen.add(&Seen { loss_per_dim: self.finite(&losses)?, temperature, top1, top5 }, 0.5);
            let _phase = phase!("backward", self.device);
            let factor = share * 0.5 * self.loss_scale.factor();
            online.add_gradient(&(losses.sum(Kind::Float) * factor), gradient);
        }
        Ok(seen)
    }

    fn target_projections(&self, views: &[Tensor; 2]) -> [Vec<Tensor>; 2] {
        let _phase = phase!("target forward", self.device);
        tch::no_grad(|| {
            let target = self.target.activate(Mode::Train, self.kind);
            [0, 1].map(|view| self.model.project(&target, &views[view]))
        })
    }

    /// The encoder of `network`, one of the two, for use.
    pub(crate) fn encoder<'a>(&'a self, network: &'a Network) -> Features<'a> {
        let (size, width) = (self.config.image_size(), self.config.model.features());
        Features::new(&self.model, network, self.kind, self.device, [size, width])
    }

    /// Features of images in evaluation mode, `[n, d]`.
    #[cfg(test)]
    pub(crate) fn features(&self, network: &Network, images: &Tensor) -> Tensor {
        self.model.features(&network.activate(Mode::Eval, self.kind), images)
    }

    fn finite(&self, losses: &Tensor) -> Result<Vec<f64>, TrainError> {
        let losses = Vec::<f64>::try_from(losses.to_device(Device::Cpu).to_kind(Kind::Double).contiguous())?;
        match losses.iter().position(|loss| !loss.is_finite()) {
            None => Ok(losses),
            Some(at) => Err(TrainError::NotFinite {
                step: self.step + 1,
                dim: self.config.nesting().dims()[at],
                loss: losses[at],
            }),
        }
    }

    /// Lets the target follow, and returns the decay.
    fn update_target(&self) -> f64 {
        let _phase = phase!("target update", self.device);
        let settings = &self.config.target;
        if self.step <= settings.update_gamma_after_step {
            self.target.copy_from(&self.online);
            return 0.0;
        }
        let gamma = self.gamma();
        if self.step.is_multiple_of(settings.update_gamma_every_n_steps) {
            self.target.average_towards(&self.online, gamma);
        }
        gamma
    }

    /// The decay at this step: a cosine from `gamma` to 1 (arXiv 2010.07922). The reference computes it behind each
    /// average for the next one, so it lags by one average; so does this.
    fn gamma(&self) -> f64 {
        let settings = &self.config.target;
        let start = settings.gamma;
        let every = settings.update_gamma_every_n_steps;
        match (self.step / every * every).checked_sub(every) {
            Some(previous) if previous > settings.update_gamma_after_step => {
                let progress = previous as f64 / self.horizon.gamma_steps as f64;
                1.0 - (1.0 - start) * ((PI * progress).cos() + 1.0) / 2.0
            }
            _ => start,
        }
    }
}

/// A batch `[n, size, size, 3]` as torch sees images, `[n, 3, size, size]`; the memory stays channels-last.
pub(crate) fn images(batch: &[f32], size: usize, device: Device) -> Tensor {
    let side = size as i64;
    let images = Tensor::from_slice(batch).view([-1, side, side, 3]).permute([0, 3, 1, 2]);
    if device.is_cuda() {
        // From pinned memory the copy goes on while the processor prepares the step.
        return images.pin_memory(device).to_device_(device, Kind::Float, true, false);
    }
    images.to_device(device)
}

#[cfg(test)]
mod tests;
