use std::{cell::Cell, sync::Arc};

use rand::{Rng, RngExt};
use rand_distr::{Distribution, StandardNormal};
use tch::{Device, Kind, Tensor};

/// A tensor's place in a [`Layout`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Id(usize);

/// How a tensor starts.
#[derive(Clone, Copy, Debug)]
enum Init {
    Constant(f64),
    /// Normal with this standard deviation.
    Normal(f64),
    /// Uniform between minus and plus this bound.
    Uniform(f64),
    /// A square matrix that changes nothing.
    Identity,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// Trained by the optimiser.
    Parameter,
    /// A running mean or variance, or a rotation: not trained.
    Statistic,
}

/// One tensor of a network.
#[derive(Clone, Debug)]
struct Spec {
    name: String,
    shape: Vec<i64>,
    role: Role,
    init: Init,
    offset: i64,
}

impl Spec {
    fn numel(&self) -> i64 {
        self.shape.iter().product()
    }

    /// This tensor's part of `flat`, `[total]`. Convolution weights lie channels-last, `[out, h, w, in]`, and are
    /// seen as torch's `[out, in, h, w]`.
    fn view(&self, flat: &Tensor) -> Tensor {
        let part = flat.narrow(0, self.offset, self.numel());
        match self.shape[..] {
            [o, i, h, w] => part.view([o, h, w, i]).permute([0, 3, 1, 2]),
            _ => part.view(&self.shape[..]),
        }
    }
}

/// Which tensors a network has, and where they lie in its one flat buffer: first all parameters, then all statistics,
/// so that the optimiser and the moving average each are a few operations on one long vector.
#[derive(Debug)]
pub(crate) struct Layout {
    specs: Vec<Spec>,
    trainable: i64,
    total: i64,
}

/// Collects the tensors of a network while its layers are made.
#[derive(Default)]
pub(crate) struct LayoutBuilder(Vec<Spec>);

/// Tensors start at multiples of this many numbers: a cache line of f32, half of one of 16 bits.
const ALIGNMENT: i64 = 16;

impl LayoutBuilder {
    /// A convolution's weight `[out, in, k, k]`, Kaiming-normal by fan-out as in torchvision's ResNet.
    pub(crate) fn convolution(&mut self, name: String, out: i64, inputs: i64, kernel: i64) -> Id {
        let fan_out = (out * kernel * kernel) as f64;
        self.add(name, &[out, inputs, kernel, kernel], Role::Parameter, Init::Normal((2.0 / fan_out).sqrt()))
    }

    /// A linear layer's weight `[out, in]`, uniform by fan-in as torch's `Linear` starts.
    pub(crate) fn linear(&mut self, name: String, out: i64, inputs: i64) -> Id {
        self.add(name, &[out, inputs], Role::Parameter, Init::Uniform(1.0 / (inputs as f64).sqrt()))
    }

    /// A linear layer's bias `[out]`, uniform by fan-in as torch's `Linear` starts.
    pub(crate) fn bias(&mut self, name: String, out: i64, inputs: i64) -> Id {
        self.add(name, &[out], Role::Parameter, Init::Uniform(1.0 / (inputs as f64).sqrt()))
    }

    /// A parameter that starts as `value` everywhere.
    pub(crate) fn constant(&mut self, name: impl Into<String>, shape: &[i64], value: f64) -> Id {
        self.add(name.into(), shape, Role::Parameter, Init::Constant(value))
    }

    /// A running statistic that starts as `value` everywhere.
    pub(crate) fn statistic(&mut self, name: String, shape: &[i64], value: f64) -> Id {
        self.add(name, shape, Role::Statistic, Init::Constant(value))
    }

    /// A matrix `[width, width]` that is not trained and starts as the identity.
    pub(crate) fn rotation(&mut self, name: impl Into<String>, width: i64) -> Id {
        self.add(name.into(), &[width, width], Role::Statistic, Init::Identity)
    }

    fn add(&mut self, name: String, shape: &[i64], role: Role, init: Init) -> Id {
        self.0.push(Spec { name, shape: shape.to_vec(), role, init, offset: 0 });
        Id(self.0.len() - 1)
    }

    pub(crate) fn finish(self) -> Layout {
        let mut specs = self.0;
        let mut end = 0;
        let mut place = |specs: &mut [Spec], role| {
            for spec in specs.iter_mut().filter(|spec| spec.role == role) {
                spec.offset = end;
                end += (spec.numel() + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
            }
            end
        };
        let trainable = place(&mut specs, Role::Parameter);
        let total = place(&mut specs, Role::Statistic);
        Layout { specs, trainable, total }
    }
}

impl Layout {
    /// The tensor of `id` in `flat`, which is `[total]`, or `[trainable]` for a parameter.
    pub(crate) fn view(&self, id: Id, flat: &Tensor) -> Tensor {
        self.specs[id.0].view(flat)
    }

    /// The named views of `flat`, which holds `[total]`, or `[trainable]` numbers (gradients, moments) for the
    /// parameters alone.
    pub(crate) fn views<'a>(&'a self, flat: &'a Tensor) -> impl Iterator<Item = (&'a str, Tensor)> {
        let size = flat.size()[0];
        self.specs
            .iter()
            .filter(move |spec| spec.offset < size)
            .map(move |spec| (spec.name.as_str(), spec.view(flat)))
    }
}

/// Weights and running statistics of one network: the online or the target network.
pub(crate) struct Network {
    layout: Arc<Layout>,
    flat: Tensor,
    /// A view of `flat` for each tensor of the layout.
    tensors: Vec<Tensor>,
    batches_tracked: Cell<i64>,
}

/// Which statistics batch norm uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Those of the batch, which also move the running ones.
    Train,
    /// Those of the batch; the running ones stay.
    Batch,
    /// The running ones.
    Eval,
}

impl Network {
    /// A network as torchvision and torch initialise theirs.
    pub(crate) fn new(layout: Arc<Layout>, rng: &mut impl Rng, device: Device) -> Self {
        let network = Self::zeros(layout, device);
        tch::no_grad(|| {
            for (spec, tensor) in network.layout.specs.iter().zip(&network.tensors) {
                let values = spec.init.values(&spec.shape, rng);
                tensor.shallow_clone().copy_(&Tensor::from_slice(&values).view(&spec.shape[..]));
            }
        });
        network
    }

    /// A network of zeros, to be filled from a file or from another network.
    pub(crate) fn zeros(layout: Arc<Layout>, device: Device) -> Self {
        let flat = Tensor::zeros([layout.total], (Kind::Float, device));
        let leaf = |spec: &Spec| spec.view(&flat).detach().set_requires_grad(spec.role == Role::Parameter);
        let tensors = layout.specs.iter().map(leaf).collect();
        Self { layout, flat, tensors, batches_tracked: Cell::new(0) }
    }

    pub(crate) fn layout(&self) -> &Arc<Layout> {
        &self.layout
    }

    /// The tensor of `id`, which is part of [`Network::flat`].
    pub(crate) fn tensor(&self, id: Id) -> Tensor {
        self.layout.view(id, &self.flat)
    }

    /// All numbers, `[total]`: parameters, then statistics.
    pub(crate) fn flat(&self) -> &Tensor {
        &self.flat
    }

    /// The parameters, `[trainable]`.
    pub(crate) fn trainable(&self) -> Tensor {
        self.flat.narrow(0, 0, self.layout.trainable)
    }

    /// Train-mode passes so far; torch keeps one such counter in every batch norm.
    pub(crate) fn batches_tracked(&self) -> &Cell<i64> {
        &self.batches_tracked
    }

    pub(crate) fn copy_from(&self, other: &Self) {
        tch::no_grad(|| self.flat.shallow_clone().copy_(&other.flat));
        self.batches_tracked.set(other.batches_tracked.get());
    }

    /// Moves every parameter and statistic the fraction `1 - gamma` of the way to `other`.
    pub(crate) fn average_towards(&self, other: &Self, gamma: f64) {
        tch::no_grad(|| {
            let _ = self.flat.shallow_clone().lerp_(&other.flat, 1.0 - gamma);
        });
    }

    /// The weights as the layers see them: convolution weights cast to `kind`, everything else f32.
    pub(crate) fn activate(&self, mode: Mode, kind: Kind) -> Active<'_> {
        // All at once: a GPU takes longer to begin a cast than to make it.
        let cast = self.flat.to_kind(kind);
        let tensor = |(spec, tensor): (&Spec, &Tensor)| match tensor.dim() {
            // A leaf of its own, so that several graphs may share it and its gradient is not cast on the way.
            4 => spec.view(&cast).detach().set_requires_grad(tensor.requires_grad()),
            _ => tensor.shallow_clone(),
        };
        let tensors = self.layout.specs.iter().zip(&self.tensors).map(tensor).collect();
        Active { network: self, tensors, mode, kind }
    }
}

impl Init {
    /// The numbers of a tensor of this `shape`, in its order.
    fn values(self, shape: &[i64], rng: &mut impl Rng) -> Vec<f32> {
        let value = |place: i64| match self {
            Self::Constant(value) => value as f32,
            Self::Normal(deviation) => {
                let standard: f64 = StandardNormal.sample(rng);
                (standard * deviation) as f32
            }
            Self::Uniform(bound) => rng.random_range(-bound..bound) as f32,
            Self::Identity => f32::from(place / shape[0] == place % shape[0]),
        };
        (0..shape.iter().product()).map(value).collect()
    }
}

/// A network's weights during one step.
pub(crate) struct Active<'a> {
    network: &'a Network,
    tensors: Vec<Tensor>,
    pub(crate) mode: Mode,
    pub(crate) kind: Kind,
}

impl Active<'_> {
    pub(crate) fn get(&self, id: Id) -> &Tensor {
        &self.tensors[id.0]
    }

    /// The same weights in another mode. Gradients through both are added up by either.
    pub(crate) fn in_mode(&self, mode: Mode) -> Self {
        let tensors = self.tensors.iter().map(Tensor::shallow_clone).collect();
        Self { network: self.network, tensors, mode, kind: self.kind }
    }

    /// Counts a pass, for torch's `num_batches_tracked`.
    pub(crate) fn count_pass(&self) {
        if self.mode == Mode::Train {
            let passes = &self.network.batches_tracked;
            passes.set(passes.get() + 1);
        }
    }

    /// Adds the gradient of `loss` in every parameter to `sum`, `[trainable]`, f32; a prefix that a step leaves out has none.
    pub(crate) fn add_gradient(&self, loss: &Tensor, sum: &Tensor) {
        let specs = &self.network.layout.specs;
        let parameters = specs.iter().zip(&self.tensors).filter(|(spec, _)| spec.role == Role::Parameter);
        let (specs, tensors): (Vec<&Spec>, Vec<&Tensor>) = parameters.unzip();
        let gradients = Tensor::run_backward(&[loss], &tensors, false, false);
        tch::no_grad(|| {
            for (spec, gradient) in specs.iter().zip(&gradients).filter(|(_, gradient)| gradient.defined()) {
                let _ = spec.view(sum).g_add_(gradient);
            }
        });
    }
}
