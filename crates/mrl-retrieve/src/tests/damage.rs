//! Files that are not what was written give an error or what was written, and never a panic.

use std::{fs, sync::LazyLock};

use proptest::prelude::*;

use super::{SMALL, answers, contents, set};
use crate::{
    BuildOptions, Error, Hits, Index,
    file::{Appender, RemovedEntry, Root},
};

/// What is found in the file as it was written.
static ANSWERS: LazyLock<Vec<Hits>> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index");
    fs::write(&path, &*SMALL).unwrap();
    answers(&Index::open(&path).unwrap()).unwrap()
});

/// A change of the bytes of a file.
#[derive(Clone, Debug)]
enum Mutation {
    Flip { at: usize, bit: usize },
    Overwrite { at: usize, len: usize, byte: u8 },
    Cut { at: usize },
    Extend { len: usize, byte: u8 },
    Exchange { a: usize, b: usize, len: usize },
}

impl Mutation {
    fn apply(&self, file: &mut Vec<u8>) {
        let n = file.len();
        match *self {
            Self::Flip { at, bit } => file[at % n] ^= 1 << bit,
            Self::Overwrite { at, len, byte } => {
                let at = at % n;
                file[at..n.min(at + len)].fill(byte);
            }
            Self::Cut { at } => file.truncate(at % n + 1),
            Self::Extend { len, byte } => file.resize(n + len, byte),
            Self::Exchange { a, b, len } => (0..len).for_each(|i| file.swap((a + i) % n, (b + i) % n)),
        }
    }
}

fn mutation() -> impl Strategy<Value = Mutation> {
    // In the head, where most depends on each byte, or anywhere.
    let at = || prop_oneof![0usize..60, 4096usize..4160, 0usize..1 << 20];
    prop_oneof![
        (at(), 0usize..8).prop_map(|(at, bit)| Mutation::Flip { at, bit }),
        (at(), 1usize..100, any::<u8>()).prop_map(|(at, len, byte)| Mutation::Overwrite { at, len, byte }),
        at().prop_map(|at| Mutation::Cut { at }),
        (1usize..5_000, any::<u8>()).prop_map(|(len, byte)| Mutation::Extend { len, byte }),
        (at(), at(), 1usize..100).prop_map(|(a, b, len)| Mutation::Exchange { a, b, len }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(mrl_testing::scaled(1_000)))]

    #[test]
    fn damaged_bytes_are_an_error_or_no_matter(mutations in proptest::collection::vec(mutation(), 1..4)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("index");
        fs::write(&path, &*SMALL).unwrap();
        let expected = contents(&Index::open(&path).unwrap()).unwrap();
        let mut file = SMALL.clone();
        for mutation in &mutations {
            mutation.apply(&mut file);
        }
        fs::write(&path, &file).unwrap();
        let Ok(index) = Index::open(&path) else { return Ok(()) };
        // Searched first, before anything is known to be whole.
        if let Ok(found) = answers(&index) {
            prop_assert_eq!(&found, &*ANSWERS);
        }
        let verified = index.verify();
        if let Ok(found) = contents(&index) {
            prop_assert_eq!(found, expected);
            prop_assert!(verified.is_ok());
        } else {
            prop_assert!(verified.is_err());
        }
    }

    #[test]
    fn a_list_of_parts_made_to_harm_never_panics(
        place in 0usize..400,
        number in prop_oneof![
            0u64..200,
            (0u32..64).prop_map(|bit| 1 << bit),
            (0u64..200).prop_map(|less| u64::MAX - less),
            Just(1 << 20),
        ],
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("index");
        fs::write(&path, &*SMALL).unwrap();
        with_number(&path, place, &number.to_string());
        if let Ok(index) = Index::open(&path) {
            if index.width() == 8 {
                let _ = answers(&index);
            }
            let _ = index.verify();
            let _ = contents(&index);
            let _ = index.position(&super::name(5));
        }
    }
}

/// Puts `number` in the place of one of those in the list of parts, and signs that.
fn with_number(path: &std::path::Path, place: usize, number: &str) {
    let mut file = fs::File::options().read(true).write(true).open(path).unwrap();
    let (root, _) = Root::read(path, &file).unwrap();
    let bytes = fs::read(path).unwrap();
    let text = std::str::from_utf8(&bytes[root.offset as usize..][..root.len as usize]).unwrap();
    let is_start = |&at: &usize| {
        let digit = |at: usize| text.as_bytes()[at].is_ascii_digit();
        digit(at) && (at == 0 || !digit(at - 1))
    };
    let starts: Vec<usize> = (0..text.len()).filter(is_start).collect();
    let start = starts[place % starts.len()];
    let rest = text[start..].trim_start_matches(|c: char| c.is_ascii_digit());
    let text = format!("{}{number}{rest}", &text[..start]);
    super::storage::sign(path, &mut file, text.as_bytes());
}

#[test]
fn each_kind_of_damage_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index");
    let opened = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut file = SMALL.clone();
        change(&mut file);
        fs::write(&path, file).unwrap();
        match Index::open(&path).and_then(|index| index.verify()) {
            Err(Error::Damaged { problem, .. }) => problem,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(opened(&|file| file.clear()), "is not an index; make one with `mrl index build`");
    assert_eq!(opened(&|file| file.fill(7)), "is not an index; make one with `mrl index build`");
    let heads = opened(&|file| [20, 4116].into_iter().for_each(|at| file[at] ^= 1));
    assert_eq!(heads, "both heads of the index are damaged; build it again");
    let cut = opened(&|file| file.truncate(file.len() - 1));
    assert!(cut.starts_with("is cut short: it has "), "{cut}");
    let list = opened(&|file| *file.last_mut().unwrap() ^= 1);
    assert_eq!(list, "the list of its parts is damaged; restore it or build it again");
    let part = opened(&|file| file[8192 + 5] ^= 1);
    assert_eq!(part, "bytes 8192..8448 are not those that were written; restore the file or build it again");
}

#[test]
fn removed_rows_that_cannot_be_are_an_error_before_they_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index");
    // More rows than there are, one that is not there, and fewer than the list of parts says.
    for (word, rows, counted) in [(u64::MAX, 2, 64), (1 << 5, 1, 1), (1, 2, 1)] {
        let index = BuildOptions::default().build(&set(3, 8, 1), &path).unwrap();
        let file = fs::File::options().read(true).write(true).open(&path).unwrap();
        let mut appender = Appender::new(&path, &file, index.end());
        let mut manifest = index.manifest().clone();
        let region = appender.column(&[word]).unwrap();
        manifest.segments[0].removed = Some(RemovedEntry { rows, region });
        appender.commit(&manifest, index.generation() + 1, index.roots()).unwrap();
        let index = Index::open(&path).unwrap();
        let expected = format!(
            "{}: {counted} rows of a segment of 3 are removed, not {rows}; build it again",
            path.display()
        );
        for result in [index.searcher().map(drop), index.verify()] {
            assert_eq!(result.unwrap_err().to_string(), expected);
        }
    }
}
