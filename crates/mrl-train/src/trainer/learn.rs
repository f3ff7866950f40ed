use tch::{Device, Kind, Tensor};

use super::{Prefixes, Seen, Trainer};
use crate::{
    TrainError,
    device::upload,
    model::{Active, Mode},
    objective::{Partner, accuracy_of, loss_of, pairs, partner_of, partners_of_view},
    phase::phase,
};

/// What a gradient is made of.
pub(crate) struct Batch {
    /// Views of the same images, each `[n, 3, h, w]` in `[0, 1]`: as many as `run.views` says, then small ones.
    pub(crate) views: Vec<Tensor>,
    /// The images' labels, `[n]`, i64, where the objective needs them.
    pub(crate) labels: Option<Tensor>,
}

/// The outputs of a view, `[p, n, k]`, beside what they are compared with.
type Comparison<'a> = (&'a Tensor, &'a Tensor);

impl Trainer {
    /// Adds a batch's gradient, times `share`, to `gradient`, `[trainable]`. The loss is the mean over the views, and over what each view is
    /// compared with.
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
        let objective = &self.config.objective.loss;
        let shown = match partner_of(objective) {
            Partner::OtherView => vec![self.learn_from_pairs(views, prefixes, share, gradient)],
            Partner::Target => {
                let targets = self.target_projections(&views[..self.config.run.views], &prefixes.places);
                let partners = |place| partners_of_view(objective, &targets, place);
                self.learn_by_view(views, partners, prefixes, share, gradient)
            }
            Partner::Labels => {
                let labels = labels.as_ref().expect("a supervised run has labels");
                self.learn_by_view(views, |_| vec![labels.shallow_clone()], prefixes, share, gradient)
            }
        };
        self.read(&shown, prefixes)
    }

    /// Each view's part of the loss needs the online outputs of that view alone, so that one view after the other goes
    /// forward and backward: the gradient is the same, while the activations of one view are kept instead of all. `partners` are what a view,
    /// by its place, is compared with. Returns what each view shows.
    fn learn_by_view(
        &self,
        views: &[Tensor],
        partners: impl Fn(usize) -> Vec<Tensor>,
        prefixes: &Prefixes,
        share: f64,
        gradient: &Tensor,
    ) -> Vec<Tensor> {
        let online = self.online.activate(self.mode(), self.kind);
        let learn = |place: usize| {
            let outputs = self.online_outputs(&online, views, place, prefixes);
            let partners = partners(place);
            let comparisons: Vec<Comparison> = partners.iter().map(|partner| (&outputs, partner)).collect();
            let (loss, shown) = self.compare(&online, &comparisons, prefixes);
            self.backward(&online, &loss, share / views.len() as f64, gradient);
            shown
        };
        (0..views.len()).map(learn).collect()
    }

    /// All views forward, and then all backward.
    fn learn_from_pairs(
        &self,
        views: &[Tensor],
        prefixes: &Prefixes,
        share: f64,
        gradient: &Tensor,
    ) -> Tensor {
        let online = self.online.activate(self.mode(), self.kind);
        let outputs: Vec<Tensor> =
            (0..views.len()).map(|place| self.online_outputs(&online, views, place, prefixes)).collect();
        let pairs = pairs(views.len(), self.config.run.views);
        let pairs: Vec<Comparison> = pairs.map(|[a, b]| (&outputs[a], &outputs[b])).collect();
        let (loss, shown) = self.compare(&online, &pairs, prefixes);
        self.backward(&online, &loss, share, gradient);
        shown
    }

    fn target_projections(&self, views: &[Tensor], places: &[usize]) -> Vec<Tensor> {
        let _phase = phase!("target forward", self.device);
        tch::no_grad(|| {
            let target = self.target.activate(self.mode(), self.kind);
            views.iter().map(|view| self.model.project(&target, view, places)).collect()
        })
    }

    /// What the online network makes of the view at `place`. Small views leave its running statistics alone, because it is used on whole
    /// images.
    fn online_outputs(&self, online: &Active, views: &[Tensor], place: usize, prefixes: &Prefixes) -> Tensor {
        let _phase = phase!("online forward", self.device);
        if place >= self.config.run.views && online.mode == Mode::Train {
            return self.model.outputs(&online.in_mode(Mode::Batch), &views[place], &prefixes.places);
        }
        self.model.outputs(online, &views[place], &prefixes.places)
    }

    /// The loss to minimise, a scalar, and what [`Trainer::read`] reads: accuracies in %, the losses of the prefixes, and the
    /// temperature where that is learnt. Both are means over the `comparisons`.
    fn compare(&self, online: &Active, comparisons: &[Comparison], prefixes: &Prefixes) -> (Tensor, Tensor) {
        let _phase = phase!("loss", self.device);
        let objective = &self.config.objective.loss;
        let log_scale = self.model.log_scale(online);
        let weights = upload(&Tensor::from_slice(&prefixes.weights).to_kind(Kind::Float), self.device);
        let compared = comparisons.iter().map(|&(outputs, partner)| {
            let losses = loss_of(objective, outputs, partner, log_scale); // [p]
            let shown = tch::no_grad(|| {
                let mut shown = vec![accuracy_of(objective, outputs, partner), losses.shallow_clone()];
                shown.extend(log_scale.map(Tensor::exp));
                Tensor::cat(&shown, 0) // [2 + p], or one more
            });
            (losses.dot(&weights), shown)
        });
        let (losses, shown): (Vec<Tensor>, Vec<Tensor>) = compared.unzip();
        let mean =
            |values: &[Tensor]| Tensor::stack(values, 0).mean_dim([0i64].as_slice(), false, Kind::Float);
        (mean(&losses), tch::no_grad(|| mean(&shown)))
    }

    fn backward(&self, online: &Active, loss: &Tensor, share: f64, gradient: &Tensor) {
        let _phase = phase!("backward", self.device);
        online.add_gradient(&(loss * (share * self.loss_scale.factor)), gradient);
    }

    /// What a batch's views have `shown`, on average. It waits for all that the device still computes, so it comes behind
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
