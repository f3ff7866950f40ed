//! Whether the dependencies may be used: their licences, their sources, and what is banned (`deny.toml`), by cargo-deny.

use anyhow::{Result, bail};

use crate::workspace::Workspace;

/// Checks the dependencies. Without cargo-deny this says so and passes, unless `MRL_REQUIRE_DENY` is set, as in CI.
///
/// # Errors
/// A dependency is refused; cargo-deny has said which and why.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    if !workspace.has_subcommand("deny") {
        let missing = "checking the dependencies needs cargo-deny: cargo install --locked cargo-deny@0.20.2";
        if std::env::var_os("MRL_REQUIRE_DENY").is_some() {
            bail!(missing);
        }
        println!("skipped: {missing}");
        return Ok(());
    }
    workspace.cargo(&["deny", "--locked", "--all-features", "check", "bans", "licenses", "sources"], &[])
}
