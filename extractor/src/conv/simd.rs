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
    /// a * b + c
    unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// NaN if one of them is.
    unsafe fn max(a: Self::V, b: Self::V) -> Self::V;
    /// max(0, v), NaN if v is.
    unsafe fn relu(v: Self::V) -> Self::V;
    /// min(6, max(0, v)), NaN if v is.
    unsafe fn relu6(v: Self::V) -> Self::V;
    /// Asks for the line at `at`, which need not be valid, to be brought near. Does nothing by default.
    #[inline(always)]
    unsafe fn prefetch(at: *const f32) {
        let _ = at;
    }
}

/// Plain Rust: arrays that the compiler may vectorise with whatever the build allows.
pub(super) struct Portable;

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
        lanes!(|i| if v[i] < 0.0 {
            0.0
        } else if v[i] > 6.0 {
            6.0
        } else {
            v[i]
        })
    }
}

/// Implements [`Simd`] for vectors made of `$n` registers of `$lanes` floats.
macro_rules! in_registers {
    ($isa:ident, $reg:ty, $n:literal, $lanes:literal, $zero:expr, $splat:path, $load:path, $store:path,
     $add:path, $sub:path, $mul:path, $fma:path, $max:path, $relu:path, $relu6:path) => {
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
            in_registers!(@binary max, $max, $n);
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
mod x86 {
    use std::arch::x86_64::*;

    use super::Simd;

    /// One 512-bit register; needs `avx512f`.
    pub(in super::super) struct Avx512;
    in_registers!(
        Avx512,
        __m512,
        1,
        16,
        _mm512_setzero_ps(),
        _mm512_set1_ps,
        _mm512_loadu_ps,
        _mm512_storeu_ps,
        _mm512_add_ps,
        _mm512_sub_ps,
        _mm512_mul_ps,
        _mm512_fmadd_ps,
        max512,
        relu512,
        relu6_512
    );

    /// The instruction gives b where either is NaN; where a is, a is kept.
    ///
    /// # Safety
    /// Needs `avx512f`.
    #[inline(always)]
    unsafe fn max512(a: __m512, b: __m512) -> __m512 {
        // SAFETY: the instructions are the caller's.
        unsafe { _mm512_mask_max_ps(a, _mm512_cmp_ps_mask::<_CMP_ORD_Q>(a, a), a, b) }
    }

    /// The instruction gives its second operand where either is NaN.
    ///
    /// # Safety
    /// Needs `avx512f`.
    #[inline(always)]
    unsafe fn relu512(v: __m512) -> __m512 {
        // SAFETY: the instructions are the caller's.
        unsafe { _mm512_max_ps(_mm512_setzero_ps(), v) }
    }

    /// As [`relu512`].
    ///
    /// # Safety
    /// Needs `avx512f`.
    #[inline(always)]
    unsafe fn relu6_512(v: __m512) -> __m512 {
        // SAFETY: the instructions are the caller's.
        unsafe { _mm512_min_ps(_mm512_set1_ps(6.0), relu512(v)) }
    }

    /// Two 256-bit registers; needs `avx2` and `fma`.
    pub(in super::super) struct Avx2;
    in_registers!(
        Avx2,
        __m256,
        2,
        8,
        _mm256_setzero_ps(),
        _mm256_set1_ps,
        _mm256_loadu_ps,
        _mm256_storeu_ps,
        _mm256_add_ps,
        _mm256_sub_ps,
        _mm256_mul_ps,
        _mm256_fmadd_ps,
        max256,
        relu256,
        relu6_256
    );

    /// As [`max512`].
    ///
    /// # Safety
    /// Needs `avx2`.
    #[inline(always)]
    unsafe fn max256(a: __m256, b: __m256) -> __m256 {
        // SAFETY: the instructions are the caller's.
        unsafe { _mm256_blendv_ps(_mm256_max_ps(a, b), a, _mm256_cmp_ps::<_CMP_UNORD_Q>(a, a)) }
    }

    /// As [`relu512`].
    ///
    /// # Safety
    /// Needs `avx2`.
    #[inline(always)]
    unsafe fn relu256(v: __m256) -> __m256 {
        // SAFETY: the instructions are the caller's.
        unsafe { _mm256_max_ps(_mm256_setzero_ps(), v) }
    }

    /// As [`relu512`].
    ///
    /// # Safety
    /// Needs `avx2`.
    #[inline(always)]
    unsafe fn relu6_256(v: __m256) -> __m256 {
        // SAFETY: the instructions are the caller's.
        unsafe { _mm256_min_ps(_mm256_set1_ps(6.0), relu256(v)) }
    }

    /// One 256-bit register, the half of a line; needs `avx2` and `fma`.
    pub(in super::super) struct Avx2Half;
    in_registers!(
        Avx2Half,
        __m256,
        1,
        8,
        _mm256_setzero_ps(),
        _mm256_set1_ps,
        _mm256_loadu_ps,
        _mm256_storeu_ps,
        _mm256_add_ps,
        _mm256_sub_ps,
        _mm256_mul_ps,
        _mm256_fmadd_ps,
        max256,
        relu256,
        relu6_256
    );
}

#[cfg(target_arch = "aarch64")]
pub(super) use arm::{Neon, NeonQuarter};

#[cfg(target_arch = "aarch64")]
mod arm {
    use std::arch::aarch64::*;

    use super::Simd;

    /// Four 128-bit registers; every aarch64 has them.
    pub(in super::super) struct Neon;

    /// a * b + c, with the operands where the other instruction sets have them.
    #[inline(always)]
    unsafe fn fma(a: float32x4_t, b: float32x4_t, c: float32x4_t) -> float32x4_t {
        // SAFETY: every aarch64 has the instruction.
        unsafe { vfmaq_f32(c, a, b) }
    }

    /// This maximum is NaN where either operand is.
    ///
    /// # Safety
    /// Every aarch64 has the instructions.
    #[inline(always)]
    unsafe fn relu(v: float32x4_t) -> float32x4_t {
        // SAFETY: every aarch64 has the instructions.
        unsafe { vmaxq_f32(v, vdupq_n_f32(0.0)) }
    }

    /// As [`relu`].
    ///
    /// # Safety
    /// Every aarch64 has the instructions.
    #[inline(always)]
    unsafe fn relu6(v: float32x4_t) -> float32x4_t {
        // SAFETY: every aarch64 has the instructions.
        unsafe { vminq_f32(relu(v), vdupq_n_f32(6.0)) }
    }

    /// One 128-bit register, the quarter of a line; every aarch64 has them.
    pub(in super::super) struct NeonQuarter;
    in_registers!(
        NeonQuarter,
        float32x4_t,
        1,
        4,
        vdupq_n_f32(0.0),
        vdupq_n_f32,
        vld1q_f32,
        vst1q_f32,
        vaddq_f32,
        vsubq_f32,
        vmulq_f32,
        fma,
        vmaxq_f32,
        relu,
        relu6
    );

    in_registers!(
        Neon,
        float32x4_t,
        4,
        4,
        vdupq_n_f32(0.0),
        vdupq_n_f32,
        vld1q_f32,
        vst1q_f32,
        vaddq_f32,
        vsubq_f32,
        vmulq_f32,
        fma,
        vmaxq_f32,
        relu,
        relu6
    );
}
