use std::path::Path;

use anyhow::Result;
use mrl_retrieve::{Index, Info};

use crate::{args::InfoArgs, progress::answer};

pub(super) fn info(args: &InfoArgs) -> Result<()> {
    let index = Index::open(&args.index)?;
    if args.verify {
        index.verify()?;
    }
    let info = index.info();
    if args.json {
        answer(&serde_json::to_string_pretty(&info)?);
    } else {
        answer(&describe(&args.index, &info, args.verify));
    }
    Ok(())
}

fn describe(path: &Path, info: &Info, verified: bool) -> String {
    let list = |dims: &[usize]| dims.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let shortlist = match (info.shortlist_dtype, info.rotated) {
        (None, _) => "by the vectors' own prefixes".to_owned(),
        (Some(dtype), false) => format!("by prefixes in {dtype}"),
        (Some(dtype), true) => format!("by principal components in {dtype}"),
    };
    let segments = match info.segments {
        1 => "1 segment".to_owned(),
        several => format!("{several} segments"),
    };
    let mut lines = vec![
        ("vectors", format!("{} of {} numbers, {}", info.rows, info.width, info.metric)),
        ("prefixes", list(&info.dims)),
        ("shortlists", shortlist),
        ("schedule", info.schedule.as_ref().map_or_else(|| "exact".to_owned(), ToString::to_string)),
        ("ids", info.ids.to_string() + if info.labels { ", with labels" } else { "" }),
        ("file", format!("{:.1} MiB, {segments}", info.bytes as f64 / 1_048_576.0)),
    ];
    if info.roots < 2 {
        lines.push((
            "damaged",
            "one of the two heads, or left behind by a crash; the other serves, and the next change repairs it".to_owned(),
        ));
    }
    if let Some(dim) = info.graph {
        lines.push(("graph", format!("on {dim} dims")));
    }
    if info.removed > 0 {
        lines.push(("removed", format!("{}; `mrl index compact` frees their room", info.removed)));
    }
    let trained =
        info.nesting.as_deref().map(|dims| format!(", trained at {}", list(dims))).unwrap_or_default();
    if let Some(encoder) = &info.metadata.encoder {
        let folded = info.metadata.fold.as_ref().map(|fold| format!(", folded: {fold}")).unwrap_or_default();
        lines.push(("encoder", format!("{encoder}{folded}{trained}")));
    }
    if let Some(dataset) = &info.metadata.dataset {
        lines.push(("of", dataset.clone()));
    }
    if verified {
        let but = if info.roots < 2 { " but that head" } else { "" };
        lines.push(("verified", format!("every part{but} is what was written")));
    }
    let lines = lines.iter().map(|(name, value)| format!("{name:>10}  {value}"));
    std::iter::once(path.display().to_string()).chain(lines).collect::<Vec<_>>().join("\n")
}
