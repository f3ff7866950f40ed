//! The most that this machine can compute: products of bf16 and of f32 in vector registers, on all cores, without memory. What
//! share of it a step reaches is what `cargo xtask bench train` prints.
//!
//! Prints `{"bf16": GFLOP/s, "f32": GFLOP/s}`, and null for what the processor has no vector products of (AVX-512 bf16; AVX-512 or
//! AVX2 with FMA).

#![expect(clippy::print_stdout, reason = "a program for a script")]

fn main() {
    let (bf16, f32) =
        peak::gflops(if std::env::args().any(|argument| argument == "--bench") { 20 } else { 1 });
    println!("{}", serde_json::json!({ "bf16": bf16, "f32": f32 }));
}

#[cfg(not(target_arch = "x86_64"))]
mod peak {
    pub(super) fn gflops(_rounds: usize) -> (Option<f64>, Option<f64>) {
        (None, None)
    }
}

#[cfg(target_arch = "x86_64")]
mod peak {
    use std::{
        arch::x86_64::{
            __m256, __m512, __m512bh, _mm256_fmadd_ps, _mm256_set1_ps, _mm256_setzero_ps, _mm512_dpbf16_ps,
            _mm512_fmadd_ps, _mm512_set1_ps, _mm512_setzero_ps,
        },
        hint::black_box,
        thread,
        time::Instant,
    };

    /// Sums on their way at once: more than an instruction takes cycles, fewer than there are registers.
    const SUMS: usize = 16;
    /// As above, for AVX2, which has 16 registers; two hold the factors.
    const NARROW_SUMS: usize = 8;
    const LOOPS: usize = 10_000_000;

    /// The best of `rounds`.
    pub(super) fn gflops(rounds: usize) -> (Option<f64>, Option<f64>) {
        let best = |work: fn(), flop: usize| {
            let speeds = (0..rounds).map(|_| (SUMS * LOOPS * flop) as f64 * on_all_cores(work) / 1e9);
            speeds.reduce(f64::max)
        };
        let (wide, bf16) = (is_x86_feature_detected!("avx512f"), is_x86_feature_detected!("avx512bf16"));
        let narrow = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
        // SAFETY: the processor has both instruction sets.
        let bf16 = (wide && bf16).then(|| best(|| unsafe { bf16_products() }, 64)).flatten();
        let f32 = match (wide, narrow) {
            // SAFETY: the processor has AVX-512.
            (true, _) => best(|| unsafe { f32_products() }, 32),
            // SAFETY: the processor has AVX2 and FMA.
            (false, true) => best(|| unsafe { narrow_f32_products() }, 16),
            (false, false) => None,
        };
        (bf16, f32)
    }

    /// Runs of `work` in a second, all cores together.
    fn on_all_cores(work: fn()) -> f64 {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let start = Instant::now();
        thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
        threads as f64 / start.elapsed().as_secs_f64()
    }

    #[target_feature(enable = "avx512f,avx512bf16")]
    fn bf16_products() {
        // SAFETY: both are 512 bits without any that are not allowed.
        let ones: __m512bh = unsafe { std::mem::transmute(_mm512_set1_ps(1.0)) };
        let (a, b) = (black_box(ones), black_box(ones));
        let mut sums = [_mm512_setzero_ps(); SUMS];
        for _ in 0..LOOPS {
            for sum in &mut sums {
                *sum = _mm512_dpbf16_ps(*sum, a, b);
            }
        }
        black_box(sums);
    }

    #[target_feature(enable = "avx512f")]
    fn f32_products() {
        let (a, b) = (black_box(_mm512_set1_ps(1.0)), black_box(_mm512_set1_ps(0.5)));
        let mut sums: [__m512; SUMS] = [_mm512_setzero_ps(); SUMS];
        for _ in 0..LOOPS {
            for sum in &mut sums {
                *sum = _mm512_fmadd_ps(a, b, *sum);
            }
        }
        black_box(sums);
    }

    #[target_feature(enable = "avx2,fma")]
    fn narrow_f32_products() {
        let (a, b) = (black_box(_mm256_set1_ps(1.0)), black_box(_mm256_set1_ps(0.5)));
        let mut sums: [__m256; NARROW_SUMS] = [_mm256_setzero_ps(); NARROW_SUMS];
        for _ in 0..SUMS / NARROW_SUMS * LOOPS {
            for sum in &mut sums {
                *sum = _mm256_fmadd_ps(a, b, *sum);
            }
        }
        black_box(sums);
    }
}
