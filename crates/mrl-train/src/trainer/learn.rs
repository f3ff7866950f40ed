use tch::{Device, Kind, Tensor};

use super::{Prefixes, Seen, Trainer};
use crate::{
    TrainError,
    model::{Active, Mode},
    objective::Partner,
    phase::phase,
};

/// What a gradient is made of.
pub(crate) struct Batch {
    /// Two views of the same images, both `[n, 3, h, w]` in `[0, 1]`.
    pub(crate) views: [Tensor; 2],
    /// The images' labels, `[n]`, i64, where the objective needs them.
    pub(crate) labels: Option<Tensor>,
}

impl Trainer {
    /// Adds a batch's gradient, times `share`, to `gradient`, `[trainable]`.
    pub(super) fn learn(
        &self,
        batch: &Batch,
        prefixes: &Prefixes,
        share: f64,
        gradient: &Tensor,
    ) -> Result<Seen, TrainError> {
        let Batch { views, labels } = batch;
        let places = &prefixes.places;
        let partners = match self.config.objective.loss.partner() {
            Partner::OtherView => return self.learn_from_both(views, prefixes, share, gradient),
            Partner::Target => {
                let [first, second] = self.target_projections(views, places);
                [second, first]
            }
            Partner::Labels => {
                let labels = labels.as_ref().expect("a supervised run has labels");
                [0, 1].map(|_| places.iter().map(|_| labels.shallow_clone()).collect())
            }
        };
        self.learn_by_view(views, &partners, prefixes, share, gradient)
    }

    /// Each view's part of the loss needs the online outputs of that view alone, so that one view after the other goes
    /// forward and backward: the gradient is the same, while the activations of one view are kept instead of two.
    fn learn_by_view(
        &self,
        views: &[Tensor; 2],
        partners: &[Vec<Tensor>; 2],
        prefixes: &Prefixes,
        share: f64,
        gradient: &Tensor,
    ) -> Result<Seen, TrainError> {
        let online = self.online.activate(Mode::Train, self.kind);
        let mut seen = Seen::default();
        for (view, partner) in views.iter().zip(partners) {
            let outputs = self.online_outputs(&online, view, prefixes);
            let (loss, of_view) = self.compare(&online, &outputs, partner, prefixes)?;
            seen.add(&of_view, 0.5);
            self.backward(&online, &loss, share * 0.5, gradient);
        }
        Ok(seen)
    }

    /// Both views forward, and then both backward.
    fn learn_from_both(
        &self,
        views: &[Tensor; 2],
        prefixes: &Prefixes,
        share: f64,
        gradient: &Tensor,
    ) -> Result<Seen, TrainError> {
        let online = self.online.activate(Mode::Train, self.kind);
        let [first, second] = [0, 1].map(|view: usize| self.online_outputs(&online, &views[view], prefixes));
        let (loss, seen) = self.compare(&online, &first, &second, prefixes)?;
        self.backward(&online, &loss, share, gradient);
        Ok(seen)
    }

    fn target_projections(&self, views: &[Tensor; 2], places: &[usize]) -> [Vec<Tensor>; 2] {
        let _phase = phase!("target forward", self.device);
        tch::no_grad(|| {
            let target = self.target.activate(Mode::Train, self.kind);
            [0, 1].map(|view: usize| self.model.project(&target, &views[view], places))
        })
    }

    fn online_outputs(&self, online: &Active, view: &Tensor, prefixes: &Prefixes) -> Vec<Tensor> {
        let _phase = phase!("online forward", self.device);
        self.model.outputs(online, view, &prefixes.places)
    }

    /// The loss to minimise, a scalar, and what it is made of.
    fn compare(
        &self,
        online: &Active,
        outputs: &[Tensor],
        partners: &[Tensor],
        prefixes: &Prefixes,
    ) -> Result<(Tensor, Seen), TrainError> {
        let _phase = phase!("loss", self.device);
        let objective = &self.config.objective.loss;
        let log_scale = self.model.log_scale(online);
        let pairs = outputs.iter().zip(partners);
        let losses: Vec<Tensor> =
            pairs.map(|(outputs, partner)| objective.loss(outputs, partner, log_scale)).collect();
        let losses = Tensor::stack(&losses, 0); // [prefixes]
        let last = outputs.len() - 1;
        let (top1, top5) = tch::no_grad(|| objective.accuracy(&outputs[last], &partners[last]));
        let temperature = log_scale.map(|log_scale| log_scale.exp().double_value(&[0]));
        let weights = Tensor::from_slice(&prefixes.weights).to_kind(Kind::Float).to_device(self.device);
        let seen = Seen { losses: self.finite(&losses, prefixes)?, temperature, top1, top5 };
        Ok(((losses * weights).sum(Kind::Float), seen))
    }

    fn backward(&self, online: &Active, loss: &Tensor, share: f64, gradient: &Tensor) {
        let _phase = phase!("backward", self.device);
        online.add_gradient(&(loss * (share * self.loss_scale.factor)), gradient);
    }

    fn finite(&self, losses: &Tensor, prefixes: &Prefixes) -> Result<Vec<f64>, TrainError> {
        let losses = Vec::<f64>::try_from(losses.to_device(Device::Cpu).to_kind(Kind::Double).contiguous())?;
        match losses.iter().position(|loss| !loss.is_finite()) {
            None => Ok(losses),
            Some(at) => Err(TrainError::NotFinite {
                step: self.step + 1,
                dim: self.config.nesting().dims()[prefixes.places[at]],
                loss: losses[at],
            }),
        }
    }
}
