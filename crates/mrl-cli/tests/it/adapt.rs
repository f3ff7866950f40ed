//! `mrl adapt`: fitting an adapter and adapting vectors, as a user would.

use std::fs;

use mrl_embedding::EmbeddingSet;

use crate::{
    common::{fail, succeed, text},
    errors::says,
    evaluation::world,
};

#[test]
fn an_adapter_is_fitted_compared_and_applied() {
    let world = world();
    for (form, objective) in [("rotation", "similarity"), ("residual", "labels")] {
        let fit = format!(
            "adapt fit --input train.safetensors --form {form} --objective {objective} --dims 4,16 --epochs 3 --holdout 0.25 \
             --batch-size 16 --out adapter.safetensors"
        );
        let shown = text(&succeed(world.mrl(&fit)).stdout);
        for part in ["by 10 vectors held out", "prefix", "principal components", "adapted", "144"] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
        assert!(shown.contains("better than principal components"), "{shown}");
        succeed(world.mrl(
            "adapt apply --adapter adapter.safetensors --input test.safetensors --out adapted.safetensors",
        ));
        let [before, after] = ["test", "adapted"]
            .map(|name| EmbeddingSet::read(world.path(&format!("{name}.safetensors"))).unwrap());
        assert_eq!(
            (after.len(), after.width(), after.labels()),
            (before.len(), before.width(), before.labels())
        );
        assert_eq!(after.metadata.nesting.as_ref().unwrap().dims(), [4, 16, 144]);
        assert_ne!(after.embeddings(), before.embeddings());
        assert!(after.metadata.encoder.as_ref().unwrap().ends_with(&format!("{form} adapter")));
    }
    // Adapted and other vectors are not taken for each other.
    succeed(world.mrl("index build --input adapted.safetensors --out adapted.index"));
    let numbers = "adapt apply --adapter adapter.safetensors --input train.safetensors --out train.npy";
    succeed(world.mrl(numbers));
    succeed(world.mrl("index search adapted.index --queries train.npy --k 2"));
}

#[test]
#[ignore = "long: cargo xtask test --long"]
fn what_cannot_be_meant_is_said_with_its_cure() {
    let world = world();
    succeed(world.mrl("adapt fit --input train.safetensors --epochs 1 --holdout 0 --out whole.safetensors"));
    succeed(world.mrl("adapt apply --adapter whole.safetensors --input train.safetensors --out train.npy"));
    let mut rows = EmbeddingSet::read(world.path("train.npy")).unwrap().embeddings().to_vec();
    rows[3 * 144] = f32::NAN;
    EmbeddingSet::new(rows, 144).unwrap().write(world.path("bad.npy")).unwrap();
    let mut bytes = world.read("whole.safetensors");
    let last = bytes.len() - 9;
    bytes[last] ^= 1;
    fs::write(world.path("flipped.safetensors"), bytes).unwrap();
    for (words, code, parts) in [
        ("adapt fit --input none.npy --out a.safetensors", 1, &["none.npy"][..]),
        ("adapt fit --input train.safetensors --out a.npy", 2, &[".safetensors"]),
        ("adapt fit --input train.safetensors --holdout 0.9 --out a.safetensors", 2, &["from 0 to 0.5"]),
        ("adapt fit --input train.safetensors --holdout -0.1 --out a.safetensors", 2, &["from 0 to 0.5"]),
        (
            "adapt fit --input train.safetensors --lr 0 --out a.safetensors",
            2,
            &["error: lr must be finite and above 0, got 0"],
        ),
        (
            "adapt fit --input train.npy --out test.safetensors",
            1,
            &["test.safetensors exists and is not an mrl adapter"],
        ),
        (
            "adapt apply --adapter whole.safetensors --input bad.npy --out b.npy",
            1,
            &["bad.npy", "row 3 is not finite"],
        ),
        ("adapt fit --input bad.npy --out a.safetensors", 1, &["bad.npy", "row 3 is not finite"]),
        (
            "adapt apply --adapter flipped.safetensors --input train.npy --out b.npy",
            1,
            &["flipped", "not what was written"],
        ),
        ("adapt fit --input train.safetensors --hidden 9 --out a.safetensors", 2, &["no hidden layer"]),
        (
            "adapt fit --input train.npy --objective labels --out a.safetensors",
            1,
            &["train.npy: ", "no labels"],
        ),
        ("adapt fit --input train.safetensors --column x --out a.safetensors", 2, &["--column"]),
        ("adapt apply --adapter train.safetensors --input train.npy --out b.npy", 1, &["no adapter"]),
        ("adapt apply --adapter whole.safetensors --input train.npy --out b.txt", 2, &[".npy"]),
    ] {
        says(&fail(world.mrl(words), code), parts);
    }
}

#[test]
fn adapters_are_fitted_to_npy_and_parquet() {
    let world = world();
    let rows = EmbeddingSet::read(world.path("train.safetensors")).unwrap();
    EmbeddingSet::new(rows.embeddings().to_vec(), rows.width())
        .unwrap()
        .write(world.path("rows.npy"))
        .unwrap();
    let goldens = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../goldens/parquet");
    fs::copy(goldens.join("lists-snappy.parquet"), world.path("rows.parquet")).unwrap();
    for input in ["rows.npy", "rows.parquet"] {
        succeed(world.mrl(&format!(
            "adapt fit --input {input} --epochs 1 --batch-size 4 --holdout 0 --dims 1 --out adapter.safetensors"
        )));
        succeed(world.mrl(&format!(
            "adapt apply --adapter adapter.safetensors --input {input} --out adapted.safetensors --force"
        )));
        let adapted = EmbeddingSet::read(world.path("adapted.safetensors")).unwrap();
        assert!(adapted.len() > 1, "{input}");
    }
}
