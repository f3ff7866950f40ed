//! `cargo xtask demo`: the whole pipeline on the images that ship with the repository, through `mrl` as a user would.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use serde_json::Value;

use crate::setup;
use crate::workspace::{Workspace, run, target_folder};

const IMAGES: &str = "datasets/fashion-mnist-subset";

/// Raw pixels as an embedding: 28 × 28 in three equal channels. Only the whole of it is a baseline.
const PIXELS: &str = "2352";

/// Trains, embeds and evaluates, beside the raw pixels as they are.
///
/// # Errors
/// A step fails; its own message is above.
pub(crate) fn demo(workspace: &Workspace) -> Result<()> {
    setup::ensure(workspace)?;
    workspace.cargo(&["build", "--release", "--package", "mrl-cli"], &[])?;
    let mrl = target_folder(workspace)?.join("release/mrl");
    let root = workspace.root();
    let out = first_free(&root.join("runs"), Path::exists);
    let demo = Demo { workspace, mrl, out: relative(&out, root) };
    demo.mrl(&["train", "--preset", "demo", "--data-dir", IMAGES, "--out", &demo.out])?;
    // Their neighbours alone are compared, and a probe on so many numbers takes a minute.
    let measured = ["--dims", PIXELS, "--methods", "prefix", "--measures", "knn1"];
    let pixels = demo.evaluate("pixels", &["--pixels"], &measured)?;
    let encoder = demo.evaluate("encoder", &["--run", &demo.out, "--network", "online"], &[])?;
    println!("\nreport: {}", root.join(&demo.out).join("encoder/report.json").display());
    println!("plot:   {}\n", root.join(&demo.out).join("encoder/accuracy.png").display());
    println!("{}", verdict(&encoder, &pixels)?);
    Ok(())
}

struct Demo<'a> {
    workspace: &'a Workspace,
    mrl: PathBuf,
    out: String,
}

impl Demo<'_> {
    fn mrl(&self, args: &[&str]) -> Result<()> {
        run(self.workspace.command(&self.mrl).args(args), &format!("mrl {}", args.join(" ")))
    }

    /// Embeds both splits from `source` and evaluates what is `measured`; the report.
    fn evaluate(&self, name: &str, source: &[&str], measured: &[&str]) -> Result<Value> {
        let [train, test] = ["train", "test"].map(|split| format!("{}/{name}-{split}.safetensors", self.out));
        for (split, file) in [("train", &train), ("test", &test)] {
            let mut args = vec!["embed"];
            args.extend(source);
            args.extend([
                "--dataset",
                "fashion-mnist",
                "--data-dir",
                IMAGES,
                "--split",
                split,
                "--out",
                file,
            ]);
            self.mrl(&args)?;
        }
        let out = format!("{}/{name}", self.out);
        let mut args = vec!["eval", "--train", &train, "--test", &test, "--out", &out];
        args.extend(measured);
        self.mrl(&args)?;
        let path = self.workspace.root().join(out).join("report.json");
        let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        serde_json::from_str(&text).with_context(|| format!("reading {}", path.display()))
    }
}

/// A table of both 1-NN accuracies at full width, and which is higher.
fn verdict(encoder: &Value, pixels: &Value) -> Result<String> {
    let full = |report: &Value| {
        let accuracy = report["methods"]["prefix"]["knn1"].as_array().and_then(|row| row.last()?.as_f64());
        let dim = report["dims"].as_array().and_then(|dims| dims.last()?.as_u64());
        accuracy.zip(dim).ok_or_else(|| anyhow!("the report has no 1-NN accuracy by prefix; see report.json"))
    };
    let ((ours, width), (raw, size)) = (full(encoder)?, full(pixels)?);
    let relation = match ours.total_cmp(&raw) {
        std::cmp::Ordering::Greater => "higher than",
        std::cmp::Ordering::Equal => "the same as",
        std::cmp::Ordering::Less => "NOT higher than",
    };
    let (ours, raw) = (ours * 100.0, raw * 100.0);
    Ok(format!(
        "1-NN accuracy at full width, in %\n  \
           encoder,    {width:>4} numbers   {ours:.2}\n  \
           raw pixels, {size:>4} numbers   {raw:.2}\n\
         The encoder's accuracy is {relation} the raw pixels' ({:+.2}).",
        ours - raw
    ))
}

/// `demo`, or `demo-2`, `demo-3` … if that is taken: a run folder is never overwritten.
fn first_free(runs: &Path, taken: impl Fn(&Path) -> bool) -> PathBuf {
    let mut path = runs.join("demo");
    let mut number = 2;
    while taken(&path) {
        path = runs.join(format!("demo-{number}"));
        number += 1;
    }
    path
}

fn relative(path: &Path, root: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).display().to_string()
}
