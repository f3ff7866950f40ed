use strum::VariantNames;

use crate::{EvalError, EvalOptions, Evaluation, Measures, Method, ProbeScores, Report};

impl Evaluation<'_> {
    /// Adds what another encoder reaches with its full width: the longest prefix of `other`, under `name`. Encoders of
    /// several widths may share a name; they make one line.
    ///
    /// # Errors
    /// When `other` was measured on other rows, in another way or without its full width, or its width is there already.
    pub fn add_baseline(&mut self, name: &str, other: &Report) -> Result<(), EvalError> {
        if Method::VARIANTS.contains(&name) {
            return Err(EvalError::BaselineName(name.to_owned()));
        }
        let empty = || EvalError::EmptyBaseline(name.to_owned());
        let theirs = other.methods.get(&Method::Prefix).ok_or_else(empty)?;
        let widest = theirs.dims.len().checked_sub(1).ok_or_else(empty)?;
        let (dim, width) = (theirs.dims[widest], other.variance.len());
        if dim != width {
            return Err(EvalError::PartOfBaseline { name: name.to_owned(), dim, width });
        }
        if let Some((what, ours, theirs)) = self.difference(other, theirs) {
            return Err(EvalError::Baseline { name: name.to_owned(), what, ours, theirs });
        }
        let baseline = self.baselines.entry(name.to_owned()).or_default();
        match baseline.dims.binary_search(&dim) {
            Ok(_) => Err(EvalError::RepeatedBaseline { name: name.to_owned(), dim }),
            Err(position) => {
                baseline.insert(position, theirs, widest);
                Ok(())
            }
        }
    }

    /// What makes the numbers of another report no match for ours: the first thing found, ours, and theirs.
    fn difference(&self, other: &Report, theirs: &Measures) -> Option<(String, String, String)> {
        let pair = |what: &str, ours: String, theirs: String| (what.to_owned(), ours, theirs);
        let said = |what: &str, ours: &Option<String>, theirs: &Option<String>| {
            Some(pair(what, ours.clone()?, theirs.clone()?))
        };
        let [train, test] = [self.train, self.test].map(|set| &set.metadata.dataset);
        let all = [
            said("training set", train, &other.train_dataset),
            said("test set", test, &other.test_dataset),
            Some(pair("training rows", self.train.len().to_string(), other.train_size.to_string())),
            Some(pair("test rows", self.test.len().to_string(), other.test_size.to_string())),
            self.other_label(other),
            theirs.probe.first().and_then(|probe| self.other_support(probe)),
        ];
        let options = said_options(self.options).into_iter().zip(said_options(&other.options));
        let options = options.map(|((what, ours), (_, theirs))| pair(what, ours, theirs));
        all.into_iter().flatten().chain(options).find(|(_, ours, theirs)| ours != theirs)
    }

    /// The first label that only one side has.
    fn other_label(&self, other: &Report) -> Option<(String, String, String)> {
        let lists = [&self.checked.classes, &other.labels];
        let length = lists[0].len().max(lists[1].len());
        let at = (0..length).find(|&at| lists[0].get(at) != lists[1].get(at))?;
        let [ours, theirs] =
            lists.map(|list| list.get(at).map_or_else(|| "none".to_owned(), ToString::to_string));
        Some((format!("label {at}"), ours, theirs))
    }

    /// The first class of which one side has more test rows.
    fn other_support(&self, theirs: &ProbeScores) -> Option<(String, String, String)> {
        let mut ours = vec![0; self.checked.classes.len()];
        self.checked.test.iter().flatten().for_each(|&class| ours[class] += 1);
        let pairs = ours.iter().zip(&theirs.classes).zip(&self.checked.classes);
        let ((ours, theirs), label) =
            pairs.into_iter().find(|((ours, theirs), _)| **ours != theirs.support)?;
        Some((format!("test rows of label {label}"), ours.to_string(), theirs.support.to_string()))
    }
}

/// The options that change what a number means.
fn said_options(options: &EvalOptions) -> [(&'static str, String); 7] {
    let mut measures = options.measures.clone();
    measures.sort_unstable();
    let measures: Vec<String> = measures.iter().map(ToString::to_string).collect();
    [
        ("measures", measures.join(",")),
        ("l2", options.l2.map_or_else(|| "cross-validated".to_owned(), |l2| l2.to_string())),
        ("tolerance", options.tolerance.to_string()),
        ("neighbours", options.neighbours.to_string()),
        ("temperature", options.temperature.to_string()),
        ("database", options.database.to_string()),
        ("hits", format!("{:?}", options.hits)),
    ]
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
    use crate::evaluate;

    fn set(width: usize, labels: &[i64]) -> EmbeddingSet {
        let value = |i: usize| ((i * 7) % 5) as f32 + labels[i / width] as f32;
        let values = (0..labels.len() * width).map(value).collect();
        EmbeddingSet::new(values, width).unwrap().with_labels(labels.to_vec()).unwrap()
    }

    const TRAIN: [i64; 6] = [0, 1, 0, 1, 0, 1];

    fn options(dims: &[usize]) -> EvalOptions {
        EvalOptions { resamples: 10, dims: Some(dims.to_vec()), ..EvalOptions::default() }
    }

    fn report(width: usize, test_labels: &[i64], options: &EvalOptions) -> Report {
        evaluate(&set(width, &TRAIN), &set(width, test_labels), options, &mut |_| {}).unwrap()
    }

    #[test]
    fn encoders_of_several_widths_make_one_line() {
        let (train, test, ours) = (set(8, &TRAIN), set(8, &[0, 1]), options(&[1, 8]));
        let mut evaluation = Evaluation::new(&train, &test, &ours).unwrap();
        let (wide, narrow) = (report(4, &[0, 1], &options(&[1, 4])), report(2, &[0, 1], &options(&[2])));
        evaluation.add_baseline("fixed", &wide).unwrap();
        evaluation.add_baseline("fixed", &narrow).unwrap();
        let again = evaluation.add_baseline("fixed", &wide).unwrap_err().to_string();
        assert_eq!(again, "baseline fixed is given twice at 4 dims; give each width once, or another name");
        let fixed = &evaluation.run(&mut |_| {}).unwrap().baselines["fixed"];
        assert_eq!(fixed.dims, [2, 4]);
        assert_eq!(
            fixed.logreg,
            [narrow.methods[&Method::Prefix].logreg[0], wide.methods[&Method::Prefix].logreg[1]]
        );
        assert!(fixed.lengths(&ours).iter().all(|&(_, length, _)| length == 2));
    }

    #[test]
    fn what_was_measured_otherwise_is_refused() {
        let (train, test, ours) = (set(4, &TRAIN), set(4, &[0, 1]), options(&[1, 4]));
        let message = |other: &Report| {
            let mut evaluation = Evaluation::new(&train, &test, &ours).unwrap();
            evaluation.add_baseline("b", other).unwrap_err().to_string()
        };
        let cure = "evaluate both on the same images and in the same way";
        let narrow = options(&[2]);
        assert_eq!(
            message(&report(2, &[0, 1, 1], &narrow)),
            format!("baseline b differs from the evaluation in test rows: 3, not 2; {cure}")
        );
        assert_eq!(
            message(&report(2, &[1, 1], &narrow)),
            format!("baseline b differs from the evaluation in test rows of label 0: 0, not 1; {cure}")
        );
        assert_eq!(
            message(&report(2, &[0, 1], &EvalOptions { neighbours: 5, ..narrow.clone() })),
            format!("baseline b differs from the evaluation in neighbours: 5, not 200; {cure}")
        );
        let mut other = report(2, &[0, 1], &narrow);
        other.labels[1] = 4;
        assert_eq!(
            message(&other),
            format!("baseline b differs from the evaluation in label 1: 4, not 1; {cure}")
        );
        assert_eq!(
            message(&report(4, &[0, 1], &narrow)),
            "baseline b is 4 wide, but was measured up to dim 2 alone; evaluate it at 4 too"
        );
        other.methods.clear();
        assert_eq!(
            message(&other),
            "baseline b holds no measures of a prefix; evaluate it with the method prefix"
        );
        let mut evaluation = Evaluation::new(&train, &test, &ours).unwrap();
        assert_eq!(
            evaluation.add_baseline("pca", &other).unwrap_err().to_string(),
            "pca is the name of a method; choose another for the baseline"
        );
    }

    /// The order of measures says nothing.
    #[test]
    fn measures_in_another_order_are_the_same() {
        let (train, test, mut ours) = (set(4, &TRAIN), set(4, &[0, 1]), options(&[1, 4]));
        let other = report(2, &[0, 1], &options(&[2]));
        ours.measures.reverse();
        Evaluation::new(&train, &test, &ours).unwrap().add_baseline("b", &other).unwrap();
    }
}
