//! Folders whose pixels are cached.

use std::{
    cell::RefCell,
    fs::{self, File},
    path::{Path, PathBuf},
    sync::{Arc, Barrier},
};

use image::{Rgb, RgbImage};
use mrl_data::{
    Augmentations, DataError, DatasetKind, ImageSet, LoaderOptions, OpenOptions, Progress, Split, ViewLoader,
    open,
};
use proptest::{prelude::*, sample::Index};
use tempfile::TempDir;

use crate::files::offline;

/// The views' side; images up to twice it stay as they are.
const VIEW: usize = 8;

/// A folder of images and one for their cache.
struct World(TempDir);

impl World {
    /// Two classes of three images, from 5 × 4 to 10 × 9 pixels.
    fn new() -> Self {
        let world = Self(tempfile::tempdir().unwrap());
        for i in 0..6 {
            world.write(&format!("{}/{i}.png", ["cat", "dog"][i % 2]), 5 + i as u32, 4 + i as u32);
        }
        world
    }

    fn image(&self, name: &str) -> PathBuf {
        self.0.path().join("images").join(name)
    }

    fn cache(&self) -> PathBuf {
        self.0.path().join("cache/pixels")
    }

    fn write(&self, name: &str, width: u32, height: u32) {
        let path = self.image(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let pixel = |x, y| Rgb([(x * 31 + y * 7) as u8, (x * y) as u8, (255 - x) as u8]);
        RgbImage::from_fn(width, height, pixel).save(path).unwrap();
    }

    /// Puts other bytes into a file, of which neither size nor time of change tell.
    fn spoil(&self, name: &str) {
        let path = self.image(name);
        let metadata = fs::metadata(&path).unwrap();
        fs::write(&path, vec![b'x'; metadata.len() as usize]).unwrap();
        File::options().write(true).open(&path).unwrap().set_modified(metadata.modified().unwrap()).unwrap();
    }

    fn options(&self) -> OpenOptions {
        OpenOptions { view_size: Some(VIEW), pixel_cache: Some(self.cache()), ..offline() }
    }

    fn try_open(&self, options: &OpenOptions) -> (Result<ImageSet, DataError>, Vec<String>) {
        let events = RefCell::new(Vec::new());
        let set = open(DatasetKind::Folder, &self.image(""), Split::Train, options, &|event| {
            events.borrow_mut().push(told(event));
        });
        let mut events = events.into_inner();
        events.dedup();
        (set, events)
    }

    /// Opens with the cache, and what was told meanwhile.
    fn open(&self) -> (ImageSet, Vec<String>) {
        let (set, events) = self.try_open(&self.options());
        (set.unwrap(), events)
    }

    fn decoded(&self) -> ImageSet {
        self.try_open(&OpenOptions { pixel_cache: None, ..self.options() }).0.unwrap()
    }

    /// The files in the cache's folders, one of which there is for each request.
    fn files(&self) -> Vec<PathBuf> {
        let entries = |folder: &Path| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries(&self.cache()).flat_map(|folder| entries(&folder)).collect()
    }

    #[track_caller]
    fn file(&self) -> PathBuf {
        let files = self.files();
        assert_eq!(files.len(), 1, "{files:?}");
        files[0].clone()
    }
}

fn told(event: Progress<'_>) -> String {
    match event {
        Progress::Decode { .. } => "decode".into(),
        Progress::CacheBuilt { bytes, path } => {
            assert_eq!(bytes, fs::metadata(path).unwrap().len());
            "built".into()
        }
        Progress::CacheDamaged { problem, .. } => problem.to_owned(),
        Progress::CacheUnusable { .. } => "unusable".into(),
        other => panic!("{other:?}"),
    }
}

fn pixels(set: &ImageSet) -> Vec<(usize, usize, Vec<u8>)> {
    let images = (0..set.len()).map(|i| set.image(i).unwrap());
    images.map(|image| (image.width(), image.height(), image.pixels().to_vec())).collect()
}

#[track_caller]
fn assert_same(a: &ImageSet, b: &ImageSet) {
    assert_eq!(pixels(a), pixels(b));
    assert_eq!((a.labels(), a.ids(), a.class_names()), (b.labels(), b.ids(), b.class_names()));
    assert_eq!((a.skipped(), a.native_size()), (b.skipped(), b.native_size()));
}

#[test]
fn small_images_are_cached_bit_for_bit() {
    let world = World::new();
    let (built, events) = world.open();
    assert_eq!(events, ["decode", "built"]);
    let (mapped, events) = world.open();
    assert_eq!(events, [""; 0]);
    let originals = open(DatasetKind::Folder, &world.image(""), Split::Train, &offline(), &|_| ()).unwrap();
    for set in [built, mapped, world.decoded()] {
        assert_same(&set, &originals);
    }
}

#[test]
fn larger_images_are_shrunk_with_and_without_a_cache() {
    let world = World::new();
    world.write("cat/photo.png", 90, 40);
    world.write("dog/portrait.png", 33, 50);
    let (cached, _) = world.open();
    let size = |id: &str| {
        let index = cached.ids().unwrap().iter().position(|other| other == id).unwrap();
        let image = cached.image(index).unwrap();
        (image.width(), image.height())
    };
    assert_eq!((size("cat/photo.png"), size("dog/portrait.png")), ((36, 16), (16, 24)));
    assert_same(&cached, &world.decoded());
    let (in_files, _) = world.try_open(&OpenOptions { pixel_cache: None, cache_bytes: 0, ..world.options() });
    assert_same(&cached, &in_files.unwrap());
}

#[test]
fn a_cache_is_read_instead_of_the_images() {
    let world = World::new();
    let (built, _) = world.open();
    for id in built.ids().unwrap() {
        world.spoil(id);
    }
    let (mapped, events) = world.open();
    assert_eq!(events, [""; 0]);
    assert_same(&mapped, &built);
    // Other views, other pixels: these are not in the cache, and the images are spoilt.
    let (other, _) = world.try_open(&OpenOptions { view_size: Some(VIEW + 1), ..world.options() });
    assert!(matches!(other.unwrap_err(), DataError::TooManyCorrupt { .. }));
}

#[test]
fn every_change_of_the_files_makes_a_new_cache() {
    let world = World::new();
    world.open();
    let changes: [&dyn Fn(); 4] = [
        &|| world.write("cat/new.png", 6, 6),
        &|| fs::remove_file(world.image("cat/0.png")).unwrap(),
        &|| fs::rename(world.image("cat/2.png"), world.image("cat/two.png")).unwrap(),
        &|| {
            // The same size, another time.
            let file = File::options().write(true).open(world.image("dog/1.png")).unwrap();
            file.set_modified(std::time::UNIX_EPOCH).unwrap();
        },
    ];
    for change in changes {
        let before = world.file();
        change();
        let (set, events) = world.open();
        assert_eq!(events, ["decode", "built"]);
        assert_same(&set, &world.decoded());
        assert_ne!(world.file(), before, "the old one is removed");
    }
}

#[cfg(unix)]
#[test]
fn an_old_cache_that_is_in_use_stays() {
    let world = World::new();
    let (in_use, _) = world.open();
    let before = pixels(&in_use);
    world.write("cat/new.png", 6, 6);
    world.open();
    assert_eq!(world.files().len(), 2);
    drop(in_use);
    world.write("cat/newer.png", 6, 6);
    let (in_use, _) = world.open();
    assert_eq!(world.files().len(), 1);
    assert_eq!(before.len() + 2, in_use.len());
}

#[cfg(unix)]
#[test]
fn a_killed_build_is_cleaned_up_and_done_again() {
    let world = World::new();
    world.open();
    let built = world.file();
    fs::write(built.with_file_name(".mrl-abc123.tmp"), "half of the pixels").unwrap();
    fs::remove_file(built).unwrap();
    let (set, events) = world.open();
    assert_eq!(events, ["decode", "built"]);
    world.file();
    assert_same(&set, &world.decoded());
}

#[cfg(unix)]
#[test]
fn what_others_do_in_the_cache_is_neither_waited_for_nor_removed() {
    let world = World::new();
    fs::create_dir_all(world.cache()).unwrap();
    let other = world.cache().join(".mrl-abc123.tmp");
    fs::write(&other, "half of a file of others").unwrap();
    let locked = File::open(world.cache()).unwrap();
    locked.lock().unwrap();
    let (_, events) = world.open();
    assert_eq!(events, ["decode", "built"]);
    assert!(other.exists());
}

#[test]
fn corrupt_images_are_skipped_as_without_a_cache() {
    let world = World::new();
    for name in ["cat/0.png", "dog/5.png"] {
        fs::write(world.image(name), "text").unwrap();
    }
    let with = |max_corrupt, subset_per_class, pixel_cache| {
        let options = OpenOptions { max_corrupt, subset_per_class, pixel_cache, ..world.options() };
        world.try_open(&options).0.map_err(|error| error.to_string())
    };
    let cache = Some(world.cache());
    let refused = with(1, None, cache.clone()).unwrap_err();
    assert_eq!(refused, with(1, None, None).unwrap_err());
    assert!(refused.contains("dog/5.png") && world.files().is_empty());
    for subset in [None, Some(1), Some(2)] {
        let decoded = with(2, subset, None).unwrap();
        for _ in ["building", "reading"] {
            assert_same(&with(2, subset, cache.clone()).unwrap(), &decoded);
        }
        let limit = usize::from(subset.is_none());
        assert_eq!(with(limit, subset, cache.clone()).err(), with(limit, subset, None).err());
        assert_eq!(with(0, subset, cache.clone()).unwrap_err(), with(0, subset, None).unwrap_err());
    }
    assert_eq!(world.files().len(), 3);
}

#[test]
fn a_folder_that_cannot_be_written_costs_the_cache_alone() {
    let world = World::new();
    fs::write(world.0.path().join("cache"), "a file where the folder should be").unwrap();
    for _ in 0..2 {
        let (set, events) = world.open();
        assert_eq!(events, ["unusable", "decode"]);
        assert_same(&set, &world.decoded());
    }
}

#[cfg(unix)]
#[test]
fn a_read_only_folder_serves_what_it_has() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::new();
    let (built, _) = world.open();
    let folder = world.file().parent().unwrap().to_owned();
    let mode = |mode| fs::set_permissions(&folder, fs::Permissions::from_mode(mode)).unwrap();
    for private in [&world.cache(), &folder] {
        assert_eq!(fs::metadata(private).unwrap().permissions().mode() & 0o777, 0o700);
    }
    mode(0o500);
    let (mapped, events) = world.open();
    assert_eq!(events, [""; 0]);
    assert_same(&mapped, &built);
    let is_root = File::create(folder.join("probe")).is_ok();
    world.write("cat/new.png", 6, 6);
    let (set, events) = world.open();
    assert_eq!(events, if is_root { ["decode", "built"] } else { ["unusable", "decode"] });
    assert_same(&set, &world.decoded());
    mode(0o700);
}

#[test]
fn builders_at_once_do_not_disturb_each_other() {
    let world = World::new();
    let start = Arc::new(Barrier::new(3));
    let sets: Vec<_> = std::thread::scope(|scope| {
        let open = || {
            start.wait();
            let silent = |_: Progress<'_>| ();
            open(DatasetKind::Folder, &world.image(""), Split::Train, &world.options(), &silent).unwrap()
        };
        let threads: Vec<_> = (0..3).map(|_| scope.spawn(open)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    world.file();
    for set in sets {
        assert_same(&set, &world.decoded());
    }
}

#[test]
fn the_loader_gives_the_same_views() {
    let world = World::new();
    world.write("cat/photo.png", 90, 40);
    let views = |set: ImageSet| -> Vec<_> {
        let options = LoaderOptions {
            size: VIEW.into(),
            batch_size: 3,
            seed: 4,
            workers: 2,
            ..LoaderOptions::default()
        };
        let loader = ViewLoader::new(Arc::new(set), Augmentations::default(), options).unwrap();
        loader.start(0).take(4).map(|batch| batch.unwrap().views).collect()
    };
    assert_eq!(views(world.open().0), views(world.decoded()));
}

/// What happens to a cache.
#[derive(Clone, Debug)]
enum Damage {
    /// A bit is flipped in the header, or in the index at the end.
    Flip {
        in_header: bool,
        at: Index,
        bit: u8,
    },
    Cut(Index),
    Append(u8),
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        4 => (any::<bool>(), any::<Index>(), 0..8u8)
            .prop_map(|(in_header, at, bit)| Damage::Flip { in_header, at, bit }),
        2 => any::<Index>().prop_map(Damage::Cut),
        1 => any::<u8>().prop_map(Damage::Append),
    ]
}

impl Damage {
    fn apply_to(&self, path: &Path) {
        let mut bytes = fs::read(path).unwrap();
        let index_bytes = u64::from_le_bytes(bytes[44..52].try_into().unwrap()) as usize;
        match self {
            Self::Flip { in_header: true, at, bit } => bytes[at.index(84)] ^= 1 << bit,
            Self::Flip { in_header: false, at, bit } => {
                let from = bytes.len() - index_bytes;
                bytes[from + at.index(index_bytes)] ^= 1 << bit;
            }
            Self::Cut(at) => bytes.truncate(at.index(bytes.len())),
            Self::Append(byte) => bytes.push(*byte),
        }
        fs::write(path, bytes).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(mrl_testing::scaled(96)))]

    #[test]
    fn a_damaged_cache_is_built_again(damage in damage()) {
        let world = World::new();
        world.open();
        damage.apply_to(&world.file());
        let (set, events) = world.open();
        prop_assert_eq!(&events[1..], ["decode", "built"], "{:?}", &events);
        assert_same(&set, &world.decoded());
        let (again, events) = world.open();
        prop_assert_eq!(events, [""; 0]);
        assert_same(&again, &set);
    }
}
