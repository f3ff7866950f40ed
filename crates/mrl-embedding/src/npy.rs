//! The `.npy` form: the embeddings alone, `[n, d]`, as numpy reads and writes them. They are written as f32 in C order; floats of 16 and
//! 64 bits, of either byte order, whole numbers of 8 bits, and matrices in Fortran order are read too.

use std::{
    fmt::Display,
    io::{self, Cursor},
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::Arc,
};

use half::f16;
use memmap2::Mmap;
use npyz::{Deserialize, NpyFile, NpyHeader, Order, WriterBuilder};

use crate::{
    EmbeddingSet, Error,
    values::{self, Values, narrowed},
    write_atomically,
};

pub(crate) fn is_npy(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("npy"))
}

/// Reads the set whose file is mapped at `map`. `note` is called with a message where whole numbers become `f32`.
pub(crate) fn read(path: &Path, map: &Arc<Mmap>, note: &mut dyn FnMut(&str)) -> Result<EmbeddingSet, Error> {
    let damaged = |problem: String| Error::damaged(path, problem);
    let mut cursor = Cursor::new(&map[..]);
    let header = header(&mut cursor).map_err(damaged)?;
    let &[n, d] = header.shape() else {
        return Err(damaged(format!(
            "has shape {:?}; embeddings are a matrix [n, d], so reshape it",
            header.shape()
        )));
    };
    let descr = header.dtype().descr();
    let Some(number) = Number::of(&descr) else {
        return Err(damaged(format!("holds numbers of type {descr}; save it with astype(numpy.float32)")));
    };
    let start = cursor.position();
    let end = check_size(&[n, d], number.size(), start, map).map_err(damaged)?;
    if d == 0 {
        return EmbeddingSet::of(Values::Owned(Vec::new()), 0).map_err(|error| damaged(error.to_string()));
    }
    let values = if descr == "'<f4'" && header.order() == Order::C {
        Values::in_map(map, start as usize, end as usize)
    } else {
        let file = NpyFile::with_header(header, cursor);
        Values::Owned(convert(file, number, n as usize, d as usize).map_err(damaged)?)
    };
    if let Number::I8 | Number::U8 = number {
        note(&values::of_whole_numbers(path));
    }
    let set = EmbeddingSet::of(values, d as usize).map_err(|error| damaged(error.to_string()))?;
    Ok(set)
}

/// The header of an array; `cursor` is then where its values begin.
pub(crate) fn header(cursor: &mut Cursor<&[u8]>) -> Result<NpyHeader, String> {
    // npyz asks for as much memory as the header says it has bytes.
    if header_length(cursor.get_ref()).is_some_and(|length| length > cursor.get_ref().len()) {
        return Err(
            "says that its header is longer than the file; it was cut or damaged: save it again".to_owned()
        );
    }
    // npyz may panic on a shape that overflows; a panic becomes an error.
    catch_unwind(AssertUnwindSafe(|| NpyHeader::from_reader(cursor)))
        .unwrap_or_else(|_| Err(io::Error::other("its shape cannot be")))
        .map_err(|error| format!("is not a .npy file ({error}); save it with numpy.save"))
}

/// The length that the header says it has, after the magic, the version and the length itself.
fn header_length(bytes: &[u8]) -> Option<usize> {
    let length = bytes.get(8..)?;
    Some(match bytes[6] {
        1 => u16::from_le_bytes(*length.first_chunk()?).into(),
        _ => u32::from_le_bytes(*length.first_chunk()?) as usize,
    })
}

/// Where an array of this shape ends that begins at `start` of `bytes`. To be asked before anything is allocated: a damaged header may
/// claim any number of values.
pub(crate) fn check_size(shape: &[u64], size: u64, start: u64, bytes: &[u8]) -> Result<u64, String> {
    let total = shape.iter().try_fold(size, |total, &dim| total.checked_mul(dim));
    total.and_then(|total| total.checked_add(start)).filter(|&end| end <= bytes.len() as u64).ok_or_else(
        || {
            let shape = shape.iter().map(ToString::to_string).collect::<Vec<_>>().join(" x ");
            format!("says it holds {shape} values, more than the file has; it was cut")
        },
    )
}

/// The types of numbers that are read.
#[derive(Clone, Copy)]
enum Number {
    F16,
    F32,
    F64,
    I8,
    U8,
}

impl Number {
    fn of(descr: &str) -> Option<Self> {
        match descr.trim_matches('\'').trim_start_matches(['<', '>', '|']) {
            "f2" => Some(Self::F16),
            "f4" => Some(Self::F32),
            "f8" => Some(Self::F64),
            "i1" => Some(Self::I8),
            "u1" => Some(Self::U8),
            _ => None,
        }
    }

    /// In bytes.
    fn size(self) -> u64 {
        match self {
            Self::I8 | Self::U8 => 1,
            Self::F16 => 2,
            Self::F32 => 4,
            Self::F64 => 8,
        }
    }
}

/// The matrix `[n, d]` row by row, as `f32`.
fn convert(file: NpyFile<Cursor<&[u8]>>, number: Number, n: usize, d: usize) -> Result<Vec<f32>, String> {
    let order = file.order();
    let rows = |numbers| by_rows(numbers, order, n, d);
    Ok(match number {
        Number::F16 => rows(in_order_of_file(file, |number: f16| Ok(number.to_f32()))?),
        Number::F32 => rows(in_order_of_file(file, Ok::<f32, _>)?),
        Number::I8 => rows(in_order_of_file(file, |number: i8| Ok(number.into()))?),
        Number::U8 => rows(in_order_of_file(file, |number: u8| Ok(number.into()))?),
        Number::F64 => narrowed(&by_rows(in_order_of_file(file, Ok::<f64, _>)?, order, n, d), d, 0)?,
    })
}

/// The numbers of a matrix `[n, d]` row by row, which are stored in this order.
fn by_rows<T: Copy>(numbers: Vec<T>, order: Order, n: usize, d: usize) -> Vec<T> {
    if order == Order::C {
        return numbers;
    }
    (0..n).flat_map(|row| (0..d).map(move |column| column * n + row)).map(|at| numbers[at]).collect()
}

/// All values of an array as they are stored, each turned into something else.
pub(crate) fn in_order_of_file<T: Deserialize, U>(
    file: NpyFile<Cursor<&[u8]>>,
    value: impl Fn(T) -> Result<U, String>,
) -> Result<Vec<U>, String> {
    let cut = |error: &dyn Display| format!("does not hold whole rows ({error}); save it again");
    let stored = file.data::<T>().map_err(|error| cut(&error))?;
    stored.map(|stored| value(stored.map_err(|error| cut(&error))?)).collect()
}

pub(crate) fn write(set: &EmbeddingSet, path: &Path) -> Result<(), Error> {
    write_atomically(path, |file| {
        let shape = [set.len() as u64, set.width() as u64];
        let mut writer = npyz::WriteOptions::new().default_dtype().shape(&shape).writer(file).begin_nd()?;
        writer.extend(set.embeddings())?;
        writer.finish()
    })
    .map_err(Error::io(path))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(path: &Path) -> Result<EmbeddingSet, Error> {
        super::read(path, &values::map(path).unwrap(), &mut |_| {})
    }

    fn sample(path: &Path) -> EmbeddingSet {
        let set = EmbeddingSet::new(vec![0.5, -1.0, 2.0, 3.0, f32::MIN, 1e-30], 3).unwrap();
        write(&set, path).unwrap();
        set
    }

    #[test]
    fn a_set_survives_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("set.npy");
        let set = sample(&path);
        assert_eq!(read(&path).unwrap(), set);
    }

    #[test]
    fn files_of_numpy_are_read() {
        let expected = (0..12u8).map(|number| f32::from(number) / 4.0 - 1.0).collect();
        let expected = EmbeddingSet::new(expected, 4).unwrap();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../goldens/sets");
        for kind in ["little-f2", "little-f4", "little-f8", "big-f2", "big-f4", "big-f8"] {
            for order in ["rows", "columns"] {
                let path = folder.join(format!("{kind}-{order}.npy"));
                assert_eq!(read(&path).unwrap(), expected, "{}", path.display());
            }
        }
    }

    #[test]
    fn whole_numbers_of_8_bits_are_read_and_this_is_said() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../goldens/sets");
        for (kind, first) in [("i1", -6i8), ("u1", 0)] {
            let path = folder.join(format!("{kind}.npy"));
            let mut notes = Vec::new();
            let set = EmbeddingSet::read_noting(&path, &mut |note| notes.push(note.to_owned())).unwrap();
            let expected: Vec<f32> = (first..first + 12).map(f32::from).collect();
            assert_eq!(set.embeddings(), expected);
            assert_eq!(notes, [values::of_whole_numbers(&path)]);
        }
    }

    #[test]
    fn shapes_that_no_file_has_are_refused() {
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../goldens/sets/little-f4-rows.npy");
        let whole = String::from_utf8_lossy(&std::fs::read(golden).unwrap()[10..128]).into_owned();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("set.npy");
        for shape in ["(3, 5)", "(4611686018427387904, 4)", "(18446744073709551615, 32)"] {
            let header = whole.replace("(3, 4)", shape).trim_end().to_owned();
            let header = format!("{header:<117}\n");
            std::fs::write(&path, [&b"\x93NUMPY\x01\x00\x76\x00"[..], header.as_bytes(), &[0; 48]].concat())
                .unwrap();
            let message = read(&path).unwrap_err().to_string();
            let expected = ["more than the file has", "its shape cannot be"];
            assert!(expected.iter().any(|problem| message.contains(problem)), "{message}");
        }
    }

    #[test]
    fn numbers_of_another_type_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("set.npy");
        sample(&path);
        let whole = std::fs::read(&path).unwrap();
        let at = whole.windows(4).position(|bytes| bytes == b"'<f4").expect("the header says its type");
        for kind in ["i4", "c8", "u2"] {
            let mut bytes = whole.clone();
            bytes[at + 2..at + 4].copy_from_slice(kind.as_bytes());
            std::fs::write(&path, &bytes).unwrap();
            let message = read(&path).unwrap_err().to_string();
            let expected = format!("holds numbers of type '<{kind}'; save it with astype(numpy.float32)");
            assert!(message.ends_with(&expected), "{message}");
        }
    }

    proptest! {
        #[test]
        fn damaged_bytes_never_panic(cut in 0usize..230, at in 0usize..230, value: u8, name in proptest::sample::select(&["little-f4-rows", "little-f8-columns", "big-f2-rows"][..])) {
            let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../goldens/sets/{name}.npy"));
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("set.npy");
            let mut bytes = std::fs::read(golden).unwrap();
            let at = at % bytes.len();
            bytes[at] = value;
            bytes.truncate(bytes.len().saturating_sub(cut));
            std::fs::write(&path, &bytes).unwrap();
            let _ = read(&path);
        }
    }
}
