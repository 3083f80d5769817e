//! The matrix product on AMX, the tile registers of newer Intel CPUs: 16 x 16 sums of 32 products of
//! bfloat16 in one instruction, 16 times the multiplications of a vector unit.
//!
//! Six products of [`split`](super::split) floats give what one product of floats would; that still leaves
//! 2.5 times the speed of the vector unit.

use std::arch::asm;
use std::arch::x86_64::{__cpuid, __cpuid_count, _xgetbv};

use super::product::{Lines, Product};
use super::split::{GROUP, PARTS, ROWS};

/// Bytes of a row of a tile register.
const ROW_BYTES: usize = 64;
/// Floats that fill a tile register.
const TILE_FLOATS: usize = ROWS * ROW_BYTES / size_of::<f32>();
/// Floats of 32 channels of a panel.
const V_STEP: usize = PARTS * TILE_FLOATS;
/// Floats of 32 channels of a chunk of 32 columns of weights.
const U_STEP: usize = PARTS * 2 * TILE_FLOATS;

/// Whether the CPU has bfloat16 tiles, the system saves them, and lets this process use them. Asking is
/// what Linux wants before the first use, once for all threads.
pub(in crate::conv) fn available() -> bool {
    static FOUND: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
    *FOUND.get_or_init(|| {
        const TILE_AND_BF16: u32 = 1 << 24 | 1 << 22;
        const TILE_STATE: u64 = 0b11 << 17;
        if !std::arch::is_x86_feature_detected!("avx512f") || __cpuid(0).eax < 7 {
            return false;
        }
        if __cpuid_count(7, 0).edx & TILE_AND_BF16 != TILE_AND_BF16 {
            return false;
        }
        // SAFETY: AVX-512 was found, so the system has enabled XSAVE and with it this instruction.
        let saved = unsafe { saved_state() };
        saved & TILE_STATE == TILE_STATE && permitted()
    })
}

/// The parts of the registers that the system saves.
#[target_feature(enable = "xsave")]
fn saved_state() -> u64 {
    // SAFETY: register 0 exists wherever the instruction does.
    unsafe { _xgetbv(0) }
}

#[cfg(target_os = "linux")]
fn permitted() -> bool {
    const ARCH_REQ_XCOMP_PERM: libc::c_ulong = 0x1023;
    const XFEATURE_XTILEDATA: libc::c_ulong = 18;
    // SAFETY: asks for a permission and touches no memory.
    unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0 }
}

#[cfg(not(target_os = "linux"))]
fn permitted() -> bool {
    false
}

/// The configuration of the tile registers of this thread.
#[repr(C, align(64))]
struct Configuration {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    bytes_a_row: [u16; 16],
    rows: [u8; 16],
}

/// Configures the tile registers of this thread: sums and V have `rows` rows, the weights 16, of 64 bytes.
///
/// # Safety
/// Only where [`available`] says so.
pub(in crate::conv) unsafe fn begin(rows: usize) {
    let mut configuration =
        Configuration { palette: 1, start_row: 0, reserved: [0; 14], bytes_a_row: [0; 16], rows: [0; 16] };
    configuration.bytes_a_row[..8].fill(ROW_BYTES as u16);
    configuration.rows[..6].fill(rows.min(ROWS) as u8);
    configuration.rows[6..8].fill(ROWS as u8);
    // SAFETY: the machine has the instruction by the caller's promise, which reads these 64 bytes.
    unsafe { asm!("ldtilecfg [{}]", in(reg) &raw const configuration, options(nostack, readonly)) };
}

/// Releases the tile registers, so that the system need not save them.
///
/// # Safety
/// Only where [`available`] says so.
pub(in crate::conv) unsafe fn end() {
    // SAFETY: the machine has the instruction by the caller's promise.
    unsafe { asm!("tilerelease", options(nostack, nomem)) };
}

/// As [`super::product::multiply`], with V `[n_panels][c/32][3][16][32]`, of whose 16 tiles `rows` are used,
/// and U `[c/32][3][2][16][32]` of bfloat16, two panels at a time: 2 x 2 sums and 2 + 2 operands fill the
/// eight registers. The sums stay in them from one `asm!` to the next: nothing else on this thread uses them.
///
/// # Safety
/// The pointers of `product` are valid for these shapes; between [`begin`] with its rows and [`end`].
pub(in crate::conv) unsafe fn multiply(product: &Product) {
    let Product { v, u, m, c, rows, n_panels, .. } = *product;
    let steps = c / GROUP;
    let panel = steps * V_STEP;
    let mut ahead = Ahead { streams: product.ahead };
    for first in (0..n_panels).step_by(2) {
        // SAFETY: one or two panels of V and M, all steps of U.
        unsafe {
            let (v, m) = (v.add(first * panel), m.add(first * rows * 32));
            let two = first + 1 < n_panels;
            asm!("tilezero tmm0", "tilezero tmm1", "tilezero tmm2", "tilezero tmm3", options(nostack, nomem));
            for step in 0..steps {
                let (v, u) = (v.add(step * V_STEP), u.add(step * U_STEP));
                if two {
                    two_panels(v, v.add(panel), u, ahead.step(u));
                } else {
                    one_panel(v, u);
                }
            }
            store(m, m.add(rows * 32), two);
        }
    }
}

/// As [`chain`](crate::conv::peak::chain), for at least one step: four sums, as in [`two_panels`].
///
/// # Safety
/// Between [`begin`] and [`end`].
pub(in crate::conv) unsafe fn chain(steps: usize) -> usize {
    // SAFETY: the registers are configured by the caller's promise; no memory is used.
    unsafe {
        asm!(
            "tilezero tmm0",
            "tilezero tmm1",
            "tilezero tmm2",
            "tilezero tmm3",
            "tilezero tmm4",
            "tilezero tmm6",
            "2:",
            "tdpbf16ps tmm0, tmm4, tmm6",
            "tdpbf16ps tmm1, tmm4, tmm6",
            "tdpbf16ps tmm2, tmm4, tmm6",
            "tdpbf16ps tmm3, tmm4, tmm6",
            "dec {steps}",
            "jnz 2b",
            steps = inout(reg) steps => _,
            options(nostack, nomem),
        );
    }
    2 * 4 * ROWS * 16 * GROUP * steps
}

/// Lines that will be read soon, [`A_STEP`] of them fetched during a step.
struct Ahead {
    streams: [Lines; 3],
}

/// Instructions that multiply in a step of two panels, each followed by a prefetch.
const A_STEP: usize = 24;

impl Ahead {
    /// The next lines, or `near` if none is left.
    #[inline(always)]
    fn step(&mut self, near: *const f32) -> *const f32 {
        for stream in &mut self.streams {
            if stream.n > 0 {
                let n = A_STEP.min(stream.n);
                stream.at = stream.at.wrapping_add(n * 16);
                stream.n -= n;
                return stream.at.wrapping_sub(A_STEP * 16);
            }
        }
        near
    }
}

/// Writes the sums of one or two panels.
///
/// # Safety
/// As [`multiply`].
#[inline(always)]
unsafe fn store(m: *mut f32, second: *mut f32, two: bool) {
    // SAFETY: 16 or 32 rows of 32 columns of M.
    unsafe {
        asm!(
            "tilestored [{m} + {wide}], tmm0",
            "tilestored [{m} + {wide} + 64], tmm1",
            m = in(reg) m,
            wide = in(reg) 2 * ROW_BYTES,
            options(nostack),
        );
        if two {
            asm!(
                "tilestored [{m} + {wide}], tmm2",
                "tilestored [{m} + {wide} + 64], tmm3",
                m = in(reg) second,
                wide = in(reg) 2 * ROW_BYTES,
                options(nostack),
            );
        }
    }
}

/// 32 channels of two panels. The products are computed in this order for every sum: low·high, high·high,
/// middle·high, middle·middle, high·middle, high·low (V's part first). Each differs from the one before in
/// one operand.
///
/// # Safety
/// As [`multiply`].
#[inline(always)]
unsafe fn two_panels(v0: *const f32, v1: *const f32, u: *const f32, ahead: *const f32) {
    // SAFETY: the loads are those of one step of two panels and one chunk.
    unsafe {
        asm!(
            "tileloadd tmm6, [{u} + {row}]",
            "tileloadd tmm4, [{v0} + {row} + 2048]",
            "tdpbf16ps tmm0, tmm4, tmm6",
            "prefetcht1 [{ahead} + 0]",
            "tileloadd tmm7, [{u} + {row} + 1024]",
            "tdpbf16ps tmm1, tmm4, tmm7",
            "prefetcht1 [{ahead} + 64]",
            "tileloadd tmm5, [{v1} + {row} + 2048]",
            "tdpbf16ps tmm2, tmm5, tmm6",
            "prefetcht1 [{ahead} + 128]",
            "tdpbf16ps tmm3, tmm5, tmm7",
            "prefetcht1 [{ahead} + 192]",
            "tileloadd tmm4, [{v0} + {row}]",
            "tdpbf16ps tmm0, tmm4, tmm6",
            "prefetcht1 [{ahead} + 256]",
            "tdpbf16ps tmm1, tmm4, tmm7",
            "prefetcht1 [{ahead} + 320]",
            "tileloadd tmm5, [{v1} + {row}]",
            "tdpbf16ps tmm2, tmm5, tmm6",
            "prefetcht1 [{ahead} + 384]",
            "tdpbf16ps tmm3, tmm5, tmm7",
            "prefetcht1 [{ahead} + 448]",
            "tileloadd tmm4, [{v0} + {row} + 1024]",
            "tdpbf16ps tmm0, tmm4, tmm6",
            "prefetcht1 [{ahead} + 512]",
            "tdpbf16ps tmm1, tmm4, tmm7",
            "prefetcht1 [{ahead} + 576]",
            "tileloadd tmm5, [{v1} + {row} + 1024]",
            "tdpbf16ps tmm2, tmm5, tmm6",
            "prefetcht1 [{ahead} + 640]",
            "tdpbf16ps tmm3, tmm5, tmm7",
            "prefetcht1 [{ahead} + 704]",
            "tileloadd tmm6, [{u} + {row} + 2048]",
            "tdpbf16ps tmm0, tmm4, tmm6",
            "prefetcht1 [{ahead} + 768]",
            "tileloadd tmm7, [{u} + {row} + 3072]",
            "tdpbf16ps tmm1, tmm4, tmm7",
            "prefetcht1 [{ahead} + 832]",
            "tdpbf16ps tmm2, tmm5, tmm6",
            "prefetcht1 [{ahead} + 896]",
            "tdpbf16ps tmm3, tmm5, tmm7",
            "prefetcht1 [{ahead} + 960]",
            "tileloadd tmm4, [{v0} + {row}]",
            "tdpbf16ps tmm0, tmm4, tmm6",
            "prefetcht1 [{ahead} + 1024]",
            "tdpbf16ps tmm1, tmm4, tmm7",
            "prefetcht1 [{ahead} + 1088]",
            "tileloadd tmm5, [{v1} + {row}]",
            "tdpbf16ps tmm2, tmm5, tmm6",
            "prefetcht1 [{ahead} + 1152]",
            "tdpbf16ps tmm3, tmm5, tmm7",
            "prefetcht1 [{ahead} + 1216]",
            "tileloadd tmm6, [{u} + {row} + 4096]",
            "tdpbf16ps tmm0, tmm4, tmm6",
            "prefetcht1 [{ahead} + 1280]",
            "tileloadd tmm7, [{u} + {row} + 5120]",
            "tdpbf16ps tmm1, tmm4, tmm7",
            "prefetcht1 [{ahead} + 1344]",
            "tdpbf16ps tmm2, tmm5, tmm6",
            "prefetcht1 [{ahead} + 1408]",
            "tdpbf16ps tmm3, tmm5, tmm7",
            "prefetcht1 [{ahead} + 1472]",
            v0 = in(reg) v0,
            v1 = in(reg) v1,
            u = in(reg) u,
            ahead = in(reg) ahead,
            row = in(reg) ROW_BYTES,
            options(nostack, readonly),
        );
    }
}

/// As [`two_panels`], every sum in the same order.
///
/// # Safety
/// As [`multiply`].
#[inline(always)]
unsafe fn one_panel(v: *const f32, u: *const f32) {
    // SAFETY: the loads are those of one step of one panel and one chunk.
    unsafe {
        asm!(
            "tileloadd tmm6, [{u} + {row}]",
            "tileloadd tmm7, [{u} + {row} + 1024]",
            "tileloadd tmm2, [{v} + {row} + 2048]",
            "tdpbf16ps tmm0, tmm2, tmm6",
            "tdpbf16ps tmm1, tmm2, tmm7",
            "tileloadd tmm4, [{v} + {row}]",
            "tdpbf16ps tmm0, tmm4, tmm6",
            "tdpbf16ps tmm1, tmm4, tmm7",
            "tileloadd tmm5, [{v} + {row} + 1024]",
            "tdpbf16ps tmm0, tmm5, tmm6",
            "tdpbf16ps tmm1, tmm5, tmm7",
            "tileloadd tmm6, [{u} + {row} + 2048]",
            "tileloadd tmm7, [{u} + {row} + 3072]",
            "tdpbf16ps tmm0, tmm5, tmm6",
            "tdpbf16ps tmm1, tmm5, tmm7",
            "tdpbf16ps tmm0, tmm4, tmm6",
            "tdpbf16ps tmm1, tmm4, tmm7",
            "tileloadd tmm6, [{u} + {row} + 4096]",
            "tileloadd tmm7, [{u} + {row} + 5120]",
            "tdpbf16ps tmm0, tmm4, tmm6",
            "tdpbf16ps tmm1, tmm4, tmm7",
            v = in(reg) v,
            u = in(reg) u,
            row = in(reg) ROW_BYTES,
            options(nostack, readonly),
        );
    }
}
