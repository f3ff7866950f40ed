//! The loader's stream depends on seed, epoch and sample alone.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use mrl_data::{
    Augmentations, DataError, Image, ImageSource, LoaderOptions, SmallViews, ViewBatch, ViewLoader, ViewSize,
    epoch_order,
};

/// Images of a pattern each; the one called `broken` cannot be read.
struct Patterns {
    count: usize,
    broken: Option<usize>,
}

impl ImageSource for Patterns {
    fn len(&self) -> usize {
        self.count
    }

    fn image(&self, index: usize) -> Result<Image<'_>, DataError> {
        if self.broken == Some(index) {
            return Err(DataError::Setting(format!("image {index} is broken")));
        }
        let pixels: Vec<u8> = (0..12 * 10 * 3).map(|place| (place * 7 + index * 31) as u8).collect();
        Ok(Image::new(12, 10, pixels))
    }
}

fn loader(source: Patterns, workers: usize, seed: u64) -> Result<ViewLoader<Patterns>, DataError> {
    sized(source, 8.into(), workers, seed)
}

fn sized(
    source: Patterns,
    size: ViewSize,
    workers: usize,
    seed: u64,
) -> Result<ViewLoader<Patterns>, DataError> {
    let options = LoaderOptions { size, batch_size: 4, seed, workers, ..LoaderOptions::default() };
    ViewLoader::new(Arc::new(source), Augmentations::default(), options)
}

fn batches(workers: usize, seed: u64, first: u64, count: usize) -> Vec<ViewBatch> {
    let loader = loader(Patterns { count: 10, broken: None }, workers, seed).unwrap();
    loader.start(first).take(count).map(Result::unwrap).collect()
}

fn same(a: &ViewBatch, b: &ViewBatch) -> bool {
    a.indices == b.indices && a.views == b.views
}

#[test]
fn the_number_of_workers_changes_nothing() {
    let one = batches(1, 5, 0, 7);
    let three = batches(3, 5, 0, 7);
    assert!(one.iter().zip(&three).all(|(a, b)| same(a, b)));
}

#[test]
fn a_stream_can_be_taken_up_anywhere() {
    let whole = batches(1, 5, 0, 7);
    let rest = batches(2, 5, 3, 4);
    assert!(whole[3..].iter().zip(&rest).all(|(a, b)| same(a, b)));
}

#[test]
fn seeds_epochs_and_views_differ() {
    let (first, other) = (batches(1, 5, 0, 4), batches(1, 6, 0, 1));
    assert!(!same(&first[0], &other[0]));
    assert_ne!(first[0].views[0], first[0].views[1]);
    // Two whole batches of 4 make an epoch of 10; the third batch begins the next.
    assert_ne!(first[0].indices, first[2].indices);
}

#[test]
fn views_grow_at_the_same_batch_wherever_a_stream_is_taken_up() {
    let growing = || ViewSize::growing(vec![4, 8], 4, 1).unwrap();
    let stream = |first| sized(Patterns { count: 10, broken: None }, growing(), 2, 5).unwrap().start(first);
    let sizes = |first| stream(first).take(3).map(|batch| batch.unwrap().views[0].size).collect::<Vec<_>>();
    assert_eq!((sizes(0), sizes(1)), (vec![4, 4, 8], vec![4, 8, 8]));
    let (large, of_large) = (stream(2).next().unwrap().unwrap(), batches(1, 5, 2, 1));
    assert!(same(&large, &of_large[0]));
    assert_eq!(stream(1).next().unwrap().unwrap().views[0].pixels.len(), 4 * 4 * 4 * 3);
}

fn with_views(views: usize, small_views: SmallViews) -> Result<ViewLoader<Patterns>, DataError> {
    let source = Arc::new(Patterns { count: 10, broken: None });
    let options = LoaderOptions {
        size: 8.into(),
        views,
        small_views,
        batch_size: 4,
        seed: 5,
        ..LoaderOptions::default()
    };
    ViewLoader::new(source, Augmentations::default(), options)
}

#[test]
fn further_views_leave_the_first_two_as_they_are() {
    let small = SmallViews { count: 2, scale: 0.4, ..SmallViews::default() };
    let many = with_views(3, small).unwrap().start(0).next_batch().unwrap();
    let two = &batches(1, 5, 0, 1)[0];
    assert_eq!((&many.indices, &many.views[..2]), (&two.indices, &two.views[..]));
    assert_eq!(many.views.iter().map(|view| view.size).collect::<Vec<_>>(), [8, 8, 8, 3, 3]);
    for (place, view) in many.views.iter().enumerate() {
        assert_eq!(view.pixels.len(), 4 * view.size * view.size * 3);
        assert!(many.views[..place].iter().all(|earlier| earlier != view), "view {place} is another's");
    }
    let alone = with_views(1, SmallViews::default()).unwrap().start(0).next_batch().unwrap();
    assert_eq!(alone.views, two.views[..1]);
}

#[test]
fn views_out_of_range_are_refused() {
    let none = with_views(0, SmallViews::default()).err().unwrap().to_string();
    assert_eq!(none, "views must be 1 or more");
    let refused = |small| with_views(2, small).err().unwrap().to_string();
    let small = SmallViews::default();
    assert_eq!(
        refused(SmallViews { scale: 1.5, ..small.clone() }),
        "small-view-scale 1.5 must be above 0 and at most 1"
    );
    assert_eq!(
        refused(SmallViews { crop_scale: [0.5, 0.2], ..small }),
        "small-crop-scale 0.5,0.2 must be two increasing shares from 0.000001 to 1"
    );
}

#[test]
fn every_value_lies_between_0_and_1() {
    for batch in batches(1, 9, 0, 3) {
        let mut values = batch.views.iter().flat_map(|view| &view.pixels);
        assert!(values.all(|value| (0.0..=1.0).contains(value)));
    }
}

#[test]
fn an_unreadable_image_ends_in_its_error() {
    let loader = loader(Patterns { count: 4, broken: Some(2) }, 2, 0).unwrap();
    let error = loader.start(0).next().unwrap().err().unwrap();
    assert_eq!(error.to_string(), "image 2 is broken");
}

#[test]
fn a_batch_larger_than_the_set_is_refused() {
    let error = loader(Patterns { count: 3, broken: None }, 1, 0).err().unwrap();
    assert_eq!(error.to_string(), "batch size 4 does not fit the data set's 3 images; use 1 to 3");
}

/// A thousand images, of which one, the first time it is wanted, waits until it is `released`.
struct Slow {
    waits: usize,
    wanted: AtomicBool,
    released: AtomicBool,
    loaded: AtomicUsize,
}

impl ImageSource for Slow {
    fn len(&self) -> usize {
        1000
    }

    fn image(&self, index: usize) -> Result<Image<'_>, DataError> {
        self.loaded.fetch_add(1, Relaxed);
        if index == self.waits && !self.wanted.swap(true, Relaxed) {
            while !self.released.load(Relaxed) {
                thread::sleep(Duration::from_millis(1));
            }
        }
        Ok(Image::new(12, 10, vec![index as u8; 12 * 10 * 3]))
    }
}

#[test]
fn few_batches_are_made_while_a_slow_one_is_waited_for() {
    let source = Arc::new(Slow {
        waits: epoch_order(5, 0, 1000)[0],
        wanted: AtomicBool::new(false),
        released: AtomicBool::new(false),
        loaded: AtomicUsize::new(0),
    });
    let options =
        LoaderOptions { size: 8.into(), batch_size: 4, seed: 5, workers: 3, ..LoaderOptions::default() };
    let loader = ViewLoader::new(Arc::clone(&source), Augmentations::default(), options).unwrap();
    let mut batches = loader.start(0);
    let loaded = thread::scope(|scope| {
        let release = scope.spawn(|| {
            thread::sleep(Duration::from_millis(200));
            let loaded = source.loaded.load(Relaxed);
            source.released.store(true, Relaxed);
            loaded
        });
        assert_eq!(batches.next_batch().unwrap().indices[0], source.waits);
        release.join().unwrap()
    });
    assert!(loaded <= 4 * (3 + 2), "{loaded} images");
    // The others come after it, in order.
    assert_eq!(batches.next_batch().unwrap().indices[0], epoch_order(5, 0, 1000)[4]);
}
