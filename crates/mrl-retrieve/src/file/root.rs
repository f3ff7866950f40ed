use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::Path,
};

use super::{Disk, HEAD, checksum, is_checksum};
use crate::Error;

const MAGIC: [u8; 8] = mrl_embedding::INDEX_MAGIC;

/// Of the file; a program reads the one that it writes.
const VERSION: u64 = 3;

/// Where the roots lie: on pages of their own, so that writing one cannot tear the other.
const SLOTS: [u64; 2] = [0, HEAD / 2];

/// Magic, the fields, a checksum of all before.
const BYTES: usize = 56;

/// Leads to the manifest of the last commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Root {
    /// Counts commits.
    pub(crate) generation: u64,
    /// Where the manifest lies.
    pub(crate) offset: u64,
    /// Its bytes; the committed file ends with it.
    pub(crate) len: u64,
    /// Of the manifest.
    pub(crate) checksum: u64,
}

/// Whether nothing but an index is lost with `file`: it is one, of whatever format and whether or not it is damaged, or empty.
pub(crate) fn is_replaceable(file: &File) -> io::Result<bool> {
    let about = file.metadata()?;
    // A device looks empty.
    if !about.is_file() {
        return Ok(false);
    }
    Ok(about.len() == 0 || Slot::of(file)?.iter().any(|slot| !matches!(slot, Slot::Foreign)))
}

/// What a slot holds.
enum Slot {
    Root(Root),
    /// A root of another version of the format.
    Version(u64),
    /// Of an index, but damaged.
    Damaged,
    /// Something else.
    Foreign,
}

impl Root {
    /// The newest whole root of the file at `path`, and which of the two slots hold it: an older one is of no use.
    pub(crate) fn read(path: &Path, file: &File) -> Result<(Self, [bool; 2]), Error> {
        let slots = Slot::of(file).map_err(Error::io(path))?;
        let roots = slots.each_ref().map(|slot| if let Slot::Root(root) = slot { Some(*root) } else { None });
        let newest = roots.into_iter().flatten().max_by_key(|root| root.generation);
        let newest = newest.ok_or_else(|| Error::damaged(path, Slot::complaint(&slots)))?;
        Ok((newest, roots.map(|root| root == Some(newest))))
    }

    /// Makes this the root: the manifest and all it leads to must be written, and are synced first. `held` says which slots hold
    /// the root before it, if there is one; where only one does, the other is written first.
    pub(crate) fn commit(&self, held: [bool; 2], disk: &impl Disk) -> io::Result<()> {
        let [first, second] = if held == [true, false] { [SLOTS[1], SLOTS[0]] } else { SLOTS };
        disk.sync()?;
        disk.write_at(&self.encode(), first)?;
        disk.sync()?;
        disk.write_at(&self.encode(), second)
    }

    fn encode(&self) -> [u8; BYTES] {
        let mut bytes = [0; BYTES];
        let fields = [VERSION, self.generation, self.offset, self.len, self.checksum];
        bytes[..8].copy_from_slice(&MAGIC);
        for (place, field) in bytes[8..].chunks_exact_mut(8).zip(fields) {
            place.copy_from_slice(&field.to_le_bytes());
        }
        let sum = checksum(&bytes[..BYTES - 8]);
        bytes[BYTES - 8..].copy_from_slice(&sum.to_le_bytes());
        bytes
    }
}

impl Slot {
    /// Both slots of `file`.
    fn of(mut file: &File) -> io::Result<[Self; 2]> {
        let mut slot = |at| {
            let mut bytes = [0; BYTES];
            file.seek(SeekFrom::Start(at))?;
            match file.read_exact(&mut bytes) {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(Self::Foreign),
                result => result.map(|()| Self::decode(&bytes)),
            }
        };
        Ok([slot(SLOTS[0])?, slot(SLOTS[1])?])
    }

    fn decode(bytes: &[u8; BYTES]) -> Self {
        if bytes[..8] != MAGIC {
            return Self::Foreign;
        }
        let mut fields = [0; 6];
        for (field, bytes) in fields.iter_mut().zip(bytes[8..].as_chunks().0) {
            *field = u64::from_le_bytes(*bytes);
        }
        let [version, generation, offset, len, manifest, own] = fields;
        match (is_checksum(own, &bytes[..BYTES - 8]), version) {
            (false, _) => Self::Damaged,
            (true, VERSION) => Self::Root(Root { generation, offset, len, checksum: manifest }),
            (true, other) => Self::Version(other),
        }
    }

    /// Why none of `slots` is a root.
    fn complaint(slots: &[Self; 2]) -> String {
        let other =
            slots.iter().find_map(|slot| if let Self::Version(other) = slot { Some(other) } else { None });
        if let Some(other) = other {
            return format!(
                "is an index of format {other}, this program reads {VERSION}; build it again, or use the program that wrote it"
            );
        }
        if slots.iter().any(|slot| matches!(slot, Self::Damaged)) {
            return "both heads of the index are damaged; build it again".into();
        }
        "is not an index; make one with `mrl index build`".into()
    }
}
