//! Adapters: maps that make the prefixes of frozen vectors useful, whatever made the vectors.

mod axes;
mod check;
mod fit;
mod form;
mod judge;
mod loss;
mod mean;
mod residual;
mod rotation;
mod steps;
mod stored;
mod vectors;

use mrl_config::{AdaptObjective, AdapterForm, DeviceChoice};
use mrl_embedding::{EmbeddingSet, Metadata, Nesting};
use tch::{Kind, Tensor};

pub(crate) use self::fit::arranged_axes;
use self::form::Map;
use crate::{TrainError, torch_panic::catch_torch};

/// How an adapter is fitted.
#[derive(Clone, Debug, PartialEq)]
pub struct AdaptOptions {
    /// What it may do.
    pub form: AdapterForm,
    /// What prefixes are to keep.
    pub objective: AdaptObjective,
    /// The prefixes, increasing; the width is added. Without any, the powers of two from 8.
    pub dims: Vec<usize>,
    /// Passes over the vectors, in all.
    pub epochs: usize,
    /// Vectors that are compared with each other.
    pub batch_size: usize,
    /// The learning rate. It falls to 0 along a cosine.
    pub lr: f64,
    /// Numbers of the hidden layer of a residual adapter, or else the vectors' width.
    pub hidden: Option<usize>,
    /// What random numbers follow from.
    pub seed: u64,
    /// Where to compute.
    pub device: DeviceChoice,
}

impl Default for AdaptOptions {
    fn default() -> Self {
        Self {
            form: AdapterForm::Rotation,
            objective: AdaptObjective::Similarity,
            dims: Vec::new(),
            epochs: 10,
            batch_size: 512,
            lr: 3e-3,
            hidden: None,
            seed: 42,
            device: DeviceChoice::Auto,
        }
    }
}

/// Where fitting is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdaptStep {
    /// Steps so far, from 1.
    pub step: usize,
    /// Those there will be.
    pub steps: usize,
    /// The mean logarithm of the losses of the prefixes that are fitted now. A rotation first fits the shortest, and then others with it.
    pub loss: f64,
}

/// A map that was fitted to vectors of one origin.
///
/// ```no_run
/// use mrl_embedding::EmbeddingSet;
/// use mrl_train::{AdaptOptions, Adapter};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let vectors = EmbeddingSet::read("clip.npy")?;
/// let adapter = Adapter::fit(&vectors, &AdaptOptions::default(), &mut |_| {})?;
/// adapter.apply(&vectors)?.write("adapted.npy")?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Adapter {
    map: Map,
    nesting: Nesting,
    /// Of the vectors that it was fitted to.
    source: Metadata,
}

/// Vectors that are mapped at a time.
const BLOCK: usize = 4096;

impl Adapter {
    /// Fits an adapter to the rows of `set` `[n, d]`.
    ///
    /// A quarter of the rows, at most 1,000, is kept out of the fit. On these rows, no prefix below the width is clearly worse than the
    /// same prefix of the principal components of all rows. A rotation changes only as many leading components as help. A residual
    /// network's output is scaled by the factor that helps most. If nothing helps, the adapter maps vectors as [`Adapter::principal`].
    ///
    /// # Errors
    /// When options cannot be used, labels are needed and missing, a row is zero or not finite, or the loss is not finite.
    pub fn fit(
        set: &EmbeddingSet,
        options: &AdaptOptions,
        progress: &mut dyn FnMut(AdaptStep),
    ) -> Result<Self, TrainError> {
        let nesting = nesting(&options.dims, set.width())?;
        let map = catch_torch(|| fit::fit(set, &nesting, options, progress))?;
        Ok(Self { map, nesting, source: set.metadata.clone() })
    }

    /// The principal axes of the rows alone, from the largest share of the squared norm, which is where [`Adapter::fit`] begins: what
    /// an adapter has to beat.
    ///
    /// # Errors
    /// As those of [`Adapter::fit`].
    pub fn principal(set: &EmbeddingSet, dims: &[usize]) -> Result<Self, TrainError> {
        let nesting = nesting(dims, set.width())?;
        let map = catch_torch(|| fit::principal(set))?;
        Ok(Self { map, nesting, source: set.metadata.clone() })
    }

    /// The prefixes that it was fitted for.
    #[must_use]
    pub fn nesting(&self) -> &Nesting {
        &self.nesting
    }

    /// What it does.
    #[must_use]
    pub fn form(&self) -> AdapterForm {
        self.map.form()
    }

    /// The orthogonal map of a rotation, `[d, d]` row-major: a row `[1, d]` times it is the adapted row, so that column `i` is the axis
    /// of adapted number `i`. `None` for the residual form, which is no linear map.
    #[must_use]
    pub fn rotation(&self) -> Option<Vec<f32>> {
        self.map.residual.is_none().then(|| {
            let axes = self.map.axes.contiguous();
            let mut values = vec![0.0; axes.numel()];
            axes.copy_data(&mut values, axes.numel());
            values
        })
    }

    /// The adapted rows of `set`, `[n, d]`, with its labels and ids. Multiplying a row by a positive factor multiplies its adapted row by
    /// the same factor.
    ///
    /// # Errors
    /// When the rows are of another width or encoder than those that the adapter was fitted to, or one is not finite.
    pub fn apply(&self, set: &EmbeddingSet) -> Result<EmbeddingSet, TrainError> {
        self.check(set)?;
        if let Some(row) = set.not_finite() {
            return Err(TrainError::Vectors(format!("row {row} is not finite; leave it out")));
        }
        let width = set.width();
        let mut values = Vec::with_capacity(set.embeddings().len());
        catch_torch(|| {
            for rows in set.embeddings().chunks(BLOCK * width) {
                let (units, norms) = check::directions(rows, width);
                let units = Tensor::from_slice(&units).view([-1, width as i64]);
                let mapped = tch::no_grad(|| self.map.apply(&units)).to_kind(Kind::Float).contiguous();
                let start = values.len();
                values.resize(start + mapped.numel(), 0.0f32);
                mapped.copy_data(&mut values[start..], mapped.numel());
                for (row, norm) in values[start..].chunks_exact_mut(width).zip(norms) {
                    for value in row {
                        *value = (f64::from(*value) * norm) as f32;
                    }
                }
            }
            Ok(())
        })?;
        let mut adapted = EmbeddingSet::new(values, width)?;
        if let Some(row) = adapted.not_finite() {
            let problem =
                format!("row {row} is so long that its adapted numbers exceed f32; scale the vectors down");
            return Err(TrainError::Vectors(problem));
        }
        if let Some(labels) = set.labels() {
            adapted = adapted.with_labels(labels.to_owned())?;
        }
        if let Some(ids) = set.ids() {
            adapted = adapted.with_ids(ids.to_owned())?;
        }
        adapted.metadata = self.metadata(set);
        Ok(adapted)
    }

    /// What is known of adapted rows: their weights are those of encoder and adapter, so that they are not taken for others.
    fn metadata(&self, set: &EmbeddingSet) -> Metadata {
        let encoder = set.metadata.encoder.as_deref().unwrap_or("vectors");
        let adapter = stored::fingerprint(&self.map);
        let weights = match &set.metadata.weights {
            Some(weights) => format!("{weights}+{adapter}"),
            None => adapter,
        };
        Metadata {
            nesting: Some(self.nesting.clone()),
            encoder: Some(format!("{encoder} + {} adapter", self.form())),
            weights: Some(weights),
            version: Some(crate::VERSION.to_owned()),
            ..set.metadata.clone()
        }
    }

    fn check(&self, set: &EmbeddingSet) -> Result<(), TrainError> {
        let (given, expected) = (set.width(), self.nesting.width());
        if given != expected {
            return Err(TrainError::Vectors(format!(
                "the vectors are {given} wide, but the adapter was fitted to {expected}; give it vectors of the same origin"
            )));
        }
        let (given, expected) = (&set.metadata, &self.source);
        same_origin("an encoder with weights", given.weights.as_ref(), expected.weights.as_ref())?;
        same_origin("the encoder", given.encoder.as_ref(), expected.encoder.as_ref())
    }
}

/// Whether what is known of where vectors come from is what the adapter was fitted to.
fn same_origin(what: &str, given: Option<&String>, expected: Option<&String>) -> Result<(), TrainError> {
    match (given, expected) {
        (Some(given), Some(expected)) if given != expected => Err(TrainError::Vectors(format!(
            "the vectors come from {what} {given}, but the adapter was fitted to vectors from {what} {expected}; \
             give vectors of the same encoder, or fit a new adapter"
        ))),
        _ => Ok(()),
    }
}

fn nesting(dims: &[usize], width: usize) -> Result<Nesting, TrainError> {
    if dims.is_empty() {
        return Ok(Nesting::powers_of_two(width)?);
    }
    let mut dims = dims.to_vec();
    if dims.last().is_some_and(|&last| last < width) {
        dims.push(width);
    }
    Ok(Nesting::new(dims, width)?)
}

#[cfg(test)]
mod tests;
