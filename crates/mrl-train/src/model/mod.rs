//! The encoder and its nested projectors, as functions of a network's weights.

mod head;
mod layers;
mod network;
mod resnet;

pub(crate) use head::Projector;
pub(crate) use network::{Active, Layout, LayoutBuilder, Mode, Network};
pub(crate) use resnet::ResNet;
use tch::{Kind, Tensor};

use crate::config::ModelConfig;

/// The name of the learnable temperature's logarithm, the one trained number outside encoder and projector.
const LOG_SCALE: &str = "log_scale";

/// The architecture: which weights there are and how they are used. The weights live in a [`Network`].
pub(crate) struct Model {
    encoder: ResNet,
    projector: Projector,
    log_scale: network::Id,
}

impl Model {
    /// `config` must be resolved: stem and nesting dims are known.
    pub(crate) fn new(config: &ModelConfig, dims: &[usize]) -> (Self, Layout) {
        let mut layout = LayoutBuilder::default();
        let encoder = ResNet::new(&mut layout, config);
        let projector = Projector::new(&mut layout, config.head, dims, config.projection_dim);
        let log_scale = layout.constant(LOG_SCALE, &[1], 0.0);
        (Self { encoder, projector, log_scale }, layout.finish())
    }

    /// Images `[n, 3, h, w]` to features `[n, d]`, f32.
    pub(crate) fn features(&self, weights: &Active, images: &Tensor) -> Tensor {
        self.encoder.forward(weights, images).to_kind(Kind::Float)
    }

    /// Images `[n, 3, h, w]` to a projection `[n, k]` for each nesting dim.
    pub(crate) fn project(&self, weights: &Active, images: &Tensor) -> Vec<Tensor> {
        self.projector.forward(weights, &self.features(weights, images))
    }

    /// The logarithm of the logits' scale (the inverse temperature), `[1]`.
    pub(crate) fn log_scale<'a>(&self, weights: &'a Active) -> &'a Tensor {
        weights.get(self.log_scale)
    }
}

/// Whether a tensor belongs to the encoder, and not to what only training needs.
pub(crate) fn is_encoder(name: &str) -> bool {
    !name.starts_with(head::PREFIX) && name != LOG_SCALE
}
