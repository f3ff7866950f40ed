//! A tiny data set, the program, and what its runs leave behind.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use mrl_cli::{args::Cli, settings::train_config};
use tempfile::TempDir;

/// A folder with 40 training and 20 test images of 12 × 12 pixels in two classes, as Fashion-MNIST's files.
pub(crate) struct World {
    pub(crate) folder: TempDir,
}

const SIDE: usize = 12;

/// A network of 64 features, and a run that leaves much to look at.
const TINY: &str = "\
[data]
dataset = \"fashion-mnist\"
[run]
max_steps = 9
batch_size = 8
precision = \"f32\"
log_every = 1
checkpoint_every = 1
[model]
width = 0.125
";

/// Heads that are no larger than the network: those of the default recipe make checkpoints of 22 MB.
const TINY_HEADS: &str = "head_hidden = 64\nprojection_dim = 32\n";

impl World {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        fs::create_dir(&data).unwrap();
        for (name, count) in [("train", 40), ("t10k", 20)] {
            fs::write(data.join(format!("{name}-images-idx3-ubyte")), images(count)).unwrap();
            fs::write(data.join(format!("{name}-labels-idx1-ubyte")), labels(count)).unwrap();
        }
        fs::write(folder.path().join("tiny.toml"), format!("{TINY}{TINY_HEADS}")).unwrap();
        Self { folder }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// `mrl` with these words, run in the folder on one thread.
    pub(crate) fn mrl(&self, words: &str) -> Command {
        self.command(env!("CARGO_BIN_EXE_mrl"), words)
    }

    pub(crate) fn command(&self, program: &str, words: &str) -> Command {
        let mut command = Command::new(program);
        command.args(words.split_whitespace()).current_dir(self.folder.path());
        // Nothing is written into the user's own folders.
        command.env("XDG_CACHE_HOME", self.path("cache"));
        command.env("OMP_NUM_THREADS", "1").env("RAYON_NUM_THREADS", "1").env("RUST_BACKTRACE", "0");
        command
    }

    /// `mrl train` of the tiny network by the default recipe: 9 steps of 8 images.
    pub(crate) fn train(&self, out: &str, more: &str) -> Command {
        self.mrl(&format!("train --preset tiny.toml --data-dir data --out {out} {more}"))
    }

    /// Why `mrl train` of the tiny network with these options is wrong usage, by the parser and the settings alone: no program is started.
    pub(crate) fn refused(&self, options: &str) -> String {
        let preset = self.path("tiny.toml");
        let words = ["mrl", "train", "--data-dir", "data", "--out", "run"].into_iter().map(str::to_owned);
        let options = options.split_whitespace().map(str::to_owned);
        let given: Vec<String> = words.chain(options).collect();
        let preset = (!given.contains(&"--preset".to_owned()))
            .then(|| ["--preset".to_owned(), preset.display().to_string()]);
        match Cli::parse_words(given.into_iter().chain(preset.into_iter().flatten())) {
            Err(error) => error.to_string(),
            Ok(Cli { command: mrl_cli::args::Command::Train(args) }) => {
                let error = train_config(&args).expect_err("the options are wrong");
                assert!(mrl_cli::is_usage(&error), "{error:#}");
                format!("{error:#}")
            }
            Ok(other) => panic!("{other:?}"),
        }
    }

    /// The same by the reference's recipe.
    pub(crate) fn train_reference(&self, out: &str, more: &str) -> Command {
        self.train_preset("extends = \"reference\"", "", out, more)
    }

    /// The same by a preset of its own, with these lines before and after those of the tiny network.
    pub(crate) fn train_preset(&self, before: &str, after: &str, out: &str, more: &str) -> Command {
        fs::write(self.path("mine.toml"), format!("{before}\n{TINY}{after}")).unwrap();
        self.mrl(&format!("train --preset mine.toml --data-dir data --out {out} {more}"))
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// What a finished run computed: both encoders, and the metrics without the speed.
    pub(crate) fn results(&self, run: &str) -> (Vec<u8>, Vec<u8>, Vec<serde_json::Value>) {
        let metrics = String::from_utf8(self.read(&format!("{run}/metrics.jsonl"))).unwrap();
        let without_speed = |line: &str| {
            let mut line: serde_json::Value = serde_json::from_str(line).unwrap();
            let speed = line.as_object_mut().unwrap().remove("images_per_s");
            assert!(speed.is_some() || line["online_knn1"].is_array(), "a step without its speed: {line}");
            line
        };
        let encoders = ["encoder", "online"].map(|name| self.read(&format!("{run}/{name}.safetensors")));
        let [encoder, online] = encoders;
        (encoder, online, metrics.lines().map(without_speed).collect())
    }
}

/// Runs to the end and wants success.
pub(crate) fn succeed(mut command: Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    output
}

/// Runs to the end and wants this exit code; what it says on stderr.
pub(crate) fn fail(mut command: Command, code: i32) -> String {
    let output = command.output().unwrap();
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{message}");
    assert!(!message.contains("panicked"), "{message}");
    message
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// All files below a folder with their bytes.
pub(crate) fn snapshot(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(snapshot(&path));
        } else {
            files.push((path.clone(), fs::read(&path).unwrap()));
        }
    }
    files.sort();
    files
}

/// Class 0 has horizontal stripes, class 1 vertical ones, each image with its own offset.
fn images(count: usize) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, 3];
    for number in [count, SIDE, SIDE] {
        bytes.extend((number as u32).to_be_bytes());
    }
    for image in 0..count {
        for y in 0..SIDE {
            for x in 0..SIDE {
                let along = if image % 2 == 0 { y } else { x };
                bytes.push(((along + image / 2) % 6 * 40 + (x * y + image) % 13) as u8);
            }
        }
    }
    bytes
}

fn labels(count: usize) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, 1];
    bytes.extend((count as u32).to_be_bytes());
    bytes.extend((0..count).map(|image| (image % 2) as u8));
    bytes
}
