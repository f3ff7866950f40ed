/// The side of views in pixels, which may change on the way: small views train fast and coarsely (progressive resizing;
/// Tan and Le, 2021, arXiv 2104.00298).
///
/// ```
/// use mrl_data::ViewSize;
///
/// let size = ViewSize::growing(vec![16, 32], 10, 1).expect("a side");
/// assert_eq!((size.at(4), size.at(5), size.at(10)), (16, 32, 32));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewSize {
    /// In equal parts of the steps; never empty.
    sides: Vec<usize>,
    steps: u64,
    /// Batches of a step, which have one side.
    batches: u64,
}

impl ViewSize {
    /// Each of `sides` in an equal part of `steps` of so many `batches`, the last of them beyond these too. Nothing when there are no
    /// sides.
    #[must_use]
    pub fn growing(sides: Vec<usize>, steps: u64, batches: u64) -> Option<Self> {
        (!sides.is_empty()).then_some(Self { sides, steps, batches })
    }

    /// The side in batch `batch`, counted from 0.
    #[must_use]
    pub fn at(&self, batch: u64) -> usize {
        let last = self.sides.len() - 1;
        let step = batch / self.batches.max(1);
        let part = u128::from(step) * self.sides.len() as u128 / u128::from(self.steps.max(1));
        self.sides[usize::try_from(part).map_or(last, |part| part.min(last))]
    }
}

impl From<usize> for ViewSize {
    /// The same side in every batch.
    fn from(side: usize) -> Self {
        Self { sides: vec![side], steps: 0, batches: 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_side_has_an_equal_part_of_the_batches() {
        let size = ViewSize::growing(vec![8, 12, 16], 7, 1).unwrap();
        let sides: Vec<usize> = (0..9).map(|batch| size.at(batch)).collect();
        assert_eq!(sides, [8, 8, 8, 12, 12, 16, 16, 16, 16]);
        assert_eq!(size.at(u64::MAX), 16);
        assert_eq!(ViewSize::growing(Vec::new(), 7, 1), None);
    }

    #[test]
    fn the_batches_of_a_step_have_one_side() {
        let size = ViewSize::growing(vec![8, 16], 3, 4).unwrap();
        let sides: Vec<usize> = (0..12).map(|batch| size.at(batch)).collect();
        assert_eq!(sides, [8, 8, 8, 8, 8, 8, 8, 8, 16, 16, 16, 16]);
    }

    #[test]
    fn a_side_alone_never_changes() {
        let size = ViewSize::from(32);
        assert_eq!([0, 1, u64::MAX].map(|batch| size.at(batch)), [32; 3]);
    }
}
