use crate::measures::ClassScores;

/// Test rows by true class and predicted class, and how well each class is found.
pub(crate) struct Confusion {
    classes: usize,
    /// `[classes, classes]`, true class outside.
    counts: Vec<usize>,
    /// Rows predicted as each class, those of unknown classes too, `[classes]`.
    predicted: Vec<usize>,
}

impl Confusion {
    /// `truth` is none for a row of a class that training lacks.
    pub(crate) fn of(classes: usize, rows: impl Iterator<Item = (Option<usize>, usize)>) -> Self {
        let mut counts = vec![0; classes * classes];
        let mut predicted = vec![0; classes];
        for (truth, found) in rows {
            predicted[found] += 1;
            if let Some(truth) = truth {
                counts[truth * classes + found] += 1;
            }
        }
        Self { classes, counts, predicted }
    }

    pub(crate) fn rows(&self) -> Vec<Vec<usize>> {
        self.counts.chunks_exact(self.classes).map(<[usize]>::to_vec).collect()
    }

    pub(crate) fn scores(&self) -> Vec<ClassScores> {
        let fraction = |part: usize, whole: usize| if whole > 0 { part as f64 / whole as f64 } else { 0.0 };
        let score = |class: usize| {
            let row = &self.counts[class * self.classes..][..self.classes];
            let (right, support, predicted) = (row[class], row.iter().sum(), self.predicted[class]);
            ClassScores {
                precision: fraction(right, predicted),
                recall: fraction(right, support),
                f1: fraction(2 * right, predicted + support),
                support,
            }
        };
        (0..self.classes).map(score).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_of_a_class_that_is_never_found_and_of_one_that_is_never_there() {
        let rows = [(Some(0), 0), (Some(0), 2), (Some(1), 0), (None, 0)];
        let confusion = Confusion::of(3, rows.into_iter());
        assert_eq!(confusion.rows(), [[1, 0, 1], [1, 0, 0], [0, 0, 0]]);
        let scores = confusion.scores();
        let expected = ClassScores { precision: 1.0 / 3.0, recall: 0.5, f1: 0.4, support: 2 };
        assert_eq!(scores[0], expected);
        assert_eq!(scores[1], ClassScores { support: 1, ..ClassScores::default() });
        assert_eq!(scores[2], ClassScores::default());
    }
}
