use std::f64::consts::PI;

use tch::Tensor;

use crate::config::Schedule;

const BETA1: f64 = 0.9;
const BETA2: f64 = 0.999;
const EPSILON: f64 = 1e-8;

/// Adam (arXiv 1412.6980) with L2 weight decay, over one flat vector of parameters.
pub(crate) struct Adam {
    weight_decay: f64,
    /// Running mean of the gradient, `[trainable]`.
    pub(crate) mean: Tensor,
    /// Running mean of its square, `[trainable]`.
    pub(crate) square: Tensor,
    /// Updates so far.
    pub(crate) updates: i32,
}

impl Adam {
    pub(crate) fn new(parameters: &Tensor, weight_decay: f64) -> Self {
        Self { weight_decay, mean: parameters.zeros_like(), square: parameters.zeros_like(), updates: 0 }
    }

    /// Updates `parameters` in place; `gradient` is used up.
    pub(crate) fn step(&mut self, parameters: &Tensor, mut gradient: Tensor, lr: f64) {
        self.updates += 1;
        let bias1 = 1.0 - BETA1.powi(self.updates);
        let bias2 = 1.0 - BETA2.powi(self.updates);
        tch::no_grad(|| {
            let _ = gradient.g_add_(&(parameters * self.weight_decay));
            let _ = self.mean.lerp_(&gradient, 1.0 - BETA1);
            let _ = self.square.g_mul_scalar_(BETA2).addcmul_(&gradient, &(&gradient * (1.0 - BETA2)));
            let mut root = self.square.sqrt();
            let root = root.g_div_scalar_(bias2.sqrt()).g_add_scalar_(EPSILON);
            let _ = parameters.shallow_clone().addcdiv_(&(&self.mean * (-lr / bias1)), &root);
        });
    }
}

impl Schedule {
    /// The learning rate of `step`, counted from 0.
    pub(crate) fn lr(self, peak: f64, step: u64, total_steps: u64) -> f64 {
        match self {
            Self::Constant => peak,
            Self::Cosine => peak * (1.0 + (PI * step as f64 / total_steps.max(1) as f64).cos()) / 2.0,
        }
    }
}
