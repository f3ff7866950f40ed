use std::{fmt, str::FromStr};

use pulp::Arch;

/// A set of vector instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Level {
    /// The instructions that every processor of the architecture has (SSE2 on x86-64). A fused multiply-add is computed in software.
    Scalar,
    /// NEON, on `AArch64`.
    Neon,
    /// AVX2 and FMA, on x86-64.
    Avx2,
    /// AVX-512 with the extensions of x86-64-v4.
    Avx512,
}

/// Why a requested [`Level`] cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SimdError {
    /// The processor lacks these instructions, or they are unknown.
    #[error("{name:?} is not among the SIMD levels of this processor; choose one of: {}", names())]
    Unavailable {
        /// The requested name.
        name: String,
    },
}

impl Level {
    const ALL: [Self; 4] = [Self::Scalar, Self::Neon, Self::Avx2, Self::Avx512];

    /// The levels of this processor, from the narrowest.
    #[must_use]
    pub fn available() -> impl DoubleEndedIterator<Item = Self> {
        Self::ALL.into_iter().filter(|level| level.arch().is_some())
    }

    /// The widest level of this processor.
    #[must_use]
    pub fn widest() -> Self {
        Self::available().next_back().unwrap_or(Self::Scalar)
    }

    /// The name, as [`FromStr`] reads it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::Neon => "neon",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        }
    }

    pub(crate) fn from_number(number: u8) -> Self {
        Self::ALL[usize::from(number)]
    }

    /// What `pulp` calls it, if the processor has it.
    #[inline]
    pub(crate) fn arch(self) -> Option<Arch> {
        match self {
            Self::Scalar => Some(Arch::Scalar),
            #[cfg(target_arch = "aarch64")]
            Self::Neon => pulp::aarch64::Neon::try_new().map(Arch::Neon),
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            Self::Avx2 => pulp::x86::V3::try_new().map(Arch::V3),
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            Self::Avx512 => pulp::x86::V4::try_new().map(Arch::V4),
            _ => None,
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Level {
    type Err = SimdError;

    /// Reads the name of a level that this processor has.
    fn from_str(name: &str) -> Result<Self, SimdError> {
        let level = Self::available().find(|level| level.name() == name);
        level.ok_or_else(|| SimdError::Unavailable { name: name.to_owned() })
    }
}

fn names() -> String {
    Level::available().map(Level::name).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_read_as_they_are_written() {
        for level in Level::available() {
            assert_eq!(level.to_string().parse(), Ok(level));
            assert_eq!(Level::from_number(level as u8), level);
        }
    }

    #[test]
    fn every_processor_has_scalar_and_another_name_is_an_error_that_lists_it() {
        assert_eq!(Level::available().next(), Some(Level::Scalar));
        let message = "sse9".parse::<Level>().unwrap_err().to_string();
        assert!(message.starts_with("\"sse9\" is not among the SIMD levels"), "{message}");
        assert!(message.contains("choose one of: scalar"), "{message}");
    }
}
