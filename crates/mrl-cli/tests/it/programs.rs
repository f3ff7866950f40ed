//! The programs: `mrl` and `mrl_train`, which start quickly, and `mrl-torch`, which they become.

use std::fs;

use crate::{
    common::{World, fail, succeed, text},
    errors::says,
};

#[test]
fn only_mrl_torch_is_linked_with_libtorch() {
    let needs = |program: &str| text(&fs::read(program).unwrap()).contains("libtorch");
    assert!(needs(env!("CARGO_BIN_EXE_mrl-torch")));
    assert!(!needs(env!("CARGO_BIN_EXE_mrl")) && !needs(env!("CARGO_BIN_EXE_mrl_train")));
}

#[cfg(unix)]
#[test]
fn without_mrl_torch_beside_it_mrl_says_what_to_do() {
    let world = World::new();
    let alone = world.path("mrl");
    fs::copy(env!("CARGO_BIN_EXE_mrl"), &alone).unwrap();
    let alone = alone.to_str().unwrap();
    succeed(world.command(alone, "--version"));
    let message = fail(world.command(alone, "train --dataset mnist --data-dir data --out run"), 1);
    says(
        &message,
        &["mrl-torch: does not exist", "keep both programs in one folder", "cargo build --release"],
    );
    // Wrong settings are reported without it.
    let wrong = "train --dataset mnist --data-dir data --out run --lr -1";
    says(&fail(world.command(alone, wrong), 2), &["lr must be a positive number"]);
    // From any place, by a link, and under any name.
    let link = world.path("my-mrl");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_mrl"), &link).unwrap();
    let message = fail(world.command(link.to_str().unwrap(), "embed --run nowhere --out x.npy"), 1);
    says(&message, &["nowhere"]);
    let link = world.path("train-like-the-reference");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_mrl_train"), &link).unwrap();
    let message = fail(world.command(link.to_str().unwrap(), "--ckpt_path nowhere"), 2);
    says(&message, &["--ckpt_path nowhere: give the folder of a run"]);
}

#[cfg(unix)]
#[test]
fn both_programs_say_the_same_of_themselves() {
    use std::os::unix::process::CommandExt;
    let said = |program: &str, words: &str| {
        let world = World::new();
        let mut command = world.command(program, words);
        command.arg0("mrl");
        text(&succeed(command).stdout)
    };
    for words in ["--version", "train --help", "index search --help"] {
        let both = [env!("CARGO_BIN_EXE_mrl"), env!("CARGO_BIN_EXE_mrl-torch")];
        let [mrl, torch] = both.map(|program| said(program, words));
        assert_eq!(mrl, torch, "{words}");
    }
}
