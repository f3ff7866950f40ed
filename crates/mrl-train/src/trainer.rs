mod learn;
mod prefixes;
mod record;

use std::{f64::consts::PI, sync::Arc};

pub(crate) use learn::Batch;
use mrl_config::ResolvedConfig;
use prefixes::Prefixes;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use record::Seen;
pub use record::StepRecord;
use tch::{Device, Kind, Tensor};

use crate::{
    TrainError,
    device::{torch_device, torch_kind},
    features::Features,
    loss_scale::LossScale,
    model::{Layout, Mode, Model, Network},
    objective::{Partner, partner_of},
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
    /// Steps that train all dims alone, before prefixes are trained too.
    pub(crate) before_nesting: u64,
    /// Steps before the features are rotated; 0 where they never are.
    pub(crate) before_rotation: u64,
}

impl Horizon {
    /// Of a run whose epochs have so many batches.
    ///
    /// # Errors
    /// When the run ends before the learning rate has warmed up.
    pub(crate) fn new(config: &ResolvedConfig, batches: u64) -> Result<Self, TrainError> {
        let total_steps = config.total_steps(batches);
        let steps_per_epoch = batches / config.run.grad_accum as u64;
        let gamma_steps = total_steps
            .saturating_add(2 * steps_per_epoch)
            .saturating_sub(config.target.update_gamma_after_step);
        let warmup_steps = warmup_steps(&config.optimiser, steps_per_epoch, total_steps)?;
        let before_nesting = config.steps_before_nesting(total_steps);
        if config.run.freeze_batch_norm_after.is_some_and(|steps| steps <= before_nesting) {
            return Err(TrainError::Usage(format!(
                "freeze-batch-norm-after must be above the {before_nesting} steps before nesting: prefixes have batch norms of their own, \
                 which have no statistics before"
            )));
        }
        let before_rotation = config.steps_before_rotation(total_steps);
        Ok(Self {
            total_steps,
            gamma_steps: gamma_steps.max(1),
            warmup_steps,
            before_nesting,
            before_rotation,
        })
    }
}

impl Trainer {
    /// Fresh networks.
    pub(crate) fn new(config: &ResolvedConfig, horizon: Horizon) -> Self {
        let (model, layout) = Model::new(config);
        let layout = Arc::new(layout);
        let device = torch_device(config.run.device);
        let online = initial_network(config, Arc::clone(&layout), device);
        let target = Network::zeros(layout, device);
        target.copy_from(&online);
        let optimiser = Optimiser::new(&config.optimiser, &online);
        let kind = torch_kind(config.run.precision);
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

    /// One step: the mean gradient over `batches`.
    ///
    /// No weight is changed when a batch cannot be had or its loss is not finite.
    pub(crate) fn step(
        &mut self,
        batches: impl ExactSizeIterator<Item = Result<Batch, TrainError>>,
    ) -> Result<StepRecord, TrainError> {
        let share = 1.0 / batches.len() as f64;
        let gradient = self.online.trainable().zeros_like();
        let prefixes = self.prefixes();
        let mut seen = Seen::default();
        for batch in batches {
            seen.add(&self.learn(&batch?, &prefixes, share, &gradient)?, share);
        }
        let _ = gradient.shallow_clone().g_div_scalar_(self.loss_scale.factor);
        let grad_norm = gradient.norm().double_value(&[]);
        let Horizon { total_steps, warmup_steps, .. } = self.horizon;
        let lr = learning_rate(&self.config.optimiser, warmup_steps, total_steps, self.step);
        if self.loss_scale.accept(grad_norm).ok_or(TrainError::GradientNotFinite { step: self.step + 1 })? {
            let _phase = phase!("optimiser", self.device);
            self.optimiser.step(&self.online, &gradient, lr);
        }
        let gamma = self.update_target();
        self.step += 1;
        let Seen { losses, temperature, top1, top5 } = seen;
        let (loss, loss_per_dim) = (prefixes.weigh(&losses), prefixes.spread(&losses));
        Ok(StepRecord { step: self.step, loss, loss_per_dim, grad_norm, temperature, gamma, lr, top1, top5 })
    }

    /// How batch norm works in this step. The reference's evaluation, after 2,000 steps and more, leaves both of its networks in evaluation
    /// mode.
    fn mode(&self) -> Mode {
        match self.config.run.freeze_batch_norm_after {
            Some(steps) if self.step >= steps => Mode::Eval,
            _ => Mode::Train,
        }
    }

    /// Which prefixes this step trains.
    fn prefixes(&self) -> Prefixes {
        let weights = self.config.objective.dim_weights.clone();
        if self.step < self.horizon.before_nesting {
            return Prefixes::all_dims(&weights);
        }
        Prefixes::of_step(self.config.model.head, weights, self.config.run.seed, self.step)
    }

    /// True if the next step is the first one that trains prefixes, after steps that trained all dims alone.
    pub(crate) fn nesting_begins(&self) -> bool {
        self.step > 0 && self.step == self.horizon.before_nesting
    }

    /// True if the features are to be rotated before the next step.
    pub(crate) fn rotation_is_due(&self) -> bool {
        self.step > 0 && self.step == self.horizon.before_rotation
    }

    /// Rotates the features of both networks by `axes`, `[d, d]`. What the networks make of all numbers stays the same. A shared head goes on with
    /// its weights, rotated likewise; heads of single prefixes cannot, and start as in a new network.
    pub(crate) fn rotate(&self, axes: &Tensor) {
        let axes = axes.to_device(self.device);
        for (network, moments) in [(&self.online, self.optimiser.moments()), (&self.target, Vec::new())] {
            self.model.rotate(network, &moments, &axes);
        }
        if self.config.model.head.is_separate() {
            self.reset_prefixes();
        }
    }

    /// Gives what only prefixes use the values of a new network, before the first step that trains them.
    pub(crate) fn reset_prefixes(&self) {
        let initial = initial_network(&self.config, Arc::clone(self.online.layout()), self.device);
        for (network, moments) in [(&self.online, self.optimiser.moments()), (&self.target, Vec::new())] {
            self.model.reset_prefixes(network, &initial, &moments);
        }
    }

    /// The encoder of `network`, one of the two, for use.
    pub(crate) fn encoder<'a>(&'a self, network: &'a Network) -> Features<'a> {
        Features::new(&self.config, &self.model, network, self.kind, self.device)
    }

    /// Features of images in evaluation mode, `[n, d]`.
    #[cfg(test)]
    pub(crate) fn features(&self, network: &Network, images: &tch::Tensor) -> tch::Tensor {
        self.model.features(&network.activate(Mode::Eval, self.kind), images)
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
            if partner_of(&self.config.objective.loss) != Partner::Target {
                // It makes no passes of its own: its statistics are averages of the online network's.
                self.target.batches_tracked().set(self.online.batches_tracked().get());
            }
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

/// The network before its first step.
fn initial_network(config: &ResolvedConfig, layout: Arc<Layout>, device: Device) -> Network {
    Network::new(layout, &mut ChaCha8Rng::seed_from_u64(config.run.seed), device)
}

#[cfg(test)]
mod late_nesting_tests;
#[cfg(test)]
mod multi_view_tests;
#[cfg(test)]
mod objective_tests;
#[cfg(test)]
mod tests;
