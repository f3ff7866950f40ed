//! Vectors, labels, and the tensors of encoders, checkpoints and adapters.

use mrl_embedding::{EmbeddingSet, Labels, read_signed};
use mrl_retrieve::BuildOptions;
use mrl_vectors::{ReadOptions, Vectors};

use crate::with_file;

fn use_set(set: &EmbeddingSet) {
    assert_eq!(set.embeddings().len(), set.len() * set.width());
    assert!(set.labels().is_none_or(|labels| labels.len() == set.len()));
    assert!(set.ids().is_none_or(|ids| ids.len() == set.len()));
    let _ = set.not_finite();
    let _ = set.metadata.entries();
}

fn read(bytes: &[u8], options: &ReadOptions) {
    with_file("vectors", bytes, |path| {
        let Ok(vectors) = Vectors::open(path, options, &mut |_| {}) else { return };
        if let Vectors::Parquet(parquet) = &vectors {
            let _ = BuildOptions::default().build(parquet, path.with_extension("index"));
        }
        if let Ok(set) = vectors.into_set() {
            use_set(&set);
            let back = path.with_extension("back");
            set.write(&back).expect("what was read can be written");
            let again = EmbeddingSet::read(&back).expect("what was written can be read");
            assert_eq!((again.len(), again.labels()), (set.len(), set.labels()));
        }
    });
}

pub(crate) fn vectors(bytes: &[u8]) {
    read(bytes, &ReadOptions::default());
}

/// The first byte chooses the columns.
pub(crate) fn parquet(bytes: &[u8]) {
    let Some((&choice, bytes)) = bytes.split_first() else { return };
    let name = |bit: u8, name: &str| (choice & bit != 0).then(|| name.to_owned());
    read(
        bytes,
        &ReadOptions {
            column: name(1, "vector"),
            id_column: name(2, "name"),
            label_column: if choice & 4 != 0 { name(8, "name") } else { name(8, "label") },
            ..ReadOptions::default()
        },
    );
}

pub(crate) fn labels(bytes: &[u8]) {
    with_file("labels", bytes, |path| {
        if let Ok(labels) = Labels::read(path) {
            let count = labels.len();
            let (numbers, classes) = labels.numbered(&["b".to_owned()]);
            assert_eq!(numbers.len(), count);
            if let Some(classes) = classes {
                assert!(numbers.iter().all(|&number| (number as usize) < classes.len()));
            }
        }
    });
}

pub(crate) fn tensor_file(bytes: &[u8]) {
    if let Ok((tensors, entries)) = read_signed(bytes) {
        for (_, view) in tensors.iter() {
            let numbers: usize = view.shape().iter().product();
            assert_eq!(numbers * view.dtype().bitsize() / 8, view.data().len());
        }
        if let Some(config) = entries.get("config") {
            let _ = mrl_config::parse_run_config(config);
        }
    }
}
