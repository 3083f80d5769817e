//! GELU with the error function, x/2 (1 + erf(x/√2)), as Hendrycks and Gimpel define it (arXiv 1606.08415).

use super::simd::Simd;

/// Beyond this, erf(x/√2) is 1 or -1 to the last bit but one.
const BOUND: f32 = 5.5;
/// erf(x/√2) / x as a quotient of polynomials in x², lowest power first: the least greatest relative error for |x| up to
/// [`BOUND`], 1.7e-8, found by least squares with Lawson's weights in f64.
const NUMERATOR: [f32; 6] =
    [0.797_884_5, 0.066_917_144, 9.302_922e-3, 3.291_405e-4, 1.260_309_2e-5, 4.586_256_7e-8];
/// See [`NUMERATOR`].
const DENOMINATOR: [f32; 6] = [1.0, 0.250_534_6, 0.028_415_943, 1.860_626_3e-3, 7.216_58e-5, 1.199_028_7e-6];

/// Replaces `n` times 16 floats by their GELU.
///
/// # Safety
/// `at` is valid for them; and as [`Simd`].
#[inline(always)]
pub(super) unsafe fn gelu<S: Simd>(at: *mut f32, n: usize) {
    for part in 0..n * 16 / S::LANES {
        // SAFETY: one of the vectors that the caller vouches for.
        unsafe {
            let at = at.add(part * S::LANES);
            S::store(at, of_vector::<S>(S::load(at)));
        }
    }
}

/// GELU of each lane, NaN if it is.
///
/// # Safety
/// As [`Simd`].
#[inline(always)]
unsafe fn of_vector<S: Simd>(x: S::V) -> S::V {
    // SAFETY: arithmetic of `S`, which the caller may use.
    unsafe {
        let bounded = S::limit(x, S::splat(BOUND));
        let square = S::mul(bounded, bounded);
        let numerator = S::mul(bounded, polynomial::<S>(&NUMERATOR, square));
        let erf = S::div(numerator, polynomial::<S>(&DENOMINATOR, square));
        let half = S::mul(x, S::splat(0.5));
        S::fma(half, erf, half)
    }
}

/// The sum of coefficient times power, by Horner's rule.
///
/// # Safety
/// As [`Simd`].
#[inline(always)]
unsafe fn polynomial<S: Simd>(coefficients: &[f32; 6], x: S::V) -> S::V {
    // SAFETY: arithmetic of `S`, which the caller may use.
    unsafe {
        let mut sum = S::splat(coefficients[5]);
        for power in [4, 3, 2, 1, 0] {
            sum = S::fma(sum, x, S::splat(coefficients[power]));
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::super::available;

    /// libm's error function in f64.
    fn by_definition(x: f32) -> f64 {
        super::super::reference::gelu(f64::from(x))
    }

    #[test]
    fn gelu_is_what_its_definition_says() {
        let xs: Vec<f32> =
            (-8000..8000).map(|i| i as f32 * 1.3e-3).chain([1e-30, -1e-20, 90.0, 1e30]).collect();
        for kernels in available() {
            let mut ys = xs.clone();
            ys.resize(xs.len().next_multiple_of(16), 0.0);
            // SAFETY: so many floats are there; the kernels are of this machine's tables.
            unsafe { (kernels.gelu)(ys.as_mut_ptr(), ys.len() / 16) };
            for (&x, &y) in xs.iter().zip(&ys) {
                let error = (f64::from(y) - by_definition(x)).abs();
                assert!(error <= 3e-7 * f64::from(x.abs()), "{}: {y} at {x}: {error:e}", kernels.name);
            }
        }
    }

    #[test]
    fn what_is_not_finite_stays_so() {
        for kernels in available() {
            let mut ys = [0.0; 16];
            (ys[3], ys[8], ys[9]) = (f32::NAN, f32::INFINITY, -f32::NAN);
            // SAFETY: so many floats are there; the kernels are of this machine's tables.
            unsafe { (kernels.gelu)(ys.as_mut_ptr(), 1) };
            assert!(ys[3].is_nan() && ys[9].is_nan() && ys[8] == f32::INFINITY, "{}: {ys:?}", kernels.name);
            assert_eq!(ys.iter().filter(|&&y| y == 0.0).count(), 13);
        }
    }
}
