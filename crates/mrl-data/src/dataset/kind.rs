use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, VariantNames};

/// The data sets that can be read.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Display, EnumString, VariantNames,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum DatasetKind {
    /// CIFAR-10 (Krizhevsky, 2009): 32×32, 10 classes, binary or Python layout.
    Cifar10,
    /// CIFAR-100 (Krizhevsky, 2009) with its 100 fine labels: 32×32, binary or Python layout.
    Cifar100,
    /// STL-10 (Coates, Lee, Ng, 2011): 96×96, 10 classes, 100,000 images without labels.
    Stl10,
    /// MNIST (`LeCun` et al., 1998) as IDX files: 28×28, gray.
    Mnist,
    /// Fashion-MNIST (Xiao, Rasul, Vollgraf, 2017) as IDX files: 28×28, gray.
    FashionMnist,
    /// Other gray images in MNIST's IDX files. `classes.txt` beside them may name the classes, one in each line.
    Idx,
    /// A folder of images, with a subfolder for each class or flat without labels.
    Folder,
}

/// The parts of a data set.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Display, EnumString, VariantNames,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Split {
    /// The images to train on.
    Train,
    /// The images to test on.
    Test,
    /// Images without labels.
    Unlabeled,
    /// The train split, then the unlabelled one, whose images get the label −1 as in torchvision.
    #[serde(rename = "train+unlabeled")]
    #[strum(serialize = "train+unlabeled")]
    TrainUnlabeled,
}

impl DatasetKind {
    /// The splits the data set has. A folder has those whose subfolders are there.
    #[must_use]
    pub fn splits(self) -> &'static [Split] {
        match self {
            Self::Cifar10 | Self::Cifar100 | Self::Mnist | Self::FashionMnist | Self::Idx => {
                &[Split::Train, Split::Test]
            }
            Self::Stl10 | Self::Folder => {
                &[Split::Train, Split::Test, Split::Unlabeled, Split::TrainUnlabeled]
            }
        }
    }

    /// True if the files of this data set store one gray value per pixel. Readers copy it into three equal channels.
    #[must_use]
    pub fn is_gray(self) -> bool {
        matches!(self, Self::Mnist | Self::FashionMnist | Self::Idx)
    }

    /// The number of classes, where the data set fixes it.
    #[must_use]
    pub fn classes(self) -> Option<usize> {
        match self {
            Self::Cifar10 | Self::Stl10 | Self::Mnist | Self::FashionMnist => Some(10),
            Self::Cifar100 => Some(100),
            Self::Idx | Self::Folder => None,
        }
    }
}

/// `train, test` for messages.
pub(crate) fn list(splits: &[Split]) -> String {
    splits.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_command_line() {
        assert_eq!(
            DatasetKind::VARIANTS,
            ["cifar10", "cifar100", "stl10", "mnist", "fashion-mnist", "idx", "folder"]
        );
        assert_eq!(Split::VARIANTS, ["train", "test", "unlabeled", "train+unlabeled"]);
        for &name in DatasetKind::VARIANTS {
            let kind: DatasetKind = name.parse().unwrap();
            assert_eq!(
                (kind.to_string(), serde_json::to_value(kind).unwrap()),
                (name.to_owned(), name.into())
            );
        }
        for &name in Split::VARIANTS {
            let split: Split = name.parse().unwrap();
            assert_eq!(
                (split.to_string(), serde_json::to_value(split).unwrap()),
                (name.to_owned(), name.into())
            );
        }
    }
}
