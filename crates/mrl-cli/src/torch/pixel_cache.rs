//! Where the pixels of image folders are cached.

use std::{env, ffi::OsString, path::PathBuf};

use mrl_cli::{args::TrainArgs, progress::note};

/// The folder that was named, else the user's own; nothing when there shall be none.
pub(crate) fn folder(args: &TrainArgs) -> Option<PathBuf> {
    if args.no_pixel_cache || args.pixel_cache.is_some() {
        return args.pixel_cache.clone();
    }
    let folder = user_folder(env::consts::OS, |name| env::var_os(name));
    if folder.is_none() {
        note(
            "no home folder is known, so images are decoded each time; set HOME or XDG_CACHE_HOME, or name a folder \
             with --pixel-cache",
        );
    }
    folder
}

/// `mrl/pixels` in the user's cache folder.
fn user_folder(os: &str, var: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    // A relative path there is to be ignored (XDG Base Directory Specification).
    let cache = var("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute()).or_else(|| {
        let home = var("HOME").filter(|home| !home.is_empty())?;
        Some(PathBuf::from(home).join(if os == "macos" { "Library/Caches" } else { ".cache" }))
    });
    Some(cache?.join("mrl/pixels"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_users_cache_folder_is_found_on_each_system() {
        let folder = |os, xdg: Option<&str>, home: Option<&str>| {
            user_folder(os, |name| {
                match name {
                    "XDG_CACHE_HOME" => xdg,
                    "HOME" => home,
                    _ => None,
                }
                .map(OsString::from)
            })
        };
        let is = |path: &str| Some(PathBuf::from(path));
        assert_eq!(folder("linux", Some("/x"), Some("/home/me")), is("/x/mrl/pixels"));
        assert_eq!(folder("linux", Some("x"), Some("/home/me")), is("/home/me/.cache/mrl/pixels"));
        assert_eq!(folder("macos", None, Some("/Users/me")), is("/Users/me/Library/Caches/mrl/pixels"));
        assert_eq!(folder("linux", None, Some("")), None);
        assert_eq!(folder("linux", None, None), None);
    }
}
