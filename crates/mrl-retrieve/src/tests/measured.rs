//! What is measured of searches, beside plain loops.

use std::{num::NonZeroUsize, path::Path};

use mrl_embedding::EmbeddingSet;

use super::{rows, set};
use crate::{BenchOptions, BuildOptions, Hits, Id, Index, Rotate, Schedule, TuneOptions, Workload, Writer};

const WIDTH: usize = 8;
const K: usize = 6;

/// Of row `number`, or of a query: four classes, and one that only row 17 has.
fn label(number: usize) -> i64 {
    if number == 17 { 9 } else { (number / 3 % 4) as i64 - 1 }
}

/// 240 rows in two segments, every seventh of them removed.
fn labelled(path: &Path) -> Index {
    let all = |range: std::ops::Range<usize>, seed| {
        let labels = range.clone().map(label).collect();
        set(range.len(), WIDTH, seed).with_labels(labels).unwrap()
    };
    let options = BuildOptions { dims: vec![2, 4], rotate: Rotate::Pca, ..BuildOptions::default() };
    options.build(&all(0..150, 1), path).unwrap();
    let mut writer = Writer::open(path).unwrap();
    writer.add(&all(150..240, 2)).unwrap();
    writer.remove(&(0..240).step_by(7).map(|row| Id::Number(row as u64)).collect::<Vec<_>>()).unwrap();
    drop(writer);
    Index::open(path).unwrap()
}

/// The mean average precision after its definition. `queries` are labels, and the query's own row if it is one.
fn plain_map(index: &Index, queries: &[(i64, Option<usize>)], hits: &Hits) -> Option<f64> {
    let live = |row: &usize| !index.is_removed(*row).unwrap();
    let mut values = Vec::new();
    for (query, &(label, own)) in queries.iter().enumerate() {
        let is_relevant = |row: usize| Some(row) != own && index.label(row).unwrap() == Some(label);
        let relevant = (0..index.positions()).filter(live).filter(|&row| is_relevant(row)).count();
        let found = &hits.positions()[query * hits.k()..][..hits.k()];
        let found: Vec<usize> = found.iter().copied().filter(|&row| Some(row) != own).take(K).collect();
        let mut sum = 0.0;
        for rank in 1..=found.len() {
            if is_relevant(found[rank - 1]) {
                let precision =
                    found[..rank].iter().filter(|&&row| is_relevant(row)).count() as f64 / rank as f64;
                sum += precision;
            }
        }
        if relevant > 0 {
            values.push(sum / K.min(relevant) as f64);
        }
    }
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

#[test]
fn the_mean_average_precision_is_that_of_plain_loops() {
    let folder = tempfile::tempdir().unwrap();
    let index = labelled(&folder.path().join("index"));
    let searcher = index.searcher().unwrap();
    let options = TuneOptions { k: K, recall: 0.9, workload: Workload::Single, ..TuneOptions::default() };
    let own: Vec<usize> = (0..index.positions()).filter(|row| row % 7 != 0).collect();
    let stand_ins: Vec<f32> = own.iter().flat_map(|&row| index.row(row).unwrap()).collect();
    // The last has a label that no row has, and is left out.
    let given = set(40, WIDTH, 3).with_labels((0..39).map(|n| n % 4 - 1).chain([77]).collect()).unwrap();
    let of_rows = own.iter().map(|&row| (label(row), Some(row))).collect::<Vec<_>>();
    let of_given = given.labels().unwrap().iter().map(|&label| (label, None)).collect::<Vec<_>>();
    for (queries, values, labels, asked) in
        [(None, &stand_ins[..], of_rows, K + 1), (Some(&given), given.embeddings(), of_given, K)]
    {
        let points = searcher.tune(queries, &options).unwrap().points;
        let maps = points.iter().map(|point| {
            let hits = searcher.search(values, asked, &point.schedule).unwrap();
            let expected = plain_map(&index, &labels, &hits).unwrap();
            let map = point.map.unwrap();
            assert!((map - expected).abs() < 1e-12, "{}: {map}, not {expected}", point.schedule);
            assert!(0.05 < map && map < 0.95, "all or nothing is found, which shows little: {map}");
            map.to_bits()
        });
        assert!(maps.collect::<std::collections::HashSet<_>>().len() > 3, "all schedules find the same");
    }
}

#[test]
fn many_labelled_queries_are_thinned_out_with_their_labels() {
    let folder = tempfile::tempdir().unwrap();
    let index = labelled(&folder.path().join("index"));
    let searcher = index.searcher().unwrap();
    let options = TuneOptions { k: K, ..TuneOptions::default() };
    // Every third is a query of its own; those between have a label that is found nowhere and would be left out.
    let (few, width) = (set(500, WIDTH, 4), WIDTH);
    let labels: Vec<i64> = (0..500).map(|n| n % 4 - 1).collect();
    let many: Vec<f32> = (0..1499).flat_map(|n| few.row(n / 3).to_vec()).collect();
    let many_labels = (0..1499).map(|n| if n % 3 == 0 { labels[n / 3] } else { 77 }).collect();
    let many = EmbeddingSet::new(many, width).unwrap().with_labels(many_labels).unwrap();
    let few = few.with_labels(labels).unwrap();
    let exact = |queries: &EmbeddingSet| {
        let points = searcher.tune(Some(queries), &options).unwrap().points;
        points.into_iter().find(|point| point.schedule == Schedule::exact()).unwrap().map.unwrap()
    };
    assert_eq!(exact(&many), exact(&few));
}

#[test]
fn without_labels_on_both_sides_there_is_no_precision() {
    let folder = tempfile::tempdir().unwrap();
    let labelled = labelled(&folder.path().join("labelled"));
    let plain = BuildOptions::default().build(&set(60, WIDTH, 5), folder.path().join("plain")).unwrap();
    let queries = set(10, WIDTH, 6);
    let with_labels = queries.clone().with_labels(vec![0; 10]).unwrap();
    let nowhere = queries.clone().with_labels(vec![77; 10]).unwrap();
    for (index, queries) in [
        (&labelled, Some(&queries)),
        (&labelled, Some(&nowhere)),
        (&plain, Some(&with_labels)),
        (&plain, None),
    ] {
        let tuning = index.searcher().unwrap().tune(queries, &TuneOptions::default()).unwrap();
        assert!(tuning.points.iter().all(|point| point.map.is_none()), "{tuning:?}");
    }
}

#[test]
fn queries_of_another_width_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let index = labelled(&folder.path().join("index"));
    // As many numbers as one query has.
    let queries = set(2, WIDTH / 2, 7);
    let error = index.searcher().unwrap().tune(Some(&queries), &TuneOptions::default()).unwrap_err();
    assert!(error.to_string().starts_with("8 numbers are no queries of width 8"), "{error}");
}

#[test]
fn schedules_are_timed_in_rounds() {
    let folder = tempfile::tempdir().unwrap();
    let index = labelled(&folder.path().join("index"));
    let searcher = index.searcher().unwrap();
    let queries = set(80, WIDTH, 8);
    let schedules = [Schedule::scan(WIDTH, NonZeroUsize::new(K).unwrap()), Schedule::exact()];
    let schedules: Vec<Schedule> = schedules.into_iter().chain(["2:7,8".parse().unwrap()]).collect();
    assert_eq!(schedules[0].to_string(), "t8:6");
    let options = BenchOptions { k: K, repeats: NonZeroUsize::new(2).unwrap() };
    let mut told = Vec::new();
    let bench = searcher
        .bench(Some(&queries), &schedules, &options, &mut |done, all| told.push((done, all)))
        .unwrap();
    assert_eq!(told, (1..=12).map(|done| (done, 12)).collect::<Vec<_>>(), "3 schedules, 2 ways, 2 rounds");
    assert_eq!((bench.k, bench.repeats, bench.batch_queries, bench.single_queries), (K, 2, 80, 64));
    let search = |schedule| searcher.search(queries.embeddings(), K, schedule).unwrap();
    let truth = search(&schedules[1]);
    for (benchmark, schedule) in bench.schedules.iter().zip(&schedules) {
        let found = search(schedule);
        let mut both = 0;
        for (truth, found) in truth.positions().chunks(K).zip(found.positions().chunks(K)) {
            both += truth.iter().filter(|row| found.contains(row)).count();
        }
        assert_eq!((&benchmark.schedule, benchmark.recall), (schedule, both as f64 / (80 * K) as f64));
        for pace in [benchmark.single, benchmark.batch] {
            assert!(0.0 < pace.fastest_s && pace.fastest_s <= pace.query_s && pace.query_s <= pace.slowest_s);
        }
    }
    let recalls: Vec<f64> = bench.schedules.iter().map(|benchmark| benchmark.recall).collect();
    assert!(recalls[..2] == [1.0, 1.0] && recalls[2] < 0.9, "{recalls:?}");
}

#[test]
fn what_cannot_be_timed_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index");
    let one = EmbeddingSet::new(rows(1, WIDTH, 9), WIDTH).unwrap();
    let index = BuildOptions::default().build(&one, &path).unwrap();
    let searcher = index.searcher().unwrap();
    let bench = |schedules: &[Schedule]| {
        searcher.bench(None, schedules, &BenchOptions::default(), &mut |_, _| {}).unwrap_err().to_string()
    };
    assert!(bench(&[Schedule::exact()]).contains("at least two rows"));
    let index = labelled(&folder.path().join("other"));
    let searcher = index.searcher().unwrap();
    let schedule: Schedule = "3:50".parse().unwrap();
    let error = searcher.bench(None, &[schedule], &BenchOptions::default(), &mut |_, _| {}).unwrap_err();
    assert!(error.to_string().contains("no prefix of 3 dims"), "{error}");
}
