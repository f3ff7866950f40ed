//! Where outputs may lie: a place that cannot be written, or that is mixed with the images, is named before work begins.

use std::{fs, path::Path};

use crate::{
    common::{World, fail, snapshot, succeed},
    errors::says,
    evaluation::world,
    outputs::{PIXELS, REPORT, UNTRAINED},
};

#[test]
#[ignore = "long: cargo xtask test --long"]
fn an_output_that_cannot_be_written_is_told_before_anything_is_read() {
    let world = World::new();
    fs::write(world.path("file"), "mine").unwrap();
    let message =
        fail(world.mrl("embed --pixels --dataset mnist --data-dir nowhere --out x.safetensors/"), 2);
    says(&message, &["--out x.safetensors/ is the name of a folder; name a file"]);
    let long = "n".repeat(300);
    let read = "nowhere.safetensors";
    // None of the inputs exists: who looked at them first would say so.
    let files = [
        (
            "embed --pixels --dataset fashion-mnist --data-dir nowhere --out {}.safetensors".to_owned(),
            ".safetensors",
        ),
        (format!("adapt fit --input {read} --out {{}}.safetensors"), ".safetensors"),
        (format!("adapt apply --adapter {read} --input {read} --out {{}}.safetensors"), ".safetensors"),
        (format!("index build --input {read} --out {{}}"), ""),
        (format!("index search no.index --queries {read} --out {{}}.json"), ".json"),
        (format!("index tune no.index --queries {read} --chart {{}}.svg"), ".svg"),
        ("train --dataset mnist --data-dir nowhere --out run --profile {}.json".to_owned(), ".json"),
    ];
    for (words, extension) in &files {
        fs::create_dir(world.path(&format!("folder{extension}"))).unwrap();
        let mut places = vec![
            ("file/x", "file is not a folder"),
            ("missing/x", "missing: the folder is not there; make it first: mkdir -p missing"),
            ("folder", "is a folder; name a file"),
            (&long, "cannot be written ("),
        ];
        if cfg!(target_os = "linux") {
            places.push(("/proc/x", "/proc: cannot be written ("));
        }
        for (place, said) in places {
            let message = fail(world.mrl(&words.replace("{}", place)), 1);
            says(&message, &[said]);
            assert!(!message.contains("nowhere") && !message.contains("no.index"), "{message}");
        }
        fs::remove_dir(world.path(&format!("folder{extension}"))).unwrap();
    }
    let folders = [
        format!("eval --train {read} --test {read} --out"),
        format!("eval --train {read} --test {read} --test {read} --out"),
        format!("eval --compare {read} {read} --out"),
        "train --dataset mnist --data-dir nowhere --out".to_owned(),
    ];
    for words in &folders {
        let mut places = vec!["file", "file/below", &long];
        let below = format!("new/{long}/below");
        places.push(&below);
        if cfg!(target_os = "linux") {
            places.push("/proc/new");
        }
        for place in places {
            let message = fail(world.mrl(&format!("{words} {place}")), 1);
            says(&message, &[place]);
            assert!(!message.contains("nowhere"), "{message}");
        }
    }
    assert_eq!(world.read("file"), b"mine");
    assert!(!world.path("new").exists() && !world.path("nowhere").exists() && !world.path("run").exists());
}

#[cfg(unix)]
#[test]
fn devices_and_broken_links_are_no_files() {
    let world = world();
    let build = |out: &str| world.mrl(&format!("index build --input train.safetensors --out {out}"));
    std::os::unix::fs::symlink("gone.index", world.path("link")).unwrap();
    for force in ["", " --force"] {
        says(&fail(build(&format!("/dev/null{force}")), 1), &["/dev/null: is a device"]);
        says(&fail(build(&format!("link{force}")), 1), &["link: is a link to a file that does not exist"]);
    }
    assert!(world.path("link").is_symlink() && Path::new("/dev/null").exists());
    // A link to an index stays, and the index is replaced where it lies.
    succeed(build("an.index"));
    fs::remove_file(world.path("link")).unwrap();
    std::os::unix::fs::symlink("an.index", world.path("link")).unwrap();
    succeed(build("link"));
    assert!(world.path("link").is_symlink());
}

#[test]
#[ignore = "long: cargo xtask test --long"]
fn outputs_and_images_lie_apart() {
    let world = world();
    let train = "train --dataset fashion-mnist --data-dir data --max-steps 0 --out";
    let folder = "train --dataset folder --data-dir data --max-steps 0";
    let before = snapshot(&world.path("data"));
    let mut cases = vec![
        (format!("{train} data/run"), "--out data/run is in the data folder data"),
        (format!("{train} data"), "--out data is in the data folder data"),
        (format!("{train} new/../data/run"), "is in the data folder data"),
        (format!("{train} ."), "--out . holds the data folder data"),
        (
            format!("{train} run --profile data/trace.json"),
            "--profile data/trace.json is in the data folder data",
        ),
        (
            format!("{folder} --out run --pixel-cache data/cache"),
            "--pixel-cache data/cache is in the data folder data",
        ),
        (
            format!("{folder} --out run --pixel-cache run/cache"),
            "--pixel-cache run/cache is in the run folder run",
        ),
        (format!("{folder} --out run --pixel-cache run"), "--pixel-cache run is in the run folder run"),
        (
            format!("{PIXELS} data/pixels.safetensors"),
            "--out data/pixels.safetensors is in the data folder data",
        ),
        (
            format!("{REPORT} --data-dir data --out data/report"),
            "--out data/report is in the data folder data",
        ),
        (format!("{REPORT} --data-dir out/data --out out"), "--out out holds the data folder out/data"),
    ];
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("data", world.path("link")).unwrap();
        cases.push((format!("{train} link/run"), "--out link/run is in the data folder data"));
    }
    for (words, part) in cases {
        let message = fail(world.mrl(&words), 2);
        says(&message, &[part]);
    }
    let reference = "--dataset_name cifar10 --dataset_path data -save_model_dir data/models";
    let message = fail(world.command(env!("CARGO_BIN_EXE_mrl_train"), reference), 2);
    says(&message, &["--out data/models is in the data folder data"]);
    assert_eq!(snapshot(&world.path("data")), before);
    assert!(!world.path("run").exists() && !world.path("out").exists() && !world.path("new").exists());
    // A cache holds folders of its own alone.
    fs::create_dir(world.path("photos")).unwrap();
    for i in 0..2 {
        image::RgbImage::from_pixel(8, 8, image::Rgb([i; 3]))
            .save(world.path(&format!("photos/{i}.png")))
            .unwrap();
    }
    succeed(world.mrl(
        "train --dataset folder --data-dir photos --pixel-cache . --image-size 8 --width 0.125 --head-hidden 64 --batch-size 2 \
         --max-steps 0 --out cached",
    ));
    // A report in a run's folder is welcome.
    succeed(world.mrl(&format!("{UNTRAINED} run")));
    let fold = "fold run --network target --out";
    let message = fail(world.mrl(&format!("{fold} data/folded.safetensors")), 2);
    says(&message, &["--out data/folded.safetensors is in the data folder data"]);
    says(
        &fail(world.mrl(&format!("{fold} run/config.toml/x.safetensors")), 1),
        &["run/config.toml is not a folder"],
    );
    succeed(world.mrl(&format!("{REPORT} --out run/report")));
    says(
        &fail(world.mrl(&format!("{REPORT} --out run")), 1),
        &["run is not empty and was not written by mrl eval"],
    );
}
