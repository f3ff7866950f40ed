//! Steps on more than two views.

use mrl_config::{Config, Head, Objective};
use strum::VariantNames;
use tch::Tensor;

use super::{
    tests::{batch_of, state, trainer},
    *,
};
use crate::{
    parity::loss_of_views,
    testing::{set_objective, tiny},
};

/// Three views and two small ones, two prefixes.
fn config(objective: &str) -> Config {
    let mut config = tiny();
    set_objective(&mut config, objective);
    (config.run.views, config.run.small_views) = (3, 2);
    config.model.nesting = Some(vec![8, 64]);
    config.objective.dim_weights = Some(vec![1.0, 1.5]);
    config.model.head = Head::MrlE;
    config
}

/// The gradient as torch finds it of all views at once, and the loss of each prefix.
fn by_plain_loops(trainer: &Trainer, batch: &Batch) -> (Tensor, Vec<f64>) {
    let objective = &trainer.config.objective.loss;
    let prefixes = trainer.prefixes();
    let online = trainer.online.activate(Mode::Train, trainer.kind);
    let outputs: Vec<Tensor> =
        batch.views.iter().map(|view| trainer.model.outputs(&online, view, &prefixes.places)).collect();
    let targets: Vec<Tensor> = tch::no_grad(|| {
        let target = trainer.target.activate(Mode::Train, trainer.kind);
        let project = |view| trainer.model.project(&target, view, &prefixes.places);
        batch.views[..3].iter().map(project).collect()
    });
    let labels = batch.labels.as_ref().unwrap();
    let losses = loss_of_views(objective, &outputs, &targets, labels, trainer.model.log_scale(&online));
    let weights = Tensor::from_slice(&prefixes.weights).to_kind(Kind::Float);
    let gradient = trainer.online.trainable().zeros_like();
    online.add_gradient(&losses.dot(&weights), &gradient);
    (gradient, Vec::try_from(losses.to_kind(Kind::Double)).unwrap())
}

#[test]
fn the_gradient_of_several_views_is_that_of_plain_loops() {
    for objective in Objective::VARIANTS {
        let trainer = trainer(&config(objective));
        // A target of its own, so that it is seen which network projects what.
        tch::no_grad(|| {
            let _ = trainer.target.trainable().g_mul_scalar_(1.1);
        });
        let batch = batch_of(0, 3, 2);
        let (expected, losses) = by_plain_loops(&trainer, &batch);
        let gradient = expected.zeros_like();
        let seen = trainer.learn(&batch, &trainer.prefixes(), 1.0, &gradient).unwrap();
        let away = ((&gradient - &expected).norm() / expected.norm()).double_value(&[]);
        assert!(away < 1e-4, "{objective}: the gradient is {away} away");
        for (found, expected) in seen.losses.iter().zip(losses) {
            assert!((found / expected - 1.0).abs() < 1e-5, "{objective}: {found} instead of {expected}");
        }
    }
}

/// Everything that training with these views left of the running statistics of the online network.
fn statistics(trainer: &Trainer) -> Vec<Vec<f32>> {
    let views = trainer.online.layout().views(trainer.online.flat());
    let running = views.filter(|(name, _)| name.contains("running_") || *name == "fc.mean");
    running.map(|(_, tensor)| Vec::try_from(tensor.copy()).unwrap()).collect()
}

#[test]
fn small_views_move_no_running_statistics() {
    for objective in Objective::VARIANTS {
        let mut config = config(objective);
        config.model.centre = true;
        config.run.views = 2;
        let mut step = |small: u32| {
            config.run.small_views = small as usize;
            let mut trainer = trainer(&config);
            trainer.step([Ok(batch_of(0, 2, small))].into_iter()).unwrap();
            (statistics(&trainer), trainer.online.batches_tracked().get(), trainer.online.trainable().copy())
        };
        let ((none, passes, weights), (some, passes_with, weights_with)) = (step(0), step(2));
        assert!(none == some, "{objective}: statistics differ");
        assert_eq!((passes, passes_with), (2, 2), "{objective}");
        assert!(weights != weights_with, "{objective}: small views teach nothing");
    }
}

#[test]
fn labels_can_be_learnt_from_one_view() {
    let mut config = config("supervised");
    (config.run.views, config.run.small_views) = (1, 0);
    let mut trainer = trainer(&config);
    let mut loss = |step| trainer.step([Ok(batch_of(step, 1, 0))].into_iter()).unwrap().loss;
    let losses: Vec<f64> = (0..8).map(|_| loss(0)).collect();
    assert!(losses[7] < losses[0], "{losses:?}");
}

#[test]
fn every_objective_learns_from_several_views() {
    for objective in Objective::VARIANTS {
        let config = config(objective);
        let (mut many, mut again) = (trainer(&config), trainer(&config));
        let records: Vec<StepRecord> =
            (0..6).map(|_| many.step([Ok(batch_of(0, 3, 2))].into_iter()).unwrap()).collect();
        assert!(records[5].loss < records[0].loss, "{objective}: {} to {}", records[0].loss, records[5].loss);
        (0..6).for_each(|_| drop(again.step([Ok(batch_of(0, 3, 2))].into_iter()).unwrap()));
        assert!(state(&many) == state(&again), "{objective} is not the same twice");
    }
}
