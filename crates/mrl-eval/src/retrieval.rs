use std::collections::HashMap;

use crate::{
    bootstrap::Resamples,
    knn::{Among, Neighbours},
    measures::RetrievalAt,
};

/// Queries, what they search in, and what counts as found.
pub(crate) struct Retrieval<'a> {
    /// `[queries]`.
    queries: &'a [i64],
    /// `[database]`.
    database: &'a [i64],
    /// Rows that each query could find, `[queries]`.
    relevant: Vec<usize>,
}

impl<'a> Retrieval<'a> {
    pub(crate) fn new(queries: &'a [i64], database: &'a [i64], among: Among) -> Self {
        let mut counts: HashMap<i64, usize> = HashMap::new();
        for &label in database {
            *counts.entry(label).or_default() += 1;
        }
        let relevant =
            queries.iter().map(|label| among.of(counts.get(label).copied().unwrap_or_default())).collect();
        Self { queries, database, relevant }
    }

    /// Scores of lists of `k` hits.
    pub(crate) fn at(&self, k: usize, neighbours: &Neighbours, resamples: &Resamples) -> RetrievalAt {
        let counted: Vec<bool> = self.relevant.iter().map(|&relevant| relevant > 0).collect();
        let n = counted.iter().filter(|&&counted| counted).count();
        let [mut map, mut precision, mut recall] = [0.0; 3];
        let mut average_precisions = vec![0.0; self.queries.len()];
        for (index, &label) in self.queries.iter().enumerate().filter(|&(index, _)| counted[index]) {
            let hits: Vec<bool> =
                neighbours.of(index).iter().take(k).map(|hit| self.database[hit.row] == label).collect();
            let found = hits.iter().filter(|&&hit| hit).count() as f64;
            let average_precision = average_precision(&hits, k.min(self.relevant[index]));
            average_precisions[index] = average_precision as f32;
            map += average_precision;
            precision += found / k as f64;
            recall += found / self.relevant[index] as f64;
        }
        // At the end, so that a mean of ones is one.
        let [map, precision, recall] = [map, precision, recall].map(|sum| (n > 0).then(|| sum / n as f64));
        let map_interval = resamples.interval(&average_precisions, &counted);
        RetrievalAt { k, map, map_interval, precision, recall }
    }
}

/// Precision at each relevant hit, summed, over the most relevant hits that the list could hold.
fn average_precision(hits: &[bool], most: usize) -> f64 {
    let mut found = 0;
    let mut sum = 0.0;
    for (position, _) in hits.iter().enumerate().filter(|&(_, &hit)| hit) {
        found += 1;
        sum += f64::from(found) / (position + 1) as f64;
    }
    sum / most as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::Rows;

    #[test]
    fn scores_of_two_queries_by_hand() {
        // Along the circle from the first query: labels 1, 0, 1, 1.
        let angle = |degrees: f32| [degrees.to_radians().cos(), degrees.to_radians().sin()];
        let database = [10.0, 20.0, 30.0, 40.0].map(angle).concat();
        let queries = [angle(0.0), angle(21.0)].concat();
        let neighbours =
            &Neighbours::search(Rows::new(&database, 2), Rows::new(&queries, 2), &[2], 3, Among::All)[0];
        let retrieval = Retrieval::new(&[1, 0], &[1, 0, 1, 1], Among::All);
        let at = retrieval.at(3, neighbours, &Resamples::draw(2, 0, 0));
        // Query 0 finds 1, 0, 1 of three relevant rows: (1 + 2/3) / 3. Query 1 finds its only one first.
        assert!((at.map.unwrap() - 7.0 / 9.0).abs() < 1e-9, "{at:?}");
        assert!((at.precision.unwrap() - 0.5).abs() < 1e-9);
        assert!((at.recall.unwrap() - 5.0 / 6.0).abs() < 1e-9);
        assert_eq!(at.map_interval, None, "no resamples, no interval");
    }

    #[test]
    fn a_query_without_relevant_rows_is_left_out() {
        let rows = [1.0, 0.0, 0.9, 0.1, 0.0, 1.0];
        let neighbours =
            &Neighbours::search(Rows::new(&rows, 2), Rows::new(&rows, 2), &[2], 2, Among::Others)[0];
        let labels = [4, 4, 9];
        let at = Retrieval::new(&labels, &labels, Among::Others).at(1, neighbours, &Resamples::draw(3, 9, 0));
        assert_eq!((at.map, at.precision, at.recall), (Some(1.0), Some(1.0), Some(1.0)));
        assert_eq!(at.map_interval, Some([1.0, 1.0]));
        let labels = [4, 5, 9];
        let at = Retrieval::new(&labels, &labels, Among::Others).at(1, neighbours, &Resamples::draw(3, 9, 0));
        let nothing = RetrievalAt { k: 1, map: None, map_interval: None, precision: None, recall: None };
        assert_eq!(at, nothing, "where there is nothing to find, nothing was measured");
    }
}
