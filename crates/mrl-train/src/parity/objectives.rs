//! Losses and their gradients: `goldens/objectives/make.py` has them by their papers' formulas, in double precision.

use mrl_config::{Objective, ObjectiveConfig, SimClr};
use strum::VariantNames;
use tch::{Kind, Tensor};

use super::{Value, assert_close, fill, flat, numbers, read};
use crate::objective::{Partner, accuracy_of, loss_of, pairs, partner_of, partners_of_view};

#[test]
fn losses_and_their_gradients_are_those_of_the_papers() {
    let golden = read("objectives/objectives.json");
    let cases = golden["losses"].as_array().unwrap();
    assert_eq!(cases.len(), 10);
    for case in cases {
        let config: ObjectiveConfig = serde_json::from_value(case["objective"].clone()).unwrap();
        let x = fill("objective.x", &[7, 5], 0.1, 2.0).set_requires_grad(true);
        let y = fill("objective.y", &[7, 5], -0.2, 3.0).set_requires_grad(true);
        let labels = case["labels"].as_array().map(|labels| integers(labels));
        let log_scale = Tensor::from_slice(&[0.3f32]);
        let loss = loss_of(
            &config.loss,
            &x.unsqueeze(0),
            &labels.unwrap_or_else(|| y.unsqueeze(0)),
            Some(&log_scale),
        );
        let name = &case["objective"];
        assert_close(&format!("{name}"), &flat(&loss), &[case["loss"].as_f64().unwrap()], 1e-6);
        loss.backward();
        assert_close(&format!("{name}: d / d x"), &flat(&x.grad()), &numbers(&case["grad_x"]), 1e-5);
        if case["grad_y"].is_array() {
            assert_close(&format!("{name}: d / d y"), &flat(&y.grad()), &numbers(&case["grad_y"]), 1e-5);
        }
    }
}

/// The loss of `outputs` of several views, `[p, n, k]` each, of which as many as there are `targets` are not small: `[p]`.
pub(crate) fn loss_of_views(
    objective: &Objective,
    outputs: &[Tensor],
    targets: &[Tensor],
    labels: &Tensor,
    log_scale: Option<&Tensor>,
) -> Tensor {
    let mean =
        |losses: Vec<Tensor>| Tensor::stack(&losses, 0).mean_dim([0i64].as_slice(), false, Kind::Float);
    let loss = |outputs: &Tensor, partner: &Tensor| loss_of(objective, outputs, partner, log_scale);
    let of_view = |(place, outputs): (usize, &Tensor)| match partner_of(objective) {
        Partner::Labels => loss(outputs, labels),
        _ => mean(
            partners_of_view(objective, targets, place).iter().map(|other| loss(outputs, other)).collect(),
        ),
    };
    match partner_of(objective) {
        Partner::OtherView => {
            mean(pairs(outputs.len(), targets.len()).map(|[a, b]| loss(&outputs[a], &outputs[b])).collect())
        }
        _ => mean(outputs.iter().enumerate().map(of_view).collect()),
    }
}

#[test]
fn losses_of_several_views_and_their_gradients_are_those_of_plain_loops() {
    let golden = read("objectives/objectives.json");
    let cases = golden["views"].as_array().unwrap();
    assert_eq!(cases.len(), Objective::VARIANTS.len());
    for case in cases {
        let config: ObjectiveConfig = serde_json::from_value(case["objective"].clone()).unwrap();
        let expected = case["grad"].as_array().unwrap();
        let view = |place| fill(&format!("views.x.{place}"), &[1, 7, 5], 0.1, 2.0).set_requires_grad(true);
        let views: Vec<Tensor> = (0..expected.len()).map(view).collect();
        let target = |place| fill(&format!("views.target.{place}"), &[1, 7, 5], -0.2, 3.0);
        let targets: Vec<Tensor> = (0..case["large"].as_u64().unwrap()).map(target).collect();
        let labels = integers(case["labels"].as_array().unwrap());
        let log_scale = Tensor::from_slice(&[0.3f32]);
        let loss = loss_of_views(&config.loss, &views, &targets, &labels, Some(&log_scale));
        let name = &config.loss;
        assert_close(&name.to_string(), &flat(&loss), &[case["loss"].as_f64().unwrap()], 1e-6);
        loss.backward();
        for (place, (view, expected)) in views.iter().zip(expected).enumerate() {
            assert_close(
                &format!("{name}: d / d view {place}"),
                &flat(&view.grad()),
                &numbers(expected),
                1e-5,
            );
        }
    }
}

fn integers(values: &[Value]) -> Tensor {
    Tensor::from_slice(&values.iter().map(|value| value.as_i64().unwrap()).collect::<Vec<_>>())
}

#[test]
fn a_loss_is_the_same_whichever_view_comes_first() {
    let [x, y] = ["x", "y"].map(|name| fill(&format!("objective.{name}"), &[1, 7, 5], 0.0, 2.0));
    for name in ["simclr", "vicreg", "barlow-twins"] {
        let loss: Objective = name.parse().unwrap();
        let [there, back] = [(&x, &y), (&y, &x)].map(|(a, b)| flat(&loss_of(&loss, a, b, None)));
        assert_close(name, &there, &back, 1e-6);
    }
}

#[test]
fn projections_that_say_nothing_have_finite_losses_and_gradients() {
    for name in ["relic", "simclr", "byol", "vicreg", "barlow-twins"] {
        let objective: Objective = name.parse().unwrap();
        for constant in [0.0, 3.0] {
            let z = Tensor::full([1, 4, 3], constant, (tch::Kind::Float, tch::Device::Cpu))
                .set_requires_grad(true);
            let loss = loss_of(&objective, &z, &z.detach(), Some(&Tensor::from_slice(&[0f32])));
            loss.backward();
            let seen = [flat(&loss), flat(&z.grad())].concat();
            assert!(seen.iter().all(|number| number.is_finite()), "{name} of {constant}: {seen:?}");
        }
    }
}

#[test]
fn accuracy_counts_what_is_ranked_first() {
    let scores = Tensor::from_slice(&[0.1f32, 0.9, 0.0, 0.2, 0.3, 0.1, 0.0, 0.0, 5.0]).view([1, 3, 3]);
    let supervised: Objective = "supervised".parse().unwrap();
    let found = flat(&accuracy_of(&supervised, &scores, &Tensor::from_slice(&[1i64, 0, 2])));
    assert!((found[0] - 200.0 / 3.0).abs() < 1e-4 && found[1] == 100.0, "{found:?}");

    let z = fill("objective.x", &[1, 7, 5], 0.0, 2.0);
    let simclr: Objective = "simclr".parse().unwrap();
    assert_eq!(flat(&accuracy_of(&simclr, &z, &(&z * 2.0))), [100.0, 100.0]);
    let turned = z.roll([1], [1]);
    assert_eq!(flat(&accuracy_of(&simclr, &z, &turned))[0], 0.0);
    // Of several prefixes the last one counts.
    let [two, partner] = [[&turned, &z], [&z, &z]].map(|prefixes| Tensor::cat(&prefixes, 0));
    assert_eq!(flat(&accuracy_of(&simclr, &two, &partner)), [100.0, 100.0]);
}

#[test]
fn losses_of_prefixes_are_those_of_each_on_its_own() {
    let [x, y] = ["x", "y"].map(|name| fill(&format!("prefixes.{name}"), &[3, 7, 5], 0.1, 2.0));
    let labels = Tensor::from_slice(&[0i64, 1, 2, 3, 4, 0, 2]);
    let weights = Tensor::from_slice(&[1.0f32, 0.5, 3.0]);
    let decoupled = Objective::Simclr(SimClr { decoupled: true, ..SimClr::default() });
    for objective in
        Objective::VARIANTS.iter().map(|name| name.parse::<Objective>().unwrap()).chain([decoupled])
    {
        let name = format!("{objective:?}");
        let losses = |x: &Tensor, y: &Tensor, log_scale: &Tensor| {
            let partner = if objective.needs_labels() { &labels } else { y };
            loss_of(&objective, x, partner, Some(log_scale))
        };
        // Losses, and the gradients of their weighted sum.
        let seen = |together: bool| {
            let [x, y] = [&x, &y].map(|z| z.copy().set_requires_grad(true));
            let log_scale = Tensor::from_slice(&[0.3f32]).set_requires_grad(true);
            let found = if together {
                losses(&x, &y, &log_scale)
            } else {
                let one = |prefix| losses(&x.narrow(0, prefix, 1), &y.narrow(0, prefix, 1), &log_scale);
                Tensor::cat(&[0, 1, 2].map(one), 0)
            };
            (&found * &weights).sum(Kind::Float).backward();
            let gradients = [x.grad(), y.grad(), log_scale.grad()];
            let gradients = gradients.into_iter().filter(Tensor::defined).map(|gradient| flat(&gradient));
            [flat(&found)].into_iter().chain(gradients).collect::<Vec<_>>()
        };
        let (together, alone) = (seen(true), seen(false));
        assert_eq!((together[0].len(), together.len()), (3, alone.len()), "{name}");
        for (together, alone) in together.iter().zip(&alone) {
            assert_close(&name, together, alone, 1e-5);
        }
    }
}
