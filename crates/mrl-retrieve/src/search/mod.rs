//! Searching an index.

#![expect(clippy::inline_always, reason = "what is not inlined is compiled for the narrowest vectors")]

mod candidates;
mod database;
mod exact;
mod funnel;
mod graph;
mod judge;
mod kernel;
mod plan;
mod prefix;
mod queries;
mod scan;
mod tune;

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use rayon::prelude::*;

#[cfg(feature = "postgres")]
pub(crate) use self::queries::check_queries;
pub use self::tune::{
    Bench, BenchOptions, Benchmark, GraphChoice, Pace, Point, TuneOptions, Tuning, Workload,
};
pub(crate) use self::{candidates::Candidate, database::Database};
use self::{
    database::Kind,
    exact::Bounding,
    judge::Hit,
    plan::{Plan, Survey},
    queries::Queries,
};
use crate::{By, Error, Index, Schedule, graph::BuiltGraph};

/// Searches an index; what it learns of one search makes the next faster. It can be shared between threads, and uses those of
/// the pool that calls it.
pub struct Searcher<'a> {
    database: Database<'a>,
    /// Whose labels the rows have, if they have labels.
    labelled: Option<&'a Index>,
    walkers: graph::Walkers,
    /// How many rows exact searches for `k` rows by the first `rank` dims have to decide, by `(rank, k)`.
    surveys: Mutex<HashMap<(usize, usize), Survey>>,
}

/// The best rows for each of several queries.
#[derive(Clone, Debug, PartialEq)]
pub struct Hits {
    k: usize,
    positions: Vec<usize>,
    scores: Vec<f64>,
}

impl Hits {
    /// Rows for each query: as many as were asked for, or all there are.
    #[must_use]
    pub fn k(&self) -> usize {
        self.k
    }

    /// The positions of the rows, from the best for each query, `[queries, k]`.
    #[must_use]
    pub fn positions(&self) -> &[usize] {
        &self.positions
    }

    /// The scores of the rows, `[queries, k]`.
    #[must_use]
    pub fn scores(&self) -> &[f64] {
        &self.scores
    }

    fn of(hits: &[Vec<Hit>], k: usize) -> Self {
        let positions = hits.iter().flatten().map(|hit| hit.row).collect();
        let scores = hits.iter().flatten().map(|hit| hit.score).collect();
        Self { k, positions, scores }
    }
}

impl Index {
    /// What searches the index, as it was when it was opened.
    ///
    /// # Errors
    /// When the file is damaged where it says which rows are removed, or how the shortlist is rotated.
    pub fn searcher(&self) -> Result<Searcher<'_>, Error> {
        let rotation = self.layout()?.shortlist.and_then(|shortlist| shortlist.rotation);
        let database = Database::new(self.segments()?, self.metric(), self.dims(), rotation);
        let labelled = self.manifest().labels.then_some(self);
        Ok(Searcher { labelled, ..Searcher::new(database.with_graph(self.graph())) })
    }
}

impl<'a> Searcher<'a> {
    pub(crate) fn new(database: Database<'a>) -> Self {
        Self { database, labelled: None, walkers: graph::Walkers::default(), surveys: Mutex::default() }
    }

    /// The best `k` rows, or all if there are fewer, for each of `queries` `[n, width]`.
    ///
    /// Scores are computed in `f64` from the rows as they were given, by all dims or those that the schedule ranks by; of equal
    /// scores, the smaller position comes first. A zero row has cosine 0. A schedule without shortlists finds the best of all.
    ///
    /// # Errors
    /// When queries are of another width, not finite or, for cosine, zero; `k` is 0; the schedule asks for prefixes that the
    /// index does not have or keeps fewer than `k` rows; or the file is damaged where it is read.
    pub fn search(&self, queries: &[f32], k: usize, schedule: &Schedule) -> Result<Hits, Error> {
        let rank = schedule.check(
            k,
            self.database.ends(Kind::Trained),
            self.database.graph().map(|graph| graph.dim()),
        )?;
        let stages = self.stages(schedule);
        let queries = Queries::new(&self.database, queries, rank)?;
        let k = k.min(self.database.live());
        let hits = match &stages[..] {
            _ if k == 0 || queries.len() == 0 => Vec::new(),
            [] => self.exact(&queries, k)?,
            stages => funnel::funnel(&queries, stages, k, &self.walkers)?,
        };
        Ok(Hits::of(&hits, k))
    }

    /// The stages of `schedule` on this index, ready to search.
    fn stages(&self, schedule: &Schedule) -> Vec<funnel::Stage> {
        let stage = |stage: &crate::Stage| {
            let (dim, keep) = (stage.dim, stage.keep.get());
            let shortlist =
                stage.by != By::TrainedPrefix && self.database.ends(Kind::Shortlist).contains(&dim);
            let kind = if shortlist { Kind::Shortlist } else { Kind::Trained };
            funnel::Stage { kind, dim, keep, walks: stage.by == By::Graph }
        };
        schedule.stages().iter().map(stage).collect()
    }

    /// A graph of all rows on the first `dim` dims, as they shortlist.
    pub(crate) fn build_graph(&self, dim: usize) -> Result<BuiltGraph, Error> {
        self.database.build_graph(dim)
    }

    fn exact(&self, queries: &Queries<'_>, k: usize) -> Result<Vec<Vec<Hit>>, Error> {
        let plan = self.plan(queries, k)?;
        let proven = Bounding::new(queries, &plan).search(k)?;
        let surprises = proven.iter().filter(|proven| !proven.at_once).count();
        if surprises * 8 > proven.len() {
            // These queries are unlike those that the plan was made for.
            let survey = survey(queries, k)?;
            let mut surveys = self.surveys.lock().unwrap_or_else(PoisonError::into_inner);
            surveys.entry((queries.rank(), k)).and_modify(|known| known.join(&survey)).or_insert(survey);
        }
        Ok(proven.into_iter().map(|proven| proven.best).collect())
    }

    fn plan(&self, queries: &Queries<'_>, k: usize) -> Result<Plan, Error> {
        let key = (queries.rank(), k);
        let lock = || self.surveys.lock().unwrap_or_else(PoisonError::into_inner);
        let plan = |survey: &Survey| survey.plan(&self.database, queries.len(), k);
        if let Some(survey) = lock().get(&key) {
            return Ok(plan(survey));
        }
        let survey = survey(queries, k)?;
        Ok(plan(lock().entry(key).or_insert(survey)))
    }
}

/// By some of `queries`, evenly spaced.
fn survey(queries: &Queries<'_>, k: usize) -> Result<Survey, Error> {
    let sample = queries.sample(plan::QUERIES);
    Survey::of(&Queries::new(queries.database(), &sample, queries.rank())?, k)
}

/// Finishes the search of each query, on all threads where there are several.
fn for_each_query<T: Send>(
    found: Vec<scan::Found>,
    finish: impl Fn(usize, scan::Found) -> Result<T, Error> + Sync,
) -> Result<Vec<T>, Error> {
    let finish = |(index, found)| finish(index, found);
    if found.len() < scan::FEW {
        return found.into_iter().enumerate().map(finish).collect();
    }
    found.into_par_iter().enumerate().with_min_len(16).map(finish).collect()
}

#[cfg(test)]
mod tests;
