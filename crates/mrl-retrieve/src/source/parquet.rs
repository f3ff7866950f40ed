//! A column of vectors of a Parquet file.

use std::{
    borrow::Cow,
    fs::File,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

use arrow_array::{
    Array, ArrayRef, ArrowPrimitiveType,
    cast::AsArray,
    types::{
        Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type,
        UInt16Type, UInt32Type, UInt64Type,
    },
};
use arrow_schema::{DataType, Schema};
use mrl_embedding::Metadata;
use parquet::arrow::{
    ProjectionMask,
    arrow_reader::{
        ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
    },
};

use super::{Source, Visit};
use crate::{Error, Ids, segment::PIECE};

/// Which columns of a Parquet file are read. The others are not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParquetColumns {
    /// The vectors: lists of floats, all of the same length. Where none is named, the only column of that kind.
    pub vectors: Option<String>,
    /// The ids: whole numbers or text. Where none is named, rows get numbers.
    pub ids: Option<String>,
    /// The labels: whole numbers. Where none is named, rows have none.
    pub labels: Option<String>,
}

/// Vectors in a Parquet file, which are read a part at a time.
pub struct Parquet {
    path: PathBuf,
    file: File,
    metadata: ArrowReaderMetadata,
    /// The place of the column of vectors.
    vectors: usize,
    rows: usize,
    width: usize,
    ids: Option<Ids>,
    labels: Option<Vec<i64>>,
}

impl Parquet {
    /// Opens the file at `path`, and reads ids and labels.
    ///
    /// # Errors
    /// When the file cannot be read or is no Parquet file, has no such columns, or values are missing.
    pub fn open(path: impl AsRef<Path>, columns: &ParquetColumns) -> Result<Self, Error> {
        let path = path.as_ref().to_owned();
        let file = File::open(&path).map_err(Error::io(&path))?;
        if path.is_dir() {
            return Err(Error::damaged(&path, "is a folder; name a file"));
        }
        // What Arrow wrote beside the schema is left out: there is then one kind of lists, and one of text.
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let metadata = fenced(&path, || ArrowReaderMetadata::load(&file, options))?;
        let rows = metadata.metadata().file_metadata().num_rows();
        let rows = usize::try_from(rows)
            .map_err(|_| Error::damaged(&path, format!("says that it has {rows} rows; write it again")))?;
        let vectors = vectors_column(&path, metadata.schema(), columns.vectors.as_deref())?;
        let mut this = Self { path, file, metadata, vectors, rows, width: 0, ids: None, labels: None };
        this.width = this.first_width()?;
        if this.width == 0 {
            let problem = if rows == 0 {
                "has no rows; give at least one"
            } else {
                "row 0 has a vector of no numbers; leave such rows out"
            };
            return Err(Error::damaged(&this.path, problem));
        }
        this.ids = columns.ids.as_deref().map(|name| this.read_ids(name)).transpose()?;
        this.labels = columns.labels.as_deref().map(|name| this.read_labels(name)).transpose()?;
        Ok(this)
    }

    fn read(&self, column: usize, batch: usize) -> Result<ParquetRecordBatchReader, Error> {
        let file = self.file.try_clone().map_err(Error::io(&self.path))?;
        let mask = ProjectionMask::roots(self.metadata.parquet_schema(), [column]);
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, self.metadata.clone());
        fenced(&self.path, || builder.with_batch_size(batch).with_projection(mask).build())
    }

    /// Calls `visit` with parts of a column, in order, and the row that each starts at. No value is missing in them.
    fn visit_column(
        &self,
        column: usize,
        visit: &mut dyn FnMut(&ArrayRef, usize) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut start = 0;
        let mut batches = self.read(column, PIECE)?;
        while let Some(batch) = fenced(&self.path, || batches.next().transpose())? {
            let part = batch.column(0);
            if let Some(row) = (0..part.len()).find(|&row| part.is_null(row)) {
                return Err(self.missing(column, start + row));
            }
            visit(part, start)?;
            start += part.len();
        }
        Ok(())
    }

    fn missing(&self, column: usize, row: usize) -> Error {
        let name = self.metadata.schema().field(column).name();
        Error::damaged(&self.path, format!("row {row} of column {name:?} has no value; leave such rows out"))
    }

    /// Numbers in the first row, or 0 if there is none.
    fn first_width(&self) -> Result<usize, Error> {
        let mut batches = self.read(self.vectors, 1)?;
        let Some(batch) = fenced(&self.path, || batches.next().transpose())? else { return Ok(0) };
        let rows = batch.column(0).as_list::<i32>();
        Ok(if rows.is_empty() { 0 } else { rows.value_length(0) as usize })
    }

    /// Calls `visit` with the numbers of some rows, of which the first is row `start`.
    fn visit_vectors(&self, part: &ArrayRef, start: usize, visit: &mut Visit<'_>) -> Result<(), Error> {
        let lists = part.as_list::<i32>();
        let length = |row| lists.value_length(row) as usize;
        if let Some(row) = (0..lists.len()).find(|&row| length(row) != self.width) {
            let (at, given, width) = (start + row, length(row), self.width);
            return Err(Error::damaged(
                &self.path,
                format!(
                    "the vector of row {at} has {given} numbers, that of row 0 has {width}; give one length"
                ),
            ));
        }
        let (first, last) = (lists.value_offsets()[0] as usize, lists.value_offsets()[lists.len()] as usize);
        let values = lists.values().slice(first, last - first);
        if let Some(place) = (0..values.len()).find(|&place| values.is_null(place)) {
            return Err(self.missing(self.vectors, start + place / self.width));
        }
        if let Some(values) = values.as_primitive_opt::<Float32Type>() {
            return visit(values.values());
        }
        let converted: Vec<f32> = if let Some(halves) = values.as_primitive_opt::<Float16Type>() {
            halves.values().iter().map(|value| value.to_f32()).collect()
        } else {
            let numbers = values.as_primitive::<Float64Type>().values().iter();
            let narrowed: Result<_, _> = numbers.map(|&number| mrl_embedding::narrow(number)).collect();
            narrowed.map_err(|problem| Error::damaged(&self.path, problem))?
        };
        visit(&converted)
    }

    fn read_ids(&self, name: &str) -> Result<Ids, Error> {
        let column = named_column(&self.path, self.metadata.schema(), name)?;
        if self.metadata.schema().field(column).data_type() == &DataType::Utf8 {
            let mut names = Vec::new();
            self.visit_column(column, &mut |part, _| {
                names.extend(part.as_string::<i32>().iter().flatten().map(ToOwned::to_owned));
                Ok(())
            })?;
            return Ok(Ids::Names(names));
        }
        self.read_whole(column, "ids, which are text or whole numbers from 0").map(Ids::Numbers)
    }

    fn read_labels(&self, name: &str) -> Result<Vec<i64>, Error> {
        let column = named_column(&self.path, self.metadata.schema(), name)?;
        self.read_whole(column, "labels, which are whole numbers")
    }

    /// All of a column of whole numbers; `what` says what they should be.
    fn read_whole<T: TryFrom<i128>>(&self, column: usize, what: &str) -> Result<Vec<T>, Error> {
        let field = self.metadata.schema().field(column);
        let unusable = |given: String| {
            Error::damaged(&self.path, format!("column {:?} {given}; name a column of {what}", field.name()))
        };
        let mut all = Vec::with_capacity(self.rows.min(PIECE));
        self.visit_column(column, &mut |part, start| {
            let numbers =
                whole_numbers(part).ok_or_else(|| unusable(format!("is of type {}", part.data_type())))?;
            for (row, number) in numbers.into_iter().enumerate() {
                let given = || unusable(format!("has {number} in row {}", start + row));
                all.push(T::try_from(number).map_err(|_| given())?);
            }
            Ok(())
        })?;
        Ok(all)
    }
}

impl Source for Parquet {
    fn rows(&self) -> usize {
        self.rows
    }

    fn width(&self) -> usize {
        self.width
    }

    fn ids(&self) -> Option<Cow<'_, Ids>> {
        self.ids.as_ref().map(Cow::Borrowed)
    }

    fn labels(&self) -> Option<Cow<'_, [i64]>> {
        self.labels.as_deref().map(Cow::Borrowed)
    }

    fn metadata(&self) -> Metadata {
        Metadata::default()
    }

    fn visit(&self, visit: &mut Visit<'_>) -> Result<(), Error> {
        self.visit_column(self.vectors, &mut |part, start| self.visit_vectors(part, start, visit))
    }
}

/// What the reader of Parquet gives. Of damaged files it may panic, which is an error like the others.
fn fenced<T, E: std::fmt::Display>(path: &Path, read: impl FnOnce() -> Result<T, E>) -> Result<T, Error> {
    let unreadable = |why: &dyn std::fmt::Display| {
        Error::damaged(path, format!("cannot be read as Parquet ({why}); write it again"))
    };
    match catch_unwind(AssertUnwindSafe(read)) {
        Ok(result) => result.map_err(|error| unreadable(&error)),
        Err(_) => Err(unreadable(&"it is damaged")),
    }
}

fn is_vectors(kind: &DataType) -> bool {
    matches!(kind, DataType::List(item) if item.data_type().is_floating())
}

/// The place of the column of vectors called `name`, or the only one.
fn vectors_column(path: &Path, schema: &Schema, name: Option<&str>) -> Result<usize, Error> {
    let fields = schema.fields();
    if let Some(name) = name {
        let column = named_column(path, schema, name)?;
        let kind = fields[column].data_type();
        if is_vectors(kind) {
            return Ok(column);
        }
        return Err(Error::damaged(
            path,
            format!("column {name:?} is of type {kind}; name a column of lists of floats"),
        ));
    }
    let vectors: Vec<usize> =
        (0..fields.len()).filter(|&column| is_vectors(fields[column].data_type())).collect();
    match vectors[..] {
        [column] => Ok(column),
        [] => Err(Error::damaged(
            path,
            format!("has no column of lists of floats; its columns are {}", columns(schema, |_| true)),
        )),
        _ => {
            let names = columns(schema, is_vectors);
            Err(Error::damaged(path, format!("has several columns of vectors; name one of {names}")))
        }
    }
}

fn named_column(path: &Path, schema: &Schema, name: &str) -> Result<usize, Error> {
    let missing = || {
        let names = columns(schema, |_| true);
        Error::damaged(path, format!("has no column {name:?}; its columns are {names}"))
    };
    schema.index_of(name).map_err(|_| missing())
}

fn columns(schema: &Schema, which: impl Fn(&DataType) -> bool) -> String {
    let fields = schema.fields().iter().filter(|field| which(field.data_type()));
    fields.map(|field| format!("{:?}", field.name())).collect::<Vec<_>>().join(", ")
}

/// The numbers of a column of whole numbers without missing ones.
fn whole_numbers(part: &ArrayRef) -> Option<Vec<i128>> {
    fn of<T: ArrowPrimitiveType<Native: Into<i128>>>(part: &ArrayRef) -> Vec<i128> {
        part.as_primitive::<T>().values().iter().map(|&number| number.into()).collect()
    }
    Some(match part.data_type() {
        DataType::Int8 => of::<Int8Type>(part),
        DataType::Int16 => of::<Int16Type>(part),
        DataType::Int32 => of::<Int32Type>(part),
        DataType::Int64 => of::<Int64Type>(part),
        DataType::UInt8 => of::<UInt8Type>(part),
        DataType::UInt16 => of::<UInt16Type>(part),
        DataType::UInt32 => of::<UInt32Type>(part),
        DataType::UInt64 => of::<UInt64Type>(part),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{
        Float64Array, Int32Array, Int64Array, ListArray, RecordBatch, StringArray,
        builder::{FixedSizeListBuilder, Float32Builder},
    };
    use parquet::arrow::ArrowWriter;
    use proptest::prelude::*;

    use super::*;
    use crate::{BuildOptions, Id};

    const GOLDENS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../goldens/parquet");
    const FILES: [&str; 4] =
        ["lists-snappy.parquet", "fixed-zstd.parquet", "doubles-gzip.parquet", "halves-lz4.parquet"];

    /// Writes a file of the given columns, a row group for each seven rows.
    fn write(path: &Path, columns: Vec<(&str, ArrayRef)>) {
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let properties = parquet::file::properties::WriterProperties::builder()
            .set_max_row_group_row_count(Some(7))
            .build();
        let mut writer =
            ArrowWriter::try_new(File::create(path).unwrap(), batch.schema(), Some(properties)).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
    }

    fn lists(rows: &[Option<Vec<Option<f64>>>]) -> ArrayRef {
        Arc::new(ListArray::from_iter_primitive::<Float64Type, _, _>(rows.iter().cloned()))
    }

    /// Rows of 3 numbers.
    fn fixed(rows: usize) -> ArrayRef {
        let mut builder = FixedSizeListBuilder::new(Float32Builder::new(), 3);
        for row in 0..rows {
            (0..3).for_each(|place| builder.values().append_value((row * 3 + place) as f32 - 20.0));
            builder.append(true);
        }
        Arc::new(builder.finish())
    }

    fn named(vectors: &str, ids: Option<&str>, labels: Option<&str>) -> ParquetColumns {
        ParquetColumns {
            vectors: Some(vectors.into()),
            ids: ids.map(Into::into),
            labels: labels.map(Into::into),
        }
    }

    #[test]
    fn vectors_ids_and_labels_come_from_their_columns() {
        let folder = tempfile::tempdir().unwrap();
        let (path, index) = (folder.path().join("rows.parquet"), folder.path().join("index"));
        let names: Vec<String> = (0..20).map(|row| format!("name {row}")).collect();
        write(
            &path,
            vec![
                ("other", Arc::new(Float64Array::from(vec![0.5; 20]))),
                ("name", Arc::new(StringArray::from(names))),
                ("vector", fixed(20)),
                ("number", Arc::new(Int64Array::from_iter_values(100..120))),
                ("label", Arc::new(Int32Array::from_iter_values(-3..17))),
            ],
        );
        for (ids, first) in [
            (None, Id::Number(1)),
            (Some("name"), Id::Name("name 1".into())),
            (Some("number"), Id::Number(101)),
        ] {
            let source = Parquet::open(
                &path,
                &ParquetColumns {
                    ids: ids.map(Into::into),
                    labels: Some("label".into()),
                    ..ParquetColumns::default()
                },
            )
            .unwrap();
            let index = BuildOptions::default().build(&source, &index).unwrap();
            assert_eq!(index.len(), 20);
            assert_eq!(index.row(19).unwrap(), [37.0, 38.0, 39.0]);
            assert_eq!(index.id(1).unwrap(), first);
            assert_eq!(index.label(1).unwrap(), Some(-2));
        }
        let doubles = (0..20).map(|row| Some(vec![Some(f64::from(row)), Some(0.1)])).collect::<Vec<_>>();
        write(&path, vec![("vector", lists(&doubles))]);
        let source = Parquet::open(&path, &ParquetColumns::default()).unwrap();
        assert_eq!(BuildOptions::default().build(&source, &index).unwrap().row(13).unwrap(), [13.0, 0.1]);
    }

    #[test]
    fn files_of_pyarrow_are_read() {
        for file in FILES {
            let source =
                Parquet::open(Path::new(GOLDENS).join(file), &named("vector", Some("name"), Some("label")))
                    .unwrap();
            let names = (0..50).map(|row| format!("name {}", row % 10 * 10 + row / 10)).collect();
            assert_eq!(source.ids().unwrap().as_ref(), &Ids::Names(names), "{file}");
            assert_eq!(source.labels().unwrap(), (-5..45).collect::<Vec<_>>(), "{file}");
            let mut numbers = Vec::new();
            source
                .visit(&mut |rows| {
                    numbers.extend_from_slice(rows);
                    Ok(())
                })
                .unwrap();
            let expected: Vec<f32> = (0..200).map(|place| place as f32 / 8.0 - 3.0).collect();
            assert_eq!((source.width(), numbers), (4, expected), "{file}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(mrl_testing::scaled(500)))]
        #[test]
        fn damaged_bytes_never_panic(
            file in proptest::sample::select(&FILES[..]),
            changes in proptest::collection::vec((any::<usize>(), any::<u8>()), 1..4),
            cut in prop_oneof![Just(0usize), 0usize..100],
        ) {
            let mut bytes = std::fs::read(Path::new(GOLDENS).join(file)).unwrap();
            for (at, byte) in changes {
                let at = at % bytes.len();
                bytes[at] = byte;
            }
            bytes.truncate(bytes.len() - cut);
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("damaged");
            std::fs::write(&path, bytes).unwrap();
            if let Ok(source) = Parquet::open(&path, &named("vector", Some("name"), Some("label"))) {
                let _ = source.visit(&mut |_| Ok(()));
            }
        }
    }

    #[test]
    fn each_mistake_has_its_own_sentence() {
        let folder = tempfile::tempdir().unwrap();
        let (path, index) = (folder.path().join("rows.parquet"), folder.path().join("index"));
        let refused = |columns: &ParquetColumns| {
            let built = Parquet::open(&path, columns)
                .and_then(|source| BuildOptions::default().build(&source, &index));
            let message = built.err().expect("it is refused").to_string();
            message.strip_prefix(&format!("{}: ", path.display())).expect("it names the file").to_owned()
        };
        let row = |numbers: &[f64]| Some(numbers.iter().copied().map(Some).collect::<Vec<_>>());
        let number: ArrayRef = Arc::new(Int64Array::from(vec![Some(4), Some(-1), None]));
        let vectors = [row(&[1.0, 2.0]), row(&[3.0]), None];
        write(
            &path,
            vec![
                ("a", lists(&vectors)),
                ("b", lists(&[row(&[1.0]), Some(vec![None]), row(&[2.0])])),
                ("n", number),
            ],
        );
        assert_eq!(
            refused(&ParquetColumns::default()),
            r#"has several columns of vectors; name one of "a", "b""#
        );
        assert_eq!(refused(&named("c", None, None)), r#"has no column "c"; its columns are "a", "b", "n""#);
        assert_eq!(
            refused(&named("n", None, None)),
            r#"column "n" is of type Int64; name a column of lists of floats"#
        );
        assert_eq!(
            refused(&named("b", None, None)),
            r#"row 1 of column "b" has no value; leave such rows out"#
        );
        assert_eq!(
            refused(&named("a", None, None)),
            r#"row 2 of column "a" has no value; leave such rows out"#
        );
        assert_eq!(
            refused(&named("b", None, Some("n"))),
            r#"row 2 of column "n" has no value; leave such rows out"#
        );
        assert!(refused(&named("b", Some("b"), None)).starts_with(r#"column "b" is of type List"#));
        write(&path, vec![("a", lists(&vectors[..2])), ("n", Arc::new(Int64Array::from(vec![4, -1])))]);
        assert_eq!(
            refused(&named("a", None, None)),
            "the vector of row 1 has 1 numbers, that of row 0 has 2; give one length"
        );
        assert_eq!(
            refused(&named("a", Some("n"), None)),
            r#"column "n" has -1 in row 1; name a column of ids, which are text or whole numbers from 0"#
        );
        write(&path, vec![("n", Arc::new(Int64Array::from(vec![4])))]);
        assert_eq!(
            refused(&ParquetColumns::default()),
            r#"has no column of lists of floats; its columns are "n""#
        );
        std::fs::write(&path, b"PAR1 it is not").unwrap();
        assert!(refused(&ParquetColumns::default()).starts_with("cannot be read as Parquet ("));
    }
}
