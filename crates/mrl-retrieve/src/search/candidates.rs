//! The best rows that a query has met.

/// A row and its score in one number, by which candidates are ordered: better scores, then smaller rows, are larger. NaN, of
/// which nothing is known, is the best score of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Candidate(u64);

impl Candidate {
    pub(crate) fn new(score: f32, row: usize) -> Self {
        const SIGN: u32 = 1 << 31;
        let bits = if score.is_nan() { f32::NAN.to_bits() & !SIGN } else { score.to_bits() };
        let ordered = if bits & SIGN == 0 { bits | SIGN } else { !bits };
        Self(u64::from(ordered) << 32 | u64::from(!(row as u32)))
    }

    pub(crate) fn score(self) -> f32 {
        const SIGN: u32 = 1 << 31;
        let ordered = (self.0 >> 32) as u32;
        f32::from_bits(if ordered & SIGN == 0 { !ordered } else { ordered & !SIGN })
    }

    pub(crate) fn row(self) -> usize {
        !(self.0 as u32) as usize
    }
}

/// Leaves the `keep` best, in no order.
#[inline(always)]
pub(super) fn keep_best(candidates: &mut Vec<Candidate>, keep: usize) {
    if candidates.len() > keep {
        candidates.select_nth_unstable_by(keep - 1, |a, b| b.cmp(a));
        candidates.truncate(keep);
    }
}

/// Candidates beyond twice those to keep, before they are thinned out.
const SLACK: usize = 64;

/// Scores that are compared at once.
const LANES: usize = 32;

/// The `keep` best of the rows that were offered, and some more.
#[derive(Debug)]
pub(super) struct Top {
    keep: usize,
    /// Rows that do not score higher are not among the best.
    least: f32,
    candidates: Vec<Candidate>,
}

impl Top {
    pub(super) fn new(keep: usize) -> Self {
        Self { keep, least: f32::NEG_INFINITY, candidates: Vec::new() }
    }

    /// Takes the scores of the rows from `start` on. Rows must come in increasing order: of equals, the first stay.
    #[inline(always)]
    pub(super) fn offer(&mut self, scores: &[f32], start: usize, is_removed: impl Fn(usize) -> bool) {
        let (chunks, rest) = scores.as_chunks::<LANES>();
        for (start, scores) in (start..).step_by(LANES).zip(chunks) {
            let mut any = false;
            for &score in scores {
                any |= is_above(score, self.least);
            }
            if any {
                self.take(scores, above(scores, self.least), start, &is_removed);
            }
        }
        if !rest.is_empty() {
            self.take(rest, above(rest, self.least), start + scores.len() - rest.len(), &is_removed);
        }
    }

    /// Takes those of `scores` that `above` has a bit for.
    #[inline(never)]
    fn take(&mut self, scores: &[f32], mut above: u32, start: usize, is_removed: &impl Fn(usize) -> bool) {
        while above != 0 {
            let offset = above.trailing_zeros() as usize;
            above &= above - 1;
            if !is_removed(start + offset) {
                self.candidates.push(Candidate::new(scores[offset], start + offset));
            }
        }
        if self.candidates.len() >= self.keep.saturating_mul(2).saturating_add(SLACK) {
            self.thin();
        }
    }

    fn thin(&mut self) {
        if self.candidates.len() > self.keep {
            let (_, last, _) = self.candidates.select_nth_unstable_by(self.keep - 1, |a, b| b.cmp(a));
            self.least = last.score();
            self.candidates.truncate(self.keep);
        }
    }

    /// All that one of several searches has kept, for one to go on from.
    pub(super) fn merge(&mut self, other: Self) {
        self.candidates.extend(other.candidates);
        // `f32::max` would forget NaN.
        let is_larger = self.least.is_nan() || self.least > other.least;
        self.least = if is_larger { self.least } else { other.least };
        self.thin();
    }

    /// The best, at most `keep`, in no order, and a score that no other row exceeds; NaN if none is known.
    pub(super) fn finish(mut self) -> (Vec<Candidate>, f32) {
        self.thin();
        (self.candidates, self.least)
    }
}

/// Whether `score` is more than `least`, or may be.
#[inline(always)]
#[expect(clippy::neg_cmp_op_on_partial_ord, reason = "NaN is to count as more")]
pub(super) fn is_above(score: f32, least: f32) -> bool {
    !(score <= least)
}

/// Whether `score` is `least` or more, or may be.
#[inline(always)]
#[expect(clippy::neg_cmp_op_on_partial_ord, reason = "NaN is to count as more")]
pub(super) fn reaches(score: f32, least: f32) -> bool {
    !(score < least)
}

/// A bit for each of at most [`LANES`] scores: whether it is above `least`.
#[inline(always)]
fn above(scores: &[f32], least: f32) -> u32 {
    let mut bits = 0;
    for (lane, &score) in scores.iter().enumerate() {
        bits |= u32::from(is_above(score, least)) << lane;
    }
    bits
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn scores() -> impl Strategy<Value = Vec<f32>> {
        let few = (-2i8..3).prop_map(f32::from);
        proptest::collection::vec(prop_oneof![4 => few, 4 => -1.0f32..1.0, 1 => Just(f32::NAN)], 0..300)
    }

    proptest! {
        #[test]
        fn a_candidate_keeps_its_score_and_row(score: f32, row: u32) {
            let candidate = Candidate::new(score, row as usize);
            prop_assert_eq!(candidate.row(), row as usize);
            prop_assert!(candidate.score().to_bits() == score.to_bits() || score.is_nan() && candidate.score().is_nan());
            let lower = Candidate::new(score, row.saturating_sub(1) as usize);
            prop_assert!(lower > candidate || row == 0);
        }

        #[test]
        fn the_best_are_kept(scores in scores(), keep in 1usize..40, cut in 0usize..300, removed in 1usize..9) {
            let is_removed = |row: usize| row.is_multiple_of(removed) && removed > 1;
            let mut expected: Vec<Candidate> = (0..scores.len())
                .filter(|&row| !is_removed(row))
                .map(|row| Candidate::new(scores[row], row))
                .collect();
            expected.sort_unstable_by(|a, b| b.cmp(a));
            let mut tops = [Top::new(keep), Top::new(keep)];
            let (a, b) = scores.split_at(cut.min(scores.len()));
            tops[0].offer(a, 0, is_removed);
            tops[1].offer(b, a.len(), is_removed);
            let [mut top, other] = tops;
            top.merge(other);
            let (mut found, least) = top.finish();
            found.sort_unstable_by(|a, b| b.cmp(a));
            let rest = expected.split_off(found.len());
            prop_assert_eq!(found.len(), keep.min(expected.len() + rest.len()));
            prop_assert_eq!(&found, &expected);
            prop_assert!(least.is_nan() || rest.iter().all(|candidate| candidate.score() <= least));
        }
    }
}
