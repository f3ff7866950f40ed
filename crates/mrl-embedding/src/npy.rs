//! The `.npy` form: the embeddings alone, f32 `[n, d]` in C order, as numpy reads and writes them.

use std::{io::Cursor, path::Path};

use npyz::{NpyFile, NpyHeader, Order, WriterBuilder};

use crate::{
    EmbeddingSet, Error,
    values::{self, Values},
    write_atomically,
};

pub(crate) fn is_npy(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("npy"))
}

pub(crate) fn read(path: &Path) -> Result<EmbeddingSet, Error> {
    let map = values::map(path).map_err(Error::io(path))?;
    let damaged = |problem: String| Error::damaged(path, problem);
    let mut cursor = Cursor::new(&map[..]);
    let header = NpyHeader::from_reader(&mut cursor)
        .map_err(|error| damaged(format!("is not a .npy file ({error}); save it with numpy.save")))?;
    let &[n, d] = header.shape() else {
        return Err(damaged(format!(
            "has shape {:?}; embeddings are a matrix [n, d], so reshape it",
            header.shape()
        )));
    };
    if header.order() != Order::C {
        return Err(damaged("is in Fortran order; save it with numpy.ascontiguousarray".into()));
    }
    let descr = header.dtype().descr();
    if !["'<f4'", "'>f4'"].contains(&&*descr) {
        return Err(damaged(format!("holds numbers of type {descr}; save it with astype(numpy.float32)")));
    }
    // Checked before anything is allocated: a damaged header may claim any number of rows.
    let start = cursor.position();
    let size = n.checked_mul(d).and_then(|values| values.checked_mul(4));
    let Some(end) = size.and_then(|size| size.checked_add(start)).filter(|&end| end <= map.len() as u64)
    else {
        return Err(damaged(format!("says it holds {n} x {d} numbers, more than the file has; it was cut")));
    };
    let values = if descr == "'<f4'" {
        Values::in_map(&map, start as usize, end as usize)
    } else {
        let values = NpyFile::with_header(header, cursor)
            .into_vec::<f32>()
            .map_err(|error| damaged(format!("does not hold whole rows ({error}); save it again")))?;
        Values::Owned(values)
    };
    EmbeddingSet::of(values, d as usize).map_err(|error| damaged(error.to_string()))
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
    fn numbers_of_the_other_byte_order_are_read_too() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("set.npy");
        sample(&path);
        let mut bytes = std::fs::read(&path).unwrap();
        let at = bytes.windows(4).position(|bytes| bytes == b"'<f4").expect("the header says its type");
        bytes[at + 1] = b'>';
        let start = bytes.len() - 24;
        bytes[start..].chunks_exact_mut(4).for_each(<[u8]>::reverse);
        std::fs::write(&path, &bytes).unwrap();
        let other = folder.path().join("other.npy");
        assert_eq!(read(&path).unwrap(), sample(&other));
    }

    #[test]
    fn numbers_of_another_type_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("set.npy");
        sample(&path);
        let whole = std::fs::read(&path).unwrap();
        let at = whole.windows(4).position(|bytes| bytes == b"'<f4").expect("the header says its type");
        for kind in ["f2", "f8", "i4"] {
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
        fn damaged_bytes_never_panic(cut in 0usize..160, at in 0usize..160, value: u8) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("set.npy");
            sample(&path);
            let mut bytes = std::fs::read(&path).unwrap();
            let at = at % bytes.len();
            bytes[at] = value;
            bytes.truncate(bytes.len().saturating_sub(cut));
            std::fs::write(&path, &bytes).unwrap();
            let _ = read(&path);
        }
    }
}
