use std::path::Path;

use anyhow::Result;
use mrl_cli::{
    Ending, UsageError,
    args::{EmbedArgs, ImageArgs, SearchArgs},
    commands::{native_size, of_run_elsewhere, open_images, suggested_index},
    outputs::{OutputFile, SET, check_apart},
    progress::{Progress, answer, note},
};
use mrl_config::{NetworkChoice, ResolvedData, check_split_folder};
use mrl_data::{DatasetKind, ImageSet, MAX_MEGAPIXELS, OpenOptions, Split};
use mrl_embedding::EmbeddingSet;
use mrl_train::{Embedder, embed_pixels};

/// `mrl embed`.
pub(crate) fn embed(args: &EmbedArgs) -> Result<Ending> {
    let out = OutputFile { option: "--out", path: &args.out, kind: SET, force: args.force };
    out.check(&[] as &[&Path])?;
    let encoder = args.run.as_deref().map(|run| open_encoder(run, args.network)).transpose()?;
    out.check_inputs(encoder.iter().map(Embedder::source))?;
    let encoder = encoder.map(|encoder| if args.unfolded { encoder.unfolded() } else { encoder });
    let trained_on = encoder.as_ref().map(|encoder| &encoder.config().data);
    let images = open_source(&args.images, trained_on, Some(&args.out))?;
    let set = embed_images(args, encoder.as_ref(), &images)?;
    set.write(&args.out)?;
    answer(&format!("{}: {} embeddings of {} numbers", args.out.display(), set.len(), set.width()));
    note(&suggested_index(&args.out));
    Ok(Ending::Done)
}

/// The image of `mrl index search --queries`, embedded by the run that is named.
pub(super) fn query(args: &SearchArgs, run: &Path) -> Result<EmbeddingSet> {
    Ok(Embedder::open(run, args.network)?.embed_image(&mrl_data::read_image(&args.queries)?)?)
}

/// An encoder of a run, or that of a file.
fn open_encoder(run: &Path, network: Option<NetworkChoice>) -> Result<Embedder> {
    if !run.is_file() {
        return Ok(Embedder::open(run, network.unwrap_or_default())?);
    }
    let encoder = Embedder::read(run)?;
    match network {
        Some(asked) if asked != encoder.network() => {
            let problem =
                format!("{}: is of the {} network; leave --network out", run.display(), encoder.network());
            Err(UsageError(problem).into())
        }
        _ => Ok(encoder),
    }
}

/// The images that were asked for, or those of the run; `out`, if anything is to be written, must not lie among them.
pub(super) fn open_source(
    args: &ImageArgs,
    trained_on: Option<&ResolvedData>,
    out: Option<&Path>,
) -> Result<ImageSet> {
    let missing = |option: &str| UsageError(format!("{option} is missing"));
    let dataset: DatasetKind =
        args.dataset.or(trained_on.and_then(|data| data.dataset)).ok_or_else(|| missing("--dataset"))?;
    // Another data set lies elsewhere, so the run's folder serves the run's data set only.
    let of_run =
        trained_on.filter(|data| data.dataset == Some(dataset)).and_then(|data| data.data_dir.as_deref());
    let data_dir: &Path = args.data_dir.as_deref().or(of_run).ok_or_else(|| missing("--data-dir"))?;
    out.map_or(Ok(()), |out| check_apart("--out", out, "the data folder", data_dir))?;
    let split = args.split.unwrap_or(Split::Train);
    check_split_folder(dataset, args.split_folder.as_deref())?;
    let of_run = trained_on.filter(|data| data.split == split && data.data_dir.as_deref() == Some(data_dir));
    // No view size: an encoder is shown images as they are, and a cache would have shrunk ones.
    let options = OpenOptions {
        split_folder: args.split_folder.clone().or(of_run.and_then(|data| data.split_folder.clone())),
        subset_per_class: args.subset_per_class,
        max_corrupt: args.max_corrupt.unwrap_or(0),
        max_megapixels: args
            .max_megapixels
            .or(of_run.map(|data| data.max_megapixels))
            .unwrap_or(MAX_MEGAPIXELS),
        ..OpenOptions::default()
    };
    open_images(dataset, data_dir, split, &options)
        .map_err(|error| of_run_elsewhere(error, data_dir, args.data_dir.is_none()))
}

fn embed_images(args: &EmbedArgs, encoder: Option<&Embedder>, images: &ImageSet) -> Result<EmbeddingSet> {
    let progress = Progress::new("embedding");
    let mut show = |done: usize, total: usize| progress.at(done as u64, total as u64, "");
    let set = if let Some(encoder) = encoder {
        let folded = encoder.fold().map(|fold| format!(", folded: {}", fold.choice())).unwrap_or_default();
        note(&format!("encoder: {} ({}{folded})", encoder.source().display(), encoder.network()));
        encoder.embed(images, &mut show)?
    } else {
        let size = args.image_size.unwrap_or_else(|| native_size(images));
        embed_pixels(images, size, &mut show)?
    };
    progress.finish();
    Ok(set)
}
