use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow};
use mrl_embedding::EmbeddingSet;
use mrl_eval::{
    Comparison, Document, EvalOptions, Evaluation, Images, Measure, Method, Outcomes, Report, Summary,
};
use mrl_vectors::ReadOptions;

use super::{
    input::{check_form, is_parquet, read_set},
    of_file,
    thumbnails::Thumbnails,
};
use crate::{
    Ending, UsageError,
    args::{Baseline, EvalArgs},
    outputs::{OutputFolder, check_apart},
    progress::{Progress, answer, note},
};

/// `mrl eval`.
pub fn eval(args: &EvalArgs) -> Result<Ending> {
    if !args.compare.is_empty() {
        return compare(args);
    }
    check_used(args)?;
    check_cascade(args)?;
    let (folders, summary) = folders(args);
    folders.iter().chain(&summary).try_for_each(OutputFolder::check)?;
    if let Some(images) = &args.data_dir {
        check_apart("--out", &args.out, "the data folder", images)?;
        if !images.is_dir() {
            return Err(anyhow!("--data-dir {}: there is no such folder", images.display()));
        }
    }
    args.baseline.iter().try_for_each(|baseline| check_kept(baseline, &folders))?;
    let sets = sets(args)?;
    let options = options(args);
    let evaluations = sets.iter().zip(pairs(args)).map(|((train, test), files)| {
        let evaluation = Evaluation::new(train, test, &options);
        of_file(format!("{} and {}", files.0.display(), files.1.display()), evaluation, |error| {
            !error.is_usage()
        })
    });
    let mut evaluations: Vec<Evaluation<'_>> = evaluations.collect::<Result<_>>()?;
    Summary::check(&evaluations)?;
    for baseline in &args.baseline {
        let report = baseline_report(baseline, args, &options)?;
        for evaluation in &mut evaluations {
            evaluation.add_baseline(&baseline.name, &report)?;
        }
    }
    summary.as_ref().map_or(Ok(()), OutputFolder::claim)?;
    let mut reports = Vec::new();
    for ((evaluation, (train, test)), folder) in evaluations.into_iter().zip(&sets).zip(&folders) {
        let (report, outcomes) = measure("evaluating", evaluation)?;
        if sets.len() == 1 {
            // First, so that it is there even if the folder cannot be written.
            answer(&report.table());
        }
        let images = args.data_dir.as_deref().and_then(|folder| thumbnails(folder, train, test));
        let mut files = report.files(images.as_ref().map(|images| images as &dyn Images))?;
        files.extend(args.outcomes.then(|| outcomes.file()));
        name_files(folder.write(files)?);
        reports.push(report);
    }
    if let Some(folder) = summary {
        let summary = Summary::of(&reports)?;
        answer(&summary.table());
        name_files(folder.write(summary.files()?)?);
    }
    Ok(Ending::Done)
}

/// Where the reports go, one for each `--test`, and where their summary goes, if there are several.
fn folders(args: &EvalArgs) -> (Vec<OutputFolder>, Option<OutputFolder>) {
    let folder = |path: &Path, document| OutputFolder::new(path, document, args.force);
    match args.test.len() {
        1 => (vec![folder(&args.out, Document::Report)], None),
        runs => {
            let run = |run: usize| folder(&args.out.join(format!("run-{run}")), Document::Report);
            ((1..=runs).map(run).collect(), Some(folder(&args.out, Document::Summary)))
        }
    }
}

/// Whether what was asked for has a use for every option that was given.
fn check_used(args: &EvalArgs) -> Result<()> {
    let Some(measures) = &args.measures else { return Ok(()) };
    let (probes, hits) = ([Measure::Probe, Measure::Cascade], [Measure::Retrieval]);
    let neighbours = [Measure::Knn1, Measure::Knn, Measure::Retrieval];
    let options: [(&str, bool, &[Measure]); 7] = [
        ("--l2", args.l2.is_some(), &probes),
        ("--tolerance", args.tolerance.is_some(), &probes),
        ("--neighbours", args.neighbours.is_some(), &[Measure::Knn]),
        ("--temperature", args.temperature.is_some(), &[Measure::Knn]),
        ("--database", args.database.is_some(), &hits),
        ("--hits", args.hits.is_some(), &hits),
        ("--data-dir", args.data_dir.is_some(), &neighbours),
    ];
    let unused = |&(_, given, of): &(&str, bool, &[Measure])| {
        given && !of.iter().any(|measure| measures.contains(measure))
    };
    let Some((option, _, of)) = options.into_iter().find(unused) else { return Ok(()) };
    let names: Vec<String> = of.iter().map(ToString::to_string).collect();
    let names = names.join(" or ");
    Err(UsageError(format!("{option} is for {names}; add that to --measures, or leave {option} out")).into())
}

/// The cascade is one of prefixes: who asks for it without them would miss it in the report.
fn check_cascade(args: &EvalArgs) -> Result<()> {
    match (&args.measures, &args.methods) {
        (Some(measures), Some(methods))
            if measures.contains(&Measure::Cascade) && !methods.contains(&Method::Prefix) =>
        {
            let problem = "the measure cascade is taken on prefixes; add prefix to --methods, or leave cascade out of --measures";
            Err(UsageError(problem.to_owned()).into())
        }
        _ => Ok(()),
    }
}

fn compare(args: &EvalArgs) -> Result<Ending> {
    let folder = OutputFolder::new(&args.out, Document::Comparison, args.force);
    folder.check()?;
    let name = |path: &PathBuf| path.display().to_string();
    let named = args.compare.iter().map(|path| Ok((name(path), Report::read(path)?)));
    let comparison = Comparison::of(named.collect::<Result<_>>()?)?;
    answer(&comparison.table());
    name_files(folder.write(comparison.files()?)?);
    Ok(Ending::Done)
}

fn name_files(files: Vec<PathBuf>) {
    for file in files {
        answer(&file.display().to_string());
    }
}

/// The training and test set of each run.
fn sets(args: &EvalArgs) -> Result<Vec<(EmbeddingSet, EmbeddingSet)>> {
    let (trains, tests) = (args.train.len(), args.test.len());
    if trains != 1 && trains != tests {
        let problem = format!("{trains} --train for {tests} --test; give one for each, or one for all");
        return Err(UsageError(problem).into());
    }
    let trains = labelled(&args.train, &args.train_labels, "train")?;
    let tests = labelled(&args.test, &args.test_labels, "test")?;
    check_columns(args)?;
    let read = |((train, train_labels), (test, test_labels)): (&Labelled<'_>, &Labelled<'_>)| {
        if train == test {
            note(&format!("{} is trained and tested on: every row finds itself", train.display()));
        }
        let sets = read_pair(args, (train, *train_labels), (test, *test_labels))?;
        let are_named = |set: &EmbeddingSet| set.metadata.class_names.is_some();
        let form = |set: &EmbeddingSet| set.labels().map(|_| are_named(set));
        if train_labels.is_some() || args.label_column.is_some() {
            check_form(train, are_named(&sets.0), "--test", form(&sets.1))?;
        }
        if test_labels.is_some() || args.label_column.is_some() {
            check_form(test, are_named(&sets.1), "--train", form(&sets.0))?;
        }
        Ok(sets)
    };
    trains.iter().cycle().zip(&tests).map(read).collect()
}

/// A file of vectors, and of their labels, where these lie beside it.
type Labelled<'a> = (&'a PathBuf, Option<&'a PathBuf>);

fn labelled<'a>(files: &'a [PathBuf], labels: &'a [PathBuf], side: &str) -> Result<Vec<Labelled<'a>>> {
    if !labels.is_empty() && labels.len() != files.len() {
        let problem = format!("{} --{side}-labels for {} --{side}", labels.len(), files.len());
        return Err(UsageError(format!("{problem}; give one for each, in the same order")).into());
    }
    Ok(files.iter().enumerate().map(|(at, file)| (file, labels.get(at))).collect())
}

/// Reads a training and a test set, each with its labels if these lie beside it. Classes have the same numbers in both.
fn read_pair(
    args: &EvalArgs,
    train: (&Path, Option<&PathBuf>),
    test: (&Path, Option<&PathBuf>),
) -> Result<(EmbeddingSet, EmbeddingSet)> {
    let train = read_set(train.0, &reading(args, train, &[])?)?;
    let classes = train.metadata.class_names.as_deref().unwrap_or_default();
    let test = read_set(test.0, &reading(args, test, classes)?)?;
    Ok((train, test))
}

/// Columns are read of those files that have some.
fn reading(
    args: &EvalArgs,
    (file, labels): (&Path, Option<&PathBuf>),
    classes: &[String],
) -> Result<ReadOptions> {
    let has_columns = is_parquet(file)?;
    Ok(ReadOptions {
        column: args.column.clone().filter(|_| has_columns),
        label_column: args.label_column.clone().filter(|_| has_columns),
        labels: labels.cloned(),
        classes: classes.to_vec(),
        ..ReadOptions::default()
    })
}

/// Refuses columns where no file has some.
fn check_columns(args: &EvalArgs) -> Result<()> {
    let named = args.column.is_some() || args.label_column.is_some();
    let files = args.train.iter().chain(&args.test);
    if named && !files.map(|file| is_parquet(file)).collect::<Result<Vec<_>>>()?.contains(&true) {
        let problem =
            "--column and --label-column are for Parquet, and neither --train nor --test is; leave them out";
        return Err(UsageError(problem.to_owned()).into());
    }
    Ok(())
}

/// The files of the training and test set of each run.
fn pairs(args: &EvalArgs) -> impl Iterator<Item = (&PathBuf, &PathBuf)> {
    args.train.iter().cycle().zip(&args.test)
}

fn options(args: &EvalArgs) -> EvalOptions {
    let default = EvalOptions::default();
    EvalOptions {
        dims: args.dims.clone(),
        methods: args.methods.clone().unwrap_or(default.methods),
        measures: args.measures.clone().unwrap_or(default.measures),
        l2: args.l2,
        tolerance: args.tolerance.unwrap_or(default.tolerance),
        neighbours: args.neighbours.unwrap_or(default.neighbours),
        temperature: args.temperature.unwrap_or(default.temperature),
        database: args.database.unwrap_or(default.database),
        hits: args.hits.clone().unwrap_or(default.hits),
        resamples: args.resamples.unwrap_or(default.resamples),
        seed: args.seed.unwrap_or(default.seed),
    }
}

fn measure(what: &str, evaluation: Evaluation<'_>) -> Result<(Report, Outcomes)> {
    let progress = Progress::new(what);
    let measured = evaluation.run_with_outcomes(&mut |step| {
        progress.at(step.done as u64, step.total as u64, step.what);
    })?;
    progress.finish();
    Ok(measured)
}

/// The two embedding sets that `files` names; none where it is a report. A path may hold commas too: what is there decides.
fn baseline_sets(files: &str) -> Option<(&str, &str)> {
    let exists = |path: &str| Path::new(path).exists();
    let mut pairs = files.match_indices(',').map(|(at, _)| (&files[..at], &files[at + 1..]));
    if exists(files) {
        return None;
    }
    pairs.clone().find(|(train, test)| exists(train) && exists(test)).or_else(|| pairs.next())
}

/// What a baseline reaches, measured as the evaluation itself where it is given as sets: at full width alone.
fn baseline_report(baseline: &Baseline, args: &EvalArgs, options: &EvalOptions) -> Result<Report> {
    match baseline_sets(&baseline.files) {
        None => Ok(Report::read(Path::new(&baseline.files))?),
        Some((train, test)) => {
            let files = format!("{train} and {test}");
            // A baseline embeds the same images, so it has the same labels.
            let labels = (only(&args.train_labels, "train")?, only(&args.test_labels, "test")?);
            let (train, test) = read_pair(args, (Path::new(train), labels.0), (Path::new(test), labels.1))?;
            let options = EvalOptions {
                dims: Some(vec![train.width()]),
                methods: vec![Method::Prefix],
                ..options.clone()
            };
            let evaluation =
                of_file(files, Evaluation::new(&train, &test, &options), |error| !error.is_usage())?;
            Ok(measure(&format!("evaluating {}", baseline.name), evaluation)?.0)
        }
    }
}

/// The one file of labels, or none. Of several, nothing says which are those of a baseline.
fn only<'a>(labels: &'a [PathBuf], side: &str) -> Result<Option<&'a PathBuf>> {
    if labels.len() > 1 {
        let problem = format!("--baseline NAME=TRAIN,TEST cannot be used with several --{side}-labels");
        return Err(UsageError(format!("{problem}; evaluate it on its own, and give its report")).into());
    }
    Ok(labels.first())
}

/// Refuses to write over a report that is read.
fn check_kept(baseline: &Baseline, folders: &[OutputFolder]) -> Result<()> {
    let Ok(read) = Path::new(&baseline.files).canonicalize() else { return Ok(()) };
    let is_read = |folder: &&OutputFolder| {
        folder.path().canonicalize().is_ok_and(|folder| read == folder || read == folder.join("report.json"))
    };
    match folders.iter().find(is_read) {
        None => Ok(()),
        Some(folder) => {
            let problem = format!(
                "--baseline {} would be replaced by that of --out {}",
                baseline.files,
                folder.path().display()
            );
            Err(UsageError(format!("{problem}; choose another --out")).into())
        }
    }
}

/// The images of both sets; without them the report has no pictures, which is said and no failure.
fn thumbnails<'a>(
    folder: &'a Path,
    train: &'a EmbeddingSet,
    test: &'a EmbeddingSet,
) -> Option<Thumbnails<'a>> {
    Thumbnails::open(folder, train, test)
        .inspect_err(|problem| note(&format!("no images in the report: {problem:#}")))
        .ok()
}
