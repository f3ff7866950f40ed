use mrl_linalg::vectorised;
use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::{DEGREE, END, Frame, Graph, Levels, Query, Visited, frame::fit, starts, walk};
use crate::{
    Error,
    quantise::{Dtype, Numbers, encode},
    search::Candidate,
    space::Guard,
};

/// Rows that a walk for a new row's neighbours keeps in sight.
const BREADTH: usize = 96;

/// Rows that a new row leads to, at most. Others that come later may add themselves.
const OWN: usize = 20;

/// A row is left out if another that is kept is so many times nearer to it, by squared distance: `DiskANN`'s alpha.
const ALPHA: f32 = 1.2;

/// The share of rows that are inserted at a time, at most; they do not see each other.
const BATCH: usize = 50;

/// A graph in memory.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct BuiltGraph {
    /// `[2, dim]`.
    pub(super) frame: Vec<f32>,
    pub(super) levels: Vec<i8>,
    pub(super) scales: Vec<f32>,
    pub(super) links: Vec<[u32; DEGREE]>,
}

impl Guard for () {
    fn check(&self, _: std::ops::Range<usize>) -> Result<(), Error> {
        Ok(())
    }
}

impl BuiltGraph {
    /// Of `values` `[rows, dim]`.
    pub(crate) fn build(mut values: Vec<f32>, dim: usize) -> Result<Self, Error> {
        let frame = fit(&values, dim);
        values.chunks_exact_mut(dim).for_each(|row| Frame::new(&frame).place(row));
        let Numbers::Int8 { levels, scales } = encode(&values, dim, Dtype::Int8).numbers else {
            unreachable!("encoded in 8 bits")
        };
        let links = vec![[END; DEGREE]; scales.len()];
        let mut graph = Self { frame, levels, scales, links };
        graph.connect()?;
        Ok(graph)
    }

    pub(crate) fn view(&self) -> Graph<'_> {
        let levels = Levels::new(Frame::new(&self.frame), &self.levels, &self.scales);
        Graph { levels, links: &self.links, guard: &(), frame_guard: &() }
    }

    fn connect(&mut self) -> Result<(), Error> {
        let rows = self.links.len();
        let order = order(rows);
        let weights = Frame::new(&self.frame).weights();
        let squares: Vec<f32> = {
            let levels = self.view().levels;
            let square = |query: &mut Query, row: usize| {
                levels.query_of(row, &weights, query);
                levels.product(query, row)
            };
            (0..rows).into_par_iter().map_init(Query::default, square).collect()
        };
        let mut place = vec![u32::MAX; rows];
        order.iter().zip(0..).for_each(|(&row, index)| place[row as usize] = index);
        let mut done = 1;
        while done < rows {
            let batch = &order[done..rows.min(done + done.min((rows / BATCH).max(1)))];
            let near = Near { graph: self.view(), weights: &weights, squares: &squares };
            let insert = |visited: &mut Visited, &row: &u32| {
                vectorised(
                    #[inline(always)]
                    || near.links_of_new(row as usize, visited, |start| (place[start] as usize) < done),
                )
            };
            let links: Vec<Vec<u32>> = batch
                .par_iter()
                .with_min_len(16)
                .map_init(Visited::default, insert)
                .collect::<Result<_, _>>()?;
            let mut back: Vec<(u32, u32)> = batch
                .iter()
                .zip(&links)
                .flat_map(|(&row, links)| links.iter().map(move |&to| (to, row)))
                .collect();
            back.par_sort_unstable();
            for (&row, links) in batch.iter().zip(&links) {
                set(&mut self.links[row as usize], links);
            }
            self.link_back(&back, &weights, &squares);
            done += batch.len();
        }
        Ok(())
    }

    /// Lets rows lead to those that lead to them: `back` holds both, sorted.
    fn link_back(&mut self, back: &[(u32, u32)], weights: &[f32], squares: &[f32]) {
        let near = Near { graph: self.view(), weights, squares };
        let groups: Vec<&[(u32, u32)]> = back.chunk_by(|a, b| a.0 == b.0).collect();
        let links = |group: &&[(u32, u32)]| {
            vectorised(
                #[inline(always)]
                || near.links_with(group[0].0 as usize, group.iter().map(|pair| pair.1)),
            )
        };
        let links: Vec<Vec<u32>> = groups.par_iter().with_min_len(64).map(links).collect();
        let rows: Vec<usize> = groups.iter().map(|group| group[0].0 as usize).collect();
        for (row, links) in rows.into_iter().zip(links) {
            set(&mut self.links[row], &links);
        }
    }
}

fn set(slots: &mut [u32; DEGREE], links: &[u32]) {
    slots[..links.len()].copy_from_slice(links);
    slots[links.len()..].fill(END);
}

/// Rows in the order in which they are inserted: starts first, so that walks have where to begin; the same for each graph of so many.
fn order(rows: usize) -> Vec<u32> {
    let mut random = ChaCha8Rng::seed_from_u64(0);
    let mut order: Vec<u32> = starts(rows).map(|row| row as u32).collect();
    let mut is_start = vec![false; rows];
    for &row in &order {
        is_start[row as usize] = true;
    }
    order.shuffle(&mut random);
    let mut others: Vec<u32> = (0..rows as u32).filter(|&row| !is_start[row as usize]).collect();
    others.shuffle(&mut random);
    order.extend(others);
    order
}

/// Rows by the distances between them.
struct Near<'a> {
    graph: Graph<'a>,
    /// Of the frame, `[dim]`.
    weights: &'a [f32],
    /// Of the norms, `[rows]`.
    squares: &'a [f32],
}

impl Near<'_> {
    /// The rows that `row` is to lead to, which no row leads to yet.
    #[inline(always)]
    fn links_of_new(
        &self,
        row: usize,
        visited: &mut Visited,
        may_start: impl Fn(usize) -> bool,
    ) -> Result<Vec<u32>, Error> {
        let mut query = Query::default();
        self.graph.levels.query_of(row, self.weights, &mut query);
        let mut met = Vec::new();
        let best = walk(
            &self.graph,
            BREADTH,
            visited,
            #[inline(always)]
            |other| self.nearness(&query, other),
            may_start,
            |candidate| met.push(candidate),
        )?;
        met.extend(best);
        met.sort_unstable_by(|a, b| b.cmp(a));
        met.dedup();
        Ok(self.prune(row, &met, OWN))
    }

    /// What the squared distance of `other` from the row of `query` lacks to the square of that row's norm.
    #[inline(always)]
    fn nearness(&self, query: &Query, other: usize) -> f32 {
        2.0 * self.graph.levels.product(query, other) - self.squares[other]
    }

    /// What `row` is to lead to when it may lead to `more`.
    #[inline(always)]
    fn links_with(&self, row: usize, more: impl Iterator<Item = u32>) -> Vec<u32> {
        let mut links: Vec<u32> = self.graph.links(row).map(|row| row as u32).collect();
        for other in more {
            if !links.contains(&other) {
                links.push(other);
            }
        }
        if links.len() <= DEGREE {
            return links;
        }
        let mut query = Query::default();
        self.graph.levels.query_of(row, self.weights, &mut query);
        let mut candidates = Vec::with_capacity(links.len());
        for other in links {
            let other = other as usize;
            candidates.push(Candidate::new(self.nearness(&query, other), other));
        }
        candidates.sort_unstable_by(|a, b| b.cmp(a));
        self.prune(row, &candidates, DEGREE)
    }

    /// At most `most` of `candidates`, from the nearest, so that none is much nearer to another than to `row`.
    #[inline(always)]
    fn prune(&self, row: usize, candidates: &[Candidate], most: usize) -> Vec<u32> {
        let (mut kept, mut keepers): (Vec<u32>, Vec<Query>) = (Vec::with_capacity(most), Vec::new());
        for candidate in candidates {
            let other = candidate.row();
            if other == row {
                continue;
            }
            let distance = self.squares[row] - candidate.score();
            let mut is_nearer = false;
            for (&keeper, query) in kept.iter().zip(&keepers) {
                let to_keeper = self.squares[keeper as usize] - self.nearness(query, other);
                is_nearer |= ALPHA * to_keeper < distance;
                if is_nearer {
                    break;
                }
            }
            if !is_nearer {
                kept.push(other as u32);
                if kept.len() == most {
                    break;
                }
                let mut query = Query::default();
                self.graph.levels.query_of(other, self.weights, &mut query);
                keepers.push(query);
            }
        }
        kept
    }
}
