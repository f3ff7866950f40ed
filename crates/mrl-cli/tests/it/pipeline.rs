//! Train, embed, evaluate.

use mrl_embedding::EmbeddingSet;

use crate::common::{World, snapshot, succeed, text};

#[test]
fn images_become_an_encoder_embeddings_and_a_report() {
    let world = World::new();
    let trained = succeed(world.train("run", "--seed 3 --schedule cosine"));
    assert_eq!(text(&trained.stdout), "run/encoder.safetensors\nrun/online.safetensors\n");
    assert!(text(&trained.stderr).contains("40 images, 5 steps an epoch, 9 steps in all"));

    let before = snapshot(&world.path("run"));
    for split in ["train", "test"] {
        succeed(
            world.mrl(&format!("embed --run run --network online --split {split} --out {split}.safetensors")),
        );
    }
    assert_eq!(snapshot(&world.path("run")), before, "embedding changes nothing in the run");

    let test = EmbeddingSet::read(world.path("test.safetensors")).unwrap();
    assert_eq!((test.len(), test.width()), (20, 64));
    assert_eq!(test.labels().unwrap()[..4], [0, 1, 0, 1]);
    assert_eq!(test.metadata.nesting.as_ref().unwrap().dims(), [8, 16, 32, 64]);
    assert_eq!(test.metadata.network.as_deref(), Some("online"));
    assert_eq!(test.metadata.dataset.as_deref(), Some("fashion-mnist test"));
    assert!(test.metadata.config.as_deref().unwrap().contains("seed = 3"));

    let evaluated = succeed(world.mrl("eval --train train.safetensors --test test.safetensors --out report"));
    assert!(text(&evaluated.stdout).contains("64"), "{}", text(&evaluated.stdout));
    let report: serde_json::Value = serde_json::from_slice(&world.read("report/report.json")).unwrap();
    assert_eq!(report["dims"], serde_json::json!([8, 16, 32, 64]));
    assert_eq!(report["trained_dims"], report["dims"]);
    for method in ["prefix", "pca"] {
        for measure in ["logreg", "knn1"] {
            let row = report["methods"][method][measure].as_array().unwrap();
            assert_eq!(row.len(), 4);
            assert!(row.iter().all(|accuracy| (0.0..=1.0).contains(&accuracy.as_f64().unwrap())));
        }
    }
    assert!(text(&world.read("report/accuracy.svg")).contains("<svg"));
    assert_eq!(world.read("report/accuracy.png")[1..4], *b"PNG");
}

#[test]
fn metrics_have_what_is_promised() {
    let world = World::new();
    succeed(world.train_reference("run", ""));
    let (_, _, metrics) = world.results("run");
    assert_eq!(metrics.len(), 9);
    for (index, line) in metrics.iter().enumerate() {
        assert_eq!(line["step"], index + 1);
        let per_dim: f64 =
            line["loss_per_dim"].as_array().unwrap().iter().map(|loss| loss.as_f64().unwrap()).sum();
        assert!((line["loss"].as_f64().unwrap() - per_dim).abs() < 1e-9);
        for key in ["grad_norm", "temperature", "gamma", "lr", "top1", "top5"] {
            assert!(line[key].is_number(), "{key} in {line}");
        }
    }
}

#[test]
fn a_run_can_be_embedded_while_it_goes_on() {
    let world = World::new();
    succeed(world.train("run", ""));
    succeed(world.mrl("embed --run run --split test --out final.npy"));
    std::fs::remove_file(world.path("run/encoder.safetensors")).unwrap();
    let output = succeed(world.mrl("embed --run run --split test --out checkpoint.npy"));
    assert!(text(&output.stderr).contains("step-000000009.safetensors"), "{}", text(&output.stderr));
    assert_eq!(world.read("final.npy"), world.read("checkpoint.npy"));
}

#[test]
fn no_steps_write_the_untrained_encoder_and_pixels_are_a_baseline() {
    let world = World::new();
    succeed(world.mrl(
        "train --dataset fashion-mnist --data-dir data --width 0.125 --max-steps 0 --batch-size 8 --out untrained",
    ));
    assert_eq!(world.read("untrained/metrics.jsonl"), b"");
    succeed(world.mrl("embed --run untrained --split test --out untrained.npy"));
    succeed(
        world.mrl(
            "embed --pixels --dataset fashion-mnist --data-dir data --split test --out pixels.safetensors",
        ),
    );
    let pixels = EmbeddingSet::read(world.path("pixels.safetensors")).unwrap();
    assert_eq!((pixels.len(), pixels.width()), (20, 12 * 12), "gray images have one number a pixel");
    assert_eq!(pixels.row(0)[..3], [0.0; 3]);
}

/// A folder of 12 photos.
fn photos(world: &World) {
    std::fs::create_dir(world.path("photos")).unwrap();
    for i in 0..12u32 {
        let pixel = |x: u32, y: u32| image::Rgb([(x * 9 + i) as u8, (y * 7) as u8, (x * y * i) as u8]);
        let photo = image::RgbImage::from_fn(20 + i, 40 - i, pixel);
        photo.save(world.path(&format!("photos/{i}.png"))).unwrap();
    }
}

/// Trains on the photos; what it says.
fn train_on_photos(world: &World, more: &str) -> String {
    let trained = succeed(world.mrl(&format!(
        "train --dataset folder --data-dir photos --image-size 12 --width 0.125 --precision f32 --log-every 1 {more}"
    )));
    text(&trained.stderr)
}

#[test]
fn what_is_said_of_a_run_fits_it() {
    let world = World::new();
    photos(&world);
    std::fs::write(world.path("photos/cut.png"), "no image").unwrap();
    let said = train_on_photos(&world, "--batch-size 12 --max-steps 1 --max-corrupt 1 --out run");
    assert!(said.contains("12 images, 1 step an epoch, 1 step in all"), "{said}");
    let hint = "embed with: mrl embed --run run --split train --max-corrupt 1 --out train.safetensors";
    assert!(said.contains(hint), "{said}");
}

#[test]
fn the_images_of_a_folder_are_decoded_once() {
    let world = World::new();
    photos(&world);
    let train = |out: &str, more: &str| {
        train_on_photos(&world, &format!("--batch-size 4 --max-steps 4 --out {out} {more}"))
    };
    let (first, second) = (train("first", ""), train("second", ""));
    assert!(first.contains("cache/mrl/pixels/") && first.contains("pixels cached ("), "{first}");
    assert!(!second.contains("decoding") && !second.contains("pixels"), "{second}");
    let without = train("without", "--no-pixel-cache");
    assert!(without.contains("decoding images: 12/12") && !without.contains("pixels"), "{without}");
    let elsewhere = train("elsewhere", "--pixel-cache elsewhere-pixels");
    assert!(elsewhere.contains("elsewhere-pixels/"), "{elsewhere}");
    for run in ["second", "without", "elsewhere"] {
        assert!(world.results(run) == world.results("first"), "{run}");
    }
}

#[cfg(unix)]
#[test]
fn a_cache_that_does_not_fit_on_the_disk_is_done_without() {
    let world = World::new();
    std::fs::create_dir(world.path("photos")).unwrap();
    for i in 0..40u32 {
        let photo = image::RgbImage::from_fn(200, 200, |x, y| image::Rgb([x as u8, y as u8, (i * 6) as u8]));
        photo.save(world.path(&format!("photos/{i}.png"))).unwrap();
    }
    let words = "train --dataset folder --data-dir photos --image-size 96 --width 0.125 --head-hidden 64 --batch-size 4 \
                 --max-steps 0 --pixel-cache pixels";
    let whole = text(&succeed(world.mrl(&format!("{words} --out whole"))).stderr);
    assert!(whole.contains("pixels cached ("), "{whole}");
    std::fs::remove_dir_all(world.path("pixels")).unwrap();
    // A limit on the size of files stands for a full disk: above the checkpoint's 2.8 MB, below the pixels' 4.4 MB.
    let script = r#"trap "" XFSZ; ulimit -f 7000; exec "$0" "$@""#;
    let mut limited = world.command("sh", "");
    limited.args(["-c", script, env!("CARGO_BIN_EXE_mrl")]);
    limited.args(words.split_whitespace()).args(["--out", "limited"]);
    let said = text(&succeed(limited).stderr);
    assert!(said.contains("no pixels can be cached there") && said.contains("--pixel-cache"), "{said}");
    let left = snapshot(&world.path("pixels")).into_iter().map(|(path, bytes)| (path, bytes.len()));
    let left: Vec<_> = left.filter(|&(_, bytes)| bytes > 0).collect();
    assert!(left.is_empty(), "{left:?}");
    assert!(world.results("limited") == world.results("whole"));
}

#[test]
fn the_larger_encoders_train_and_embed() {
    let world = World::new();
    for (encoder, width) in [("resnet34", 64), ("resnet50", 256)] {
        succeed(world.train(encoder, &format!("--encoder {encoder} --max-steps 1 --fold none")));
        succeed(world.mrl(&format!("embed --run {encoder} --split test --out {encoder}.safetensors")));
        let set = EmbeddingSet::read(world.path(&format!("{encoder}.safetensors"))).unwrap();
        assert_eq!((set.len(), set.width()), (20, width), "{encoder}");
    }
}
