//! Integration tests by cargo-nextest: test programs run side by side, and each test has its time.

use anyhow::Result;

use crate::checks::Extent;
use crate::failures::Failures;
use crate::workspace::{Workspace, as_typed, run_read};

/// How many of the slowest tests are named.
const SLOWEST: usize = 10;

/// Runs the integration tests: all but the libraries' unit tests. Names the slowest.
///
/// # Errors
/// It cannot be run, or tests fail, which the error names.
pub(crate) fn run(workspace: &Workspace, extent: Extent, environment: &[(&str, &str)]) -> Result<()> {
    let mut args =
        vec!["nextest", "run", "--locked", "--workspace", "--no-fail-fast", "--status-level", "pass"];
    args.extend(["--color", "never", "--no-tests", "fail", "--filterset", "not kind(lib)"]);
    if extent == Extent::Long {
        args.extend(["--run-ignored", "all"]);
    }
    let mut command = workspace.cargo_command(&args);
    command.envs(environment.iter().copied()).env("NEXTEST_HIDE_PROGRESS_BAR", "1");
    let mut outcomes = Outcomes::default();
    let result = run_read(command, &as_typed(&args, environment), |line| outcomes.read(line));
    print!("{}", outcomes.slowest());
    Failures::of(outcomes.failed()).or(result)
}

/// How tests ended.
#[derive(Debug, Default)]
struct Outcomes(Vec<Outcome>);

#[derive(Debug)]
struct Outcome {
    /// The test program and the test.
    name: String,
    elapsed_s: f64,
    has_passed: bool,
}

impl Outcomes {
    /// Takes the next line of nextest: `        PASS [   0.010s] mrl-data folder::tests::reads`, and other words where a test failed or
    /// crashed. At the end it says again what failed.
    fn read(&mut self, line: &str) {
        let outcome = || {
            let (word, rest) = line.trim_start().split_once(" [")?;
            let (seconds, rest) = rest.split_once("s] ")?;
            // Some versions count the tests between time and name.
            let rest = rest.trim_start();
            let counted = rest.strip_prefix('(').and_then(|rest| rest.split_once(") "));
            let name = counted.map_or(rest, |(_, name)| name);
            let has_passed = ["PASS", "LEAK"].contains(&word);
            let has_ended =
                has_passed || ["FAIL", "ABORT", "TIMEOUT", "SIG"].iter().any(|start| word.starts_with(start));
            let elapsed_s = seconds.trim().parse().ok()?;
            has_ended.then(|| Outcome { name: name.to_owned(), elapsed_s, has_passed })
        };
        if let Some(outcome) = outcome()
            && self.0.iter().all(|known| known.name != outcome.name)
        {
            self.0.push(outcome);
        }
    }

    fn failed(&self) -> Vec<String> {
        self.0.iter().filter(|outcome| !outcome.has_passed).map(|outcome| outcome.name.clone()).collect()
    }

    /// A line for each of the slowest tests.
    fn slowest(&self) -> String {
        let mut by_time: Vec<&Outcome> = self.0.iter().collect();
        by_time.sort_by(|a, b| b.elapsed_s.total_cmp(&a.elapsed_s));
        let lines =
            by_time.iter().take(SLOWEST).map(|slow| format!("{:>8.1} s  {}\n", slow.elapsed_s, slow.name));
        format!("the slowest tests:\n{}", lines.collect::<String>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_that_failed_and_the_slowest_are_named_once() {
        let mut outcomes = Outcomes::default();
        for line in [
            "────────────",
            "        PASS [   0.010s] rows reads::a_row",
            "        SLOW [> 60.000s] (---------) rows writes::many",
            "        PASS [  75.250s] (  2/644) rows writes::many",
            "        FAIL [   1.506s] (  3/644) rows::it docs::are_true",
            "     SIGABRT [   0.200s] (  4/644) rows crashes",
            "  stdout ───",
            "    thread 'docs' says [1s] (a) word",
            "     Summary [  77.000s] 4/644 tests run: 2 passed, 2 failed",
            "        FAIL [   1.506s] (  3/644) rows::it docs::are_true",
        ] {
            outcomes.read(line);
        }
        assert_eq!(outcomes.failed(), ["rows::it docs::are_true", "rows crashes"]);
        let expected =
            "the slowest tests:\n    75.2 s  rows writes::many\n     1.5 s  rows::it docs::are_true\n";
        assert!(outcomes.slowest().starts_with(expected), "{}", outcomes.slowest());
    }
}
