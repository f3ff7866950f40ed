//! `mrl adapt`: frozen vectors whose prefixes become useful.

use std::path::Path;

use anyhow::Result;
use mrl_cli::{
    Ending, UsageError,
    args::{AdaptCommand, ApplyArgs, FitArgs},
    commands::{input, of_file, suggested_index},
    outputs::{FileKind, OutputFile, SET},
    progress::{Progress, answer, note},
};
use mrl_config::AdaptObjective;
use mrl_embedding::{EmbeddingSet, quoted};
use mrl_train::{AdaptOptions, Adapter, TrainError};

use super::{
    held_out::prefix_knn1,
    neighbours_kept::{self, K, kept},
};

/// Written by `mrl adapt fit`.
const ADAPTER: FileKind = FileKind {
    name: "an mrl adapter",
    extensions: &["safetensors"],
    unmarked: &[],
    is_at: |path| Adapter::read(path).is_ok(),
};

/// A smaller difference comes from rounding: prefixes of two bases of one space have equal cosines, but for the last digits.
const ROUNDING: f64 = 5e-4;

/// Vectors that are held out, at most: more would say the same.
const HELD_OUT: usize = 2_000;

/// `mrl adapt`.
pub(crate) fn adapt(command: &AdaptCommand) -> Result<Ending> {
    match command {
        AdaptCommand::Fit(args) => fit(args),
        AdaptCommand::Apply(args) => apply(args),
    }?;
    Ok(Ending::Done)
}

fn apply(args: &ApplyArgs) -> Result<()> {
    let out = OutputFile { option: "--out", path: &args.out, kind: SET, force: args.force };
    out.check(args.input.files().chain([&args.adapter]))?;
    let adapter = Adapter::read(&args.adapter)?;
    let adapted = of_vectors(&args.input.input, adapter.apply(&input::read(&args.input)?))?;
    adapted.write(&args.out)?;
    answer(&format!("{}: {} vectors of {} numbers", args.out.display(), adapted.len(), adapted.width()));
    note(&suggested_index(&args.out));
    Ok(())
}

/// Names the file whose vectors are at fault.
fn of_vectors<T>(file: &Path, result: Result<T, TrainError>) -> Result<T> {
    of_file(file.display(), result, |error| matches!(error, TrainError::Vectors(_)))
}

fn fit(args: &FitArgs) -> Result<()> {
    let out = OutputFile { option: "--out", path: &args.out, kind: ADAPTER, force: args.force };
    out.check(args.input.files())?;
    if !(0.0..=0.5).contains(&args.holdout) {
        return Err(
            UsageError(format!("--holdout {} cannot be; use a share from 0 to 0.5", args.holdout)).into()
        );
    }
    let set = input::read(&args.input)?;
    let options = AdaptOptions {
        form: args.form,
        objective: args.objective,
        dims: args.dims.clone(),
        epochs: args.epochs,
        batch_size: args.batch_size,
        lr: args.lr,
        hidden: args.hidden,
        seed: args.seed,
        device: args.device,
    };
    of_vectors(&args.input.input, options.check(&set))?;
    let (fitted, held_out) = split(&set, args.holdout)?;
    let comparison =
        held_out.as_ref().map(|held_out| Comparison::new(&fitted, held_out, &options)).transpose()?;
    let progress = Progress::new("fitting");
    let adapter = Adapter::fit(&fitted, &options, &mut |at| {
        progress.at(at.step as u64, at.steps as u64, &format!("loss {:.4}", at.loss));
    })?;
    progress.finish();
    let compared = comparison.map(|comparison| comparison.with(&adapter)).transpose()?;
    adapter.write(&args.out)?;
    match compared {
        Some(table) => answer(&table),
        None if args.holdout > 0.0 => {
            note(&format!("of {} vectors none is held out to compare with", set.len()));
        }
        None => {}
    }
    answer(&format!("{}: a {} of {} numbers", args.out.display(), adapter.form(), set.width()));
    let column = args
        .input
        .column
        .as_ref()
        .map(|name| format!(" --column {}", quoted(Path::new(name))))
        .unwrap_or_default();
    let [adapter, input] = [&args.out, &args.input.input].map(|path| quoted(path));
    note(&format!(
        "apply with: mrl adapt apply --adapter {adapter} --input {input}{column} --out adapted.safetensors"
    ));
    Ok(())
}

/// The rows of `set` to fit to, and about a share of them, evenly spaced, to compare with.
fn split(set: &EmbeddingSet, share: f64) -> Result<(EmbeddingSet, Option<EmbeddingSet>)> {
    let wanted = ((set.len() as f64 * share) as usize).min(HELD_OUT);
    if wanted == 0 {
        return Ok((set.clone(), None));
    }
    let step = set.len() / wanted;
    let (held_out, fitted) =
        (0..set.len()).partition::<Vec<usize>, _>(|row| row % step == 0 && row / step < wanted);
    Ok((rows(set, &fitted)?, Some(rows(set, &held_out)?)))
}

/// Those of `indices`.
fn rows(set: &EmbeddingSet, indices: &[usize]) -> Result<EmbeddingSet> {
    let values = indices.iter().flat_map(|&row| set.row(row)).copied().collect();
    let mut chosen = EmbeddingSet::new(values, set.width())?;
    if let Some(labels) = set.labels() {
        chosen = chosen.with_labels(indices.iter().map(|&row| labels[row]).collect())?;
    }
    chosen.metadata = set.metadata.clone();
    Ok(chosen)
}

/// What prefixes of vectors that are held out are worth.
struct Comparison<'a> {
    fitted: &'a EmbeddingSet,
    held_out: &'a EmbeddingSet,
    objective: AdaptObjective,
    dims: Vec<usize>,
    /// Of the vectors themselves, and of their principal components; before anything is fitted for nothing.
    before: Vec<(&'static str, Vec<f64>)>,
}

impl<'a> Comparison<'a> {
    fn new(fitted: &'a EmbeddingSet, held_out: &'a EmbeddingSet, options: &AdaptOptions) -> Result<Self> {
        let principal = Adapter::principal(fitted, &options.dims)?;
        let dims = principal.nesting().dims().to_vec();
        let mut comparison =
            Self { fitted, held_out, objective: options.objective, dims, before: Vec::new() };
        comparison.before = vec![
            ("prefix", comparison.worth(fitted, held_out)?),
            ("principal components", comparison.worth_of(&principal)?),
        ];
        Ok(comparison)
    }

    fn worth_of(&self, adapter: &Adapter) -> Result<Vec<f64>> {
        self.worth(&adapter.apply(self.fitted)?, &adapter.apply(self.held_out)?)
    }

    fn worth(&self, database: &EmbeddingSet, queries: &EmbeddingSet) -> Result<Vec<f64>> {
        if self.objective == AdaptObjective::Labels {
            return Ok(prefix_knn1(database, queries, &self.dims)?);
        }
        Ok(kept([self.fitted, self.held_out], [database, queries], &self.dims))
    }

    /// The table of all three.
    fn with(mut self, adapter: &Adapter) -> Result<String> {
        self.before.push(("adapted", self.worth_of(adapter)?));
        let title = match self.objective {
            AdaptObjective::Similarity => format!("% of the {K} nearest by all numbers that are found"),
            AdaptObjective::Labels => "% of 1-NN that have the label".to_owned(),
        };
        let title = format!("{title}, by {} vectors held out", self.held_out.len());
        Ok(table(&title, &self.dims, &self.before))
    }
}

/// A line for each of `lines`, the last of which is compared with the one before.
fn table(title: &str, dims: &[usize], lines: &[(&str, Vec<f64>)]) -> String {
    let shares: Vec<(&str, &[f64])> = lines.iter().map(|(name, shares)| (*name, shares.as_slice())).collect();
    let text = neighbours_kept::table(title, 22, dims, &shares);
    let [.., (base, before), (_, after)] = lines else { return text };
    let at = |sign: f64| -> Vec<String> {
        let gains = dims.iter().zip(after.iter().zip(before).map(|(after, before)| sign * (after - before)));
        gains.filter(|(_, gain)| *gain > ROUNDING).map(|(dim, _)| dim.to_string()).collect()
    };
    let (better, worse) = (at(1.0), at(-1.0));
    let verdict = match (better.len(), worse.len()) {
        (0, 0) => format!("better than {base} at no dim: they serve as well"),
        (0, _) => format!("better than {base} at no dim, worse at {}: use these", worse.join(", ")),
        (all, _) if all == dims.len() => format!("better than {base} at every dim"),
        (_, 0) => format!("better than {base} at {}; as good elsewhere", better.join(", ")),
        _ => format!("better than {base} at {}; worse at {}", better.join(", "), worse.join(", ")),
    };
    text + "\n" + &verdict
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verdict_names_where_it_is_better_and_where_not() {
        let verdict = |after: [f64; 2]| {
            let lines = [("principal components", vec![0.5, 0.6]), ("adapted", after.to_vec())];
            table("title", &[8, 16], &lines).lines().last().unwrap().to_owned()
        };
        assert_eq!(verdict([0.6, 0.7]), "better than principal components at every dim");
        assert_eq!(verdict([0.6, 0.6]), "better than principal components at 8; as good elsewhere");
        assert_eq!(verdict([0.6, 0.5999]), "better than principal components at 8; as good elsewhere");
        assert_eq!(verdict([0.6, 0.5]), "better than principal components at 8; worse at 16");
        assert_eq!(verdict([0.5, 0.6]), "better than principal components at no dim: they serve as well");
        assert_eq!(verdict([0.4, 0.6]), "better than principal components at no dim, worse at 8: use these");
    }

    #[test]
    fn rows_are_held_out_evenly_and_not_fitted_to() {
        let set = EmbeddingSet::new((0..30).map(|number| number as f32).collect(), 1).unwrap();
        let (fitted, held_out) = split(&set, 0.2).unwrap();
        assert_eq!(held_out.unwrap().embeddings(), [0.0, 5.0, 10.0, 15.0, 20.0, 25.0]);
        assert_eq!(fitted.len(), 24);
        assert!(split(&set, 0.0).unwrap().1.is_none());
    }
}
