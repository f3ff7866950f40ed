//! The command line reference is what the programs say of themselves.

use std::{fmt::Write, fs, path::Path};

use crate::common::{World, succeed, text};

#[test]
fn the_command_line_reference_is_up_to_date() {
    let world = World::new();
    let mut page = "# Command line\n\nGenerated from the programs' own help: `UPDATE_DOCS=1 cargo test -p mrl-cli docs`.\n".to_owned();
    let mrl = env!("CARGO_BIN_EXE_mrl");
    let reference = env!("CARGO_BIN_EXE_mrl_train");
    for (program, name, words) in [
        (mrl, "mrl", "--help"),
        (mrl, "mrl train", "train --help"),
        (mrl, "mrl embed", "embed --help"),
        (mrl, "mrl fold", "fold --help"),
        (mrl, "mrl eval", "eval --help"),
        (mrl, "mrl adapt", "adapt --help"),
        (mrl, "mrl adapt fit", "adapt fit --help"),
        (mrl, "mrl adapt apply", "adapt apply --help"),
        (mrl, "mrl index", "index --help"),
        (mrl, "mrl index build", "index build --help"),
        (mrl, "mrl index add", "index add --help"),
        (mrl, "mrl index remove", "index remove --help"),
        (mrl, "mrl index compact", "index compact --help"),
        (mrl, "mrl index info", "index info --help"),
        (mrl, "mrl index tune", "index tune --help"),
        (mrl, "mrl index bench", "index bench --help"),
        (mrl, "mrl index search", "index search --help"),
        (mrl, "mrl index push", "index push --help"),
        (reference, "mrl_train", "--help"),
    ] {
        let mut command = world.command(program, words);
        command.env("COLUMNS", "100");
        let help = text(&succeed(command).stdout);
        let help: Vec<&str> = help.lines().map(str::trim_end).collect();
        write!(page, "\n## {name}\n\n```text\n{}\n```\n", help.join("\n").trim_end()).unwrap();
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/cli.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&file, &page).unwrap();
    }
    let written = fs::read_to_string(&file).unwrap_or_default();
    assert!(written == page, "docs/cli.md is stale: UPDATE_DOCS=1 cargo test -p mrl-cli docs");
}
