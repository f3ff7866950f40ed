use tch::{Kind, Tensor};

use super::network::{Active, Id, LayoutBuilder, Mode};
use crate::device::upload;

/// torch's defaults for batch norm.
const MOMENTUM: f64 = 0.1;
const EPSILON: f64 = 1e-5;

/// Numbers of f32 in the widest vector that oneDNN computes with: AVX-512's.
const VECTOR: i64 = 16;

/// A convolution without bias.
pub(super) struct Convolution {
    weight: Id,
    stride: i64,
    padding: i64,
    /// Whether the places that the stride skips are taken out beforehand. oneDNN 3.12, which libtorch 2.13 has, writes beyond
    /// its memory when it computes the gradient of the weight of a 1×1 convolution with a stride, in f32, of fewer channels
    /// than a vector holds: wrong numbers or a crash. Without the stride it does not, and a few channels are soon copied.
    thins_out: bool,
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
        let thins_out = kernel == 1 && stride > 1 && inputs < VECTOR;
        Self { weight, stride, padding: kernel / 2, thins_out }
    }

    /// `[n, in, h, w]` to `[n, out, h / stride, w / stride]`.
    pub(super) fn forward(&self, weights: &Active, x: &Tensor) -> Tensor {
        self.convolve(weights.get(self.weight), x)
    }

    fn convolve(&self, weight: &Tensor, x: &Tensor) -> Tensor {
        let (stride, padding) = ([self.stride; 2], [self.padding; 2]);
        if self.thins_out {
            let x = x.slice(2, None, None, self.stride).slice(3, None, None, self.stride);
            return x.conv2d(weight, None::<&Tensor>, [1, 1], padding, [1, 1], 1);
        }
        x.conv2d(weight, None::<&Tensor>, stride, padding, [1, 1], 1)
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

    pub(super) fn parameters(&self) -> Vec<Id> {
        vec![self.weight, self.bias]
    }

    /// `[n, channels, h, w]` or `[n, channels]` to the same.
    pub(super) fn forward(&self, weights: &Active, x: &Tensor) -> Tensor {
        let [weight, bias] = [self.weight, self.bias].map(|id| Some(weights.get(id)));
        let [mean, var] = [self.running_mean, self.running_var]
            .map(|id| (weights.mode != Mode::Batch).then(|| weights.get(id)));
        x.batch_norm(weight, bias, mean, var, weights.mode != Mode::Eval, MOMENTUM, EPSILON, true)
    }
}

/// Subtracts the mean: batch norm without a scale, so that distances stay.
pub(super) struct Centring {
    running_mean: Id,
}

impl Centring {
    pub(super) fn new(layout: &mut LayoutBuilder, name: &str, width: i64) -> Self {
        Self { running_mean: layout.statistic(name.to_owned(), &[width], 0.0) }
    }

    /// `[n, d]` to the same, without the mean that the mode says.
    pub(super) fn forward(&self, weights: &Active, x: &Tensor) -> Tensor {
        let running_mean = weights.get(self.running_mean);
        if weights.mode == Mode::Eval {
            return x - running_mean;
        }
        let mean = x.mean_dim([0i64].as_slice(), false, Kind::Float);
        if weights.mode == Mode::Train {
            // As data of its own, because all tensors of a network share the counter by which torch finds changes of what a gradient needs.
            let _ = running_mean.data().lerp_(&mean.detach(), MOMENTUM);
        }
        x - mean
    }
}

/// Rows `[n, d]`, or `[p, n, d]`, as each prefix sees them, `[p, n, d]`: the numbers behind its length are 0. A product with the whole
/// weight is then that with the weight of the prefix: a few operations, however many prefixes there are.
pub(super) fn masked(x: &Tensor, lengths: &[i64]) -> Tensor {
    let width = x.size()[x.dim() - 1];
    let x = x.expand([lengths.len() as i64, -1, -1], false);
    if lengths.iter().all(|&length| length == width) {
        return x;
    }
    let lengths = upload(&Tensor::from_slice(lengths), x.device()).view([-1, 1, 1]);
    let places = Tensor::arange(width, (Kind::Int64, x.device()));
    // Not times 0, which would leave infinity and NaN to the prefixes before them.
    x.masked_fill(&places.ge_tensor(&lengths), 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Network;

    /// `[n, c, h, w]` that lies channels-last, as all does in a step.
    fn waves([n, c, h, w]: [i64; 4], kind: Kind) -> Tensor {
        let count = n * c * h * w;
        let waves = Tensor::arange(count, (Kind::Float, tch::Device::Cpu)).sin().to_kind(kind);
        waves.view([n, h, w, c]).permute([0, 3, 1, 2]).set_requires_grad(true)
    }

    #[test]
    fn centring_takes_off_the_mean_of_the_batch_and_later_a_running_one() {
        let mut layout = LayoutBuilder::default();
        let centring = Centring::new(&mut layout, "mean", 2);
        let network = Network::zeros(std::sync::Arc::new(layout.finish()), tch::Device::Cpu);
        let x = Tensor::from_slice(&[1.0f32, 10.0, 3.0, 30.0]).view([2, 2]);
        let forward = |mode| {
            let centred = centring.forward(&network.activate(mode, Kind::Float), &x);
            Vec::<Vec<f32>>::try_from(centred).unwrap()
        };
        assert_eq!(forward(Mode::Eval), [[1.0, 10.0], [3.0, 30.0]]);
        assert_eq!(forward(Mode::Train), [[-1.0, -10.0], [1.0, 10.0]]);
        // A tenth of the way from 0 to the means 2 and 20.
        let close = |a: f32, b: f32| (a - b).abs() < 1e-5;
        let running = forward(Mode::Eval);
        assert!(close(running[0][0], 0.8) && close(running[0][1], 8.0), "{running:?}");
        assert_eq!(forward(Mode::Eval), running);
    }

    /// The shortcut of a ResNet of 8 channels on views of 224 pixels, with which libtorch's own crashes in f32.
    #[test]
    fn the_gradients_of_a_narrow_shortcut_are_those_of_f64() {
        let shortcut = Convolution::new(&mut LayoutBuilder::default(), "narrow", [8, 16], 1, 2);
        let gradients = |kind| {
            let (weight, x) = (waves([16, 8, 1, 1], kind), waves([16, 8, 56, 56], kind));
            let y = shortcut.convolve(&weight, &x);
            assert_eq!(y.size(), [16, 16, 28, 28]);
            let loss = (&y * y.cos()).mean(kind);
            Tensor::run_backward(&[loss], &[weight, x], false, false)
        };
        for (ours, exact) in gradients(Kind::Float).iter().zip(gradients(Kind::Double)) {
            let error = (ours.to_kind(Kind::Double) - &exact).abs().max() / exact.abs().max();
            assert!(error.double_value(&[]) < 1e-4, "{error:?}");
        }
    }
}
