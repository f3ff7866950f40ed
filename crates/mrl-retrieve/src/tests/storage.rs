use std::{
    cell::Cell,
    fs::{self, File},
    path::Path,
};

use mrl_embedding::{EmbeddingSet, Metadata, Nesting};
use proptest::prelude::*;

use super::{SMALL, contents, name, named, rows, set, small};
use crate::{
    BuildOptions, Dtype, Error, Id, Index, Metric, Rotate, Schedule, Source, Visit, Writer,
    file::{Disk, Root},
};

/// Makes `text` the list of parts of the file at `path`, as a commit would.
pub(super) fn sign(path: &Path, file: &mut File, text: &[u8]) {
    let (root, held) = Root::read(path, file).unwrap();
    let end = root.offset + root.len;
    file.write_at(text, end).unwrap();
    let checksum = xxhash_rust::xxh3::xxh3_64(text);
    let root = Root { generation: root.generation + 1, offset: end, len: text.len() as u64, checksum };
    root.commit(held, file).unwrap();
}

fn message<T>(result: Result<T, Error>) -> String {
    result.err().expect("it is refused").to_string()
}

#[test]
fn an_index_holds_what_it_was_built_from() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index");
    let mut source = named(set(300, 12, 1), 0);
    source.metadata = Metadata {
        nesting: Some(Nesting::new([4, 12], 12).unwrap()),
        encoder: Some("resnet18".into()),
        class_names: Some(vec!["cat".into()]),
        ..Metadata::default()
    };
    BuildOptions::default().build(&source, &path).unwrap();
    let index = Index::open(&path).unwrap();
    index.verify().unwrap();
    assert_eq!((index.len(), index.width(), index.dims()), (300, 12, &[4, 12][..]));
    assert_eq!(index.metadata(), source.metadata);
    for row in 0..300 {
        assert_eq!(index.row(row).unwrap(), source.row(row));
        assert_eq!(index.id(row).unwrap(), name(row));
        assert_eq!(index.position(&name(row)).unwrap(), Some(row));
        assert_eq!(index.label(row).unwrap(), Some(row as i64));
    }
    assert_eq!(index.position(&name(300)).unwrap(), None);
    assert!(matches!(index.position(&Id::Number(3)), Err(Error::IdKind { .. })));
    let info = index.info();
    assert_eq!((info.rows, info.removed, info.segments, info.generation), (300, 0, 1, 1));
    assert_eq!(info.bytes as u64, fs::metadata(&path).unwrap().len());
}

#[test]
fn equal_sources_give_equal_files() {
    assert!(small() == *SMALL);
}

/// Rows with an id each, in order: what an index should hold.
type Model = Vec<(u64, Vec<f32>)>;

#[derive(Clone, Debug)]
enum Step {
    Add(usize),
    Remove(Vec<usize>),
    Compact,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (1usize..80).prop_map(Step::Add),
        proptest::collection::vec(any::<usize>(), 1..40).prop_map(Step::Remove),
        Just(Step::Compact),
    ]
}

fn options() -> impl Strategy<Value = BuildOptions> {
    let dtype = prop_oneof![Just(Dtype::F32), Just(Dtype::Bf16), Just(Dtype::Int8)];
    let rotate = prop_oneof![Just(Rotate::None), Just(Rotate::Pca), Just(Rotate::Auto)];
    let dims = prop_oneof![Just(vec![]), Just(vec![1, 3]), Just(vec![10])];
    let metric = prop_oneof![Just(Metric::Cosine), Just(Metric::Dot)];
    (metric, dims, rotate, dtype, any::<bool>()).prop_map(
        |(metric, dims, rotate, shortlist_dtype, has_graph)| {
            let shortest = dims.first().copied().unwrap_or(8);
            BuildOptions { metric, dims, rotate, shortlist_dtype, graph: has_graph.then_some(shortest) }
        },
    )
}

/// Takes `step` with the index at `path`, and with what it should hold.
fn take(step: &Step, path: &Path, model: &mut Model, next: &mut u64) {
    let mut writer = Writer::open(path).unwrap();
    match step {
        Step::Add(n) => {
            let set = set(*n, 10, *next);
            writer.add(&set).unwrap();
            model.extend((0..*n).map(|row| (*next + row as u64, set.row(row).to_vec())));
            *next += *n as u64;
        }
        Step::Remove(places) if !model.is_empty() => {
            let ids: Vec<u64> = places.iter().map(|place| model[place % model.len()].0).collect();
            writer.remove(&ids.iter().copied().map(Id::Number).collect::<Vec<_>>()).unwrap();
            model.retain(|(id, _)| !ids.contains(id));
        }
        Step::Remove(_) => {}
        Step::Compact => {
            writer.compact().unwrap();
            assert_eq!(writer.index().unwrap().positions(), model.len());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(mrl_testing::scaled(60)))]

    #[test]
    fn changes_add_up(options in options(), steps in proptest::collection::vec(step(), 1..8)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("index");
        let first = set(30, 10, 77);
        options.build(&first, &path).unwrap();
        let mut model: Model = (0..30).map(|row| (row as u64, first.row(row).to_vec())).collect();
        let mut next = 30;
        let mut was_empty = false;
        for step in &steps {
            let before = Index::open(&path).unwrap();
            let seen = contents(&before).unwrap();
            take(step, &path, &mut model, &mut next);
            was_empty |= model.is_empty();
            prop_assert_eq!(&contents(&before).unwrap(), &seen, "a reader keeps what it opened");
        }
        let index = Index::open(&path).unwrap();
        index.verify().unwrap();
        prop_assert_eq!(index.len(), model.len());
        let live = |&row: &usize| !index.is_removed(row).unwrap();
        let found: Model = (0..index.positions())
            .filter(live)
            .map(|row| match index.id(row).unwrap() {
                Id::Number(id) => (id, index.row(row).unwrap()),
                Id::Name(_) => unreachable!(),
            })
            .collect();
        prop_assert_eq!(&found, &model);
        // Compacting no rows leaves nothing to walk along.
        prop_assert!(was_empty || index.info().graph == options.graph);
        if let (Some(dim), false) = (index.info().graph, model.is_empty()) {
            // A walk that keeps few finds rows that are there, those too that came after the graph.
            let searcher = index.searcher().unwrap();
            let hits = searcher.search(&rows(5, 10, 3), 2, &format!("g{dim}:2").parse().unwrap()).unwrap();
            prop_assert_eq!(hits.k(), model.len().min(2));
            prop_assert!(hits.positions().iter().all(live));
        }
        for id in 0..next {
            let position = index.position(&Id::Number(id)).unwrap();
            prop_assert_eq!(position.is_some(), model.iter().any(|(other, _)| *other == id));
        }
    }
}

#[test]
fn rows_beyond_a_block_and_a_piece_are_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index");
    let source = set(9_001, 40, 5);
    let options = BuildOptions { dims: vec![17], rotate: Rotate::Pca, ..BuildOptions::default() };
    options.build(&source, &path).unwrap();
    let index = Index::open(&path).unwrap();
    index.verify().unwrap();
    assert!((0..9_001).all(|row| index.row(row).unwrap() == source.row(row)));
    drop(index);
    let mut writer = Writer::open(&path).unwrap();
    writer.remove(&[Id::Number(0), Id::Number(5_000)]).unwrap();
    writer.compact().unwrap();
    let index = Index::open(&path).unwrap();
    index.verify().unwrap();
    assert_eq!(index.row(4_999).unwrap(), source.row(5_001));
}

#[test]
fn what_does_not_fit_is_refused_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index");
    fs::write(&path, &*SMALL).unwrap();
    let mut writer = Writer::open(&path).unwrap();
    let mut refused = |source: &EmbeddingSet| message(writer.add(source));

    assert_eq!(
        refused(&set(3, 7, 1)),
        "the source is 7 wide but the index is 8; embed it with the encoder of the index"
    );
    assert_eq!(
        refused(&set(3, 8, 1)),
        "the source has no labels but the index has labels; label all rows or none"
    );
    let labelled = set(3, 8, 1).with_labels(vec![1, 2, 3]).unwrap();
    assert_eq!(refused(&labelled), "the ids of the index are names, those given numbers; use one kind");
    assert_eq!(
        refused(&named(set(3, 8, 1), 77)),
        r#"the id "row 77" is in the index already; remove it first, or give the new row an id of its own"#
    );
    let twice = labelled.clone().with_ids(["b", "a", "b"].map(String::from).to_vec()).unwrap();
    assert_eq!(refused(&twice), r#"the id "b" comes twice in the source; give each row an id of its own"#);
    let mut numbers = rows(3, 8, 1);
    numbers[20] = f32::NAN;
    let not_finite = named(EmbeddingSet::new(numbers, 8).unwrap(), 100);
    assert_eq!(
        refused(&not_finite),
        "row 2 of the source has norm NaN; give finite numbers, and norms up to 1e37"
    );
    assert_eq!(refused(&EmbeddingSet::new(vec![], 8).unwrap()), "the source has no rows; give at least one");
    assert_eq!(
        message(writer.remove(&[name(5), name(71), name(300)])),
        r#"the ids "row 71", "row 300" are not in the index; nothing was removed"#
    );
    assert_eq!(
        message(writer.remove(&[Id::Number(5)])),
        "the ids of the index are names, those given numbers; use one kind"
    );
    assert!(fs::read(&path).unwrap() == *SMALL);

    // A removed id may come again.
    writer.add(&named(set(1, 8, 9), 71)).unwrap();
    assert_eq!(writer.index().unwrap().position(&name(71)).unwrap(), Some(79));
}

#[test]
fn builds_refuse_what_they_cannot_use() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index");
    let refused = |dims: &[usize], source: &EmbeddingSet| {
        let options = BuildOptions { dims: dims.to_vec(), ..BuildOptions::default() };
        message(options.build(source, &path))
    };
    let source = set(30, 8, 1);
    assert_eq!(refused(&[9], &source), "nesting dim 9 exceeds the width 8; use dims up to 8");
    assert_eq!(
        refused(&[4, 2], &source),
        "nesting dim 2 follows 4; give the dims in increasing order, each once"
    );
    let mut numbers = rows(30, 8, 1);
    numbers[29 * 8] = f32::INFINITY;
    let infinite = EmbeddingSet::new(numbers, 8).unwrap();
    assert!(refused(&[], &infinite).starts_with("row 29 of the source has norm inf"));
    assert_eq!(
        refused(&[], &EmbeddingSet::new(vec![], 8).unwrap()),
        "the source has no rows; give at least one"
    );
    assert!(!path.exists());
}

#[test]
fn a_build_replaces_an_index_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index");
    let build = || BuildOptions::default().build(&set(20, 8, 1), &path);
    for other in
        [b"a letter".to_vec(), rows(4_000, 8, 1).iter().flat_map(|number| number.to_le_bytes()).collect()]
    {
        fs::write(&path, &other).unwrap();
        assert!(message(build()).ends_with("it stays as it is: name another file, or delete it first"));
        assert_eq!(fs::read(&path).unwrap(), other);
    }
    fs::write(&path, b"").unwrap();
    build().unwrap();
    let whole = fs::read(&path).unwrap();
    // One of another version, and one whose heads are damaged, are indexes too.
    for bytes in [&[8usize][..], &[20, 4116]] {
        let mut damaged = whole.clone();
        for &at in bytes {
            damaged[at] ^= 1;
        }
        fs::write(&path, damaged).unwrap();
        build().unwrap();
        assert_eq!(fs::read(&path).unwrap(), whole);
    }
}

#[test]
fn vectors_of_two_encoders_are_not_mixed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index");
    let of = |weights: &str| {
        let mut set = set(20, 8, 1);
        set.metadata.weights = Some(weights.into());
        set
    };
    BuildOptions::default().build(&of("first"), &path).unwrap();
    let mut writer = Writer::open(&path).unwrap();
    assert_eq!(
        message(writer.add(&of("second"))),
        "the source is of the encoder second but the index of first; vectors of two encoders do not compare"
    );
    writer.add(&of("first")).unwrap();
    writer.add(&set(2, 8, 2)).unwrap();
}

#[test]
fn there_is_one_writer_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index");
    fs::write(&path, &*SMALL).unwrap();
    let mut writer = Writer::open(&path).unwrap();
    let expected = format!(
        "{}: another process is changing this index; try again when it has ended (reading is possible meanwhile)",
        path.display()
    );
    assert_eq!(message(Writer::open(&path)), expected);
    assert_eq!(message(BuildOptions::default().build(&set(3, 8, 1), &path)), expected);
    writer.compact().unwrap();
    assert_eq!(message(Writer::open(&path)), expected, "of the new file");
    writer.add(&named(set(3, 8, 1), 200)).unwrap();
    drop(writer);
    assert_eq!(Writer::open(&path).unwrap().index().unwrap().len(), 79);
}

#[test]
fn a_schedule_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index");
    fs::write(&path, &*SMALL).unwrap();
    let mut writer = Writer::open(&path).unwrap();
    assert_eq!(writer.index().unwrap().schedule(), None);
    let schedule: Schedule = "2:40,t5:20,8".parse().unwrap();
    writer.set_schedule(Some(schedule.clone())).unwrap();
    writer.compact().unwrap();
    writer.add(&named(set(3, 8, 1), 100)).unwrap();
    assert_eq!(Index::open(&path).unwrap().schedule(), Some(&schedule));
    let other = "4:20".parse().unwrap();
    assert_eq!(
        message(writer.set_schedule(Some(other))),
        "the index has no prefix of 4 dims; it has 2, 5, 8"
    );
    writer.set_schedule(None).unwrap();
    assert_eq!(Index::open(&path).unwrap().schedule(), None);
}

#[test]
fn an_empty_index_can_be_filled_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index");
    BuildOptions::default().build(&set(20, 16, 1), &path).unwrap();
    let mut writer = Writer::open(&path).unwrap();
    writer.remove(&(0..20).map(Id::Number).collect::<Vec<_>>()).unwrap();
    assert!(writer.index().unwrap().is_empty());
    writer.compact().unwrap();
    assert_eq!(writer.index().unwrap().info().segments, 0);
    writer.add(&set(4, 16, 2)).unwrap();
    let index = writer.index().unwrap();
    index.verify().unwrap();
    assert_eq!(index.id(0).unwrap(), Id::Number(20), "ids are not used again");
}

#[test]
fn a_small_add_costs_little_room() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index");
    BuildOptions::default().build(&set(20, 16, 1), &path).unwrap();
    let mut writer = Writer::open(&path).unwrap();
    let before = writer.index().unwrap().info().bytes;
    writer.add(&set(1, 16, 2)).unwrap();
    let index = writer.index().unwrap();
    assert!(index.info().bytes - before < 3_000, "{}", index.info().bytes - before);
}

#[test]
fn auto_rotates_where_it_helps() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index");
    let rotated = |numbers: Vec<f32>| {
        let source = EmbeddingSet::new(numbers, 16).unwrap();
        BuildOptions { dims: vec![4], ..BuildOptions::default() }
            .build(&source, &path)
            .unwrap()
            .info()
            .rotated
    };
    // What tells rows apart stands in the last numbers, then in the first.
    let mut last = rows(2_000, 16, 1);
    last.chunks_exact_mut(16).for_each(<[f32]>::reverse);
    assert!(rotated(last));
    let mut first = rows(2_000, 16, 1);
    first.chunks_exact_mut(16).for_each(|row| row[4..].fill(0.0));
    assert!(!rotated(first));
}

#[cfg(unix)]
#[test]
fn a_device_is_no_empty_file() {
    let device = File::open("/dev/null").unwrap();
    assert!(!crate::file::is_replaceable(&device).unwrap());
}

/// Counts how often its rows are read.
struct Counted {
    rows: EmbeddingSet,
    visits: Cell<usize>,
}

impl Source for Counted {
    fn rows(&self) -> usize {
        self.rows.len()
    }

    fn width(&self) -> usize {
        self.rows.width()
    }

    fn visit(&self, visit: &mut Visit<'_>) -> Result<(), Error> {
        self.visits.set(self.visits.get() + 1);
        visit(self.rows.embeddings())
    }
}

#[test]
fn rows_are_read_once_more_only_for_a_rotation() {
    let folder = tempfile::tempdir().unwrap();
    let visits = |rotate, dims: &[usize]| {
        let source = Counted { rows: set(30, 16, 1), visits: Cell::new(0) };
        let options = BuildOptions { rotate, dims: dims.to_vec(), ..BuildOptions::default() };
        options.build(&source, folder.path().join("index")).unwrap();
        source.visits.get()
    };
    assert_eq!(visits(Rotate::None, &[8]), 1);
    assert_eq!(visits(Rotate::Auto, &[16]), 1);
    assert_eq!(visits(Rotate::Pca, &[8]), 2);
}
