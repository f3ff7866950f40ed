use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Result;
use mrl_cli::{
    Ending, UsageError,
    args::TrainArgs,
    commands::{IMAGENET, native_size, of_run_elsewhere, open_images},
    outputs::{FileKind, OutputFile, check_apart, check_folder, check_outside},
    progress::{Progress, answer, note},
    reference::ReferenceArgs,
    settings,
};
use mrl_config::{CheckedConfig, NetworkChoice, ResolvedConfig, ResolvedData};
use mrl_data::{DatasetKind, OpenOptions, Split, splits_of_folder};
use mrl_embedding::{EmbeddingSet, quoted};
use mrl_train::{
    EvalRecord, FoldRecord, HeldOutKnn1, Observer, Outcome, RunFolder, Start, StepRecord, TrainError,
    check_device, pretrain, resolve,
};

use super::{fold, held_out, neighbours_kept, pixel_cache, profile::Profile, signals::Signals};

/// Written by `mrl train --profile`.
const PROFILE: FileKind = FileKind {
    name: "a profile that mrl wrote",
    extensions: &["json"],
    unmarked: &[],
    is_at: Profile::is_one,
};

/// `mrl train`.
pub(crate) fn train(args: &TrainArgs) -> Result<Ending> {
    let config = settings::train_config(args)?;
    let data = &config.config().data;
    check_outputs(args, data.data_dir.as_deref())?;
    let pixel_cache = match data.dataset {
        Some(DatasetKind::Folder) => pixel_cache::folder(args),
        _ if args.pixel_cache.is_some() || args.no_pixel_cache => {
            let problem =
                "--pixel-cache and --no-pixel-cache are of --dataset folder; other images are not decoded";
            return Err(UsageError(problem.to_owned()).into());
        }
        _ => None,
    };
    run_config(config, &args.out, args.resume, pixel_cache, args.profile.as_deref())
}

/// `mrl_train`, the reference's command line.
pub(crate) fn as_reference(args: &ReferenceArgs) -> Result<Ending> {
    let (out, resume) = args.run_folder()?;
    run_config(args.config()?, out, resume, None, None)
}

/// Whether what is written beside the run can be, and lies neither in the run folder nor among the images.
fn check_outputs(args: &TrainArgs, data_dir: Option<&Path>) -> Result<()> {
    if let Some(path) = &args.profile {
        let profile = OutputFile { option: "--profile", path, kind: PROFILE, force: args.force };
        profile.check(&[] as &[&Path])?;
    }
    for (option, path) in [("--profile", &args.profile), ("--pixel-cache", &args.pixel_cache)] {
        let Some(path) = path else { continue };
        check_outside(option, path, "the run folder", &args.out)?;
        data_dir.map_or(Ok(()), |images| check_outside(option, path, "the data folder", images))?;
    }
    Ok(())
}

/// Trains as `config` says, in the run folder `out`; the pixels of a folder are cached in `pixel_cache`, and the phases of each step
/// written to `profile`.
fn run_config(
    config: CheckedConfig,
    out: &Path,
    resume: bool,
    pixel_cache: Option<PathBuf>,
    profile: Option<&Path>,
) -> Result<Ending> {
    let signals = Signals::install()?;
    check_folder("--out", out)?;
    if resume {
        RunFolder::check_resumed(out, &config)?;
    }
    let missing =
        |option: &str| UsageError(format!("{option} is missing; give it, or a --preset that has it"));
    let data = &config.config().data;
    let dataset = data.dataset.ok_or_else(|| missing("--dataset"))?;
    let data_dir = data.data_dir.as_ref().ok_or_else(|| missing("--data-dir"))?;
    // All of this is said before a data set is downloaded or decoded for nothing.
    check_device(config.config().run.device)?;
    check_apart("--out", out, "the data folder", data_dir)?;
    RunFolder::check_free(out, resume)?;

    let options = OpenOptions {
        split_folder: data.split_folder.clone(),
        subset_per_class: data.subset_per_class,
        max_corrupt: data.max_corrupt,
        max_megapixels: data.max_megapixels,
        view_size: Some(data.image_size.unwrap_or(IMAGENET)),
        pixel_cache,
        ..OpenOptions::default()
    };
    let of_run = if resume { RunFolder::stored_config(out)? } else { None };
    let is_of_run = of_run.as_ref().is_some_and(|stored| stored.data.data_dir.as_ref() == Some(data_dir));
    let images = open_images(dataset, data_dir, config.config().split(), &options)
        .map_err(|error| of_run_elsewhere(error, data_dir, is_of_run))?;
    let size = data.image_size.or(of_run.map(|stored| stored.data.image_size));
    let size = size.unwrap_or_else(|| native_size(&images));
    let config = resolve(config, &images, size)?;
    note(&format!("{}: {}, {}", out.display(), images.name(), describe(&config)));

    // Until here a signal ends the program at once: nothing is lost.
    signals.hold_endings()?;
    let dims = config.model.nesting.dims().to_vec();
    let mut observer = Watcher {
        signals,
        progress: Progress::new("training"),
        folding: Progress::new("embedding images to fold a rotation"),
        total_steps: 0,
        dims,
        out: out.to_owned(),
        profile_path: profile.map(Path::to_owned),
        profile: None,
    };
    let outcome = pretrain(&config, Arc::new(images), out, resume, &mut observer);
    observer.progress.finish();
    observer.folding.finish();
    match outcome? {
        Outcome::Interrupted { step } => {
            note(&format!(
                "interrupted at step {step}, checkpoint saved; continue with: mrl train --resume --out {}",
                quoted(out)
            ));
            Ok(Ending::Interrupted)
        }
        Outcome::Finished { encoders } => {
            for encoder in encoders {
                answer(&encoder.display().to_string());
            }
            note(&format!("embed with: mrl embed --run {}{}", quoted(out), embed_options(&config.data)));
            Ok(Ending::Done)
        }
    }
}

/// What to embed next: test images, which a folder need not have.
fn embed_options(data: &ResolvedData) -> String {
    let max_corrupt = match data.max_corrupt {
        0 => String::new(),
        most => format!(" --max-corrupt {most}"),
    };
    let is_folder = data.dataset == Some(DatasetKind::Folder);
    let has_test =
        || data.data_dir.as_ref().is_some_and(|folder| splits_of_folder(folder).contains(&Split::Test));
    let split =
        if is_folder && (data.split_folder.is_some() || !has_test()) { data.split } else { Split::Test };
    format!(" --split {split}{max_corrupt} --out {split}.safetensors")
}

fn describe(config: &ResolvedConfig) -> String {
    let views = config.view_sides().map_or_else(String::new, |sides| {
        let sides: Vec<String> = sides.iter().map(ToString::to_string).collect();
        format!("views of {} for ", sides.join(", "))
    });
    let each = match (config.run.views, config.run.small_views) {
        (2, 0) => String::new(),
        (views, 0) => format!("{}, ", count(views as u64, "view")),
        (views, small) => format!("{} and {small} small, ", count(views as u64, "view")),
    };
    format!(
        "{each}{views}{} px, {}, {}, nesting {} ({}), batch {}{}, {} on {}",
        config.data.image_size,
        config.model.describe(),
        config.objective.loss,
        config.model.nesting,
        config.model.head,
        config.run.batch_size,
        if config.run.grad_accum > 1 { format!(" x {}", config.run.grad_accum) } else { String::new() },
        config.run.precision,
        config.run.device
    )
}

/// `1 step`, `2 steps`.
fn count(number: u64, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

struct Watcher {
    signals: Signals,
    progress: Progress,
    folding: Progress,
    total_steps: u64,
    /// The nesting dims.
    dims: Vec<usize>,
    /// The run folder.
    out: PathBuf,
    profile_path: Option<PathBuf>,
    /// Open from the start of the training on.
    profile: Option<Profile>,
}

impl Observer for Watcher {
    fn started(&mut self, start: &Start) {
        let Start {
            first_step,
            total_steps,
            steps_per_epoch,
            images,
            held_out,
            resumed_from,
            images_unknown,
        } = start;
        let held_out = if *held_out > 0 { format!(", {held_out} held out") } else { String::new() };
        note(&format!(
            "{}{held_out}, {} an epoch, {} in all",
            count(*images as u64, "image"),
            count(*steps_per_epoch, "step"),
            count(*total_steps, "step")
        ));
        if let Some(checkpoint) = resumed_from {
            note(&format!("continuing after step {first_step} from {}", checkpoint.display()));
        }
        if *images_unknown {
            note(
                "the run does not say which images it was trained on until now; from here on only these continue it",
            );
        }
        self.total_steps = *total_steps;
        // Only now, because it may replace an earlier profile: until here the run could still be refused.
        if let Some(path) = &self.profile_path {
            self.profile = Profile::start(path)
                .inspect_err(|problem| note(&format!("no profile is written: {problem:#}")))
                .ok();
        }
    }

    fn stepped(&mut self, record: &StepRecord, images_per_s: f64) {
        let message =
            format!("loss {:.4}, top1 {:.1} %, {images_per_s:.1} images/s", record.loss, record.top1);
        self.progress.at(record.step, self.total_steps, &message);
    }

    fn judges(&self) -> bool {
        true
    }

    fn knn1(
        &mut self,
        database: &EmbeddingSet,
        queries: &EmbeddingSet,
        dims: &[usize],
    ) -> Result<HeldOutKnn1, TrainError> {
        held_out::knn1(database, queries, dims).map_err(|error| TrainError::Evaluation(error.to_string()))
    }

    fn evaluated(&mut self, record: &EvalRecord) {
        self.progress.note(&held_out::table(record, &self.dims));
    }

    fn neighbours_kept(
        &mut self,
        whole: [&EmbeddingSet; 2],
        shortened: [&EmbeddingSet; 2],
        dims: &[usize],
    ) -> Result<Vec<f64>, TrainError> {
        Ok(neighbours_kept::kept(whole, shortened, dims))
    }

    fn nesting(&mut self, step: u64) {
        self.progress.note(&format!("step {step}: the shorter prefixes are trained from now on"));
    }

    fn rotating(&mut self, step: u64, done: usize, total: usize) {
        let message = format!("rotating the features: {done} of {total} images");
        self.progress.at(step, self.total_steps, &message);
        if done == total {
            self.progress
                .note(&format!("step {step}: the features are rotated to their principal components"));
        }
    }

    fn folding(&mut self, network: NetworkChoice, done: usize, total: usize) {
        self.progress.finish();
        self.folding.at(done as u64, total as u64, &format!("{network} network"));
    }

    fn folded(&mut self, network: NetworkChoice, record: &FoldRecord) {
        let verdict = if record.helps() { "folded into the encoder" } else { "not folded" };
        self.folding.note(&format!("{}, {verdict}", fold::table(network, record)));
    }

    fn not_folded(&mut self, network: NetworkChoice, problem: &str) {
        let cure = format!("fold one later with: mrl fold {} --network {network}", quoted(&self.out));
        self.folding.note(&format!("no rotation is folded into the {network} network: {problem}; {cure}"));
    }

    fn should_save(&self) -> bool {
        self.signals.take_save_request()
    }

    fn saved(&mut self, step: u64) {
        self.progress.note(&format!("checkpoint of step {step} saved, as asked"));
    }

    fn should_stop(&self) -> bool {
        self.signals.should_end()
    }
}
