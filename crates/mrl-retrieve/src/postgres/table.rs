use mrl_embedding::Metadata;
use pgvector::Vector;
use postgres::types::Type;

use super::{PostgresError, TableName, pushes::Push, server::Session};
use crate::{Error, Id, Schedule, search::check_queries};

/// A table that an index was pushed to.
pub struct PostgresTable {
    session: Session,
    name: TableName,
    push: Push,
}

/// The best rows for each of several queries, a list for each, from the best.
#[derive(Clone, Debug, PartialEq)]
pub struct PostgresHits {
    /// What the rows are called.
    pub ids: Vec<Vec<Id>>,
    /// Cosines or dot products, as pgvector computes them: about six digits are right.
    pub scores: Vec<Vec<f64>>,
}

impl PostgresTable {
    pub(super) fn open(mut session: Session, name: &TableName) -> Result<Self, PostgresError> {
        session.require_vector(false)?;
        let sql = "SELECT to_regclass($1) IS NOT NULL, to_regclass($2) IS NOT NULL";
        let there = session.client.query_one(sql, &[&name.to_string(), &name.pushes().to_string()]);
        let there = there.map_err(session.failed())?;
        if !there.get::<_, bool>(0) {
            return Err(PostgresError::NoTable { server: session.server(), table: name.to_string() });
        }
        let not_pushed = || PostgresError::NotPushed(name.to_string());
        if !there.get::<_, bool>(1) {
            return Err(not_pushed());
        }
        let push = Push::read(&mut session, name)?.ok_or_else(not_pushed)?;
        push.check_finished(name)?;
        Ok(Self { session, name: name.clone(), push })
    }

    /// Numbers in a row.
    #[must_use]
    pub fn width(&self) -> usize {
        self.push.shape().width
    }

    /// What is known of the encoder.
    #[must_use]
    pub fn metadata(&self) -> &Metadata {
        &self.push.about.metadata
    }

    /// What searches follow that name no other, where the index had one that means the same here.
    #[must_use]
    pub fn schedule(&self) -> Option<&Schedule> {
        self.push.about.schedule.as_ref()
    }

    /// The best `k` rows, or all if there are fewer, for each of `queries` `[n, width]`; a statement for each.
    ///
    /// Stages are by the trained prefixes, marked `t` or not. The first one uses the index of its prefix, if there is one, and
    /// then finds nearly all of the rows that it should keep; without stages all rows are ranked. Of equal scores, the smaller
    /// id comes first.
    ///
    /// # Errors
    /// When queries, `k` or `schedule` are not usable, or the server goes away.
    pub fn search(
        &mut self,
        queries: &[f32],
        k: usize,
        schedule: &Schedule,
    ) -> Result<PostgresHits, PostgresError> {
        let shape = self.push.shape();
        self.check(queries, k, schedule)?;
        let failed = self.session.failed();
        let mut transaction = self.session.client.transaction().map_err(&failed)?;
        transaction.batch_execute(&shape.settings(schedule)).map_err(&failed)?;
        let statement = transaction.prepare(&shape.search(&self.name, k, schedule)).map_err(&failed)?;
        let numbers = *statement.columns()[0].type_() == Type::INT8;
        let mut hits = PostgresHits { ids: Vec::new(), scores: Vec::new() };
        for query in queries.chunks_exact(shape.width) {
            let rows = transaction.query(&statement, &[&Vector::from(query.to_vec())]).map_err(&failed)?;
            let id = |row: &postgres::Row| {
                if numbers { Id::Number(row.get::<_, i64>(0) as u64) } else { Id::Name(row.get(0)) }
            };
            hits.ids.push(rows.iter().map(id).collect());
            hits.scores.push(rows.iter().map(|row| shape.score(row.get(1))).collect());
        }
        transaction.commit().map_err(&failed)?;
        Ok(hits)
    }

    /// How the server would search for `query` `[width]`: the text of its EXPLAIN.
    ///
    /// # Errors
    /// As those of [`PostgresTable::search`].
    pub fn explain(&mut self, query: &[f32], k: usize, schedule: &Schedule) -> Result<String, PostgresError> {
        let shape = self.push.shape();
        self.check(query, k, schedule)?;
        let failed = self.session.failed();
        let mut transaction = self.session.client.transaction().map_err(&failed)?;
        transaction.batch_execute(&shape.settings(schedule)).map_err(&failed)?;
        let sql = format!("EXPLAIN (VERBOSE, COSTS OFF) {}", shape.search(&self.name, k, schedule));
        let lines = transaction.query(&sql, &[&Vector::from(query.to_vec())]).map_err(&failed)?;
        let lines: Vec<String> = lines.iter().map(|line| line.get(0)).collect();
        Ok(lines.join("\n"))
    }

    fn check(&self, queries: &[f32], k: usize, schedule: &Schedule) -> Result<(), Error> {
        let (dims, metric) = (&self.push.about.dims, self.push.about.metric);
        // The server may have a graph of its own on any prefix.
        let rank = schedule.check(k, dims, schedule.graph())?;
        check_queries(queries, self.width(), rank, metric).map(drop)
    }
}
