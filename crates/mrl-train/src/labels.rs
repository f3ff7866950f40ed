//! The labels of a supervised run.

use mrl_config::{HeadLayers, ResolvedConfig};
use mrl_data::ImageSet;
use tch::{Device, Tensor};

use crate::{TrainError, device::upload};

/// The labels of images that an objective needs labels of.
pub(crate) fn needed_labels(images: &ImageSet) -> Result<&[i64], TrainError> {
    images.labels().ok_or_else(|| {
        let problem = "has none; use images in a subfolder for each class, or an objective without labels";
        refused(images, problem)
    })
}

/// Whether every image has a label that is a class, if the objective needs labels.
pub(crate) fn check_labels(config: &ResolvedConfig, images: &ImageSet) -> Result<(), TrainError> {
    let HeadLayers::Classifier { classes } = config.model.layers else { return Ok(()) };
    let classes = classes as i64;
    let mut labels = needed_labels(images)?.iter().enumerate();
    match labels.find(|(_, label)| !(0..classes).contains(*label)) {
        None => Ok(()),
        Some((image, label)) => {
            let problem = format!("has label {label} for image {image}; there are {classes} classes, from 0");
            Err(refused(images, &problem))
        }
    }
}

fn refused(images: &ImageSet, problem: &str) -> TrainError {
    let images = images.name();
    TrainError::Usage(format!(
        "the objective supervised needs a label for each image, and {images} {problem}"
    ))
}

/// Those of `labels` at `indices`, `[n]`, i64.
pub(crate) fn labels_of(labels: &[i64], indices: &[usize], device: Device) -> Tensor {
    let labels: Vec<i64> = indices.iter().map(|&index| labels[index]).collect();
    upload(&Tensor::from_slice(&labels), device)
}

#[cfg(test)]
mod tests {
    use mrl_config::{Objective, Settings, Supervised};
    use mrl_data::{DatasetKind, Split};

    use super::*;
    use crate::resolve;

    fn images(kind: DatasetKind, labels: Option<&[i64]>) -> ImageSet {
        let pixels = vec![0; 3 * 3];
        ImageSet::from_pixels(kind, Split::Train, (1, 1), pixels, labels.map(<[i64]>::to_vec)).unwrap()
    }

    fn resolved(loss: Objective, images: &ImageSet) -> Result<ResolvedConfig, TrainError> {
        let over = Settings::parse(&format!("[objective]\nname = \"{loss}\"")).unwrap();
        let mut config = over.over(Settings::default())?.config()?;
        config.objective.loss = loss;
        resolve(config.check()?, images, 8)
    }

    fn supervised(classes: Option<usize>, images: &ImageSet) -> Result<ResolvedConfig, TrainError> {
        resolved(Objective::Supervised(Supervised { classes }), images)
    }

    #[test]
    fn the_number_of_classes_comes_from_the_images() {
        let classes = |images: ImageSet, said| match supervised(said, &images).unwrap().model.layers {
            HeadLayers::Classifier { classes } => classes,
            HeadLayers::Projector(_) => panic!("no classifier"),
        };
        let cifar = || images(DatasetKind::Cifar100, Some(&[0, 99, 3]));
        assert_eq!(classes(cifar(), None), 100);
        assert_eq!(classes(cifar(), Some(120)), 120);
        let names = ["a", "b", "c"].map(str::to_owned).to_vec();
        let folder = images(DatasetKind::Folder, Some(&[2, 0, 1])).with_class_names(Some(names));
        assert_eq!(classes(folder, None), 3);
    }

    #[test]
    fn images_without_labels_are_refused() {
        let message = |labels, classes| {
            let error = supervised(classes, &images(DatasetKind::Mnist, labels)).unwrap_err();
            assert!(error.is_usage());
            error.to_string()
        };
        assert!(message(None, None).contains("and mnist train has none; use images in a subfolder"));
        assert!(message(Some(&[1, -1, 2]), None).contains("has label -1 for image 1; there are 10 classes"));
        assert!(message(Some(&[1, 2, 5]), Some(5)).contains("has label 5 for image 2; there are 5 classes"));
    }

    #[test]
    fn other_objectives_do_not_look_at_labels() {
        resolved("relic".parse().unwrap(), &images(DatasetKind::Mnist, None)).unwrap();
    }

    #[test]
    fn a_batch_has_the_labels_of_its_images() {
        assert_eq!(labels_of(&[4, 5, 6], &[2, 0], Device::Cpu), Tensor::from_slice(&[6i64, 4]));
    }
}
