//! The files that `mrl eval` writes are what `docs/report.md` says, and can be read back.

use std::{collections::BTreeSet, fs, path::Path};

use mrl_embedding::EmbeddingSet;
use mrl_eval::{Comparison, EvalOptions, Evaluation, Report, Summary, evaluate};
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

#[test]
fn every_field_is_documented_and_the_report_can_be_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let reports = [report(0), report(3)];
    reports[0].write(folder.path(), None).unwrap();
    assert_eq!(Report::read(folder.path()).unwrap(), reports[0]);
    assert_eq!(Report::read(&folder.path().join("report.json")).unwrap(), reports[0]);
    Summary::of(&reports).unwrap().write(folder.path()).unwrap();
    let named = ["one", "two"].map(str::to_owned).into_iter().zip(reports);
    Comparison::of(named.collect()).unwrap().write(folder.path()).unwrap();

    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/report.md");
    let page = fs::read_to_string(page).unwrap();
    for file in ["report.json", "summary.json", "compare.json"] {
        let value: Value = serde_json::from_slice(&fs::read(folder.path().join(file)).unwrap()).unwrap();
        let mut found = BTreeSet::new();
        keys(&value, &mut found);
        found.remove("fixed");
        assert!(found.len() > 10, "{file}");
        for key in found {
            assert!(page.contains(&format!("`{key}`")), "docs/report.md does not speak of `{key}` of {file}");
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

mod damaged {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
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
                    .and_then(|comparison| comparison.write(folder.path()));
            }
        }
    }
}
