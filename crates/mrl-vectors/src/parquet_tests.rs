use std::sync::Arc;

use arrow_array::{
    BooleanArray, Float64Array, Int32Array, Int64Array, ListArray, RecordBatch, StringArray,
    builder::{FixedSizeListBuilder, Float32Builder},
};
use parquet::arrow::ArrowWriter;
use proptest::prelude::*;

use super::*;
use crate::Vectors;

const GOLDENS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../goldens/parquet");
const FILES: [&str; 4] =
    ["lists-snappy.parquet", "fixed-zstd.parquet", "doubles-gzip.parquet", "halves-lz4.parquet"];

/// Writes a file of the given columns, a row group for each seven rows.
fn write(path: &Path, columns: Vec<(&str, ArrayRef)>) {
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let properties =
        parquet::file::properties::WriterProperties::builder().set_max_row_group_row_count(Some(7)).build();
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

fn named(column: &str, ids: Option<&str>, labels: Option<&str>) -> ReadOptions {
    ReadOptions {
        column: Some(column.into()),
        id_column: ids.map(Into::into),
        label_column: labels.map(Into::into),
        ..ReadOptions::default()
    }
}

fn open(path: &Path, columns: &ReadOptions) -> Result<Parquet, Error> {
    Parquet::open(path, columns, &mut |note| panic!("{note}"))
}

/// All of a file, whose ids and labels are in these columns.
fn set(path: &Path, ids: Option<&str>, labels: Option<&str>) -> Result<EmbeddingSet, Error> {
    open(path, &ReadOptions { column: None, ..named("", ids, labels) })?.into_set()
}

#[test]
fn vectors_ids_and_labels_come_from_their_columns() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.parquet");
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
    for (ids, first) in [(None, None), (Some("name"), Some("name 1")), (Some("number"), Some("101"))] {
        let set = set(&path, ids, Some("label")).unwrap();
        assert_eq!((set.len(), set.row(19)), (20, &[37.0, 38.0, 39.0][..]));
        assert_eq!(set.ids().map(|ids| ids[1].as_str()), first);
        assert_eq!(set.labels().unwrap()[1], -2);
    }
    let doubles = (0..20).map(|row| Some(vec![Some(f64::from(row)), Some(0.1)])).collect::<Vec<_>>();
    write(&path, vec![("vector", lists(&doubles))]);
    assert_eq!(set(&path, None, None).unwrap().row(13), [13.0, 0.1]);
}

#[test]
fn labels_are_whole_numbers_of_any_type_or_text() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.parquet");
    write(
        &path,
        vec![
            ("vector", fixed(3)),
            ("bools", Arc::new(BooleanArray::from(vec![true, false, true]))),
            ("floats", Arc::new(Float64Array::from(vec![3.0, 0.0, -1.0]))),
            ("halves", Arc::new(Float64Array::from(vec![3.0, 0.5, -1.0]))),
            ("text", Arc::new(StringArray::from(vec!["dog", "ant", "dog"]))),
        ],
    );
    assert_eq!(set(&path, None, Some("bools")).unwrap().labels().unwrap(), [1, 0, 1]);
    assert_eq!(set(&path, None, Some("floats")).unwrap().labels().unwrap(), [3, 0, -1]);
    let named = set(&path, None, Some("text")).unwrap();
    assert_eq!(named.labels().unwrap(), [1, 0, 1]);
    assert_eq!(named.metadata.class_names.unwrap(), ["ant", "dog"]);
    let error = set(&path, None, Some("halves")).unwrap_err().to_string();
    assert!(
        error.ends_with("column \"halves\": row 1 has the label 0.5; give whole numbers or text"),
        "{error}"
    );
}

#[test]
fn labels_may_lie_beside_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let (rows, beside) = (folder.path().join("rows.parquet"), folder.path().join("labels.txt"));
    write(
        &rows,
        vec![("vector", fixed(3)), ("text", Arc::new(StringArray::from(vec!["dog", "ant", "dog"])))],
    );
    let read = |path: &Path, column: Option<&str>, labels: Option<&Path>, classes: &[&str]| {
        let options = ReadOptions {
            label_column: column.map(Into::into),
            labels: labels.map(Into::into),
            classes: classes.iter().map(|&name| name.to_owned()).collect(),
            ..ReadOptions::default()
        };
        Vectors::open(path, &options, &mut |_| {})?.into_set()
    };
    std::fs::write(&beside, "7\n8\n9\n").unwrap();
    assert_eq!(read(&rows, None, Some(&beside), &[]).unwrap().labels().unwrap(), [7, 8, 9]);
    std::fs::write(&beside, "cow\nant\nant\n").unwrap();
    let npy = Path::new(GOLDENS).join("../sets/i1.npy");
    for (path, column, labels, expected) in [
        (&rows, Some("text"), None, [0, 1, 0]),
        (&rows, None, Some(&*beside), [2, 1, 1]),
        (&npy, None, Some(&*beside), [2, 1, 1]),
    ] {
        let set = read(path, column, labels, &["dog", "ant"]).unwrap();
        assert_eq!(set.labels().unwrap(), expected);
        assert_eq!(set.metadata.class_names.unwrap()[..2], ["dog", "ant"]);
    }
    std::fs::write(&beside, "7\n").unwrap();
    for path in [&rows, &npy] {
        let error = read(path, None, Some(&beside), &[]).unwrap_err().to_string();
        assert_eq!(error, format!("{}: has 1 labels for 3 vectors; give one for each", beside.display()));
    }
}

#[test]
fn lists_of_bytes_are_read_and_this_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bytes");
    let rows = (0..3i8).map(|row| Some(vec![Some(row), Some(-128)]));
    let lists: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Int8Type, _, _>(rows));
    write(&path, vec![("vector", lists)]);
    let mut notes = Vec::new();
    let vectors =
        Vectors::open(&path, &ReadOptions::default(), &mut |note| notes.push(note.to_owned())).unwrap();
    assert_eq!(vectors.into_set().unwrap().embeddings(), [0.0, -128.0, 1.0, -128.0, 2.0, -128.0]);
    assert_eq!(notes, [mrl_embedding::of_whole_numbers(&path)]);
}

#[test]
fn files_of_pyarrow_are_read() {
    for file in FILES {
        let source =
            open(&Path::new(GOLDENS).join(file), &named("vector", Some("name"), Some("label"))).unwrap();
        let names = (0..50).map(|row| format!("name {}", row % 10 * 10 + row / 10)).collect();
        assert_eq!(source.ids().unwrap(), &Ids::Names(names), "{file}");
        assert_eq!(source.labels().unwrap(), (-5..45).collect::<Vec<_>>(), "{file}");
        let expected: Vec<f32> = (0..200).map(|place| place as f32 / 8.0 - 3.0).collect();
        assert_eq!(source.width(), 4, "{file}");
        assert_eq!(source.into_set().unwrap().embeddings(), expected, "{file}");
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
        if let Ok(source) = open(&path, &named("vector", Some("name"), Some("label"))) {
            let _ = source.into_set();
        }
    }
}

#[test]
fn each_mistake_has_its_own_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.parquet");
    let refused = |columns: &ReadOptions| {
        let read = open(&path, columns).and_then(Parquet::into_set);
        let message = read.expect_err("it is refused").to_string();
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
    assert_eq!(refused(&ReadOptions::default()), r#"has several columns of vectors; name one of "a", "b""#);
    assert_eq!(refused(&named("c", None, None)), r#"has no column "c"; its columns are "a", "b", "n""#);
    assert_eq!(
        refused(&named("n", None, None)),
        r#"column "n" is of type Int64; name a column of lists of floats or 8-bit integers"#
    );
    assert_eq!(refused(&named("b", None, None)), r#"row 1 of column "b" has no value; leave such rows out"#);
    assert_eq!(refused(&named("a", None, None)), r#"row 2 of column "a" has no value; leave such rows out"#);
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
    write(&path, vec![("a", lists(&[None, row(&[1.0])]))]);
    assert_eq!(refused(&ReadOptions::default()), r#"row 0 of column "a" has no value; leave such rows out"#);
    write(&path, vec![("a", lists(&[row(&[])]))]);
    assert_eq!(refused(&ReadOptions::default()), "row 0 has an empty vector; leave such rows out");
    write(&path, vec![("a", lists(&[]))]);
    assert_eq!(refused(&ReadOptions::default()), "has no rows; give at least one");
    write(&path, vec![("n", Arc::new(Int64Array::from(vec![4])))]);
    assert_eq!(
        refused(&ReadOptions::default()),
        r#"has no column of lists of floats or 8-bit integers; its columns are "n""#
    );
    std::fs::write(&path, b"PAR1 it is not").unwrap();
    assert!(refused(&ReadOptions::default()).starts_with("cannot be read as Parquet ("));
}
