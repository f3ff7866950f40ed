use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, VariantNames};

/// What an adapter may do to a vector.
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
pub enum AdapterForm {
    /// Rotate it: an orthogonal map, which changes no dot product of full vectors.
    #[default]
    Rotation,
    /// Rotate it onto the principal components, and add the output of a network with one hidden layer (Yoon et al., arXiv
    /// 2407.12243, Matryoshka-Adaptor).
    Residual,
}

/// What prefixes are to keep.
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
pub enum AdaptObjective {
    /// Which vectors are near by all their numbers.
    #[default]
    Similarity,
    /// Which vectors have the same label (Khosla et al., arXiv 2004.11362).
    Labels,
}
