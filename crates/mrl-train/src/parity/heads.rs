//! Heads and classifiers: `goldens/objectives/make.py` has them as sums over plain lists.

use mrl_config::{Head, ProjectorConfig};
use tch::{Kind, Tensor};

use super::{Value, assert_close, fill, flat, network, numbers, read};
use crate::model::{Active, Classifier, LayoutBuilder, Mode, Network, Projector};

fn head_of(case: &Value) -> (Head, Vec<usize>) {
    let dims = numbers(&case["dims"]).iter().map(|&dim| dim as usize).collect();
    (case["head"].as_str().unwrap().parse().unwrap(), dims)
}

fn train(network: &Network) -> Active<'_> {
    network.activate(Mode::Train, Kind::Float)
}

#[test]
fn projections_and_their_gradients_are_plain_sums() {
    let golden = read("objectives/objectives.json");
    for case in golden["heads"].as_array().unwrap() {
        let (head, dims) = head_of(case);
        let config = ProjectorConfig {
            hidden: case["hidden"].as_u64().map_or(dims[dims.len() - 1], |hidden| hidden as usize),
            nest_hidden: case["nest_hidden"].as_bool().unwrap(),
            batch_norm: case["batch_norm"].as_bool().unwrap(),
            dim: 3,
        };
        let mut layout = LayoutBuilder::default();
        let projector = Projector::new(&mut layout, head, &config, &dims);
        let network = network(layout);
        let x = fill("heads.x", &[7, 8], 0.0, 2.0).set_requires_grad(true);
        let places: Vec<usize> = (0..dims.len()).collect();
        let outputs = projector.forward(&train(&network), &x, &places).unbind(0);
        for (z, expected) in outputs.iter().zip(case["outputs"].as_array().unwrap()) {
            assert_close(&format!("{head} {dims:?}"), &flat(z), &numbers(expected), 1e-5);
        }
        let weigh = |(z, dim): (&Tensor, &usize)| {
            (z * fill(&format!("heads.g.{dim}"), &[7, 3], 0.0, 1.0)).sum(Kind::Float)
        };
        let weighed: Tensor = outputs.iter().zip(&dims).map(weigh).sum();
        weighed.backward();
        assert_close(&format!("{head}: d / d x"), &flat(&x.grad()), &numbers(&case["grad_x"]), 2e-5);

        // A prefix on its own is what it is among the others.
        let last = projector.forward(&train(&network), &x, &places[dims.len() - 1..]).unbind(0);
        assert_eq!(last.len(), 1);
        assert_close("alone", &flat(&last[0]), &flat(&outputs[dims.len() - 1]), 1e-6);
    }
}

#[test]
fn logits_are_plain_sums() {
    let golden = read("objectives/objectives.json");
    for case in golden["classifiers"].as_array().unwrap() {
        let (head, dims) = head_of(case);
        let mut layout = LayoutBuilder::default();
        let classifier = Classifier::new(&mut layout, head, &dims, 4);
        let network = network(layout);
        let places: Vec<usize> = (0..dims.len()).collect();
        let x = fill("heads.x", &[7, 8], 0.0, 2.0);
        let outputs = classifier.forward(&train(&network), &x, &places).unbind(0);
        assert_eq!(outputs.len(), dims.len());
        for (logits, expected) in outputs.iter().zip(case["outputs"].as_array().unwrap()) {
            assert_close(&format!("{head} {dims:?}"), &flat(logits), &numbers(expected), 1e-5);
        }
    }
}
