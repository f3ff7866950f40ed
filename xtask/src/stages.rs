//! Stages of a check: each runs even if one before it failed, and what failed is said last.

use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};

/// Stages that have run.
#[derive(Debug, Default)]
pub(crate) struct Stages(Vec<Stage>);

#[derive(Debug)]
struct Stage {
    name: String,
    elapsed: Duration,
    result: Result<()>,
}

impl Stages {
    /// Runs a stage and says how long it took; whether it passed.
    pub(crate) fn run(&mut self, name: &str, stage: impl FnOnce() -> Result<()>) -> bool {
        let start = Instant::now();
        let result = stage();
        let (elapsed, passed) = (start.elapsed(), result.is_ok());
        let word = if passed { "passed" } else { "failed" };
        println!("= {name}: {word} after {:.1} s", elapsed.as_secs_f64());
        self.0.push(Stage { name: name.to_owned(), elapsed, result });
        passed
    }

    /// Says how long each stage took, when all have run.
    ///
    /// # Errors
    /// Stages failed: one line for each, and one for each test.
    pub(crate) fn finish(self) -> Result<()> {
        let times = |stage: &Stage| format!("{} {:.0} s", stage.name, stage.elapsed.as_secs_f64());
        println!("= {}", self.0.iter().map(times).collect::<Vec<_>>().join(", "));
        let all = self.0.len();
        let failure = |stage: Stage| Some(format!("\n{}: {:#}", stage.name, stage.result.err()?));
        let failed: Vec<String> = self.0.into_iter().filter_map(failure).collect();
        if failed.is_empty() {
            return Ok(());
        }
        Err(anyhow!("{} of {all} stages failed{}", failed.len(), failed.concat()))
    }
}

/// Says that a stage is skipped because of what is `missing`.
///
/// # Errors
/// The environment variable `required` is set, as in CI: then the stage must run.
pub(crate) fn skip(missing: &str, required: &str) -> Result<()> {
    if std::env::var_os(required).is_some() {
        bail!("{missing}");
    }
    println!("skipped: {missing}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stage_runs_and_all_that_failed_is_said() {
        let mut stages = Stages::default();
        assert!(!stages.run("clippy", || Err(anyhow!("it failed"))));
        assert!(stages.run("formatting", || Ok(())));
        assert!(!stages.run("tests", || Err(anyhow!("2 failed:\n    a\n    b"))));
        let message = stages.finish().unwrap_err().to_string();
        assert_eq!(message, "2 of 3 stages failed\nclippy: it failed\ntests: 2 failed:\n    a\n    b");
    }

    #[test]
    fn where_all_pass_nothing_is_said() {
        let mut stages = Stages::default();
        assert!(stages.run("tests", || Ok(())));
        stages.finish().unwrap();
    }
}
