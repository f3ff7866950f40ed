//! The `.npy` form: the embeddings alone, `[n, d]`, as numpy reads and writes them. They are written as f32 in C order; floats of 16 and
//! 64 bits, of either byte order, and matrices in Fortran order are read too.

use std::{
    fmt::Display,
    io::{self, Cursor},
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

use half::f16;
use npyz::{Deserialize, NpyFile, NpyHeader, Order, WriterBuilder};

use crate::{
    EmbeddingSet, Error,
    values::{self, Values, narrow},
    write_atomically,
};

pub(crate) fn is_npy(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("npy"))
}

pub(crate) fn read(path: &Path) -> Result<EmbeddingSet, Error> {
    let map = values::map(path).map_err(Error::io(path))?;
    let damaged = |problem: String| Error::damaged(path, problem);
    let mut cursor = Cursor::new(&map[..]);
    // Of sizes that no machine has it may panic, which is an error like the others.
    let header = catch_unwind(AssertUnwindSafe(|| NpyHeader::from_reader(&mut cursor)))
        .unwrap_or_else(|_| Err(io::Error::other("its shape cannot be")))
        .map_err(|error| damaged(format!("is not a .npy file ({error}); save it with numpy.save")))?;
    let &[n, d] = header.shape() else {
        return Err(damaged(format!(
            "has shape {:?}; embeddings are a matrix [n, d], so reshape it",
            header.shape()
        )));
    };
    let descr = header.dtype().descr();
    let Some(number_size) = number_size(&descr) else {
        return Err(damaged(format!("holds numbers of type {descr}; save it with astype(numpy.float32)")));
    };
    // Checked before anything is allocated: a damaged header may claim any number of rows.
    let start = cursor.position();
    let size = n.checked_mul(d).and_then(|numbers| numbers.checked_mul(number_size));
    let Some(end) = size.and_then(|size| size.checked_add(start)).filter(|&end| end <= map.len() as u64)
    else {
        return Err(damaged(format!("says it holds {n} x {d} numbers, more than the file has; it was cut")));
    };
    let values = if descr == "'<f4'" && header.order() == Order::C {
        Values::in_map(&map, start as usize, end as usize)
    } else {
        let file = NpyFile::with_header(header, cursor);
        Values::Owned(convert(file, number_size, n as usize, d as usize).map_err(damaged)?)
    };
    EmbeddingSet::of(values, d as usize).map_err(|error| damaged(error.to_string()))
}

/// The bytes of a number, of the types that are read.
fn number_size(descr: &str) -> Option<u64> {
    match descr.trim_matches('\'').trim_start_matches(['<', '>']) {
        "f2" => Some(2),
        "f4" => Some(4),
        "f8" => Some(8),
        _ => None,
    }
}

/// The matrix `[n, d]` row by row, as `f32`.
fn convert(file: NpyFile<Cursor<&[u8]>>, number_size: u64, n: usize, d: usize) -> Result<Vec<f32>, String> {
    let order = file.order();
    let numbers = match number_size {
        2 => in_order_of_file(file, |number: f16| Ok(number.to_f32())),
        4 => in_order_of_file(file, Ok::<f32, _>),
        _ => in_order_of_file(file, narrow),
    }?;
    if order == Order::C {
        return Ok(numbers);
    }
    let mut rows = Vec::with_capacity(n * d);
    (0..n).for_each(|row| rows.extend((0..d).map(|column| numbers[column * n + row])));
    Ok(rows)
}

fn in_order_of_file<T: Deserialize>(
    file: NpyFile<Cursor<&[u8]>>,
    number: impl Fn(T) -> Result<f32, String>,
) -> Result<Vec<f32>, String> {
    let cut = |error: &dyn Display| format!("does not hold whole rows ({error}); save it again");
    let stored = file.data::<T>().map_err(|error| cut(&error))?;
    stored.map(|stored| number(stored.map_err(|error| cut(&error))?)).collect()
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
        for kind in ["i4", "c8", "u1"] {
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
