use tch::Tensor;

use super::network::{Active, Id, LayoutBuilder};
use crate::config::Head;

/// What the names of the projector's tensors start with.
pub(super) const PREFIX: &str = "projector.";

/// The nested projectors (arXiv 2205.13147, section 3): a hidden layer with ReLU and an output layer, no biases.
pub(crate) struct Projector {
    prefixes: Vec<Prefix>,
}

/// One prefix's two layers; with the shared head all prefixes name the same weights and use a part of them.
struct Prefix {
    dim: i64,
    hidden: Id,
    output: Id,
}

impl Projector {
    pub(crate) fn new(layout: &mut LayoutBuilder, head: Head, dims: &[usize], out: usize) -> Self {
        let mut layers = |infix: &str, width: i64| {
            let hidden = layout.linear(format!("{PREFIX}{infix}hidden.weight"), width, width);
            (hidden, layout.linear(format!("{PREFIX}{infix}output.weight"), out as i64, width))
        };
        let widest = dims[dims.len() - 1] as i64;
        let shared = (head == Head::MrlE).then(|| layers("", widest));
        let prefix = |&dim: &usize| {
            let (hidden, output) = shared.unwrap_or_else(|| layers(&format!("{dim}."), dim as i64));
            Prefix { dim: dim as i64, hidden, output }
        };
        Self { prefixes: dims.iter().map(prefix).collect() }
    }

    /// Features `[n, d]` to a projection `[n, k]` for each prefix.
    pub(crate) fn forward(&self, weights: &Active, features: &Tensor) -> Vec<Tensor> {
        self.prefixes.iter().map(|prefix| prefix.forward(weights, features)).collect()
    }
}

impl Prefix {
    /// Only the first `dim` hidden units reach the output, so only their rows of the hidden layer are computed.
    fn forward(&self, weights: &Active, features: &Tensor) -> Tensor {
        let first = |x: &Tensor, axis| x.narrow(axis, 0, self.dim);
        let (hidden, output) = (weights.get(self.hidden), weights.get(self.output));
        let h = first(features, 1).matmul(&first(&first(hidden, 0), 1).tr()).relu(); // [n, dim]
        h.matmul(&first(output, 1).tr()) // [n, k]
    }
}
