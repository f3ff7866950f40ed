use crate::measures::ClassScores;

/// Above this many classes a confusion matrix is no picture and a large file.
const MOST_CONFUSED: usize = 100;

/// Test rows by true class and predicted class, and how well each class is found.
pub(crate) struct Confusion {
    /// `[classes, classes]`, true class outside; empty above 100 classes.
    pub(crate) counts: Vec<Vec<usize>>,
    /// `[classes]`.
    pub(crate) scores: Vec<ClassScores>,
}

impl Confusion {
    /// `truth` is none for a row of a class that training lacks.
    pub(crate) fn of(classes: usize, rows: impl Iterator<Item = (Option<usize>, usize)>) -> Self {
        let drawn = if classes <= MOST_CONFUSED { classes } else { 0 };
        let mut counts = vec![vec![0; drawn]; drawn];
        let [mut right, mut support, mut predicted] = [(); 3].map(|()| vec![0; classes]);
        for (truth, found) in rows {
            predicted[found] += 1;
            let Some(truth) = truth else { continue };
            support[truth] += 1;
            right[truth] += usize::from(truth == found);
            if drawn > 0 {
                counts[truth][found] += 1;
            }
        }
        let fraction = |part: usize, whole: usize| if whole > 0 { part as f64 / whole as f64 } else { 0.0 };
        let score = |class: usize| ClassScores {
            precision: fraction(right[class], predicted[class]),
            recall: fraction(right[class], support[class]),
            f1: fraction(2 * right[class], predicted[class] + support[class]),
            support: support[class],
        };
        Self { counts, scores: (0..classes).map(score).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_of_a_class_that_is_never_found_and_of_one_that_is_never_there() {
        let rows = [(Some(0), 0), (Some(0), 2), (Some(1), 0), (None, 0)];
        let confusion = Confusion::of(3, rows.into_iter());
        assert_eq!(confusion.counts, [[1, 0, 1], [1, 0, 0], [0, 0, 0]]);
        let scores = confusion.scores;
        let expected = ClassScores { precision: 1.0 / 3.0, recall: 0.5, f1: 0.4, support: 2 };
        assert_eq!(scores[0], expected);
        assert_eq!(scores[1], ClassScores { support: 1, ..ClassScores::default() });
        assert_eq!(scores[2], ClassScores::default());
    }

    #[test]
    fn many_classes_have_scores_and_no_matrix() {
        let confusion = Confusion::of(70_000, [(Some(69_999), 69_999)].into_iter());
        assert!(confusion.counts.is_empty());
        assert_eq!(confusion.scores[69_999].f1, 1.0);
    }
}
