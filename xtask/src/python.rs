//! The tests that are written in Python, with pytest: of `bench/prove`, and of `bindings/python` on the library that is built with the other
//! crates, or for long tests on the wheel, built and installed as users do.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow, bail};

use crate::checks::{BUILD, Extent};
use crate::environment::Environment;
use crate::failures::Failures;
use crate::stages::skip;
use crate::workspace::{Workspace, run, run_read, target_folder};

const TESTS: Environment = Environment {
    packages: &["maturin==1.16.*", "mypy==2.4.*", "numpy==2.4.*", "pytest==9.2.*"],
    imports: "import maturin, mypy, numpy, pytest",
    folder: "python",
};

const NEEDS: &str = "bindings/python needs Python 3.11 or later with venv \
                     (on Debian: apt-get install python3-venv)";

/// Tests the Python module. Without Python this says so and passes, unless `MRL_REQUIRE_PYTHON` is set, as in CI.
///
/// # Errors
/// The build, pip or a test fails; its messages are above.
pub(crate) fn test(workspace: &Workspace, extent: Extent) -> Result<()> {
    if !has_venv() {
        return skip(NEEDS, "MRL_REQUIRE_PYTHON");
    }
    let python = environment(workspace)?;
    let module = match extent {
        Extent::Quick => Some(lay_out(workspace)?),
        Extent::Long => {
            let wheel = build(workspace, &python, "dev", &target_folder(workspace)?.join("wheels"))?;
            let mut install = workspace.command(&python);
            install.args(["-m", "pip", "install", "--quiet", "--no-deps", "--force-reinstall"]).arg(&wheel);
            run(&mut install, &format!("pip install {}", wheel.display()))?;
            None
        }
    };
    let mut pytest = workspace.command(&python);
    pytest.args([
        "-m",
        "pytest",
        "--quiet",
        "--color=no",
        "--continue-on-collection-errors",
        "bindings/python",
        "bench/prove",
    ]);
    pytest.env("PYTHONDONTWRITEBYTECODE", "1").envs(module.map(|folder| ("PYTHONPATH", folder)));
    let mut failures = Failures::default();
    let result = run_read(pytest, "pytest bindings/python bench/prove", |line| failures.read_pytest(line));
    failures.or(result)
}

/// The Python that builds and tests the module.
///
/// # Errors
/// Python is missing or has no venv, or pip fails; its messages are above.
pub(crate) fn environment(workspace: &Workspace) -> Result<PathBuf> {
    if !has_venv() {
        bail!(NEEDS);
    }
    TESTS.python(workspace)
}

fn has_venv() -> bool {
    let program = "import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))";
    Command::new("python3").args(["-c", program]).output().is_ok_and(|output| output.status.success())
}

/// Builds the library with the other tests' crates and lays the module out as its wheel does; the folder to import it from.
fn lay_out(workspace: &Workspace) -> Result<PathBuf> {
    workspace.cargo(&BUILD, &[])?;
    let target = target_folder(workspace)?;
    let folder = target.join("python-module");
    let module = folder.join("mrl");
    fs::create_dir_all(&module).with_context(|| format!("making {}", module.display()))?;
    let library = if cfg!(target_os = "macos") { "libmrl_python.dylib" } else { "libmrl_python.so" };
    let sources = workspace.root().join("bindings/python/python/mrl");
    let sources =
        ["__init__.py", "__init__.pyi", "py.typed"].map(|name| (sources.join(name), module.join(name)));
    for (from, to) in
        sources.into_iter().chain([(target.join("debug").join(library), module.join("_mrl.abi3.so"))])
    {
        // A module that a program has loaded keeps its old file.
        let _ = fs::remove_file(&to);
        fs::copy(&from, &to).with_context(|| format!("copying {}", from.display()))?;
    }
    Ok(folder)
}

/// Builds the wheel with a profile of Cargo's into `folder`, where it replaces what was there. With the profile of the other tests most of it is
/// compiled already.
///
/// # Errors
/// The build fails; its messages are above.
pub(crate) fn build(workspace: &Workspace, python: &Path, profile: &str, folder: &Path) -> Result<PathBuf> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("removing {}", folder.display()))?;
    }
    let mut maturin = workspace.command(python);
    maturin.args(["-m", "maturin", "build", "--locked", "--profile", profile]);
    maturin.args(["--manifest-path", "bindings/python/Cargo.toml"]);
    maturin.arg("--interpreter").arg(python).arg("--out").arg(folder);
    run(&mut maturin, "maturin build")?;
    let wheel = fs::read_dir(folder)?.next().transpose()?;
    Ok(wheel.ok_or_else(|| anyhow!("maturin left no wheel in {}", folder.display()))?.path())
}
