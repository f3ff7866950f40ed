//! Whose libtorch the build uses.

use std::ffi::OsString;
use std::path::Path;

/// The link in the clone that `.cargo/config.toml` names as `LIBTORCH`.
pub(crate) const LINK: &str = ".libtorch";

/// Which libtorch the build uses.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Chosen {
    /// The one that set-up prepares.
    Ours,
    /// One that the user named, with the words to say so.
    Users(String),
}

/// Reads the choice from the environment. Cargo hands this program its own `LIBTORCH` from `.cargo/config.toml`, an
/// absolute path to the link, unless the user has set one.
pub(crate) fn chosen(root: &Path, var: impl Fn(&str) -> Option<OsString>) -> Chosen {
    if var("LIBTORCH_USE_PYTORCH").is_some() {
        return Chosen::Users("LIBTORCH_USE_PYTORCH is set: the active Python's torch is used".into());
    }
    match var("LIBTORCH") {
        Some(path) if Path::new(&path) != root.join(LINK) => {
            Chosen::Users(format!("LIBTORCH is set: {} is used", Path::new(&path).display()))
        }
        _ => Chosen::Ours,
    }
}
