use std::{collections::BTreeMap, sync::Arc};

use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;

use crate::{DataError, Image, ImageSet, ImageSource};

/// What held-out images are drawn by: always the same, so that trainings with several seeds are judged by the same images.
const SEED: u64 = 0;

/// Some images of a set, in its order.
#[derive(Clone, Debug)]
pub struct Part {
    set: Arc<ImageSet>,
    /// Increasing.
    indices: Vec<usize>,
}

impl Part {
    /// All images of `set`.
    #[must_use]
    pub fn whole(set: Arc<ImageSet>) -> Self {
        let indices = (0..set.len()).collect();
        Self { set, indices }
    }

    /// Splits `set` into the images to train on and those to judge by: `share`, between 0 and 1, of each class, at least one
    /// and never all. Which ones follows from the labels alone. Images without a label are trained on.
    ///
    /// # Errors
    /// When no class has two images: there are no labels, or no image can be spared.
    pub fn hold_out(set: &Arc<ImageSet>, share: f64) -> Result<[Self; 2], DataError> {
        let held_out = drawn(set.labels().unwrap_or_default(), share);
        if held_out.is_empty() {
            let problem = format!(
                "{} has no class of two images or more, so none can be held out; leave --holdout out",
                set.name()
            );
            return Err(DataError::Subset(problem));
        }
        let trained = (0..set.len()).filter(|index| held_out.binary_search(index).is_err()).collect();
        Ok([trained, held_out].map(|indices| Self { set: Arc::clone(set), indices }))
    }

    /// At most `most` of its images, evenly spaced.
    #[must_use]
    pub fn evenly(&self, most: usize) -> Self {
        let (all, kept) = (self.indices.len(), most.min(self.indices.len()));
        let indices = (0..kept).map(|place| self.indices[place * all / kept]).collect();
        Self { set: Arc::clone(&self.set), indices }
    }

    /// Those of its images that have a label.
    #[must_use]
    pub fn labelled(&self) -> Self {
        let labels = self.set.labels().unwrap_or_default();
        let has_label = |&&index: &&usize| labels.get(index).is_some_and(|&label| label >= 0);
        Self { set: Arc::clone(&self.set), indices: self.indices.iter().filter(has_label).copied().collect() }
    }

    /// The label of each image, where the set has labels; −1 is an image without one.
    #[must_use]
    pub fn labels(&self) -> Option<Vec<i64>> {
        let labels = self.set.labels()?;
        Some(self.indices.iter().map(|&index| labels[index]).collect())
    }
}

impl ImageSource for Part {
    fn len(&self) -> usize {
        self.indices.len()
    }

    fn image(&self, index: usize) -> Result<Image<'_>, DataError> {
        self.set.image(self.indices[index])
    }
}

/// The images of each class to hold out, increasing.
fn drawn(labels: &[i64], share: f64) -> Vec<usize> {
    let mut classes = BTreeMap::<i64, Vec<usize>>::new();
    for (index, &label) in labels.iter().enumerate().filter(|&(_, &label)| label >= 0) {
        classes.entry(label).or_default().push(index);
    }
    let mut held_out = Vec::new();
    for (label, mut images) in classes.into_iter().filter(|(_, images)| images.len() > 1) {
        let mut rng = ChaCha8Rng::seed_from_u64(SEED);
        rng.set_stream(label as u64);
        images.shuffle(&mut rng);
        let count = ((share * images.len() as f64).round() as usize).clamp(1, images.len() - 1);
        held_out.extend_from_slice(&images[..count]);
    }
    held_out.sort_unstable();
    held_out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DatasetKind, Split};

    fn set(labels: Option<Vec<i64>>, n: usize) -> Arc<ImageSet> {
        let pixels = (0..n).flat_map(|image| [image as u8; 3]).collect();
        Arc::new(ImageSet::from_pixels(DatasetKind::Mnist, Split::Train, (1, 1), pixels, labels).unwrap())
    }

    /// The places of a part's images in the set.
    fn places(part: &Part) -> Vec<usize> {
        (0..part.len()).map(|index| part.image(index).unwrap().pixels()[0] as usize).collect()
    }

    #[test]
    fn a_share_of_each_class_is_held_out_and_the_rest_is_trained_on() {
        let labels: Vec<i64> = (0..100).map(|image| i64::from(image >= 20)).collect();
        let set = set(Some(labels), 100);
        let [trained, held_out] = Part::hold_out(&set, 0.1).unwrap();
        let (trained_places, held_out_places) = (places(&trained), places(&held_out));
        assert_eq!(held_out.labels().unwrap(), [[0; 2].as_slice(), &[1; 8]].concat());
        assert!(held_out_places.is_sorted() && trained_places.is_sorted());
        let mut all = [trained_places, held_out_places.clone()].concat();
        all.sort_unstable();
        assert_eq!(all, (0..100).collect::<Vec<_>>());
        assert_eq!(places(&Part::hold_out(&set, 0.1).unwrap()[1]), held_out_places);
        assert_ne!(held_out_places[2..], (20..28).collect::<Vec<_>>(), "not just the first ones");
        assert_eq!(places(&Part::whole(set)), (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn every_class_keeps_an_image_on_both_sides() {
        let set = set(Some(vec![0, 0, 1, 1, 1, 2]), 6);
        for share in [0.001, 0.999] {
            let [trained, held_out] = Part::hold_out(&set, share).unwrap();
            let few = if share < 0.5 { vec![0, 1] } else { vec![0, 1, 1] };
            assert_eq!(held_out.labels().unwrap(), few, "the one image of class 2 is trained on");
            assert_eq!(trained.len() + held_out.len(), 6);
        }
    }

    #[test]
    fn some_images_of_a_part_are_evenly_spaced() {
        let whole = Part::whole(set(None, 10));
        assert_eq!(places(&whole.evenly(4)), [0, 2, 5, 7]);
        assert_eq!(places(&whole.evenly(4).evenly(2)), [0, 5]);
        assert_eq!(places(&whole.evenly(99)), places(&whole));
        assert!(whole.evenly(0).is_empty());
    }

    #[test]
    fn images_without_a_label_are_trained_on() {
        let [trained, held_out] = Part::hold_out(&set(Some(vec![-1, 0, -1, 0]), 4), 0.5).unwrap();
        assert_eq!((trained.len(), held_out.labels().unwrap()), (3, vec![0]));
        assert_eq!(trained.labelled().labels().unwrap(), [0]);
        for labels in [None, Some(vec![-1, -1]), Some(vec![0, 1])] {
            let error = Part::hold_out(&set(labels, 2), 0.5).unwrap_err().to_string();
            assert!(error.starts_with("mnist train has no class of two images or more"), "{error}");
        }
    }
}
