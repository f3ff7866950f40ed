//! What is minimised: free functions on tensors.

mod relic;

#[cfg(test)]
pub(crate) use relic::relic_loss;
pub(crate) use relic::{contrastive_accuracy, nested_relic_loss};
