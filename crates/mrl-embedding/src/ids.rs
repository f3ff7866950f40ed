use std::fmt;

use serde::{Deserialize, Serialize};

/// What a row is called.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Id {
    /// A number.
    Number(u64),
    /// Any text.
    Name(String),
}

/// What ids are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IdKind {
    /// `u64`.
    Numbers,
    /// Text.
    Names,
}

/// An id for each of several rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ids {
    /// `[n]`.
    Numbers(Vec<u64>),
    /// `[n]`.
    Names(Vec<String>),
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Name(name) => write!(f, "{name:?}"),
        }
    }
}

impl fmt::Display for IdKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Numbers => "numbers",
            Self::Names => "names",
        })
    }
}

impl Id {
    /// Number or name.
    #[must_use]
    pub fn kind(&self) -> IdKind {
        match self {
            Self::Number(_) => IdKind::Numbers,
            Self::Name(_) => IdKind::Names,
        }
    }
}

impl Ids {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Numbers(numbers) => numbers.len(),
            Self::Names(names) => names.len(),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Numbers or names.
    #[must_use]
    pub fn kind(&self) -> IdKind {
        match self {
            Self::Numbers(_) => IdKind::Numbers,
            Self::Names(_) => IdKind::Names,
        }
    }

    /// That of row `index`.
    ///
    /// # Panics
    /// When `index` is not below [`Ids::len`].
    #[must_use]
    pub fn get(&self, index: usize) -> Id {
        match self {
            Self::Numbers(numbers) => Id::Number(numbers[index]),
            Self::Names(names) => Id::Name(names[index].clone()),
        }
    }

    /// The largest number.
    #[must_use]
    pub fn largest(&self) -> Option<u64> {
        match self {
            Self::Numbers(numbers) => numbers.iter().max().copied(),
            Self::Names(_) => None,
        }
    }
}
