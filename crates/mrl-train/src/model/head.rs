use mrl_config::{Head, ProjectorConfig};
use tch::Tensor;

use super::{
    layers::{BatchNorm, masked},
    network::{Active, Id, LayoutBuilder},
    weights_of,
};

/// What the names of the projector's tensors start with.
pub(super) const PROJECTOR: &str = "projector.";
/// What the names of the predictors' tensors start with.
pub(super) const PREDICTOR: &str = "predictor.";

/// The nested projectors (arXiv 2205.13147, section 3): a hidden layer with `ReLU` and an output layer, or the output layer alone, a
/// linear map; no biases.
pub(crate) struct Projector {
    prefixes: Vec<Layers>,
    /// Whether each prefix has weights of its own.
    is_separate: bool,
}

/// The predictors of `BYOL` (arXiv 2006.07733), from projections to projections: one for each prefix, for the best one
/// depends on what the projections are of.
pub(super) struct Predictor {
    prefixes: Vec<(Hidden, Id)>,
}

/// The layers that project one prefix. It uses only the first inputs and hidden units of their weights. With a shared head, all prefixes
/// name the same weights.
struct Layers {
    inputs: i64,
    hidden: Option<Hidden>,
    output: Id,
}

struct Hidden {
    units: i64,
    weight: Id,
    /// A prefix's own, for its statistics are not those of the others (as in slimmable networks, arXiv 1812.08928).
    norm: Option<BatchNorm>,
}

impl Projector {
    /// `dims` ends with the encoder's width.
    pub(crate) fn new(
        layout: &mut LayoutBuilder,
        head: Head,
        config: &ProjectorConfig,
        dims: &[usize],
    ) -> Self {
        let out = config.dim as i64;
        let width = dims[dims.len() - 1];
        let weights = weights_of(head, dims, |infix, dim| {
            let hidden = config.hidden_units(dim, width).map(|units| {
                layout.linear(format!("{PROJECTOR}{infix}hidden.weight"), units as i64, dim as i64)
            });
            let inputs = config.hidden_units(dim, width).unwrap_or(dim) as i64;
            (hidden, layout.linear(format!("{PROJECTOR}{infix}output.weight"), out, inputs))
        });
        let prefix = |(&dim, (hidden, output)): (&usize, (Option<Id>, Id))| {
            let hidden = config.hidden_units(dim, width).zip(hidden).map(|(units, weight)| {
                let name = format!("{PROJECTOR}{dim}.norm");
                Hidden::new(layout, config, &name, units as i64, weight)
            });
            Layers { inputs: dim as i64, hidden, output }
        };
        let prefixes = dims.iter().zip(weights).map(prefix).collect();
        Self { prefixes, is_separate: head.is_separate() }
    }

    /// The weights `[any, d]` that are multiplied with all numbers of the features.
    pub(crate) fn of_all_dims(&self) -> Id {
        let widest = &self.prefixes[self.prefixes.len() - 1];
        widest.hidden.as_ref().map_or(widest.output, |hidden| hidden.weight)
    }

    /// The parameters that only prefixes below the full width use.
    pub(super) fn of_prefixes(&self) -> Vec<Id> {
        let shorter = &self.prefixes[..self.prefixes.len() - 1];
        let own = |layers: &Layers| {
            let weights =
                layers.hidden.as_ref().map(|hidden| hidden.weight).into_iter().chain([layers.output]);
            let weights = weights.filter(|_| self.is_separate);
            weights.chain(layers.hidden.iter().flat_map(Hidden::norm_parameters)).collect::<Vec<_>>()
        };
        shorter.iter().flat_map(own).collect()
    }

    /// Features `[n, d]` to projections `[p, n, k]` of `prefixes`, which are `p` places in the nesting.
    pub(crate) fn forward(&self, weights: &Active, features: &Tensor, prefixes: &[usize]) -> Tensor {
        let prefixes: Vec<&Layers> = prefixes.iter().map(|&prefix| &self.prefixes[prefix]).collect();
        if self.is_separate {
            let projections = prefixes.iter().map(|layers| layers.forward(weights, features));
            return Tensor::stack(&projections.collect::<Vec<_>>(), 0);
        }
        let inputs: Vec<i64> = prefixes.iter().map(|layers| layers.inputs).collect();
        let x = masked(features, &inputs); // [p, n, d]
        let hidden: Option<Vec<&Hidden>> = prefixes.iter().map(|layers| layers.hidden.as_ref()).collect();
        let h = match hidden {
            Some(hidden) => activated(&hidden, weights, &x.matmul(&weights.get(hidden[0].weight).tr())),
            None => x,
        };
        h.matmul(&weights.get(prefixes[0].output).tr())
    }
}

impl Predictor {
    /// Of so many hidden units each, for the projectors of `config`.
    pub(super) fn new(
        layout: &mut LayoutBuilder,
        config: &ProjectorConfig,
        dims: &[usize],
        hidden_units: usize,
    ) -> Self {
        let inputs = config.dim as i64;
        let hidden_units = hidden_units as i64;
        let prefix = |dim: &usize| {
            let name = format!("{PREDICTOR}{dim}.");
            let weight = layout.linear(format!("{name}hidden.weight"), hidden_units, inputs);
            let hidden = Hidden::new(layout, config, &format!("{name}norm"), hidden_units, weight);
            (hidden, layout.linear(format!("{name}output.weight"), inputs, hidden_units))
        };
        Self { prefixes: dims.iter().map(prefix).collect() }
    }

    /// The parameters that only prefixes below the full width use.
    pub(super) fn of_prefixes(&self) -> Vec<Id> {
        let shorter = &self.prefixes[..self.prefixes.len() - 1];
        let own = |(hidden, output): &(Hidden, Id)| {
            [hidden.weight, *output].into_iter().chain(hidden.norm_parameters()).collect::<Vec<_>>()
        };
        shorter.iter().flat_map(own).collect()
    }

    /// Projections of `prefixes`, `[p, n, k]`, to their predictions, `[p, n, k]`. All have layers of one size, so that a product
    /// of stacks serves them.
    pub(super) fn forward(&self, weights: &Active, projections: &Tensor, prefixes: &[usize]) -> Tensor {
        let hidden: Vec<&Hidden> = prefixes.iter().map(|&prefix| &self.prefixes[prefix].0).collect();
        let first: Vec<&Tensor> = hidden.iter().map(|hidden| weights.get(hidden.weight)).collect();
        let second: Vec<&Tensor> =
            prefixes.iter().map(|&prefix| weights.get(self.prefixes[prefix].1)).collect();
        let [first, second] = [first, second].map(|layers| Tensor::stack(&layers, 0)); // [p, out, in]
        activated(&hidden, weights, &projections.bmm(&first.mt())).bmm(&second.mt())
    }
}

impl Layers {
    /// `[n, inputs or more]` to `[n, k]`, by weights that are the prefix's own.
    fn forward(&self, weights: &Active, x: &Tensor) -> Tensor {
        let x = x.narrow(1, 0, self.inputs);
        let h = self.hidden.as_ref().map_or_else(|| x.shallow_clone(), |hidden| hidden.forward(weights, &x));
        h.matmul(&weights.get(self.output).tr())
    }
}

impl Hidden {
    /// With a batch norm `norm` where heads have them.
    fn new(layout: &mut LayoutBuilder, config: &ProjectorConfig, norm: &str, units: i64, weight: Id) -> Self {
        Self { units, weight, norm: config.batch_norm.then(|| BatchNorm::new(layout, norm, units)) }
    }

    fn norm_parameters(&self) -> Vec<Id> {
        self.norm.as_ref().map(BatchNorm::parameters).unwrap_or_default()
    }

    /// `[n, inputs]` to `[n, units]`.
    fn forward(&self, weights: &Active, x: &Tensor) -> Tensor {
        let h = x.matmul(&weights.get(self.weight).tr());
        self.norm.as_ref().map_or_else(|| h.shallow_clone(), |norm| norm.forward(weights, &h)).relu()
    }
}

/// What hidden units `[p, n, units]` hand on to the output, `[p, n, units]`: nothing where a prefix has fewer of them.
fn activated(prefixes: &[&Hidden], weights: &Active, h: &Tensor) -> Tensor {
    let norms: Option<Vec<&BatchNorm>> = prefixes.iter().map(|hidden| hidden.norm.as_ref()).collect();
    let units: Vec<i64> = prefixes.iter().map(|hidden| hidden.units).collect();
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
