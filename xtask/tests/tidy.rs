//! The rules of the tree that a program can check. `ARCHITECTURE.md` and `CONTRIBUTING.md` state them.

use std::fs;
use std::path::{Path, PathBuf};

const MAX_LINES: usize = 500;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace").to_owned()
}

/// Every `.rs` file of the workspace, with its text.
fn sources() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join("bindings"), root().join("crates"), root().join("xtask")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("the tree can be read") {
            let path = entry.expect("the tree can be read").path();
            if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("sources are UTF-8");
                found.push((path, text));
            }
        }
    }
    assert!(found.len() > 10, "the sources were not found");
    found
}

fn is_in(path: &Path, member: &str) -> bool {
    path.starts_with(root().join(member))
}

fn members() -> Vec<String> {
    let mut members = vec!["bindings/python".to_owned(), "xtask".to_owned()];
    for entry in fs::read_dir(root().join("crates")).expect("the crates can be listed") {
        members.push(format!("crates/{}", entry.expect("the crates can be listed").file_name().display()));
    }
    members.sort();
    members
}

fn manifest(member: &str) -> String {
    fs::read_to_string(root().join(member).join("Cargo.toml")).expect("a member has a manifest")
}

/// The workspace members whose manifest names the dependency `name`.
fn members_with(name: &str) -> Vec<String> {
    let names = |member: &String| {
        manifest(member).lines().any(|line| {
            let key = line.split(['=', '.', ' ']).next().unwrap_or_default();
            key == name
        })
    };
    members().into_iter().filter(names).collect()
}

/// The lines outside `members` that hold one of `words`, less comments and the tests at the end of a file.
fn code_with(words: &[&str], members: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for (path, text) in sources() {
        let is_build_script = path.file_name().is_some_and(|name| name == "build.rs");
        if is_build_script || members.iter().any(|member| is_in(&path, member)) {
            continue;
        }
        let code = text.lines().take_while(|line| line.trim() != "#[cfg(test)]");
        for (index, line) in code.enumerate() {
            if !line.trim_start().starts_with("//") && words.iter().any(|word| has_word(line, word)) {
                found.push(format!("{}:{}: {}", path.display(), index + 1, line.trim()));
            }
        }
    }
    found
}

/// Whether `word` stands in `line` and is not the end of a longer one, as `tch::` is of `fetch::`.
fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|letter| letter.is_alphanumeric() || letter == '_')
    })
}

#[test]
fn only_mrl_train_knows_tch() {
    assert_eq!(members_with("tch"), ["crates/mrl-train"]);
    assert_eq!(members_with("torch-sys"), [""; 0]);
    assert_eq!(code_with(&["tch::", "torch_sys::"], &["crates/mrl-train", "xtask"]), [""; 0]);
}

/// Else `mrl` would load it.
#[test]
fn only_the_program_mrl_torch_uses_mrl_train() {
    let used = code_with(&["mrl_train::"], &["crates/mrl-train", "xtask"]);
    let of_mrl_torch =
        |line: &String| line.contains("mrl-cli/src/torch/") || line.contains("mrl-cli/benches/");
    let elsewhere: Vec<String> = used.into_iter().filter(|line| !of_mrl_torch(line)).collect();
    assert_eq!(elsewhere, [""; 0]);
}

#[test]
fn only_mrl_cli_knows_clap() {
    assert_eq!(members_with("clap"), ["crates/mrl-cli"]);
}

#[test]
fn only_the_bindings_know_python() {
    assert_eq!(members_with("pyo3"), ["bindings/python"]);
}

#[test]
fn only_mrl_chart_knows_what_draws() {
    assert_eq!(members_with("kuva"), ["crates/mrl-chart"]);
}

#[test]
fn only_programs_print() {
    let macros = ["println!(", "print!(", "eprintln!(", "eprint!(", "dbg!("];
    let in_tests =
        |line: &String| line.contains("/tests/") || line.contains("/examples/") || line.contains("/benches/");
    let mut found = code_with(&macros, &["crates/mrl-cli", "xtask"]);
    found.retain(|line| !in_tests(line) && !line.contains("/tests.rs:"));
    assert_eq!(found, [""; 0]);
}

#[test]
fn only_programs_read_the_environment() {
    // Test programs are compiled with this file, others never: see the next test.
    let for_tests = "crates/mrl-linalg/src/test_env.rs";
    let programs = ["crates/mrl-cli", "crates/mrl-testing", "xtask", for_tests];
    assert_eq!(code_with(&["env::var", "env::var_os", "env::vars"], &programs), [""; 0]);
}

#[test]
fn only_tests_take_the_simd_level_from_the_environment() {
    let mut enabled = 0;
    for member in members() {
        let manifest = manifest(&member);
        let mut table = "";
        for line in manifest.lines() {
            if line.starts_with('[') {
                table = line;
            }
            if line.contains("\"test-env\"") {
                assert_eq!(table, "[dev-dependencies]", "{member}: {line}");
                enabled += 1;
            }
        }
    }
    assert_eq!(enabled, 3, "mrl-data, mrl-eval and mrl-retrieve are tested at each level");
}

#[test]
fn only_mrl_linalg_chooses_vector_instructions() {
    assert_eq!(members_with("pulp"), ["crates/mrl-linalg"]);
    assert_eq!(members_with("faer"), ["crates/mrl-linalg"]);
}

#[test]
fn source_files_are_short() {
    let long: Vec<_> = sources()
        .into_iter()
        .map(|(path, text)| (path.display().to_string(), text.lines().count()))
        .filter(|(_, lines)| *lines > MAX_LINES)
        .collect();
    assert!(long.is_empty(), "files of more than {MAX_LINES} lines: {long:?}");
}
