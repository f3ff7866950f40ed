use mrl_embedding::EmbeddingSet;

use crate::{
    knn::{Among, Neighbours},
    rows::Rows,
};

/// Rows to search, and what to search for.
#[derive(Clone, Copy, Debug)]
pub struct Searched<'a> {
    /// `[n, d]`.
    pub database: &'a EmbeddingSet,
    /// `[queries, d]`.
    pub queries: &'a EmbeddingSet,
}

/// The share of the `k` nearest rows by all numbers of `whole` that are among the `k` nearest by the first numbers of `shortened`, for
/// each of `dims`, which increase. Both hold the same rows in the same order; near is what has a large cosine, exactly.
///
/// # Panics
/// When the two hold different numbers of rows, or `dims` is empty, does not increase, or exceeds the width.
#[must_use]
pub fn neighbours_kept(whole: Searched<'_>, shortened: Searched<'_>, dims: &[usize], k: usize) -> Vec<f64> {
    let rows = |searched: Searched<'_>| (searched.database.len(), searched.queries.len());
    assert_eq!(rows(whole), rows(shortened), "rows and queries of the two");
    assert!(!dims.is_empty() && dims.is_sorted_by(|a, b| a < b), "increasing dims");
    let search = |searched: Searched<'_>, dims: &[usize]| {
        Neighbours::search(Rows::of(searched.database), Rows::of(searched.queries), dims, k, Among::All)
    };
    let truth = search(whole, &[whole.database.width()]);
    let kept = |found: &Neighbours| {
        let of_query = |query: usize| {
            let is_found = |row: usize| found.of(query).iter().any(|neighbour| neighbour.row == row);
            truth[0].of(query).iter().filter(|neighbour| is_found(neighbour.row)).count()
        };
        let queries = whole.queries.len();
        (0..queries).map(of_query).sum::<usize>() as f64 / (queries * truth[0].k()).max(1) as f64
    };
    search(shortened, dims).iter().map(kept).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(rows: &[[f32; 3]]) -> EmbeddingSet {
        EmbeddingSet::new(rows.concat(), 3).unwrap()
    }

    #[test]
    fn what_prefixes_keep_is_counted() {
        let database = set(&[[1.0, 0.0, 0.1], [1.0, 0.0, 5.0], [0.0, 1.0, 0.0], [-1.0, 0.5, 0.0]]);
        let queries = set(&[[1.0, 0.0, 0.0], [0.1, 1.0, 0.0]]);
        let whole = Searched { database: &database, queries: &queries };
        // By all numbers the nearest two are 0, 2 (cosine 0) or 1 (0.196): 0 and 1; and 2 and 3.
        let kept = neighbours_kept(whole, whole, &[1, 2, 3], 2);
        assert_eq!(kept[2], 1.0);
        assert_eq!(kept[1], 1.0);
        // By the first number alone, rows 0 and 1 are all that is near either query.
        assert_eq!(kept[0], 0.5);
    }
}
