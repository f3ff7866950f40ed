//! What adapters minimise: free functions on tensors.

use mrl_config::AdaptObjective;
use tch::{
    Device, Kind, Tensor,
    nn::{self, OptimizerConfig},
};

use super::vectors::Vectors;
use crate::objective::cosines;

/// Of cosines, in the softmax that says which rows are near.
const SIMILARITY_TEMPERATURE: f64 = 0.05;

/// Of cosines, where labels say which rows are near.
const LABEL_TEMPERATURE: f64 = 0.1;

/// What stands for the cosine of a row with itself: none.
const SELF: f64 = -1e9;

/// A loss that is smaller is as good as none.
const LEAST_LOSS: f64 = 1e-6;

/// The learning rate of the logarithms of temperatures.
const TEMPERATURE_LR: f64 = 0.02;

/// The loss that a fit minimises: the mean logarithm of the losses of the prefixes.
pub(super) struct Loss {
    objective: AdaptObjective,
    /// For each prefix, the logarithm of its temperature divided by the temperature of full vectors, `[prefixes]`. Cosines of short
    /// prefixes vary more. At the same temperature, the loss would ask for cosines as small as those of full vectors instead of only
    /// the same order.
    temperatures: Tensor,
    adam: nn::Optimizer,
}

impl Loss {
    /// A loss of at most `prefixes` prefixes, on `device`.
    ///
    /// # Errors
    /// Those of libtorch.
    pub(super) fn new(
        objective: AdaptObjective,
        prefixes: usize,
        device: Device,
    ) -> Result<Self, tch::TchError> {
        let store = nn::VarStore::new(device);
        let temperatures = store.root().zeros("temperatures", &[prefixes as i64]);
        Ok(Self { objective, temperatures, adam: nn::Adam::default().build(&store, TEMPERATURE_LR)? })
    }

    /// Returns the loss, a scalar, of the prefixes `dims` of `mapped` `[n, m]`, which are the rows of `batch` `[n, d]` after the map.
    ///
    /// The loss is the mean of the logarithms of the losses of the prefixes: what counts is by which share each of them falls, so the
    /// large losses of short prefixes do not outweigh those of long ones. Leaves its gradient with the map's variables. For the
    /// objective similarity it also updates the temperatures by one optimiser step.
    pub(super) fn backward(&mut self, batch: &Vectors, mapped: &Tensor, dims: &[usize]) -> Tensor {
        self.adam.zero_grad();
        let prefixes = dims.iter().map(|&dim| mapped.narrow(1, 0, dim as i64));
        let losses: Vec<Tensor> = match self.objective {
            AdaptObjective::Similarity => {
                let whole = cosines(&batch.rows, &batch.rows);
                let colder = (-&self.temperatures).exp();
                let place = 0i64..;
                prefixes
                    .zip(place)
                    .map(|(prefix, i)| similarity_loss(&whole, &(cosines(&prefix, &prefix) * colder.get(i))))
                    .collect()
            }
            AdaptObjective::Labels => {
                let same = same_label(batch.labels.as_ref().expect("checked"));
                prefixes.map(|prefix| label_loss(&same, &prefix)).collect()
            }
        };
        let loss = Tensor::stack(&losses, 0).clamp_min(LEAST_LOSS).log().mean(Kind::Float);
        loss.backward();
        if self.objective == AdaptObjective::Similarity {
            self.adam.step();
        }
        loss.detach()
    }
}

/// The Kullback–Leibler divergence from the cosines of full vectors (`whole`, `[n, n]`) to the cosines of prefixes (`found`, `[n, n]`).
/// For each row, a softmax turns both into distributions over the other rows, as in neighbour embedding. Returns the mean over rows, a
/// scalar.
fn similarity_loss(whole: &Tensor, found: &Tensor) -> Tensor {
    let truth = without_self(whole, SIMILARITY_TEMPERATURE).log_softmax(1, Kind::Float);
    let found = without_self(found, SIMILARITY_TEMPERATURE).log_softmax(1, Kind::Float);
    found.kl_div(&truth, tch::Reduction::Sum, true) / whole.size()[0]
}

/// The supervised contrastive loss of `rows` `[n, m]` (arXiv 2004.11362, equation 2): for each row that has another of its label, the
/// mean negative log-probability of those among all others. `same` `[n, n]` is 1 for two rows of a label and 0 for a row and itself.
/// The mean, a scalar.
fn label_loss(same: &Tensor, rows: &Tensor) -> Tensor {
    let log = without_self(&cosines(rows, rows), LABEL_TEMPERATURE).log_softmax(1, Kind::Float);
    let others = same.sum_dim_intlist([1i64].as_slice(), false, Kind::Float);
    let mean = (log * same).sum_dim_intlist([1i64].as_slice(), false, Kind::Float) / others.clamp_min(1.0);
    -mean.sum(Kind::Float) / others.gt(0.0).sum(Kind::Float).clamp_min(1.0)
}

/// 1 where two of `labels` `[n]` are equal and not the same entry, `[n, n]`.
fn same_label(labels: &Tensor) -> Tensor {
    let same = labels.unsqueeze(0).eq_tensor(&labels.unsqueeze(1)).to_kind(Kind::Float);
    &same - Tensor::eye(labels.size()[0], (Kind::Float, labels.device()))
}

fn without_self(cosines: &Tensor, temperature: f64) -> Tensor {
    let own = Tensor::eye(cosines.size()[0], (Kind::Bool, cosines.device()));
    (cosines / temperature).masked_fill(&own, SELF)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Tensor {
        Tensor::from_slice(&[1.0f32, 0.2, 0.9, -0.3, -0.5, 0.8, -0.4, 0.9, 0.1, -1.0]).view([5, 2])
    }

    /// Probabilities of the others for row `i` by plain loops.
    fn softmax(rows: &[[f64; 2]], i: usize, temperature: f64) -> Vec<f64> {
        let cosine =
            |a: [f64; 2], b: [f64; 2]| (a[0] * b[0] + a[1] * b[1]) / (a[0].hypot(a[1]) * b[0].hypot(b[1]));
        let weight = |j: usize| if j == i { 0.0 } else { (cosine(rows[i], rows[j]) / temperature).exp() };
        let sum: f64 = (0..rows.len()).map(weight).sum();
        (0..rows.len()).map(|j| weight(j) / sum).collect()
    }

    fn plain(tensor: &Tensor) -> Vec<[f64; 2]> {
        (0..tensor.size()[0]).map(|i| [tensor.double_value(&[i, 0]), tensor.double_value(&[i, 1])]).collect()
    }

    #[test]
    fn the_similarity_loss_is_that_of_plain_loops() {
        let (whole, short) = (rows(), rows() * 0.3 + 0.2);
        let (a, b) = (plain(&whole), plain(&short));
        let divergence = |i: usize| -> f64 {
            let (p, q) = (softmax(&a, i, SIMILARITY_TEMPERATURE), softmax(&b, i, SIMILARITY_TEMPERATURE));
            (0..5).filter(|&j| p[j] > 0.0).map(|j| p[j] * (p[j].ln() - q[j].ln())).sum()
        };
        let expected = (0..5).map(divergence).sum::<f64>() / 5.0;
        let loss = similarity_loss(&cosines(&whole, &whole), &cosines(&short, &short)).double_value(&[]);
        assert!((loss - expected).abs() < 1e-4 * expected.abs().max(1.0), "{loss} {expected}");
        let whole = cosines(&whole, &whole);
        assert!(similarity_loss(&whole, &whole).double_value(&[]).abs() < 1e-5);
    }

    #[test]
    fn the_label_loss_is_that_of_plain_loops() {
        let labels = [3i64, 3, 7, 7, 9];
        let rows = rows();
        let plain = plain(&rows);
        let of_row = |i: usize| -> Option<f64> {
            let p = softmax(&plain, i, LABEL_TEMPERATURE);
            let others: Vec<usize> = (0..5).filter(|&j| j != i && labels[j] == labels[i]).collect();
            (!others.is_empty())
                .then(|| -others.iter().map(|&j| p[j].ln()).sum::<f64>() / others.len() as f64)
        };
        let losses: Vec<f64> = (0..5).filter_map(of_row).collect();
        let expected = losses.iter().sum::<f64>() / losses.len() as f64;
        let loss = label_loss(&same_label(&Tensor::from_slice(&labels)), &rows).double_value(&[]);
        assert!((loss - expected).abs() < 1e-4, "{loss} {expected}");
    }
}
