//! A look at image sets before training: sizes, and images that are there more than once.

use std::collections::{BTreeMap, HashMap};

use mrl_resize::Resize;
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::{DataError, ImageSet};

/// Images that are read at once, between two reports of progress.
const CHUNK: usize = 256;

/// The side of the gray picture by which near duplicates are compared.
const SIDE: usize = 16;

/// Bits of the gradient that near duplicates may differ in. Its eight bands of 8 bits cannot all differ then.
const MOST_BITS: u32 = 7;

/// The least correlation of the gray pictures of near duplicates. With both limits, 210 of CIFAR-10's test images are near duplicates of training
/// images. Of 32 of these pairs that were looked at, 28 are the same picture, some in other colours or light.
const LEAST_CORRELATION: f32 = 0.9;

/// What the images of a set are like.
#[derive(Debug)]
pub struct Look {
    /// How many images have each width and height.
    pub sizes: BTreeMap<(usize, usize), usize>,
    prints: Vec<Print>,
}

/// An image that repeats an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repeat {
    /// The image: which set, and which image of it.
    pub image: (usize, usize),
    /// The first one that it repeats.
    pub of: (usize, usize),
    /// True if both have the same pixels; otherwise they look the same, as a picture that was resized or compressed again.
    pub is_exact: bool,
}

/// By what an image is recognised.
#[derive(Debug)]
struct Print {
    /// The hash of size and pixels.
    pixels: [u8; 16],
    /// Whether each of 8 × 8 places is brighter than the one right of it (difference hash).
    gradient: u64,
    /// The picture in gray, without its mean, and of length 1; zeros if it is of one gray.
    gray: [f32; SIDE * SIDE],
}

impl Look {
    /// Looks at every image of `set`. `progress` hears how many of how many are done.
    ///
    /// # Errors
    /// When an image cannot be read.
    pub fn at(set: &ImageSet, progress: &mut dyn FnMut(usize, usize)) -> Result<Self, DataError> {
        let mut look = Self { sizes: BTreeMap::new(), prints: Vec::with_capacity(set.len()) };
        let images: Vec<usize> = (0..set.len()).collect();
        for chunk in images.chunks(CHUNK) {
            let read = |&index: &usize| {
                let image = set.image(index)?;
                Ok((
                    (image.width(), image.height()),
                    Print::of(image.pixels(), [image.width(), image.height()]),
                ))
            };
            for (size, print) in chunk.par_iter().map(read).collect::<Result<Vec<_>, DataError>>()? {
                *look.sizes.entry(size).or_default() += 1;
                look.prints.push(print);
            }
            progress(look.prints.len(), set.len());
        }
        Ok(look)
    }
}

impl Print {
    /// The print of pixels `[height, width, 3]`.
    fn of(pixels: &[u8], [width, height]: [usize; 2]) -> Self {
        let mut hash = Sha256::new();
        hash.update((width as u64).to_le_bytes());
        hash.update(pixels);
        let mut resize = Resize::default();
        let mut small = |to: [usize; 2]| {
            let mut rgb = vec![0; to[0] * to[1] * 3];
            resize.bilinear(pixels, [width, height], &mut rgb, to);
            rgb
        };
        let places = small([9, 8]);
        let brightness: Vec<u8> = places.chunks_exact(3).map(luma).collect();
        let is_brighter = |row: &[u8]| row.windows(2).map(|pair| pair[0] > pair[1]).collect::<Vec<_>>();
        let bits = brightness.chunks_exact(9).flat_map(is_brighter);
        let gray: Vec<f32> = small([SIDE, SIDE]).chunks_exact(3).map(|rgb| f32::from(luma(rgb))).collect();
        Self {
            pixels: hash.finalize()[..16].try_into().expect("a hash has 32 bytes"),
            gradient: bits.fold(0, |bits, bit| bits << 1 | u64::from(bit)),
            gray: standardised(&gray).try_into().expect("the picture has its size"),
        }
    }

    /// True of a picture of one gray, which looks like no other.
    fn is_flat(&self) -> bool {
        self.gray.iter().all(|&level| level == 0.0)
    }

    fn looks_like(&self, other: &Self) -> bool {
        (self.gradient ^ other.gradient).count_ones() <= MOST_BITS
            && self.correlation(other) >= LEAST_CORRELATION
    }

    fn correlation(&self, other: &Self) -> f32 {
        self.gray.iter().zip(&other.gray).map(|(a, b)| a * b).sum()
    }

    fn bands(&self) -> [(usize, u8); 8] {
        let bands = self.gradient.to_le_bytes();
        [0, 1, 2, 3, 4, 5, 6, 7].map(|band| (band, bands[band]))
    }
}

/// Levels without their mean, and of length 1; zeros if all are the same.
fn standardised(levels: &[f32]) -> Vec<f32> {
    let mean = levels.iter().sum::<f32>() / levels.len() as f32;
    let centred: Vec<f32> = levels.iter().map(|level| level - mean).collect();
    let length = centred.iter().map(|level| level * level).sum::<f32>().sqrt();
    // Less than one level in all: what is left is rounding.
    let scale = if length < 1.0 { 0.0 } else { 1.0 / length };
    centred.into_iter().map(|level| level * scale).collect()
}

/// How bright a pixel is (ITU-R BT.601).
fn luma(rgb: &[u8]) -> u8 {
    let [red, green, blue] = [0, 1, 2].map(|channel| u32::from(rgb[channel]));
    ((299 * red + 587 * green + 114 * blue + 500) / 1000) as u8
}

/// The images that repeat an earlier one, in the order of the sets and their images. If an image repeats several, the first is named.
#[must_use]
pub fn repeats(looks: &[Look]) -> Vec<Repeat> {
    let prints = looks.iter().enumerate();
    let prints: Vec<((usize, usize), &Print)> = prints
        .flat_map(|(set, look)| {
            look.prints.iter().enumerate().map(move |(image, print)| ((set, image), print))
        })
        .collect();
    let mut first = HashMap::new();
    let copy_of: Vec<usize> = prints
        .iter()
        .enumerate()
        .map(|(place, (_, print))| *first.entry(print.pixels).or_insert(place))
        .collect();
    let is_copy = |place: usize| copy_of[place] != place;
    let mut by_band = HashMap::<(usize, u8), Vec<usize>>::new();
    for (place, (_, print)) in
        prints.iter().enumerate().filter(|(place, (_, print))| !is_copy(*place) && !print.is_flat())
    {
        print.bands().into_iter().for_each(|band| by_band.entry(band).or_default().push(place));
    }
    let near = |place: usize| {
        let print = prints[place].1;
        let bands = print.bands().into_iter().filter_map(|band| by_band.get(&band));
        let earlier = bands.flat_map(|places| places.iter().copied().take_while(|&earlier| earlier < place));
        earlier.filter(|&earlier| print.looks_like(prints[earlier].1)).min()
    };
    let repeat = |place: usize| {
        let is_exact = is_copy(place);
        let of = if is_exact { Some(copy_of[place]) } else { near(place) };
        of.map(|of| Repeat { image: prints[place].0, of: prints[of].0, is_exact })
    };
    (0..prints.len()).into_par_iter().filter_map(repeat).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DatasetKind, Split};

    const SIZE: usize = 20;

    /// A picture of its own for each `seed`.
    fn picture(seed: usize) -> Vec<u8> {
        let wave = |place: usize, channel: usize| {
            let (x, y) = ((place % SIZE) as f64, (place / SIZE) as f64);
            let phase = seed as f64 * 1.7 + channel as f64 * 0.2;
            127.0 + 100.0 * (x * (0.2 + 0.05 * seed as f64) + phase).sin() * (y * 0.3 + phase).cos()
        };
        (0..SIZE * SIZE * 3).map(|place| wave(place / 3, place % 3) as u8).collect()
    }

    fn look(pictures: &[Vec<u8>]) -> Look {
        let set =
            ImageSet::from_pixels(DatasetKind::Mnist, Split::Train, (SIZE, SIZE), pictures.concat(), None)
                .unwrap();
        let mut done = 0;
        let look = Look::at(&set, &mut |so_far, _| done = so_far).unwrap();
        assert_eq!(done, set.len());
        look
    }

    #[test]
    fn copies_and_pictures_that_look_the_same_are_found_across_sets() {
        let brighter: Vec<u8> = picture(1)
            .iter()
            .enumerate()
            .map(|(place, &level)| level.saturating_add((place % 5) as u8))
            .collect();
        let train = look(&[picture(0), picture(1), picture(0)]);
        let test = look(&[picture(2), brighter, picture(1)]);
        assert_eq!(train.sizes, BTreeMap::from([((SIZE, SIZE), 3)]));
        let expected = [
            Repeat { image: (0, 2), of: (0, 0), is_exact: true },
            Repeat { image: (1, 1), of: (0, 1), is_exact: false },
            Repeat { image: (1, 2), of: (0, 1), is_exact: true },
        ];
        assert_eq!(repeats(&[train, test]), expected);
    }

    #[test]
    fn pictures_that_differ_are_no_repeats() {
        let inverted = picture(0).iter().map(|level| 255 - level).collect();
        let mut pictures: Vec<Vec<u8>> = (0..12).map(picture).collect();
        pictures.extend([inverted, vec![0; SIZE * SIZE * 3], vec![255; SIZE * SIZE * 3]]);
        assert_eq!(repeats(&[look(&pictures)]), []);
    }

    #[test]
    fn a_picture_is_recognised_in_another_size() {
        let mut small = vec![0; 14 * 14 * 3];
        Resize::default().bilinear(&picture(3), [SIZE, SIZE], &mut small, [14, 14]);
        let [whole, small] = [Print::of(&picture(3), [SIZE, SIZE]), Print::of(&small, [14, 14])];
        assert!(whole.looks_like(&small) && whole.pixels != small.pixels, "{}", whole.correlation(&small));
    }
}
