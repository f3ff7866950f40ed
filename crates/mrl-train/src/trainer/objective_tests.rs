//! Steps with every objective and every head.

use mrl_config::{Config, Head, ModelConfig, Objective, Precision};
use strum::VariantNames;
use tch::Tensor;

use super::{
    tests::{batch, gradient, state, step_on, trainer},
    *,
};
use crate::{
    checkpoint::Checkpoints,
    testing::{set_objective, tiny},
};

/// A tiny network with this objective and head; two prefixes where the head nests.
fn with(objective: &str, head: Head) -> Config {
    let mut config = tiny();
    set_objective(&mut config, objective);
    if head != Head::Fixed {
        config.model.nesting = Some(vec![8, 64]);
        config.objective.dim_weights = Some(vec![1.0, 1.5]);
    }
    config.model.head = head;
    config
}

/// The heads with every objective, and those that have layers with batch norm and another width, and without a hidden layer, as well.
fn configs() -> Vec<Config> {
    let mut configs = Vec::new();
    for objective in Objective::VARIANTS {
        for head in Head::VARIANTS.iter().map(|head| head.parse().unwrap()) {
            let plain = with(objective, head);
            if !plain.objective.loss.needs_labels() {
                let mut normed = plain.clone();
                (normed.model.head_batch_norm, normed.model.head_hidden) = (Some(true), Some(96));
                let mut linear = plain.clone();
                linear.model.head_hidden = Some(0);
                configs.extend([normed, linear]);
            }
            configs.push(plain);
        }
    }
    assert_eq!(configs.len(), 6 * 4 + 5 * 4 * 2);
    configs
}

/// One or two of them for each objective; together they have each head and form of the layers.
fn few() -> Vec<Config> {
    let configs = configs();
    [0, 14, 28, 32, 46, 50, 60].map(|place| configs[place].clone()).to_vec()
}

#[test]
fn the_few_configurations_have_every_objective_and_head() {
    let kinds =
        |of: fn(&Config) -> String| few().iter().map(of).collect::<std::collections::BTreeSet<_>>().len();
    assert_eq!(kinds(|config| config.objective.loss.to_string()), Objective::VARIANTS.len());
    assert_eq!(kinds(|config| config.model.head.to_string()), Head::VARIANTS.len());
    assert_eq!(kinds(|config| format!("{:?}", config.model.head_hidden)), 4);
}

fn name(config: &Config) -> String {
    let ModelConfig { head, head_hidden, head_batch_norm, .. } = &config.model;
    format!("{} {head} {head_hidden:?} {head_batch_norm:?}", config.objective.loss)
}

/// The weighted loss with the weights moved by `direction`, `[trainable]`.
fn loss_at(trainer: &Trainer, direction: &Tensor) -> f64 {
    let before = trainer.online.flat().copy();
    let _ = tch::no_grad(|| trainer.online.trainable().g_add_(direction));
    let prefixes = trainer.prefixes();
    let unused = trainer.online.trainable().zeros_like();
    let seen = trainer.learn(&batch(0), &prefixes, 1.0, &unused).unwrap();
    tch::no_grad(|| trainer.online.flat().shallow_clone().copy_(&before));
    prefixes.weigh(&seen.losses)
}

#[test]
fn the_gradient_is_the_slope_of_the_loss() {
    few().iter().for_each(slope_is_gradient);
}

#[test]
#[ignore = "long: cargo xtask test --long"]
fn the_gradient_is_the_slope_of_the_loss_with_all() {
    configs().iter().for_each(slope_is_gradient);
}

fn slope_is_gradient(config: &Config) {
    let trainer = trainer(config);
    let gradient = gradient(&trainer, 0, 1.0);
    let norm = gradient.norm().double_value(&[]);
    // So that the loss changes by some ten-thousandths: above its rounding, and still nearly straight.
    let step = 2e-4 * loss_at(&trainer, &gradient.zeros_like()) / norm;
    let ends = [step, -step].map(|step| loss_at(&trainer, &(&gradient * (step / norm))));
    let slope = (ends[0] - ends[1]) / (2.0 * step);
    assert!((slope / norm - 1.0).abs() < 0.03, "{}: slope {slope}, norm {norm}", name(config));
}

#[test]
fn every_objective_learns_with_every_head() {
    few().iter().for_each(learns);
}

#[test]
#[ignore = "long: cargo xtask test --long"]
fn every_objective_learns_with_every_head_with_all() {
    configs().iter().for_each(learns);
}

fn learns(config: &Config) {
    let mut config = config.clone();
    config.optimiser.lr = 3e-3;
    let mut trainer = trainer(&config);
    let records: Vec<StepRecord> = (0..10).map(|_| step_on(&mut trainer, 0)).collect();
    let dims = trainer.config.model.nesting.dims().len();
    for dim in 0..dims {
        let losses: Vec<f64> = records.iter().filter_map(|record| record.loss_per_dim[dim]).collect();
        let (first, last) = (losses[0], losses[losses.len() - 1]);
        assert!(last < first, "{}: dim {dim} has {losses:?}", name(&config));
        assert_eq!(losses.len() < 10, config.model.head == Head::RandomPrefix);
    }
}

#[test]
fn a_resumed_trainer_goes_on_to_the_same_bits() {
    few().iter().for_each(resumes_to_the_same_bits);
}

#[test]
#[ignore = "long: cargo xtask test --long"]
fn a_resumed_trainer_goes_on_to_the_same_bits_with_all() {
    configs().iter().for_each(resumes_to_the_same_bits);
}

fn resumes_to_the_same_bits(config: &Config) {
    let folder = tempfile::tempdir().unwrap();
    let checkpoints = Checkpoints::new(folder.path().to_owned());
    let mut whole = trainer(config);
    let resolved = whole.config.clone();
    (0..2).for_each(|step| drop(step_on(&mut whole, step)));
    checkpoints.save(&whole, 6, &resolved.to_toml()).unwrap();
    let mut resumed = trainer(config);
    assert!(state(&resumed) != state(&whole));
    checkpoints.restore(&mut resumed, 6, &resolved).unwrap().unwrap();
    assert!(state(&resumed) == state(&whole), "{} is not restored", name(config));
    for step in 2..4 {
        assert_eq!(step_on(&mut resumed, step), step_on(&mut whole, step), "{}", name(config));
    }
    assert!(state(&resumed) == state(&whole), "{} goes on differently", name(config));
}

#[test]
fn an_embedding_layer_is_trained_with_the_encoder() {
    for objective in ["simclr", "byol", "supervised"] {
        let mut config = with(objective, Head::MrlE);
        (config.model.embedding_dim, config.model.nesting) = (Some(24), Some(vec![8, 24]));
        config.model.centre = true;
        slope_is_gradient(&config);
        resumes_to_the_same_bits(&config);
        let mut trainer = trainer(&config);
        let layer = |trainer: &Trainer| {
            let mut views = trainer.online.layout().views(trainer.online.flat());
            views.find(|(name, _)| *name == "fc.embedding").unwrap().1.copy()
        };
        let before = layer(&trainer);
        assert_eq!(before.size(), [24, 64]);
        step_on(&mut trainer, 0);
        assert!(layer(&trainer) != before, "{objective}");
        let features = tch::no_grad(|| trainer.features(&trainer.online, &batch(0).views[0]));
        assert_eq!(features.size(), [6, 24], "{objective}");
    }
}

/// The running statistics of a network, to the bit, and how many passes they are of.
fn statistics(network: &Network) -> (Vec<Vec<f32>>, i64) {
    let views = network.layout().views(network.flat()).filter(|(name, _)| name.contains("running_"));
    let values = views.map(|(_, tensor)| Vec::try_from(tensor.copy()).unwrap()).collect();
    (values, network.batches_tracked().get())
}

/// Every objective, batch norm in the heads too, frozen after two steps.
fn frozen() -> impl Iterator<Item = Config> {
    Objective::VARIANTS.iter().map(|objective| {
        let mut config = with(objective, Head::MrlE);
        config.model.head_batch_norm = (!config.objective.loss.needs_labels()).then_some(true);
        config.run.freeze_batch_norm_after = Some(2);
        config
    })
}

#[test]
fn frozen_statistics_stay_while_weights_are_trained() {
    for config in frozen() {
        let mut plain = config.clone();
        plain.run.freeze_batch_norm_after = None;
        let (mut plain, mut trainer) = (trainer(&plain), trainer(&config));
        let mut step = |step| (step_on(&mut trainer, step), step_on(&mut plain, step));
        for before in [0, 1].map(&mut step) {
            assert_eq!(before.0, before.1, "{}", name(&config));
        }
        let (first, unfrozen) = step(2);
        assert!(first.loss != unfrozen.loss, "{} computes with the batch's statistics", name(&config));
        let (seen, weights) = (statistics(&trainer.online), trainer.online.trainable().copy());
        assert_eq!(seen.1, 4, "two views in two steps");
        let record = step_on(&mut trainer, 3);
        assert!(record.loss.is_finite() && record.grad_norm > 0.0);
        assert!(statistics(&trainer.online) == seen, "{} changes statistics", name(&config));
        assert!(trainer.online.trainable() != weights, "{} trains nothing", name(&config));
    }
}

#[test]
fn a_trainer_resumed_before_its_statistics_are_frozen_goes_on_to_the_same_bits() {
    for config in frozen() {
        let folder = tempfile::tempdir().unwrap();
        let checkpoints = Checkpoints::new(folder.path().to_owned());
        let mut whole = trainer(&config);
        let resolved = whole.config.clone();
        step_on(&mut whole, 0);
        checkpoints.save(&whole, 6, &resolved.to_toml()).unwrap();
        let mut resumed = trainer(&config);
        checkpoints.restore(&mut resumed, 6, &resolved).unwrap().unwrap();
        for step in 1..4 {
            assert_eq!(step_on(&mut resumed, step), step_on(&mut whole, step), "{}", name(&config));
        }
        assert!(state(&resumed) == state(&whole), "{} goes on differently", name(&config));
    }
}

#[test]
fn heads_have_statistics_of_their_own_for_each_prefix() {
    let mut config = with("byol", Head::MrlE);
    config.model.head_batch_norm = Some(true);
    let mut trainer = trainer(&config);
    step_on(&mut trainer, 0);
    let (mut moved, mut names) = (0, Vec::new());
    for (name, tensor) in trainer.online.layout().views(trainer.online.flat()) {
        if name.ends_with("norm.running_mean") {
            moved += i32::from(tensor.abs().max().double_value(&[]) > 0.0);
            names.push((name.to_owned(), tensor.size()[0]));
        }
    }
    let expected = [
        ("projector.8.norm.running_mean", 8),
        ("projector.64.norm.running_mean", 64),
        ("predictor.8.norm.running_mean", 512),
        ("predictor.64.norm.running_mean", 512),
    ];
    assert_eq!(names, expected.map(|(name, units)| (name.to_owned(), units)));
    assert_eq!(moved, 4, "every norm has seen the batch");
}

#[test]
fn weights_of_dims_scale_their_part_of_the_gradient() {
    let gradient_of = |weights: Option<Vec<f64>>| {
        let mut config = with("vicreg", Head::Mrl);
        config.objective.dim_weights = weights;
        gradient(&trainer(&config), 0, 1.0)
    };
    let part = |gradient: &Tensor, dim: &str| {
        let trainer = trainer(&with("vicreg", Head::Mrl));
        let wanted = format!("projector.{dim}.output.weight");
        trainer.online.layout().views(gradient).find(|(name, _)| *name == wanted).unwrap().1.copy()
    };
    let (plain, weighted) = (gradient_of(None), gradient_of(Some(vec![0.5, 2.0])));
    assert_eq!(gradient_of(Some(vec![1.0, 1.0])), plain);
    assert_eq!(part(&weighted, "8"), part(&plain, "8") * 0.5);
    assert_eq!(part(&weighted, "64"), part(&plain, "64") * 2.0);
}

/// A factor that is a power of two changes no rounding, unless numbers become too large or too small.
#[test]
fn half_precision_scales_the_loss_of_every_objective() {
    for objective in Objective::VARIANTS {
        let mut config = with(objective, Head::MrlE);
        config.run.precision = Precision::F16;
        let with_factor = |factor: f64| {
            let mut trainer = trainer(&config);
            trainer.loss_scale.factor = factor;
            let gradient = gradient(&trainer, 0, 1.0) / factor;
            (trainer, gradient)
        };
        let ((_, plain), (mut scaled, gradient)) = (with_factor(1.0), with_factor(4.0));
        let cosine = (&gradient * &plain).sum(Kind::Double) / (gradient.norm() * plain.norm());
        assert!(cosine.double_value(&[]) > 0.99, "{objective}: {cosine:?}");
        let ratio = step_on(&mut scaled, 0).grad_norm / plain.norm().double_value(&[]);
        assert!((ratio - 1.0).abs() < 0.05, "{objective}: {ratio}");
        assert_eq!((scaled.optimiser.updates, scaled.loss_scale.factor), (1, 4.0));
    }
}

#[test]
fn the_average_of_a_network_without_a_target_follows_it() {
    let mut config = with("simclr", Head::MrlE);
    config.target.gamma = 0.5;
    let mut trainer = trainer(&config);
    (0..2).for_each(|step| drop(step_on(&mut trainer, step)));
    let before = trainer.target.flat().copy();
    step_on(&mut trainer, 2);
    let halfway = (before + trainer.online.flat()) / 2.0;
    assert!(trainer.target.flat().allclose(&halfway, 1e-6, 1e-7, false));
    let passes = [&trainer.online, &trainer.target].map(|network| network.batches_tracked().get());
    assert_eq!(passes, [6, 6]);
}
