use tch::{Device, Kind, Tensor};

use super::{Prefixes, Seen, Trainer};
use crate::{
    TrainError,
    device::upload,
    model::Active,
    objective::{Partner, accuracy_of, loss_of, partner_of},
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
    ///
    /// # Errors
    /// When a loss is not finite; `gradient` is worthless then.
    pub(super) fn learn(
        &self,
        batch: &Batch,
        prefixes: &Prefixes,
        share: f64,
        gradient: &Tensor,
    ) -> Result<Seen, TrainError> {
        let Batch { views, labels } = batch;
        let shown = match partner_of(&self.config.objective.loss) {
            Partner::OtherView => vec![self.learn_from_both(views, prefixes, share, gradient)],
            Partner::Target => {
                let [first, second] = self.target_projections(views, &prefixes.places);
                self.learn_by_view(views, [&second, &first], prefixes, share, gradient)
            }
            Partner::Labels => {
                let labels = labels.as_ref().expect("a supervised run has labels");
                self.learn_by_view(views, [labels, labels], prefixes, share, gradient)
            }
        };
        self.read(&shown, prefixes)
    }

    /// Each view's part of the loss needs the online outputs of that view alone, so that one view after the other goes
    /// forward and backward: the gradient is the same, while the activations of one view are kept instead of two. Returns
    /// what each view shows.
    fn learn_by_view(
        &self,
        views: &[Tensor; 2],
        partners: [&Tensor; 2],
        prefixes: &Prefixes,
        share: f64,
        gradient: &Tensor,
    ) -> Vec<Tensor> {
        let online = self.online.activate(self.mode(), self.kind);
        let learn = |(view, partner)| {
            let outputs = self.online_outputs(&online, view, prefixes);
            let (loss, shown) = self.compare(&online, &outputs, partner, prefixes);
            self.backward(&online, &loss, share * 0.5, gradient);
            shown
        };
        views.iter().zip(partners).map(learn).collect()
    }

    /// Both views forward, and then both backward.
    fn learn_from_both(
        &self,
        views: &[Tensor; 2],
        prefixes: &Prefixes,
        share: f64,
        gradient: &Tensor,
    ) -> Tensor {
        let online = self.online.activate(self.mode(), self.kind);
        let [first, second] = [0, 1].map(|view: usize| self.online_outputs(&online, &views[view], prefixes));
        let (loss, shown) = self.compare(&online, &first, &second, prefixes);
        self.backward(&online, &loss, share, gradient);
        shown
    }

    fn target_projections(&self, views: &[Tensor; 2], places: &[usize]) -> [Tensor; 2] {
        let _phase = phase!("target forward", self.device);
        tch::no_grad(|| {
            let target = self.target.activate(self.mode(), self.kind);
            [0, 1].map(|view: usize| self.model.project(&target, &views[view], places))
        })
    }

    fn online_outputs(&self, online: &Active, view: &Tensor, prefixes: &Prefixes) -> Tensor {
        let _phase = phase!("online forward", self.device);
        self.model.outputs(online, view, &prefixes.places)
    }

    /// The loss to minimise, a scalar, and what [`Trainer::read`] reads: accuracies in %, the losses of the prefixes, and the
    /// temperature where that is learnt.
    fn compare(
        &self,
        online: &Active,
        outputs: &Tensor,
        partner: &Tensor,
        prefixes: &Prefixes,
    ) -> (Tensor, Tensor) {
        let _phase = phase!("loss", self.device);
        let objective = &self.config.objective.loss;
        let log_scale = self.model.log_scale(online);
        let losses = loss_of(objective, outputs, partner, log_scale); // [p]
        let weights = upload(&Tensor::from_slice(&prefixes.weights).to_kind(Kind::Float), self.device);
        let shown = tch::no_grad(|| {
            let mut shown = vec![accuracy_of(objective, outputs, partner), losses.shallow_clone()];
            shown.extend(log_scale.map(Tensor::exp));
            Tensor::cat(&shown, 0) // [2 + p], or one more
        });
        (losses.dot(&weights), shown)
    }

    fn backward(&self, online: &Active, loss: &Tensor, share: f64, gradient: &Tensor) {
        let _phase = phase!("backward", self.device);
        online.add_gradient(&(loss * (share * self.loss_scale.factor)), gradient);
    }

    /// What a batch's comparisons have shown, on average. It waits for all that the device still computes, so it comes behind
    /// `backward`, and reads everything at once.
    fn read(&self, shown: &[Tensor], prefixes: &Prefixes) -> Result<Seen, TrainError> {
        let rows = Tensor::stack(shown, 0).to_device(Device::Cpu).to_kind(Kind::Double);
        let mut seen = Seen::default();
        for row in Vec::<Vec<f64>>::try_from(rows)? {
            let (accuracies, row) = row.split_at(2);
            let (losses, temperature) = row.split_at(prefixes.places.len());
            self.check(losses, prefixes)?;
            let (losses, temperature) = (losses.to_vec(), temperature.first().copied());
            let of_row = Seen { losses, temperature, top1: accuracies[0], top5: accuracies[1] };
            seen.add(&of_row, 1.0 / shown.len() as f64);
        }
        Ok(seen)
    }

    fn check(&self, losses: &[f64], prefixes: &Prefixes) -> Result<(), TrainError> {
        match losses.iter().position(|loss| !loss.is_finite()) {
            None => Ok(()),
            Some(at) => Err(TrainError::NotFinite {
                step: self.step + 1,
                dim: self.config.model.nesting.dims()[prefixes.places[at]],
                loss: losses[at],
            }),
        }
    }
}
