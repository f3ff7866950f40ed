//! Shortlists by short prefixes, ranked by a longer one.

use mrl_linalg::vectorised;

use super::{
    candidates::{Candidate, keep_best},
    database::Kind,
    for_each_query,
    graph::{Walk, Walkers},
    judge::{Hit, Judge},
    prefix::Prefix,
    queries::{Queries, Turned},
    scan::scan,
};
use crate::Error;

/// A stage of a schedule on an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stage {
    pub(super) kind: Kind,
    pub(super) dim: usize,
    pub(super) keep: usize,
    /// Whether it walks along the graph, which is on this prefix.
    pub(super) walks: bool,
}

/// The `k` best rows for each query of those that `stages`, at least one, leave.
pub(super) fn funnel(
    queries: &Queries<'_>,
    stages: &[Stage],
    k: usize,
    walkers: &Walkers,
) -> Result<Vec<Vec<Hit>>, Error> {
    let database = queries.database();
    let steps: Vec<Step<'_>> =
        stages.iter().map(|&stage| Step { stage, prefix: database.prefix(stage.kind, stage.dim) }).collect();
    let turned = [Kind::Trained, Kind::Shortlist].map(|kind| {
        let dims = stages.iter().filter(|stage| stage.kind == kind).map(|stage| stage.dim).max();
        dims.map(|dims| queries.turned(kind, dims, database.width()))
    });
    let turned = |kind: Kind| turned[kind as usize].as_ref().expect("a stage of this kind");
    let first = &steps[0];
    let extended = turned(first.stage.kind).all_extended(&first.prefix);
    let found = match database.graph().filter(|_| first.stage.walks) {
        Some(graph) => {
            Walk { database, graph, prefix: &first.prefix, walkers }
                .shortlist(&extended, first.stage.keep, k)?
                .0
        }
        None => scan(&first.prefix, &extended, 0..database.rows(), first.stage.keep)?,
    };
    for_each_query(found, |index, mut found| {
        vectorised(
            #[inline(always)]
            || {
                let mut candidates = std::mem::take(&mut found.candidates);
                for pair in steps.windows(2) {
                    let turned: &Turned = turned(pair[1].stage.kind);
                    candidates = pair[1].narrow(&candidates, &pair[0], turned.row(index))?;
                }
                let mut judge = Judge::new(queries, index, k);
                judge.score(&candidates.iter().map(|candidate| candidate.row()).collect::<Vec<_>>())?;
                Ok(judge.finish())
            },
        )
    })
}

struct Step<'d> {
    stage: Stage,
    prefix: Prefix<'d>,
}

impl Step<'_> {
    /// The best of the candidates that `previous` left, by this stage's prefix. In the same space, products go on from those
    /// of the shorter one.
    #[inline(always)]
    fn narrow(
        &self,
        candidates: &[Candidate],
        previous: &Self,
        query: &[f32],
    ) -> Result<Vec<Candidate>, Error> {
        let from = if previous.stage.kind == self.stage.kind { previous.stage.dim } else { 0 };
        let mut narrowed = Vec::with_capacity(candidates.len());
        for candidate in candidates {
            let row = candidate.row();
            let rows = self.prefix.row(row);
            rows.check_from(from)?;
            let known = if from > 0 { previous.prefix.row(row).undivided(candidate.score())? } else { 0.0 };
            narrowed.push(Candidate::new(rows.go_on(known, from, query), row));
        }
        keep_best(&mut narrowed, self.stage.keep);
        Ok(narrowed)
    }
}
