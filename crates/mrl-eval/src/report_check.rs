//! Whether a report that was read can be one: people edit files.

use crate::{EvalOptions, Interval, Measures, Report};

impl Report {
    /// What is wrong with it, in words.
    pub(crate) fn check(&self) -> Result<(), String> {
        let methods = self.methods.iter().map(|(method, measures)| (method.to_string(), measures, false));
        let baselines = self.baselines.iter().map(|(name, measures)| (name.clone(), measures, true));
        for (name, measures, is_baseline) in methods.chain(baselines) {
            let checked =
                check_lists(measures, &self.options, is_baseline).and_then(|()| check_numbers(measures));
            checked.map_err(|problem| format!("{name}: {problem}"))?;
        }
        Ok(())
    }
}

/// Whether each list has an entry for each dim where its measure was taken, and none elsewhere. A baseline may lack what was
/// not measured of it.
fn check_lists(measures: &Measures, options: &EvalOptions, is_baseline: bool) -> Result<(), String> {
    let dims = &measures.dims;
    if dims.first().is_none_or(|&dim| dim == 0) || !dims.is_sorted_by(|a, b| a < b) {
        return Err(format!("its dims {dims:?} do not increase from 1 or more"));
    }
    for (list, length, taken) in measures.lengths(options) {
        let n = if taken { dims.len() } else { 0 };
        if length != n && !(is_baseline && length == 0) {
            return Err(format!("{list} has {length} entries for {n} dims"));
        }
    }
    Ok(())
}

fn check_numbers(measures: &Measures) -> Result<(), String> {
    for (index, dim) in measures.dims.iter().enumerate() {
        for (name, value) in fractions(measures, index) {
            check_fraction(name, value).map_err(|problem| format!("{problem} at dim {dim}"))?;
        }
        for (name, [low, high]) in intervals(measures, index) {
            if low > high {
                return Err(format!("{name} is [{low}, {high}], from high to low, at dim {dim}"));
            }
        }
    }
    let costs = measures.cascade.iter().flat_map(|cascade| {
        cascade.points.iter().map(|point| point.cost.accuracy).chain([cascade.oracle.accuracy])
    });
    costs.into_iter().try_for_each(|accuracy| check_fraction("accuracy of the cascade", accuracy))
}

fn check_fraction(name: &str, value: f64) -> Result<(), String> {
    if (0.0..=1.0).contains(&value) { Ok(()) } else { Err(format!("{name} is {value}, not from 0 to 1,")) }
}

/// All that lies from 0 to 1, ends of intervals too.
fn fractions(measures: &Measures, index: usize) -> Vec<(&'static str, f64)> {
    let mut found: Vec<_> =
        intervals(measures, index).into_iter().flat_map(|(name, ends)| ends.map(|end| (name, end))).collect();
    let lists = [("logreg", &measures.logreg), ("knn1", &measures.knn1), ("knn", &measures.knn)];
    found.extend(lists.into_iter().filter_map(|(name, list)| Some((name, *list.get(index)?))));
    if let Some(probe) = measures.probe.get(index) {
        for calibration in [Some(&probe.raw), probe.scaled.as_ref()].into_iter().flatten() {
            found.push(("ece", calibration.ece));
            let bins = calibration.bins.iter();
            found.extend(bins.flat_map(|bin| [("confidence", bin.confidence), ("accuracy", bin.accuracy)]));
        }
        found.extend(
            probe.classes.iter().flat_map(|class| {
                [("precision", class.precision), ("recall", class.recall), ("f1", class.f1)]
            }),
        );
    }
    let scores = measures.retrieval.get(index).into_iter().flat_map(|scores| &scores.at);
    found.extend(
        scores
            .flat_map(|at| [("map", at.map), ("precision", at.precision), ("recall", at.recall)])
            .filter_map(|(name, value)| Some((name, value?))),
    );
    found
}

fn intervals(measures: &Measures, index: usize) -> Vec<(&'static str, Interval)> {
    let lists = [
        ("logreg_interval", &measures.logreg_interval),
        ("knn1_interval", &measures.knn1_interval),
        ("knn_interval", &measures.knn_interval),
    ];
    let of_lists = lists.into_iter().filter_map(|(name, list)| Some((name, *list.get(index)?)));
    let scores = measures.retrieval.get(index).into_iter().flat_map(|scores| &scores.at);
    of_lists.chain(scores.filter_map(|at| Some(("map_interval", at.map_interval?)))).collect()
}
