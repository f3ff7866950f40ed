//! Training and running Matryoshka encoders on libtorch: the encoders, the nested heads, the objective, the loop, its
//! checkpoints, and embedding. This is the only crate that knows tensors.
//!
//! ```no_run
//! use std::{path::Path, sync::Arc};
//!
//! use mrl_config::{Config, NetworkChoice};
//! use mrl_data::{DatasetKind, OpenOptions, Split, open};
//! use mrl_train::{Embedder, Observer, pretrain, resolve};
//!
//! struct Quiet;
//! impl Observer for Quiet {}
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let images = open(DatasetKind::Cifar10, Path::new("data"), Split::Train, &OpenOptions::default(), &|_| {})?;
//! let config = resolve(Config::preset("reference")?.check()?, &images, 32)?;
//! let out = Path::new("runs/first");
//! pretrain(&config, Arc::new(images), out, false, &mut Quiet)?;
//!
//! let test = open(DatasetKind::Cifar10, Path::new("data"), Split::Test, &OpenOptions::default(), &|_| {})?;
//! let encoder = Embedder::open(out, NetworkChoice::Online)?;
//! encoder.embed(&test, &mut |_, _| {})?.write("test.safetensors")?;
//! # Ok(())
//! # }
//! ```

mod adapt;
mod checkpoint;
mod device;
mod embed;
mod encoder_file;
mod error;
mod features;
mod fold;
mod held_out;
mod labels;
mod loss_scale;
mod model;
mod objective;
mod optimiser;
#[cfg(test)]
mod parity;
mod phase;
mod pretrain;
mod run_folder;
mod run_images;
mod schedule;
mod step_bench;
mod tensor_file;
#[cfg(test)]
mod testing;
mod torch_panic;
mod trainer;

pub use adapt::{AdaptOptions, AdaptStep, Adapter};
pub use device::{check_device, resolve};
pub use embed::{Embedder, embed_pixels};
pub use error::TrainError;
pub use fold::{Fold, FoldRecord, FoldTrial};
pub use held_out::{EvalRecord, HeldOutKnn1};
pub use pretrain::{Observer, Outcome, Start, pretrain};
pub use run_folder::RunFolder;
pub use step_bench::StepBench;
pub use torch_panic::is_torch_panic;
pub use trainer::StepRecord;

/// The version that artefacts carry.
const VERSION: &str = env!("CARGO_PKG_VERSION");
