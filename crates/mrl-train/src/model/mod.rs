//! The encoder and its nested heads, as functions of a network's weights.

mod classifier;
mod head;
mod layers;
mod network;
mod resnet;

pub(crate) use classifier::Classifier;
use head::Predictor;
pub(crate) use head::Projector;
use layers::Centring;
use mrl_config::{Head, HeadLayers, Objective, ResolvedConfig};
pub(crate) use network::{Active, Layout, LayoutBuilder, Mode, Network};
pub(crate) use resnet::ResNet;
use tch::{Kind, Tensor};

/// The name of the logarithm of the learnt scale of logits (the inverse temperature), the one trained number outside encoder and heads.
const LOG_SCALE: &str = "log_scale";

/// The names of the linear layer after the features, `[d, features]`, of the mean that is subtracted from what it makes, `[d]`, and of the
/// rotation of that, `[d, d]`: factors of torchvision's last layer.
pub(crate) const EMBEDDING: &str = "fc.embedding";
pub(crate) const MEAN: &str = "fc.mean";
pub(crate) const ROTATION: &str = "fc.rotation";

/// The architecture: which weights there are and how they are used. The weights live in a [`Network`].
pub(crate) struct Model {
    encoder: ResNet,
    /// The linear layer from features to the embedding, where there is one.
    embedding: Option<network::Id>,
    /// Where embeddings are centred.
    centring: Option<Centring>,
    /// Of a run that rotates the features (`rotate_after`, `nest_after`).
    rotation: Option<network::Id>,
    heads: Heads,
    /// Of `BYOL`.
    predictor: Option<Predictor>,
    /// Of `ReLIC`.
    log_scale: Option<network::Id>,
}

/// What an objective sees of the features.
enum Heads {
    Projector(Projector),
    Classifier(Classifier),
}

impl Model {
    pub(crate) fn new(config: &ResolvedConfig) -> (Self, Layout) {
        let (model, objective) = (&config.model, &config.objective.loss);
        let dims = model.nesting.dims();
        let mut layout = LayoutBuilder::default();
        let encoder = ResNet::new(&mut layout, model);
        let width = model.embedding_width() as i64;
        let embedding =
            model.embedding_dim.map(|_| layout.linear(EMBEDDING.to_owned(), width, model.features() as i64));
        let centring = model.centre.then(|| Centring::new(&mut layout, MEAN, width));
        let rotation = config.rotates().then(|| layout.rotation(ROTATION, width));
        let heads = match &model.layers {
            HeadLayers::Classifier { classes } => {
                Heads::Classifier(Classifier::new(&mut layout, model.head, dims, *classes))
            }
            HeadLayers::Projector(layers) => {
                Heads::Projector(Projector::new(&mut layout, model.head, layers, dims))
            }
        };
        let predictor = match (objective, &model.layers) {
            (Objective::Byol(byol), HeadLayers::Projector(layers)) => {
                Some(Predictor::new(&mut layout, layers, dims, byol.predictor_hidden))
            }
            _ => None,
        };
        let log_scale =
            matches!(objective, Objective::Relic(_)).then(|| layout.constant(LOG_SCALE, &[1], 0.0));
        (Self { encoder, embedding, centring, rotation, heads, predictor, log_scale }, layout.finish())
    }

    /// Images `[n, 3, h, w]` to embeddings `[n, d]`, f32: the encoder's features, and what the linear map after them makes of these.
    pub(crate) fn features(&self, weights: &Active, images: &Tensor) -> Tensor {
        let mut features = self.encoder.forward(weights, images).to_kind(Kind::Float);
        if let Some(embedding) = self.embedding {
            features = features.matmul(&weights.get(embedding).tr());
        }
        if let Some(centring) = &self.centring {
            features = centring.forward(weights, &features);
        }
        match self.rotation {
            Some(rotation) => features.matmul(&weights.get(rotation).tr()),
            None => features,
        }
    }

    /// Rotates the features of `network` by `axes`, `[d, d]` orthogonal with an axis in each row. What heads make of all numbers stays
    /// the same. `moments` are the averages of gradients and of their squares that an optimiser keeps, `[trainable]`, and are rotated with
    /// the weights. The squares of rotated gradients are not known; theirs is the average that independent gradients would have.
    ///
    /// # Panics
    /// When the network has no rotation.
    pub(crate) fn rotate(&self, network: &Network, moments: &[Moment<'_>], axes: &Tensor) {
        let rotation = self.rotation.expect("a run that rotates has a rotation");
        let weights = match &self.heads {
            Heads::Projector(projector) => projector.of_all_dims(),
            Heads::Classifier(classifier) => classifier.of_all_dims(),
        };
        tch::no_grad(|| {
            let composed = axes.matmul(&network.tensor(rotation));
            network.tensor(rotation).copy_(&composed);
            let rotate = |mut tensor: Tensor, axes: &Tensor| {
                let rotated = tensor.matmul(&axes.tr());
                tensor.copy_(&rotated);
            };
            rotate(network.tensor(weights), axes);
            for moment in moments {
                match moment {
                    Moment::Mean(mean) => rotate(network.layout().view(weights, mean), axes),
                    Moment::Square(square) => rotate(network.layout().view(weights, square), &axes.square()),
                }
            }
        });
    }

    /// Gives the parameters that only prefixes below the full width use the values that they have in `initial`, and sets their `moments` to 0. While all
    /// dims were trained alone, these parameters had no gradient, and weight decay made them smaller.
    pub(crate) fn reset_prefixes(&self, network: &Network, initial: &Network, moments: &[Moment<'_>]) {
        let heads = match &self.heads {
            Heads::Projector(projector) => projector.of_prefixes(),
            Heads::Classifier(classifier) => classifier.of_prefixes(),
        };
        let predictors = self.predictor.as_ref().map(Predictor::of_prefixes).unwrap_or_default();
        tch::no_grad(|| {
            for id in heads.into_iter().chain(predictors) {
                network.tensor(id).copy_(&initial.tensor(id));
                for Moment::Mean(moment) | Moment::Square(moment) in moments {
                    let _ = network.layout().view(id, moment).zero_();
                }
            }
        });
    }

    /// Images `[n, 3, h, w]` to projections `[p, n, k]`, or logits `[p, n, classes]`, of `prefixes`, which are `p` places in the
    /// nesting.
    pub(crate) fn project(&self, weights: &Active, images: &Tensor, prefixes: &[usize]) -> Tensor {
        let features = self.features(weights, images);
        match &self.heads {
            Heads::Projector(projector) => projector.forward(weights, &features, prefixes),
            Heads::Classifier(classifier) => classifier.forward(weights, &features, prefixes),
        }
    }

    /// What the objective compares of the online network: as [`Model::project`], or the predictions made of that.
    pub(crate) fn outputs(&self, weights: &Active, images: &Tensor, prefixes: &[usize]) -> Tensor {
        let projections = self.project(weights, images, prefixes);
        match &self.predictor {
            Some(predictor) => predictor.forward(weights, &projections, prefixes),
            None => projections,
        }
    }

    /// The logarithm of the logits' scale (the inverse temperature), `[1]`, where that is learnt.
    pub(crate) fn log_scale<'a>(&self, weights: &'a Active) -> Option<&'a Tensor> {
        self.log_scale.map(|id| weights.get(id))
    }
}

/// An average that an optimiser keeps of each parameter, `[trainable]`.
pub(crate) enum Moment<'a> {
    /// Of the gradients.
    Mean(&'a Tensor),
    /// Of their squares.
    Square(&'a Tensor),
}

/// What each of `dims` has: its own, named and made for it, or the one of the widest.
fn weights_of<T: Copy>(head: Head, dims: &[usize], mut make: impl FnMut(&str, usize) -> T) -> Vec<T> {
    if head.is_separate() {
        return dims.iter().map(|&dim| make(&format!("{dim}."), dim)).collect();
    }
    vec![make("", dims[dims.len() - 1]); dims.len()]
}

/// Whether a tensor belongs to the encoder, and not to what only training needs.
pub(crate) fn is_encoder(name: &str) -> bool {
    let heads = [head::PROJECTOR, head::PREDICTOR, classifier::CLASSIFIER];
    !heads.iter().any(|head| name.starts_with(head)) && name != LOG_SCALE
}

#[cfg(test)]
mod tests;
