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

/// Above this many classes a confusion matrix is no picture and a large file.
const MOST_CONFUSED: usize = 100;

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
    stages: Vec<Stage>,
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
            folds: Folds::deal(&checked.train, checked.classes.len()),
            resamples: Resamples::draw(test.len(), options.resamples, options.seed),
            retrieval: Retrieval::new(queries, database, among),
            test: (0..test.len()).collect(),
        }
    }

    /// How many pieces of work [`Sweep::run`] reports.
    pub(crate) fn pieces(&self) -> usize {
        self.checked.dims.len() * (usize::from(self.fits_probes()) + usize::from(self.finds_neighbours()))
    }

    fn takes(&self, measure: Measure) -> bool {
        self.options.measures.contains(&measure)
    }

    fn fits_probes(&self) -> bool {
        self.takes(Measure::Probe) || self.takes(Measure::Cascade)
    }

    fn finds_neighbours(&self) -> bool {
        [Measure::Knn1, Measure::Knn, Measure::Retrieval].into_iter().any(|measure| self.takes(measure))
    }

    /// Measures from the shortest dim on: each probe starts from the one before. `moments` are those of `train`.
    pub(crate) fn run(
        &self,
        train: Rows<'_>,
        test: Rows<'_>,
        moments: &Moments,
        method: Method,
        pieces: &mut Pieces<'_>,
    ) -> Result<Measures, EvalError> {
        let mut measures = Measures { dims: self.checked.dims.clone(), ..Measures::default() };
        let mut shorter = Shorter::default();
        for &dim in &self.checked.dims {
            let (train, test) = (train.prefix(dim), test.prefix(dim));
            if self.fits_probes() {
                pieces.begin(&format!("{method}: logistic probe on {dim} dims"));
                self.probe(train, test, moments, &mut shorter, &mut measures)?;
            }
            if self.finds_neighbours() {
                pieces.begin(&format!("{method}: nearest neighbours on {dim} dims"));
                self.neighbours(train, test, &mut measures);
            }
            if self.takes(Measure::Geometry) {
                measures.effective_rank.push(moments.effective_rank(dim)?);
            }
        }
        if self.takes(Measure::Cascade) && method == Method::Prefix {
            measures.cascade = Some(cascade(&shorter.stages));
        }
        Ok(measures)
    }

    /// The interval of the fraction of rows that are `right`.
    fn interval(&self, right: &[bool]) -> Interval {
        let scores: Vec<f32> = right.iter().map(|&right| f32::from(u8::from(right))).collect();
        self.resamples.interval(&scores, &vec![true; right.len()])
    }

    fn probe(
        &self,
        train: Rows<'_>,
        test: Rows<'_>,
        moments: &Moments,
        shorter: &mut Shorter,
        measures: &mut Measures,
    ) -> Result<(), EvalError> {
        let Checked { classes, train: targets, .. } = self.checked;
        let problem = Problem::new(train, targets, classes.len(), moments)?;
        let (l2, fits) = match self.options.l2 {
            None => {
                let (l2, fits) =
                    problem.choose_l2(&self.folds, shorter.l2.unwrap_or(1.0), shorter.fits.as_ref());
                (l2, Some(fits))
            }
            Some(l2) if self.takes(Measure::Cascade) => {
                (l2, Some(problem.fit_folds(&self.folds, l2, shorter.fits.as_ref())))
            }
            Some(l2) => (l2, None),
        };
        let options = ProbeOptions { l2, tolerance: self.options.tolerance };
        let probe = problem.fit(options, Part::All, shorter.probe.as_ref());
        let raw = self.outcomes(&probe, test, 1.0);
        let right: Vec<bool> = raw.iter().map(|outcome| outcome.right).collect();
        measures.logreg.push(fraction(&right));
        measures.logreg_interval.push(self.interval(&right));

        let held_out = match &fits {
            Some(fits) if self.takes(Measure::Cascade) => Some(problem.held_out(&self.folds, fits)),
            _ => None,
        };
        let stage = held_out.map(|held_out| self.stage(train.dims(), &probe, test, &held_out));
        let confusion = Confusion::of(
            classes.len(),
            self.checked.test.iter().copied().zip(raw.iter().map(|outcome| outcome.class)),
        );
        measures.probe.push(ProbeScores {
            l2,
            objective: probe.objective,
            gradient_norm: probe.gradient_norm,
            iterations: probe.iterations,
            converged: probe.converged,
            raw: calibration(&raw, 1.0),
            scaled: stage.as_ref().map(|(temperature, stage)| calibration(&stage.test, *temperature)),
            classes: confusion.scores(),
            confusion: if classes.len() <= MOST_CONFUSED { confusion.rows() } else { Vec::new() },
        });
        shorter.stages.extend(stage.map(|(_, stage)| stage));
        (shorter.probe, shorter.l2, shorter.fits) = (Some(probe), Some(l2), fits);
        Ok(())
    }

    /// The temperature that held-out rows ask for, and what the probe is worth with it.
    fn stage(&self, dim: usize, probe: &Probe, test: Rows<'_>, held_out: &HeldOut) -> (f64, Stage) {
        let temperature = temperature(held_out);
        let stage = Stage {
            dim,
            held_out: held_out.outcomes(temperature),
            test: self.outcomes(probe, test, temperature),
        };
        (temperature, stage)
    }

    fn outcomes(&self, probe: &Probe, test: Rows<'_>, temperature: f64) -> Vec<Outcome> {
        probe.judge(test, &self.test, |row, logits| {
            Outcome::of(logits.iter().copied(), temperature, self.checked.test[row])
        })
    }

    fn neighbours(&self, train: Rows<'_>, test: Rows<'_>, measures: &mut Measures) {
        let most_hits = self.options.hits.iter().copied().max().unwrap_or_default();
        let hits = if self.takes(Measure::Retrieval) { most_hits } else { 0 };
        let voters = if self.takes(Measure::Knn) { self.options.neighbours } else { 1 };
        let in_test = self.options.database == Database::Test;
        let in_train = (!in_test || self.takes(Measure::Knn1) || self.takes(Measure::Knn)).then(|| {
            Neighbours::search(train, test, if in_test { voters } else { voters.max(hits) }, Among::All)
        });
        if let Some(found) = &in_train {
            self.classify(found, measures);
        }
        if self.takes(Measure::Retrieval) {
            let found =
                if in_test { Some(Neighbours::search(test, test, hits, Among::Others)) } else { in_train };
            let rows = if in_test { test.len() } else { train.len() };
            let at = found.iter().flat_map(|found| {
                self.options.hits.iter().map(move |&k| self.retrieval.at(k, found, &self.resamples))
            });
            measures
                .retrieval
                .push(RetrievalScores { multiply_adds: (rows * train.dims()) as u64, at: at.collect() });
        }
    }

    /// 1-NN and the weighted vote, from neighbours among the training rows.
    fn classify(&self, found: &Neighbours, measures: &mut Measures) {
        let Checked { classes, train, test, .. } = self.checked;
        let right = |class: &dyn Fn(usize) -> usize| -> Vec<bool> {
            (0..test.len()).map(|row| test[row] == Some(class(row))).collect()
        };
        if self.takes(Measure::Knn1) {
            let right = right(&|row| train[found.of(row)[0].row]);
            measures.knn1.push(fraction(&right));
            measures.knn1_interval.push(self.interval(&right));
        }
        if self.takes(Measure::Knn) {
            let voters = self.options.neighbours.min(found.k());
            let temperature = self.options.temperature;
            let right = right(&|row| vote(&found.of(row)[..voters], train, classes.len(), temperature));
            measures.knn.push(fraction(&right));
            measures.knn_interval.push(self.interval(&right));
        }
    }
}

fn fraction(right: &[bool]) -> f64 {
    right.iter().filter(|&&right| right).count() as f64 / right.len() as f64
}
