use tch::Tensor;

use super::{
    decay::Decay,
    parts::{Part, parts},
};

const BETA1: f64 = 0.9;
const BETA2: f64 = 0.999;
const EPSILON: f64 = 1e-8;

/// Adam (arXiv 1412.6980), with L2 or with decoupled weight decay (arXiv 1711.05101): `torch.optim.Adam` and `AdamW`.
pub(super) struct Adam {
    /// Whether weights decay beside the gradient instead of through it.
    decoupled: bool,
    /// Running mean of the gradient, `[trainable]`.
    pub(super) mean: Tensor,
    /// Running mean of its square, `[trainable]`.
    pub(super) square: Tensor,
}

impl Adam {
    pub(super) fn new(parameters: &Tensor, decoupled: bool) -> Self {
        Self { decoupled, mean: parameters.zeros_like(), square: parameters.zeros_like() }
    }

    /// Update number `updates`, counted from 1; `gradient` is overwritten.
    pub(super) fn step(&self, parameters: &Tensor, gradient: &Tensor, decay: &Decay, updates: i32, lr: f64) {
        let bias1 = 1.0 - BETA1.powi(updates);
        let bias2 = 1.0 - BETA2.powi(updates);
        for part in parts(parameters) {
            let [mut parameters, mut gradient, mut mean, mut square] =
                [parameters, gradient, &self.mean, &self.square].map(|vector| part.of(vector));
            self.decay(&mut parameters, &mut gradient, decay, part, lr);
            let _ = mean.lerp_(&gradient, 1.0 - BETA1);
            let _ = square.g_mul_scalar_(BETA2).addcmul_(&gradient, &(&gradient * (1.0 - BETA2)));
            let mut root = square.sqrt();
            let root = root.g_div_scalar_(bias2.sqrt()).g_add_scalar_(EPSILON);
            let _ = parameters.addcdiv_(&(&mean * (-lr / bias1)), &root);
        }
    }

    fn decay(&self, parameters: &mut Tensor, gradient: &mut Tensor, decay: &Decay, part: Part, lr: f64) {
        if self.decoupled {
            decay.shrink(parameters, part, lr);
        } else {
            decay.add_to(gradient, parameters, part);
        }
    }
}
