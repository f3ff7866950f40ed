use super::{Graph, Query, starts};
use crate::{Error, search::Candidate, vector::prefetch};

/// Rows that walks have come by.
#[derive(Debug, Default)]
pub(crate) struct Visited {
    words: Vec<u64>,
    /// Words that are not zero.
    touched: Vec<u32>,
}

impl Visited {
    /// Rows that were come by since all were forgotten.
    pub(crate) fn count(&self) -> usize {
        self.touched.iter().map(|&word| self.words[word as usize].count_ones() as usize).sum()
    }

    /// Forgets all rows, and makes room for `rows`.
    fn clear(&mut self, rows: usize) {
        for word in self.touched.drain(..) {
            self.words[word as usize] = 0;
        }
        if self.words.len() * 64 < rows {
            self.words.resize(rows.div_ceil(64), 0);
        }
    }

    /// Whether `row` is new; from now on it is not.
    #[inline(always)]
    fn insert(&mut self, row: usize) -> bool {
        let word = &mut self.words[row / 64];
        if *word == 0 {
            self.touched.push((row / 64) as u32);
        }
        let bit = 1 << (row % 64);
        let is_new = *word & bit == 0;
        *word |= bit;
        is_new
    }
}

/// The best rows that a walk has met.
struct Beam {
    width: usize,
    /// From the best, and whether the walk has gone on from there.
    best: Vec<(Candidate, bool)>,
    /// The first from which it has not, or one before.
    next: usize,
}

impl Beam {
    fn new(width: usize) -> Self {
        Self { width, best: Vec::with_capacity(width + 1), next: 0 }
    }

    #[inline(always)]
    fn offer(&mut self, candidate: Candidate) {
        if self.best.len() == self.width && candidate <= self.best[self.width - 1].0 {
            return;
        }
        let place = self.best.partition_point(|(other, _)| *other > candidate);
        self.best.insert(place, (candidate, false));
        self.best.truncate(self.width);
        self.next = self.next.min(place);
    }

    /// The best from which the walk has not gone on yet.
    #[inline(always)]
    fn next(&mut self) -> Option<Candidate> {
        while let Some((candidate, is_done)) = self.best.get_mut(self.next) {
            self.next += 1;
            if !std::mem::replace(is_done, true) {
                return Some(*candidate);
            }
        }
        None
    }
}

/// Walks along `graph` towards rows of high `score`; the best `width` that it meets, from the best. `may_start` says at which of the
/// starts it may begin, `met` is told from where it goes on.
#[inline(always)]
pub(crate) fn walk(
    graph: &Graph<'_>,
    width: usize,
    visited: &mut Visited,
    score: impl Fn(usize) -> f32,
    may_start: impl Fn(usize) -> bool,
    mut met: impl FnMut(Candidate),
) -> Result<Vec<Candidate>, Error> {
    visited.clear(graph.rows());
    let mut beam = Beam::new(width);
    for row in starts(graph.rows()).filter(|&row| may_start(row)) {
        graph.check(row)?;
        if visited.insert(row) {
            beam.offer(Candidate::new(score(row), row));
        }
    }
    while let Some(from) = beam.next() {
        met(from);
        let links = graph.links(from.row());
        for row in links.clone() {
            graph.levels.prefetch(row);
        }
        for row in links {
            if visited.insert(row) {
                graph.check(row)?;
                beam.offer(Candidate::new(score(row), row));
            }
        }
        if let Some((next, false)) = beam.best.get(beam.next) {
            prefetch(&graph.links[next.row()]);
        }
    }
    Ok(beam.best.into_iter().map(|(candidate, _)| candidate).collect())
}

impl Graph<'_> {
    /// The best `width` rows that a walk towards `query` meets, from the best.
    #[inline(always)]
    pub(crate) fn nearest(
        &self,
        query: &Query,
        width: usize,
        visited: &mut Visited,
    ) -> Result<Vec<Candidate>, Error> {
        let mut best = walk(
            self,
            width,
            visited,
            #[inline(always)]
            |row| self.levels.product(query, row),
            |_| true,
            |_| (),
        )?;
        for candidate in &mut best {
            *candidate = Candidate::new(candidate.score() + query.lacking, candidate.row());
        }
        // What was rounded to the same score goes by the rows.
        best.sort_unstable_by(|a, b| b.cmp(a));
        Ok(best)
    }
}
