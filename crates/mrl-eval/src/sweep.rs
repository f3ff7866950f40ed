use std::collections::BTreeMap;

use mrl_embedding::EmbeddingSet;

use crate::{
    Database, EvalError, EvalOptions, Measure, Measures, Method,
    bootstrap::Resamples,
    calibration::{Outcome, calibration, temperature},
    cascade::{Stage, cascade},
    check::Checked,
    classes::Confusion,
    knn::{Among, Neighbours},
    measures::{Interval, ProbeScores, RetrievalScores},
    pieces::Pieces,
    probe::{FoldFits, Folds, HeldOut, Part, Probe, ProbeOptions, Problem},
    retrieval::Retrieval,
    rows::Rows,
    standardise::Moments,
    vote::vote,
};

/// All that is measured of a way of shortening, dim by dim.
pub(crate) struct Sweep<'a> {
    checked: &'a Checked,
    options: &'a EvalOptions,
    folds: Folds,
    resamples: Resamples,
    /// Queries among the rows of [`EvalOptions::database`].
    retrieval: Retrieval<'a>,
    /// All test rows.
    test: Vec<usize>,
}

/// What the next dim goes on from.
#[derive(Default)]
struct Shorter {
    probe: Option<Probe>,
    l2: Option<f64>,
    fits: Option<FoldFits>,
    /// None where no cascade is made.
    stages: Option<Vec<Stage>>,
}

/// The results of a sweep: the figures of the report, and the outcome of each test row.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) measures: Measures,
    /// Whether each test row is classified correctly, `[dims, n]`, by each of the measures that classify.
    pub(crate) right: BTreeMap<Measure, Vec<bool>>,
}

impl Found {
    fn record(&mut self, measure: Measure, right: &[bool]) {
        self.right.entry(measure).or_default().extend_from_slice(right);
    }
}

/// What held-out rows say of a probe's probabilities.
struct Scaled {
    temperature: f64,
    held_out: HeldOut,
    /// The test rows at that temperature.
    test: Vec<Outcome>,
}

impl<'a> Sweep<'a> {
    pub(crate) fn new(
        train: &'a EmbeddingSet,
        test: &'a EmbeddingSet,
        checked: &'a Checked,
        options: &'a EvalOptions,
    ) -> Self {
        let labels = |set: &'a EmbeddingSet| set.labels().unwrap_or_default();
        let (queries, database, among) = match options.database {
            Database::Train => (labels(test), labels(train), Among::All),
            Database::Test => (labels(test), labels(test), Among::Others),
        };
        Self {
            checked,
            options,
            folds: Folds::deal(&checked.train, checked.classes.len(), options.seed),
            resamples: Resamples::draw(test.len(), options.resamples, options.seed),
            retrieval: Retrieval::new(queries, database, among),
            test: (0..test.len()).collect(),
        }
    }

    /// How many pieces of work [`Sweep::run`] reports.
    pub(crate) fn pieces(&self) -> usize {
        let probes = if self.options.fits_probes() { self.checked.dims.len() } else { 0 };
        probes + usize::from(self.options.finds_neighbours())
    }

    /// Measures from the shortest dim on: each probe starts from the one before. `moments` are those of `train`.
    pub(crate) fn run(
        &self,
        train: Rows<'_>,
        test: Rows<'_>,
        moments: &Moments<'_>,
        method: Method,
        pieces: &mut Pieces<'_>,
    ) -> Result<Found, EvalError> {
        let measures = Measures { dims: self.checked.dims.clone(), ..Measures::default() };
        let mut found = Found { measures, ..Found::default() };
        // The cascade is one of prefixes.
        let cascades = self.options.takes(Measure::Cascade) && method == Method::Prefix;
        let mut shorter = Shorter { stages: cascades.then(Vec::new), ..Shorter::default() };
        for &dim in &self.checked.dims {
            if self.options.fits_probes() {
                pieces.begin(&format!("{method}: logistic probe on {dim} dims"));
                self.probe(train.prefix(dim), test.prefix(dim), moments, &mut shorter, &mut found)?;
            }
            if self.options.takes(Measure::Geometry) {
                found.measures.effective_rank.push(moments.effective_rank(dim)?);
            }
        }
        if self.options.finds_neighbours() {
            pieces.begin(&format!("{method}: nearest neighbours"));
            self.neighbours(train, test, &mut found);
        }
        found.measures.cascade = shorter.stages.map(|stages| cascade(&stages));
        Ok(found)
    }

    /// The interval of the fraction of rows that are `right`; none without resamples.
    fn interval(&self, right: &[bool]) -> Option<Interval> {
        let scores: Vec<f32> = right.iter().map(|&right| f32::from(u8::from(right))).collect();
        self.resamples.interval(&scores, &vec![true; right.len()])
    }

    fn probe(
        &self,
        train: Rows<'_>,
        test: Rows<'_>,
        moments: &Moments<'_>,
        shorter: &mut Shorter,
        found: &mut Found,
    ) -> Result<(), EvalError> {
        let Checked { classes, train: targets, .. } = self.checked;
        let problem = Problem::new(train, targets, classes.len(), moments)?;
        let (l2, fits) = match self.options.l2 {
            None => {
                let (l2, fits) =
                    problem.choose_l2(&self.folds, shorter.l2.unwrap_or(1.0), shorter.fits.as_ref());
                (l2, Some(fits))
            }
            Some(l2) if self.options.takes(Measure::Cascade) => {
                (l2, Some(problem.fit_folds(&self.folds, l2, shorter.fits.as_ref())))
            }
            Some(l2) => (l2, None),
        };
        let options = ProbeOptions { l2, tolerance: self.options.tolerance };
        let probe = problem.fit(options, Part::All, shorter.probe.as_ref());
        let raw = self.outcomes(&probe, test, 1.0);
        let right: Vec<bool> = raw.iter().map(|outcome| outcome.right).collect();
        found.record(Measure::Probe, &right);
        found.measures.logreg.push(fraction(&right));
        found.measures.logreg_interval.extend(self.interval(&right));

        let scaled = fits.as_ref().filter(|_| self.options.takes(Measure::Cascade)).map(|fits| {
            let held_out = problem.held_out(&self.folds, fits);
            let temperature = temperature(&held_out);
            Scaled { temperature, held_out, test: self.outcomes(&probe, test, temperature) }
        });
        let confusion = Confusion::of(
            classes.len(),
            self.checked.test.iter().copied().zip(raw.iter().map(|outcome| outcome.class)),
        );
        found.measures.probe.push(ProbeScores {
            l2,
            objective: probe.objective,
            gradient_norm: probe.gradient_norm,
            iterations: probe.iterations,
            converged: probe.converged,
            raw: calibration(&raw, 1.0),
            scaled: scaled.as_ref().map(|scaled| calibration(&scaled.test, scaled.temperature)),
            classes: confusion.scores,
            confusion: confusion.counts,
        });
        if let (Some(stages), Some(Scaled { temperature, held_out, test: outcomes })) =
            (&mut shorter.stages, scaled)
        {
            let held_out = held_out.outcomes(temperature);
            stages.push(Stage { dim: test.dims(), held_out, test: outcomes });
        }
        (shorter.probe, shorter.l2, shorter.fits) = (Some(probe), Some(l2), fits);
        Ok(())
    }

    fn outcomes(&self, probe: &Probe, test: Rows<'_>, temperature: f64) -> Vec<Outcome> {
        probe.judge(test, &self.test, |row, logits| {
            Outcome::of(logits.iter().copied(), temperature, self.checked.test[row])
        })
    }

    fn neighbours(&self, train: Rows<'_>, test: Rows<'_>, found: &mut Found) {
        let (options, dims) = (self.options, &self.checked.dims);
        let most_hits = options.hits.iter().copied().max().unwrap_or_default();
        let hits = if options.takes(Measure::Retrieval) { most_hits } else { 0 };
        let voters = if options.takes(Measure::Knn) { options.neighbours } else { 1 };
        let in_test = options.database == Database::Test;
        let k = if in_test { voters } else { voters.max(hits) };
        let near = if !in_test || options.takes(Measure::Knn1) || options.takes(Measure::Knn) {
            Neighbours::search(train, test, dims, k, Among::All)
        } else {
            Vec::new()
        };
        for near in &near {
            self.classify(near, found);
        }
        if in_test && hits > 0 {
            let near = Neighbours::search(test, test, dims, hits, Among::Others);
            self.retrieve(&near, Among::Others.of(test.len()), &mut found.measures);
        } else if hits > 0 {
            self.retrieve(&near, train.len(), &mut found.measures);
        }
    }

    /// Retrieval by each dim, from neighbours among `rows`.
    fn retrieve(&self, found: &[Neighbours], rows: usize, measures: &mut Measures) {
        for (found, dim) in found.iter().zip(&self.checked.dims) {
            let at = self.options.hits.iter().map(|&k| self.retrieval.at(k, found, &self.resamples));
            measures.retrieval.push(RetrievalScores { multiply_adds: (rows * dim) as u64, at: at.collect() });
        }
    }

    /// 1-NN and the weighted vote, from neighbours among the training rows.
    fn classify(&self, near: &Neighbours, found: &mut Found) {
        let Checked { classes, train, test, .. } = self.checked;
        let right = |class: &dyn Fn(usize) -> usize| -> Vec<bool> {
            (0..test.len()).map(|row| test[row] == Some(class(row))).collect()
        };
        if self.options.takes(Measure::Knn1) {
            let right = right(&|row| train[near.of(row)[0].row]);
            found.record(Measure::Knn1, &right);
            found.measures.knn1.push(fraction(&right));
            found.measures.knn1_interval.extend(self.interval(&right));
        }
        if self.options.takes(Measure::Knn) {
            let voters = self.options.neighbours.min(near.k());
            let temperature = self.options.temperature;
            let right = right(&|row| vote(&near.of(row)[..voters], train, classes.len(), temperature));
            found.record(Measure::Knn, &right);
            found.measures.knn.push(fraction(&right));
            found.measures.knn_interval.extend(self.interval(&right));
        }
    }
}

fn fraction(right: &[bool]) -> f64 {
    right.iter().filter(|&&right| right).count() as f64 / right.len() as f64
}
