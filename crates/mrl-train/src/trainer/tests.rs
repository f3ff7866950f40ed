use mrl_config::{Config, Encoder, Head};
use tch::Tensor;

use super::*;
use crate::{
    objective::relic_loss,
    testing::{resolved, set_objective, tiny},
};

pub(super) fn trainer(config: &Config) -> Trainer {
    Trainer::new(
        &resolved(config, 8),
        Horizon { total_steps: 4, gamma_steps: 6, warmup_steps: 0, before_nesting: 0, before_rotation: 0 },
    )
}

/// A view of six images of this side, `[6, 3, side, side]`: the `number`-th of a step.
fn view(step: u64, number: u32, side: i64) -> Tensor {
    let wave = Tensor::arange(6 * 3 * side * side, (Kind::Float, Device::Cpu)) * (0.37 + 0.1 * step as f64);
    ((wave + f64::from(number)).sin() * 0.5 + 0.5).view([6, 3, side, side])
}

/// Two views of six images, `[6, 3, 8, 8]`, another pair each step.
fn views(step: u64) -> Vec<Tensor> {
    [0, 1].map(|number| view(step, number, 8)).into()
}

/// Two views as a batch; a supervised objective has three classes.
pub(super) fn batch(step: u64) -> Batch {
    Batch { views: views(step), labels: Some(Tensor::from_slice(&[0i64, 1, 2, 2, 1, 0])) }
}

/// A batch of so many views, and small ones of half the side.
pub(super) fn batch_of(step: u64, large: u32, small: u32) -> Batch {
    let sides = std::iter::repeat_n(8, large as usize).chain(std::iter::repeat_n(4, small as usize));
    let views = sides.zip(0..).map(|(side, number)| view(step, number, side)).collect();
    Batch { views, ..batch(step) }
}

/// A step on one batch.
pub(super) fn step_on(trainer: &mut Trainer, step: u64) -> StepRecord {
    trainer.step([Ok(batch(step))].into_iter()).unwrap()
}

/// Everything that a step changes, to the bit.
pub(super) fn state(trainer: &Trainer) -> Vec<u32> {
    let tensors = [trainer.online.flat(), trainer.target.flat()];
    let bits = tensors.into_iter().flat_map(|flat| Vec::<f32>::try_from(flat).unwrap()).map(f32::to_bits);
    let passes = [&trainer.online, &trainer.target].map(|network| network.batches_tracked().get() as u32);
    bits.chain(passes).chain([trainer.step as u32, trainer.optimiser.updates as u32]).collect()
}

#[test]
fn evaluation_between_steps_changes_nothing() {
    let (mut watched, mut alone) = (trainer(&tiny()), trainer(&tiny()));
    for step in 0..3 {
        let before = state(&watched);
        for network in [&watched.online, &watched.target] {
            let features = tch::no_grad(|| watched.features(network, &views(step)[0]));
            assert_eq!(features.size(), [6, 64]);
        }
        assert!(state(&watched) == before, "evaluation changed the state before step {step}");
        assert_eq!(step_on(&mut watched, step), step_on(&mut alone, step));
    }
    assert!(state(&watched) == state(&alone));
}

/// The gradient of one batch as [`Trainer::learn`] finds it.
pub(super) fn gradient(trainer: &Trainer, step: u64, share: f64) -> Tensor {
    let gradient = trainer.online.trainable().zeros_like();
    trainer.learn(&batch(step), &trainer.prefixes(), share, &gradient).unwrap();
    gradient
}

/// A tensor of the online network.
fn tensor(trainer: &Trainer, wanted: &str) -> Tensor {
    let online = &trainer.online;
    online.layout().views(online.flat()).find(|(name, _)| *name == wanted).unwrap().1
}

/// The largest difference, relative to the largest number.
fn difference(a: &Tensor, b: &Tensor) -> f64 {
    ((a - b).abs().max() / b.abs().max()).double_value(&[])
}

#[test]
fn one_view_after_the_other_gives_the_gradient_of_both_at_once() {
    let trainer = trainer(&tiny());
    let places = trainer.prefixes().places;
    let online = trainer.online.activate(Mode::Train, Kind::Float);
    let target = trainer.target.activate(Mode::Train, Kind::Float);
    let project =
        |network| [0, 1].map(|view: usize| trainer.model.project(network, &views(0)[view], &places));
    let ([first, second], [first_target, second_target]) =
        (project(&online), tch::no_grad(|| project(&target)));
    let log_scale = trainer.model.log_scale(&online).unwrap();
    let one_way = |z: &Tensor, z_prime: &Tensor| relic_loss(z, z_prime, log_scale, 1.0).sum(Kind::Float);
    let loss = (one_way(&first, &second_target) + one_way(&second, &first_target)) / 2.0;
    let plain = trainer.online.trainable().zeros_like();
    online.add_gradient(&loss, &plain);
    assert!(plain.abs().max().double_value(&[]) > 0.0);
    assert!(difference(&gradient(&trainer, 0, 1.0), &plain) < 1e-5);
}

#[test]
fn accumulated_batches_step_along_their_mean_gradient() {
    let mut trainer = trainer(&tiny());
    let mean = (gradient(&trainer, 0, 1.0) + gradient(&trainer, 1, 1.0)) / 2.0;
    let both = gradient(&trainer, 0, 0.5) + gradient(&trainer, 1, 0.5);
    assert!(difference(&both, &mean) < 1e-6);
    let losses =
        [0, 1].map(|step| trainer.learn(&batch(step), &trainer.prefixes(), 1.0, &both).unwrap().losses);
    let record = trainer.step([Ok(batch(0)), Ok(batch(1))].into_iter()).unwrap();
    let norm = mean.norm().double_value(&[]);
    assert!((record.grad_norm / norm - 1.0).abs() < 1e-5, "{} and {norm}", record.grad_norm);
    assert!((record.loss_per_dim[0].unwrap() - f64::midpoint(losses[0][0], losses[1][0])).abs() < 1e-5);
    assert_eq!((record.step, trainer.optimiser.updates), (1, 1));
}

#[test]
fn a_batch_that_cannot_be_had_changes_no_weight() {
    let mut trainer = trainer(&tiny());
    let before = trainer.online.trainable().copy();
    let missing = Err(TrainError::Usage("gone".to_owned()));
    assert!(trainer.step([Ok(batch(0)), missing].into_iter()).is_err());
    assert_eq!((trainer.online.trainable(), trainer.step), (before, 0));
}

#[test]
fn a_loss_that_is_not_finite_names_step_and_dim_and_changes_no_weight() {
    let mut trainer = trainer(&tiny());
    step_on(&mut trainer, 0);
    let weights = |trainer: &Trainer| trainer.online.trainable().copy();
    let before = weights(&trainer);
    let views = views(1).into_iter().map(|view| view * f64::NAN).collect();
    let error = trainer.step([Ok(Batch { views, labels: None })].into_iter()).unwrap_err();
    assert!(matches!(error, TrainError::NotFinite { step: 2, dim: 8, .. }), "{error}");
    assert_eq!(weights(&trainer), before);
}

#[test]
fn a_loss_that_is_not_finite_is_of_the_prefix_whose_weights_are_not() {
    for objective in ["relic", "simclr"] {
        let mut config = tiny();
        set_objective(&mut config, objective);
        config.model.head = Head::Mrl;
        config.model.nesting = Some(vec![3, 16, 64]);
        let mut trainer = trainer(&config);
        let _ = tch::no_grad(|| tensor(&trainer, "projector.16.output.weight").fill_(f64::NAN));
        let weights = |trainer: &Trainer| tensor(trainer, "projector.64.output.weight").copy();
        let before = weights(&trainer);
        let error = trainer.step([Ok(batch(0)), Ok(batch(1))].into_iter()).unwrap_err();
        assert!(matches!(error, TrainError::NotFinite { step: 1, dim: 16, .. }), "{objective}: {error}");
        assert_eq!((weights(&trainer), trainer.step), (before, 0), "{objective}");
    }
}

#[test]
fn weights_start_as_torch_starts_them() {
    let mut config = tiny();
    config.model.width = 1.0;
    let trainer = trainer(&config);
    let mut seen = 0;
    for (name, tensor) in trainer.online.layout().views(trainer.online.flat()) {
        let (mean, deviation) =
            (tensor.mean(Kind::Float).double_value(&[]), tensor.std(false).double_value(&[]));
        let shape = tensor.size();
        let expected = match shape[..] {
            [out, _, kernel, _] => (2.0 / (out * kernel * kernel) as f64).sqrt(),
            // Uniform between plus and minus 1 / sqrt(inputs).
            [_, inputs] => (3.0 * inputs as f64).sqrt().recip(),
            _ => continue,
        };
        let count = tensor.numel() as f64;
        assert!(
            (deviation / expected - 1.0).abs() < 5.0 / (2.0 * count).sqrt(),
            "{name}: {deviation}, not {expected}"
        );
        assert!(mean.abs() < 5.0 * expected / count.sqrt(), "{name}: mean {mean}");
        seen += 1;
    }
    assert_eq!(seen, 20 + 2, "ResNet-18's convolutions and the projector's two layers");
}

#[test]
fn widths_scale_the_features_of_each_encoder() {
    for (encoder, width, features) in
        [(Encoder::ResNet18, 0.25, 128), (Encoder::ResNet34, 0.125, 64), (Encoder::ResNet50, 0.125, 256)]
    {
        let mut config = tiny();
        (config.model.encoder, config.model.width) = (encoder, width);
        let trainer = trainer(&config);
        let found = tch::no_grad(|| trainer.features(&trainer.online, &views(0)[0]));
        assert_eq!(found.size(), [6, features], "{encoder}");
    }
}

#[test]
fn separate_heads_are_plain_two_layer_networks_on_their_prefix() {
    let mut config = tiny();
    config.model.head = Head::Mrl;
    config.model.nesting = Some(vec![3, 64]);
    let trainer = trainer(&config);
    let weights = trainer.online.activate(Mode::Eval, Kind::Float);
    let images = &views(0)[0];
    let features = trainer.model.features(&weights, images);
    let named = |wanted: String| tensor(&trainer, &wanted);
    for (projection, dim) in trainer.model.project(&weights, images, &[0, 1]).unbind(0).iter().zip([3i64, 64])
    {
        let hidden = named(format!("projector.{dim}.hidden.weight"));
        let output = named(format!("projector.{dim}.output.weight"));
        assert_eq!((hidden.size(), output.size()), (vec![dim, dim], vec![64, dim]));
        let plain = features.narrow(1, 0, dim).matmul(&hidden.tr()).relu().matmul(&output.tr());
        assert!(projection.allclose(&plain, 1e-6, 1e-6, false), "dim {dim}");
    }
}

/// The reference's loop: it averages with its current decay, and then computes the next one.
#[test]
fn the_decay_is_that_of_the_references_loop() {
    for (after, every) in [(1, 1), (3, 1), (0, 4), (5, 3)] {
        let mut config = tiny();
        config.target.update_gamma_after_step = after;
        config.target.update_gamma_every_n_steps = every;
        let mut trainer = trainer(&config);
        trainer.horizon.gamma_steps = 30;
        let mut current = config.target.gamma;
        for step in 0..24 {
            trainer.step = step;
            if step > after && step % every == 0 {
                assert!(
                    (trainer.gamma() - current).abs() < 1e-15,
                    "step {step}, after {after}, every {every}"
                );
                let progress = step as f64 / 30.0;
                current = 1.0 - (1.0 - config.target.gamma) * ((PI * progress).cos() + 1.0) / 2.0;
            }
        }
    }
}
