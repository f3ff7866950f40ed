use std::{fmt, io, ops::Deref, path::Path, sync::Arc};

use memmap2::Mmap;

use crate::contents::open;

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
    let file = open(path)?;
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

    /// Little-endian numbers of type `f64` in rows of `width`, as `f32`.
    ///
    /// # Errors
    /// Those of [`narrowed`].
    pub(crate) fn narrowed(bytes: &[u8], width: usize) -> Result<Self, String> {
        let numbers: Vec<f64> =
            bytes.as_chunks::<8>().0.iter().map(|&chunk| f64::from_le_bytes(chunk)).collect();
        narrowed(&numbers, width, 0).map(Self::Owned)
    }
}

/// What is said of vectors of whole numbers in the file at `path`.
#[must_use]
pub fn of_whole_numbers(path: &Path) -> String {
    format!("{}: whole numbers of 8 bits are read as they are, as f32", path.display())
}

/// Rows of `width` numbers from row `first` on, each number as the nearest `f32`.
///
/// # Errors
/// When a finite number is beyond the range of `f32`, or all numbers of a row that are not 0 are below it; with the cure. A number that
/// is below it beside larger ones becomes 0: it is too small to matter.
pub fn narrowed(numbers: &[f64], width: usize, first: usize) -> Result<Vec<f32>, String> {
    let narrowed: Vec<f32> = numbers.iter().map(|&number| number as f32).collect();
    let too_large =
        numbers.iter().zip(&narrowed).find(|(wide, narrow)| wide.is_finite() && narrow.is_infinite());
    if let Some((number, _)) = too_large {
        return Err(format!("holds {number:e}, which is too large for f32; scale the vectors down"));
    }
    let is_lost = |(wide, narrow): &(&[f64], &[f32])| {
        let is_below = |number: &f32| number.abs() < f32::MIN_POSITIVE;
        wide.iter().any(|&number| number != 0.0) && narrow.iter().all(is_below)
    };
    let width = width.max(1);
    match numbers.chunks(width).zip(narrowed.chunks(width)).position(|row| is_lost(&row)) {
        Some(row) => {
            let row = first + row;
            Err(format!("holds numbers too small for f32 in all of row {row}; scale the vectors up"))
        }
        None => Ok(narrowed),
    }
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
    fn numbers_that_f32_does_not_hold_are_named() {
        let kept = [0.1, f64::from(f32::MIN), f64::INFINITY, 0.0, 1e-300, 1.0];
        assert_eq!(narrowed(&kept, 2, 0), Ok(vec![0.1, f32::MIN, f32::INFINITY, 0.0, 0.0, 1.0]));
        assert!(narrowed(&[f64::NAN], 1, 0).unwrap()[0].is_nan());
        let expected = "holds -1e300, which is too large for f32; scale the vectors down";
        assert_eq!(narrowed(&[-1e300], 1, 0).unwrap_err(), expected);
        assert_eq!(Values::narrowed(&1e300f64.to_le_bytes(), 1).unwrap_err(), expected.replace('-', ""));
        let expected = "holds numbers too small for f32 in all of row 8; scale the vectors up";
        assert_eq!(narrowed(&[0.0, 0.0, 1e-50, -1e-300], 2, 7).unwrap_err(), expected);
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
