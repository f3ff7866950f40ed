//! Runs that train all dims alone first (`nest_after`), and runs that rotate their features (`rotate_after`).

use mrl_config::{Config, Head, OptimiserConfig, Rule, Sgd};
use tch::Tensor;

use super::{
    tests::{step_on, trainer},
    *,
};
use crate::testing::{resolved, set_objective, tiny};

/// Trains all dims alone for its first three steps.
fn late(objective: &str, head: Head, rule: Rule) -> Config {
    let mut config = tiny();
    set_objective(&mut config, objective);
    config.model.head = head;
    config.run.nest_after = Some(0.5);
    config.optimiser = OptimiserConfig { rule, lr: 0.05, weight_decay: 0.01, ..config.optimiser };
    config
}

fn late_trainer(config: &Config) -> Trainer {
    let mut trainer = trainer(config);
    (trainer.horizon.before_nesting, trainer.horizon.before_rotation) = (3, 3);
    trainer
}

/// What `pretrain` does before the first step that trains prefixes.
fn begin_nesting(trainer: &Trainer, axes: &Tensor) {
    trainer.rotate(axes);
    trainer.reset_prefixes();
}

fn sgd() -> Rule {
    Rule::Sgd(Sgd { momentum: 0.9, nesterov: true })
}

/// Random axes, `[64, 64]`.
fn axes() -> Tensor {
    let waves = (Tensor::arange(64 * 64, (Kind::Double, Device::Cpu)) * 0.37).sin().view([64, 64]);
    let (_, axes) = (&waves + waves.tr()).linalg_eigh("L");
    axes.tr().to_kind(Kind::Float)
}

fn features(trainer: &Trainer) -> Tensor {
    let wave = (Tensor::arange(5 * 3 * 64, (Kind::Float, Device::Cpu)) * 0.21).sin() * 0.5 + 0.5;
    tch::no_grad(|| trainer.features(&trainer.online, &wave.view([5, 3, 8, 8])))
}

fn difference(a: &Tensor, b: &Tensor) -> f64 {
    ((a - b).abs().max() / b.abs().max()).double_value(&[])
}

#[test]
fn a_rotation_changes_no_step_that_trains_all_dims() {
    for (objective, head, centre) in [
        ("simclr", Head::MrlE, false),
        ("relic", Head::Mrl, true),
        ("byol", Head::RandomPrefix, false),
        ("supervised", Head::MrlE, true),
        ("supervised", Head::Mrl, false),
    ] {
        let mut config = late(objective, head, sgd());
        config.model.centre = centre;
        // Small steps, which do not multiply the differences of rounding.
        config.optimiser.lr = 5e-3;
        let (mut plain, mut rotated) = (late_trainer(&config), late_trainer(&config));
        step_on(&mut plain, 0);
        step_on(&mut rotated, 0);
        let before = features(&rotated);
        begin_nesting(&rotated, &axes());
        let after = features(&rotated);
        assert!(difference(&after, &before.matmul(&axes().tr())) < 1e-5, "{objective} {head}");
        for step in 1..3 {
            let [ours, theirs] = [&mut rotated, &mut plain].map(|trainer| step_on(trainer, step));
            assert!((ours.loss / theirs.loss - 1.0).abs() < 1e-4, "{objective} {head}: {ours:?} {theirs:?}");
            assert_eq!(ours.loss_per_dim.iter().flatten().count(), 1, "{objective} {head}");
        }
        let expected = features(&plain).matmul(&axes().tr());
        assert!(difference(&features(&rotated), &expected) < 1e-3, "{objective} {head}");
    }
}

#[test]
fn prefixes_of_a_shared_head_go_on_over_a_rotation_and_learn() {
    for (objective, head) in [("simclr", Head::MrlE), ("vicreg", Head::RandomPrefix), ("simclr", Head::Mrl)] {
        let mut config = late(objective, head, Rule::AdamW);
        config.optimiser.lr = 3e-3;
        config.run.nest_after = None;
        config.run.rotate_after = Some(0.5);
        config.model.head_batch_norm = Some(true);
        let mut trainer = trainer(&config);
        trainer.horizon.before_rotation = 2;
        (0..2).for_each(|_| drop(step_on(&mut trainer, 0)));
        assert!(trainer.rotation_is_due() && !trainer.nesting_begins());
        let before = of_prefixes(&trainer, &trainer.online);
        trainer.rotate(&axes());
        let is_same = of_prefixes(&trainer, &trainer.online) == before;
        assert_eq!(is_same, !head.is_separate(), "{objective} {head}");
        let records: Vec<StepRecord> = (0..12).map(|_| step_on(&mut trainer, 0)).collect();
        for dim in 0..4 {
            let losses: Vec<f64> = records.iter().filter_map(|record| record.loss_per_dim[dim]).collect();
            let is_shorter = losses.last().zip(losses.first()).is_none_or(|(last, first)| last <= first);
            assert!(is_shorter, "{objective} {head}: dim {dim} has {losses:?}");
        }
    }
}

#[test]
fn prefixes_are_trained_after_the_steps_without_them() {
    let mut trainer = late_trainer(&late("simclr", Head::MrlE, sgd()));
    let trained: Vec<usize> = (0..4)
        .map(|step| {
            assert_eq!(trainer.nesting_begins(), step == 3, "step {step}");
            step_on(&mut trainer, step).loss_per_dim.iter().flatten().count()
        })
        .collect();
    assert_eq!(trained, [1, 1, 1, 4]);
}

/// The parameters of the heads that the full width does not use, by name.
fn of_prefixes(trainer: &Trainer, network: &Network) -> Vec<(String, Vec<f32>)> {
    let is_own = |name: &str| {
        let heads = ["projector.8.", "projector.16.", "projector.32.", "predictor.8.", "classifier.16."];
        heads.iter().any(|head| name.starts_with(head)) && !name.contains("running")
    };
    let views = trainer.online.layout().views(network.flat()).filter(|(name, _)| is_own(name));
    views
        .map(|(name, tensor)| (name.to_owned(), Vec::try_from(tensor.contiguous().view([-1])).unwrap()))
        .collect()
}

#[test]
fn what_only_prefixes_use_starts_anew() {
    for (objective, head) in [("byol", Head::Mrl), ("relic", Head::MrlE), ("supervised", Head::Mrl)] {
        let mut config = late(objective, head, Rule::Adam);
        config.model.head_batch_norm = config.model.head_batch_norm.map(|_| true);
        config.optimiser.decay_norms_and_biases = true;
        let mut trainer = late_trainer(&config);
        let initial = of_prefixes(&trainer, &trainer.online);
        assert!(initial.len() >= 2, "{objective} {head}: {}", initial.len());
        (0..3).for_each(|step| drop(step_on(&mut trainer, step)));
        assert!(of_prefixes(&trainer, &trainer.online) != initial, "{objective} {head}: weight decay");
        begin_nesting(&trainer, &axes());
        for network in [&trainer.online, &trainer.target] {
            assert!(of_prefixes(&trainer, network) == initial, "{objective} {head}");
        }
        for (_, moment) in trainer.optimiser.state() {
            let layout = trainer.online.layout();
            let mut views =
                layout.views(moment).filter(|(name, _)| initial.iter().any(|(own, _)| own == name));
            assert!(views.all(|(_, view)| view.abs().max().double_value(&[]) == 0.0), "{objective} {head}");
        }
    }
}

#[test]
fn batch_norms_of_prefixes_are_not_frozen_before_they_are_used() {
    let mut config = late("simclr", Head::MrlE, sgd());
    let horizon = |config: &Config| Horizon::new(&resolved(config, 8), 10);
    (config.run.epochs, config.run.max_steps) = (None, Some(20));
    config.run.freeze_batch_norm_after = Some(10);
    let error = horizon(&config).unwrap_err().to_string();
    assert!(
        error.starts_with("freeze-batch-norm-after must be above the 10 steps before nesting"),
        "{error}"
    );
    config.run.freeze_batch_norm_after = Some(11);
    assert_eq!(horizon(&config).unwrap().before_nesting, 10);
}

#[test]
fn two_rotations_are_their_product() {
    let trainer = late_trainer(&late("simclr", Head::MrlE, sgd()));
    let before = features(&trainer);
    begin_nesting(&trainer, &axes());
    begin_nesting(&trainer, &axes().tr());
    assert!(difference(&features(&trainer), &before) < 1e-5);
}

#[test]
fn moments_are_rotated_with_their_weights() {
    let mut trainer = late_trainer(&late("simclr", Head::MrlE, Rule::AdamW));
    step_on(&mut trainer, 0);
    let of_head = |trainer: &Trainer| -> Vec<Vec<Vec<f64>>> {
        let layout = trainer.online.layout();
        let rows = |flat: &Tensor| {
            let mut views = layout.views(flat);
            let (_, weights) = views.find(|(name, _)| *name == "projector.hidden.weight").unwrap();
            Vec::<Vec<f64>>::try_from(weights.to_kind(Kind::Double)).unwrap()
        };
        trainer.optimiser.state().into_iter().map(|(_, flat)| rows(flat)).collect()
    };
    let before = of_head(&trainer);
    begin_nesting(&trainer, &axes());
    let after = of_head(&trainer);
    let axes = Vec::<Vec<f64>>::try_from(axes().to_kind(Kind::Double)).unwrap();
    // The mean is first, then the mean of squares.
    for (moment, power) in [(0, 1), (1, 2)] {
        let largest = before[moment].iter().flatten().fold(0.0f64, |most, value| most.max(value.abs()));
        for (old, new) in before[moment].iter().zip(&after[moment]) {
            for (axis, new) in axes.iter().zip(new) {
                let expected: f64 = axis.iter().zip(old).map(|(a, old)| a.powi(power) * old).sum();
                assert!((new - expected).abs() < 1e-5 * largest, "{new} {expected}");
            }
        }
    }
}
