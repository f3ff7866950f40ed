//! Commands that write files, for the tests of what may happen to them meanwhile: kills, full disks, and others that write there too.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use mrl_embedding::EmbeddingSet;
use serde_json::Value;

use crate::{
    common::{World, snapshot, succeed, text},
    evaluation::world,
};

/// A command whose output is files that are equal each time.
pub(crate) struct Writer {
    pub(crate) world: World,
    /// The arguments of `mrl`; `{}` stands for the folder of the output.
    words: &'static str,
    /// The file or folder in it that is written.
    out: &'static str,
}

impl Writer {
    /// Makes the folder, and returns the arguments of `mrl` that write into it.
    pub(crate) fn words(&self, folder: &str) -> String {
        fs::create_dir_all(self.world.path(folder)).unwrap();
        self.words.replace("{}", folder)
    }

    /// The files that the command wrote into this folder, unfinished ones included.
    pub(crate) fn written(&self, folder: &str) -> BTreeMap<String, Vec<u8>> {
        let mut all = files(&self.world.path(folder));
        all.retain(|name, _| name.starts_with(self.out) || is_unfinished(name));
        all
    }
}

/// Pixels as an embedding set.
pub(crate) fn set() -> Writer {
    let words = "embed --pixels --dataset fashion-mnist --data-dir data --out {}/set.safetensors";
    Writer { world: World::new(), words, out: "set.safetensors" }
}

pub(crate) fn report() -> Writer {
    let words = "eval --train train.safetensors --test test.safetensors --measures knn1,retrieval --dims 4,16 --out {}/report";
    Writer { world: world(), words, out: "report" }
}

pub(crate) fn adapter() -> Writer {
    let words = "adapt fit --input train.safetensors --epochs 1 --dims 8,144 --out {}/adapter.safetensors";
    Writer { world: world(), words, out: "adapter.safetensors" }
}

pub(crate) fn index() -> Writer {
    let words = "index build --input train.safetensors --dims 16,64 --out {}/i.index";
    Writer { world: world(), words, out: "i.index" }
}

/// The hits of a search.
pub(crate) fn hits() -> Writer {
    let world = world();
    succeed(world.mrl("index build --input train.safetensors --dims 16,64 --out i.index"));
    Writer {
        world,
        words: "index search i.index --queries test.safetensors --out {}/hits.json",
        out: "hits.json",
    }
}

/// 80 images of two classes in the folder `photos`.
pub(crate) fn photos(world: &World) {
    for (class, level) in [("cat", 40u8), ("dog", 200)] {
        fs::create_dir_all(world.path(&format!("photos/{class}"))).unwrap();
        for image in 0..40u8 {
            let picture = image::RgbImage::from_pixel(64, 64, image::Rgb([level, image, 0]));
            picture.save(world.path(&format!("photos/{class}/{image}.png"))).unwrap();
        }
    }
}

/// All files below a folder, by their path in it.
pub(crate) fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let relative = |path: PathBuf| path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
    snapshot(folder).into_iter().map(|(path, bytes)| (relative(path), bytes)).collect()
}

/// Puts a folder back into the state `before`.
pub(crate) fn restore(folder: &Path, before: &BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }.unwrap();
    }
    for (name, bytes) in before {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

/// True if a killed writer has not finished the file at `path`.
pub(crate) fn is_unfinished(path: &str) -> bool {
    Path::new(path).file_name().is_some_and(mrl_embedding::is_unfinished)
}

/// An index with ids, and sets to add to it.
pub(crate) fn named_index() -> World {
    let world = World::new();
    for (name, first) in [("old", 0), ("new", 400)] {
        let rows: Vec<f32> = (0..400 * 16).map(|place| ((place + first) as f32 * 0.37).sin()).collect();
        let ids = (first..first + 400).map(|row| format!("row {row}")).collect();
        let set = EmbeddingSet::new(rows, 16).unwrap().with_ids(ids).unwrap();
        set.write(world.path(&format!("{name}.safetensors"))).unwrap();
    }
    let removed: Vec<String> = (0..100).map(|row| format!("row {row}")).collect();
    fs::write(world.path("removed.txt"), removed.join("\n")).unwrap();
    succeed(world.mrl("index build --input old.safetensors --dims 4,8 --out i.index"));
    world
}

/// Vectors of the index, every byte of which is checked.
pub(crate) fn checked_rows(world: &World, index: &str) -> u64 {
    succeed(world.mrl(&format!("index info {index} --verify")));
    let info: Value =
        serde_json::from_str(&text(&succeed(world.mrl(&format!("index info {index} --json"))).stdout))
            .unwrap();
    info["rows"].as_u64().unwrap()
}
