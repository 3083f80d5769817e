//! [`Simd`] by AVX-512 and AVX2.

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
    _mm512_div_ps,
    _mm512_fmadd_ps,
    max512,
    relu512,
    relu6_512,
    limit512
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

/// As [`relu512`].
///
/// # Safety
/// Needs `avx512f`.
#[inline(always)]
unsafe fn limit512(v: __m512, bound: __m512) -> __m512 {
    // SAFETY: the instructions are the caller's.
    unsafe { _mm512_min_ps(bound, _mm512_max_ps(_mm512_sub_ps(_mm512_setzero_ps(), bound), v)) }
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
    _mm256_div_ps,
    _mm256_fmadd_ps,
    max256,
    relu256,
    relu6_256,
    limit256
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

/// As [`relu512`].
///
/// # Safety
/// Needs `avx2`.
#[inline(always)]
unsafe fn limit256(v: __m256, bound: __m256) -> __m256 {
    // SAFETY: the instructions are the caller's.
    unsafe { _mm256_min_ps(bound, _mm256_max_ps(_mm256_sub_ps(_mm256_setzero_ps(), bound), v)) }
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
    _mm256_div_ps,
    _mm256_fmadd_ps,
    max256,
    relu256,
    relu6_256,
    limit256
);
