//! `cargo xtask test` and `cargo xtask ci`.

use anyhow::Result;

use crate::caps;
use crate::python;
use crate::setup;
use crate::stages::Stages;
use crate::workspace::Workspace;

/// Everything that can fail: unit and integration tests, examples, benchmarks in test mode, then doctests, then the
/// Python module.
///
/// # Errors
/// Set-up fails, or a test does.
pub(crate) fn test(workspace: &Workspace) -> Result<()> {
    after_setup(workspace, Stages::default(), |stages| run_tests(workspace, stages))
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
        run_tests(workspace, stages);
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

fn run_tests(workspace: &Workspace, stages: &mut Stages) {
    stages.run("tests", || {
        let server = setup::server()?;
        let server =
            server.as_ref().and_then(|folder| folder.to_str()).map(|folder| ("MRL_POSTGRES", folder));
        workspace.cargo_test(&["--all-targets"], server.as_slice())
    });
    stages.run("doctests", || workspace.cargo_test(&["--doc"], &[]));
    stages.run("Python", || python::test(workspace));
}
