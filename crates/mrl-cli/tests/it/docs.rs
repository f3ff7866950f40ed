//! The command line reference is what the programs say of themselves, and the commands in the pages are commands.

use std::{fmt::Write, fs, path::Path};

use mrl_cli::{
    args::{Cli, Command},
    settings::train_config,
};

use crate::common::{World, succeed, text};

#[test]
fn the_command_line_reference_is_up_to_date() {
    let world = World::new();
    let mut page = "# Command line\n\nGenerated from the programs' own help: `UPDATE_DOCS=1 cargo test -p mrl-cli docs`.\n".to_owned();
    let mrl = env!("CARGO_BIN_EXE_mrl");
    let reference = env!("CARGO_BIN_EXE_mrl_train");
    for (program, name, words) in [
        (mrl, "mrl", "--help"),
        (mrl, "mrl data", "data --help"),
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
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/cli.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&file, &page).unwrap();
    }
    let written = fs::read_to_string(&file).unwrap_or_default();
    assert!(written == page, "docs/reference/cli.md is stale: UPDATE_DOCS=1 cargo test -p mrl-cli docs");
}

/// Each `mrl …` in an indented block is parsed, and the settings of `mrl train` are checked. `…` stands for options that are left out.
#[test]
fn commands_in_the_pages_are_commands() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folders =
        ["docs", "docs/reference", "docs/tutorials"].map(|folder| fs::read_dir(root.join(folder)).unwrap());
    let files = folders.into_iter().flatten().map(|entry| entry.unwrap().path());
    let pages = files.filter(|path| path.extension().is_some_and(|ending| ending == "md"));
    let mut seen = 0;
    for page in pages.chain([root.join("README.md")]) {
        let text = fs::read_to_string(&page).unwrap();
        for line in text.lines().filter_map(|line| line.strip_prefix("    mrl ")) {
            check(line).unwrap_or_else(|problem| panic!("{}: mrl {line}\n{problem}", page.display()));
            seen += 1;
        }
    }
    assert!(seen > 25, "only {seen} commands were found");
}

fn check(line: &str) -> Result<(), String> {
    let line = line.split(" #").next().unwrap_or_default();
    let is_whole = !line.contains('…');
    let given = line.split_whitespace().filter(|&word| word != "…");
    // `--head mrl-e|mrl` is each of them in turn.
    let words: Vec<Vec<&str>> = given.map(|word| word.split('|').collect()).collect();
    let most = words.iter().map(Vec::len).max().unwrap_or(0);
    for turn in 0..most {
        let chosen = words.iter().map(|choices| choices[turn.min(choices.len() - 1)].to_owned());
        match Cli::parse_words(std::iter::once("mrl".to_owned()).chain(chosen)) {
            Ok(Cli { command: Command::Train(args) }) => {
                train_config(&args).map_err(|error| format!("{error:#}"))?;
            }
            Ok(_) => {}
            Err(error) if !is_whole && error.kind() == clap::error::ErrorKind::MissingRequiredArgument => {}
            Err(error) => return Err(error.to_string()),
        }
    }
    Ok(())
}
