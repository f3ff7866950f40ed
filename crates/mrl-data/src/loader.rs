use std::{
    collections::HashMap,
    num::NonZeroUsize,
    panic::{self, AssertUnwindSafe},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::{
    Augmentation, Augmentations, DataError, Image, ImageSet, Scratch, SmallViews, ViewSize, epoch_order,
    render, sampler::view_generator,
};

/// Each thread holds a batch in memory, so that their number has a limit.
const MAX_WORKERS: usize = 8;

/// Where a loader takes its images from.
pub trait ImageSource: Send + Sync + 'static {
    /// The number of images.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Image `index`.
    ///
    /// # Errors
    /// When it cannot be read.
    fn image(&self, index: usize) -> Result<Image<'_>, DataError>;
}

impl ImageSource for ImageSet {
    fn len(&self) -> usize {
        ImageSet::len(self)
    }

    fn image(&self, index: usize) -> Result<Image<'_>, DataError> {
        ImageSet::image(self, index)
    }
}

/// How batches are made.
#[derive(Clone, Debug)]
pub struct LoaderOptions {
    /// The side of a view.
    pub size: ViewSize,
    /// Views of each image that have this side. They are drawn by the first and the second augmentation in turn.
    pub views: usize,
    /// Smaller views beside them.
    pub small_views: SmallViews,
    /// Images in a batch.
    pub batch_size: usize,
    /// Order and views follow from it.
    pub seed: u64,
    /// Threads that make batches; the result does not depend on it.
    pub workers: usize,
    /// Batches that may be there beside one a thread: those, and no more, are made ahead.
    pub prefetch: usize,
}

impl Default for LoaderOptions {
    fn default() -> Self {
        // Threads sleep once enough batches are there, so that more of them cost memory alone: a batch each.
        let workers = thread::available_parallelism().map_or(1, NonZeroUsize::get).min(MAX_WORKERS);
        let small_views = SmallViews::default();
        Self { size: 32.into(), views: 2, small_views, batch_size: 256, seed: 0, workers, prefetch: 2 }
    }
}

/// Several views of a batch of images.
pub struct ViewBatch {
    /// Which images.
    pub indices: Vec<usize>,
    /// The views, small ones last.
    pub views: Vec<ViewPixels>,
}

/// One view of each image of a batch.
#[derive(Clone, Debug, PartialEq)]
pub struct ViewPixels {
    /// The side in pixels.
    pub size: usize,
    /// `[batch, size, size, 3]`, values in `[0, 1]`.
    pub pixels: Vec<f32>,
}

/// Makes batches of views, epoch after epoch.
pub struct ViewLoader<S = ImageSet> {
    maker: Arc<Maker<S>>,
    workers: usize,
    prefetch: usize,
}

/// What a worker needs.
struct Maker<S> {
    source: Arc<S>,
    /// One for each view, small ones last.
    augmentations: Vec<Augmentation>,
    options: LoaderOptions,
}

impl<S: ImageSource> ViewLoader<S> {
    /// Batches of `source`; the incomplete last batch of an epoch is dropped.
    ///
    /// # Errors
    /// When there is not one whole batch of images, or a setting is out of its range.
    pub fn new(
        source: Arc<S>,
        augmentations: Augmentations,
        options: LoaderOptions,
    ) -> Result<Self, DataError> {
        augmentations.validate()?;
        options.small_views.validate()?;
        if options.views == 0 {
            return Err(DataError::Setting("views must be 1 or more".to_owned()));
        }
        let (images, batch_size) = (source.len(), options.batch_size);
        if batch_size == 0 || batch_size > images {
            let problem = format!(
                "batch size {batch_size} does not fit the data set's {images} images; use 1 to {images}"
            );
            return Err(DataError::Setting(problem));
        }
        let (workers, prefetch) = (options.workers.max(1), options.prefetch.max(1));
        let small: Vec<Augmentation> = options.small_views.augmentations(&augmentations).collect();
        let Augmentations { first, second } = augmentations;
        let augmentations = [first, second].into_iter().cycle().take(options.views).chain(small).collect();
        Ok(Self { maker: Arc::new(Maker { source, augmentations, options }), workers, prefetch })
    }

    /// Whole batches in an epoch.
    #[must_use]
    pub fn batches_per_epoch(&self) -> usize {
        self.maker.source.len() / self.maker.options.batch_size
    }

    /// The batches from global step `first_step` on, without end. Threads fill them ahead until it is dropped.
    #[must_use]
    pub fn start(&self, first_step: u64) -> Batches {
        let ahead = self.workers + self.prefetch;
        // As many permits as batches may be there, whether being made, ready or waiting for their turn: one slow batch
        // does not let those after it fill the memory.
        let (permits, permitted) = bounded(ahead);
        for _ in 0..ahead {
            // There is room for all of them.
            let _ = permits.try_send(());
        }
        let (sender, receiver) = bounded(ahead);
        let next = Arc::new(AtomicU64::new(first_step));
        for _ in 0..self.workers {
            let (maker, next, sender) = (Arc::clone(&self.maker), Arc::clone(&next), sender.clone());
            let permitted = permitted.clone();
            thread::spawn(move || maker.work(&next, &permitted, &sender));
        }
        Batches { receiver, permits, early: HashMap::new(), step: first_step }
    }
}

impl<S: ImageSource> Maker<S> {
    /// Makes one batch for each permit until nobody listens any more.
    fn work(
        &self,
        next: &AtomicU64,
        permitted: &Receiver<()>,
        sender: &Sender<(u64, Result<ViewBatch, DataError>)>,
    ) {
        let mut scratch = Scratch::default();
        let mut order = (u64::MAX, Vec::new());
        while permitted.recv().is_ok() {
            let step = next.fetch_add(1, Ordering::Relaxed);
            // A batch that is lost to a panic would be waited for without end.
            let made = panic::catch_unwind(AssertUnwindSafe(|| self.batch(step, &mut order, &mut scratch)));
            let batch = made.unwrap_or_else(|_| Err(died()));
            if sender.send((step, batch)).is_err() {
                return;
            }
        }
    }

    /// The batch of a step; `order` remembers the order of the last epoch.
    fn batch(
        &self,
        step: u64,
        order: &mut (u64, Vec<usize>),
        scratch: &mut Scratch,
    ) -> Result<ViewBatch, DataError> {
        let _phase = tracing::info_span!("make views").entered();
        let LoaderOptions { batch_size, seed, .. } = self.options;
        let batches = (self.source.len() / batch_size) as u64;
        let (epoch, batch) = (step / batches, (step % batches) as usize);
        if order.0 != epoch {
            *order = (epoch, epoch_order(seed, epoch, self.source.len()));
        }
        let indices = order.1[batch * batch_size..][..batch_size].to_vec();
        let mut views = self.blank_views(step);
        for (place, &index) in indices.iter().enumerate() {
            let image = self.source.image(index)?;
            for (number, (view, augmentation)) in views.iter_mut().zip(&self.augmentations).enumerate() {
                let mut rng = view_generator(seed, epoch, index, number);
                let params = augmentation.sample(&mut rng, image.width(), image.height());
                let numbers = view.size * view.size * 3;
                render(&params, &image, view.size, scratch, &mut view.pixels[place * numbers..][..numbers]);
            }
        }
        Ok(ViewBatch { indices, views })
    }

    /// The views of a step before anything is drawn.
    fn blank_views(&self, step: u64) -> Vec<ViewPixels> {
        let LoaderOptions { size, views, small_views, batch_size, .. } = &self.options;
        let size = size.at(step);
        let side = |number| if number < *views { size } else { small_views.side(size) };
        let blank = |size: usize| ViewPixels { size, pixels: vec![0.0; batch_size * size * size * 3] };
        (0..self.augmentations.len()).map(side).map(blank).collect()
    }
}

fn died() -> DataError {
    DataError::Setting(
        "a thread that makes views has died, which is a fault of mrl; please report it".to_owned(),
    )
}

/// The batches of a [`ViewLoader`], in order.
pub struct Batches {
    receiver: Receiver<(u64, Result<ViewBatch, DataError>)>,
    /// Lets threads make a batch for each that was taken.
    permits: Sender<()>,
    /// Batches that were ready before their turn.
    early: HashMap<u64, Result<ViewBatch, DataError>>,
    step: u64,
}

impl Batches {
    /// Waits for the next batch; there is always one.
    ///
    /// # Errors
    /// When an image cannot be read, or a thread has died.
    pub fn next_batch(&mut self) -> Result<ViewBatch, DataError> {
        let step = self.step;
        self.step += 1;
        loop {
            if let Some(batch) = self.early.remove(&step) {
                // There is room, and threads that have died have no use for it.
                let _ = self.permits.try_send(());
                return batch;
            }
            let (ready, batch) = self.receiver.recv().map_err(|_| died())?;
            self.early.insert(ready, batch);
        }
    }
}

impl Iterator for Batches {
    type Item = Result<ViewBatch, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.next_batch())
    }
}
