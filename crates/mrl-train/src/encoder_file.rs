//! `encoder.safetensors` and `online.safetensors`: an encoder's weights under torchvision's names, and as `fc` the linear map after its
//! features, if there is one. Its factors are stored too, so that one of them can be replaced.

use std::path::Path;

use mrl_config::{FoldChoice, NetworkChoice, ResolvedConfig};
use mrl_embedding::Metadata;
use serde::Serialize;
use tch::{Device, Kind, Tensor};

use crate::{
    Fold, TrainError,
    model::{EMBEDDING, MEAN, Network, ROTATION, is_encoder},
    tensor_file::{self, TensorFile},
};

/// The linear map after the features, `[d, features]` and `[d]`: torchvision's last layer. It is made of the network's own map, where it has one,
/// and of the fold.
const WEIGHT: &str = "fc.weight";
const BIAS: &str = "fc.bias";

/// The fold, `[d, d]`, where it is a factor of the map.
const FOLD_WEIGHT: &str = "fc.fold";

/// The text entry that names what was folded into the encoder.
const FOLD: &str = "fold";

/// How an image becomes the encoder's input: what `mrl_data::prepare` does.
#[derive(Debug, Serialize)]
struct Preprocessing {
    image_size: usize,
    resize: &'static str,
    crop: &'static str,
    range: [f32; 2],
}

/// The text entries that say what made the weights; an embedding set carries them on.
pub(crate) fn metadata(
    config: &ResolvedConfig,
    choice: NetworkChoice,
    network: &Network,
    fold: Option<&Fold>,
) -> Metadata {
    let preprocessing = Preprocessing {
        image_size: config.data.image_size,
        resize: "shorter side, bilinear, antialiased",
        crop: "centre",
        range: [0.0, 1.0],
    };
    Metadata {
        nesting: Some(config.model.nesting.clone()),
        encoder: Some(config.model.describe()),
        network: Some(choice.to_string()),
        weights: Some(fingerprint(network, fold)),
        fold: fold.map(|fold| fold.choice().to_string()),
        preprocessing: Some(serde_json::to_string(&preprocessing).expect("plain values")),
        config: Some(config.to_toml()),
        version: Some(crate::VERSION.to_owned()),
        ..Metadata::default()
    }
}

/// Distinguishes the weights of the encoder and its linear map from others: the same run has other weights later.
fn fingerprint(network: &Network, fold: Option<&Fold>) -> String {
    tensor_file::fingerprint(encoder(network).chain(linear_map(network, fold)))
}

fn encoder(network: &Network) -> impl Iterator<Item = (&str, Tensor)> {
    network.layout().views(network.flat()).filter(|(name, _)| is_encoder(name))
}

/// The linear map after the features of `network`, and the fold where it is a factor of it.
fn linear_map(network: &Network, fold: Option<&Fold>) -> Vec<(&'static str, Tensor)> {
    let of_network = |wanted| {
        let found = encoder(network).find(|(name, _)| *name == wanted);
        found.map(|(_, tensor)| tensor.to_device(Device::Cpu).to_kind(Kind::Double))
    };
    let ([embedding, mean, rotation], fold) =
        ([EMBEDDING, MEAN, ROTATION].map(of_network), fold.map(Fold::tensor));
    let Some(width) =
        [&embedding, &mean, &rotation].into_iter().flatten().next().map(|factor| factor.size()[0])
    else {
        return fold.map(|fold| (WEIGHT, fold)).into_iter().collect();
    };
    let whole = fold.as_ref().map(|fold| fold.to_kind(Kind::Double));
    let product = |last: Tensor, first: Tensor| last.matmul(&first);
    // What comes after the mean is subtracted.
    let last = [whole, rotation].into_iter().flatten().reduce(product);
    let bias = mean.map(|mean| match &last {
        Some(map) => -map.mv(&mean),
        None => -mean,
    });
    let weight = [last, embedding].into_iter().flatten().reduce(product);
    let weight = weight.unwrap_or_else(|| Tensor::eye(width, (Kind::Double, Device::Cpu)));
    let bias = bias.map(|bias| (BIAS, bias.to_kind(Kind::Float)));
    let weight = (WEIGHT, weight.to_kind(Kind::Float));
    std::iter::once(weight).chain(bias).chain(fold.map(|fold| (FOLD_WEIGHT, fold))).collect()
}

/// Writes the encoder of `network`, without the projector, and the linear map after it.
pub(crate) fn write(
    path: &Path,
    network: &Network,
    fold: Option<&Fold>,
    metadata: &Metadata,
) -> Result<(), TrainError> {
    let mut tensors = Vec::new();
    for (name, tensor) in encoder(network) {
        if let Some(norm) = name.strip_suffix("running_mean") {
            tensors
                .push((format!("{norm}num_batches_tracked"), Tensor::from(network.batches_tracked().get())));
        }
        tensors.push((name.to_owned(), tensor));
    }
    let map = linear_map(network, fold);
    tensors.extend(map.into_iter().map(|(name, map)| (name.to_owned(), map)));
    tensor_file::write(path, tensors.into_iter(), metadata.entries())
}

/// Writes to `path` what `file` holds, with another `fold` and the entries that `metadata` says of it. `network` is that of the file.
pub(crate) fn write_again(
    file: &TensorFile,
    path: &Path,
    network: &Network,
    fold: Option<&Fold>,
    metadata: &Metadata,
) -> Result<(), TrainError> {
    let tensors = file.tensors().filter(|(name, _)| ![WEIGHT, BIAS, FOLD_WEIGHT].contains(name));
    let tensors = tensors.map(|(name, tensor)| (name.to_owned(), tensor.shallow_clone()));
    let map = linear_map(network, fold).into_iter().map(|(name, map)| (name.to_owned(), map));
    let tensors = tensors.chain(map);
    let mut entries = file.entries();
    entries.remove(FOLD);
    entries.extend(metadata.entries().into_iter().filter(|(key, _)| [FOLD, "weights"].contains(&&**key)));
    tensor_file::write(path, tensors, entries)
}

/// Fills the encoder of `network`; in the file its tensors' names start with `prefix`.
pub(crate) fn fill(file: &TensorFile, prefix: &str, network: &Network) -> Result<(), TrainError> {
    for (name, tensor) in encoder(network) {
        file.copy(&format!("{prefix}{name}"), tensor)?;
    }
    Ok(())
}

/// The map that was folded into an encoder of `config`, if one was.
///
/// # Errors
/// When it is no orthogonal matrix `[d, d]` of f32, or the file does not say what was folded.
pub(crate) fn read_fold(file: &TensorFile, config: &ResolvedConfig) -> Result<Option<Fold>, TrainError> {
    let cure =
        "restore the file from a copy, or delete it and write it again with `mrl train --resume --out RUN`";
    let damaged = |problem: String| file.damaged(format!("{problem}; {cure}"));
    let choice = file.entry(FOLD).map(|entry| match entry.parse() {
        Ok(choice) if choice != FoldChoice::None => Ok(choice),
        _ => Err(damaged(format!("says `fold` {entry:?}, which is neither principal nor learned"))),
    });
    let name = if config.maps_features() { FOLD_WEIGHT } else { WEIGHT };
    let Some(weight) = file.tensor(name) else {
        return choice
            .map_or(Ok(None), |_| Err(damaged(format!("says that it is folded, but has no `{name}`"))));
    };
    let choice =
        choice.ok_or_else(|| damaged(format!("has `{name}`, but does not say as `fold` what it is")))??;
    let (shape, side) = (weight.size(), config.model.embedding_width() as i64);
    if weight.kind() != Kind::Float || shape != [side, side] {
        let problem =
            format!("`{name}` is {:?} {shape:?}, and should be Float {:?}", weight.kind(), [side; 2]);
        return Err(damaged(problem));
    }
    Fold::stored(weight, choice).map(Some).map_err(|problem| damaged(format!("`{name}` {problem}")))
}

#[cfg(test)]
mod tests {
    use std::{fs, sync::Arc};

    use mrl_data::{DatasetKind, ImageSet, Split};
    use mrl_embedding::EmbeddingSet;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::{
        Embedder,
        device::torch_device,
        model::Model,
        testing::{resolved, tiny},
    };

    const WIDTH: usize = 64;

    fn network_of(config: &ResolvedConfig) -> Network {
        let (_, layout) = Model::new(config);
        let device = torch_device(config.run.device);
        Network::new(Arc::new(layout), &mut ChaCha8Rng::seed_from_u64(1), device)
    }

    /// The file of an untrained encoder with this linear map.
    fn encoder(path: &Path, fold: Option<&Fold>) {
        let config = resolved(&tiny(), 8);
        let network = network_of(&config);
        network.batches_tracked().set(7);
        let metadata = metadata(&config, NetworkChoice::Online, &network, fold);
        write(path, &network, fold, &metadata).unwrap();
    }

    fn images() -> ImageSet {
        let pixels = (0..30 * 8 * 8 * 3u32).map(|place| (place * place / 7) as u8).collect();
        ImageSet::from_pixels(DatasetKind::Mnist, Split::Train, (8, 8), pixels, None).unwrap()
    }

    fn embed(path: &Path) -> EmbeddingSet {
        Embedder::read(path).unwrap().embed(&images(), &mut |_, _| {}).unwrap()
    }

    /// Writes an encoder into which the principal components of its features are folded, and gives the fold.
    fn folded_encoder(path: &Path) -> Fold {
        encoder(path, None);
        let fold = Fold::principal(&embed(path), &[]).unwrap();
        encoder(path, Some(&fold));
        fold
    }

    #[test]
    fn an_encoder_is_folded_and_unfolded_to_the_same_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let [plain, folded, again] = ["plain", "folded", "again"].map(|name| folder.path().join(name));
        encoder(&plain, None);
        let features = embed(&plain);
        let fold = Fold::principal(&features, &[]).unwrap();
        Embedder::read(&plain).unwrap().write_with(Some(&fold), &folded).unwrap();
        let mut expected = again.clone();
        expected.set_extension("expected");
        encoder(&expected, Some(&fold));
        assert!(fs::read(&folded).unwrap() == fs::read(&expected).unwrap(), "folded after it was written");

        let embedded = embed(&folded);
        let mut mapped = features.embeddings().to_vec();
        fold.apply(&mut mapped);
        assert_eq!(embedded.embeddings(), mapped);
        assert_eq!(embedded.metadata.fold.as_deref(), Some("principal"));
        assert_ne!(embedded.metadata.weights, features.metadata.weights);

        let encoder = Embedder::read(&folded).unwrap();
        assert_eq!((encoder.fold(), encoder.network()), (Some(&fold), NetworkChoice::Online));
        encoder.write_with(None, &again).unwrap();
        assert!(fs::read(&again).unwrap() == fs::read(&plain).unwrap(), "unfolded");
        assert_eq!(encoder.unfolded().embed(&images(), &mut |_, _| {}).unwrap(), features);
    }

    /// `fc` of the file alone, applied to the features of the same encoder without it, gives the embeddings: what torchvision computes.
    #[test]
    fn fc_is_all_that_comes_after_the_features() {
        let folder = tempfile::tempdir().unwrap();
        let [plain, whole, unfolded] = ["plain", "whole", "unfolded"].map(|name| folder.path().join(name));
        encoder(&plain, None);
        let features = embed(&plain);
        let mut fold = Fold::principal(&features, &[]).unwrap();
        let layer = Some(WIDTH);
        for (embedding_dim, centre, nest_after) in [
            (None, true, None),
            (None, false, Some(0.5)),
            (None, true, Some(0.5)),
            (layer, false, None),
            (layer, true, Some(0.5)),
        ] {
            let mut config = tiny();
            config.model.embedding_dim = embedding_dim;
            (config.model.centre, config.run.nest_after) = (centre, nest_after);
            let config = resolved(&config, 8);
            let what = format!("{embedding_dim:?} {centre} {nest_after:?}");
            let network = network_of(&config);
            for (name, tensor) in network.layout().views(network.flat()) {
                let waves = (Tensor::arange(tensor.numel() as i64, (Kind::Float, Device::Cpu)) * 0.7).sin();
                match name {
                    MEAN => tensor.shallow_clone().copy_(&waves),
                    ROTATION => tensor.shallow_clone().copy_(&fold.tensor().flip([0i64])),
                    _ => {}
                }
            }
            for fold in [None, Some(&fold)] {
                let metadata = metadata(&config, NetworkChoice::Online, &network, fold);
                write(&whole, &network, fold, &metadata).unwrap();
                let file = tensor_file::read(&whole).unwrap();
                let x = Tensor::from_slice(features.embeddings()).view([-1, WIDTH as i64]);
                let expected = x.linear(file.tensor(WEIGHT).unwrap(), file.tensor(BIAS));
                let embedded = embed(&whole);
                let found = Tensor::from_slice(embedded.embeddings()).view([-1, WIDTH as i64]);
                let away = (found - &expected).abs().max().double_value(&[]);
                assert!(away < 1e-5 * expected.abs().max().double_value(&[]), "{what}: {away}");
                assert_eq!(file.tensor(BIAS).is_some(), centre);
                assert_eq!(embedded.metadata.fold.is_some(), fold.is_some());
                if fold.is_none() {
                    fs::copy(&whole, &unfolded).unwrap();
                }
            }
            Embedder::read(&whole).unwrap().write_with(None, &whole).unwrap();
            assert!(fs::read(&whole).unwrap() == fs::read(&unfolded).unwrap(), "{what}");
            // Another one for the next turn.
            fold = fold.after(Some(&fold));
        }
    }

    #[test]
    fn one_image_is_folded_as_a_set_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("encoder");
        folded_encoder(&path);
        let all = embed(&path);
        let images = images();
        let alone = Embedder::read(&path).unwrap().embed_image(&images.image(3).unwrap()).unwrap();
        assert!(alone.row(0).iter().zip(all.row(3)).all(|(a, b)| (a - b).abs() < 1e-5));
        assert_eq!(alone.metadata.fold.as_deref(), Some("principal"));
    }

    #[test]
    fn a_linear_map_that_cannot_be_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("encoder");
        let fold = folded_encoder(&path);
        let whole = tensor_file::read(&path).unwrap();
        let refused = |weight: Option<Tensor>, said: Option<&str>| {
            let tensors = whole.tensors().filter(|(name, _)| *name != WEIGHT);
            let tensors = tensors.map(|(name, tensor)| (name.to_owned(), tensor.shallow_clone()));
            let mut entries = whole.entries();
            entries.remove(FOLD);
            entries.extend(said.map(|said| (FOLD.to_owned(), said.to_owned())));
            tensor_file::write(
                &path,
                tensors.chain(weight.map(|weight| (WEIGHT.to_owned(), weight))),
                entries,
            )
            .unwrap();
            let error = Embedder::read(&path).err().expect("refused").to_string();
            assert!(error.starts_with(&path.display().to_string()), "{error}");
            assert!(
                error.ends_with("or delete it and write it again with `mrl train --resume --out RUN`"),
                "{error}"
            );
            error
        };
        let (right, side) = (fold.tensor(), WIDTH as i64);
        let principal = Some("principal");
        for (weight, said, part) in [
            (
                Some(right.narrow(0, 0, 8)),
                principal,
                "`fc.weight` is Float [8, 64], and should be Float [64, 64]",
            ),
            (Some(right.view([-1])), principal, "`fc.weight` is Float [4096]"),
            (
                Some(Tensor::eye(side, (Kind::Int64, tch::Device::Cpu))),
                principal,
                "`fc.weight` is Int64 [64, 64]",
            ),
            (Some(&right / 0.0), principal, "`fc.weight` holds a number that is not finite"),
            (
                Some(&right * 2.0),
                principal,
                "`fc.weight` is not orthogonal: products of its rows are off by 3.0e0",
            ),
            (Some(right.shallow_clone()), None, "does not say as `fold` what it is"),
            (
                Some(right.shallow_clone()),
                Some("none"),
                "says `fold` \"none\", which is neither principal nor learned",
            ),
            (None, principal, "says that it is folded, but has no `fc.weight`"),
        ] {
            let error = refused(weight, said);
            assert!(error.contains(part), "{part:?} is not in: {error}");
        }
    }

    #[test]
    fn what_is_no_encoder_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("other");
        let tensors = [("a".to_owned(), Tensor::from(1.0f32))];
        tensor_file::write(&path, tensors.into_iter(), std::collections::BTreeMap::new()).unwrap();
        let error = Embedder::read(&path).err().unwrap().to_string();
        assert!(error.contains("other: is no encoder; name a run's encoder.safetensors"), "{error}");
    }
}
