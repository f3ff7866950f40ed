//! Optimisers over the one flat vector of a network's parameters.

mod adam;
mod decay;
mod parts;
mod sgd;
#[cfg(test)]
mod tests;
mod trust;

use mrl_config::{self as config, OptimiserConfig};
use tch::Tensor;

use self::{adam::Adam, decay::Decay, sgd::Sgd, trust::Trust};
use crate::model::{Moment, Network};

/// Changes a network's parameters by their gradient.
pub(crate) struct Optimiser {
    rule: Rule,
    decay: Decay,
    /// Updates so far.
    pub(crate) updates: i32,
}

enum Rule {
    Adam(Adam),
    Sgd(Sgd),
    Lars(Sgd, Trust),
}

impl Optimiser {
    /// An optimiser that has not yet seen a gradient of `network`.
    pub(crate) fn new(config: &OptimiserConfig, network: &Network) -> Self {
        let parameters = network.trainable();
        let rule = match &config.rule {
            config::Rule::Adam => Rule::Adam(Adam::new(&parameters, false)),
            config::Rule::AdamW => Rule::Adam(Adam::new(&parameters, true)),
            config::Rule::Sgd(sgd) => Rule::Sgd(Sgd::new(&parameters, sgd.momentum, sgd.nesterov)),
            config::Rule::Lars(lars) => {
                let sgd = Sgd::new(&parameters, lars.momentum, lars.nesterov);
                Rule::Lars(sgd, Trust::new(lars.trust_coefficient))
            }
        };
        Self { rule, decay: Decay::new(config, network), updates: 0 }
    }

    /// Updates the parameters of `network`; `gradient`, `[trainable]`, is overwritten.
    pub(crate) fn step(&mut self, network: &Network, gradient: &Tensor, lr: f64) {
        self.updates += 1;
        let (parameters, decay) = (network.trainable(), &self.decay);
        tch::no_grad(|| match &self.rule {
            Rule::Adam(adam) => adam.step(&parameters, gradient, decay, self.updates, lr),
            Rule::Sgd(sgd) => sgd.step(&parameters, gradient, Some(decay), lr),
            Rule::Lars(sgd, trust) => {
                // The ratios are those of gradients that have their decay.
                trust.scale(network, gradient, decay);
                sgd.step(&parameters, gradient, None, lr);
            }
        });
    }

    /// What an update leaves for the next one, by what it is an average of.
    pub(crate) fn moments(&self) -> Vec<Moment<'_>> {
        match &self.rule {
            Rule::Adam(adam) => vec![Moment::Mean(&adam.mean), Moment::Square(&adam.square)],
            Rule::Sgd(sgd) | Rule::Lars(sgd, _) => vec![Moment::Mean(&sgd.velocity)],
        }
    }

    /// What an update leaves for the next one: vectors `[trainable]` with the names that a checkpoint gives them.
    pub(crate) fn state(&self) -> Vec<(&'static str, &Tensor)> {
        match &self.rule {
            Rule::Adam(adam) => vec![("adam.mean", &adam.mean), ("adam.square", &adam.square)],
            Rule::Sgd(sgd) | Rule::Lars(sgd, _) => vec![("sgd.momentum", &sgd.velocity)],
        }
    }
}
