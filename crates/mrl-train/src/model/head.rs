use tch::Tensor;

use super::{
    layers::BatchNorm,
    network::{Active, Id, LayoutBuilder},
    weights_of,
};
use crate::config::ModelConfig;

/// What the names of the projector's tensors start with.
pub(super) const PROJECTOR: &str = "projector.";
/// What the names of the predictors' tensors start with.
pub(super) const PREDICTOR: &str = "predictor.";

/// The nested projectors (arXiv 2205.13147, section 3): a hidden layer with `ReLU` and an output layer, no biases.
pub(crate) struct Projector {
    prefixes: Vec<Layers>,
}

/// The predictors of `BYOL` (arXiv 2006.07733), from projections to projections: one for each prefix, for the best one
/// depends on what the projections are of.
pub(super) struct Predictor {
    prefixes: Vec<Layers>,
}

/// Two layers, of whose weights the first inputs and hidden units may be used alone: with a shared head all prefixes name
/// the same weights.
struct Layers {
    inputs: i64,
    hidden_units: i64,
    hidden: Id,
    /// A prefix's own, for its statistics are not those of the others (as in slimmable networks, arXiv 1812.08928).
    norm: Option<BatchNorm>,
    output: Id,
}

impl Projector {
    /// `dims` ends with the encoder's width.
    pub(crate) fn new(layout: &mut LayoutBuilder, config: &ModelConfig, dims: &[usize]) -> Self {
        let out = config.projection_dim() as i64;
        let width = dims[dims.len() - 1];
        let weights = weights_of(config.head, dims, |infix, dim| {
            let units = config.hidden_units(dim, width) as i64;
            let hidden = layout.linear(format!("{PROJECTOR}{infix}hidden.weight"), units, dim as i64);
            (hidden, layout.linear(format!("{PROJECTOR}{infix}output.weight"), out, units))
        });
        let prefix = |(&dim, (hidden, output)): (&usize, (Id, Id))| {
            let hidden_units = config.hidden_units(dim, width) as i64;
            let norm = config
                .head_batch_norm
                .then(|| BatchNorm::new(layout, &format!("{PROJECTOR}{dim}.norm"), hidden_units));
            Layers { inputs: dim as i64, hidden_units, hidden, norm, output }
        };
        Self { prefixes: dims.iter().zip(weights).map(prefix).collect() }
    }

    /// Features `[n, d]` to a projection `[n, k]` for each of `prefixes`, which are places in the nesting.
    pub(crate) fn forward(&self, weights: &Active, features: &Tensor, prefixes: &[usize]) -> Vec<Tensor> {
        prefixes.iter().map(|&prefix| self.prefixes[prefix].forward(weights, features)).collect()
    }
}

impl Predictor {
    /// Of so many hidden units each, for the projectors of `config`.
    pub(super) fn new(
        layout: &mut LayoutBuilder,
        config: &ModelConfig,
        dims: &[usize],
        hidden_units: usize,
    ) -> Self {
        let inputs = config.projection_dim() as i64;
        let hidden_units = hidden_units as i64;
        let prefix = |dim: &usize| {
            let name = format!("{PREDICTOR}{dim}.");
            let hidden = layout.linear(format!("{name}hidden.weight"), hidden_units, inputs);
            let norm =
                config.head_batch_norm.then(|| BatchNorm::new(layout, &format!("{name}norm"), hidden_units));
            let output = layout.linear(format!("{name}output.weight"), inputs, hidden_units);
            Layers { inputs, hidden_units, hidden, norm, output }
        };
        Self { prefixes: dims.iter().map(prefix).collect() }
    }

    /// A projection `[n, k]` of each of `prefixes` to its prediction, `[n, k]`.
    pub(super) fn forward(
        &self,
        weights: &Active,
        projections: &[Tensor],
        prefixes: &[usize],
    ) -> Vec<Tensor> {
        let predict = |(z, &prefix): (&Tensor, &usize)| self.prefixes[prefix].forward(weights, z);
        projections.iter().zip(prefixes).map(predict).collect()
    }
}

impl Layers {
    /// `[n, inputs or more]` to `[n, k]`. Only the prefix's hidden units reach the output, so only their rows of the hidden
    /// layer are computed.
    fn forward(&self, weights: &Active, x: &Tensor) -> Tensor {
        let inputs = |x: &Tensor| x.narrow(1, 0, self.inputs);
        let (hidden, output) = (weights.get(self.hidden), weights.get(self.output));
        let hidden = inputs(&hidden.narrow(0, 0, self.hidden_units)); // [hidden units, inputs]
        let h = inputs(x).matmul(&hidden.tr()); // [n, hidden units]
        let h = self.norm.as_ref().map_or_else(|| h.shallow_clone(), |norm| norm.forward(weights, &h)).relu();
        h.matmul(&output.narrow(1, 0, self.hidden_units).tr()) // [n, k]
    }
}
