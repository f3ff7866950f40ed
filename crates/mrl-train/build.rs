//! Tells the linker where libtorch is, so that programs and tests find it without `LD_LIBRARY_PATH`.
//!
//! The rules for finding libtorch are those of torch-sys' own build script. `mrl-cli` gets the same arguments
//! from here through Cargo's `links` metadata, because a link argument holds for the package that prints it only.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

fn main() {
    for name in ["LIBTORCH", "LIBTORCH_LIB", "LIBTORCH_USE_PYTORCH", "VIRTUAL_ENV"] {
        println!("cargo::rerun-if-env-changed={name}");
    }
    println!("cargo::rerun-if-changed=build.rs");
    match lib_folder() {
        Ok(Some(lib)) => print_link_args(&lib),
        Ok(None) => println!("cargo::metadata=link_args="),
        Err(message) => println!("cargo::error={message}"),
    }
}

/// The folder with libtorch's shared libraries; `None` for a system-wide one, which needs no rpath.
fn lib_folder() -> Result<Option<PathBuf>, String> {
    let folder = if env::var_os("LIBTORCH_USE_PYTORCH").is_some() {
        python_torch()?
    } else if let Some(libtorch) = env::var_os("LIBTORCH_LIB").or_else(|| env::var_os("LIBTORCH")) {
        PathBuf::from(libtorch)
    } else if Path::new("/usr/lib/libtorch.so").exists() {
        return Ok(None);
    } else {
        return Err("libtorch is not set up; run `cargo xtask setup`, or set LIBTORCH to its folder".into());
    };
    let lib = folder.join("lib");
    let name = if cfg_target_os("macos") { "libtorch_cpu.dylib" } else { "libtorch_cpu.so" };
    // Once libtorch has come or gone, this script must run again.
    println!("cargo::rerun-if-changed={}", lib.join(name).display());
    if !lib.join(name).exists() {
        return Err(format!(
            "there is no libtorch in {} ({name} is missing); run `cargo xtask setup`, or set LIBTORCH to a folder \
             that holds libtorch 2.13.0",
            lib.display()
        ));
    }
    // The link in the clone may be pointed elsewhere later; the program keeps the libtorch it was linked with.
    fs::canonicalize(&lib).map(Some).map_err(|e| format!("cannot resolve {}: {e}", lib.display()))
}

/// The folder of the `torch` package of the active Python.
fn python_torch() -> Result<PathBuf, String> {
    let python = if env::var_os("VIRTUAL_ENV").is_some() { "python" } else { "python3" };
    let cure = "install torch 2.13.0 there, or unset LIBTORCH_USE_PYTORCH and run `cargo xtask setup`";
    let output = Command::new(python)
        .args(["-c", "import os, torch; print(os.path.dirname(torch.__file__))"])
        .output()
        .map_err(|e| format!("LIBTORCH_USE_PYTORCH is set and {python} does not run ({e}); {cure}"))?;
    let folder = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if !output.status.success() || folder.is_empty() {
        return Err(format!("LIBTORCH_USE_PYTORCH is set and {python} cannot import torch; {cure}"));
    }
    Ok(PathBuf::from(folder))
}

fn print_link_args(lib: &Path) {
    // `-Xlinker` rather than `-Wl,…`: a path may hold a comma.
    let mut args = vec!["-Xlinker".to_owned(), "-rpath".into(), "-Xlinker".into(), lib.display().to_string()];
    if lib.join("libtorch_cuda.so").exists() {
        // Nothing refers to libtorch_cuda by name: its kernels register themselves once it is loaded.
        args.extend(["-Wl,--no-as-needed", "-ltorch_cuda", "-Wl,--as-needed"].map(String::from));
    }
    if !cfg_target_os("linux") && !cfg_target_os("macos") {
        args.clear();
    }
    for arg in &args {
        println!("cargo::rustc-link-arg={arg}");
    }
    println!("cargo::metadata=link_args={}", args.join("\t"));
}

fn cfg_target_os(os: &str) -> bool {
    env::var("CARGO_CFG_TARGET_OS").is_ok_and(|target| target == os)
}
