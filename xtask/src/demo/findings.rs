//! The summary that the demo prints. Each sentence is computed from the figures of the run, so it also reports losses.

use std::fmt::Write;

use anyhow::{Result, anyhow, ensure};
use serde_json::Value;

/// The reports of `mrl eval` and what `mrl index bench --json` printed.
pub(super) struct Findings {
    pub(super) encoder: Value,
    pub(super) unfolded: Value,
    pub(super) pixels: Value,
    pub(super) untrained: Value,
    pub(super) search: Value,
}

/// The share of the nearest that the schedule must find.
const LEAST_RECALL: f64 = 0.98;

/// 1-NN accuracies in % by dim.
type Curve = Vec<(u64, f64)>;

impl Findings {
    /// Compares the figures with what README says. The encoder must beat the best pixels, both at the fewest dims and at all dims. The schedule that
    /// `tune` chose must find at least 98 % of the nearest; `tune` aimed at 99 % on other queries.
    ///
    /// # Errors
    /// A figure is lower, or a report lacks what the demo asked for.
    pub(super) fn check(&self) -> Result<()> {
        let best = self.best_pixels()?;
        for (dim, accuracy) in ends(&curve(&self.encoder, "prefix")?)? {
            ensure!(accuracy > best.1, "{}", beside((dim, accuracy), best));
        }
        if let Some(chosen) = self.chosen()? {
            let recall = chosen["recall"].as_f64();
            ensure!(
                recall.is_some_and(|recall| recall >= LEAST_RECALL),
                "{} It must find at least {:.0} %.",
                self.saved()?,
                100.0 * LEAST_RECALL
            );
        }
        Ok(())
    }

    /// The highest accuracy that pixels or their principal components reach.
    fn best_pixels(&self) -> Result<(u64, f64)> {
        let pixels = curve(&self.pixels, "prefix")?;
        let [_, all] = ends(&pixels)?;
        Ok(pixels.into_iter().chain(curve(&self.pixels, "pca")?).fold(all, better))
    }

    /// A table of accuracies, then a sentence for each finding.
    ///
    /// # Errors
    /// A report lacks what the demo asked for.
    pub(super) fn text(&self) -> Result<String> {
        let trained = curve(&self.encoder, "prefix")?;
        let [_, all_pixels] = ends(&curve(&self.pixels, "prefix")?)?;
        let pixel_components = curve(&self.pixels, "pca")?;
        let best_pixels = self.best_pixels()?;
        let rows = [
            ("encoder, folded", trained.clone()),
            ("  its prefixes before the fold", curve(&self.unfolded, "prefix")?),
            ("  PCA of its features, centred", curve(&self.encoder, "pca")?),
            ("  random projection of its features", curve(&self.encoder, "random-projection")?),
            ("untrained encoder", curve(&self.untrained, "prefix")?),
            ("  PCA of its features, centred", curve(&self.untrained, "pca")?),
            ("pixels, all", vec![all_pixels]),
            ("  PCA of the pixels, centred", pixel_components.clone()),
        ];
        let mut text = String::from("1-NN accuracy on the test images by dims, in %\n");
        text += &table(&rows);
        let [first, full] = ends(&trained)?;
        let _ = write!(text, "\n- {}\n- {}\n", beside(first, best_pixels), beside(full, best_pixels));
        if let Some(component) = pixel_components.iter().find(|&&(dim, _)| dim == first.0) {
            let (dim, accuracy) = component;
            let _ = writeln!(
                text,
                "- The first {dim} principal components of the pixels (centred) reach {accuracy:.1} %."
            );
        }
        let _ = writeln!(text, "- {}", self.saved()?);
        Ok(text)
    }

    /// The schedule that `tune` chose: after brute force and exact search, if it has a shortlist.
    fn chosen(&self) -> Result<Option<&Value>> {
        let schedules = self.search["schedules"].as_array();
        schedules.map(|all| all.get(2)).ok_or_else(|| anyhow!("`mrl index bench` printed no schedules"))
    }

    /// Compares the search schedule that `mrl index tune` chose with brute force: recall and queries per second.
    fn saved(&self) -> Result<String> {
        let missing = || anyhow!("`mrl index bench` printed no such schedules as the demo expects");
        let exact = self.search.pointer("/schedules/1").ok_or_else(missing)?;
        let number = |of: &Value, path: &str| of.pointer(path).and_then(Value::as_f64).ok_or_else(missing);
        let speeds = |of: &Value| -> Result<[f64; 2]> {
            Ok([number(of, "/single/to_brute_force")?, number(of, "/batch/to_brute_force")?])
        };
        let Some(chosen) = self.chosen()? else {
            let [single, batch] = speeds(exact)?;
            return Ok(format!(
                "Search: no schedule with a shortlist was faster than exact search, which answers {single:.1} times as many queries \
                 as brute force one at a time, {batch:.1} times as many in batches."
            ));
        };
        let [single, batch] = speeds(chosen)?;
        let (k, recall) = (&self.search["k"], 100.0 * number(chosen, "/recall")?);
        let schedule = chosen["schedule"].as_str().ok_or_else(missing)?;
        Ok(format!(
            "Search: {schedule} ({}) finds {recall:.1} % of the {k} nearest and answers {single:.1} times as many queries as brute force \
             one at a time, {batch:.1} times as many in batches.",
            stages(schedule)
        ))
    }
}

/// A search schedule such as `16:32` in words.
fn stages(schedule: &str) -> String {
    let stage = |stage: &str| match stage.split_once(':') {
        Some((dim, keep)) => {
            format!("shortlist {keep} images by {} dims", dim.trim_start_matches(['t', 'g']))
        }
        None => format!("rerank by {stage} dims"),
    };
    let mut words: Vec<String> = schedule.split(',').map(stage).collect();
    if schedule.rsplit(',').next().is_some_and(|last| last.contains(':')) {
        words.push("rerank by all".to_owned());
    }
    words.join(", ")
}

/// The accuracies by `method` of a report.
fn curve(report: &Value, method: &str) -> Result<Curve> {
    let measured = &report["methods"][method];
    let list = |key: &str| measured[key].as_array().filter(|list| !list.is_empty());
    let (Some(dims), Some(accuracies)) = (list("dims"), list("knn1")) else {
        return Err(anyhow!("the report has no 1-NN accuracy by {method}; see report.json"));
    };
    let pairs = dims.iter().zip(accuracies);
    Ok(pairs.filter_map(|(dim, share)| Some((dim.as_u64()?, 100.0 * share.as_f64()?))).collect())
}

/// The figures at the least and at the largest dim.
fn ends(curve: &Curve) -> Result<[(u64, f64); 2]> {
    let ends = curve.first().copied().zip(curve.last().copied());
    ends.map(<[_; 2]>::from).ok_or_else(|| anyhow!("a report has no dims; see report.json"))
}

/// A line for each of `rows`, a column for each dim that one of them has.
fn table(rows: &[(&str, Curve)]) -> String {
    let mut dims: Vec<u64> = rows.iter().flat_map(|(_, curve)| curve.iter().map(|&(dim, _)| dim)).collect();
    dims.sort_unstable();
    dims.dedup();
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    let line = |name: &str, cell: &dyn Fn(&u64) -> String| {
        let cells = dims.iter().map(|dim| format!("{:>7}", cell(dim))).collect::<Vec<_>>().concat();
        format!("{name:width$}{}\n", cells.trim_end())
    };
    let mut text = line("", &u64::to_string);
    for (name, curve) in rows {
        let found = |dim: &u64| curve.iter().find(|(of, _)| of == dim);
        text +=
            &line(name, &|dim| found(dim).map_or_else(String::new, |(_, accuracy)| format!("{accuracy:.1}")));
    }
    text
}

/// The one of two figures that has the higher accuracy.
fn better(a: (u64, f64), b: (u64, f64)) -> (u64, f64) {
    if b.1 > a.1 { b } else { a }
}

/// The encoder's accuracy at a dim beside the best of the pixels.
fn beside((dim, accuracy): (u64, f64), (pixels, theirs): (u64, f64)) -> String {
    let difference = accuracy - theirs;
    let relation = match format!("{:.1}", difference.abs()).as_str() {
        "0.0" => "the same as".to_owned(),
        points if difference > 0.0 => format!("{points} points more than"),
        points => format!("{points} points LESS than"),
    };
    format!(
        "The encoder reaches {accuracy:.1} % at {dim} dims: {relation} pixels at their best ({theirs:.1} % at {pixels} dims)."
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn report(methods: &[(&str, &[u64], &[f64])]) -> Value {
        let of = |&(name, dims, knn1): &(&str, &[u64], &[f64])| {
            (name.to_owned(), json!({"dims": dims, "knn1": knn1}))
        };
        json!({ "methods": methods.iter().map(of).collect::<serde_json::Map<_, _>>() })
    }

    fn schedule(name: &str, recall: f64, single: f64, batch: f64) -> Value {
        json!({"schedule": name, "recall": recall, "single": {"to_brute_force": single}, "batch": {"to_brute_force": batch}})
    }

    fn findings(trained: [f64; 2], chosen: Option<Value>) -> Findings {
        let dims = &[8, 128];
        let schedules = [schedule("t128:10", 1.0, 1.0, 1.0), schedule("exact", 1.0, 1.7, 1.2)];
        Findings {
            encoder: report(&[
                ("prefix", dims, &trained),
                ("pca", dims, &[0.41, 0.47]),
                ("random-projection", dims, &[0.331, 0.474]),
            ]),
            pixels: report(&[("prefix", &[8, 784], &[0.1, 0.384]), ("pca", &[8, 784], &[0.167, 0.38])]),
            unfolded: report(&[("prefix", dims, &[0.372, 0.474])]),
            untrained: report(&[("prefix", dims, &[0.12, 0.24]), ("pca", dims, &[0.148, 0.234])]),
            search: json!({"k": 10, "schedules": schedules.into_iter().chain(chosen).collect::<Vec<_>>()}),
        }
    }

    #[test]
    fn each_sentence_follows_from_the_figures() {
        let chosen = schedule("16:100,128", 0.993, 2.5, 2.04);
        let text = findings([0.412, 0.474], Some(chosen)).text().unwrap();
        let expected = "\
1-NN accuracy on the test images by dims, in %
                                         8    128    784
encoder, folded                       41.2   47.4
  its prefixes before the fold        37.2   47.4
  PCA of its features, centred        41.0   47.0
  random projection of its features   33.1   47.4
untrained encoder                     12.0   24.0
  PCA of its features, centred        14.8   23.4
pixels, all                                         38.4
  PCA of the pixels, centred          16.7          38.0

- The encoder reaches 41.2 % at 8 dims: 2.8 points more than pixels at their best (38.4 % at 784 dims).
- The encoder reaches 47.4 % at 128 dims: 9.0 points more than pixels at their best (38.4 % at 784 dims).
- The first 8 principal components of the pixels (centred) reach 16.7 %.
- Search: 16:100,128 (shortlist 100 images by 16 dims, rerank by 128 dims) finds 99.3 % of the 10 nearest and answers 2.5 times as many \
queries as brute force one at a time, 2.0 times as many in batches.
";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_loss_is_said() {
        let text = findings([0.3, 0.384], None).text().unwrap();
        for part in [
            "reaches 30.0 % at 8 dims: 8.4 points LESS than pixels at their best",
            "reaches 38.4 % at 128 dims: the same as pixels at their best",
            "no schedule with a shortlist was faster than exact search, which answers 1.7 times as many queries",
        ] {
            assert!(text.contains(part), "{part} is not in: {text}");
        }
    }

    #[test]
    fn a_loss_fails_the_test_of_the_demo() {
        let chosen = |recall| Some(schedule("16:100,128", recall, 2.5, 2.04));
        findings([0.412, 0.474], chosen(0.99)).check().unwrap();
        findings([0.412, 0.474], None).check().unwrap();
        let loss = findings([0.3, 0.474], chosen(0.99)).check().unwrap_err();
        assert!(loss.to_string().contains("points LESS than pixels"), "{loss}");
        let misses = findings([0.412, 0.474], chosen(0.9)).check().unwrap_err();
        assert!(misses.to_string().contains("finds 90.0 %"), "{misses}");
    }

    #[test]
    fn a_report_that_lacks_a_method_is_an_error() {
        let mut findings = findings([0.3, 0.4], None);
        findings.encoder["methods"]["pca"] = Value::Null;
        assert!(findings.text().unwrap_err().to_string().contains("no 1-NN accuracy by pca"));
    }
}
