//! The command as a user meets it: what it leaves alone, and what it says.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

struct Clone {
    folder: tempfile::TempDir,
}

impl Clone {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder for the test");
        fs::create_dir(folder.path().join("xtask")).expect("a clone's folder");
        Self { folder }
    }

    /// Runs `xtask` as Cargo would in this clone, on a machine without Python: exit code, stdout and stderr.
    fn xtask(&self, args: &[&str], environment: &[(&str, &str)]) -> (Option<i32>, String, String) {
        let root = self.folder.path();
        let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
            .args(args)
            .env_remove("LIBTORCH_USE_PYTORCH")
            .env("CARGO_MANIFEST_DIR", root.join("xtask"))
            .env("LIBTORCH", root.join(".libtorch"))
            .env("XDG_CACHE_HOME", root.join("cache"))
            .env("PATH", root.join("no-programs"))
            .envs(environment.iter().copied())
            .output()
            .expect("xtask runs");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        (output.status.code(), text(output.stdout), text(output.stderr))
    }

    fn touched(&self) -> bool {
        self.folder.path().join("cache").exists()
            || fs::symlink_metadata(self.folder.path().join(".libtorch")).is_ok()
    }
}

#[test]
fn help_names_every_command() {
    let (code, stdout, _) = Clone::new().xtask(&["--help"], &[]);
    assert_eq!(code, Some(0));
    for command in ["setup [--cuda]", "demo", "test", "ci"] {
        assert!(stdout.contains(&format!("  {command} ")), "{stdout}");
    }
}

#[test]
fn a_wrong_command_is_wrong_usage() {
    for args in [&["setpu"][..], &["setup", "--gpu"], &[]] {
        let (code, _, stderr) = Clone::new().xtask(args, &[]);
        assert_eq!(code, Some(2));
        assert!(stderr.starts_with("error: no command"), "{stderr}");
    }
}

#[test]
fn the_users_own_libtorch_is_left_alone() {
    let clone = Clone::new();
    let (code, stdout, _) = clone.xtask(&["setup"], &[("LIBTORCH", "/opt/libtorch")]);
    assert_eq!((code, &*stdout), (Some(0), "LIBTORCH is set: /opt/libtorch is used; nothing to set up\n"));
    let (code, stdout, _) = clone.xtask(&["setup", "--cuda"], &[("LIBTORCH_USE_PYTORCH", "1")]);
    assert_eq!(code, Some(0));
    assert!(stdout.starts_with("LIBTORCH_USE_PYTORCH is set"), "{stdout}");
    assert!(!clone.touched());
}

#[test]
fn without_python_it_says_what_to_install() {
    let (code, _, stderr) = Clone::new().xtask(&["setup"], &[]);
    assert_eq!(code, Some(1));
    assert!(stderr.starts_with("error: Python 3 was not found; install it with pip"), "{stderr}");
}

#[test]
fn a_folder_or_link_of_the_users_in_the_links_place_is_kept() {
    let clone = Clone::new();
    let link = clone.folder.path().join(".libtorch");
    fs::create_dir(&link).expect("a folder in the way");
    let (code, _, stderr) = clone.xtask(&["setup"], &[]);
    assert_eq!(code, Some(1));
    assert!(stderr.contains("is not a link that set-up made; move it away"), "{stderr}");
    fs::remove_dir(&link).expect("the folder was kept, empty");

    symlink("/opt/mine", &link).expect("a link in the way");
    let (code, _, stderr) = clone.xtask(&["setup"], &[]);
    assert_eq!(code, Some(1));
    assert!(stderr.contains("leads to /opt/mine, which set-up did not make"), "{stderr}");
    assert_eq!(fs::read_link(&link).expect("the link was kept").to_str(), Some("/opt/mine"));
}
