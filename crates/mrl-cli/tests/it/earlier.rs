//! Runs that an earlier version left keep their meaning: `goldens/runs/make.py` has them and what that version made of them.

use std::path::Path;

use flate2::read::GzDecoder;
use mrl_embedding::EmbeddingSet;
use serde_json::Value;

use crate::{
    common::{World, fail, succeed, text},
    errors::says,
};

/// The runs `begun` and `finished` of an earlier version, and their images.
fn earlier() -> World {
    let world = World::new();
    let archive = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../goldens/runs/runs.tar.gz");
    let mut archive = tar::Archive::new(GzDecoder::new(std::fs::File::open(archive).unwrap()));
    archive.unpack(world.folder.path()).unwrap();
    let config = text(&world.read("begun/config.toml"));
    assert!(config.contains("projection_dim = 64") && !config.contains("head_hidden ="), "{config}");
    world
}

/// The steps' metrics but for the speed.
fn metrics(world: &World, file: &str) -> Vec<Value> {
    let lines = text(&world.read(file));
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Equal but for the rounding of another processor.
fn assert_close(name: &str, actual: &[f32], expected: &[f32]) {
    assert_eq!(actual.len(), expected.len(), "{name}");
    let largest = expected.iter().fold(0.0f32, |largest, value| largest.max(value.abs()));
    let is_close = |(a, b): &(&f32, &f32)| (*a - *b).abs() <= 1e-3 * largest;
    let far = actual.iter().zip(expected).find(|pair| !is_close(pair));
    assert_eq!(far, None, "{name}");
}

#[test]
fn encoders_and_checkpoints_embed_as_they_did() {
    let world = earlier();
    for (run, network) in [("finished", "target"), ("begun", "target"), ("begun", "online")] {
        let words = format!("embed --run {run} --network {network} --split test --out now.safetensors");
        succeed(world.mrl(&words));
        let [now, expected] = ["now".to_owned(), format!("expected/{run}-{network}")]
            .map(|set| EmbeddingSet::read(world.path(&format!("{set}.safetensors"))).unwrap());
        assert_close(&format!("{run} {network}"), now.embeddings(), expected.embeddings());
        // So that it can be compared with sets that were embedded before.
        assert_eq!(now.metadata.config, expected.metadata.config);
        assert_eq!(now.metadata.weights, expected.metadata.weights);
    }
}

#[test]
fn a_run_goes_on_with_the_network_that_it_has() {
    let world = earlier();
    let message = fail(world.mrl("train --resume --out begun --head-hidden 0"), 1);
    says(&message, &["model.head_hidden is 64 there and 0 now"]);
    succeed(world.mrl("train --resume --out begun"));
    let (now, expected) = (metrics(&world, "begun/metrics.jsonl"), metrics(&world, "expected/metrics.jsonl"));
    assert_eq!(now.len(), 4);
    for (now, expected) in now.iter().zip(&expected) {
        for key in ["step", "loss", "grad_norm", "gamma", "temperature"] {
            let [now, expected] = [now, expected].map(|line| line[key].as_f64().unwrap() as f32);
            assert_close(&format!("{key} of {expected}"), &[now], &[expected]);
        }
    }
    succeed(world.mrl("embed --run begun --network online --split test --out now.safetensors"));
    let [now, expected] = ["now", "expected/whole-online"]
        .map(|set| EmbeddingSet::read(world.path(&format!("{set}.safetensors"))).unwrap());
    assert_close("the resumed encoder", now.embeddings(), expected.embeddings());
}

#[test]
fn a_configuration_as_a_preset_is_the_same_recipe() {
    let world = earlier();
    succeed(world.mrl("train --preset begun/config.toml --out again"));
    let config = text(&world.read("again/config.toml"));
    for line in
        ["split = \"train\"", "head_hidden = 64", "dim_weights = [1.0, 1.0, 1.0, 1.0]", "view_scales = [1.0]"]
    {
        assert!(config.lines().any(|found| found == line), "{line} is not in {config}");
    }
}
