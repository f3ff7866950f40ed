//! Passes on the linker arguments that mrl-train's build script found, so that `mrl-torch` and what tests and measures it find libtorch.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|target| target == "linux") {
        // First of all from beside the programs, as `cargo xtask dist` lays them out.
        println!("cargo::rustc-link-arg-bins=-Wl,-rpath,$ORIGIN/../lib");
    }
    let args = std::env::var("DEP_MRL_TRAIN_LINK_ARGS").unwrap_or_default();
    for arg in args.split('\t').filter(|arg| !arg.is_empty()) {
        println!("cargo::rustc-link-arg-bin=mrl-torch={arg}");
        println!("cargo::rustc-link-arg-benches={arg}");
    }
}
