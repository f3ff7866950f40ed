//! Whether walking a graph is faster than scanning.

use std::{
    fmt,
    num::NonZeroUsize,
    str::FromStr,
    time::{Duration, Instant},
};

use super::{RECALLS, Ranks, Trial, TuneOptions, Tuning, round_up};
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
    /// Of the prefixes that shortlist, that of a graph that is worth trying after what was measured without one.
    pub(super) fn worth_a_graph<'r>(
        &self,
        ranks: &'r [Ranks],
        options: &TuneOptions,
        tuning: &Tuning,
    ) -> Option<&'r Ranks> {
        let width = self.searcher.database.width();
        match options.graph {
            GraphChoice::None => None,
            GraphChoice::On(dim) => ranks.iter().find(|ranks| ranks.dim == dim),
            GraphChoice::Auto => {
                let fastest = tuning.points.iter().find(|point| point.schedule == tuning.best);
                if fastest.is_some_and(|point| point.query_s <= SLOW.as_secs_f64()) {
                    return None;
                }
                let cost = |ranks: &'r Ranks| {
                    let keep = self.keep_surely(&ranks.places, options.recall)?.max(LEAST);
                    Some((keep.saturating_mul(MET * ranks.dim + width), ranks))
                };
                ranks.iter().filter_map(cost).min_by_key(|(cost, _)| *cost).map(|(_, ranks)| ranks)
            }
        }
    }

    /// Measures walks along a graph on the prefix of `ranks`, which is built unless the index has it.
    pub(super) fn walk(self, ranks: &Ranks, options: &TuneOptions, tuning: &mut Tuning) -> Result<(), Error> {
        let (database, dim) = (&self.searcher.database, ranks.dim);
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
        for keep in trial.keeps(&ranks.places, options.recall) {
            let keep = NonZeroUsize::new(keep).expect("at least k");
            let stage = Stage { dim, keep, by: By::Graph };
            let schedule = Schedule::new(vec![stage], None).expect("a graph is walked first");
            tuning.points.push(trial.measure(&schedule, options.workload)?);
        }
        Ok(())
    }

    /// How many rows walks may have to keep where the prefix has the true best rows at `places`.
    fn keeps(&self, places: &[usize], recall: f64) -> Vec<usize> {
        let bounds = (self.keep(places, RECALLS[0].min(recall)), self.keep_surely(places, recall));
        let (Some(least), Some(most)) = bounds else {
            return Vec::new();
        };
        let lengths = std::iter::successors(Some(least as f64), |keep| Some(keep * STEP));
        let lengths = lengths
            .take_while(|&keep| keep <= most as f64 * LONGER)
            .map(|keep| round_up(keep.ceil() as usize));
        lengths.take_while(|&keep| keep < self.searcher.database.live()).collect()
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
