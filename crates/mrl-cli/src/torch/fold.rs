//! `mrl fold`: a rotation in an encoder, after which prefixes are principal components.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Result, anyhow};
use mrl_cli::{
    Ending, UsageError,
    args::{FoldArgs, ImageArgs},
    commands::of_file,
    outputs::{FileKind, OutputFile},
    progress::{Progress, answer, note},
};
use mrl_config::{FoldChoice, NetworkChoice};
use mrl_data::ImageSet;
use mrl_train::{Embedder, FoldRecord, FoldTrial, RunFolder, TrainError};

use super::{
    embed::open_source,
    neighbours_kept::{self, K, kept},
};

/// Written by `mrl train` and `mrl fold`.
const ENCODER: FileKind = FileKind {
    name: "an mrl encoder",
    extensions: &["safetensors"],
    unmarked: &[],
    is_at: |path| Embedder::read(path).is_ok(),
};

/// `mrl fold`.
pub(crate) fn fold(args: &FoldArgs) -> Result<Ending> {
    let files = encoders(args)?;
    check_options(args, &files)?;
    let encoders = files.iter().map(|file| Embedder::read(file)).collect::<Result<Vec<_>, _>>()?;
    let mut changed = false;
    if args.with == FoldChoice::None {
        for encoder in &encoders {
            changed |= unfold(encoder, args.out.as_deref())?;
        }
    } else {
        let trained_on = encoders.first().map(|encoder| &encoder.config().data);
        let images = Arc::new(open_source(&args.images, trained_on, args.out.as_deref())?);
        for encoder in &encoders {
            changed |= fold_one(encoder, &images, args)?;
        }
    }
    if changed && args.out.is_none() {
        note(
            "embedding sets and indexes made with this encoder before are out of date; run mrl embed and mrl index build again",
        );
    }
    Ok(Ending::Done)
}

/// The files of the encoders to fold.
fn encoders(args: &FoldArgs) -> Result<Vec<PathBuf>> {
    let given = &args.encoder;
    if given.is_file() {
        if args.network.is_some() {
            let problem = "is one encoder, and --network chooses one of a run; leave it out";
            return Err(UsageError(format!("{}: {problem}", given.display())).into());
        }
        return Ok(vec![given.clone()]);
    }
    let networks = args.network.map_or(vec![NetworkChoice::Target, NetworkChoice::Online], |one| vec![one]);
    let files: Vec<PathBuf> =
        networks.into_iter().map(|network| RunFolder::encoder(given, network)).collect();
    match files.iter().find(|file| !file.exists()) {
        None => Ok(files),
        Some(missing) => {
            let problem = "is not there; name a run that is finished, or the file of an encoder";
            Err(anyhow!("{}: {problem}", missing.display()))
        }
    }
}

/// Checks the options that need no file to be read.
fn check_options(args: &FoldArgs, files: &[PathBuf]) -> Result<()> {
    if args.with == FoldChoice::None && (args.always || args.images != ImageArgs::default()) {
        let problem = "--with none looks at no images; leave --always and the options of images out";
        return Err(UsageError(problem.to_owned()).into());
    }
    let output = |path| OutputFile { option: "--out", path, kind: ENCODER, force: args.force };
    let Some(out) = &args.out else {
        return files.iter().try_for_each(|file| output(file).check_writable().map(drop));
    };
    if files.len() > 1 {
        let problem =
            "--out is one file, and the run has two encoders; add --network target or --network online";
        return Err(UsageError(problem.to_owned()).into());
    }
    output(out).check(&[] as &[&Path])
}

/// Removes the linear map. False if there is none.
fn unfold(encoder: &Embedder, out: Option<&Path>) -> Result<bool> {
    let file = out.unwrap_or(encoder.source());
    if encoder.fold().is_none() && out.is_none() {
        answer(&format!("{}: no rotation is folded into it; it stays as it is", file.display()));
        return Ok(false);
    }
    encoder.write_with(None, file)?;
    answer(&format!("{}: no rotation any more", file.display()));
    Ok(true)
}

/// Fits a rotation to the embeddings of some images, and folds it in where it helps. False if it does not.
fn fold_one(encoder: &Embedder, images: &Arc<ImageSet>, args: &FoldArgs) -> Result<bool> {
    let progress = Progress::new(&format!("{} network: embedding", encoder.network()));
    let embeddings = encoder
        .embed_some(Arc::clone(images), &mut |done, total| progress.at(done as u64, total as u64, ""))?;
    progress.finish();
    let trial = FoldTrial::new(args.with, &embeddings, &encoder.config().model.nesting);
    let trial = of_file(images.name(), trial, |error| matches!(error, TrainError::Vectors(_)))?;
    let Some(trial) = trial else { return Ok(false) };
    let record = trial.judge(|whole, shortened, dims| Ok::<_, TrainError>(kept(whole, shortened, dims)))?;
    answer(&table(encoder.network(), &record));
    let file = args.out.as_deref().unwrap_or(encoder.source());
    let folds = record.helps() || args.always;
    if folds {
        encoder.write_with(Some(&trial.fold().after(encoder.fold())), file)?;
        let why = if record.helps() { "" } else { ", because of --always" };
        answer(&format!("{}: folded, {}{why}", file.display(), args.with));
    } else if args.out.is_some() {
        encoder.write_with(encoder.fold(), file)?;
        answer(&format!("{}: written as it was, not folded; --always folds it even so", file.display()));
    } else {
        answer(&format!("{}: stays as it is, not folded; --always folds it even so", file.display()));
    }
    Ok(folds)
}

/// The table of the neighbours kept with and without the rotation, and the decision.
pub(super) fn table(network: NetworkChoice, record: &FoldRecord) -> String {
    let FoldRecord { dims, before, after, fitted, kept_out, .. } = record;
    let title = format!(
        "{network} network: % of the {K} nearest images by all numbers that prefixes find, by {kept_out} images kept out of the fit to {fitted}"
    );
    let lines = [("as it was", before.as_slice()), (&record.choice.to_string(), after)];
    let table = neighbours_kept::table(&title, 16, dims, &lines);
    let [before, after] = record.means().map(|mean| 100.0 * mean);
    let verdict = if record.helps() { "it helps" } else { "it does not help" };
    format!("{table}\nmean: {before:.2} as it was, {after:.2} with the rotation: {verdict}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_says_what_was_decided_by_which_figures() {
        let mut record = FoldRecord {
            choice: FoldChoice::Principal,
            dims: vec![8, 128],
            before: vec![0.25, 0.5],
            after: vec![0.5, 0.501],
            fitted: 100,
            kept_out: 10,
        };
        let expected = "online network: % of the 10 nearest images by all numbers that prefixes find, by 10 images kept out of the fit \
                        to 100\ndims                  8    128\nas it was         25.00  50.00\nprincipal         50.00  50.10\nmean: \
                        37.50 as it was, 50.05 with the rotation: it helps";
        assert_eq!(table(NetworkChoice::Online, &record), expected);
        record.after = record.before.clone();
        assert!(table(NetworkChoice::Target, &record).ends_with("37.50 with the rotation: it does not help"));
    }
}
