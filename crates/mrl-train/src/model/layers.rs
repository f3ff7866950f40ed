use tch::Tensor;

use super::network::{Active, Id, LayoutBuilder, Mode};

/// torch's defaults for batch norm.
const MOMENTUM: f64 = 0.1;
const EPSILON: f64 = 1e-5;

/// A convolution without bias.
pub(super) struct Convolution {
    weight: Id,
    stride: i64,
    padding: i64,
}

impl Convolution {
    /// Padded so that stride 1 keeps the size, as in every convolution of a ResNet.
    pub(super) fn new(
        layout: &mut LayoutBuilder,
        name: &str,
        [inputs, out]: [i64; 2],
        kernel: i64,
        stride: i64,
    ) -> Self {
        let weight = layout.convolution(format!("{name}.weight"), out, inputs, kernel);
        Self { weight, stride, padding: kernel / 2 }
    }

    /// `[n, in, h, w]` to `[n, out, h / stride, w / stride]`.
    pub(super) fn forward(&self, weights: &Active, x: &Tensor) -> Tensor {
        let (stride, padding) = ([self.stride; 2], [self.padding; 2]);
        x.conv2d(weights.get(self.weight), None::<&Tensor>, stride, padding, [1, 1], 1)
    }
}

/// Batch norm over the channels (arXiv 1502.03167), f32 parameters on activations of any kind.
pub(super) struct BatchNorm {
    weight: Id,
    bias: Id,
    running_mean: Id,
    running_var: Id,
}

impl BatchNorm {
    pub(super) fn new(layout: &mut LayoutBuilder, name: &str, channels: i64) -> Self {
        Self {
            weight: layout.constant(format!("{name}.weight"), &[channels], 1.0),
            bias: layout.constant(format!("{name}.bias"), &[channels], 0.0),
            running_mean: layout.statistic(format!("{name}.running_mean"), &[channels], 0.0),
            running_var: layout.statistic(format!("{name}.running_var"), &[channels], 1.0),
        }
    }

    /// `[n, channels, h, w]` to the same.
    pub(super) fn forward(&self, weights: &Active, x: &Tensor) -> Tensor {
        let [weight, bias, mean, var] =
            [self.weight, self.bias, self.running_mean, self.running_var].map(|id| Some(weights.get(id)));
        x.batch_norm(weight, bias, mean, var, weights.mode == Mode::Train, MOMENTUM, EPSILON, true)
    }
}
