//! Checks the licences and sources of dependencies, and that none is banned. cargo-deny does it, by the rules in `deny.toml`.

use anyhow::Result;

use crate::stages::skip;
use crate::workspace::Workspace;

/// Checks the dependencies. Without cargo-deny this says so and passes, unless `MRL_REQUIRE_DENY` is set, as in CI.
///
/// # Errors
/// A dependency is refused; cargo-deny has said which and why.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    if !workspace.has_subcommand("deny") {
        let missing = "checking the dependencies needs cargo-deny: cargo install --locked cargo-deny@0.20.2";
        return skip(missing, "MRL_REQUIRE_DENY");
    }
    workspace.cargo(&["deny", "--locked", "--all-features", "check", "bans", "licenses", "sources"], &[])
}
