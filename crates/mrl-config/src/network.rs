use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, VariantNames};

/// Which of a run's two networks.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Display, EnumString, VariantNames,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum NetworkChoice {
    /// The moving average, which the reference evaluates.
    #[default]
    Target,
    /// The network that the optimiser trains.
    Online,
}

/// The rotation to fold into an encoder.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    Display,
    EnumString,
    VariantNames,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum FoldChoice {
    /// No rotation: prefixes are as they were trained.
    #[default]
    None,
    /// The uncentred principal components of the features of some images, with the direction of the mean where it does no harm.
    Principal,
    /// A rotation that is learned from the features of some images, as by `mrl adapt fit`.
    Learned,
}
