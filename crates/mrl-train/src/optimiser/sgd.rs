use tch::Tensor;

use super::{decay::Decay, parts::parts};

/// Gradient descent with momentum, by Nesterov's look ahead or plain: `torch.optim.SGD` without dampening.
pub(super) struct Sgd {
    momentum: f64,
    nesterov: bool,
    /// The gradients so far, each step's `momentum` times less than those of the next, `[trainable]`.
    pub(super) velocity: Tensor,
}

impl Sgd {
    pub(super) fn new(parameters: &Tensor, momentum: f64, nesterov: bool) -> Self {
        Self { momentum, nesterov, velocity: parameters.zeros_like() }
    }

    /// One update, with L2 weight decay if any; `gradient` is overwritten.
    pub(super) fn step(&self, parameters: &Tensor, gradient: &Tensor, decay: Option<&Decay>, lr: f64) {
        for part in parts(parameters) {
            let [mut parameters, mut gradient, mut velocity] =
                [parameters, gradient, &self.velocity].map(|vector| part.of(vector));
            if let Some(decay) = decay {
                decay.add_to(&mut gradient, &parameters, part);
            }
            let velocity = velocity.g_mul_scalar_(self.momentum).g_add_(&gradient);
            let change = if self.nesterov { gradient + &velocity * self.momentum } else { velocity };
            let _ = parameters.g_sub_(&(change * lr));
        }
    }
}
