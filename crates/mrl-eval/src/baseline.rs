use strum::VariantNames;

use crate::{
    EvalError, EvalOptions, Evaluation, Measure, Measures, Method, ProbeScores, Report, number::number,
};

impl Evaluation<'_> {
    /// Adds what another encoder reaches with its full width: the longest prefix of `other`, under `name`. Encoders of
    /// several widths may share a name; they make one line. Of what was measured that is taken which all have.
    ///
    /// # Errors
    /// When `other` was measured on other rows, in another way or without its full width, has no measure in common with the
    /// evaluation, or its width is there already.
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
        let shared = shared(self.options, &other.options);
        if shared.is_empty() {
            let [ours, theirs] = [self.options, &other.options].map(measures);
            return Err(EvalError::NothingShared { name: name.to_owned(), ours, theirs });
        }
        if let Some((what, ours, theirs)) = self.difference(other, theirs, &shared) {
            return Err(EvalError::Baseline { name: name.to_owned(), what, ours, theirs });
        }
        let baseline = self.baselines.entry(name.to_owned()).or_default();
        match baseline.dims.binary_search(&dim) {
            Ok(_) => Err(EvalError::RepeatedBaseline { name: name.to_owned(), dim }),
            Err(position) => {
                let intervals = self.options.resamples > 0;
                baseline.insert(position, theirs, widest, |measure| shared.contains(&measure), intervals);
                Ok(())
            }
        }
    }

    /// What makes the numbers of another report no match for ours: the first thing found, ours, and theirs.
    fn difference(
        &self,
        other: &Report,
        theirs: &Measures,
        shared: &[Measure],
    ) -> Option<(String, String, String)> {
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
        let ours = said_options(self.options, self.train.len());
        let options = ours.into_iter().zip(said_options(&other.options, other.train_size));
        let options = options.filter(|((_, measure, _), _)| shared.contains(measure));
        let options = options.map(|((what, _, ours), (_, _, theirs))| pair(what, ours, theirs));
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

/// The measures whose lists both fill.
fn shared(ours: &EvalOptions, theirs: &EvalOptions) -> Vec<Measure> {
    Measures::LISTED.into_iter().filter(|&measure| ours.lists(measure) && theirs.lists(measure)).collect()
}

fn measures(options: &EvalOptions) -> String {
    options.measures.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// The options that change what a number means, and whose.
pub(crate) fn said_options(options: &EvalOptions, train_rows: usize) -> [(&'static str, Measure, String); 6] {
    let l2 = options.l2.map_or_else(|| "cross-validated".to_owned(), number);
    [
        ("l2", Measure::Probe, l2),
        ("tolerance", Measure::Probe, number(options.tolerance)),
        ("neighbours", Measure::Knn, options.neighbours.min(train_rows).to_string()),
        ("temperature", Measure::Knn, number(options.temperature)),
        ("database", Measure::Retrieval, options.database.to_string()),
        ("hits", Measure::Retrieval, format!("{:?}", options.hits)),
    ]
}

impl Measures {
    /// Puts what `from` measured at its dim `index` at `position` of these, as far as it `is_shared`; the cascade stays
    /// behind. A list that would lack an entry is emptied.
    fn insert(
        &mut self,
        position: usize,
        from: &Self,
        index: usize,
        is_shared: impl Fn(Measure) -> bool,
        intervals: bool,
    ) {
        let there = self.dims.len();
        self.dims.insert(position, from.dims[index]);
        let [probe, knn1, knn, retrieval, geometry] = Self::LISTED.map(is_shared);
        let place = Place { there, position, index };
        place.copy(&mut self.logreg, &from.logreg, probe);
        place.copy(&mut self.logreg_interval, &from.logreg_interval, probe && intervals);
        place.copy(&mut self.knn1, &from.knn1, knn1);
        place.copy(&mut self.knn1_interval, &from.knn1_interval, knn1 && intervals);
        place.copy(&mut self.knn, &from.knn, knn);
        place.copy(&mut self.knn_interval, &from.knn_interval, knn && intervals);
        place.copy(&mut self.probe, &from.probe, probe);
        place.copy(&mut self.retrieval, &from.retrieval, retrieval);
        place.copy(&mut self.effective_rank, &from.effective_rank, geometry);
    }
}

/// Where an entry comes from and goes to.
#[derive(Clone, Copy)]
struct Place {
    /// Entries of a list that lacks none.
    there: usize,
    position: usize,
    index: usize,
}

impl Place {
    fn copy<T: Clone>(self, to: &mut Vec<T>, from: &[T], wanted: bool) {
        match from.get(self.index).filter(|_| wanted && to.len() == self.there) {
            Some(value) => to.insert(self.position, value.clone()),
            None => to.clear(),
        }
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
            format!("baseline b differs from the evaluation in neighbours: 5, not 6; {cure}")
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

    #[test]
    fn what_all_have_measured_is_compared() {
        let (train, test) = (set(8, &TRAIN), set(8, &[0, 1]));
        let take = |dims: &[usize], measures: &[Measure]| EvalOptions {
            measures: measures.to_vec(),
            ..options(dims)
        };
        let ours = take(&[1, 8], &[Measure::Knn, Measure::Knn1, Measure::Geometry]);
        let more = report(4, &[0, 1], &EvalOptions { hits: vec![3], ..options(&[4]) });
        let fewer = report(2, &[0, 1], &take(&[2], &[Measure::Knn1, Measure::Probe]));
        let with = |baselines: &[&Report]| {
            let mut evaluation = Evaluation::new(&train, &test, &ours).unwrap();
            for baseline in baselines {
                evaluation.add_baseline("b", baseline).unwrap();
            }
            evaluation.run(&mut |_| {}).unwrap().baselines.remove("b").unwrap()
        };
        let found = with(&[&more]);
        assert_eq!((found.knn1.len(), found.knn_interval.len(), found.effective_rank.len()), (1, 1, 1));
        assert!(found.logreg.is_empty() && found.probe.is_empty() && found.retrieval.is_empty());
        for both in [[&more, &fewer], [&fewer, &more]] {
            let found = with(&both);
            assert_eq!((found.dims, found.knn1.len(), found.knn1_interval.len()), (vec![2, 4], 2, 2));
            assert!(found.knn.is_empty() && found.effective_rank.is_empty());
        }
        let other = report(2, &[0, 1], &take(&[2], &[Measure::Cascade]));
        let mut evaluation = Evaluation::new(&train, &test, &ours).unwrap();
        assert_eq!(
            evaluation.add_baseline("b", &other).unwrap_err().to_string(),
            "baseline b was measured otherwise: cascade, not knn, knn1, geometry; evaluate both with a measure in common"
        );
    }
}
