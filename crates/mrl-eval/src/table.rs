use std::fmt::Write;

use crate::Report;

const COLUMN: usize = 9;

/// The accuracies in percent, a line for each dim and a column for each method and measure.
pub(crate) fn render(report: &Report) -> String {
    let mut lines = vec![
        header(report, |method, _| method.to_owned(), ""),
        header(report, |_, measure| measure.to_owned(), "dim"),
    ];
    for (index, &dim) in report.dims.iter().enumerate() {
        let mark = if report.is_trained(dim) == Some(false) { "*" } else { " " };
        let mut line = format!("{dim:>5}{mark}");
        for measures in report.methods.values() {
            for accuracy in [measures.logreg[index], measures.knn1[index]] {
                let _ = write!(line, "{:>COLUMN$.2}", 100.0 * accuracy);
            }
        }
        lines.push(line);
    }
    lines.push(String::new());
    lines.extend(notes(report));
    lines.join("\n") + "\n"
}

fn header(report: &Report, name: impl Fn(&str, &str) -> String, first: &str) -> String {
    let mut line = format!("{first:>5} ");
    for method in report.methods.keys() {
        for measure in ["probe", "1-NN"] {
            let _ = write!(line, "{:>COLUMN$}", name(&method.to_string(), measure));
        }
    }
    line
}

fn notes(report: &Report) -> Vec<String> {
    let mut notes = vec![format!(
        "Accuracy in % on {} test rows; probe and neighbours from {} training rows of {} classes.",
        report.test_size, report.train_size, report.classes
    )];
    if report.trained_dims.is_empty() {
        notes.push("The embeddings do not say which dims were trained.".to_owned());
    } else if report.dims.iter().any(|&dim| report.is_trained(dim) == Some(false)) {
        let trained: Vec<String> = report.trained_dims.iter().map(ToString::to_string).collect();
        notes.push(format!("* not a trained prefix; trained are {}.", trained.join(", ")));
    }
    if report.unseen_test_labels > 0 {
        let count = report.unseen_test_labels;
        notes.push(format!(
            "{count} test rows have a label that the training set lacks; each counts as an error."
        ));
    }
    notes
}
