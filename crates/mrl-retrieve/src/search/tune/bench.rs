//! How fast schedules are on this machine.

use std::{num::NonZeroUsize, time::Instant};

use mrl_embedding::EmbeddingSet;
use serde::Serialize;

use super::{DURATION, Searcher, Trial, Workload};
use crate::{Error, Schedule};

/// How schedules are timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BenchOptions {
    /// Rows that a search is to find.
    pub k: usize,
    /// Rounds. In each, every schedule has its turn, so that what else the machine does slows all of them down.
    pub repeats: NonZeroUsize,
}

impl Default for BenchOptions {
    /// 10 rows, 5 rounds.
    fn default() -> Self {
        Self { k: 10, repeats: const { NonZeroUsize::new(5).unwrap() } }
    }
}

/// How fast several schedules are, and what they find.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Bench {
    /// Rows that a search was to find.
    pub k: usize,
    /// Rounds.
    pub repeats: usize,
    /// Queries that came at once.
    pub batch_queries: usize,
    /// Queries that came one after the other.
    pub single_queries: usize,
    /// In the order in which they were given.
    pub schedules: Vec<Benchmark>,
}

/// How fast a schedule is, and what it finds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Benchmark {
    /// The schedule.
    pub schedule: Schedule,
    /// How many of the true best rows it finds on average, from 0 to 1.
    pub recall: f64,
    /// Where queries come one after the other.
    pub single: Pace,
    /// Where queries come at once.
    pub batch: Pace,
}

/// Seconds for a query, on all threads.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Pace {
    /// The median of all rounds.
    pub query_s: f64,
    /// That of the fastest round.
    pub fastest_s: f64,
    /// That of the slowest round.
    pub slowest_s: f64,
}

impl Searcher<'_> {
    /// Times each of `schedules` with `queries` `[n, width]`, at most 500 of them, evenly spaced, or with some rows of the index, none
    /// of which may find itself. `progress` is told how many of all timings are done.
    ///
    /// # Errors
    /// When the index has fewer than two rows, or those of [`Searcher::search`].
    pub fn bench(
        &self,
        queries: Option<&EmbeddingSet>,
        schedules: &[Schedule],
        options: &BenchOptions,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Bench, Error> {
        let trial = Trial::new(self, queries, options.k)?;
        // This also reads what the searches need, before they are timed.
        let recalls = schedules.iter().map(|schedule| Ok(trial.recall(&trial.found(schedule)?).mean()));
        let recalls: Vec<f64> = recalls.collect::<Result<_, Error>>()?;
        let repeats = options.repeats.get();
        let workloads = [Workload::Single, Workload::Batch];
        let mut times = vec![[Vec::new(), Vec::new()]; schedules.len()];
        let (mut done, all) = (0, repeats * workloads.len() * schedules.len());
        for _ in 0..repeats {
            for (place, workload) in workloads.into_iter().enumerate() {
                for (schedule, times) in schedules.iter().zip(&mut times) {
                    times[place].push(trial.mean(schedule, workload)?);
                    done += 1;
                    progress(done, all);
                }
            }
        }
        let benchmark = |((schedule, recall), [single, batch]): ((&Schedule, f64), [Vec<f64>; 2])| {
            Benchmark { schedule: schedule.clone(), recall, single: Pace::of(single), batch: Pace::of(batch) }
        };
        Ok(Bench {
            k: options.k,
            repeats,
            batch_queries: trial.len(Workload::Batch),
            single_queries: trial.len(Workload::Single),
            schedules: schedules.iter().zip(recalls).zip(times).map(benchmark).collect(),
        })
    }
}

impl Trial<'_> {
    /// For a query, the mean of as many passes as take long enough to be timed, in seconds.
    fn mean(&self, schedule: &Schedule, workload: Workload) -> Result<f64, Error> {
        let (start, mut sum, mut passes) = (Instant::now(), 0.0, 0.0);
        while passes == 0.0 || start.elapsed() < DURATION {
            sum += self.pass(schedule, workload)?.as_secs_f64();
            passes += 1.0;
        }
        Ok(sum / passes)
    }
}

impl Pace {
    /// Of at least one round.
    fn of(mut times: Vec<f64>) -> Self {
        times.sort_by(f64::total_cmp);
        let (last, middle) = (times.len() - 1, times.len() / 2);
        let query_s = f64::midpoint(times[middle], times[last - middle]);
        Self { query_s, fastest_s: times[0], slowest_s: times[last] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_round_counts() {
        let pace = |times: &[f64]| Pace::of(times.to_vec());
        assert_eq!(pace(&[3.0, 1.0, 8.0]), Pace { query_s: 3.0, fastest_s: 1.0, slowest_s: 8.0 });
        assert_eq!(pace(&[4.0, 1.0, 2.0, 9.0]).query_s, 3.0);
        assert_eq!(pace(&[2.0]), Pace { query_s: 2.0, fastest_s: 2.0, slowest_s: 2.0 });
    }
}
