use std::{fmt, fs::File, io, ops::Deref, path::Path, sync::Arc};

use memmap2::Mmap;

/// The numbers of a set: in memory, or where they lie in a file, so that a set may be larger than the memory.
#[derive(Clone)]
pub(crate) enum Values {
    Owned(Vec<f32>),
    /// Bytes `start..end` of the map, which are aligned `f32`.
    Mapped {
        map: Arc<Mmap>,
        start: usize,
        end: usize,
    },
}

/// Maps a file to read it.
pub(crate) fn map(path: &Path) -> io::Result<Arc<Mmap>> {
    let file = File::open(path)?;
    if file.metadata()?.is_dir() {
        return Err(io::Error::new(
            io::ErrorKind::IsADirectory,
            "is a folder; name the file of an embedding set",
        ));
    }
    // SAFETY: the bytes are only read. Nothing can promise that no other process changes the file meanwhile: one that
    // writes into it changes numbers, one that truncates it ends this program at the next read. `write_atomically` does
    // neither, for it puts a new file in the place of the old one, whose map stays as it was.
    Ok(Arc::new(unsafe { Mmap::map(&file) }?))
}

impl Values {
    /// The little-endian numbers in bytes `start..end` of the map, where they lie if this machine can read them there,
    /// else a copy.
    pub(crate) fn in_map(map: &Arc<Mmap>, start: usize, end: usize) -> Self {
        let bytes = &map[start..end];
        if cfg!(target_endian = "little") && bytemuck::try_cast_slice::<u8, f32>(bytes).is_ok() {
            return Self::Mapped { map: Arc::clone(map), start, end };
        }
        Self::copied(bytes)
    }

    /// A copy of little-endian numbers.
    pub(crate) fn copied(bytes: &[u8]) -> Self {
        Self::converted(bytes, f32::from_le_bytes)
    }

    /// Numbers of another type, of `N` bytes each, as `f32`.
    pub(crate) fn converted<const N: usize>(bytes: &[u8], number: fn([u8; N]) -> f32) -> Self {
        Self::Owned(bytes.as_chunks::<N>().0.iter().map(|&chunk| number(chunk)).collect())
    }

    /// Numbers of type `f64` as `f32`.
    ///
    /// # Errors
    /// Those of [`narrow`].
    pub(crate) fn narrowed(bytes: &[u8]) -> Result<Self, String> {
        let numbers = bytes.as_chunks::<8>().0.iter().map(|&chunk| narrow(f64::from_le_bytes(chunk)));
        numbers.collect::<Result<_, _>>().map(Self::Owned)
    }
}

/// The nearest `f32`.
///
/// # Errors
/// When there is none but infinity, though `number` is finite; with the cure.
pub fn narrow(number: f64) -> Result<f32, String> {
    let narrowed = number as f32;
    if number.is_finite() && narrowed.is_infinite() {
        return Err(format!("holds {number:e}, which is too large for f32; scale the vectors down"));
    }
    Ok(narrowed)
}

impl Deref for Values {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        match self {
            Self::Owned(values) => values,
            Self::Mapped { map, start, end } => bytemuck::cast_slice(&map[*start..*end]),
        }
    }
}

impl PartialEq for Values {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl fmt::Debug for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_large_for_f32_is_named() {
        assert_eq!(narrow(0.1), Ok(0.1));
        assert_eq!(narrow(f64::from(f32::MIN)), Ok(f32::MIN));
        assert!(narrow(f64::NAN).unwrap().is_nan());
        assert_eq!(narrow(f64::INFINITY), Ok(f32::INFINITY));
        let expected = "holds -1e300, which is too large for f32; scale the vectors down";
        assert_eq!(narrow(-1e300).unwrap_err(), expected);
        assert_eq!(Values::narrowed(&1e300f64.to_le_bytes()).unwrap_err(), expected.replace('-', ""));
    }

    #[test]
    fn numbers_are_read_where_they_lie_or_copied_where_they_lie_askew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("numbers");
        let numbers = [1.5f32, -2.0, f32::MIN_POSITIVE];
        let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        std::fs::write(&path, [&[0; 4][..], &bytes[..], &[0; 5][..], &bytes[..]].concat()).unwrap();
        let map = map(&path).unwrap();
        let straight = Values::in_map(&map, 4, 16);
        let askew = Values::in_map(&map, 21, 33);
        assert_eq!(matches!(straight, Values::Mapped { .. }), cfg!(target_endian = "little"));
        assert!(matches!(askew, Values::Owned(_)));
        assert_eq!((&*straight, &straight), (&numbers[..], &askew));
    }
}
