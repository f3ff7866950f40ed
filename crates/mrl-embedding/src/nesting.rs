use std::fmt;

/// The shortest prefix that is nested by default.
const SHORTEST: usize = 8;

/// The prefix lengths that are trained: strictly increasing, the last one the whole width.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nesting(Vec<usize>);

/// Why a list of dims is not a [`Nesting`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NestingError {
    /// There are no dims at all.
    #[error("nesting has no dims; give at least the whole width {0}")]
    Empty(usize),
    /// A dim is zero.
    #[error("nesting dim 0 would be an empty prefix; use dims from 1")]
    Zero,
    /// A dim is not larger than the one before it.
    #[error("nesting dim {next} follows {previous}; give the dims in increasing order, each once")]
    NotIncreasing {
        /// The dim before.
        previous: usize,
        /// The dim that should have been larger.
        next: usize,
    },
    /// A dim is wider than the encoder.
    #[error("nesting dim {dim} exceeds the width {width}; use dims up to {width}")]
    TooWide {
        /// The dim.
        dim: usize,
        /// The whole width.
        width: usize,
    },
    /// The last dim leaves a part of the vector untrained.
    #[error(
        "nesting ends at {last}, so the numbers {last}..{width} would stay untrained; add {width} as the last dim"
    )]
    TooNarrow {
        /// The last dim.
        last: usize,
        /// The whole width.
        width: usize,
    },
    /// The text is not a list of numbers.
    #[error("nesting {0:?} is not a list of dims; write it as 8,16,32")]
    NotNumbers(String),
}

impl Nesting {
    /// Checks `dims` against the encoder's `width`.
    ///
    /// # Errors
    /// When `dims` is empty, not strictly increasing from 1, or does not end at `width`.
    pub fn new(dims: impl Into<Vec<usize>>, width: usize) -> Result<Self, NestingError> {
        let dims = dims.into();
        let last = *dims.last().ok_or(NestingError::Empty(width))?;
        if dims.contains(&0) {
            return Err(NestingError::Zero);
        }
        if let Some(pair) = dims.windows(2).find(|pair| pair[1] <= pair[0]) {
            return Err(NestingError::NotIncreasing { previous: pair[0], next: pair[1] });
        }
        if last > width {
            let dim = *dims.iter().find(|&&dim| dim > width).unwrap_or(&last);
            return Err(NestingError::TooWide { dim, width });
        }
        if last < width {
            return Err(NestingError::TooNarrow { last, width });
        }
        Ok(Self(dims))
    }

    /// Powers of two from 8 up to `width`, and `width` itself: the default of the reference implementation.
    ///
    /// # Errors
    /// When `width` is 0.
    pub fn powers_of_two(width: usize) -> Result<Self, NestingError> {
        let below = std::iter::successors(Some(SHORTEST), |dim| Some(dim * 2)).take_while(|&dim| dim < width);
        Self::new(below.chain([width]).collect::<Vec<_>>(), width)
    }

    /// Reads what [`fmt::Display`] writes, `8,16,32`; the last dim is the width.
    ///
    /// # Errors
    /// When a part is not a number, or as [`Nesting::new`].
    pub fn parse(text: &str) -> Result<Self, NestingError> {
        let dims: Result<Vec<usize>, _> = text.split(',').map(|dim| dim.trim().parse()).collect();
        let dims = dims.map_err(|_| NestingError::NotNumbers(text.to_owned()))?;
        let width = dims.iter().copied().max().unwrap_or(0);
        Self::new(dims, width)
    }

    /// The prefix lengths, strictly increasing.
    #[must_use]
    pub fn dims(&self) -> &[usize] {
        &self.0
    }

    /// The whole width: the last dim.
    #[must_use]
    pub fn width(&self) -> usize {
        self.0[self.0.len() - 1]
    }
}

impl fmt::Display for Nesting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dims: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&dims.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_of_two_end_at_the_width() {
        assert_eq!(Nesting::powers_of_two(512).unwrap().dims(), [8, 16, 32, 64, 128, 256, 512]);
        assert_eq!(Nesting::powers_of_two(96).unwrap().dims(), [8, 16, 32, 64, 96]);
        assert_eq!(Nesting::powers_of_two(8).unwrap().dims(), [8]);
        assert_eq!(Nesting::powers_of_two(3).unwrap().dims(), [3]);
        assert_eq!(Nesting::powers_of_two(0), Err(NestingError::Zero));
    }

    #[test]
    fn each_mistake_has_its_own_sentence() {
        let message = |dims: &[usize]| Nesting::new(dims, 512).unwrap_err().to_string();
        assert_eq!(message(&[8, 1024]), "nesting dim 1024 exceeds the width 512; use dims up to 512");
        assert_eq!(
            message(&[16, 8, 512]),
            "nesting dim 8 follows 16; give the dims in increasing order, each once"
        );
        assert_eq!(
            message(&[8, 8, 512]),
            "nesting dim 8 follows 8; give the dims in increasing order, each once"
        );
        assert_eq!(message(&[0, 512]), "nesting dim 0 would be an empty prefix; use dims from 1");
        assert_eq!(message(&[]), "nesting has no dims; give at least the whole width 512");
        assert_eq!(
            message(&[8, 64]),
            "nesting ends at 64, so the numbers 64..512 would stay untrained; add 512 as the last dim"
        );
    }

    #[test]
    fn display_and_parse_are_inverse() {
        let nesting = Nesting::powers_of_two(128).unwrap();
        assert_eq!(Nesting::parse(&nesting.to_string()).unwrap(), nesting);
        assert!(Nesting::parse("8,x").is_err());
        assert!(Nesting::parse("").is_err());
    }
}
