use mrl_config::Head;
use tch::Tensor;

use super::{
    layers::masked,
    network::{Active, Id, LayoutBuilder},
    weights_of,
};

/// What the names of the classifier's tensors start with.
pub(super) const CLASSIFIER: &str = "classifier.";

/// The nested linear classifiers (arXiv 2205.13147, section 3): one for each prefix, or one of whose weight each prefix uses
/// its columns, and the same bias.
pub(crate) struct Classifier {
    prefixes: Vec<Linear>,
    /// Whether each prefix has a weight and a bias of its own.
    is_separate: bool,
}

struct Linear {
    inputs: i64,
    weight: Id,
    bias: Id,
}

impl Classifier {
    /// `dims` ends with the encoder's width.
    pub(crate) fn new(layout: &mut LayoutBuilder, head: Head, dims: &[usize], classes: usize) -> Self {
        let weights = weights_of(head, dims, |infix, dim| {
            let (classes, inputs) = (classes as i64, dim as i64);
            let weight = layout.linear(format!("{CLASSIFIER}{infix}weight"), classes, inputs);
            (weight, layout.bias(format!("{CLASSIFIER}{infix}bias"), classes, inputs))
        });
        let prefix = |(&dim, (weight, bias)): (&usize, (Id, Id))| Linear { inputs: dim as i64, weight, bias };
        Self { prefixes: dims.iter().zip(weights).map(prefix).collect(), is_separate: head.is_separate() }
    }

    /// The weights `[classes, d]` that are multiplied with all numbers of the features.
    pub(crate) fn of_all_dims(&self) -> Id {
        self.prefixes[self.prefixes.len() - 1].weight
    }

    /// The parameters that only prefixes below the full width use.
    pub(super) fn of_prefixes(&self) -> Vec<Id> {
        let shorter = self.prefixes[..self.prefixes.len() - 1].iter().filter(|_| self.is_separate);
        shorter.flat_map(|linear| [linear.weight, linear.bias]).collect()
    }

    /// Features `[n, d]` to logits `[p, n, classes]` of `prefixes`, which are `p` places in the nesting.
    pub(crate) fn forward(&self, weights: &Active, features: &Tensor, prefixes: &[usize]) -> Tensor {
        let prefixes: Vec<&Linear> = prefixes.iter().map(|&prefix| &self.prefixes[prefix]).collect();
        if self.is_separate {
            let own = |linear: &&Linear| linear.forward(weights, &features.narrow(1, 0, linear.inputs));
            return Tensor::stack(&prefixes.iter().map(own).collect::<Vec<_>>(), 0);
        }
        let inputs: Vec<i64> = prefixes.iter().map(|linear| linear.inputs).collect();
        prefixes[0].forward(weights, &masked(features, &inputs))
    }
}

impl Linear {
    /// `[.., in]` to `[.., classes]`.
    fn forward(&self, weights: &Active, x: &Tensor) -> Tensor {
        x.linear(weights.get(self.weight), Some(weights.get(self.bias)))
    }
}
