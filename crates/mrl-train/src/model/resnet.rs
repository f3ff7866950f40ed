use mrl_config::{Encoder, ResolvedModel, Stem};
use tch::Tensor;

use super::{
    layers::{BatchNorm, Convolution},
    network::{Active, LayoutBuilder},
};

/// A ResNet without its classifier (arXiv 1512.03385), layer by layer and name by name torchvision's
/// `torchvision/models/resnet.py`; the CIFAR stem is that of SimCLR (arXiv 2002.05709, appendix B.9).
pub(crate) struct ResNet {
    stem: Stem,
    conv1: Convolution,
    bn1: BatchNorm,
    blocks: Vec<Block>,
}

/// A residual block: two 3×3 convolutions, or the bottleneck's 1×1, 3×3 (with the stride), 1×1.
struct Block {
    steps: Vec<(Convolution, BatchNorm)>,
    downsample: Option<(Convolution, BatchNorm)>,
}

impl ResNet {
    pub(crate) fn new(layout: &mut LayoutBuilder, config: &ResolvedModel) -> Self {
        let base = config.base_channels() as i64;
        let (kernel, stride) = if config.stem == Stem::Cifar { (3, 1) } else { (7, 2) };
        let conv1 = Convolution::new(layout, "conv1", [3, base], kernel, stride);
        let bn1 = BatchNorm::new(layout, "bn1", base);

        let mut blocks = Vec::new();
        let mut inputs = base;
        for (stage, &count) in config.encoder.blocks().iter().enumerate() {
            let inner = base << stage;
            for index in 0..count {
                let name = format!("layer{}.{index}", stage + 1);
                let stride = if stage > 0 && index == 0 { 2 } else { 1 };
                blocks.push(Block::new(layout, &name, config.encoder, inputs, inner, stride));
                inputs = inner * config.encoder.expansion() as i64;
            }
        }
        Self { stem: config.stem, conv1, bn1, blocks }
    }

    /// `[n, 3, h, w]` to `[n, d]`.
    pub(crate) fn forward(&self, weights: &Active, images: &Tensor) -> Tensor {
        weights.count_pass();
        let images = images.to_kind(weights.kind);
        let mut x = self.bn1.forward(weights, &self.conv1.forward(weights, &images)).relu_();
        if self.stem != Stem::Cifar {
            x = x.max_pool2d([3, 3], [2, 2], [1, 1], [1, 1], false);
        }
        for block in &self.blocks {
            x = block.forward(weights, &x);
        }
        // The mean over up to 49 places, in f32: it is what gets probed and searched.
        x.mean_dim([2i64, 3].as_slice(), false, tch::Kind::Float)
    }
}

impl Block {
    fn new(
        layout: &mut LayoutBuilder,
        name: &str,
        encoder: Encoder,
        inputs: i64,
        inner: i64,
        stride: i64,
    ) -> Self {
        let out = inner * encoder.expansion() as i64;
        // (channels in, channels out, kernel, stride) of each convolution.
        let plan = if encoder == Encoder::ResNet50 {
            vec![(inputs, inner, 1, 1), (inner, inner, 3, stride), (inner, out, 1, 1)]
        } else {
            vec![(inputs, inner, 3, stride), (inner, inner, 3, 1)]
        };
        let step = |(index, (from, to, kernel, stride))| {
            let convolution =
                Convolution::new(layout, &format!("{name}.conv{}", index + 1), [from, to], kernel, stride);
            (convolution, BatchNorm::new(layout, &format!("{name}.bn{}", index + 1), to))
        };
        let steps = plan.into_iter().enumerate().map(step).collect();
        let downsample = (stride != 1 || inputs != out).then(|| {
            let convolution =
                Convolution::new(layout, &format!("{name}.downsample.0"), [inputs, out], 1, stride);
            (convolution, BatchNorm::new(layout, &format!("{name}.downsample.1"), out))
        });
        Self { steps, downsample }
    }

    fn forward(&self, weights: &Active, x: &Tensor) -> Tensor {
        let apply = |(convolution, norm): &(Convolution, BatchNorm), x: &Tensor| {
            norm.forward(weights, &convolution.forward(weights, x))
        };
        let (last, first) = self.steps.split_last().expect("a block has convolutions");
        let mut inner = x.shallow_clone();
        for step in first {
            inner = apply(step, &inner).relu_();
        }
        let shortcut = self.downsample.as_ref().map_or_else(|| x.shallow_clone(), |step| apply(step, x));
        let mut sum = apply(last, &inner);
        (sum.g_add_(&shortcut)).relu_()
    }
}
