use serde::Serialize;

/// What a step did: a line of `metrics.jsonl` but for the speed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StepRecord {
    /// Steps done, this one included.
    pub step: u64,
    /// The loss: the weighted sum over the prefixes.
    pub loss: f64,
    /// The loss of each nesting dim, before it is weighted; nothing for those that the step did not train.
    pub loss_per_dim: Vec<Option<f64>>,
    /// L2 norm of the gradient of all parameters.
    pub grad_norm: f64,
    /// The learnt scale of the logits before it is cut at 5, which the reference calls temperature; of `ReLIC` alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// The decay with which the target follows in this step, if it does in this one; 0 where it was copied.
    pub gamma: f64,
    /// The learning rate.
    pub lr: f64,
    /// How often, in %, the widest trained prefix gives the right answer: of a view, which image of the batch its partner is
    /// nearest to; of a supervised objective, the label.
    pub top1: f64,
    /// How often the right answer is among its first five.
    pub top5: f64,
}

/// What the batches of a step have shown, on average.
#[derive(Default)]
pub(super) struct Seen {
    /// Of each trained prefix.
    pub(super) losses: Vec<f64>,
    pub(super) temperature: Option<f64>,
    pub(super) top1: f64,
    pub(super) top5: f64,
}

impl Seen {
    pub(super) fn add(&mut self, other: &Self, share: f64) {
        self.losses.resize(other.losses.len(), 0.0);
        self.losses.iter_mut().zip(&other.losses).for_each(|(sum, loss)| *sum += share * loss);
        if let Some(temperature) = other.temperature {
            *self.temperature.get_or_insert(0.0) += share * temperature;
        }
        self.top1 += share * other.top1;
        self.top5 += share * other.top5;
    }
}
