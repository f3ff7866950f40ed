//! The files that `mrl eval` writes are what `docs/reference/report.md` says, and can be read back.

use std::{collections::BTreeSet, fs, path::Path};

use mrl_embedding::EmbeddingSet;
use mrl_eval::{
    Comparison, Database, Document, EvalOptions, Evaluation, Measure, Measures, Method, NamedFile, Report,
    Summary, evaluate,
};
use serde_json::Value;

fn set(rows: usize, shift: usize) -> EmbeddingSet {
    let labels: Vec<i64> = (0..rows as i64).map(|row| row % 3).collect();
    let value = |i: usize| ((i * 7 + shift) % 11) as f32 + labels[i / 4] as f32;
    EmbeddingSet::new((0..rows * 4).map(value).collect(), 4).unwrap().with_labels(labels.clone()).unwrap()
}

fn options() -> EvalOptions {
    EvalOptions { resamples: 20, dims: Some(vec![1, 2, 4]), ..EvalOptions::default() }
}

fn report(shift: usize) -> Report {
    let (train, test, options) = (set(60, shift), set(30, shift), options());
    let mut evaluation = Evaluation::new(&train, &test, &options).unwrap();
    evaluation.add_baseline("fixed", &evaluate(&train, &test, &options, &mut |_| {}).unwrap()).unwrap();
    evaluation.run(&mut |_| {}).unwrap()
}

/// All keys of objects; those of `methods` and `baselines` are names.
fn keys(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(entries) => {
            for (key, value) in entries {
                found.insert(key.clone());
                keys(value, found);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| keys(value, found)),
        _ => {}
    }
}

fn write(folder: &Path, files: Vec<NamedFile>) {
    let names =
        [Document::Report, Document::Comparison, Document::Summary].map(Document::file_names).concat();
    assert!(files.iter().all(|(name, _)| names.contains(name)));
    for (name, bytes) in files {
        fs::write(folder.join(name), bytes).unwrap();
    }
}

#[test]
fn every_field_is_documented_and_the_report_can_be_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let reports = [report(0), report(3)];
    write(folder.path(), reports[0].files(None).unwrap());
    assert_eq!(Report::read(folder.path()).unwrap(), reports[0]);
    assert_eq!(Report::read(&folder.path().join("report.json")).unwrap(), reports[0]);
    write(folder.path(), Summary::of(&reports).unwrap().files().unwrap());
    let named = ["one", "two"].map(str::to_owned).into_iter().zip(reports);
    write(folder.path(), Comparison::of(named.collect()).unwrap().files().unwrap());

    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/report.md");
    let page = fs::read_to_string(page).unwrap();
    for file in ["report.json", "summary.json", "compare.json"] {
        let value: Value = serde_json::from_slice(&fs::read(folder.path().join(file)).unwrap()).unwrap();
        let mut found = BTreeSet::new();
        keys(&value, &mut found);
        found.remove("fixed");
        assert!(found.len() > 10, "{file}");
        for key in found {
            assert!(
                page.contains(&format!("`{key}`")),
                "docs/reference/report.md does not speak of `{key}` of {file}"
            );
        }
    }
}

#[test]
fn a_report_whose_lists_do_not_fit_its_dims_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut report = report(0);
    for measures in report.methods.values_mut() {
        measures.logreg.pop();
    }
    let path = folder.path().join("report.json");
    fs::write(&path, serde_json::to_vec(&report).unwrap()).unwrap();
    let error = Report::read(&path).unwrap_err().to_string();
    assert!(error.contains("prefix: logreg has 2 entries for 3 dims"), "{error}");
}

/// What no evaluation can find was written by hand.
#[test]
fn numbers_that_cannot_be_are_refused() {
    type Change = fn(&mut Measures);
    let changes: [(Change, &str); 6] = [
        (|prefix| prefix.logreg[1] = 1.5, "prefix: logreg is 1.5, not from 0 to 1, at dim 2"),
        (|prefix| prefix.knn1[0] = -0.1, "prefix: knn1 is -0.1, not from 0 to 1, at dim 1"),
        (
            |prefix| prefix.knn_interval[2] = [0.9, 0.1],
            "knn_interval is [0.9, 0.1], from high to low, at dim 4",
        ),
        (|prefix| prefix.probe[0].raw.ece = 2.0, "ece is 2, not from 0 to 1, at dim 1"),
        (
            |prefix| prefix.retrieval[0].at[0].map_interval = Some([0.0, 7.0]),
            "map_interval is 7, not from 0 to 1",
        ),
        (|prefix| prefix.cascade.as_mut().unwrap().oracle.accuracy = 3.0, "accuracy of the cascade is 3"),
    ];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.json");
    let whole = report(0);
    for (change, part) in changes {
        let mut report = whole.clone();
        change(report.methods.get_mut(&Method::Prefix).unwrap());
        fs::write(&path, serde_json::to_vec(&report).unwrap()).unwrap();
        let error = Report::read(&path).unwrap_err().to_string();
        assert!(error.contains(part) && error.contains("report.json: is not a report"), "{error}");
        assert!(error.ends_with("write it again with `mrl eval`"), "{error}");
    }
}

#[test]
fn without_resamples_there_are_no_intervals() {
    let folder = tempfile::tempdir().unwrap();
    let (train, test) = (set(60, 0), set(30, 0));
    let options = EvalOptions { resamples: 0, ..options() };
    let report = evaluate(&train, &test, &options, &mut |_| {}).unwrap();
    let prefix = &report.methods[&Method::Prefix];
    assert!(
        prefix.logreg_interval.is_empty()
            && prefix.knn1_interval.is_empty()
            && prefix.knn_interval.is_empty()
    );
    assert!(prefix.retrieval.iter().flat_map(|scores| &scores.at).all(|at| at.map_interval.is_none()));
    assert!(!report.table().contains('±') && !report.html(None).contains("Bars hold"), "{}", report.table());
    write(folder.path(), report.files(None).unwrap());
    assert_eq!(Report::read(folder.path()).unwrap(), report);
    let runs = [("a".to_owned(), report.clone()), ("b".to_owned(), report)];
    assert!(!Comparison::of(runs.to_vec()).unwrap().table().contains('±'));
}

#[test]
fn where_nothing_can_be_found_retrieval_shows_a_dash() {
    let labels = |rows: i64| (0..rows).collect::<Vec<i64>>();
    let of = |rows: i64| {
        EmbeddingSet::new((0..rows * 4).map(|i| (i * i % 7) as f32).collect(), 4)
            .unwrap()
            .with_labels(labels(rows))
            .unwrap()
    };
    let options = EvalOptions {
        measures: vec![Measure::Retrieval],
        database: Database::Test,
        hits: vec![3],
        ..options()
    };
    let report = evaluate(&of(5), &of(4), &options, &mut |_| {}).unwrap();
    let json = serde_json::to_value(&report).unwrap();
    let at = &json["methods"]["prefix"]["retrieval"][0]["at"][0];
    assert!(["map", "map_interval", "precision", "recall"].iter().all(|key| at[key].is_null()), "{at}");
    let table = report.table();
    let row = table.lines().find(|line| line.trim_start().starts_with("1 ")).unwrap();
    assert_eq!(row.split_whitespace().collect::<Vec<_>>(), ["1", "3", "-", "-", "-", "3"], "{table}");
}

#[test]
fn a_vote_of_all_rows_says_how_many_they_are_and_a_tiny_penalty_is_short() {
    let (train, test) = (set(60, 0), set(30, 0));
    let options = EvalOptions { l2: Some(1e-300), ..options() };
    let table = evaluate(&train, &test, &options, &mut |_| {}).unwrap().table();
    assert!(table.contains("Weighted 60-NN") && !table.contains("200"), "{table}");
    assert!(table.contains(" 1e-300 ") && table.lines().all(|line| line.chars().count() < 170), "{table}");
}

#[test]
fn runs_that_no_mean_fits_are_refused_before_they_are_measured() {
    let (train, test, options) = (set(60, 0), set(30, 0), EvalOptions { dims: None, ..options() });
    let wide = |rows: usize| {
        let values = (0..rows * 8).map(|i| (i % 5) as f32).collect();
        EmbeddingSet::new(values, 8)
            .unwrap()
            .with_labels((0..rows as i64).map(|row| row % 3).collect())
            .unwrap()
    };
    let (wide_train, wide_test) = (wide(60), wide(30));
    let of = |train, test| Evaluation::new(train, test, &options).unwrap();
    Summary::check(&[of(&train, &test), of(&train, &test)]).unwrap();
    let error = Summary::check(&[of(&train, &test), of(&wide_train, &wide_test)]).unwrap_err().to_string();
    assert!(error.starts_with("run 2 has other dims"), "{error}");
}

mod damaged {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(mrl_testing::scaled(32)))]
        /// A file that is cut or has a wrong byte is refused or read, and what was read can be shown.
        #[test]
        fn reports_never_panic(cut in 0usize..2_000, at in 0usize..20_000, value: u8) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("report.json");
            let mut bytes = serde_json::to_vec(&report(0)).unwrap();
            let at = at % bytes.len();
            bytes[at] = value;
            if cut > 1_000 {
                bytes.truncate(bytes.len() - cut);
            }
            fs::write(&path, &bytes).unwrap();
            if let Ok(report) = Report::read(&path) {
                let _ = report.table();
                let _ = report.html(None);
                let (train, test, options) = (set(60, 0), set(30, 0), options());
                let mut evaluation = Evaluation::new(&train, &test, &options).unwrap();
                let _ = evaluation.add_baseline("damaged", &report).and_then(|()| evaluation.add_baseline("damaged", &report));
                let _ = Comparison::of(vec![("a".to_owned(), report.clone()), ("b".to_owned(), report)])
                    .and_then(|comparison| comparison.files());
            }
        }
    }
}
