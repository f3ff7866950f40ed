//! The tests of `bindings/python`: its wheel is built and installed as users do, and pytest runs on that.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow, bail};

use crate::environment::Environment;
use crate::failures::Failures;
use crate::workspace::{Workspace, run, run_read, target_folder};

const TESTS: Environment = Environment {
    packages: &["maturin==1.16.*", "mypy==2.4.*", "numpy==2.4.*", "pytest==9.2.*"],
    imports: "import maturin, mypy, numpy, pytest",
    folder: "python",
};

const NEEDS: &str = "the tests of bindings/python need Python 3.11 or later with venv \
                     (on Debian: apt-get install python3-venv)";

/// Tests the Python module. Without Python this says so and passes, unless `MRL_REQUIRE_PYTHON` is set, as in CI.
///
/// # Errors
/// The build, pip or a test fails; its messages are above.
pub(crate) fn test(workspace: &Workspace) -> Result<()> {
    if !has_venv() {
        if std::env::var_os("MRL_REQUIRE_PYTHON").is_some() {
            bail!(NEEDS);
        }
        println!("skipped: {NEEDS}");
        return Ok(());
    }
    let python = TESTS.python(workspace)?;
    let wheel = build(workspace, &python)?;
    let mut install = workspace.command(&python);
    install.args(["-m", "pip", "install", "--quiet", "--no-deps", "--force-reinstall"]).arg(&wheel);
    run(&mut install, &format!("pip install {}", wheel.display()))?;
    let mut pytest = workspace.command(&python);
    pytest.args([
        "-m",
        "pytest",
        "--quiet",
        "--color=no",
        "--continue-on-collection-errors",
        "bindings/python",
    ]);
    pytest.env("PYTHONDONTWRITEBYTECODE", "1");
    let mut failures = Failures::default();
    let result = run_read(pytest, "pytest bindings/python", |line| failures.read_pytest(line));
    failures.or(result)
}

fn has_venv() -> bool {
    let program = "import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))";
    Command::new("python3").args(["-c", program]).output().is_ok_and(|output| output.status.success())
}

/// Builds the wheel with the profile of the other tests, so that most of it is compiled already.
fn build(workspace: &Workspace, python: &Path) -> Result<PathBuf> {
    let folder = target_folder(workspace)?.join("wheels");
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("removing {}", folder.display()))?;
    }
    let mut maturin = workspace.command(python);
    maturin.args(["-m", "maturin", "build", "--profile", "dev"]);
    maturin.args(["--manifest-path", "bindings/python/Cargo.toml"]);
    maturin.arg("--interpreter").arg(python).arg("--out").arg(&folder);
    run(&mut maturin, "maturin build")?;
    let wheel = fs::read_dir(&folder)?.next().transpose()?;
    Ok(wheel.ok_or_else(|| anyhow!("maturin left no wheel in {}", folder.display()))?.path())
}
