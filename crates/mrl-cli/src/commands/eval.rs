use anyhow::Result;
use mrl_embedding::EmbeddingSet;
use mrl_eval::{EvalOptions, evaluate};

use crate::{
    Ending,
    args::EvalArgs,
    progress::{Progress, answer},
};

/// `mrl eval`.
pub(crate) fn eval(args: &EvalArgs) -> Result<Ending> {
    let train = EmbeddingSet::read(&args.train)?;
    let test = EmbeddingSet::read(&args.test)?;
    let options = EvalOptions {
        dims: args.dims.clone(),
        methods: args.methods.clone(),
        l2: Some(args.l2),
        ..EvalOptions::default()
    };
    let progress = Progress::new("evaluating");
    let report = evaluate(&train, &test, &options, &mut |step| {
        progress.at(step.done as u64, step.total as u64, step.what);
    })?;
    progress.finish();
    // First, so that it is there even if the folder cannot be written.
    answer(&report.table());
    for file in report.write(&args.out)? {
        answer(&file.display().to_string());
    }
    Ok(Ending::Done)
}
