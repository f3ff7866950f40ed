//! What is left after a crash in the middle of a change.

use std::{cell::RefCell, fs, io, path::Path};

use proptest::prelude::*;

use super::{SMALL, contents, name, named, set};
use crate::{
    Error, Index, Writer,
    file::{Appender, Disk},
    writer::{add, remove},
};

enum Operation {
    Write { bytes: Vec<u8>, at: usize },
    Sync,
}

/// Remembers what is asked of it.
#[derive(Default)]
struct Recorder(RefCell<Vec<Operation>>);

impl Disk for Recorder {
    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        self.0.borrow_mut().push(Operation::Write { bytes: bytes.to_vec(), at: at as usize });
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.0.borrow_mut().push(Operation::Sync);
        Ok(())
    }
}

/// The operations of adding rows, or of removing some.
fn operations(index: &Index, adds: bool) -> Result<Vec<Operation>, Error> {
    let recorder = Recorder::default();
    let appender = Appender::new(Path::new("recorded"), &recorder, index.end());
    if adds {
        add(index, &named(set(5, 8, 3), 79), appender)?;
    } else {
        remove(index, &[name(0), name(75)], appender)?;
    }
    Ok(recorder.0.into_inner())
}

fn write(file: &mut Vec<u8>, bytes: &[u8], at: usize) {
    let end = at + bytes.len();
    file.resize(file.len().max(end), 0);
    file[at..end].copy_from_slice(bytes);
}

/// A file of which `operations` were asked when the power failed: those before the last sync are done, and of the others
/// any parts, of which `parts` says the ends in `0..=1` (0: nothing was written).
fn crash(file: &mut Vec<u8>, operations: &[Operation], parts: &[f64]) {
    let synced = operations.iter().rposition(|operation| matches!(operation, Operation::Sync)).unwrap_or(0);
    for (index, operation) in operations.iter().enumerate() {
        if let Operation::Write { bytes, at } = operation {
            let part = if index < synced { 1.0 } else { parts[index % parts.len()] };
            let len = (bytes.len() as f64 * part).round() as usize;
            if len > 0 {
                write(file, &bytes[..len], *at);
            }
        }
    }
}

/// The index at `path` of which `operations` on `file` were begun, and of the unsynced ones `parts` are done.
fn crashed(path: &Path, mut file: Vec<u8>, operations: &[Operation], parts: &[f64]) -> Index {
    crash(&mut file, operations, parts);
    fs::write(path, file).unwrap();
    Index::open(path).unwrap()
}

/// How much of a write is done: nothing, all, or a part.
fn part() -> impl Strategy<Value = f64> {
    prop_oneof![Just(0.0), Just(1.0), 0.0..1.0]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(mrl_testing::scaled(300)))]

    #[test]
    fn a_crash_leaves_the_index_before_or_after(
        adds: bool,
        done in 0.0f64..=1.0,
        parts in proptest::collection::vec(part(), 7),
        rubbish in 0usize..3_000,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("index");
        fs::write(&path, &*SMALL).unwrap();
        // As an earlier crash may have left it.
        let mut file = fs::read(&path).unwrap();
        file.resize(file.len() + rubbish, 0x55);
        let before = Index::open(&path).unwrap();
        let operations = operations(&before, adds).unwrap();

        let after = contents(&crashed(&path, file.clone(), &operations, &[1.0])).unwrap();
        fs::write(&path, &file).unwrap();
        let before = contents(&Index::open(&path).unwrap()).unwrap();
        prop_assert_ne!(&before, &after);

        let done = (operations.len() as f64 * done).round() as usize;
        let index = crashed(&path, file, &operations[..done], &parts);
        index.verify().unwrap();
        let left = contents(&index).unwrap();
        let syncs = operations[..done].iter().filter(|operation| matches!(operation, Operation::Sync)).count();
        match syncs {
            0 => prop_assert_eq!(&left, &before),
            1 => prop_assert!(left == before || left == after),
            _ => prop_assert_eq!(&left, &after),
        }

        // Life goes on.
        let rows = index.positions();
        Writer::open(&path).unwrap().add(&named(set(2, 8, 4), 90)).unwrap();
        let index = Index::open(&path).unwrap();
        index.verify().unwrap();
        prop_assert_eq!(&contents(&index).unwrap().rows[..rows], &left.rows[..]);
        prop_assert_eq!(index.positions(), rows + 2);
    }

    /// Of the roots, the first (`state` 0) or the second (1) is damaged, or a writer was killed between the two, which had begun with the
    /// first (2) or the second (3).
    #[test]
    fn a_crash_where_only_one_root_is_up_to_date_loses_nothing(
        state in 0usize..4,
        done in 0.0f64..=1.0,
        parts in proptest::collection::vec(part(), 7),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("index");
        let mut file = SMALL.clone();
        if state != 2 {
            file[4096 * (state % 2) + 20] ^= 1;
        }
        fs::write(&path, &file).unwrap();
        if state >= 2 {
            let killed = operations(&Index::open(&path).unwrap(), false).unwrap();
            crash(&mut file, &killed[..killed.len() - 1], &[1.0]);
            fs::write(&path, &file).unwrap();
        }
        let index = Index::open(&path).unwrap();
        prop_assert_eq!(index.info().roots, 1);
        let before = contents(&index).unwrap();
        let operations = operations(&index, true).unwrap();
        drop(index);

        let index = crashed(&path, file.clone(), &operations, &[1.0]);
        prop_assert_eq!(index.info().roots, 2);
        let after = contents(&index).unwrap();
        drop(index);

        let done = (operations.len() as f64 * done).round() as usize;
        let index = crashed(&path, file, &operations[..done], &parts);
        index.verify().unwrap();
        let left = contents(&index).unwrap();
        prop_assert!(left == before || left == after);
    }
}
