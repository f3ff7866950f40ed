//! Passes on the linker arguments that mrl-train's build script found, so that `mrl-torch` and what tests and measures it find libtorch.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let args = std::env::var("DEP_MRL_TRAIN_LINK_ARGS").unwrap_or_default();
    for arg in args.split('\t').filter(|arg| !arg.is_empty()) {
        println!("cargo::rustc-link-arg-bin=mrl-torch={arg}");
        println!("cargo::rustc-link-arg-benches={arg}");
    }
}
