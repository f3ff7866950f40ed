//! What the server is told: the tables, the index of a prefix, and the one statement of a search.

use std::fmt::Write;

use super::{Ann, TableName};
use crate::{IdKind, Metric, Schedule};

/// The default of pgvector for how many rows a graph is searched for, and the most it can be told.
const EF_SEARCH: (usize, usize) = (40, 1000);

/// How many rows a scan of a graph visits at most, unless it is told.
const MAX_SCAN_TUPLES: usize = 20_000;

/// What rows are in SQL.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) metric: Metric,
    pub(super) width: usize,
    /// Of the index that was pushed.
    pub(super) rows: usize,
}

impl Shape {
    /// The first `dims` numbers of `vector`: an expression that must be the same in an index and in what searches it.
    fn prefix(self, vector: &str, dims: usize) -> String {
        if dims == self.width {
            return vector.to_owned();
        }
        format!("subvector({vector}, 1, {dims})::vector({dims})")
    }

    /// The distance of the query, `$1`, from `embedding` by the first `dims` numbers.
    fn distance(self, dims: usize) -> String {
        let (row, query) = (self.prefix("embedding", dims), self.prefix("$1::vector", dims));
        match self.metric {
            Metric::Cosine => format!("{row} <=> {query}"),
            Metric::Dot => format!("{row} <#> {query}"),
        }
    }

    /// As [`Shape::distance`], where a zero row has cosine 0. No index serves it.
    fn checked_distance(self, dims: usize) -> String {
        match self.metric {
            Metric::Cosine => format!("coalesce(nullif({}, 'NaN'), 1)", self.distance(dims)),
            Metric::Dot => self.distance(dims),
        }
    }

    /// The score of a row at `distance`.
    pub(super) fn score(self, distance: f64) -> f64 {
        match self.metric {
            Metric::Cosine => 1.0 - distance,
            Metric::Dot => -distance,
        }
    }

    /// Indexes the first `dims` numbers of `table`.
    pub(super) fn create_index(self, table: &TableName, ann: Ann, dims: usize) -> Option<String> {
        let (method, with) = match ann {
            Ann::None => return None,
            Ann::Hnsw => ("hnsw", String::new()),
            Ann::Ivfflat => ("ivfflat", format!(" WITH (lists = {})", self.lists())),
        };
        let operators = match self.metric {
            Metric::Cosine => "vector_cosine_ops",
            Metric::Dot => "vector_ip_ops",
        };
        let (name, prefix) = (table.index(dims, method), self.prefix("embedding", dims));
        Some(format!(
            "CREATE INDEX IF NOT EXISTS {name} ON {table} USING {method} (({prefix}) {operators}){with}"
        ))
    }

    /// As pgvector's manual advises.
    fn lists(self) -> usize {
        if self.rows <= 1_000_000 { (self.rows / 1000).max(1) } else { self.rows.isqrt() }
    }

    /// Finds the best `k` rows of `table` for `$1`: `id` and `distance`, from the best; `schedule` was checked.
    pub(super) fn search(self, table: &TableName, k: usize, schedule: &Schedule) -> String {
        let mut sql = String::new();
        let mut from = table.to_string();
        for (index, stage) in schedule.stages().iter().enumerate() {
            let (start, name) = (if index == 0 { "WITH" } else { "," }, format!("shortlist{}", index + 1));
            // Only the plain distance is served by an index.
            let distance =
                if index == 0 { self.distance(stage.dim) } else { self.checked_distance(stage.dim) };
            let _ = write!(
                sql,
                "{start} {name} AS MATERIALIZED (SELECT id, embedding FROM {from} ORDER BY {distance} LIMIT {}) ",
                stage.keep
            );
            from = name;
        }
        let distance = self.checked_distance(schedule.rank().unwrap_or(self.width));
        sql + &format!("SELECT id, {distance} AS distance FROM {from} ORDER BY distance, id LIMIT {k}")
    }

    /// What holds while such a search runs.
    pub(super) fn settings(self, schedule: &Schedule) -> String {
        let Some(first) = schedule.stages().first() else {
            // All rows are to be ranked, and an index gives the nearest only nearly.
            return "SET LOCAL enable_indexscan = off".to_owned();
        };
        let keep = first.keep.get();
        let (ef, tuples) =
            (keep.clamp(EF_SEARCH.0, EF_SEARCH.1), keep.saturating_mul(4).max(MAX_SCAN_TUPLES));
        let (tuples, probes) = (tuples.min(i32::MAX as usize), self.lists().isqrt().max(1));
        format!(
            "SET LOCAL hnsw.ef_search = {ef}; SET LOCAL hnsw.iterative_scan = relaxed_order; \
             SET LOCAL hnsw.max_scan_tuples = {tuples}; \
             SET LOCAL ivfflat.probes = {probes}; SET LOCAL ivfflat.iterative_scan = relaxed_order"
        )
    }

    /// Names and types of the columns.
    pub(super) fn columns(self, ids: IdKind, labels: bool) -> Vec<(&'static str, String)> {
        let id = match ids {
            IdKind::Numbers => "bigint",
            IdKind::Names => "text",
        };
        let label = labels.then(|| ("label", "bigint".to_owned()));
        let vector = ("embedding", format!("vector({})", self.width));
        std::iter::once(("id", id.to_owned())).chain(label).chain([vector]).collect()
    }
}

/// Makes a table of these columns, unless it is there.
pub(super) fn create_table(table: &TableName, columns: &[(&str, String)]) -> String {
    let column = |(name, kind): &(&str, String)| match *name {
        "id" => format!("id {kind} PRIMARY KEY"),
        name => format!("{name} {kind} NOT NULL"),
    };
    let columns: Vec<String> = columns.iter().map(column).collect();
    format!("CREATE TABLE IF NOT EXISTS {table} ({})", columns.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: Shape = Shape { metric: Metric::Cosine, width: 512, rows: 50_000 };

    fn table() -> TableName {
        "rows".parse().unwrap()
    }

    #[test]
    fn a_search_is_one_statement() {
        assert_eq!(
            SHAPE.search(&table(), 10, &"64:200,512".parse().unwrap()),
            "WITH shortlist1 AS MATERIALIZED (SELECT id, embedding FROM \"rows\" \
             ORDER BY subvector(embedding, 1, 64)::vector(64) <=> subvector($1::vector, 1, 64)::vector(64) LIMIT 200) \
             SELECT id, coalesce(nullif(embedding <=> $1::vector, 'NaN'), 1) AS distance FROM shortlist1 \
             ORDER BY distance, id LIMIT 10"
        );
        let dot = Shape { metric: Metric::Dot, ..SHAPE };
        assert_eq!(
            dot.search(&table(), 3, &Schedule::exact()),
            "SELECT id, embedding <#> $1::vector AS distance FROM \"rows\" ORDER BY distance, id LIMIT 3"
        );
    }

    #[test]
    fn an_index_is_of_the_expression_that_searches_use() {
        let index = SHAPE.create_index(&table(), Ann::Hnsw, 64).unwrap();
        assert_eq!(
            index,
            "CREATE INDEX IF NOT EXISTS \"rows_64_hnsw\" ON \"rows\" USING hnsw \
             ((subvector(embedding, 1, 64)::vector(64)) vector_cosine_ops)"
        );
        let dot = Shape { metric: Metric::Dot, ..SHAPE };
        let index = dot.create_index(&table(), Ann::Ivfflat, 512).unwrap();
        assert!(index.ends_with("USING ivfflat ((embedding) vector_ip_ops) WITH (lists = 50)"), "{index}");
        assert_eq!(SHAPE.create_index(&table(), Ann::None, 64), None);
    }

    #[test]
    fn a_graph_is_searched_for_as_many_rows_as_are_kept() {
        for (schedule, ef) in [("64:10", 40), ("64:200,512", 200), ("64:5000,128:9", 1000)] {
            let settings = SHAPE.settings(&schedule.parse().unwrap());
            assert!(settings.contains(&format!("hnsw.ef_search = {ef};")), "{settings}");
        }
        assert_eq!(SHAPE.settings(&Schedule::exact()), "SET LOCAL enable_indexscan = off");
    }
}
