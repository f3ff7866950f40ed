//! All prefixes at once against each on its own, by plain layers on the first rows and columns of the named weights.

use mrl_config::{Head, ProjectorConfig};
use tch::{Kind, Tensor};

use super::*;
use crate::parity::{assert_close, fill, flat, network};

/// Ends with the encoder's width.
const DIMS: [usize; 3] = [2, 5, 8];
const PROJECTION: i64 = 3;
const IMAGES: i64 = 7;

/// Heads with and without batch norm and nested hidden units, as wide as the encoder and wider, and without a hidden layer.
fn configs() -> Vec<(Head, ProjectorConfig)> {
    let mut configs = Vec::new();
    for head in [Head::MrlE, Head::Mrl, Head::Fixed, Head::RandomPrefix] {
        for (batch_norm, nest_hidden) in [(false, false), (false, true), (true, false), (true, true)] {
            let has_hidden_alone = batch_norm || !nest_hidden;
            for hidden in [DIMS[2], 11, 0] {
                if hidden == 0 && has_hidden_alone {
                    continue;
                }
                let dim = PROJECTION as usize;
                configs.push((head, ProjectorConfig { hidden, nest_hidden, batch_norm, dim }));
            }
        }
    }
    configs
}

/// What the names of a prefix's own tensors have in between.
fn infix(head: Head, dim: impl std::fmt::Display) -> String {
    if head == Head::Mrl { format!("{dim}.") } else { String::new() }
}

/// A network's tensors by name, and a leaf that they are views of; statistics are those of the network itself.
struct Plain<'a> {
    network: &'a Network,
    leaf: Tensor,
}

impl<'a> Plain<'a> {
    fn new(network: &'a Network) -> Self {
        Self { network, leaf: network.flat().copy().set_requires_grad(true) }
    }

    fn of(&self, flat: &Tensor, name: &str) -> Tensor {
        self.network.layout().views(flat).find(|(other, _)| *other == name).unwrap().1
    }

    fn get(&self, name: &str) -> Tensor {
        self.of(&self.leaf, name)
    }

    fn has(&self, name: &str) -> bool {
        self.network.layout().views(&self.leaf).any(|(other, _)| other == name)
    }

    /// The first `units` hidden units of the layers `name`, and the norm `norm` where there is one.
    fn layers(&self, [name, norm]: [&str; 2], x: &Tensor, units: i64) -> Tensor {
        let first = |weight: Tensor, units, inputs| weight.narrow(0, 0, units).narrow(1, 0, inputs);
        let h = x.matmul(&first(self.get(&format!("{name}hidden.weight")), units, x.size()[1]).tr());
        let h = if self.has(&format!("{norm}weight")) {
            let [weight, bias] = ["weight", "bias"].map(|part| Some(self.get(&format!("{norm}{part}"))));
            let [mean, var] = ["mean", "var"]
                .map(|part| Some(self.of(self.network.flat(), &format!("{norm}running_{part}"))));
            h.batch_norm(weight, bias, mean, var, true, 0.1, 1e-5, true)
        } else {
            h
        };
        h.relu().matmul(&first(self.get(&format!("{name}output.weight")), PROJECTION, units).tr())
    }
}

/// The same outputs `[p, n, k]`, and gradients of their weighted sum in `x` and in the weights, and statistics.
fn assert_same(
    name: &str,
    x: &Tensor,
    [network, other]: [&Network; 2],
    at_once: impl Fn(&Active, &Tensor) -> Tensor,
    one_by_one: impl Fn(&Plain, &Tensor) -> Vec<Tensor>,
) {
    let (active, plain) = (network.activate(Mode::Train, Kind::Float), Plain::new(other));
    let [x, plain_x] = [x, x].map(|x| x.copy().set_requires_grad(true));
    let outputs = at_once(&active, &x);
    let expected = Tensor::stack(&one_by_one(&plain, &plain_x), 0);
    assert_eq!(outputs.size(), expected.size(), "{name}");
    assert_close(name, &flat(&outputs), &flat(&expected), 1e-5);

    let weigh = |z: &Tensor| (z * fill("weigh", &z.size(), 0.0, 1.0)).sum(Kind::Float);
    weigh(&expected).backward();
    let loss = weigh(&outputs);
    let of_x = &Tensor::run_backward(&[&loss], &[&x], true, false)[0];
    assert_close(&format!("{name}: d / d x"), &flat(of_x), &flat(&plain_x.grad()), 1e-5);
    let gradient = network.trainable().zeros_like();
    active.add_gradient(&loss, &gradient);
    let expected = plain.leaf.grad().narrow(0, 0, gradient.size()[0]);
    assert_close(&format!("{name}: d / d weights"), &flat(&gradient), &flat(&expected), 1e-5);
    assert_close(&format!("{name}: statistics"), &flat(network.flat()), &flat(other.flat()), 1e-5);
}

/// All places, some, and one alone.
const PLACES: [&[usize]; 4] = [&[0, 1, 2], &[0, 2], &[1], &[2]];

#[test]
fn projections_are_those_of_each_prefix_on_its_own() {
    for (head, config) in configs() {
        for places in PLACES {
            let make = || {
                let mut layout = LayoutBuilder::default();
                (Projector::new(&mut layout, head, &config, &DIMS), network(layout))
            };
            let ((projector, network), (_, other)) = (make(), make());
            let one_by_one = |plain: &Plain, x: &Tensor| {
                let project = |&place: &usize| {
                    let dim = DIMS[place];
                    let names = [format!("projector.{}", infix(head, dim)), format!("projector.{dim}.norm.")];
                    let prefix = x.narrow(1, 0, dim as i64);
                    match config.hidden_units(dim, DIMS[2]) {
                        Some(units) => {
                            plain.layers(names.each_ref().map(String::as_str), &prefix, units as i64)
                        }
                        None => prefix.matmul(
                            &plain.get(&format!("{}output.weight", names[0])).narrow(1, 0, dim as i64).tr(),
                        ),
                    }
                };
                places.iter().map(project).collect()
            };
            assert_same(
                &format!("{head} {config:?} {places:?}"),
                &fill("x", &[IMAGES, 8], 0.1, 2.0),
                [&network, &other],
                |weights, x| projector.forward(weights, x, places),
                one_by_one,
            );
        }
    }
}

#[test]
fn predictions_are_those_of_each_prefix_on_its_own() {
    for (head, config) in configs().into_iter().filter(|(head, _)| *head == Head::MrlE) {
        for places in PLACES {
            let make = || {
                let mut layout = LayoutBuilder::default();
                (Predictor::new(&mut layout, &config, &DIMS, 9), network(layout))
            };
            let ((predictor, network), (_, other)) = (make(), make());
            let one_by_one = |plain: &Plain, z: &Tensor| {
                let predict = |(z, &place): (Tensor, &usize)| {
                    let name = format!("predictor.{}.", DIMS[place]);
                    plain.layers([&name, &format!("{name}norm.")], &z, 9)
                };
                z.unbind(0).into_iter().zip(places).map(predict).collect()
            };
            assert_same(
                &format!("{head} {config:?} {places:?}"),
                &fill("z", &[places.len() as i64, IMAGES, PROJECTION], 0.1, 2.0),
                [&network, &other],
                |weights, z| predictor.forward(weights, z, places),
                one_by_one,
            );
        }
    }
}

#[test]
fn logits_are_those_of_each_prefix_on_its_own() {
    for head in [Head::MrlE, Head::Mrl] {
        for places in PLACES {
            let make = || {
                let mut layout = LayoutBuilder::default();
                (Classifier::new(&mut layout, head, &DIMS, 4), network(layout))
            };
            let ((classifier, network), (_, other)) = (make(), make());
            let one_by_one = |plain: &Plain, x: &Tensor| {
                let classify = |&place: &usize| {
                    let dim = DIMS[place] as i64;
                    let infix = infix(head, dim);
                    let [weight, bias] =
                        ["weight", "bias"].map(|part| plain.get(&format!("classifier.{infix}{part}")));
                    x.narrow(1, 0, dim).matmul(&weight.narrow(1, 0, dim).tr()) + bias
                };
                places.iter().map(classify).collect()
            };
            assert_same(
                &format!("{head} {places:?}"),
                &fill("x", &[IMAGES, 8], 0.1, 2.0),
                [&network, &other],
                |weights, x| classifier.forward(weights, x, places),
                one_by_one,
            );
        }
    }
}

/// What is not finite in the features beyond a prefix is not the prefix's.
#[test]
fn numbers_beyond_a_prefix_do_not_reach_it() {
    let mut layout = LayoutBuilder::default();
    let projector = Projector::new(&mut layout, Head::MrlE, &configs()[0].1, &DIMS);
    let network = network(layout);
    let x = fill("x", &[IMAGES, 8], 0.1, 2.0);
    let _ = x.narrow(1, 5, 1).fill_(f64::INFINITY);
    let outputs = projector.forward(&network.activate(Mode::Train, Kind::Float), &x, &[0, 1, 2]);
    let finite = outputs.isfinite().all_dims([1i64, 2].as_slice(), false);
    assert_eq!(Vec::<bool>::try_from(finite).unwrap(), [true, true, false]);
}
