//! `cargo xtask test` and `cargo xtask ci`.

use anyhow::Result;

use crate::python;
use crate::setup;
use crate::workspace::Workspace;

/// Everything that can fail: unit and integration tests, examples, benchmarks in test mode, then doctests, then the
/// Python module.
///
/// # Errors
/// Set-up fails, or a test does.
pub(crate) fn test(workspace: &Workspace) -> Result<()> {
    setup::ensure(workspace)?;
    let server = setup::server()?;
    let server = server.as_ref().and_then(|folder| folder.to_str()).map(|folder| ("MRL_POSTGRES", folder));
    workspace.cargo(&["test", "--workspace", "--all-targets"], server.as_slice())?;
    workspace.cargo(&["test", "--workspace", "--doc"], &[])?;
    python::test(workspace)
}

/// What a change must pass.
///
/// # Errors
/// As [`test()`], or one of the checks fails.
pub(crate) fn ci(workspace: &Workspace) -> Result<()> {
    workspace.cargo(&["fmt", "--all", "--check"], &[])?;
    setup::ensure(workspace)?;
    workspace.cargo(&["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"], &[])?;
    workspace.cargo(&["doc", "--workspace", "--no-deps"], &[("RUSTDOCFLAGS", "--deny warnings")])?;
    test(workspace)
}
