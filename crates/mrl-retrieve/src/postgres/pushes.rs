//! The table `mrl_pushes`: which index each table is a copy of, and how far its push has come.

use postgres::GenericClient;
use serde::{Deserialize, Serialize};

use mrl_embedding::Metadata;

use super::{PostgresError, TableName, server::Session, statement::Shape};
use crate::{By, Index, Metric, Schedule};

/// A line of the table.
#[derive(Clone, Debug)]
pub(super) struct Push {
    /// Tells the contents of the index from others.
    pub(super) fingerprint: String,
    /// Positions of the index whose rows are committed.
    pub(super) pushed: usize,
    /// Those there are.
    pub(super) positions: usize,
    pub(super) about: About,
}

/// What searches need to know of the index.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct About {
    /// Of the program that pushed it.
    version: String,
    pub(super) metric: Metric,
    /// The last is the width.
    pub(super) dims: Vec<usize>,
    pub(super) schedule: Option<Schedule>,
    pub(super) metadata: Metadata,
}

impl Push {
    /// That of all of `index`, before it begins.
    pub(super) fn new(index: &Index) -> Self {
        let about = About {
            version: crate::VERSION.to_owned(),
            metric: index.metric(),
            dims: index.dims().to_vec(),
            schedule: index.schedule().filter(|schedule| is_by_trained_prefixes(index, schedule)).cloned(),
            metadata: index.metadata(),
        };
        let fingerprint = format!("{:016x}", index.manifest().fingerprint());
        Self { fingerprint, pushed: 0, positions: index.positions(), about }
    }

    pub(super) fn shape(&self) -> Shape {
        let width = self.about.dims.last().copied().unwrap_or(0);
        Shape { metric: self.about.metric, width, rows: self.positions }
    }

    /// Makes the table of pushes beside `table`.
    pub(super) fn create(client: &mut impl GenericClient, table: &TableName) -> Result<(), postgres::Error> {
        // A regclass follows a table that gets another name.
        client.batch_execute(&format!(
            "CREATE TABLE IF NOT EXISTS {} (target regclass PRIMARY KEY, fingerprint text NOT NULL, \
             pushed bigint NOT NULL, positions bigint NOT NULL, about jsonb NOT NULL)",
            table.pushes()
        ))
    }

    /// What is known of `table`, which is there.
    pub(super) fn read(session: &mut Session, table: &TableName) -> Result<Option<Self>, PostgresError> {
        let sql = format!(
            "SELECT fingerprint, pushed, positions, about::text FROM {} WHERE target = $1::text::regclass",
            table.pushes()
        );
        let row = session.client.query_opt(&sql, &[&table.to_string()]).map_err(session.failed())?;
        let Some(row) = row else { return Ok(None) };
        let count = |column: usize| row.get::<_, i64>(column) as usize;
        let about = serde_json::from_str(row.get(3));
        let about = about.map_err(|_| PostgresError::OtherVersion(table.to_string()))?;
        Ok(Some(Self { fingerprint: row.get(0), pushed: count(1), positions: count(2), about }))
    }

    /// Writes it for the first time.
    pub(super) fn insert(
        &self,
        client: &mut impl GenericClient,
        table: &TableName,
    ) -> Result<(), postgres::Error> {
        let about = serde_json::to_string(&self.about).unwrap_or_default();
        let sql = format!(
            "INSERT INTO {} (target, fingerprint, pushed, positions, about) \
             VALUES ($1::text::regclass, $2, $3, $4, $5::text::jsonb)",
            table.pushes()
        );
        let (pushed, positions) = (self.pushed as i64, self.positions as i64);
        client.execute(&sql, &[&table.to_string(), &self.fingerprint, &pushed, &positions, &about])?;
        Ok(())
    }

    /// Writes anew what searches need to know: the index may have another schedule by now.
    pub(super) fn renew(
        &self,
        client: &mut impl GenericClient,
        table: &TableName,
    ) -> Result<(), postgres::Error> {
        let about = serde_json::to_string(&self.about).unwrap_or_default();
        let sql = format!(
            "UPDATE {} SET about = $2::text::jsonb WHERE target = $1::text::regclass",
            table.pushes()
        );
        client.execute(&sql, &[&table.to_string(), &about])?;
        Ok(())
    }

    /// Writes how far it has come.
    pub(super) fn advance(
        client: &mut impl GenericClient,
        table: &TableName,
        pushed: usize,
    ) -> Result<(), postgres::Error> {
        let sql = format!("UPDATE {} SET pushed = $2 WHERE target = $1::text::regclass", table.pushes());
        client.execute(&sql, &[&table.to_string(), &(pushed as i64)])?;
        Ok(())
    }

    /// Whether it has come to its end.
    pub(super) fn check_finished(&self, table: &TableName) -> Result<(), PostgresError> {
        if self.pushed == self.positions {
            return Ok(());
        }
        Err(PostgresError::Unfinished { table: table.to_string(), pushed: self.pushed, rows: self.positions })
    }
}

/// Whether `schedule` means the same where there is no shortlist but the trained prefixes, each of them a vector of its own. For the
/// dot product, a part of a row that is not turned is that prefix, be it in fewer bits.
fn is_by_trained_prefixes(index: &Index, schedule: &Schedule) -> bool {
    let info = index.info();
    info.shortlist_dtype.is_none()
        || (info.metric == Metric::Dot && !info.rotated)
        || schedule.stages().iter().all(|stage| stage.by == By::TrainedPrefix)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BuildOptions, Dtype, Rotate, tests::set};

    #[test]
    fn a_schedule_goes_where_it_means_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("index");
        for (metric, rotate, shortlist_dtype, goes) in [
            (Metric::Cosine, Rotate::None, Dtype::F32, true),
            (Metric::Cosine, Rotate::None, Dtype::Int8, false),
            (Metric::Cosine, Rotate::Pca, Dtype::F32, false),
            (Metric::Dot, Rotate::None, Dtype::Int8, true),
            (Metric::Dot, Rotate::Pca, Dtype::Int8, false),
        ] {
            let options = BuildOptions { metric, rotate, shortlist_dtype, dims: vec![4], graph: None };
            let index = options.build(&set(30, 8, 1), &path).unwrap();
            for (schedule, expected) in [("4:20", goes), ("t4:20", true), ("exact", true)] {
                let schedule: Schedule = schedule.parse().unwrap();
                assert_eq!(is_by_trained_prefixes(&index, &schedule), expected, "{options:?} {schedule}");
            }
        }
    }
}
