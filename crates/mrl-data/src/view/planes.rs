use mrl_linalg::vectorised;

/// Numbers that are treated side by side: two or four vectors of them.
pub(super) const LANES: usize = 32;

/// The levels of a view, one plane for each of red, green and blue: so neighbours in memory are treated alike, and loops
/// over them become vector instructions. What is done to pixels and levels must be `#[inline(always)]`.
#[derive(Default)]
pub(super) struct Planes(Vec<u8>);

impl Planes {
    /// Makes room for this many pixels; what they are is left open.
    pub(super) fn set_pixels(&mut self, pixels: usize) {
        self.0.resize(pixels * 3, 0);
    }

    pub(super) fn each(&self) -> [&[u8]; 3] {
        let (r, rest) = self.0.split_at(self.0.len() / 3);
        let (g, b) = rest.split_at(r.len());
        [r, g, b]
    }

    pub(super) fn each_mut(&mut self) -> [&mut [u8]; 3] {
        let pixels = self.0.len() / 3;
        let (r, rest) = self.0.split_at_mut(pixels);
        let (g, b) = rest.split_at_mut(pixels);
        [r, g, b]
    }

    pub(super) fn map_levels(&mut self, to: impl Fn(u8) -> u8 + Copy) {
        let levels = &mut self.0[..];
        vectorised(
            #[inline(always)]
            move || map_levels(levels, to),
        );
    }

    pub(super) fn map_pixels(&mut self, to: impl Fn([u8; 3]) -> [u8; 3] + Copy) {
        let [r, g, b] = self.each_mut();
        vectorised(
            #[inline(always)]
            move || map_pixels(r, g, b, to),
        );
    }

    /// The sum of a number for each pixel.
    pub(super) fn sum(&self, number: impl Fn([u8; 3]) -> u8 + Copy) -> u64 {
        let [r, g, b] = self.each();
        vectorised(
            #[inline(always)]
            move || sum(r, g, b, number),
        )
    }

    /// Levels as shares of 255, `[pixels, 3]`.
    pub(super) fn write(&self, out: &mut [f32]) {
        let [r, g, b] = self.each();
        vectorised(
            #[inline(always)]
            move || write(r, g, b, out),
        );
    }
}

// Loops of their own, for the compiler knows that slices which are arguments do not overlap.

#[inline(always)]
fn map_levels(levels: &mut [u8], to: impl Fn(u8) -> u8 + Copy) {
    for level in levels {
        *level = to(*level);
    }
}

#[inline(always)]
fn map_pixels(r: &mut [u8], g: &mut [u8], b: &mut [u8], to: impl Fn([u8; 3]) -> [u8; 3] + Copy) {
    for ((r, g), b) in r.iter_mut().zip(g).zip(b) {
        [*r, *g, *b] = to([*r, *g, *b]);
    }
}

#[inline(always)]
fn sum(r: &[u8], g: &[u8], b: &[u8], number: impl Fn([u8; 3]) -> u8 + Copy) -> u64 {
    /// So few that their sum fits into 32 bits, of which a vector holds twice as many as of 64.
    const PIXELS: usize = 1 << 16;
    let mut total = 0;
    for ((r, g), b) in r.chunks(PIXELS).zip(g.chunks(PIXELS)).zip(b.chunks(PIXELS)) {
        let numbers = r.iter().zip(g).zip(b).map(|((&r, &g), &b)| u32::from(number([r, g, b])));
        total += u64::from(numbers.sum::<u32>());
    }
    total
}

#[inline(always)]
fn write(r: &[u8], g: &[u8], b: &[u8], out: &mut [f32]) {
    for (((pixel, &r), &g), &b) in out.as_chunks_mut::<3>().0.iter_mut().zip(r).zip(g).zip(b) {
        *pixel = [f32::from(r) / 255.0, f32::from(g) / 255.0, f32::from(b) / 255.0];
    }
}
