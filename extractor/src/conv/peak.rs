//! A loop that does nothing but multiply and add: the most that one core can do, which the kernels are measured by.

use std::hint::black_box;

use super::simd::Simd;

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
