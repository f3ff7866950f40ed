use tch::Tensor;

use super::{
    decay::{Decay, is_norm_or_bias},
    parts::parts,
};
use crate::model::Network;

/// Layer-wise adaptive rates (LARS, arXiv 1708.03888), as `SimCLR` (arXiv 2002.05709) and BYOL (arXiv 2006.07733) use them: a
/// tensor's gradient, its decay included, becomes as long as `coefficient` times the tensor. Norms and biases keep theirs.
pub(super) struct Trust {
    coefficient: f64,
}

impl Trust {
    pub(super) fn new(coefficient: f64) -> Self {
        Self { coefficient }
    }

    /// Adds the decay to `gradient`, `[trainable]`, and scales it tensor by tensor. A tensor of zeros, which would never
    /// move, and a gradient of zeros stay as they are.
    pub(super) fn scale(&self, network: &Network, gradient: &Tensor, decay: &Decay) {
        let parameters = network.trainable();
        for part in parts(&parameters) {
            decay.add_to(&mut part.of(gradient), &part.of(&parameters), part);
        }
        let layout = network.layout();
        for ((_, weights), (_, mut gradient)) in layout.views(&parameters).zip(layout.views(gradient)) {
            if !is_norm_or_bias(&weights) {
                // The ratio stays on the device: nothing waits for it.
                let (length, slope) = (weights.norm(), gradient.norm());
                let ratio = &length * self.coefficient / &slope;
                let usable = length.gt(0.0).logical_and(&slope.gt(0.0));
                let _ = gradient.g_mul_(&ratio.where_scalarother(&usable, 1.0));
            }
        }
    }
}
