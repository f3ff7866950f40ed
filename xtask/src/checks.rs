//! `cargo xtask test` and `cargo xtask ci`.

use anyhow::Result;

use crate::caps;
use crate::demo;
use crate::deny;
use crate::dist;
use crate::nextest;
use crate::python;
use crate::setup;
use crate::stages::Stages;
use crate::workspace::Workspace;

/// How many of the tests run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// What a change is tested with every time: few of the random cases, and none of the tests that are marked `#[ignore = "long: …"]`.
    Quick,
    /// All, before a release.
    Long,
}

impl Extent {
    /// Environment variables for the tests: the number of cases for properties that do not set one, the share of cases for properties that
    /// do (`mrl_testing::scaled`), and the threads of libtorch. With one thread each, parallel tests do not wait for each other's threads.
    fn environment(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Quick => &[("PROPTEST_CASES", "32"), ("OMP_NUM_THREADS", "1")],
            Self::Long => &[("MRL_TEST_SCALE", "1"), ("OMP_WAIT_POLICY", "passive")],
        }
    }
}

/// Unit and integration tests, benchmarks in test mode, then doctests, then the Python module.
///
/// # Errors
/// Set-up fails, or a test does.
pub(crate) fn test(workspace: &Workspace, extent: Extent) -> Result<()> {
    after_setup(workspace, Stages::default(), |stages| run_tests(workspace, extent, stages))
}

/// The numerical tests as a processor with fewer vector instructions computes.
///
/// # Errors
/// Set-up fails, or a test does.
pub(crate) fn test_capped(workspace: &Workspace) -> Result<()> {
    after_setup(workspace, Stages::default(), |stages| caps::run_tests(workspace, stages))
}

/// What a change must pass.
///
/// # Errors
/// As [`test()`] and [`test_capped()`], or one of the checks fails.
pub(crate) fn ci(workspace: &Workspace) -> Result<()> {
    let mut stages = Stages::default();
    stages.run("formatting", || workspace.cargo(&["fmt", "--all", "--check"], &[]));
    after_setup(workspace, stages, |stages| {
        let clippy = ["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"];
        stages.run("clippy", || workspace.cargo(&clippy, &[]));
        let doc = ["doc", "--workspace", "--no-deps"];
        stages.run("documentation", || workspace.cargo(&doc, &[("RUSTDOCFLAGS", "--deny warnings")]));
        stages.run("dependencies", || deny::check(workspace));
        run_tests(workspace, Extent::Quick, stages);
        caps::run_tests(workspace, stages);
    })
}

/// Nothing can be built where set-up fails, so `more` runs only after it.
fn after_setup(workspace: &Workspace, mut stages: Stages, more: impl FnOnce(&mut Stages)) -> Result<()> {
    if stages.run("set-up", || setup::ensure(workspace)) {
        more(&mut stages);
    }
    stages.finish()
}

/// Builds all that the stages after it run. One set of features serves them: another would build half of the crates again.
pub(crate) const BUILD: [&str; 3] = ["build", "--workspace", "--all-targets"];

fn run_tests(workspace: &Workspace, extent: Extent, stages: &mut Stages) {
    let environment = extent.environment();
    // Apart, so that its time is not that of the tests.
    stages.run("build", || workspace.cargo(&BUILD, &[]));
    let ignored: &[&str] = if extent == Extent::Long { &["--", "--include-ignored"] } else { &[] };
    // `cargo test` runs the unit tests of a crate in one process. nextest starts a process for each test, and loading libtorch takes 0.3 seconds.
    stages.run("unit tests", || workspace.cargo_test(&[&["--lib"][..], ignored].concat(), environment));
    stages.run("integration tests", || {
        let server = setup::server()?;
        let server =
            server.as_ref().and_then(|folder| folder.to_str()).map(|folder| ("MRL_POSTGRES", folder));
        let environment = [environment, server.as_slice()].concat();
        if workspace.has_subcommand("nextest") {
            return nextest::run(workspace, extent, &environment);
        }
        println!("cargo-nextest is not installed: the slowest tests will not be named");
        let kinds = ["--bins", "--test", "*"];
        workspace.cargo_test(&[&kinds[..], ignored].concat(), &environment)
    });
    stages.run("benchmarks", || workspace.cargo_test(&["--bench", "*"], environment));
    stages.run("doctests", || workspace.cargo_test(&["--doc"], environment));
    stages.run("Python", || python::test(workspace, extent));
    if extent == Extent::Long {
        stages.run("demo", || demo::test(workspace));
        stages.run("the moved folder", || dist::test_moved(workspace));
    }
}
