//! Indexes, and the schedules of searches.

use mrl_embedding::EmbeddingSet;
use mrl_retrieve::{Index, Schedule, Writer};

use crate::with_file;

/// Rows of an index that are read, at most: more would only take time.
const ROWS: usize = 64;

pub(crate) fn index(bytes: &[u8]) {
    with_file("index", bytes, |path| {
        let Ok(index) = Index::open(path) else { return };
        let _ = index.info();
        for position in 0..index.positions().min(ROWS) {
            if let Ok(id) = index.id(position) {
                let _ = index.position(&id);
            }
            let _ = (index.row(position), index.label(position), index.is_removed(position));
        }
        let width = index.width().min(1 << 12);
        let row = EmbeddingSet::new((0..width).map(|place| place as f32 + 0.5).collect(), width);
        let Ok(row) = row else { return };
        if let Ok(searcher) = index.searcher() {
            let stored = index.schedule().cloned();
            for schedule in stored.into_iter().chain([Schedule::exact()]) {
                let _ = searcher.search(row.embeddings(), 3, &schedule);
            }
        }
        let _ = index.verify();
        let Ok(mut writer) = Writer::open(path) else { return };
        let _ = writer.add(&row);
        if let Ok(id) = index.id(0) {
            let _ = writer.remove(&[id]);
        }
        let _ = writer.compact();
        let _ = Index::open(path).and_then(|index| index.verify());
    });
}

pub(crate) fn schedule(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(schedule) = text.parse::<Schedule>()
    {
        let again: Schedule = schedule.to_string().parse().expect("what is shown can be read");
        assert_eq!(again, schedule);
    }
}
