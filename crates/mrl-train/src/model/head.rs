use tch::Tensor;

use super::{
    layers::{BatchNorm, masked},
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
    /// Whether each prefix has weights of its own.
    is_separate: bool,
}

/// The predictors of `BYOL` (arXiv 2006.07733), from projections to projections: one for each prefix, for the best one
/// depends on what the projections are of.
pub(super) struct Predictor {
    prefixes: Vec<Layers>,
}

/// Two layers, of whose weights a prefix uses the first inputs and hidden units alone: with a shared head all prefixes name
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
        let prefixes = dims.iter().zip(weights).map(prefix).collect();
        Self { prefixes, is_separate: config.head.is_separate() }
    }

    /// Features `[n, d]` to projections `[p, n, k]` of `prefixes`, which are `p` places in the nesting.
    pub(crate) fn forward(&self, weights: &Active, features: &Tensor, prefixes: &[usize]) -> Tensor {
        let prefixes: Vec<&Layers> = prefixes.iter().map(|&prefix| &self.prefixes[prefix]).collect();
        if self.is_separate {
            let projections = prefixes.iter().map(|layers| layers.forward(weights, features));
            return Tensor::stack(&projections.collect::<Vec<_>>(), 0);
        }
        let [hidden, output] = [prefixes[0].hidden, prefixes[0].output].map(|id| weights.get(id));
        let inputs: Vec<i64> = prefixes.iter().map(|layers| layers.inputs).collect();
        let h = masked(features, &inputs).matmul(&hidden.tr()); // [p, n, hidden units]
        activated(&prefixes, weights, &h).matmul(&output.tr())
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

    /// Projections of `prefixes`, `[p, n, k]`, to their predictions, `[p, n, k]`. All have layers of one size, so that a product
    /// of stacks serves them.
    pub(super) fn forward(&self, weights: &Active, projections: &Tensor, prefixes: &[usize]) -> Tensor {
        let prefixes: Vec<&Layers> = prefixes.iter().map(|&prefix| &self.prefixes[prefix]).collect();
        let [hidden, output] = [|layers: &Layers| layers.hidden, |layers: &Layers| layers.output].map(|id| {
            let layer = prefixes.iter().map(|layers| weights.get(id(layers)));
            Tensor::stack(&layer.collect::<Vec<_>>(), 0) // [p, out, in]
        });
        activated(&prefixes, weights, &projections.bmm(&hidden.mt())).bmm(&output.mt())
    }
}

impl Layers {
    /// `[n, inputs or more]` to `[n, k]`, by weights that are the prefix's own.
    fn forward(&self, weights: &Active, x: &Tensor) -> Tensor {
        let [hidden, output] = [self.hidden, self.output].map(|id| weights.get(id));
        let h = x.narrow(1, 0, self.inputs).matmul(&hidden.tr()); // [n, hidden units]
        let h = self.norm.as_ref().map_or_else(|| h.shallow_clone(), |norm| norm.forward(weights, &h));
        h.relu().matmul(&output.tr())
    }
}

/// What hidden units `[p, n, units]` hand on to the output, `[p, n, units]`: nothing where a prefix has fewer of them.
fn activated(prefixes: &[&Layers], weights: &Active, h: &Tensor) -> Tensor {
    let norms: Option<Vec<&BatchNorm>> = prefixes.iter().map(|layers| layers.norm.as_ref()).collect();
    let units: Vec<i64> = prefixes.iter().map(|layers| layers.hidden_units).collect();
    let h = match norms {
        Some(norms) => normed(&norms, &units, weights, h),
        None => masked(h, &units),
    };
    h.relu()
}

/// The first `units` of each prefix by its own norm, `[p, n, all units]` to the same; the others are 0.
fn normed(norms: &[&BatchNorm], units: &[i64], weights: &Active, h: &Tensor) -> Tensor {
    let all = h.size()[2];
    let own = |((h, norm), &units): ((Tensor, &&BatchNorm), &i64)| {
        if units == all {
            return norm.forward(weights, &h);
        }
        norm.forward(weights, &h.narrow(1, 0, units)).constant_pad_nd([0, all - units])
    };
    let prefixes = h.unbind(0).into_iter().zip(norms).zip(units).map(own);
    Tensor::stack(&prefixes.collect::<Vec<_>>(), 0)
}
