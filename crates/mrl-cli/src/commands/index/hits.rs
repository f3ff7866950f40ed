use std::{
    fmt::Write as _,
    io::{self, Write},
    path::Path,
};

use anyhow::Result;
use mrl_embedding::write_atomically;
use mrl_retrieve::{Hits, Id, Index, postgres::PostgresHits};
use serde::Serialize;

use crate::{file_name::has_extension, progress::printable};

/// Queries that a terminal shows.
const SHOWN: usize = 20;

/// Ids and scores, a row for each query, from the best.
#[derive(Serialize)]
pub(super) struct Rows {
    ids: Vec<Vec<Id>>,
    scores: Vec<Vec<f64>>,
}

impl Rows {
    /// What the `hits` of so many queries are called in `index`.
    pub(super) fn new(index: &Index, hits: &Hits, queries: usize) -> Result<Self> {
        if hits.k() == 0 {
            return Ok(Self { ids: vec![Vec::new(); queries], scores: vec![Vec::new(); queries] });
        }
        let k = hits.k();
        let name = |positions: &[usize]| positions.iter().map(|&position| index.id(position)).collect();
        let ids = hits.positions().chunks(k).map(name).collect::<Result<_, _>>()?;
        Ok(Self { ids, scores: hits.scores().chunks(k).map(<[f64]>::to_vec).collect() })
    }

    /// Those of a table.
    pub(super) fn of_table(hits: PostgresHits) -> Self {
        Self { ids: hits.ids, scores: hits.scores }
    }

    pub(super) fn queries(&self) -> usize {
        self.ids.len()
    }

    /// The fewest hits of a query, and the most: an index finds as many for each, a table need not.
    pub(super) fn hits(&self) -> (usize, usize) {
        let counts = || self.ids.iter().map(Vec::len);
        (counts().min().unwrap_or(0), counts().max().unwrap_or(0))
    }

    /// Writes a file of the format that its name says.
    pub(super) fn write(&self, path: &Path) -> Result<()> {
        let written = write_atomically(path, |file| {
            if has_extension(path, &["npy"]) {
                return self.write_npy(file);
            }
            serde_json::to_writer(&mut *file, self)?;
            file.write_all(b"\n")
        });
        written.map_err(|error| anyhow::anyhow!("{}: {error}", path.display()))
    }

    /// The first queries, as a terminal shows them.
    pub(super) fn table(&self) -> String {
        let mut text = String::new();
        for (query, (ids, scores)) in self.ids.iter().zip(&self.scores).take(SHOWN).enumerate() {
            let hit = |(id, score): (&Id, &f64)| match id {
                Id::Number(number) => format!("{number} {score:.4}"),
                Id::Name(name) => format!("{} {score:.4}", printable(name).replace('\n', "\\n")),
            };
            let hits: Vec<String> = ids.iter().zip(scores).map(hit).collect();
            let _ = writeln!(text, "{query:>6}  {}", hits.join("  "));
        }
        match self.ids.len().saturating_sub(SHOWN) {
            0 => text.trim_end().to_owned(),
            more => text + &format!("and {more} more queries; --out writes all"),
        }
    }

    /// A structured array `[queries, k]` with the fields id (u8, or text as wide as the longest) and score (f8), after NEP 1.
    fn write_npy(&self, file: &mut impl Write) -> io::Result<()> {
        let (fewest, most) = self.hits();
        if fewest < most {
            return Err(io::Error::other("queries have unequal numbers of hits; write .json"));
        }
        let longest = self.ids.iter().flatten().filter_map(name).map(|name| name.chars().count()).max();
        let kind = longest.map_or_else(|| "<u8".to_owned(), |longest| format!("<U{}", longest.max(1)));
        let shape = (self.queries(), most);
        let header = format!(
            "{{'descr': [('id', '{kind}'), ('score', '<f8')], 'fortran_order': False, 'shape': {shape:?}, }}"
        );
        // Magic, version and length take 10 bytes, the line's end one; the numbers start at a multiple of 64.
        let padded = (header.len() + 11).next_multiple_of(64) - 11;
        file.write_all(b"\x93NUMPY\x01\x00")?;
        file.write_all(&u16::try_from(padded + 1).map_err(io::Error::other)?.to_le_bytes())?;
        writeln!(file, "{header:padded$}")?;
        for (id, score) in self.ids.iter().flatten().zip(self.scores.iter().flatten()) {
            match id {
                Id::Number(number) => file.write_all(&number.to_le_bytes())?,
                Id::Name(name) => {
                    let letters = name.chars().map(u32::from).chain(std::iter::repeat(0));
                    for letter in letters.take(longest.unwrap_or(0).max(1)) {
                        file.write_all(&letter.to_le_bytes())?;
                    }
                }
            }
            file.write_all(&score.to_le_bytes())?;
        }
        Ok(())
    }
}

fn name(id: &Id) -> Option<&str> {
    match id {
        Id::Name(name) => Some(name),
        Id::Number(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hits_of_unequal_numbers_are_no_matrix() {
        let hit = |query: usize, count: usize| vec![Id::Number(query as u64); count];
        let rows = Rows { ids: vec![hit(0, 2), hit(1, 1)], scores: vec![vec![0.5; 2], vec![0.5]] };
        assert_eq!((rows.queries(), rows.hits()), (2, (1, 2)));
        let mut file = Vec::<u8>::new();
        let error = rows.write_npy(&mut file).unwrap_err().to_string();
        assert_eq!(error, "queries have unequal numbers of hits; write .json");
        assert!(file.is_empty());
    }
}
