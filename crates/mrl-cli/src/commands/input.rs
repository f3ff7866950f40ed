//! Vectors that a user gives.

use std::path::Path;

use anyhow::{Result, anyhow};
use mrl_embedding::EmbeddingSet;
use mrl_retrieve::{Id, Parquet, ParquetColumns, Source};

use crate::{UsageError, args::InputArgs, file_name::has_extension};

/// Reads all vectors.
///
/// # Errors
/// When the file cannot be read, or is not what its options say.
pub fn read(args: &InputArgs) -> Result<EmbeddingSet> {
    if !has_extension(&args.input, &["parquet"]) {
        refuse_columns(args)?;
    }
    read_columns(&args.input, &columns(args))
}

/// Reads all vectors of a file that is given without columns.
pub(super) fn read_queries(path: &Path) -> Result<EmbeddingSet> {
    read_columns(path, &ParquetColumns::default())
}

/// Reads all rows, of a Parquet file by `columns`; numbers of a column of ids become text.
fn read_columns(path: &Path, columns: &ParquetColumns) -> Result<EmbeddingSet> {
    if !has_extension(path, &["parquet"]) {
        return Ok(EmbeddingSet::read(path)?);
    }
    let source = Parquet::open(path, columns)?;
    let mut set = EmbeddingSet::new(values(&source, path)?, source.width())?;
    if let Some(labels) = source.labels() {
        set = set.with_labels(labels.into_owned())?;
    }
    if let Some(ids) = source.ids() {
        let text = |row| match ids.get(row) {
            Id::Number(number) => number.to_string(),
            Id::Name(name) => name,
        };
        set = set.with_ids((0..ids.len()).map(text).collect())?;
    }
    Ok(set)
}

/// All rows, `[rows, width]`. The file at `path` that they come from may be damaged, so its count of rows is compared, not believed.
fn values(source: &dyn Source, path: &Path) -> Result<Vec<f32>> {
    let mut values = Vec::new();
    source.visit(&mut |rows| {
        values.extend_from_slice(rows);
        Ok(())
    })?;
    let (claimed, width) = (source.rows(), source.width());
    if claimed.checked_mul(width) != Some(values.len()) {
        let there = values.len() / width.max(1);
        let problem = format!("says that it has {claimed} rows and has {there}; write it again");
        return Err(anyhow!("{}: {problem}", path.display()));
    }
    Ok(values)
}

/// Opens what an index is built from or what is added to one.
pub(super) fn open(args: &InputArgs) -> Result<Box<dyn Source>> {
    if has_extension(&args.input, &["parquet"]) {
        return Ok(Box::new(Parquet::open(&args.input, &columns(args))?));
    }
    refuse_columns(args)?;
    Ok(Box::new(EmbeddingSet::read(&args.input)?))
}

fn columns(args: &InputArgs) -> ParquetColumns {
    ParquetColumns {
        vectors: args.column.clone(),
        ids: args.id_column.clone(),
        labels: args.label_column.clone(),
    }
}

fn refuse_columns(args: &InputArgs) -> Result<(), UsageError> {
    if columns(args) == ParquetColumns::default() {
        return Ok(());
    }
    let problem = "has no columns; --column, --id-column and --label-column are for FILE.parquet";
    Err(UsageError(format!("{}: {problem}", args.input.display())))
}

#[cfg(test)]
mod tests {
    use mrl_retrieve::{Error, Visit};

    use super::*;

    /// Two rows of two numbers that claim to be as many as this.
    struct Claimed(usize);

    impl Source for Claimed {
        fn rows(&self) -> usize {
            self.0
        }

        fn width(&self) -> usize {
            2
        }

        fn visit(&self, visit: &mut Visit<'_>) -> Result<(), Error> {
            visit(&[1.0, 2.0, 3.0, 4.0])
        }
    }

    #[test]
    fn a_count_of_rows_is_not_believed() {
        let read = |rows| values(&Claimed(rows), Path::new("rows.parquet"));
        assert_eq!(read(2).unwrap(), [1.0, 2.0, 3.0, 4.0]);
        for claimed in [1, 1 << 62] {
            let error = read(claimed).unwrap_err().to_string();
            let expected = format!("rows.parquet: says that it has {claimed} rows and has 2; write it again");
            assert_eq!(error, expected);
        }
    }
}
