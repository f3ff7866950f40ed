use std::f64::consts::PI;

use tch::{Device, Tensor};

use crate::config::Schedule;

const BETA1: f64 = 0.9;
const BETA2: f64 = 0.999;
const EPSILON: f64 = 1e-8;

/// Numbers of an update that stay in the cache: 0.5 MiB of each of six vectors.
const CACHED: i64 = 1 << 17;

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

    /// Updates `parameters` in place; `gradient` is overwritten.
    ///
    /// On a CPU part by part: an update is nine passes over its numbers, and all but the first find them in the cache.
    pub(crate) fn step(&mut self, parameters: &Tensor, gradient: &Tensor, lr: f64) {
        self.updates += 1;
        let total = parameters.size()[0];
        let part = if parameters.device() == Device::Cpu { CACHED.min(total) } else { total };
        tch::no_grad(|| {
            for start in (0..total).step_by(part as usize) {
                let narrow = |tensor: &Tensor| tensor.narrow(0, start, part.min(total - start));
                let [parameters, gradient, mean, square] =
                    [parameters, gradient, &self.mean, &self.square].map(narrow);
                self.update(parameters, gradient, mean, square, lr);
            }
        });
    }

    fn update(
        &self,
        mut parameters: Tensor,
        mut gradient: Tensor,
        mut mean: Tensor,
        mut square: Tensor,
        lr: f64,
    ) {
        let bias1 = 1.0 - BETA1.powi(self.updates);
        let bias2 = 1.0 - BETA2.powi(self.updates);
        let _ = gradient.g_add_(&(&parameters * self.weight_decay));
        let _ = mean.lerp_(&gradient, 1.0 - BETA1);
        let _ = square.g_mul_scalar_(BETA2).addcmul_(&gradient, &(&gradient * (1.0 - BETA2)));
        let mut root = square.sqrt();
        let root = root.g_div_scalar_(bias2.sqrt()).g_add_scalar_(EPSILON);
        let _ = parameters.addcdiv_(&(&mean * (-lr / bias1)), &root);
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

#[cfg(test)]
mod tests {
    use tch::Kind;

    use super::*;

    #[test]
    fn an_update_in_parts_is_that_of_each_number_alone() {
        let n = 2 * CACHED + 5;
        let numbers = |seed: i64| (Tensor::arange(n, (Kind::Float, Device::Cpu)) * seed as f64).sin();
        let update = |from: i64, to: i64| {
            let cut = |tensor: Tensor| tensor.slice(0, from, to, 1).copy();
            let parameters = cut(numbers(3));
            let mut adam = Adam::new(&parameters, 0.1);
            for step in 0..3 {
                adam.step(&parameters, &cut(numbers(7 + step)), 0.01);
            }
            parameters
        };
        let middle = n / 3;
        assert_eq!(update(0, n), Tensor::cat(&[update(0, middle), update(middle, n)], 0));
    }
}
