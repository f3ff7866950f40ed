//! Finding the cheapest schedule that finds enough.

mod bench;
mod graph;
mod relevance;

use std::{
    num::NonZeroUsize,
    time::{Duration, Instant},
};

use mrl_embedding::EmbeddingSet;
use serde::Serialize;
use strum::{Display, EnumString, VariantNames};

use self::relevance::Relevance;
pub use self::{
    bench::{Bench, BenchOptions, Benchmark, Pace},
    graph::GraphChoice,
};
use super::{Searcher, queries::Queries, scan::scan};
use crate::{By, Error, Schedule, Stage, graph::BuiltGraph};

/// What to tune for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TuneOptions {
    /// Rows that a search is to find.
    pub k: usize,
    /// How many of the true `k` best rows a search must find on average, from 0 to 1; [`Point::recall_low`] must reach it.
    pub recall: f64,
    /// How queries will come.
    pub workload: Workload,
    /// Whether a graph is tried.
    pub graph: GraphChoice,
}

impl Default for TuneOptions {
    /// 10 rows, of which 99 % are to be found, for queries that come many at once.
    fn default() -> Self {
        Self { k: 10, recall: 0.99, workload: Workload::default(), graph: GraphChoice::default() }
    }
}

/// How queries come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Display, EnumString, VariantNames)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Workload {
    /// Many at once.
    #[default]
    Batch,
    /// One after the other.
    Single,
}

/// What a schedule achieves.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Point {
    /// The schedule.
    pub schedule: Schedule,
    /// How many of the true best rows it finds on average, from 0 to 1.
    pub recall: f64,
    /// What the recall is at least for other queries of the same kind, with a confidence of 95 %; that of exact search is 1. Of many
    /// schedules that are measured by the same queries, some may still fall short of it.
    pub recall_low: f64,
    /// The mean average precision of the `k` rows that it finds, from 0 to 1, where queries and rows have labels: a row is relevant
    /// when it has the label of its query. The average precision of a query is the sum of the precision at each relevant hit (the
    /// share of relevant ones among the hits up to there), divided by `k`, or by the relevant rows of the index where these are
    /// fewer; the query's own row counts nowhere. Queries without relevant rows are left out of the mean.
    pub map: Option<f64>,
    /// Seconds for a query, on all threads.
    pub query_s: f64,
    /// Multiplications of two numbers for a query, at least: bounds and the selection of the best are left out.
    pub multiply_adds: f64,
}

/// What was measured, and the best of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Tuning {
    /// All schedules that were measured, from the fastest.
    pub points: Vec<Point>,
    /// The schedule of the fastest that finds enough.
    pub best: Schedule,
    /// Seconds that building a graph took, where one was built.
    pub graph_build_s: Option<f64>,
    /// The graph that was built.
    #[serde(skip)]
    pub(crate) graph: Option<BuiltGraph>,
}

/// Rows that stand in for queries where none are given, and queries that are looked at, at most.
const QUERIES: usize = 500;

/// Queries that are answered one after the other.
const SINGLE: usize = 64;

/// How long a schedule is measured: the fastest of several times counts.
const DURATION: Duration = Duration::from_millis(60);

/// The longest shortlist that is considered.
const LONGEST: usize = 4096;

/// Standard errors that 95 % of a normal distribution lie above.
const CONFIDENT: f64 = 1.645;

/// Recalls that are measured beside the one that is asked for, to show what each costs.
const RECALLS: [f64; 5] = [0.8, 0.9, 0.95, 0.99, 0.999];

/// How much of what may be lost the first of two stages loses.
const FIRST_LOSES: [f64; 3] = [0.25, 0.5, 0.75];

/// Schedules of two stages that are measured: those with the fewest multiplications.
const PAIRS: usize = 8;

impl Searcher<'_> {
    /// Measures schedules with `queries` `[n, width]`, which should be like those to come, or with some rows of the index, none of
    /// which may find itself. At most 500 are used, evenly spaced. The best is the fastest that reaches the recall, and `exact` if no
    /// shortlist is faster.
    ///
    /// # Errors
    /// When the recall is not from 0 to 1, the index has fewer than two rows, or those of [`Searcher::search`].
    pub fn tune(&self, queries: Option<&EmbeddingSet>, options: &TuneOptions) -> Result<Tuning, Error> {
        if !(0.0..=1.0).contains(&options.recall) {
            return Err(Error::Recall(options.recall));
        }
        self.check_graph(options.graph)?;
        let trial = Trial::new(self, queries, options.k)?;
        let measure = |schedule: &Schedule| trial.measure(schedule, options.workload);
        let mut points = vec![measure(&Schedule::exact())?];
        let ranks = trial.all_ranks(options.graph)?;
        for schedule in trial.candidates(&ranks, options.recall)? {
            // Shortlists of different recalls may be equally long.
            if points.iter().all(|point| point.schedule != schedule) {
                points.push(measure(&schedule)?);
            }
        }
        let best = fastest(&mut points, options.recall);
        let mut tuning = Tuning { points, best, graph_build_s: None, graph: None };
        if let Some(ranks) = trial.worth_a_graph(&ranks, options, &tuning) {
            trial.walk(ranks, options, &mut tuning)?;
            tuning.best = fastest(&mut tuning.points, options.recall);
        }
        Ok(tuning)
    }
}

/// Sorts `points` from the fastest; the first that surely finds `recall`.
fn fastest(points: &mut [Point], recall: f64) -> Schedule {
    points.sort_by(|a, b| a.query_s.total_cmp(&b.query_s));
    let best = points.iter().find(|point| point.recall_low >= recall);
    best.map_or_else(Schedule::exact, |point| point.schedule.clone())
}

/// Queries whose true best rows are known.
struct Trial<'s> {
    searcher: &'s Searcher<'s>,
    k: usize,
    /// `[n, width]`.
    queries: Vec<f32>,
    /// The rows that the queries are, if they are.
    own: Option<Vec<usize>>,
    /// Where queries and rows have labels.
    relevance: Option<Relevance<'s>>,
    /// The true best, `[n]` of at most `k`.
    truth: Vec<Vec<usize>>,
}

/// What queries find of the true best rows.
struct Recall {
    /// `[n]`.
    hits: Vec<usize>,
    /// The true best of a query.
    of: usize,
}

impl Recall {
    /// From 0 to 1.
    fn mean(&self) -> f64 {
        self.hits.iter().sum::<usize>() as f64 / (self.hits.len() * self.of) as f64
    }

    /// The lower end of its one-sided interval, as if one more query had missed one row: perfect hits of few queries prove little.
    fn low(&self) -> f64 {
        let shares =
            || self.hits.iter().copied().chain([self.of - 1]).map(|hits| hits as f64 / self.of as f64);
        let n = (self.hits.len() + 1) as f64;
        let mean = shares().sum::<f64>() / n;
        let variance = shares().map(|share| (share - mean).powi(2)).sum::<f64>() / (n - 1.0);
        mean - CONFIDENT * (variance / n).sqrt()
    }
}

/// Where a prefix ranks the true best rows.
struct Ranks {
    dim: usize,
    /// From 0, [`MISSING`] beyond the longest shortlist, `[n * k]`.
    places: Vec<usize>,
}

const MISSING: usize = usize::MAX;

impl<'s> Trial<'s> {
    fn new(searcher: &'s Searcher<'s>, queries: Option<&EmbeddingSet>, k: usize) -> Result<Self, Error> {
        if k == 0 {
            return Err(Error::NoK);
        }
        let database = &searcher.database;
        let (values, own) = match queries {
            Some(queries) if queries.width() != database.width() => {
                return Err(Error::QueryWidth {
                    values: queries.embeddings().len(),
                    width: database.width(),
                });
            }
            Some(queries) if queries.is_empty() => return Err(Error::NoQueries),
            Some(queries) => {
                (Queries::new(database, queries.embeddings(), database.width())?.sample(QUERIES), None)
            }
            None => {
                let (rows, own) = database.sample(QUERIES)?;
                (rows, Some(own))
            }
        };
        let relevance = Relevance::new(searcher.labelled, queries, own.as_deref())?;
        let mut trial = Self { searcher, k, queries: values, own, relevance, truth: Vec::new() };
        trial.truth = trial.found(&Schedule::exact())?;
        if trial.truth.first().is_none_or(Vec::is_empty) {
            return Err(Error::TooFewToTune);
        }
        Ok(trial)
    }

    /// The rows that `schedule` finds for each query, without its own.
    fn found(&self, schedule: &Schedule) -> Result<Vec<Vec<usize>>, Error> {
        let hits = self.searcher.search(&self.queries, self.asked(), schedule)?;
        let others = |(index, rows): (usize, &[usize])| {
            let own = self.own.as_ref().map(|own| own[index]);
            rows.iter().copied().filter(|&row| Some(row) != own).take(self.k).collect()
        };
        Ok(hits.positions().chunks(hits.k().max(1)).enumerate().map(others).collect())
    }

    /// What `schedule` achieves.
    fn measure(&self, schedule: &Schedule, workload: Workload) -> Result<Point, Error> {
        let found = self.found(schedule)?;
        let map =
            self.relevance.as_ref().map(|relevance| relevance.map(&found, self.k)).transpose()?.flatten();
        let query_s = self.fastest(schedule, workload)?.as_secs_f64();
        let multiply_adds = self.multiply_adds(schedule)?;
        let recall = self.recall(&found);
        let recall_low = if *schedule == Schedule::exact() { 1.0 } else { recall.low() };
        let recall = recall.mean();
        Ok(Point { schedule: schedule.clone(), recall, recall_low, map, query_s, multiply_adds })
    }

    /// How many of the true best rows are among those `found` for each query.
    fn recall(&self, found: &[Vec<usize>]) -> Recall {
        let both = |(truth, found): (&Vec<usize>, &Vec<usize>)| {
            truth.iter().filter(|row| found.contains(row)).count()
        };
        Recall { hits: self.truth.iter().zip(found).map(both).collect(), of: self.truth[0].len() }
    }

    /// For a query, of several passes the fastest.
    fn fastest(&self, schedule: &Schedule, workload: Workload) -> Result<Duration, Error> {
        let (start, mut fastest) = (Instant::now(), Duration::MAX);
        while fastest == Duration::MAX || start.elapsed() < DURATION {
            fastest = fastest.min(self.pass(schedule, workload)?);
        }
        Ok(fastest)
    }

    /// For a query, when all are answered once.
    fn pass(&self, schedule: &Schedule, workload: Workload) -> Result<Duration, Error> {
        let width = self.searcher.database.width();
        let asked = self.len(workload);
        let together = if workload == Workload::Batch { asked } else { 1 };
        let start = Instant::now();
        for queries in self.queries[..asked * width].chunks(together * width) {
            self.searcher.search(queries, self.asked(), schedule)?;
        }
        Ok(start.elapsed() / asked as u32)
    }

    /// Queries of a pass.
    fn len(&self, workload: Workload) -> usize {
        match workload {
            Workload::Batch => self.truth.len(),
            Workload::Single => self.truth.len().min(SINGLE),
        }
    }

    /// For a query.
    fn multiply_adds(&self, schedule: &Schedule) -> Result<f64, Error> {
        let database = &self.searcher.database;
        let width = database.width();
        if schedule.stages().is_empty() {
            let queries = Queries::new(database, &self.queries, width)?;
            return Ok(self.searcher.plan(&queries, self.asked().min(database.live()))?.multiply_adds);
        }
        if let Some(dim) = schedule.graph() {
            // One stage, as only tuning makes them.
            return self.multiply_adds_of_walks(schedule, dim);
        }
        let (mut sum, mut rows, mut dim) = (0, database.rows(), 0);
        for stage in schedule.stages() {
            sum += rows * (stage.dim - dim);
            (rows, dim) = (stage.keep.get().min(rows), stage.dim);
        }
        let turning = if database.rotation(database.shortlist_kind()).is_some() { width * dim } else { 0 };
        Ok((sum + rows * width + turning) as f64)
    }

    /// Rows that are searched for, so that enough are left without a query's own.
    fn asked(&self) -> usize {
        self.k.saturating_add(usize::from(self.own.is_some()))
    }

    /// Schedules of one stage that reach several recalls, and of two stages that reach `recall`, as far as shortlists tell. All dims are
    /// no shortlist.
    fn candidates(&self, ranks: &[Ranks], recall: f64) -> Result<Vec<Schedule>, Error> {
        let width = self.searcher.database.width();
        let ranks = &ranks[..ranks.partition_point(|ranks| ranks.dim < width)];
        let mut candidates = Vec::new();
        for first in ranks {
            let shown = RECALLS.iter().filter_map(|&recall| self.keep(&first.places, recall));
            let keeps = shown.chain(self.keep_surely(&first.places, recall));
            candidates.extend(keeps.map(|keep| schedule(&[(first.dim, keep)])));
        }
        candidates.extend(self.pairs(ranks, recall)?);
        Ok(candidates)
    }

    /// Schedules of two stages that reach `recall`, those with the fewest multiplications.
    fn pairs(&self, ranks: &[Ranks], recall: f64) -> Result<Vec<Schedule>, Error> {
        let mut pairs = Vec::new();
        for (index, first) in ranks.iter().enumerate() {
            for second in &ranks[index + 1..] {
                for share in FIRST_LOSES {
                    let Some((first_keep, second_keep)) = self.keep_two(first, second, recall, share) else {
                        continue;
                    };
                    let pair = schedule(&[(first.dim, first_keep), (second.dim, second_keep)]);
                    pairs.push((self.multiply_adds(&pair)?, pair));
                }
            }
        }
        pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
        pairs.dedup_by(|a, b| a.1 == b.1);
        Ok(pairs.into_iter().map(|(_, pair)| pair).take(PAIRS).collect())
    }

    /// How many rows two shortlists must keep, the second fewer, where the first loses a `share` of what may be lost.
    fn keep_two(&self, first: &Ranks, second: &Ranks, recall: f64, share: f64) -> Option<(usize, usize)> {
        let first_keep = self.keep(&first.places, 1.0 - share * (1.0 - recall))?;
        let left = |(&first, &second): (&usize, &usize)| if first < first_keep { second } else { MISSING };
        let left: Vec<usize> = first.places.iter().zip(&second.places).map(left).collect();
        let second_keep = self.keep_surely(&left, recall)?;
        (second_keep < first_keep).then_some((first_keep, second_keep))
    }

    /// Where each prefix that shortlists ranks the true best rows, from the shortest. All dims may be among them, which only a graph
    /// can be on.
    fn all_ranks(&self, graph: GraphChoice) -> Result<Vec<Ranks>, Error> {
        let database = &self.searcher.database;
        let dims = database.ends(database.shortlist_kind()).iter().copied();
        let dims = dims.filter(|&dim| dim < database.width() || graph != GraphChoice::None);
        dims.map(|dim| self.ranks(dim)).collect()
    }

    /// Where the first `dim` dims rank the true best rows.
    fn ranks(&self, dim: usize) -> Result<Ranks, Error> {
        let database = &self.searcher.database;
        let kind = database.shortlist_kind();
        let queries = Queries::new(database, &self.queries, database.width())?;
        let prefix = database.prefix(kind, dim);
        let extended = queries.turned(kind, dim, database.width()).all_extended(&prefix);
        let mut places = Vec::new();
        for (mut found, truth) in
            scan(&prefix, &extended, 0..database.rows(), LONGEST)?.into_iter().zip(&self.truth)
        {
            found.candidates.sort_unstable_by(|a, b| b.cmp(a));
            let place = |&row: &usize| found.candidates.iter().position(|candidate| candidate.row() == row);
            places.extend(truth.iter().map(|row| place(row).unwrap_or(MISSING)));
        }
        Ok(Ranks { dim, places })
    }

    /// How many rows a shortlist must keep so that other queries find `recall`, too; of round numbers, the first.
    fn keep_surely(&self, places: &[usize], recall: f64) -> Option<usize> {
        let of = self.truth[0].len();
        let in_list = |places: &[usize], last| places.iter().filter(|&&place| place <= last).count();
        let low = |last| Recall { hits: places.chunks(of).map(|of| in_list(of, last)).collect(), of }.low();
        let mut lasts = places.to_vec();
        lasts.sort_unstable();
        let enough = lasts.partition_point(|&last| last != MISSING && low(last) < recall);
        self.round(*lasts.get(enough)?)
    }

    /// How many rows a shortlist must keep so that `recall` of `places` are in it; of round numbers, the first.
    fn keep(&self, places: &[usize], recall: f64) -> Option<usize> {
        let mut places = places.to_vec();
        places.sort_unstable();
        // What rounding adds to a whole number must not count as one more.
        let needed = (recall * places.len() as f64 - 1e-9).ceil() as usize;
        self.round(places[needed.saturating_sub(1)])
    }

    /// The length of a shortlist up to the place `last`.
    fn round(&self, last: usize) -> Option<usize> {
        (last != MISSING).then(|| round_up((last + 1).max(self.asked())))
    }
}

/// To two digits, or else the largest number.
fn round_up(number: usize) -> usize {
    let unit = 10usize.pow(number.ilog10().saturating_sub(1));
    number.checked_next_multiple_of(unit).unwrap_or(usize::MAX)
}

fn schedule(stages: &[(usize, usize)]) -> Schedule {
    let stage = |&(dim, keep): &(usize, usize)| Stage {
        dim,
        keep: NonZeroUsize::new(keep).expect("at least k"),
        by: By::Prefix,
    };
    Schedule::new(stages.iter().map(stage).collect(), None).expect("dims increase and keeps decrease")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_rounded_up_to_two_digits() {
        assert_eq!([1, 9, 10, 99, 100, 101, 119, 4096].map(round_up), [1, 9, 10, 99, 100, 110, 120, 4100]);
    }
}
