use std::{path::Path, sync::Arc};

use anyhow::Result;
use mrl_train::{Config, Observer, Outcome, Start, StepRecord, TrainError, pretrain};

use super::{native_size, open_images};
use crate::{
    Ending, UsageError,
    args::TrainArgs,
    progress::{Progress, answer, note},
    settings,
    signals::StopSignal,
};

/// `mrl train`.
pub(crate) fn train(args: &TrainArgs) -> Result<Ending> {
    let config = settings::train_config(args)?;
    run_config(&config, &args.out, args.resume)
}

/// Trains as `config` says, in the run folder `out`.
pub(crate) fn run_config(config: &Config, out: &Path, resume: bool) -> Result<Ending> {
    let stop = StopSignal::install()?;
    let (Some(dataset), Some(data_dir)) = (config.data.dataset, &config.data.data_dir) else {
        return Err(UsageError("--dataset and --data-dir are missing".to_owned()).into());
    };
    // Said before a data set is downloaded or decoded for nothing.
    if !resume && out.read_dir().is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(TrainError::RunExists(out.to_owned()).into());
    }
    let split = config.split();
    let images =
        open_images(dataset, data_dir, split, config.data.subset_per_class, config.data.max_corrupt)?;
    let size = if config.data.image_size.is_some() { 0 } else { native_size(&images) };
    let config = config.clone().resolve(size)?;
    note(&format!("{}: {} {split}, {}", out.display(), dataset, describe(&config)));

    let mut observer = Watcher { stop, progress: Progress::new("training"), total_steps: 0 };
    let outcome = pretrain(&config, Arc::new(images), out, resume, &mut observer);
    observer.progress.finish();
    match outcome? {
        Outcome::Interrupted { step } => {
            note(&format!(
                "interrupted at step {step}, checkpoint saved; continue with: mrl train --resume --out {}",
                out.display()
            ));
            Ok(Ending::Interrupted)
        }
        Outcome::Finished => {
            answer(&format!(
                "{}\n{}",
                out.join("encoder.safetensors").display(),
                out.join("online.safetensors").display()
            ));
            note(&format!(
                "embed with: mrl embed --run {} --split test --out test.safetensors",
                out.display()
            ));
            Ok(Ending::Done)
        }
    }
}

fn describe(config: &Config) -> String {
    let nesting = config.nesting().map(|nesting| nesting.to_string()).unwrap_or_default();
    let size = config.data.image_size.unwrap_or_default();
    format!(
        "{size} px, {}, nesting {nesting} ({}), batch {}, {} on {}",
        config.model.describe(),
        config.model.head,
        config.run.batch_size,
        config.run.precision,
        config.run.device
    )
}

struct Watcher {
    stop: StopSignal,
    progress: Progress,
    total_steps: u64,
}

impl Observer for Watcher {
    fn started(&mut self, start: &Start) {
        let Start { first_step, total_steps, steps_per_epoch, images, resumed_from } = start;
        note(&format!("{images} images, {steps_per_epoch} steps an epoch, {total_steps} steps in all"));
        if let Some(checkpoint) = resumed_from {
            note(&format!("continuing behind step {first_step} from {}", checkpoint.display()));
        }
        self.total_steps = *total_steps;
    }

    fn stepped(&mut self, record: &StepRecord, images_per_s: f64) {
        let message =
            format!("loss {:.4}, top1 {:.1} %, {images_per_s:.1} images/s", record.loss, record.top1);
        self.progress.at(record.step, self.total_steps, &message);
    }

    fn should_stop(&self) -> bool {
        self.stop.asked()
    }
}
