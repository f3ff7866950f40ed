//! Losses and their gradients: `goldens/objectives/make.py` has them by their papers' formulas, in double precision.

use tch::Tensor;

use super::{Value, assert_close, fill, flat, numbers, read};
use crate::ObjectiveConfig;

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
        let loss = config.loss.loss(&x, labels.as_ref().unwrap_or(&y), Some(&log_scale));
        let name = &case["objective"];
        assert_close(&format!("{name}"), &flat(&loss), &[case["loss"].as_f64().unwrap()], 1e-6);
        loss.backward();
        assert_close(&format!("{name}: d / d x"), &flat(&x.grad()), &numbers(&case["grad_x"]), 1e-5);
        if case["grad_y"].is_array() {
            assert_close(&format!("{name}: d / d y"), &flat(&y.grad()), &numbers(&case["grad_y"]), 1e-5);
        }
    }
}

fn integers(values: &[Value]) -> Tensor {
    Tensor::from_slice(&values.iter().map(|value| value.as_i64().unwrap()).collect::<Vec<_>>())
}

#[test]
fn a_loss_is_the_same_whichever_view_comes_first() {
    let [x, y] = ["x", "y"].map(|name| fill(&format!("objective.{name}"), &[7, 5], 0.0, 2.0));
    for name in ["simclr", "vicreg", "barlow-twins"] {
        let loss: crate::Objective = name.parse().unwrap();
        let [there, back] = [(&x, &y), (&y, &x)].map(|(a, b)| flat(&loss.loss(a, b, None)));
        assert_close(name, &there, &back, 1e-6);
    }
}

#[test]
fn projections_that_say_nothing_have_finite_losses_and_gradients() {
    for name in ["relic", "simclr", "byol", "vicreg", "barlow-twins"] {
        let objective: crate::Objective = name.parse().unwrap();
        for constant in [0.0, 3.0] {
            let z =
                Tensor::full([4, 3], constant, (tch::Kind::Float, tch::Device::Cpu)).set_requires_grad(true);
            let loss = objective.loss(&z, &z.detach(), Some(&Tensor::from_slice(&[0f32])));
            loss.backward();
            let seen = [flat(&loss), flat(&z.grad())].concat();
            assert!(seen.iter().all(|number| number.is_finite()), "{name} of {constant}: {seen:?}");
        }
    }
}

#[test]
fn accuracy_counts_what_is_ranked_first() {
    let scores = Tensor::from_slice(&[0.1f32, 0.9, 0.0, 0.2, 0.3, 0.1, 0.0, 0.0, 5.0]).view([3, 3]);
    let supervised: crate::Objective = "supervised".parse().unwrap();
    let (top1, top5) = supervised.accuracy(&scores, &Tensor::from_slice(&[1i64, 0, 2]));
    assert!((top1 - 200.0 / 3.0).abs() < 1e-4 && top5 == 100.0, "{top1} {top5}");

    let z = fill("objective.x", &[7, 5], 0.0, 2.0);
    let simclr: crate::Objective = "simclr".parse().unwrap();
    assert_eq!(simclr.accuracy(&z, &(&z * 2.0)), (100.0, 100.0));
    assert_eq!(simclr.accuracy(&z, &z.roll([1], [0])).0, 0.0);
}
