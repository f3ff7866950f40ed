use tch::Tensor;

use super::{
    network::{Active, Id, LayoutBuilder},
    weights_of,
};
use crate::config::Head;

/// What the names of the classifier's tensors start with.
pub(super) const CLASSIFIER: &str = "classifier.";

/// The nested linear classifiers (arXiv 2205.13147, section 3): one for each prefix, or one of whose weight each prefix uses
/// its columns, and the same bias.
pub(crate) struct Classifier {
    prefixes: Vec<Linear>,
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
        Self { prefixes: dims.iter().zip(weights).map(prefix).collect() }
    }

    /// Features `[n, d]` to logits `[n, classes]` for each of `prefixes`, which are places in the nesting.
    pub(crate) fn forward(&self, weights: &Active, features: &Tensor, prefixes: &[usize]) -> Vec<Tensor> {
        prefixes.iter().map(|&prefix| self.prefixes[prefix].forward(weights, features)).collect()
    }
}

impl Linear {
    fn forward(&self, weights: &Active, features: &Tensor) -> Tensor {
        let inputs = |x: &Tensor| x.narrow(1, 0, self.inputs);
        inputs(features).matmul(&inputs(weights.get(self.weight)).tr()) + weights.get(self.bias)
    }
}
