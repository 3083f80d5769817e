//! Sixteen floats at a time, whatever the machine calls them.
//!
//! One cache line is one vector: 16 neighbouring channels of one pixel. The kernels are written once over
//! [`Simd`] and compiled once per instruction set. A kernel that keeps many vectors in registers takes a line
//! in parts of one register each.

/// The few operations on vectors of [`Simd::LANES`] floats that the kernels need.
///
/// # Safety
/// All functions may be called only on a machine that has the implementor's instruction set, and inside a
/// function compiled for it (they are inlined there). Pointers must be valid for `LANES` floats; the buffers of
/// this folder keep them at whole cache lines, but no alignment is assumed.
pub(super) trait Simd {
    /// Floats of a vector: 16, or the part of 16 that fits a register.
    const LANES: usize;
    /// `LANES` floats.
    type V: Copy;
    unsafe fn zero() -> Self::V;
    unsafe fn splat(x: f32) -> Self::V;
    unsafe fn load(from: *const f32) -> Self::V;
    unsafe fn store(to: *mut f32, v: Self::V);
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn div(a: Self::V, b: Self::V) -> Self::V;
    /// a * b + c
    unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// NaN if one of them is.
    unsafe fn max(a: Self::V, b: Self::V) -> Self::V;
    /// max(0, v), NaN if v is.
    unsafe fn relu(v: Self::V) -> Self::V;
    /// min(6, max(0, v)), NaN if v is.
    unsafe fn relu6(v: Self::V) -> Self::V;
    /// min(bound, max(-bound, v)), NaN if v is.
    unsafe fn limit(v: Self::V, bound: Self::V) -> Self::V;
    /// Asks for the line at `at`, which need not be valid, to be brought near. Does nothing by default.
    #[inline(always)]
    unsafe fn prefetch(at: *const f32) {
        let _ = at;
    }
}

/// Implements [`Simd`] for vectors made of `$n` registers of `$lanes` floats.
macro_rules! in_registers {
    ($isa:ident, $reg:ty, $n:literal, $lanes:literal, $zero:expr, $splat:path, $load:path, $store:path,
     $add:path, $sub:path, $mul:path, $div:path, $fma:path, $max:path, $relu:path, $relu6:path,
     $limit:path) => {
        impl Simd for $isa {
            const LANES: usize = $n * $lanes;
            type V = [$reg; $n];
            #[inline(always)]
            unsafe fn zero() -> Self::V {
                // SAFETY: the machine has the instructions by the contract of the trait.
                unsafe { [$zero; $n] }
            }
            #[inline(always)]
            unsafe fn splat(x: f32) -> Self::V {
                // SAFETY: the machine has the instructions by the contract of the trait.
                unsafe { [$splat(x); $n] }
            }
            #[inline(always)]
            unsafe fn load(from: *const f32) -> Self::V {
                // SAFETY: valid for the lanes, and the instructions exist, by the contract of the trait.
                unsafe {
                    let mut v = [$zero; $n];
                    let mut i = 0;
                    while i < $n {
                        v[i] = $load(from.add(i * $lanes));
                        i += 1;
                    }
                    v
                }
            }
            #[inline(always)]
            unsafe fn store(to: *mut f32, v: Self::V) {
                // SAFETY: valid for the lanes, and the instructions exist, by the contract of the trait.
                unsafe {
                    let mut i = 0;
                    while i < $n {
                        $store(to.add(i * $lanes), v[i]);
                        i += 1;
                    }
                }
            }
            in_registers!(@prefetch);
            in_registers!(@binary add, $add, $n);
            in_registers!(@binary sub, $sub, $n);
            in_registers!(@binary mul, $mul, $n);
            in_registers!(@binary div, $div, $n);
            in_registers!(@binary max, $max, $n);
            in_registers!(@binary limit, $limit, $n);
            in_registers!(@unary relu, $relu, $n);
            in_registers!(@unary relu6, $relu6, $n);
            #[inline(always)]
            unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
                // SAFETY: the machine has the instructions by the contract of the trait.
                unsafe {
                    let mut v = c;
                    let mut i = 0;
                    while i < $n {
                        v[i] = $fma(a[i], b[i], c[i]);
                        i += 1;
                    }
                    v
                }
            }
        }
    };
    (@prefetch) => {
        #[cfg(target_arch = "x86_64")]
        #[inline(always)]
        unsafe fn prefetch(at: *const f32) {
            // SAFETY: a hint, without effect for an address that is not mapped.
            unsafe { std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(at.cast()) };
        }
    };
    (@unary $name:ident, $op:path, $n:literal) => {
        #[inline(always)]
        unsafe fn $name(v: Self::V) -> Self::V {
            // SAFETY: the machine has the instructions by the contract of the trait.
            unsafe {
                let mut v = v;
                let mut i = 0;
                while i < $n {
                    v[i] = $op(v[i]);
                    i += 1;
                }
                v
            }
        }
    };
    (@binary $name:ident, $op:path, $n:literal) => {
        #[inline(always)]
        unsafe fn $name(a: Self::V, b: Self::V) -> Self::V {
            // SAFETY: the machine has the instructions by the contract of the trait.
            unsafe {
                let mut v = a;
                let mut i = 0;
                while i < $n {
                    v[i] = $op(a[i], b[i]);
                    i += 1;
                }
                v
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
pub(super) use x86::{Avx2, Avx2Half, Avx512};

#[cfg(target_arch = "x86_64")]
mod x86;

#[cfg(target_arch = "aarch64")]
pub(super) use arm::{Neon, NeonQuarter};

#[cfg(target_arch = "aarch64")]
mod arm;

mod portable;

pub(super) use portable::Portable;
