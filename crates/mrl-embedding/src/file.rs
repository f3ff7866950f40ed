//! The safetensors form of an embedding set: `embeddings` f32 `[n, d]`, optional `labels` i64 `[n]`, optional ids as `ids` u8 (all names,
//! one after the other) and `id_ends` i64 `[n]`; [`Metadata`] as string entries of the header.
//!
//! Files of other programs may hold floats of 16 and 64 bits or whole numbers of 8 bits; their labels may be whole numbers of any type,
//! also in a column `[n, 1]`.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
    path::Path,
    sync::Arc,
};

use bytemuck::NoUninit;
use memmap2::Mmap;
use safetensors::{Dtype, SafeTensors, View};

use crate::{
    EmbeddingSet, Error, Labels, Metadata, Nesting,
    numbers::{read_integers, read_numbers, wrong_dtype},
    read_tensors,
    values::{Values, of_whole_numbers},
    write_tensors,
};

/// Reads the set whose file is mapped at `map`. `note` is called with a message where whole numbers become `f32`.
pub(crate) fn read(path: &Path, map: &Arc<Mmap>, note: &mut dyn FnMut(&str)) -> Result<EmbeddingSet, Error> {
    let values = |data: &[u8]| {
        let start = data.as_ptr() as usize - map.as_ptr() as usize;
        Values::in_map(map, start, start + data.len())
    };
    parse(path, map, values, note)
}

/// `values` makes numbers of a part of `bytes` that holds `f32`.
fn parse(
    path: &Path,
    bytes: &[u8],
    values: impl FnOnce(&[u8]) -> Values,
    note: &mut dyn FnMut(&str),
) -> Result<EmbeddingSet, Error> {
    let (tensors, entries) = read_tensors(bytes).map_err(|problem| Error::damaged(path, problem))?;
    let embeddings = tensors
        .tensor("embeddings")
        .map_err(|_| Error::damaged(path, without_embeddings(tensors.names())))?;
    let &[_, width] = embeddings.shape() else {
        return Err(Error::damaged(
            path,
            format!("`embeddings` has shape {:?}, not [n, d]; reshape it", embeddings.shape()),
        ));
    };
    let within = |error: Error| Error::damaged(path, error.to_string());
    let mut set = EmbeddingSet::of(read_numbers(path, "embeddings", &embeddings, width, values)?, width)
        .map_err(within)?;
    if let Dtype::I8 | Dtype::U8 = embeddings.dtype() {
        note(&of_whole_numbers(path));
    }
    if let Ok(labels) = tensors.tensor("labels") {
        set = set.with_labels(read_integers(path, "labels", &labels)?).map_err(within)?;
    }
    if let Some(ids) = read_ids(path, &tensors)? {
        set = set.with_ids(ids).map_err(within)?;
    }
    set.metadata = read_metadata(path, &entries)?;
    if let Some(nesting) = &set.metadata.nesting
        && nesting.width() != width
    {
        return Err(Error::damaged(
            path,
            format!("says its nesting is {nesting}, but its embeddings are {width} wide"),
        ));
    }
    Ok(set)
}

/// The labels in the file at `path`, which holds `bytes`: names where it names all classes, or else numbers.
pub(crate) fn read_labels(path: &Path, bytes: &[u8]) -> Result<Labels, Error> {
    let (tensors, entries) = read_tensors(bytes).map_err(|problem| Error::damaged(path, problem))?;
    let missing = |_| Error::damaged(path, "has no tensor `labels`; give a file that has some");
    let numbers = read_integers(path, "labels", &tensors.tensor("labels").map_err(missing)?)?;
    let classes = read_metadata(path, &entries)?.class_names.unwrap_or_default();
    let name = |&number: &i64| classes.get(usize::try_from(number).ok()?).cloned();
    let names: Option<Vec<String>> = numbers.iter().map(name).collect();
    Ok(names.map_or(Labels::Numbers(numbers), Labels::Names))
}

/// What is wrong with a file of these tensors, of which none is called `embeddings`.
fn without_embeddings(mut names: Vec<&str>) -> String {
    const SHOWN: usize = 5;
    if names.iter().any(|name| name.ends_with("conv1.weight")) {
        return "is an encoder, which holds no vectors; make some of images: mrl embed".to_owned();
    }
    names.sort_unstable();
    let more = names.len().saturating_sub(SHOWN);
    let there = names[..names.len() - more].join(", ");
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("has no tensor `embeddings`, but [{there}{more}]; give the vectors that name")
}

/// The ids, where there are some.
fn read_ids(path: &Path, tensors: &SafeTensors<'_>) -> Result<Option<Vec<String>>, Error> {
    match (tensors.tensor("ids"), tensors.tensor("id_ends")) {
        (Ok(ids), Ok(ends)) => {
            if ids.dtype() != Dtype::U8 {
                return Err(wrong_dtype(path, "ids", Dtype::U8, &ids));
            }
            if !matches!(ends.dtype(), Dtype::I64 | Dtype::U64 | Dtype::I32 | Dtype::U32) {
                return Err(wrong_dtype(path, "id_ends", Dtype::I64, &ends));
            }
            let ends = read_integers(path, "id_ends", &ends)?;
            split_ids(path, ids.data(), &ends).map(Some)
        }
        (Err(_), Err(_)) => Ok(None),
        _ => Err(Error::damaged(path, "has only one of `ids` and `id_ends`; store both")),
    }
}

fn split_ids(path: &Path, bytes: &[u8], ends: &[i64]) -> Result<Vec<String>, Error> {
    let damaged = || Error::damaged(path, "`ids` and `id_ends` do not fit each other");
    let mut start = 0;
    let mut ids = Vec::with_capacity(ends.len());
    for &end in ends {
        let end = usize::try_from(end).map_err(|_| damaged())?;
        let id = bytes.get(start..end).ok_or_else(damaged)?;
        let not_text = |_| Error::damaged(path, "has `ids` that are no UTF-8; store text");
        ids.push(std::str::from_utf8(id).map_err(not_text)?.to_owned());
        start = end;
    }
    if start == bytes.len() { Ok(ids) } else { Err(damaged()) }
}

const NESTING: &str = "nesting";
const CLASS_NAMES: &str = "class_names";

fn read_metadata(path: &Path, entries: &HashMap<String, String>) -> Result<Metadata, Error> {
    let entry = |key: &str| entries.get(key).cloned();
    let nesting = entry(NESTING)
        .map(|text| Nesting::parse(&text).map_err(|error| Error::damaged(path, error.to_string())))
        .transpose()?;
    let class_names = entry(CLASS_NAMES)
        .map(|text| {
            serde_json::from_str(&text)
                .map_err(|error| Error::damaged(path, format!("`class_names`: {error}")))
        })
        .transpose()?;
    Ok(Metadata {
        nesting,
        encoder: entry("encoder"),
        network: entry("network"),
        weights: entry("weights"),
        fold: entry("fold"),
        preprocessing: entry("preprocessing"),
        dataset: entry("dataset"),
        config: entry("config"),
        version: entry("version"),
        class_names,
    })
}

impl Metadata {
    /// What is known, as the text entries of a safetensors header.
    #[must_use]
    pub fn entries(&self) -> BTreeMap<String, String> {
        let class_names = self.class_names.as_ref().map(|names| serde_json::json!(names).to_string());
        let entries = [
            (NESTING, self.nesting.as_ref().map(ToString::to_string)),
            ("encoder", self.encoder.clone()),
            ("network", self.network.clone()),
            ("weights", self.weights.clone()),
            ("fold", self.fold.clone()),
            ("preprocessing", self.preprocessing.clone()),
            ("dataset", self.dataset.clone()),
            ("config", self.config.clone()),
            ("version", self.version.clone()),
            (CLASS_NAMES, class_names),
        ];
        entries.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
    }
}

pub(crate) fn write(set: &EmbeddingSet, path: &Path) -> Result<(), Error> {
    let (n, d) = (set.len(), set.width());
    let ids = set.ids().map(join_ids);
    let mut tensors = vec![(
        "embeddings",
        Column::new(Dtype::F32, vec![n, d], little_endian(set.embeddings(), f32::to_le_bytes)),
    )];
    if let Some(labels) = set.labels() {
        tensors.push(("labels", Column::new(Dtype::I64, vec![n], little_endian(labels, i64::to_le_bytes))));
    }
    if let Some((names, ends)) = &ids {
        tensors.push(("ids", Column::new(Dtype::U8, vec![names.len()], names.as_bytes())));
        tensors.push(("id_ends", Column::new(Dtype::I64, vec![n], little_endian(ends, i64::to_le_bytes))));
    }
    let tensors = tensors.into_iter().map(|(name, column)| (name.to_owned(), column));
    write_tensors(path, tensors, &set.metadata.entries()).map_err(Error::io(path))
}

/// All ids, one after the other, and where each ends.
fn join_ids(ids: &[String]) -> (String, Vec<i64>) {
    let ends = ids.iter().scan(0, |end, id| {
        *end += id.len() as i64;
        Some(*end)
    });
    (ids.concat(), ends.collect())
}

/// The bytes of `values`, where they lie if this machine has them in that order: a set may be larger than the memory.
fn little_endian<T: NoUninit, const N: usize>(values: &[T], to_bytes: fn(T) -> [u8; N]) -> Cow<'_, [u8]> {
    if cfg!(target_endian = "little") {
        return Cow::Borrowed(bytemuck::cast_slice(values));
    }
    values.iter().flat_map(|&value| to_bytes(value)).collect::<Vec<u8>>().into()
}

/// One tensor to be written.
struct Column<'a> {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Cow<'a, [u8]>,
}

impl<'a> Column<'a> {
    fn new(dtype: Dtype, shape: Vec<usize>, bytes: impl Into<Cow<'a, [u8]>>) -> Self {
        Self { dtype, shape, bytes: bytes.into() }
    }
}

impl View for Column<'_> {
    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.bytes)
    }

    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sample() -> EmbeddingSet {
        let mut set = EmbeddingSet::new((0..12u8).map(f32::from).collect(), 4)
            .unwrap()
            .with_labels(vec![3, -1, 0])
            .unwrap()
            .with_ids(vec!["a".into(), String::new(), "ünï".into()])
            .unwrap();
        set.metadata = Metadata {
            nesting: Some(Nesting::new([2, 4], 4).unwrap()),
            encoder: Some("resnet18".into()),
            fold: Some("principal".into()),
            class_names: Some(vec!["cat".into(), "dog".into()]),
            ..Metadata::default()
        };
        set
    }

    fn written(set: &EmbeddingSet) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("set.safetensors");
        write(set, &path).unwrap();
        std::fs::read(path).unwrap()
    }

    #[test]
    fn a_set_survives_the_file() {
        let set = sample();
        assert_eq!(parse(Path::new("set"), &written(&set), Values::copied, &mut |_| {}).unwrap(), set);
    }

    #[test]
    fn a_set_may_be_written_over_the_file_that_it_is_read_from() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("set.safetensors");
        write(&sample(), &path).unwrap();
        let mapped = EmbeddingSet::read(&path).unwrap();
        write(&EmbeddingSet::new(vec![9.0], 1).unwrap(), &path).unwrap();
        assert_eq!(mapped, sample());
        write(&mapped, &path).unwrap();
        assert_eq!(EmbeddingSet::read(&path).unwrap(), sample());
    }

    #[test]
    fn labels_are_a_list_or_a_column() {
        let read = |shape: &[usize]| {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("set.safetensors");
            let tensors = [
                ("embeddings", Column::new(Dtype::F32, vec![4, 1], vec![0u8; 16])),
                (
                    "labels",
                    Column::new(Dtype::I64, shape.to_vec(), little_endian(&[3, 1, 0, 2], i64::to_le_bytes)),
                ),
            ];
            let tensors = tensors.map(|(name, column)| (name.to_owned(), column));
            write_tensors(&path, tensors, &BTreeMap::new()).unwrap();
            EmbeddingSet::read(&path)
        };
        for shape in [&[4][..], &[4, 1]] {
            assert_eq!(read(shape).unwrap().labels().unwrap(), [3, 1, 0, 2]);
        }
        for shape in [&[1, 4][..], &[2, 2], &[4, 1, 1]] {
            let error = read(shape).unwrap_err().to_string();
            let expected =
                format!("`labels` has shape {shape:?}; store one number for each embedding, as [n]");
            assert!(error.ends_with(&expected), "{error}");
        }
    }

    #[test]
    fn floats_and_labels_of_other_sizes_are_read() {
        let numbers: Vec<f32> = (0..12u8).map(|number| f32::from(number) / 4.0 - 1.0).collect();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../goldens/sets");
        for (name, labels) in [
            ("float16-int32", [1, 0, -1]),
            ("float16-uint32", [0, 1, 2]),
            ("bfloat16-int16", [1, 0, -1]),
            ("bfloat16-uint16", [0, 1, 2]),
            ("float64-int8", [1, 0, -1]),
            ("float64-uint8", [0, 1, 2]),
            ("float32-int64", [1, 0, -1]),
            ("float32-uint64", [0, 1, 2]),
            ("float32-float64", [0, 1, 2]),
        ] {
            let set = EmbeddingSet::read(folder.join(format!("{name}.safetensors"))).unwrap();
            assert_eq!((set.embeddings(), set.width()), (&numbers[..], 4), "{name}");
            assert_eq!(set.labels().unwrap(), labels, "{name}");
        }
    }

    #[test]
    fn bytes_and_booleans_are_read() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../goldens/sets/int8-bool.safetensors");
        let mut notes = 0;
        let set = EmbeddingSet::read_noting(&path, &mut |_| notes += 1).unwrap();
        assert_eq!(set.embeddings(), (-6..6i8).map(f32::from).collect::<Vec<_>>());
        assert_eq!((set.labels().unwrap(), notes), (&[1, 0, 1][..], 1));
    }

    #[test]
    fn what_is_written_is_not_copied() {
        let bytes = little_endian(&[1.0, 2.0], f32::to_le_bytes);
        assert_eq!(matches!(bytes, Cow::Borrowed(_)), cfg!(target_endian = "little"));
        assert_eq!(bytes, [1.0f32.to_le_bytes(), 2.0f32.to_le_bytes()].concat());
    }

    #[test]
    fn ids_that_are_damaged_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("set.safetensors");
        let whole = |name: &str| -> Column<'static> {
            match name {
                "ids" => Column::new(Dtype::U8, vec![3], &b"abc"[..]),
                "id_ends" => Column::new(Dtype::I64, vec![2], little_endian(&[1, 3], i64::to_le_bytes)),
                _ => Column::new(Dtype::F32, vec![2, 1], vec![0u8; 8]),
            }
        };
        let read = |ids: Vec<(&'static str, Column<'static>)>| {
            let tensors = ids.into_iter().chain([("embeddings", whole("embeddings"))]);
            let tensors = tensors.map(|(name, column)| (name.to_owned(), column));
            write_tensors(&path, tensors, &BTreeMap::new()).unwrap();
            EmbeddingSet::read(&path).map_err(|error| error.to_string())
        };
        let both = vec![("ids", whole("ids")), ("id_ends", whole("id_ends"))];
        assert_eq!(read(both).unwrap().ids().unwrap(), ["a", "bc"]);
        let of_other_dtype = Column::new(Dtype::I8, vec![3], &b"abc"[..]);
        let too_long = Column::new(Dtype::U8, vec![4], &b"abcd"[..]);
        for (ids, problem) in [
            (vec![("ids", whole("ids"))], "has only one of `ids` and `id_ends`; store both"),
            (vec![("id_ends", whole("id_ends"))], "has only one of `ids` and `id_ends`; store both"),
            (vec![("ids", of_other_dtype), ("id_ends", whole("id_ends"))], "`ids` is I8; store it as U8"),
            (
                vec![("ids", too_long), ("id_ends", whole("id_ends"))],
                "`ids` and `id_ends` do not fit each other",
            ),
        ] {
            let error = read(ids).unwrap_err();
            assert!(error.ends_with(problem), "{error}");
        }
    }

    #[test]
    fn a_file_of_other_tensors_is_named() {
        let problem = |names: &[&str]| {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("set.safetensors");
            let tensor =
                |name: &&str| ((*name).to_owned(), Column::new(Dtype::F32, vec![1, 1], vec![0u8; 4]));
            write_tensors(&path, names.iter().map(tensor), &BTreeMap::new()).unwrap();
            EmbeddingSet::read(&path).unwrap_err().to_string().replace(&format!("{}: ", path.display()), "")
        };
        let cure = "give the vectors that name";
        let expected = format!("has no tensor `embeddings`, but [image_embeds, text_embeds]; {cure}");
        assert_eq!(problem(&["text_embeds", "image_embeds"]), expected);
        let expected = format!("has no tensor `embeddings`, but [1, 2, 3, 4, 5 and 2 more]; {cure}");
        assert_eq!(problem(&["7", "6", "5", "4", "3", "2", "1"]), expected);
        let expected = "is an encoder, which holds no vectors; make some of images: mrl embed";
        assert_eq!(problem(&["bn1.weight", "conv1.weight"]), expected);
    }

    #[test]
    fn a_cut_file_is_named() {
        let bytes = written(&sample());
        let error =
            parse(Path::new("cut.safetensors"), &bytes[..bytes.len() - 1], Values::copied, &mut |_| {})
                .unwrap_err()
                .to_string();
        assert!(error.starts_with("cut.safetensors: is not a whole safetensors file"), "{error}");
    }

    proptest! {
        #[test]
        fn damaged_bytes_never_panic(cut in 0usize..600, at in 0usize..600, value: u8) {
            let mut bytes = written(&sample());
            let at = at % bytes.len();
            bytes[at] = value;
            bytes.truncate(bytes.len().saturating_sub(cut));
            let _ = parse(Path::new("damaged"), &bytes, Values::copied, &mut |_| {});
        }
    }
}
