//! Whether walking a graph is faster than scanning.

use std::{
    fmt,
    num::NonZeroUsize,
    str::FromStr,
    time::{Duration, Instant},
};

use super::{RECALLS, Trial, TuneOptions, Tuning, round_up};
use crate::{
    By, Error, Schedule, Stage,
    search::{Searcher, database::Kind, graph::Walk, queries::Queries},
};

/// Whether a graph is tried, which is built first unless the index has it: for a million rows that takes minutes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum GraphChoice {
    /// No.
    None,
    /// If a query takes longer than a millisecond without one; on the prefix that promises the fastest walks.
    #[default]
    Auto,
    /// Yes, on this prefix.
    On(usize),
}

impl FromStr for GraphChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "none" => Ok(Self::None),
            "auto" => Ok(Self::Auto),
            dim => {
                dim.parse().map(Self::On).map_err(|_| "write auto, none or the dims of a prefix".to_owned())
            }
        }
    }
}

impl fmt::Display for GraphChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Auto => f.write_str("auto"),
            Self::On(dim) => dim.fmt(f),
        }
    }
}

/// Queries that take longer without a graph are worth the time to build one.
const SLOW: Duration = Duration::from_millis(1);

/// Rows that a walk multiplies for each that it keeps, about; only what this is to the width matters.
const MET: usize = 16;

/// Rows that even a walk for few must keep in sight, to get there.
const LEAST: usize = 32;

/// A walk misses some of what the prefix would find: it is tried with shortlists up to so many times as long, each longer by this.
const LONGER: f64 = 8.0;
const STEP: f64 = 1.5;

impl Searcher<'_> {
    /// Refuses a graph on what does not shortlist.
    pub(super) fn check_graph(&self, choice: GraphChoice) -> Result<(), Error> {
        let dims = self.database.ends(self.database.shortlist_kind());
        match choice {
            GraphChoice::On(dim) if !dims.contains(&dim) => {
                Err(Error::NoGraphHere { dim, dims: dims.to_vec() })
            }
            _ => Ok(()),
        }
    }
}

impl Trial<'_> {
    /// The prefix of a graph that is worth trying after what was measured without one.
    pub(super) fn graph_dim(&self, options: &TuneOptions, tuning: &Tuning) -> Result<Option<usize>, Error> {
        let database = &self.searcher.database;
        let dims = database.ends(database.shortlist_kind());
        match options.graph {
            GraphChoice::None => Ok(None),
            GraphChoice::On(dim) => Ok(Some(dim)),
            GraphChoice::Auto => {
                let fastest = tuning.points.iter().find(|point| point.schedule == tuning.best);
                if fastest.is_some_and(|point| point.query_s <= SLOW.as_secs_f64()) {
                    return Ok(None);
                }
                let mut costs = Vec::new();
                for &dim in dims {
                    if let Some(keep) = self.keep_surely(&self.ranks(dim)?.places, options.recall) {
                        costs.push((keep.max(LEAST) * (MET * dim + database.width()), dim));
                    }
                }
                Ok(costs.into_iter().min().map(|(_, dim)| dim))
            }
        }
    }

    /// Measures walks along a graph on `dim` dims, which is built unless the index has it.
    pub(super) fn walk(self, dim: usize, options: &TuneOptions, tuning: &mut Tuning) -> Result<(), Error> {
        let database = &self.searcher.database;
        let is_there =
            |graph: &crate::graph::Graph<'_>| graph.dim() == dim && graph.rows() == database.rows();
        if database.graph().as_ref().is_none_or(|graph| !is_there(graph)) {
            let start = Instant::now();
            tuning.graph = Some(database.build_graph(dim)?);
            tuning.graph_build_s = Some(start.elapsed().as_secs_f64());
        }
        let graph = tuning.graph.as_ref().map(|graph| graph.view()).or(database.graph());
        let searcher = Searcher::new(database.clone().with_graph(graph));
        let trial = Trial { searcher: &searcher, ..self };
        for keep in trial.keeps(dim, options.recall)? {
            let keep = NonZeroUsize::new(keep).expect("at least k");
            let stage = Stage { dim, keep, by: By::Graph };
            let schedule = Schedule::new(vec![stage], None).expect("a graph is walked first");
            tuning.points.push(trial.measure(&schedule, options.workload)?);
        }
        Ok(())
    }

    /// How many rows walks may have to keep.
    fn keeps(&self, dim: usize, recall: f64) -> Result<Vec<usize>, Error> {
        let places = self.ranks(dim)?.places;
        let bounds = (self.keep(&places, RECALLS[0].min(recall)), self.keep_surely(&places, recall));
        let (Some(least), Some(most)) = bounds else {
            return Ok(Vec::new());
        };
        let lengths = std::iter::successors(Some(least as f64), |keep| Some(keep * STEP));
        let lengths = lengths
            .take_while(|&keep| keep <= most as f64 * LONGER)
            .map(|keep| round_up(keep.ceil() as usize));
        Ok(lengths.take_while(|&keep| keep < self.searcher.database.live()).collect())
    }

    /// Multiplications of two numbers for a query by a `schedule` that walks a graph on `dim` dims.
    pub(super) fn multiply_adds_of_walks(&self, schedule: &Schedule, dim: usize) -> Result<f64, Error> {
        let database = &self.searcher.database;
        let Some(graph) = database.graph() else { return Err(Error::NoGraph { dim, graph: None }) };
        let (kind, width) = (database.shortlist_kind(), database.width());
        let prefix = database.prefix(kind, dim);
        let queries = Queries::new(database, &self.queries, width)?;
        let extended = queries.turned(kind, dim, width).all_extended(&prefix);
        let keep = schedule.stages()[0].keep.get();
        let walk = Walk { database, graph, prefix: &prefix, walkers: &self.searcher.walkers };
        let (_, met) = walk.shortlist(&extended, keep, self.asked())?;
        let turning = if database.rotation(Kind::Shortlist).is_some() { width * dim } else { 0 };
        Ok(met * dim as f64 + (keep * width + turning) as f64)
    }
}
