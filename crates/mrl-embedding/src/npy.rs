//! The `.npy` form: the embeddings alone, f32 `[n, d]` in C order, as numpy reads and writes them.

use std::{fs::File, io::BufReader, path::Path};

use npyz::{NpyFile, Order, WriterBuilder};

use crate::{EmbeddingSet, Error, write_atomically};

pub(crate) fn is_npy(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("npy"))
}

pub(crate) fn read(path: &Path) -> Result<EmbeddingSet, Error> {
    let file = File::open(path).map_err(Error::io(path))?;
    let size = file.metadata().map_err(Error::io(path))?.len();
    let damaged = |problem: String| Error::damaged(path, problem);
    let npy = NpyFile::new(BufReader::new(file))
        .map_err(|error| damaged(format!("is not a .npy file ({error})")))?;
    let &[n, d] = npy.shape() else {
        return Err(damaged(format!("has shape {:?}; embeddings are a matrix [n, d]", npy.shape())));
    };
    if npy.order() != Order::C {
        return Err(damaged("is in Fortran order; save it with numpy.ascontiguousarray".into()));
    }
    // Checked before anything is allocated: a damaged header may claim any number of rows.
    if n.checked_mul(d).and_then(|values| values.checked_mul(4)).is_none_or(|bytes| bytes > size) {
        return Err(damaged(format!("says it holds {n} x {d} numbers, more than the file has; it was cut")));
    }
    let values = npy.into_vec::<f32>().map_err(|error| {
        damaged(format!("does not hold whole float32 rows ({error}); save it with astype(numpy.float32)"))
    })?;
    EmbeddingSet::new(values, d as usize).map_err(|error| damaged(error.to_string()))
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
