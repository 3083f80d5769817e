//! What one core can multiply at most: the measure of the kernels.

use std::hint::black_box;
use std::time::Instant;

use super::kernels::Kernels;
use super::simd::Simd;

/// Steps of a chain in one call: some tens of microseconds.
const STEPS: usize = 10_000;
/// Calls; the fastest counts.
const CALLS: usize = 200;

impl Kernels {
    /// Multiplications and additions of this thread's core that these kernels' own instruction can do in a
    /// second, counted as two each, in 10⁹: with all operands in registers.
    pub(crate) fn peak_gflops(&'static self) -> f64 {
        let _ready = self.ready(self.max_rows);
        let mut fastest = f64::INFINITY;
        let mut operations = 0;
        for _ in 0..CALLS {
            let start = Instant::now();
            // SAFETY: the kernels are of a table that this machine can run, and this thread is ready.
            operations = unsafe { (self.chain)(STEPS) };
            fastest = fastest.min(start.elapsed().as_secs_f64());
        }
        operations as f64 / fastest / 1e9
    }
}

/// `steps` times `N` independent multiply-adds; gives the number of operations.
///
/// # Safety
/// As [`Simd`].
#[inline(always)]
pub(super) unsafe fn chain<S: Simd, const N: usize>(steps: usize) -> usize {
    // SAFETY: arithmetic of `S`, which the caller may use.
    unsafe {
        let (x, y) = (S::splat(black_box(0.999)), S::splat(black_box(0.001)));
        let mut sums = [y; N];
        for _ in 0..steps {
            for sum in &mut sums {
                *sum = S::fma(x, *sum, y);
            }
        }
        let mut out = [0.0f32; 16];
        for sum in sums {
            S::store(out.as_mut_ptr(), sum);
            black_box(&out);
        }
    }
    2 * 16 * N * steps
}
