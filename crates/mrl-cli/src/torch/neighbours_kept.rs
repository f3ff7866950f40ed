//! The neighbours kept by prefixes, as `mrl fold` and `mrl adapt fit` print them.

use std::fmt::Write;

use mrl_embedding::EmbeddingSet;
use mrl_eval::Searched;

/// Nearest rows that a prefix is to keep.
pub(super) const K: usize = 10;

/// For each of `dims`, the share of the [`K`] nearest rows of `whole` that prefixes of `shortened` find. Both are rows to search and queries.
pub(super) fn kept(whole: [&EmbeddingSet; 2], shortened: [&EmbeddingSet; 2], dims: &[usize]) -> Vec<f64> {
    let [whole, shortened] = [whole, shortened].map(|[database, queries]| Searched { database, queries });
    mrl_eval::neighbours_kept(whole, shortened, dims, K)
}

/// A table of shares in percent: a line for each of `lines`, whose names have room for `width` letters, and a column for each of `dims`.
pub(super) fn table(title: &str, width: usize, dims: &[usize], lines: &[(&str, &[f64])]) -> String {
    let mut text = format!("{title}\n{:<width$}", "dims");
    for dim in dims {
        let _ = write!(text, "{dim:>7}");
    }
    for (name, shares) in lines {
        let _ = write!(text, "\n{name:<width$}");
        for share in *shares {
            let _ = write!(text, "{:>7.2}", 100.0 * share);
        }
    }
    text
}
