//! Where an output lies: whether it can be written there, and what it must not be mixed with.

use std::path::{Component, Path, PathBuf};

use anyhow::{Result, anyhow};

use crate::UsageError;

/// Whether files can be written to `folder`, which may have to be made first.
pub fn check_folder(option: &str, folder: &Path) -> Result<()> {
    mrl_embedding::check_writable(folder).map_err(|problem| {
        anyhow!("{}: cannot be written ({problem}); choose another {option}", folder.display())
    })
}

/// Refuses an output at `path` that lies in the folder `other`, or holds it; `what` says what that is, such as "the data folder".
pub fn check_apart(option: &str, path: &Path, what: &str, other: &Path) -> Result<()> {
    check_outside(option, path, what, other)?;
    if resolved(other).starts_with(resolved(path)) {
        return Err(mixed(option, path, "holds", what, other));
    }
    Ok(())
}

/// Refuses an output at `path` that lies in the folder `other`.
pub fn check_outside(option: &str, path: &Path, what: &str, other: &Path) -> Result<()> {
    if resolved(path).starts_with(resolved(other)) {
        return Err(mixed(option, path, "is in", what, other));
    }
    Ok(())
}

fn mixed(option: &str, path: &Path, relation: &str, what: &str, other: &Path) -> anyhow::Error {
    let problem = format!(
        "{option} {} {relation} {what} {}; choose another {option}, outside of it",
        path.display(),
        other.display()
    );
    UsageError(problem).into()
}

/// The absolute path without links and `..`, as far as it exists; what does not exist yet is taken as it is written.
fn resolved(path: &Path) -> PathBuf {
    let mut whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut missing: Vec<PathBuf> = Vec::new();
    loop {
        if let Ok(there) = whole.canonicalize() {
            return missing.iter().rev().fold(there, |folder, part| after(folder, part));
        }
        let last = whole.components().next_back().map(|part| PathBuf::from(part.as_os_str()));
        match last {
            Some(part) if whole.pop() => missing.push(part),
            _ => return path.to_owned(),
        }
    }
}

/// `folder` and then `part`, which leads up if it is `..`, and may be a link.
fn after(mut folder: PathBuf, part: &Path) -> PathBuf {
    if part.components().next() == Some(Component::ParentDir) {
        folder.pop();
        return folder;
    }
    folder.push(part);
    folder.canonicalize().unwrap_or(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_compared_without_links_and_detours() {
        let world = tempfile::tempdir().unwrap();
        let at = |name: &str| world.path().join(name);
        std::fs::create_dir_all(at("data/train")).unwrap();
        let check = |out: &str, data: &str| check_apart("--out", &at(out), "the data folder", &at(data));
        for (out, relation) in [
            ("data", "is in"),
            ("data/run", "is in"),
            ("data/train/new/run", "is in"),
            ("other/../data/run", "is in"),
            ("missing/new/../../data/run", "is in"),
            ("data/train/..", "is in"),
            ("data/train/../..", "holds"),
            (".", "holds"),
        ] {
            let message = check(out, "data").unwrap_err().to_string();
            assert!(message.contains(&format!("{relation} the data folder")), "{out}: {message}");
            assert!(message.ends_with("choose another --out, outside of it"), "{out}: {message}");
        }
        for out in ["data2", "run/data", "data/../run"] {
            check(out, "data").unwrap();
        }
        // A data set that is still to be fetched has its folder, too.
        check("later/run", "later").unwrap_err();
        check("run", "later").unwrap();
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(at("data/train"), at("link")).unwrap();
            check("link/run", "data").unwrap_err();
            check("missing/../link/run", "data").unwrap_err();
            check("data/run", "link").unwrap();
        }
    }
}
