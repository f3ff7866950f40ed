//! Copying an index to a table.

use std::ops::Range;

use pgvector::Vector;
use postgres::{
    binary_copy::BinaryCopyInWriter,
    types::{ToSql, Type},
};
use strum::{Display, EnumString, VariantNames};

use super::{PostgresError, TableName, pushes::Push, server::Session, statement};
use crate::{Error, Id, Index};

/// Dims that pgvector stores of a vector.
const MOST_STORED: usize = 16_000;

/// Dims that an index of pgvector takes.
const MOST_INDEXED: usize = 2000;

/// Prefixes up to this length are short enough to shortlist by where nothing else is known.
const USUAL_PREFIX: usize = 64;

/// Bytes of vectors that are committed together.
const BATCH: usize = 16 << 20;

/// What locks of pushes have in common.
const LOCK: i32 = 0x006d_726c;

/// How the prefix is indexed on the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Display, EnumString, VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum Ann {
    /// A graph: slow to build, quick to search, finds nearly all.
    #[default]
    Hnsw,
    /// Lists of near rows: quick to build, and finds fewer.
    Ivfflat,
    /// No index: every search reads all rows.
    None,
}

/// How to copy an index to a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PushOptions {
    /// The prefix that shortlists; it must be one of the index's. Without it, that of the index's schedule where this means the same in
    /// a table, or else the longest up to 64.
    pub prefix: Option<usize>,
    /// How it is indexed.
    pub ann: Ann,
    /// Rows that are committed together. Without it, those of 16 MiB.
    pub batch: Option<usize>,
}

/// What a push has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// Rows in the table.
    pub rows: usize,
    /// Rows that came by this push, not by an earlier one that was cut.
    pub new: usize,
    /// The prefix that shortlists.
    pub prefix: usize,
}

pub(super) fn push(
    connect: impl FnOnce() -> Result<Session, PostgresError>,
    index: &Index,
    name: &TableName,
    options: &PushOptions,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Pushed, PostgresError> {
    let prefix = prefix(index, options)?;
    let mut target = Target { session: connect()?, name, index };
    target.session.require_vector(true)?;
    target.prepare()?;
    target.lock()?;
    let push = target.resume()?;
    let new = target.load(&push, options.batch, progress)?;
    let indexed = match push.shape().create_index(name, options.ann, prefix) {
        Some(sql) => target.build(&sql)?,
        None => false,
    };
    if new > 0 || indexed {
        target.run(&format!("ANALYZE {name}"))?;
    }
    Ok(Pushed { rows: index.len(), new, prefix })
}

/// The prefix that shortlists.
fn prefix(index: &Index, options: &PushOptions) -> Result<usize, PostgresError> {
    let (dims, width) = (index.dims(), index.width());
    if width > MOST_STORED {
        let cure = "embed with fewer";
        return Err(PostgresError::TooWide { what: "stores", most: MOST_STORED, dims: width, cure });
    }
    let schedule = Push::new(index).about.schedule;
    let planned = || schedule.as_ref().and_then(|schedule| schedule.stages().first()).map(|stage| stage.dim);
    let usual = || dims.iter().copied().rfind(|&dim| dim <= USUAL_PREFIX).unwrap_or(dims[0]);
    let prefix = options.prefix.or_else(planned).unwrap_or_else(usual);
    if !dims.contains(&prefix) {
        return Err(Error::NoDim { dim: prefix, dims: dims.to_vec() }.into());
    }
    if prefix > MOST_INDEXED && options.ann != Ann::None {
        let cure = "index a shorter prefix, or none";
        return Err(PostgresError::TooWide { what: "indexes", most: MOST_INDEXED, dims: prefix, cure });
    }
    Ok(prefix)
}

/// The table that an index is pushed to.
struct Target<'a> {
    session: Session,
    name: &'a TableName,
    index: &'a Index,
}

impl Target<'_> {
    /// Makes the tables that are not there, and refuses one that is of another kind.
    fn prepare(&mut self) -> Result<(), PostgresError> {
        let (name, failed, columns) = (self.name, self.session.failed(), self.columns());
        let mut transaction = self.session.client.transaction().map_err(&failed)?;
        transaction.batch_execute(&statement::create_table(name, &columns)).map_err(&failed)?;
        Push::create(&mut transaction, name).map_err(&failed)?;
        let sql = "SELECT attname::text, format_type(atttypid, atttypmod) FROM pg_attribute \
                   WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum";
        let found = transaction.query(sql, &[&name.to_string()]).map_err(&failed)?;
        let found: Vec<(String, String)> = found.iter().map(|row| (row.get(0), row.get(1))).collect();
        check_columns(name, &found, &columns)?;
        transaction.commit().map_err(&failed)
    }

    /// Where the push goes on.
    fn resume(&mut self) -> Result<Push, PostgresError> {
        let (name, failed) = (self.name, self.session.failed());
        let push = Push::new(self.index);
        let known = Push::read(&mut self.session, name)?;
        let client = &mut self.session.client;
        match known {
            Some(known) if known.fingerprint == push.fingerprint => {
                let push = Push { about: push.about, ..known };
                push.renew(client, name).map_err(&failed)?;
                Ok(push)
            }
            Some(_) => Err(PostgresError::OtherIndex(name.to_string())),
            None => {
                let sql = format!("SELECT EXISTS (SELECT FROM {name})");
                if client.query_one(&sql, &[]).map_err(&failed)?.get(0) {
                    return Err(PostgresError::NotPushed(name.to_string()));
                }
                push.insert(client, name).map_err(&failed)?;
                Ok(push)
            }
        }
    }

    /// Keeps other pushes away until the connection ends.
    fn lock(&mut self) -> Result<(), PostgresError> {
        let sql = "SELECT pg_try_advisory_lock($1, $2::text::regclass::oid::int)";
        let locked = self.session.client.query_one(sql, &[&LOCK, &self.name.to_string()]);
        let locked = locked.map_err(self.session.failed())?.get(0);
        if locked { Ok(()) } else { Err(PostgresError::Busy(self.name.to_string())) }
    }

    /// Loads the rows from where `push` is; how many.
    fn load(
        &mut self,
        push: &Push,
        batch: Option<usize>,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<usize, PostgresError> {
        let types = self.types()?;
        let batch = batch.unwrap_or(BATCH / (self.index.width() * size_of::<f32>())).max(1);
        let (mut new, mut start) = (0, push.pushed);
        while start < push.positions {
            let end = push.positions.min(start + batch);
            new += self.load_batch(start..end, &types)?;
            start = end;
            progress(start, push.positions);
        }
        Ok(new)
    }

    /// The rows at `positions` and how far the push has come, both or neither; how many rows.
    fn load_batch(&mut self, positions: Range<usize>, types: &[Type]) -> Result<usize, PostgresError> {
        let (name, index, failed) = (self.name, self.index, self.session.failed());
        let columns: Vec<&str> = self.columns().into_iter().map(|(name, _)| name).collect();
        let sql = format!("COPY {name} ({}) FROM STDIN BINARY", columns.join(", "));
        let end = positions.end;
        let mut transaction = self.session.client.transaction().map_err(&failed)?;
        let mut writer = BinaryCopyInWriter::new(transaction.copy_in(&sql).map_err(&failed)?, types);
        for position in positions {
            if index.is_removed(position)? {
                continue;
            }
            let id = id(index, position)?;
            let label = index.label(position)?;
            let vector = Vector::from(index.row(position)?);
            let label = label.as_ref().map(|label| label as &(dyn ToSql + Sync));
            let values: Vec<&(dyn ToSql + Sync)> =
                std::iter::once(&*id as &(dyn ToSql + Sync)).chain(label).chain([&vector as _]).collect();
            writer.write(&values).map_err(&failed)?;
        }
        let rows = writer.finish().map_err(&failed)?;
        Push::advance(&mut transaction, name, end).map_err(&failed)?;
        transaction.commit().map_err(&failed)?;
        Ok(rows as usize)
    }

    /// Builds an index; whether it was not there.
    fn build(&mut self, sql: &str) -> Result<bool, PostgresError> {
        let before = self.indexes()?;
        self.run(sql)?;
        Ok(self.indexes()? > before)
    }

    fn indexes(&mut self) -> Result<i64, PostgresError> {
        let sql = "SELECT count(*) FROM pg_index WHERE indrelid = $1::text::regclass";
        let count = self.session.client.query_one(sql, &[&self.name.to_string()]);
        Ok(count.map_err(self.session.failed())?.get(0))
    }

    fn run(&mut self, sql: &str) -> Result<(), PostgresError> {
        self.session.client.batch_execute(sql).map_err(self.session.failed())
    }

    fn columns(&self) -> Vec<(&'static str, String)> {
        let info = self.index.info();
        Push::new(self.index).shape().columns(info.ids, info.labels)
    }

    /// The types of the columns, as the server numbers them.
    fn types(&mut self) -> Result<Vec<Type>, PostgresError> {
        let columns: Vec<&str> = self.columns().into_iter().map(|(name, _)| name).collect();
        let sql = format!("SELECT {} FROM {}", columns.join(", "), self.name);
        let prepared = self.session.client.prepare(&sql).map_err(self.session.failed())?;
        Ok(prepared.columns().iter().map(|column| column.type_().clone()).collect())
    }
}

/// What the row at `position` is called, as the server takes it.
fn id(index: &Index, position: usize) -> Result<Box<dyn ToSql + Sync>, PostgresError> {
    Ok(match index.id(position)? {
        Id::Name(name) => Box::new(name),
        Id::Number(number) => Box::new(i64::try_from(number).map_err(|_| PostgresError::LargeId(number))?),
    })
}

/// Refuses a table whose columns are not those that are needed; it may have more.
fn check_columns(
    name: &TableName,
    found: &[(String, String)],
    expected: &[(&str, String)],
) -> Result<(), PostgresError> {
    // An extension may lie in a schema that must be named.
    let plain = |kind: &str| kind.rsplit('.').next().unwrap_or_default().to_owned();
    let missing = expected
        .iter()
        .find(|(column, kind)| !found.iter().any(|(there, their)| there == column && plain(their) == *kind));
    let Some((column, kind)) = missing else { return Ok(()) };
    let width = |kind: &str| kind.strip_prefix("vector(")?.strip_suffix(')')?.parse().ok();
    let their = found.iter().find(|(there, _)| there == column).and_then(|(_, kind)| width(&plain(kind)));
    let table = name.to_string();
    if let (Some(given), Some(expected)) = (their, width(kind)) {
        return Err(PostgresError::Width { table, given, expected });
    }
    let given = list(found.iter().map(|(name, kind)| (&**name, &**kind)));
    Err(PostgresError::Columns {
        table,
        given,
        expected: list(expected.iter().map(|(name, kind)| (*name, &**kind))),
    })
}

fn list<'a>(columns: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    columns.map(|(name, kind)| format!("{name} {kind}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BuildOptions, Dtype, Rotate, Writer, tests::set};

    #[test]
    fn a_schedule_by_principal_components_says_nothing_of_the_prefix() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("index");
        for (rotate, expected) in [(Rotate::None, 2), (Rotate::Pca, 16)] {
            let (dims, shortlist_dtype) = (vec![2, 8], Dtype::F32);
            let options = BuildOptions { dims, rotate, shortlist_dtype, ..BuildOptions::default() };
            options.build(&set(30, 16, 1), &path).unwrap();
            let mut writer = Writer::open(&path).unwrap();
            writer.set_schedule(Some("2:20".parse().unwrap())).unwrap();
            let index = writer.index().unwrap();
            assert_eq!(prefix(&index, &PushOptions::default()).unwrap(), expected);
        }
    }
}
