//! A full disk: the command reports it, leaves the old files and no partial file, and succeeds once there is room.

use std::{collections::BTreeMap, fs, process::Command};

use crate::{
    common::{World, fail, succeed, text},
    errors::says,
    writers::{self, Writer, checked_rows, named_index, restore},
};

/// The block size of tmpfs, in bytes.
const PAGE: u64 = 4096;

/// The file that fills the disk.
const FILLER: &str = "disk/filler";

/// A disk in memory, mounted at `disk` in the folder of a world.
struct Disk<'a>(&'a World);

impl<'a> Disk<'a> {
    /// Mounts a tmpfs of this many bytes. Returns nothing, and says so, without the right to mount.
    #[expect(clippy::print_stderr, reason = "a skipped test says so")]
    fn mount(world: &'a World, bytes: u64) -> Option<Self> {
        fs::create_dir_all(world.path("disk")).unwrap();
        let size = format!("size={}", bytes.next_multiple_of(PAGE));
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(world.path("disk"));
        let mounted = mount.output().is_ok_and(|output| output.status.success());
        if !mounted {
            eprintln!("skipped: only root can mount a tmpfs");
        }
        mounted.then(|| Self(world))
    }

    /// Fills the disk and leaves this many bytes free.
    fn fill(&self, room: u64) {
        let filler = self.0.path(FILLER);
        let mut pages = 1;
        while fs::write(&filler, vec![1; (pages * PAGE) as usize]).is_ok() {
            pages *= 2;
        }
        // The write that failed filled it to the last page.
        let filled = fs::metadata(&filler).unwrap().len();
        let file = fs::File::options().write(true).open(filler).unwrap();
        file.set_len(filled.saturating_sub(room)).unwrap();
    }

    fn make_room(&self) {
        fs::remove_file(self.0.path(FILLER)).unwrap();
    }
}

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg(self.0.path("disk")).status();
        let unmounted = unmounted.is_ok_and(|status| status.success());
        assert!(unmounted || std::thread::panicking(), "the tmpfs stays mounted");
    }
}

/// Runs a writer on a full disk, and on one that becomes full after half of its output.
fn fill_while_writing(writer: &Writer) {
    let world = &writer.world;
    succeed(world.mrl(&writer.words("roomy")));
    let whole = writer.written("roomy");
    let bytes: u64 = whole.values().map(|bytes| bytes.len() as u64).sum();
    let Some(disk) = Disk::mount(world, 4 * bytes + 32 * PAGE) else { return };
    let words = writer.words("disk");
    let half = bytes / 2 / PAGE * PAGE;
    for room in [0, half] {
        disk.fill(room);
        says(&fail(world.mrl(&words), 1), &["disk/", "No space left on device"]);
        for (name, bytes) in writer.written("disk") {
            assert!(whole.get(&name) == Some(&bytes), "`mrl {words}` left a part of {name}");
        }
        disk.make_room();
        succeed(world.mrl(&words));
        assert!(writer.written("disk") == whole, "`mrl {words}` writes something else after a full disk");
        // The old file stays where the new one has no room.
        disk.fill(0);
        fail(world.mrl(&words), 1);
        assert!(writer.written("disk") == whole, "`mrl {words}` lost what was there on a full disk");
        disk.make_room();
        fs::remove_dir_all(world.path("disk")).unwrap_err();
    }
}

#[test]
fn writers_of_whole_files_leave_what_was_there() {
    for writer in [writers::set(), writers::hits(), writers::adapter(), writers::index(), writers::report()] {
        fill_while_writing(&writer);
    }
}

#[test]
fn changes_of_an_index_happen_or_not() {
    let world = named_index();
    let Some(disk) = Disk::mount(&world, 1 << 20) else { return };
    for (words, before, after) in [
        ("index add disk/i.index --input new.safetensors", 400, 800),
        ("index remove disk/i.index --ids-from removed.txt", 400, 300),
        ("index compact disk/i.index", 400, 400),
    ] {
        for room in [0, PAGE] {
            fs::copy(world.path("i.index"), world.path("disk/i.index")).unwrap();
            disk.fill(room);
            let output = world.mrl(words).output().unwrap();
            let message = text(&output.stderr);
            let rows = checked_rows(&world, "disk/i.index");
            if output.status.success() {
                assert_eq!(rows, after, "{words}");
            } else {
                says(&message, &["disk/i.index", "No space left on device"]);
                assert_eq!(rows, before, "{words}");
            }
            assert!(words.contains("remove") || !output.status.success(), "{words} had room");
            disk.make_room();
            if rows == before {
                succeed(world.mrl(words));
            }
            assert_eq!(checked_rows(&world, "disk/i.index"), after, "{words}");
        }
    }
}

#[test]
fn a_training_goes_on_after_a_full_disk() {
    let world = World::new();
    succeed(world.train("whole", ""));
    let whole = world.results("whole");
    let run: u64 = writers::files(&world.path("whole")).values().map(|bytes| bytes.len() as u64).sum();
    let Some(disk) = Disk::mount(&world, 4 * run) else { return };
    for room in [0, PAGE, run / 3, run / 2, run * 3 / 4] {
        disk.fill(room);
        let message = fail(world.train("disk/run", "--resume"), 1);
        says(&message, &["disk/run", "No space left on device"]);
        restore(&world.path("disk"), &BTreeMap::new());
    }
    disk.fill(run / 3);
    fail(world.train("disk/run", "--resume"), 1);
    disk.make_room();
    succeed(world.train("disk/run", "--resume"));
    assert!(world.results("disk/run") == whole, "the run ends differently");
}

#[test]
fn a_cache_of_pixels_that_has_no_room_is_done_without() {
    let world = World::new();
    writers::photos(&world);
    let Some(disk) = Disk::mount(&world, 64 * PAGE) else { return };
    let train = "train --preset tiny.toml --dataset folder --data-dir photos --image-size 32 --max-steps 0 --fold none";
    for room in [0, 8 * PAGE] {
        disk.fill(room);
        let done = succeed(world.mrl(&format!("{train} --pixel-cache disk/pixels --out run-{room}")));
        says(&text(&done.stderr), &["disk/pixels", "No space left on device"]);
        assert!(writers::files(&world.path("disk")).keys().all(|name| name == "filler"));
        disk.make_room();
    }
}
