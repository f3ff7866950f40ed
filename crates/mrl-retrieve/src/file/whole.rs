use std::{fs::File, io, path::Path};

use mrl_embedding::write_atomically;

use crate::Error;

/// Writes a file at any places, so that after a crash at any moment either the old file or the whole new one is there.
pub(crate) fn write_whole(path: &Path, write: impl FnOnce(&File) -> Result<(), Error>) -> Result<(), Error> {
    // The buffer stays empty: columns are written side by side.
    write_atomically(path, |buffer| write(buffer.get_ref()).map_err(io::Error::other))
        .map_err(|error| error.downcast().unwrap_or_else(Error::io(path)))
}
