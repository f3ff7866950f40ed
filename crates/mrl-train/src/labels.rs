//! The labels of a supervised run.

use mrl_data::ImageSet;
use tch::{Device, Tensor};

use crate::{Config, Objective, TrainError, device::upload};

impl Config {
    /// Takes the number of classes from `images`, where the objective needs labels and does not say how many there are.
    ///
    /// # Errors
    /// When it needs labels and the images have none, or some that are no class.
    pub fn with_labels_of(mut self, images: &ImageSet) -> Result<Self, TrainError> {
        let Objective::Supervised(supervised) = &mut self.objective.loss else { return Ok(self) };
        let named = images.class_names().map(<[String]>::len).or(images.kind().classes());
        supervised.classes = supervised.classes.or(named);
        check_labels(&self, images)?;
        Ok(self)
    }
}

/// Whether every image has a label that is a class, if the objective needs labels.
pub(crate) fn check_labels(config: &Config, images: &ImageSet) -> Result<(), TrainError> {
    let Objective::Supervised(supervised) = &config.objective.loss else { return Ok(()) };
    let refused = |problem: String| {
        Err(TrainError::Config(format!(
            "the objective supervised needs a label for each image, and {} {problem}",
            images.name()
        )))
    };
    let Some(labels) = images.labels() else {
        return refused(
            "has none; use images in a subfolder for each class, or an objective without labels".to_owned(),
        );
    };
    let classes = supervised.classes.unwrap_or_default() as i64;
    let stray = labels.iter().enumerate().find(|(_, label)| !(0..classes).contains(*label));
    match stray {
        None => Ok(()),
        Some((image, label)) => {
            refused(format!("has label {label} for image {image}; there are {classes} classes, from 0"))
        }
    }
}

/// Those of `labels` at `indices`, `[n]`, i64.
pub(crate) fn labels_of(labels: &[i64], indices: &[usize], device: Device) -> Tensor {
    let labels: Vec<i64> = indices.iter().map(|&index| labels[index]).collect();
    upload(&Tensor::from_slice(&labels), device)
}

#[cfg(test)]
mod tests {
    use mrl_data::{DatasetKind, Split};

    use super::*;

    fn images(kind: DatasetKind, labels: Option<&[i64]>) -> ImageSet {
        let pixels = vec![0; 3 * 3];
        ImageSet::from_pixels(kind, Split::Train, (1, 1), pixels, labels.map(<[i64]>::to_vec)).unwrap()
    }

    fn supervised(classes: Option<usize>) -> Config {
        let mut config = Config::default();
        config.objective.loss = Objective::Supervised(crate::Supervised { classes });
        config
    }

    #[test]
    fn the_number_of_classes_comes_from_the_images() {
        let classes =
            |images: ImageSet, said| match supervised(said).with_labels_of(&images).unwrap().objective.loss {
                Objective::Supervised(supervised) => supervised.classes,
                other => panic!("{other}"),
            };
        let cifar = || images(DatasetKind::Cifar100, Some(&[0, 99, 3]));
        assert_eq!(classes(cifar(), None), Some(100));
        assert_eq!(classes(cifar(), Some(120)), Some(120));
        let names = ["a", "b", "c"].map(str::to_owned).to_vec();
        let folder = images(DatasetKind::Folder, Some(&[2, 0, 1])).with_class_names(Some(names));
        assert_eq!(classes(folder, None), Some(3));
    }

    #[test]
    fn images_without_labels_are_refused() {
        let message = |labels, classes| {
            let error = supervised(classes).with_labels_of(&images(DatasetKind::Mnist, labels)).unwrap_err();
            assert!(error.is_usage());
            error.to_string()
        };
        assert!(message(None, None).contains("and mnist train has none; use images in a subfolder"));
        assert!(message(Some(&[1, -1, 2]), None).contains("has label -1 for image 1; there are 10 classes"));
        assert!(message(Some(&[1, 2, 5]), Some(5)).contains("has label 5 for image 2; there are 5 classes"));
    }

    #[test]
    fn other_objectives_do_not_look_at_labels() {
        let images = images(DatasetKind::Mnist, None);
        assert_eq!(Config::default().with_labels_of(&images).unwrap(), Config::default());
    }

    #[test]
    fn a_batch_has_the_labels_of_its_images() {
        assert_eq!(labels_of(&[4, 5, 6], &[2, 0], Device::Cpu), Tensor::from_slice(&[6i64, 4]));
    }
}
