//! [`Simd`] by NEON.

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

/// As [`relu`].
///
/// # Safety
/// Every aarch64 has the instructions.
#[inline(always)]
unsafe fn limit(v: float32x4_t, bound: float32x4_t) -> float32x4_t {
    // SAFETY: every aarch64 has the instructions.
    unsafe { vminq_f32(vmaxq_f32(v, vnegq_f32(bound)), bound) }
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
    vdivq_f32,
    fma,
    vmaxq_f32,
    relu,
    relu6,
    limit
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
    vdivq_f32,
    fma,
    vmaxq_f32,
    relu,
    relu6,
    limit
);
