//! Every reader on damaged bytes: an error or images, never a panic.

use std::{fs, path::Path};

use mrl_data::{DatasetKind, OpenOptions, Split, open};
use proptest::{collection::vec, prelude::*, sample::Index};

use crate::files::*;

/// What happens to a file: bytes are overwritten, then it is cut or something is appended.
#[derive(Clone, Debug)]
struct Damage {
    overwritten: Vec<(Index, u8)>,
    cut: Option<Index>,
    appended: Vec<u8>,
}

fn damage() -> impl Strategy<Value = Damage> {
    let cut = proptest::option::of(any::<Index>());
    (vec(any::<(Index, u8)>(), 0..4), cut, vec(any::<u8>(), 0..3))
        .prop_map(|(overwritten, cut, appended)| Damage { overwritten, cut, appended })
}

impl Damage {
    /// Early bytes are hit as often as all others: headers are where the harm is.
    fn apply(&self, bytes: &mut Vec<u8>) {
        for (at, value) in &self.overwritten {
            let reach = if value % 2 == 0 { bytes.len().min(64) } else { bytes.len() };
            let at = at.index(reach);
            bytes[at] = *value;
        }
        if let Some(cut) = self.cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        bytes.extend(&self.appended);
    }

    fn apply_to(&self, path: &Path) {
        let mut bytes = fs::read(path).unwrap();
        self.apply(&mut bytes);
        fs::write(path, bytes).unwrap();
    }
}

/// Opens what may be damaged; if that works the set must be whole.
fn try_open(kind: DatasetKind, folder: &Path, split: Split) {
    let Ok(set) = open(kind, folder, split, &offline(), &|_| ()) else { return };
    let classes = kind.classes().unwrap() as i64;
    assert!(set.labels().is_none_or(|labels| labels.iter().all(|label| (-1..classes).contains(label))));
    (0..set.len()).for_each(|i| assert!(set.image(i).is_ok()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(mrl_testing::scaled(96)))]

    #[test]
    fn cifar_binary(damage in damage()) {
        let folder = tempfile::tempdir().unwrap();
        write_cifar10(folder.path());
        damage.apply_to(&folder.path().join("test_batch.bin"));
        try_open(DatasetKind::Cifar10, folder.path(), Split::Test);
    }

    #[test]
    fn cifar_python(damage in damage(), in_names: bool) {
        let folder = tempfile::tempdir().unwrap();
        for name in ["test_batch", "batches.meta"] {
            fs::copy(goldens().join("cifar-10-batches-py").join(name), folder.path().join(name)).unwrap();
        }
        damage.apply_to(&folder.path().join(if in_names { "batches.meta" } else { "test_batch" }));
        try_open(DatasetKind::Cifar10, folder.path(), Split::Test);
    }

    #[test]
    fn cifar_python_of_other_protocols(damage in damage(), split in prop_oneof![Just(Split::Train), Just(Split::Test)]) {
        let folder = tempfile::tempdir().unwrap();
        let name = split.to_string();
        fs::copy(goldens().join("cifar-100-python").join(&name), folder.path().join(&name)).unwrap();
        damage.apply_to(&folder.path().join(&name));
        try_open(DatasetKind::Cifar100, folder.path(), split);
    }

    #[test]
    fn stl10(damage in damage(), file in 0..2usize) {
        let folder = tempfile::tempdir().unwrap();
        write_stl10(folder.path());
        damage.apply_to(&folder.path().join(["train_X.bin", "train_y.bin"][file]));
        try_open(DatasetKind::Stl10, folder.path(), Split::TrainUnlabeled);
    }

    #[test]
    fn idx_plain_and_gz(damage in damage(), file in 0..2usize, zipped: bool, inside: bool) {
        let folder = tempfile::tempdir().unwrap();
        write_mnist(folder.path());
        let path = folder.path().join(["train-images-idx3-ubyte", "train-labels-idx1-ubyte"][file]);
        let mut bytes = fs::read(&path).unwrap();
        if inside {
            damage.apply(&mut bytes);
        }
        if zipped {
            bytes = gz(&bytes);
        }
        if !inside {
            damage.apply(&mut bytes);
        }
        fs::write(path, bytes).unwrap();
        try_open(DatasetKind::Mnist, folder.path(), Split::Train);
    }

    #[test]
    fn images(damage in damage(), which: Index) {
        let sources: Vec<_> = fs::read_dir(goldens().join("images")).unwrap().map(|entry| entry.unwrap().path()).collect();
        let source = &sources[which.index(sources.len())];
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(source.file_name().unwrap());
        fs::copy(source, &path).unwrap();
        damage.apply_to(&path);
        let options = OpenOptions { cache_bytes: 0, ..offline() };
        if let Ok(set) = open(DatasetKind::Folder, folder.path(), Split::Train, &options, &|_| ()) {
            let image = set.image(0).unwrap();
            prop_assert_eq!(image.pixels().len(), image.width() * image.height() * 3);
        }
    }
}
