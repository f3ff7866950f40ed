//! `cargo xtask demo`: the whole pipeline on the images that ship with the repository, through `mrl` as a user would.

mod findings;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, anyhow, bail};
use serde_json::Value;

use self::findings::Findings;
use crate::setup;
use crate::workspace::{Workspace, run, target_folder};

const IMAGES: &str = "datasets/scripts";

/// The dims that are measured of pixels. The last one is all of them: 28 × 28.
const PIXEL_DIMS: &str = "8,16,32,64,128,784";

/// All but the vote of many neighbours, which would fill the chart of 1-NN with lines.
const MEASURES: &str = "probe,cascade,knn1,retrieval,geometry";

/// Trains, embeds, evaluates beside pixels and the untrained encoder, and searches. `options` are `--seed N` or none.
///
/// # Errors
/// An option is unknown, or a step fails; its own message is above.
pub(crate) fn demo(workspace: &Workspace, options: &[&str]) -> Result<()> {
    let seed = match *options {
        [] => "0",
        ["--seed", seed] if seed.parse::<u32>().is_ok() => seed,
        _ => bail!("`cargo xtask demo {}`: the only option is --seed N", options.join(" ")),
    };
    let demo = Demo::prepare(workspace, &first_free(&workspace.root().join("runs"), Path::exists))?;
    let findings = demo.all(seed)?.text()?;
    println!("\n{findings}");
    let [mrl, out] = [demo.mrl.display().to_string(), demo.out];
    println!("report: {out}/encoder/report.html");
    println!("chart:  {out}/encoder/neighbours.png");
    println!("index:  {out}/train.index");
    println!(
        "\nWhat next: the nearest training images of each test image, and the same for a picture of yours"
    );
    println!("  {mrl} index search {out}/train.index --queries {out}/encoder-test.safetensors --k 5");
    println!("  {mrl} index search {out}/train.index --queries PICTURE.png --run {out} --k 5");
    Ok(())
}

/// Runs the demo in the target folder, and compares its figures with what README says.
///
/// # Errors
/// A step fails, or a figure is lower.
pub(crate) fn test(workspace: &Workspace) -> Result<()> {
    let folder = target_folder(workspace)?.join("demo");
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("removing {}", folder.display()))?;
    }
    let findings = Demo::prepare(workspace, &folder)?.all("0")?;
    println!("\n{}", findings.text()?);
    findings.check()
}

struct Demo<'a> {
    workspace: &'a Workspace,
    mrl: PathBuf,
    /// The folder of the run, from the root.
    out: String,
}

impl<'a> Demo<'a> {
    /// Sets up and builds. The run goes to the folder `out`.
    fn prepare(workspace: &'a Workspace, out: &Path) -> Result<Self> {
        setup::ensure(workspace)?;
        println!("building mrl, which takes 6 to 9 minutes on 2 cores the first time");
        workspace.cargo(&["build", "--release", "--package", "mrl-cli"], &[])?;
        let mrl = target_folder(workspace)?.join("release/mrl");
        Ok(Self { workspace, mrl, out: relative(out, workspace.root()) })
    }

    fn all(&self, seed: &str) -> Result<Findings> {
        let train = ["train", "--preset", "demo", "--data-dir", IMAGES, "--seed", seed, "--out"];
        self.mrl(&[&train[..], &[&self.out]].concat())?;
        let untrained = self.path("untrained-run");
        self.mrl(&[&train[..], &[&untrained, "--max-steps", "0", "--fold", "none"]].concat())?;

        let knn1 = ["--methods", "prefix,pca", "--measures", "knn1"];
        let pixels =
            self.evaluate("pixels", &["--pixels"], &[&knn1[..], &["--dims", PIXEL_DIMS]].concat())?;
        let untrained = self.evaluate("untrained", &["--run", &untrained], &knn1)?;
        let baselines = ["pixels", "untrained"].map(|name| format!("{name}={}", self.path(name)));
        let encoder = self.evaluate(
            "encoder",
            &["--run", &self.out],
            &[
                &["--methods", "prefix,pca,random-projection", "--measures", MEASURES][..],
                &["--data-dir", IMAGES, "--baseline", &baselines[0], "--baseline", &baselines[1]],
            ]
            .concat(),
        )?;
        let unfolded = self.evaluate(
            "unfolded",
            &["--run", &self.out, "--unfolded"],
            &["--measures", "knn1", "--methods", "prefix"],
        )?;
        Ok(Findings { encoder, unfolded, pixels, untrained, search: self.search()? })
    }

    /// Embeds both splits from `source` and evaluates what is `measured`; the report.
    fn evaluate(&self, name: &str, source: &[&str], measured: &[&str]) -> Result<Value> {
        let sets = ["train", "test"].map(|split| self.path(&format!("{name}-{split}.safetensors")));
        for (split, set) in ["train", "test"].into_iter().zip(&sets) {
            let images = ["--dataset", "idx", "--data-dir", IMAGES, "--split", split, "--out", set];
            self.mrl(&[&["embed"], source, &images].concat())?;
        }
        let out = self.path(name);
        self.mrl(&[&["eval", "--train", &sets[0], "--test", &sets[1], "--out", &out], measured].concat())?;
        let path = self.workspace.root().join(out).join("report.json");
        let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        serde_json::from_str(&text).with_context(|| format!("reading {}", path.display()))
    }

    /// Builds an index of the training images and times the schedule that `tune` chooses by them, with the test images as queries.
    fn search(&self) -> Result<Value> {
        let [rows, queries] =
            ["train", "test"].map(|split| self.path(&format!("encoder-{split}.safetensors")));
        let [index, chart] = ["train.index", "tradeoff.png"].map(|name| self.path(name));
        self.mrl(&["index", "build", "--input", &rows, "--out", &index])?;
        self.mrl(&["index", "tune", &index, "--workload", "single", "--chart", &chart])?;
        let words = ["index", "bench", &index, "--queries", &queries, "--json"];
        println!("+ mrl {}", words.join(" "));
        let output = self.workspace.command(&self.mrl).args(words).stderr(Stdio::inherit()).output()?;
        if !output.status.success() {
            return Err(anyhow!("`mrl {}` failed; its message is above", words.join(" ")));
        }
        serde_json::from_slice(&output.stdout).context("reading what `mrl index bench --json` printed")
    }

    fn mrl(&self, args: &[&str]) -> Result<()> {
        run(self.workspace.command(&self.mrl).args(args), &format!("mrl {}", args.join(" ")))
    }

    /// A file or folder in that of the run.
    fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.out)
    }
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
