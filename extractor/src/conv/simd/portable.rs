//! [`Simd`] without instructions of its own.

use super::Simd;

/// Plain Rust: arrays that the compiler may vectorise with whatever the build allows.
pub(in super::super) struct Portable;

/// Applies `$op` to the 16 lanes.
macro_rules! lanes {
    (|$i:ident| $op:expr) => {{
        let mut out = [0.0; 16];
        let mut $i = 0;
        while $i < 16 {
            out[$i] = $op;
            $i += 1;
        }
        out
    }};
}

impl Simd for Portable {
    const LANES: usize = 16;
    type V = [f32; 16];
    #[inline(always)]
    unsafe fn zero() -> Self::V {
        [0.0; 16]
    }
    #[inline(always)]
    unsafe fn splat(x: f32) -> Self::V {
        [x; 16]
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self::V {
        // SAFETY: valid for 16 floats by the contract of the trait.
        unsafe { from.cast::<[f32; 16]>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn store(to: *mut f32, v: Self::V) {
        // SAFETY: valid for 16 floats by the contract of the trait.
        unsafe { to.cast::<[f32; 16]>().write_unaligned(v) }
    }
    #[inline(always)]
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V {
        lanes!(|i| a[i] + b[i])
    }
    #[inline(always)]
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V {
        lanes!(|i| a[i] - b[i])
    }
    #[inline(always)]
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V {
        lanes!(|i| a[i] * b[i])
    }
    #[inline(always)]
    unsafe fn div(a: Self::V, b: Self::V) -> Self::V {
        lanes!(|i| a[i] / b[i])
    }
    /// In two roundings: without the instruction, `f32::mul_add` would be a call per lane.
    #[inline(always)]
    unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        lanes!(|i| a[i] * b[i] + c[i])
    }
    #[inline(always)]
    unsafe fn max(a: Self::V, b: Self::V) -> Self::V {
        lanes!(|i| if a[i] > b[i] || a[i].is_nan() { a[i] } else { b[i] })
    }
    #[inline(always)]
    unsafe fn relu(v: Self::V) -> Self::V {
        lanes!(|i| if v[i] < 0.0 { 0.0 } else { v[i] })
    }
    #[inline(always)]
    unsafe fn relu6(v: Self::V) -> Self::V {
        lanes!(|i| v[i].clamp(0.0, 6.0))
    }
    #[inline(always)]
    unsafe fn limit(v: Self::V, bound: Self::V) -> Self::V {
        lanes!(|i| if v[i] > bound[i] {
            bound[i]
        } else if v[i] < -bound[i] {
            -bound[i]
        } else {
            v[i]
        })
    }
}
