//! Which vector instructions the process may use.

use std::env;

use crate::UsageError;

const NAME: &str = "MRL_SIMD";

/// Limits views, evaluation and search to the level that the user has set.
pub fn limit() -> anyhow::Result<()> {
    let Some(name) = env::var_os(NAME) else { return Ok(()) };
    let level = name.to_string_lossy().parse().and_then(mrl_linalg::limit_simd);
    level.map_err(|error| UsageError(format!("{NAME}: {error}, or unset {NAME}")).into())
}
