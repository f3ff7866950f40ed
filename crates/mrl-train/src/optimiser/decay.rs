use mrl_config::OptimiserConfig;
use tch::Tensor;

use super::parts::Part;
use crate::model::Network;

/// Which parameters are pulled towards 0, and how hard.
pub(super) struct Decay {
    factor: f64,
    /// 1 where a number decays and 0 where it does not, `[trainable]`; without it all do.
    mask: Option<Tensor>,
}

impl Decay {
    pub(super) fn new(config: &OptimiserConfig, network: &Network) -> Self {
        let mask = (!config.decay_norms_and_biases).then(|| mask(network));
        Self { factor: config.weight_decay, mask }
    }

    /// L2: adds the decay of a part of the parameters to that of the gradient.
    pub(super) fn add_to(&self, gradient: &mut Tensor, parameters: &Tensor, part: Part) {
        let pull = parameters * self.factor;
        let _ = match &self.mask {
            None => gradient.g_add_(&pull),
            Some(mask) => gradient.addcmul_(&pull, &part.of(mask)),
        };
    }

    /// Decoupled (arXiv 1711.05101): shrinks a part of the parameters by `lr` times the factor.
    pub(super) fn shrink(&self, parameters: &mut Tensor, part: Part, lr: f64) {
        let share = lr * self.factor;
        let _ = match &self.mask {
            None => parameters.g_mul_scalar_(1.0 - share),
            Some(mask) => parameters.g_sub_(&(part.of(mask) * share * &*parameters)),
        };
    }
}

/// Whether a tensor is no weight of a layer, but the scale or bias of a norm, a bias, or the temperature: it has one axis.
pub(super) fn is_norm_or_bias(tensor: &Tensor) -> bool {
    tensor.dim() <= 1
}

fn mask(network: &Network) -> Tensor {
    let mask = network.trainable().zeros_like();
    for (_, mut part) in network.layout().views(&mask) {
        if !is_norm_or_bias(&part) {
            let _ = tch::no_grad(|| part.fill_(1.0));
        }
    }
    mask
}
