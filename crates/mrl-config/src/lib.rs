//! What a training run depends on. No tensors: this crate reads presets and options, checks them, and says what a run is.
//!
//! Settings go one way: [`Settings`] of a preset, with those of the command line over them, become a [`Config`]; [`Config::check`] refuses
//! what cannot be; [`CheckedConfig::resolve`] fills in what the images and the machine decide.
//!
//! ```
//! use mrl_config::{Config, DeviceChoice, Facts, Precision};
//!
//! # fn main() -> Result<(), mrl_config::ConfigError> {
//! let mut config = Config::default();
//! config.model.width = 0.25;
//! let facts = Facts { image_size: 32, classes: None, device: DeviceChoice::Cpu, precision: Precision::F32 };
//! let resolved = config.check()?.resolve(&facts)?;
//! assert_eq!(resolved.model.nesting.dims(), [8, 16, 32, 64, 128]);
//! # Ok(())
//! # }
//! ```

mod adapter;
mod checked;
mod config;
mod device;
mod difference;
mod error;
mod head;
mod network;
mod objective;
mod optimiser;
mod presets;
mod resolved;
mod settings;
mod stored;
mod tagged;

pub use adapter::{AdaptObjective, AdapterForm};
pub use checked::{CheckedConfig, Facts, check_image_size, check_split_folder};
pub use config::{Config, DataConfig, Encoder, MAX_LAYER, ModelConfig, RunConfig, Stem, TargetConfig};
pub use device::{DeviceChoice, Precision};
pub use difference::check_same;
pub use error::ConfigError;
pub use head::{Head, ProjectorConfig};
pub use network::{FoldChoice, NetworkChoice};
pub use objective::{BarlowTwins, Byol, Objective, ObjectiveConfig, Relic, SimClr, Supervised, VicReg};
pub use optimiser::{Lars, OptimiserConfig, Rule, Schedule, Sgd, Warmup};
pub use resolved::{
    HeadLayers, ResolvedConfig, ResolvedData, ResolvedModel, ResolvedObjective, ResolvedRun, RunLength,
};
pub use settings::Settings;
pub use stored::{RUN_CONFIG, parse_run_config, read_run_config};
