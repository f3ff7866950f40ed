use std::path::Path;

/// Whether the name of `path` ends in one of `extensions`, which are in lower case; that of the file may be in any.
pub(crate) fn has_extension(path: &Path, extensions: &[&str]) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str()).map(str::to_lowercase);
    extension.is_some_and(|extension| extensions.contains(&&*extension))
}
