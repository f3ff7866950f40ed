//! The tables of a report. What was not measured has none.

use std::collections::BTreeSet;

use super::{
    curve::Accuracy,
    table::{Cell, Table, percent},
};
use crate::{Database, Measures, Method, Report, number::number};

/// The tables that everybody wants to see.
pub(crate) fn tables(report: &Report) -> Vec<Table> {
    let accuracies = Accuracy::ALL.into_iter().filter_map(|accuracy| {
        let curves = accuracy.curves(report);
        let title = format!("{}, accuracy in %", accuracy.title(Some(report.voters())));
        (!curves.is_empty()).then(|| Table::of_curves(title, &curves))
    });
    let prefix = report.methods.get(&Method::Prefix);
    let of_prefix = prefix.map(|prefix| [calibration(prefix), retrieval(report, prefix), cascade(prefix)]);
    accuracies.chain(of_prefix.into_iter().flatten().flatten()).chain(geometry(report)).collect()
}

fn table(title: String, columns: &[&str], rows: Vec<Vec<String>>) -> Option<Table> {
    let cells = |row: Vec<String>| row.into_iter().map(Cell::from).collect();
    (!rows.is_empty()).then(|| Table {
        title,
        columns: columns.iter().map(ToString::to_string).collect(),
        rows: rows.into_iter().map(cells).collect(),
    })
}

/// A dash stands for what was not measured.
fn or_dash(value: Option<f64>, text: impl FnOnce(f64) -> String) -> String {
    value.map_or_else(|| "-".to_owned(), text)
}

fn calibration(prefix: &Measures) -> Option<Table> {
    let columns = ["dim", "l2", "log-loss", "ECE %", "temperature", "scaled log-loss", "scaled ECE %"];
    let rows = prefix.dims.iter().zip(&prefix.probe).map(|(dim, probe)| {
        let scaled = probe.scaled.as_ref();
        let decimals = |count: usize| move |value: f64| format!("{value:.count$}");
        vec![
            dim.to_string(),
            number(probe.l2),
            format!("{:.4}", probe.raw.log_loss),
            format!("{:.2}", 100.0 * probe.raw.ece),
            or_dash(scaled.map(|scaled| scaled.temperature), decimals(3)),
            or_dash(scaled.map(|scaled| scaled.log_loss), decimals(4)),
            or_dash(scaled.map(|scaled| 100.0 * scaled.ece), decimals(2)),
        ]
    });
    table("Probe on prefixes: penalty and calibration".to_owned(), &columns, rows.collect())
}

fn retrieval(report: &Report, prefix: &Measures) -> Option<Table> {
    let columns = ["dim", "hits", "mAP %", "precision %", "recall %", "multiply-adds"];
    let rows = prefix.dims.iter().zip(&prefix.retrieval).flat_map(|(dim, scores)| {
        scores.at.iter().map(move |at| {
            vec![
                dim.to_string(),
                at.k.to_string(),
                or_dash(at.map, |map| percent(map, at.map_interval)),
                or_dash(at.precision, |precision| percent(precision, None)),
                or_dash(at.recall, |recall| percent(recall, None)),
                grouped(scores.multiply_adds),
            ]
        })
    });
    let database = match report.options.database {
        Database::Train => "the training rows",
        Database::Test => "the other test rows",
    };
    table(format!("Retrieval by prefixes, test rows among {database}"), &columns, rows.collect())
}

fn cascade(prefix: &Measures) -> Option<Table> {
    let cascade = prefix.cascade.as_ref()?;
    let columns = ["cascade", "accuracy %", "dims read", "dims tried"];
    let row = |name: String, cost: &crate::CascadeCost| {
        let numbers = [100.0 * cost.accuracy, cost.expected_dims, cost.expected_dims_tried];
        std::iter::once(name).chain(numbers.iter().map(|number| format!("{number:.2}"))).collect::<Vec<_>>()
    };
    let points = cascade
        .points
        .iter()
        .map(|point| row(format!("may lose {}% held out", 100.0 * point.allowed_loss), &point.cost));
    let full = prefix.dims.last().zip(prefix.logreg.last()).map(|(&dim, &accuracy)| {
        let tried = dim as f64;
        row(
            "longest dim alone".to_owned(),
            &crate::CascadeCost { accuracy, expected_dims: tried, expected_dims_tried: tried },
        )
    });
    let oracle = row("oracle".to_owned(), &cascade.oracle);
    let title = "Adaptive classification: mean dims a test row".to_owned();
    table(title, &columns, points.chain(full).chain([oracle]).collect())
}

fn geometry(report: &Report) -> Option<Table> {
    let measured: Vec<(String, &Measures)> =
        report.all_measures().filter(|(_, measures)| !measures.effective_rank.is_empty()).collect();
    let columns: Vec<&str> =
        std::iter::once("dim").chain(measured.iter().map(|(name, _)| name.as_str())).collect();
    let row = |dim: &usize| {
        let cell = |(_, measures): &(String, &Measures)| {
            let index = measures.dims.binary_search(dim).ok();
            index.map_or_else(String::new, |index| format!("{:.2}", measures.effective_rank[index]))
        };
        std::iter::once(dim.to_string()).chain(measured.iter().map(cell)).collect()
    };
    let dims: BTreeSet<usize> = measured.iter().flat_map(|(_, measures)| &measures.dims).copied().collect();
    let rows = dims.iter().map(row).collect();
    table("Effective rank".to_owned(), &columns, rows)
}

/// How well the probe finds each class, on the longest prefix.
pub(crate) fn classes(report: &Report) -> Option<Table> {
    let probe = report.methods.get(&Method::Prefix)?.probe.last()?;
    let row = |(name, scores): (&String, &crate::ClassScores)| {
        let numbers = [scores.precision, scores.recall, scores.f1].map(|value| percent(value, None));
        std::iter::once(name.clone()).chain(numbers).chain([scores.support.to_string()]).collect()
    };
    let rows = report.class_names.iter().zip(&probe.classes).map(row).collect();
    let columns = ["class", "precision %", "recall %", "F1 %", "test rows"];
    table(format!("Classes, probe on {} dims", report.dims.last()?), &columns, rows)
}

/// What a reader must know beside the tables.
pub(crate) fn notes(report: &Report) -> Vec<String> {
    let interval = if report.options.resamples > 0 { "± is half the 95 % bootstrap interval; " } else { "" };
    let mut notes = vec![format!(
        "{} test rows; probes and neighbours from {} training rows of {} classes. {interval}* marks the best of a row.",
        report.test_size, report.train_size, report.classes
    )];
    if report.trained_dims.is_empty() {
        notes.push("The embeddings do not say which dims were trained.".to_owned());
    } else if report.dims.iter().any(|&dim| report.is_trained(dim) == Some(false)) {
        let trained: Vec<String> = report.trained_dims.iter().map(ToString::to_string).collect();
        notes.push(format!("~ not a trained prefix; trained are {}.", trained.join(", ")));
    }
    notes.extend(report.fold.as_deref().map(folded));
    if report.unseen_test_labels > 0 {
        notes.push(format!(
            "Test rows with a label that the training set lacks: {}. Each counts as an error; log-loss leaves them out.",
            report.unseen_test_labels
        ));
    }
    for (name, measures) in report.all_measures() {
        let fits = measures.dims.iter().zip(&measures.probe);
        for (dim, probe) in fits.filter(|(_, probe)| !probe.converged) {
            notes.push(format!(
                "The {name} probe on {dim} dims did not converge: gradient {:.1e}, not {:.0e}.",
                probe.gradient_norm, report.options.tolerance
            ));
        }
    }
    notes
}

/// How tables name the prefixes of an encoder with a folded rotation.
pub(super) fn folded(fold: &str) -> String {
    format!(
        "Prefixes are folded: the encoder ends in a rotation ({fold}). `mrl embed --unfolded` gives them as they were trained."
    )
}

/// A number with its digits in groups of three.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}
