use std::path::Path;

use super::of_rows;
use anyhow::{Context, Result};
use mrl_embedding::quoted;
use mrl_retrieve::{BuildOptions, Id, IdKind, Index, Writer};

use crate::{
    UsageError,
    args::{AddArgs, BuildArgs, RemoveArgs},
    commands::input,
    outputs::{INDEX, OutputFile},
    progress::{answer, note},
};

pub(super) fn build(args: &BuildArgs) -> Result<()> {
    let out = OutputFile { option: "--out", path: &args.out, kind: INDEX, force: args.force };
    out.check(args.input.files())?;
    let options = BuildOptions {
        metric: args.metric,
        dims: args.dims.clone(),
        rotate: args.rotate,
        shortlist_dtype: args.shortlist_dtype,
        graph: args.graph,
    };
    let replaced = Index::open(&args.out).ok().and_then(|index| index.schedule().cloned());
    let rows = input::open(&args.input, &[])?;
    let built =
        if args.force { options.build_over(&*rows, &args.out) } else { options.build(&*rows, &args.out) };
    let index = of_rows(&args.input.input, built)?;
    tell(&args.out, &index);
    if let Some(schedule) = replaced {
        note(&format!("the replaced index had the search schedule {schedule}; the new index has none"));
    }
    note(&format!("tune with: mrl index tune {}", quoted(&args.out)));
    Ok(())
}

pub(super) fn add(args: &AddArgs) -> Result<()> {
    change(&args.index, |writer| {
        let index = writer.index()?;
        let classes = index.metadata().class_names;
        let source = input::open(&args.input, classes.as_deref().unwrap_or_default())?;
        if args.input.names_labels() {
            let are_text = source.metadata().class_names.is_some();
            let are_names = index.info().labels.then_some(classes.is_some());
            input::check_form(&args.input.input, are_text, "the index", are_names)?;
        }
        of_rows(&args.input.input, writer.add(&*source))
    })
}

pub(super) fn remove(args: &RemoveArgs) -> Result<()> {
    let mut ids = args.ids.clone();
    if let Some(file) = &args.ids_from {
        let text = std::fs::read_to_string(file)
            .with_context(|| format!("{}: give a text file with an id in each line", file.display()))?;
        // Editors of Windows write a mark at the beginning.
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        ids.extend(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned));
    }
    change(&args.index, |writer| {
        let kind = writer.index()?.info().ids;
        let ids = ids.into_iter().map(|text| id(text, kind)).collect::<Result<Vec<_>>>()?;
        Ok(writer.remove(&ids)?)
    })
}

pub(super) fn compact(path: &Path) -> Result<()> {
    change(path, |writer| Ok(writer.compact()?))
}

/// Changes the index at `path`, and tells what it has become.
fn change(path: &Path, change: impl FnOnce(&mut Writer) -> Result<()>) -> Result<()> {
    let mut writer = Writer::open(path)?;
    change(&mut writer)?;
    tell(path, &writer.index()?);
    Ok(())
}

/// The id that `text` writes, in an index whose ids are of this kind.
fn id(text: String, kind: IdKind) -> Result<Id> {
    match kind {
        IdKind::Names => Ok(Id::Name(text)),
        IdKind::Numbers => {
            let number = text.parse().map_err(|_| {
                UsageError(format!("{text:?} is no id of this index; its ids are whole numbers from 0"))
            })?;
            Ok(Id::Number(number))
        }
    }
}

fn tell(path: &Path, index: &Index) {
    let info = index.info();
    let removed = match info.removed {
        0 => String::new(),
        removed => format!(", {removed} removed"),
    };
    answer(&format!("{}: {} vectors of {} numbers{removed}", path.display(), info.rows, info.width));
}
