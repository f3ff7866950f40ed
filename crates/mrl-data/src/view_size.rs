/// The side of views in pixels, which may change on the way: small views train fast and coarsely (progressive resizing;
/// Tan and Le, 2021, arXiv 2104.00298).
///
/// ```
/// use mrl_data::ViewSize;
///
/// let size = ViewSize::growing(vec![16, 32], 10).expect("a side");
/// assert_eq!((size.at(4), size.at(5), size.at(10)), (16, 32, 32));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewSize {
    /// In equal parts of the batches; never empty.
    sides: Vec<usize>,
    batches: u64,
}

impl ViewSize {
    /// Each of `sides` in an equal part of `batches`, the last of them beyond these too. Nothing when there are no sides.
    #[must_use]
    pub fn growing(sides: Vec<usize>, batches: u64) -> Option<Self> {
        (!sides.is_empty()).then_some(Self { sides, batches })
    }

    /// The side in batch `batch`, counted from 0.
    #[must_use]
    pub fn at(&self, batch: u64) -> usize {
        let last = self.sides.len() - 1;
        let part = u128::from(batch) * self.sides.len() as u128 / u128::from(self.batches.max(1));
        self.sides[usize::try_from(part).map_or(last, |part| part.min(last))]
    }
}

impl From<usize> for ViewSize {
    /// The same side in every batch.
    fn from(side: usize) -> Self {
        Self { sides: vec![side], batches: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_side_has_an_equal_part_of_the_batches() {
        let size = ViewSize::growing(vec![8, 12, 16], 7).unwrap();
        let sides: Vec<usize> = (0..9).map(|batch| size.at(batch)).collect();
        assert_eq!(sides, [8, 8, 8, 12, 12, 16, 16, 16, 16]);
        assert_eq!(size.at(u64::MAX), 16);
        assert_eq!(ViewSize::growing(Vec::new(), 7), None);
    }

    #[test]
    fn a_side_alone_never_changes() {
        let size = ViewSize::from(32);
        assert_eq!([0, 1, u64::MAX].map(|batch| size.at(batch)), [32; 3]);
    }
}
