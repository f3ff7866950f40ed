//! Whether hits have the label of their query.

use std::collections::HashMap;

use mrl_embedding::EmbeddingSet;

use super::QUERIES;
use crate::{Error, Index};

/// What labels say is to be found.
pub(super) struct Relevance<'s> {
    index: &'s Index,
    /// Of the queries, `[n]`.
    labels: Vec<i64>,
    /// Rows that each query could find, `[n]`.
    relevant: Vec<usize>,
}

impl<'s> Relevance<'s> {
    /// Of the queries that are measured with: some of `queries`, or the rows `own` of `index`. None where one side has no labels.
    pub(super) fn new(
        index: Option<&'s Index>,
        queries: Option<&EmbeddingSet>,
        own: Option<&[usize]>,
    ) -> Result<Option<Self>, Error> {
        let Some(index) = index else { return Ok(None) };
        let labels = match (queries, own) {
            (Some(queries), _) => queries.labels().map(|labels| sample(labels, QUERIES)),
            (None, Some(own)) => {
                own.iter().map(|&row| index.label(row)).collect::<Result<Option<Vec<_>>, _>>()?
            }
            (None, None) => None,
        };
        let Some(labels) = labels else { return Ok(None) };
        let counts = count(index, &labels)?;
        // A query that is a row is not to be found by itself.
        let relevant = labels.iter().map(|label| counts[label] - usize::from(own.is_some())).collect();
        Ok(Some(Self { index, labels, relevant }))
    }

    /// The mean average precision of the rows `found` for each query, at most `k`; none where no query could find any.
    pub(super) fn map(&self, found: &[Vec<usize>], k: usize) -> Result<Option<f64>, Error> {
        let (mut sum, mut queries) = (0.0, 0usize);
        for ((&label, &relevant), found) in self.labels.iter().zip(&self.relevant).zip(found) {
            if relevant > 0 {
                let same = |&row: &usize| Ok(self.index.label(row)? == Some(label));
                let hits = found.iter().map(same).collect::<Result<Vec<bool>, Error>>()?;
                sum += average_precision(&hits, k.min(relevant));
                queries += 1;
            }
        }
        Ok((queries > 0).then(|| sum / queries as f64))
    }
}

/// Precision at each relevant hit, summed, over the most relevant hits that there could be.
fn average_precision(hits: &[bool], most: usize) -> f64 {
    let relevant = hits.iter().enumerate().filter(|&(_, &hit)| hit);
    let precisions =
        relevant.enumerate().map(|(before, (place, _))| (before + 1) as f64 / (place + 1) as f64);
    precisions.sum::<f64>() / most as f64
}

/// Rows that can be found, by label, for each of `labels`.
fn count(index: &Index, labels: &[i64]) -> Result<HashMap<i64, usize>, Error> {
    let mut counts: HashMap<i64, usize> = labels.iter().map(|&label| (label, 0)).collect();
    for position in 0..index.positions() {
        let label = index.label(position)?;
        if let Some(count) = label.and_then(|label| counts.get_mut(&label))
            && !index.is_removed(position)?
        {
            *count += 1;
        }
    }
    Ok(counts)
}

/// At most `most`, evenly spaced, as [`Queries::sample`](super::Queries::sample) takes queries.
fn sample(labels: &[i64], most: usize) -> Vec<i64> {
    labels.iter().step_by(labels.len().div_ceil(most).max(1)).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn average_precision_by_hand() {
        assert_eq!(average_precision(&[true, true], 2), 1.0);
        assert_eq!(average_precision(&[false, false], 1), 0.0);
        // (1 + 2 / 3) / 3.
        assert!((average_precision(&[true, false, true], 3) - 5.0 / 9.0).abs() < 1e-15);
        assert_eq!(average_precision(&[false, true], 1), 0.5);
    }
}
