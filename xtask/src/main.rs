//! `cargo xtask`: set-up, demo, tests and checks of the workspace.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for the terminal")]

mod bench;
mod cache;
mod caps;
mod checks;
mod chosen;
mod demo;
mod deny;
mod dist;
mod environment;
mod failures;
mod nextest;
mod pip;
mod python;
mod setup;
mod stages;
#[cfg(all(test, unix))]
mod tests;
mod unpack;
mod wheels;
mod workspace;

use std::process::ExitCode;

use checks::Extent;
use unpack::Variant;
use workspace::Workspace;

const HELP: &str = "\
Usage: cargo xtask COMMAND

  setup [--cuda]  Prepare libtorch in the user's cache and link this clone to it
  demo [--seed N] Set up, build, train on the shipped images, embed, evaluate, search
  test            Set up, then run the tests
  test --long     Set up, then run all tests: those that take long too, and all random cases
  test --capped   Set up, then run the numerical tests with fewer vector instructions
  ci              Set up, then formatting, clippy, documentation, dependencies, the tests and those of --capped
  dist            Build the programs and the wheel, and lay them out with all they need: a folder that can be moved, and an archive
  prove [RECIPE] [OPTIONS]    Train a recipe with and without nesting, and compare its prefixes with principal components
  bench eval [OPTIONS]        mrl eval beside scikit-learn; see bench/README.md
  bench eval-large [OPTIONS]  How mrl eval grows with the set
  bench train [OPTIONS]       mrl train beside PyTorch
  bench search [OPTIONS]      mrl index search beside faiss and usearch

A LIBTORCH or LIBTORCH_USE_PYTORCH that you have set is used as it is, and set-up then does nothing.
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let workspace = Workspace::find();
    let result = match args[..] {
        ["-h" | "--help" | "help"] => {
            print!("{HELP}");
            Ok(())
        }
        ["setup"] => setup::setup(&workspace, Variant::Cpu),
        ["setup", "--cuda"] => setup::setup(&workspace, Variant::Cuda),
        ["demo", ref options @ ..] => demo::demo(&workspace, options),
        ["test"] => checks::test(&workspace, Extent::Quick),
        ["test", "--long"] => checks::test(&workspace, Extent::Long),
        ["test", "--capped"] => checks::test_capped(&workspace),
        ["ci"] => checks::ci(&workspace),
        ["dist"] => dist::dist(&workspace),
        ["prove", ref options @ ..] => bench::prove(&workspace, options),
        ["bench", "eval", ref options @ ..] => bench::eval(&workspace, "compare.py", options),
        ["bench", "train", ref options @ ..] => bench::train(&workspace, options),
        ["bench", "search", ref options @ ..] => bench::search(&workspace, options),
        ["bench", "eval-large", ref options @ ..] => bench::eval(&workspace, "large.py", options),
        _ => {
            let typed = if args.is_empty() {
                "no command".into()
            } else {
                format!("no command `{}`", args.join(" "))
            };
            eprint!("error: {typed}\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
