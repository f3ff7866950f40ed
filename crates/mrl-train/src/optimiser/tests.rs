//! `goldens/optimisers/make.py` made the expected numbers.

use std::{path::Path, sync::Arc};

use mrl_config::Config;
use serde_json::Value;
use tch::{Device, Kind};

use super::{parts::CACHED, *};
use crate::{
    model::LayoutBuilder,
    parity::{assert_close, fill, flat, numbers},
};

fn golden() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../goldens/optimisers/optimisers.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn shape(tensor: &Value) -> Vec<i64> {
    numbers(&tensor["shape"]).iter().map(|&size| size as i64).collect()
}

/// A network of the golden's tensors, all zeros.
fn network(tensors: &[Value]) -> Network {
    let mut layout = LayoutBuilder::default();
    for tensor in tensors {
        let name = tensor["name"].as_str().unwrap().to_owned();
        match shape(tensor)[..] {
            [out, inputs, kernel, _] => layout.convolution(name, out, inputs, kernel),
            [out, inputs] => layout.linear(name, out, inputs),
            ref other => layout.constant(name, other, 0.0),
        };
    }
    Network::zeros(Arc::new(layout.finish()), Device::Cpu)
}

/// Gives each tensor of `flat` the golden's formula of its name and `suffix`, times its `scale`.
fn fill_all(network: &Network, flat: &Tensor, tensors: &[Value], suffix: &str, scale: &str) {
    for ((name, mut view), tensor) in network.layout().views(flat).zip(tensors) {
        let values = fill(&format!("{name}{suffix}"), &shape(tensor), 0.0, tensor[scale].as_f64().unwrap());
        tch::no_grad(|| view.copy_(&values));
    }
}

fn assert_is(network: &Network, expected: &Value, what: &str) {
    for (name, view) in network.layout().views(&network.trainable()) {
        assert_close(&format!("{what}: {name}"), &flat(&view), &numbers(&expected[name]), 2e-6);
    }
}

#[test]
fn five_updates_are_those_of_the_definition() {
    let golden = golden();
    let (tensors, cases) = (golden["tensors"].as_array().unwrap(), golden["cases"].as_array().unwrap());
    assert_eq!(cases.len(), 11);
    for case in cases {
        let network = network(tensors);
        fill_all(&network, &network.trainable(), tensors, "", "weights");
        let config = config(&case["config"]);
        let mut optimiser = Optimiser::new(&config, &network);
        for (step, lr) in numbers(&golden["rates"]).into_iter().enumerate() {
            let gradient = network.trainable().zeros_like();
            fill_all(&network, &gradient, tensors, &format!(".{}", step + 1), "gradients");
            optimiser.step(&network, &gradient, lr);
            if step == 0 {
                assert_is(&network, &case["first"], &format!("first step of {config:?}"));
            }
        }
        assert_is(&network, &case["last"], &format!("last step of {config:?}"));
    }
}

/// A golden's configuration, with the reference's values where it has none.
fn config(given: &Value) -> OptimiserConfig {
    let mut whole = serde_json::to_value(Config::preset("reference").unwrap().optimiser).unwrap();
    whole["decay_norms_and_biases"] = (given["kind"] != "lars").into();
    whole.as_object_mut().unwrap().extend(given.as_object().unwrap().clone());
    serde_json::from_value(whole).unwrap()
}

/// A network of one vector.
fn vector(values: &Tensor) -> Network {
    let mut layout = LayoutBuilder::default();
    layout.linear("vector".to_owned(), values.size()[0], 1);
    let network = Network::zeros(Arc::new(layout.finish()), Device::Cpu);
    let mut part = network.trainable().narrow(0, 0, values.size()[0]);
    tch::no_grad(|| part.copy_(values));
    network
}

#[test]
fn an_update_in_parts_is_that_of_each_number_alone() {
    // Whole cache lines, so that nothing is padded.
    let n = 2 * CACHED + 48;
    let numbers = |seed: i64| (Tensor::arange(n, (Kind::Float, Device::Cpu)) * seed as f64).sin();
    for kind in ["adam", "adamw", "sgd"] {
        let config = config(&serde_json::json!({ "kind": kind, "weight_decay": 0.1 }));
        let update = |from: i64, to: i64| {
            let cut = |tensor: Tensor| tensor.slice(0, from, to, 1).copy();
            let network = vector(&cut(numbers(3)));
            let mut optimiser = Optimiser::new(&config, &network);
            for step in 0..3 {
                optimiser.step(&network, &cut(numbers(7 + step)), 0.01);
            }
            network.trainable().copy()
        };
        let middle = CACHED - 16;
        assert_eq!(update(0, n), Tensor::cat(&[update(0, middle), update(middle, n)], 0), "{kind}");
    }
}
