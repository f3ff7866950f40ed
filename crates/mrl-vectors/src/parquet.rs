//! A column of vectors of a Parquet file.

use std::{
    fmt,
    fs::File,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

use arrow_array::{
    Array, ArrayRef,
    cast::AsArray,
    types::{Float16Type, Float32Type, Float64Type, Int8Type, UInt8Type},
};
use arrow_schema::DataType;
use mrl_embedding::{EmbeddingSet, Error, Id, Ids, Labels, narrowed};
use parquet::arrow::{
    ProjectionMask,
    arrow_reader::{
        ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
    },
};

use crate::{
    ReadOptions,
    columns::{floats, is_bytes, named_column, vectors_column, whole_numbers},
};

/// Rows that are read at a time.
const BATCH: usize = 1024;

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
    class_names: Option<Vec<String>>,
}

/// Takes some whole rows, `[any, width]`.
type Visit<'a, E> = dyn FnMut(&[f32]) -> Result<(), E> + 'a;

impl Parquet {
    /// Opens the file at `path`, and reads ids and labels. `note` is called with a message where whole numbers become `f32`.
    ///
    /// # Errors
    /// When the file cannot be read or is no Parquet file, has no such columns, or values are missing.
    pub(crate) fn open(
        path: &Path,
        options: &ReadOptions,
        note: &mut dyn FnMut(&str),
    ) -> Result<Self, Error> {
        let path = path.to_owned();
        let file = File::open(&path).map_err(Error::io(&path))?;
        // What Arrow wrote beside the schema is left out: there is then one kind of lists, and one of text.
        let bare = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let metadata = fenced(&path, || ArrowReaderMetadata::load(&file, bare))?;
        let rows = metadata.metadata().file_metadata().num_rows();
        let rows = usize::try_from(rows)
            .map_err(|_| Error::damaged(&path, format!("says that it has {rows} rows; write it again")))?;
        let vectors = vectors_column(&path, metadata.schema(), options.column.as_deref())?;
        let mut this = Self {
            path,
            file,
            metadata,
            vectors,
            rows,
            width: 0,
            ids: None,
            labels: None,
            class_names: None,
        };
        this.width = this.first_width()?;
        this.check_rows()?;
        this.ids = options.id_column.as_deref().map(|name| this.read_ids(name)).transpose()?;
        let labels = options.label_column.as_deref().map(|name| this.read_labels(name)).transpose()?;
        this = this.labelled(labels, &options.classes)?;
        if is_bytes(this.kind(vectors)) {
            note(&mrl_embedding::of_whole_numbers(&this.path));
        }
        Ok(this)
    }

    /// The number of rows that the file says it has.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Numbers in a row.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// An id a row, where a column of them was named.
    #[must_use]
    pub fn ids(&self) -> Option<&Ids> {
        self.ids.as_ref()
    }

    /// A label a row, where they are known.
    #[must_use]
    pub fn labels(&self) -> Option<&[i64]> {
        self.labels.as_deref()
    }

    /// The names of the classes, where labels are text: label `i` is the `i`-th.
    #[must_use]
    pub fn class_names(&self) -> Option<&[String]> {
        self.class_names.as_deref()
    }

    /// Gives each row a label, in the place of those that it has, if there are to be some.
    ///
    /// # Errors
    /// When there is not exactly one label a row: the file may be damaged, so that a column is shorter than it says.
    pub(crate) fn labelled(mut self, labels: Option<Labels>, classes: &[String]) -> Result<Self, Error> {
        let Some(labels) = labels else { return Ok(self) };
        if labels.len() != self.rows {
            let problem = format!(
                "says that it has {} rows and has {} labels; write it again",
                self.rows,
                labels.len()
            );
            return Err(Error::damaged(&self.path, problem));
        }
        let (numbers, class_names) = labels.numbered(classes);
        (self.labels, self.class_names) = (Some(numbers), class_names);
        Ok(self)
    }

    /// Calls `visit` with all rows, in order, in pieces of whole rows.
    ///
    /// # Errors
    /// When rows cannot be read or values are missing, or those of `visit`.
    pub fn visit<E: From<Error>>(&self, visit: &mut Visit<'_, E>) -> Result<(), E> {
        self.visit_column(self.vectors, &mut |part, start| self.visit_vectors(part, start, visit))
    }

    /// All rows, in memory. Numbers that are ids become text.
    ///
    /// # Errors
    /// When rows cannot be read, values are missing, or the file has not the number of rows that it says.
    pub fn into_set(self) -> Result<EmbeddingSet, Error> {
        let mut values = Vec::new();
        self.visit(&mut |rows| {
            values.extend_from_slice(rows);
            Ok::<_, Error>(())
        })?;
        // The file may be damaged, so its count of rows is compared, not believed.
        self.check_count(values.len() / self.width)?;
        let mut set = EmbeddingSet::new(values, self.width)?;
        if let Some(labels) = self.labels {
            set = set.with_labels(labels)?;
        }
        if let Some(ids) = self.ids {
            let text = |row| match ids.get(row) {
                Id::Number(number) => number.to_string(),
                Id::Name(name) => name,
            };
            set = set.with_ids((0..ids.len()).map(text).collect())?;
        }
        set.metadata.class_names = self.class_names;
        Ok(set)
    }

    fn read(&self, column: usize, batch: usize) -> Result<ParquetRecordBatchReader, Error> {
        let file = self.file.try_clone().map_err(Error::io(&self.path))?;
        let mask = ProjectionMask::roots(self.metadata.parquet_schema(), [column]);
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, self.metadata.clone());
        fenced(&self.path, || builder.with_batch_size(batch).with_projection(mask).build())
    }

    /// Calls `visit` with parts of a column, in order, and the row that each starts at. No value is missing in them.
    fn visit_column<E: From<Error>>(
        &self,
        column: usize,
        visit: &mut dyn FnMut(&ArrayRef, usize) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut start = 0;
        let mut batches = self.read(column, BATCH)?;
        while let Some(batch) = fenced(&self.path, || batches.next().transpose())? {
            let part = batch.column(0);
            if let Some(row) = (0..part.len()).find(|&row| part.is_null(row)) {
                return Err(self.missing(column, start + row).into());
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

    /// Counts the rows of a file that says it has more of them than bytes. Such a file may be whole, for equal vectors take no room, or
    /// damaged, so that memory for its rows must not be asked for.
    fn check_rows(&self) -> Result<(), Error> {
        let bytes = self.file.metadata().map_err(Error::io(&self.path))?.len();
        if self.rows as u64 <= bytes {
            return Ok(());
        }
        let mut there = 0;
        self.visit_column(self.vectors, &mut |part, _| {
            there += part.len();
            Ok::<_, Error>(())
        })?;
        self.check_count(there)
    }

    fn check_count(&self, there: usize) -> Result<(), Error> {
        if there == self.rows {
            return Ok(());
        }
        let problem = format!("says that it has {} rows and has {there}; write it again", self.rows);
        Err(Error::damaged(&self.path, problem))
    }

    /// Numbers in the first row.
    fn first_width(&self) -> Result<usize, Error> {
        let mut batches = self.read(self.vectors, 1)?;
        let batch = fenced(&self.path, || batches.next().transpose())?;
        let Some(rows) = batch.filter(|batch| batch.num_rows() > 0).map(|batch| batch.column(0).clone())
        else {
            return Err(Error::damaged(&self.path, "has no rows; give at least one"));
        };
        if rows.is_null(0) {
            return Err(self.missing(self.vectors, 0));
        }
        match rows.as_list::<i32>().value_length(0) {
            0 => Err(Error::damaged(&self.path, "row 0 has an empty vector; leave such rows out")),
            width => Ok(width as usize),
        }
    }

    /// Calls `visit` with the numbers of some rows, of which the first is row `start`.
    fn visit_vectors<E: From<Error>>(
        &self,
        part: &ArrayRef,
        start: usize,
        visit: &mut Visit<'_, E>,
    ) -> Result<(), E> {
        let lists = part.as_list::<i32>();
        let length = |row| lists.value_length(row) as usize;
        if let Some(row) = (0..lists.len()).find(|&row| length(row) != self.width) {
            let (at, given, width) = (start + row, length(row), self.width);
            let problem = format!(
                "the vector of row {at} has {given} numbers, that of row 0 has {width}; give one length"
            );
            return Err(Error::damaged(&self.path, problem).into());
        }
        let (first, last) = (lists.value_offsets()[0] as usize, lists.value_offsets()[lists.len()] as usize);
        let values = lists.values().slice(first, last - first);
        if let Some(place) = (0..values.len()).find(|&place| values.is_null(place)) {
            return Err(self.missing(self.vectors, start + place / self.width).into());
        }
        if let Some(values) = values.as_primitive_opt::<Float32Type>() {
            return visit(values.values());
        }
        visit(&self.converted(&values, start)?)
    }

    /// Numbers of other types than `f32`, of whole rows from row `start` on.
    fn converted(&self, values: &ArrayRef, start: usize) -> Result<Vec<f32>, Error> {
        Ok(match values.data_type() {
            DataType::Float16 => {
                values.as_primitive::<Float16Type>().values().iter().map(|value| value.to_f32()).collect()
            }
            DataType::Int8 => {
                values.as_primitive::<Int8Type>().values().iter().map(|&value| value.into()).collect()
            }
            DataType::UInt8 => {
                values.as_primitive::<UInt8Type>().values().iter().map(|&value| value.into()).collect()
            }
            _ => narrowed(values.as_primitive::<Float64Type>().values(), self.width, start)
                .map_err(|problem| Error::damaged(&self.path, problem))?,
        })
    }

    fn read_ids(&self, name: &str) -> Result<Ids, Error> {
        let column = named_column(&self.path, self.metadata.schema(), name)?;
        if self.kind(column) == &DataType::Utf8 {
            return self.read_text(column).map(Ids::Names);
        }
        self.read_whole(column, "ids, which are text or whole numbers from 0").map(Ids::Numbers)
    }

    fn read_labels(&self, name: &str) -> Result<Labels, Error> {
        let column = named_column(&self.path, self.metadata.schema(), name)?;
        match self.kind(column) {
            DataType::Utf8 => self.read_text(column).map(Labels::Names),
            kind if kind.is_floating() => {
                let mut all = Vec::new();
                self.visit_column(column, &mut |part, _| {
                    all.extend(floats(part).into_iter().flatten());
                    Ok::<_, Error>(())
                })?;
                let problem = |problem| Error::damaged(&self.path, format!("column {name:?}: {problem}"));
                Labels::of_floats(all).map_err(problem)
            }
            _ => self.read_whole(column, "labels, which are whole numbers or text").map(Labels::Numbers),
        }
    }

    fn kind(&self, column: usize) -> &DataType {
        self.metadata.schema().field(column).data_type()
    }

    /// All of a column of text.
    fn read_text(&self, column: usize) -> Result<Vec<String>, Error> {
        let mut all = Vec::new();
        self.visit_column(column, &mut |part, _| {
            all.extend(part.as_string::<i32>().iter().flatten().map(ToOwned::to_owned));
            Ok::<_, Error>(())
        })?;
        Ok(all)
    }

    /// All of a column of whole numbers; `what` says what they should be.
    fn read_whole<T: TryFrom<i128>>(&self, column: usize, what: &str) -> Result<Vec<T>, Error> {
        let field = self.metadata.schema().field(column);
        let unusable = |given: String| {
            Error::damaged(&self.path, format!("column {:?} {given}; name a column of {what}", field.name()))
        };
        let mut all = Vec::with_capacity(self.rows.min(BATCH));
        self.visit_column(column, &mut |part, start| {
            let numbers =
                whole_numbers(part).ok_or_else(|| unusable(format!("is of type {}", part.data_type())))?;
            for (row, number) in numbers.into_iter().enumerate() {
                let given = || unusable(format!("has {number} in row {}", start + row));
                all.push(T::try_from(number).map_err(|_| given())?);
            }
            Ok::<_, Error>(())
        })?;
        Ok(all)
    }
}

/// What the reader of Parquet gives. It may panic on damaged files; a panic becomes an error.
fn fenced<T, E: fmt::Display>(path: &Path, read: impl FnOnce() -> Result<T, E>) -> Result<T, Error> {
    let unreadable = |why: &dyn fmt::Display| {
        Error::damaged(path, format!("cannot be read as Parquet ({why}); write it again"))
    };
    match catch_unwind(AssertUnwindSafe(read)) {
        Ok(result) => result.map_err(|error| unreadable(&error)),
        Err(_) => Err(unreadable(&"it is damaged")),
    }
}

#[cfg(test)]
#[path = "parquet_tests.rs"]
mod tests;
