use mrl_linalg::vectorised;

use super::planes::LANES;

/// Where along one axis each output pixel comes from, with fixed-point weights: those of `fast_image_resize`, which are
/// Pillow's with 16 bits instead of 22. Some taps reach beyond the inputs, with weight 0.
#[derive(Default)]
pub(super) struct Taps {
    /// The first input of each output, padded to whole `LANES`.
    pub(super) starts: Vec<usize>,
    /// `[taps, outputs]`, an even number of taps, padded likewise, in units of `1 / 2^precision`.
    pub(super) weights: Vec<i32>,
    pub(super) precision: u32,
    /// The weights before they are rounded.
    shares: Vec<f64>,
}

/// Bits of a weight without its sign, and of the fraction at most, so that a sum of levels fits into 32.
const WEIGHT_BITS: u32 = 15;
const MOST_PRECISION: u32 = 21;

impl Taps {
    /// The taps of a triangle over `inputs` for `outputs` pixels, no narrower than an input pixel on either side;
    /// `mirrored`, the first output is the last.
    pub(super) fn set(&mut self, inputs: usize, outputs: usize, mirrored: bool) {
        vectorised(
            #[inline(always)]
            || self.fill(inputs, outputs, mirrored),
        );
        let padded = self.starts.len();
        let used = self.weights.iter().rposition(|&weight| weight != 0).map_or(1, |last| last / padded + 1);
        self.weights.truncate(used.next_multiple_of(2) * padded);
    }

    /// The most taps of an output, made even.
    pub(super) fn count(&self) -> usize {
        self.weights.len() / self.starts.len()
    }

    #[inline(always)]
    fn fill(&mut self, inputs: usize, outputs: usize, mirrored: bool) {
        let scale = inputs as f64 / outputs as f64;
        let radius = scale.max(1.0);
        let per_radius = 1.0 / radius;
        let padded = outputs.next_multiple_of(LANES);
        self.starts.clear();
        self.starts.resize(padded, 0);
        self.shares.clear();
        self.shares.resize((2 * radius.ceil() as usize + 2) * padded, 0.0);
        let mut largest = 0.0f64;
        for output in 0..outputs {
            let centre = (output as f64 + 0.5) * scale;
            let end = ((centre + radius).ceil() as usize).min(inputs);
            let weight = |input: usize| (1.0 - ((input as f64 - (centre - 0.5)) * per_radius).abs()).max(0.0);
            let mut start = (centre - radius).max(0.0) as usize;
            while weight(start) == 0.0 {
                start += 1;
            }
            let sum: f64 = (start..end).map(weight).sum();
            let place = if mirrored { outputs - 1 - output } else { output };
            self.starts[place] = start;
            for (input, shares) in (start..end).zip(self.shares.chunks_exact_mut(padded)) {
                shares[place] = weight(input) / sum;
                largest = largest.max(shares[place]);
            }
        }
        self.precision = precision(largest);
        let unit = f64::from(1 << self.precision);
        self.weights.clear();
        self.weights.extend(self.shares.iter().map(|share| (share * unit).round() as i32));
    }
}

/// The most bits after the point with which `largest` fits into 16 bits.
fn precision(largest: f64) -> u32 {
    let fits = |bits: u32| (largest * f64::from(1 << bits)).round() < f64::from(1 << WEIGHT_BITS);
    (0..MOST_PRECISION).take_while(|bits| fits(bits + 1)).count() as u32
}
