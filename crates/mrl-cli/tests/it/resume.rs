//! Runs that are cut end as if they had not been.

use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use crate::{
    common::{World, fail, succeed, text},
    errors::says,
};

fn started(mut command: Command) -> Child {
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Waits until `reached` holds or the program has ended.
fn wait_until(child: &mut Child, reached: impl Fn() -> bool) {
    let begin = Instant::now();
    while !reached() && child.try_wait().unwrap().is_none() {
        assert!(begin.elapsed() < Duration::from_secs(120), "the run does not get there");
        sleep(Duration::from_millis(1));
    }
}

/// A run into `out` that has done its first step.
fn at_work(world: &World, out: &str, options: &str) -> Child {
    let mut child = started(world.train(out, options));
    let metrics = world.path(out).join("metrics.jsonl");
    wait_until(&mut child, || lines(&metrics) > 0);
    child
}

fn send(child: &Child, signal: &str) {
    let sent = Command::new("kill").args(["-s", signal, &child.id().to_string()]).status().unwrap();
    assert!(sent.success(), "SIG{signal}");
}

fn lines(path: &Path) -> usize {
    fs::read_to_string(path).map_or(0, |text| text.lines().count())
}

/// Whether a checkpoint is being written: its temporary file is there.
fn is_saving(run: &Path) -> bool {
    let temporary = |entry: fs::DirEntry| entry.file_name().to_string_lossy().ends_with(".tmp");
    fs::read_dir(run.join("checkpoints")).is_ok_and(|entries| entries.flatten().any(temporary))
}

#[test]
fn a_killed_run_resumes_to_the_same_bits() {
    resumes_after_kills(&[3, 5]);
}

#[test]
#[ignore = "long: cargo xtask test --long"]
fn a_run_that_is_killed_at_any_moment_resumes_to_the_same_bits() {
    resumes_after_kills(&[0, 1, 2, 3, 4, 5, 6]);
}

/// Kills a run at these of seven moments, one after the other.
fn resumes_after_kills(chosen: &[usize]) {
    let world = World::new();
    succeed(world.train("whole", ""));
    let whole = world.results("whole");

    let run = world.path("cut");
    // Before anything is there, behind the configuration, behind some steps, and thrice while a checkpoint is saved.
    let moments: [Box<dyn Fn() -> bool>; 7] = [
        Box::new(|| true),
        Box::new(|| run.join("config.toml").exists()),
        Box::new(|| lines(&run.join("metrics.jsonl")) >= 1),
        Box::new(|| is_saving(&run)),
        Box::new(|| lines(&run.join("metrics.jsonl")) >= 4 && is_saving(&run)),
        Box::new(|| lines(&run.join("metrics.jsonl")) >= 6),
        Box::new(|| lines(&run.join("metrics.jsonl")) >= 8 && is_saving(&run)),
    ];
    let mut hit = 0;
    for moment in chosen.iter().map(|&place| &moments[place]) {
        let mut child = started(world.train("cut", "--resume"));
        wait_until(&mut child, moment);
        child.kill().unwrap();
        // A run that had ended before was not killed, and shows nothing.
        hit += usize::from(child.wait().unwrap().code().is_none());
    }
    assert!(hit > 0, "no kill hit a run");
    fs::write(run.join("checkpoints/.mrl-killed.tmp"), b"half of a checkpoint").unwrap();
    succeed(world.train("cut", "--resume"));
    assert!(world.results("cut") == whole, "the cut run ends differently");
    assert!(!is_saving(&run), "what the kills left was not removed");

    // Resuming a finished run finds nothing to do, and changes nothing.
    succeed(world.mrl("train --resume --out cut"));
    assert!(world.results("cut") == whole, "a finished run changed");
}

#[test]
fn another_configuration_is_told_before_any_image_is_looked_for() {
    let world = World::new();
    succeed(world.train("run", ""));
    let other = "train --resume --out run --dataset cifar10 --data-dir nowhere";
    says(&fail(world.mrl(other), 1), &["data.dataset is \"fashion-mnist\" there and \"cifar10\" now"]);
    assert!(!world.path("nowhere").exists());
    says(&fail(world.mrl("train --resume --out run --preset reference"), 1), &["objective.name is"]);
}

#[cfg(unix)]
#[test]
fn a_signal_saves_a_checkpoint_and_ends_with_130() {
    let world = World::new();
    // Long enough that a signal finds it at work.
    let long = "--max-steps 60 --checkpoint-every 20";
    succeed(world.train("whole", long));
    let run = world.path("run");
    for signal in ["INT", "TERM", "HUP"] {
        let mut child = started(world.train("run", &format!("{long} --resume")));
        let before = lines(&run.join("metrics.jsonl"));
        wait_until(&mut child, || lines(&run.join("metrics.jsonl")) > before);
        send(&child, signal);
        assert_eq!(child.wait().unwrap().code(), Some(130), "SIG{signal}");
        assert!(fs::read_dir(run.join("checkpoints")).unwrap().count() > 0);
    }
    succeed(world.mrl("train --resume --out run"));
    assert!(world.results("run") == world.results("whole"), "the interrupted run ends differently");
}

#[cfg(unix)]
#[test]
fn a_signal_can_ask_for_a_checkpoint_and_the_run_goes_on() {
    let world = World::new();
    let long = "--max-steps 150 --checkpoint-every 1000";
    succeed(world.train("whole", long));
    let run = world.path("run");
    let mut child = at_work(&world, "run", long);
    send(&child, "USR1");
    let saved = || fs::read_dir(run.join("checkpoints")).map_or(0, Iterator::count);
    wait_until(&mut child, || saved() > 0);
    assert!(lines(&run.join("metrics.jsonl")) < 150, "it was saved at the end");
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(world.results("run") == world.results("whole"), "saving changed the run");
}

/// A shell and the kernel both send SIGHUP when a terminal is closed; `nohup` asks for it to do nothing.
#[cfg(unix)]
#[test]
fn a_closed_terminal_saves_a_checkpoint_and_nohup_goes_on() {
    let world = World::new();
    let run = world.path("run");
    let mut child = at_work(&world, "run", "--max-steps 60 --checkpoint-every 1000");
    for signal in ["STOP", "HUP", "CONT", "HUP"] {
        send(&child, signal);
    }
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(fs::read_dir(run.join("checkpoints")).unwrap().count(), 1);

    let on = world.path("on");
    let train = world.train("on", "--max-steps 30");
    let mut nohup = Command::new("nohup");
    nohup.arg(train.get_program()).args(train.get_args()).current_dir(world.path("."));
    nohup.envs(train.get_envs().filter_map(|(key, value)| Some((key, value?))));
    let mut child = started(nohup);
    wait_until(&mut child, || lines(&on.join("metrics.jsonl")) > 0);
    send(&child, "HUP");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

/// Both signals arrive while the run is stopped, so that it takes the second before it can act on the first.
#[cfg(unix)]
#[test]
fn a_second_signal_ends_at_once_without_a_checkpoint() {
    let world = World::new();
    let run = world.path("run");
    let mut child = at_work(&world, "run", "--max-steps 60 --checkpoint-every 1000");
    for signal in ["STOP", "INT", "TERM", "CONT"] {
        send(&child, signal);
    }
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let saved = fs::read_dir(run.join("checkpoints")).map_or(0, Iterator::count);
    assert_eq!(saved, 0, "the run saved a checkpoint before it ended");
}

#[test]
fn another_configuration_is_refused_and_named() {
    let world = World::new();
    succeed(world.train("run", ""));
    let before = world.results("run");
    let message = fail(world.train("run", "--resume --seed 5"), 1);
    assert!(message.contains("run.seed is 0 there and 5 now"), "{message}");

    let config = world.path("run/config.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("seed = 0", "seed = 5")).unwrap();
    let message = fail(world.mrl("train --resume --out run"), 1);
    let expected =
        "step-000000009.safetensors: the run has another configuration: run.seed is 0 there and 5 now";
    assert!(message.contains(expected), "{message}");
    assert!(world.results("run") == before);
}

#[test]
fn a_result_without_checkpoints_is_never_replaced() {
    let world = World::new();
    succeed(world.train("run", ""));
    fs::remove_dir_all(world.path("run/checkpoints")).unwrap();
    let before = world.results("run");
    let message = fail(world.train("run", "--resume"), 1);
    assert!(message.contains("run/encoder.safetensors: is the run's result"), "{message}");
    assert!(world.results("run") == before);
    let message = fail(world.mrl("train --resume --out nowhere"), 2);
    assert!(message.contains("nowhere: holds no run to resume"), "{message}");
}

#[test]
fn other_images_are_refused() {
    let world = World::new();
    succeed(world.train("run", ""));
    let other = World::new();
    let images = other.read("data/t10k-images-idx3-ubyte");
    fs::write(world.path("data/train-images-idx3-ubyte"), images).unwrap();
    fs::write(world.path("data/train-labels-idx1-ubyte"), other.read("data/t10k-labels-idx1-ubyte")).unwrap();
    let message = fail(world.train("run", "--resume"), 1);
    says(&message, &["trained on 40 images of data", "these are 20 images of data", "restore the images"]);
    // A run of an earlier version knows their number alone, and does not take others for its own.
    fs::remove_file(world.path("run/images.json")).unwrap();
    let message = fail(world.train("run", "--resume"), 1);
    assert!(message.contains("was made with 40 images, but the data set now has 20"), "{message}");
    assert!(!world.path("run/images.json").exists());
}

#[test]
fn a_damaged_checkpoint_is_named_with_the_cure() {
    let world = World::new();
    succeed(world.train("run", ""));
    let newest = world.path("run/checkpoints/step-000000009.safetensors");
    let bytes = fs::read(&newest).unwrap();
    fs::write(&newest, &bytes[..bytes.len() / 2]).unwrap();
    let message = fail(world.train("run", "--resume"), 1);
    assert!(
        message.contains("step-000000009.safetensors")
            && message.contains("delete it to continue from the one before"),
        "{message}"
    );
    let mut flipped = bytes.clone();
    flipped[bytes.len() - 9] ^= 1;
    fs::write(&newest, flipped).unwrap();
    let message = fail(world.train("run", "--resume"), 1);
    says(&message, &["is not what was written", "delete it to continue from the one before"]);
    let renamed = world.path("run/checkpoints/step-000000010.safetensors");
    fs::write(&renamed, &bytes).unwrap();
    says(&fail(world.train("run", "--resume"), 1), &["step-000000010", "is of step 9"]);
    fs::remove_file(renamed).unwrap();
    fs::remove_file(newest).unwrap();
    let whole = world.results("run");
    let output = succeed(world.train("run", "--resume"));
    assert!(
        text(&output.stderr)
            .contains("continuing after step 8 from run/checkpoints/step-000000008.safetensors")
    );
    assert!(world.results("run") == whole);
}

#[test]
fn the_last_two_checkpoints_are_kept() {
    let world = World::new();
    succeed(world.train("run", ""));
    let entries = fs::read_dir(world.path("run/checkpoints")).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["step-000000008.safetensors", "step-000000009.safetensors"]);
}
