use crate::{EvalError, Measures, Method, Report};

impl Report {
    /// Adds what another encoder reaches with its full width: the longest prefix of `other`, under `name`. Encoders of
    /// several widths may share a name; they make one line.
    ///
    /// # Errors
    /// When `other` was measured on other test rows or in another way, has no prefix, or its width is there already.
    pub fn add_baseline(&mut self, name: &str, other: &Self) -> Result<(), EvalError> {
        let empty = || EvalError::EmptyBaseline(name.to_owned());
        let theirs = other.methods.get(&Method::Prefix).ok_or_else(empty)?;
        let widest = theirs.dims.len().checked_sub(1).ok_or_else(empty)?;
        self.check_comparable(name, other)?;
        let dim = theirs.dims[widest];
        let baseline = self.baselines.entry(name.to_owned()).or_default();
        match baseline.dims.binary_search(&dim) {
            Ok(_) => Err(EvalError::RepeatedBaseline { name: name.to_owned(), dim }),
            Err(position) => {
                baseline.insert(position, theirs, widest);
                Ok(())
            }
        }
    }

    fn check_comparable(&self, name: &str, other: &Self) -> Result<(), EvalError> {
        let support = |report: &Self| -> Option<Vec<usize>> {
            let probe = report.methods.get(&Method::Prefix)?.probe.first()?;
            Some(probe.classes.iter().map(|class| class.support).collect())
        };
        let text = |rows: Option<Vec<usize>>| format!("{:?}", rows.unwrap_or_default());
        let both_said = |ours: &Option<String>, theirs: &Option<String>| match (ours, theirs) {
            (Some(ours), Some(theirs)) => (ours.clone(), theirs.clone()),
            _ => Default::default(),
        };
        let measures = |report: &Self| format!("{:?}", report.options.measures);
        let said = [
            ("as test set", both_said(&self.test_dataset, &other.test_dataset)),
            ("test rows", (self.test_size.to_string(), other.test_size.to_string())),
            ("training rows", (self.train_size.to_string(), other.train_size.to_string())),
            ("as labels", (format!("{:?}", self.labels), format!("{:?}", other.labels))),
            ("test rows a class", (text(support(self)), text(support(other)))),
            ("as measures", (measures(self), measures(other))),
        ];
        for (what, (ours, theirs)) in said {
            if ours != theirs {
                return Err(EvalError::Baseline { name: name.to_owned(), what, ours, theirs });
            }
        }
        Ok(())
    }
}

impl Measures {
    /// Puts what `from` measured at its dim `index` at `position` of these; the cascade stays behind.
    fn insert(&mut self, position: usize, from: &Self, index: usize) {
        fn copy<T: Clone>(to: &mut Vec<T>, position: usize, from: &[T], index: usize) {
            if let Some(value) = from.get(index) {
                to.insert(position, value.clone());
            }
        }
        copy(&mut self.dims, position, &from.dims, index);
        copy(&mut self.logreg, position, &from.logreg, index);
        copy(&mut self.logreg_interval, position, &from.logreg_interval, index);
        copy(&mut self.knn1, position, &from.knn1, index);
        copy(&mut self.knn1_interval, position, &from.knn1_interval, index);
        copy(&mut self.knn, position, &from.knn, index);
        copy(&mut self.knn_interval, position, &from.knn_interval, index);
        copy(&mut self.probe, position, &from.probe, index);
        copy(&mut self.retrieval, position, &from.retrieval, index);
        copy(&mut self.effective_rank, position, &from.effective_rank, index);
    }
}

#[cfg(test)]
mod tests {
    use mrl_embedding::EmbeddingSet;

    use super::*;
    use crate::{EvalOptions, evaluate};

    fn report(width: usize, test_labels: &[i64]) -> Report {
        let set = |labels: &[i64]| {
            let value = |i: usize| ((i * 7) % 5) as f32 + labels[i / width] as f32;
            let values = (0..labels.len() * width).map(value).collect();
            EmbeddingSet::new(values, width).unwrap().with_labels(labels.to_vec()).unwrap()
        };
        let options = EvalOptions { resamples: 10, dims: Some(vec![1, width]), ..EvalOptions::default() };
        evaluate(&set(&[0, 1, 0, 1, 0, 1]), &set(test_labels), &options, &mut |_| {}).unwrap()
    }

    #[test]
    fn encoders_of_several_widths_make_one_line() {
        let mut ours = report(8, &[0, 1]);
        let (wide, narrow) = (report(4, &[0, 1]), report(2, &[0, 1]));
        ours.add_baseline("fixed", &wide).unwrap();
        ours.add_baseline("fixed", &narrow).unwrap();
        let fixed = &ours.baselines["fixed"];
        assert_eq!(fixed.dims, [2, 4]);
        assert_eq!(
            fixed.logreg,
            [narrow.methods[&Method::Prefix].logreg[1], wide.methods[&Method::Prefix].logreg[1]]
        );
        assert!(fixed.lengths().iter().all(|&(_, length)| length == 2));
        let again = ours.add_baseline("fixed", &wide).unwrap_err().to_string();
        assert_eq!(again, "baseline fixed is given twice at 4 dims; give each width once, or another name");
    }

    #[test]
    fn other_test_rows_are_refused() {
        let mut ours = report(4, &[0, 1]);
        let message =
            |ours: &mut Report, other: &Report| ours.add_baseline("b", other).unwrap_err().to_string();
        assert_eq!(
            message(&mut ours, &report(2, &[0, 1, 1])),
            "baseline b has 3 test rows, the evaluation 2; evaluate both on the same images and in the same way"
        );
        assert_eq!(
            message(&mut ours, &report(2, &[1, 1])),
            "baseline b has [0, 2] test rows a class, the evaluation [1, 1]; evaluate both on the same images and in the same way"
        );
        let mut empty = report(2, &[0, 1]);
        empty.methods.clear();
        assert_eq!(
            message(&mut ours, &empty),
            "baseline b holds no measures of a prefix; evaluate it with the method prefix"
        );
    }
}
