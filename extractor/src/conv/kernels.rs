//! One table of compiled kernels per instruction set, and the choice between them.

use std::marker::PhantomData;
use std::sync::OnceLock;
use std::time::Instant;

use super::depthwise::{self, DepthwiseRow};
use super::gelu;
use super::layer_norm::{self, NormRun};
use super::max_pool::{self, PoolRow};
use super::peak;
use super::pointwise::{self, Pointwise};
use super::winograd3x3::direct::{self, DirectRow};
use super::winograd3x3::product::{self, Product};
use super::winograd3x3::split;
use super::winograd3x3::winograd::{self, InputRun, OutputRun};

/// Steps of [`peak::chain`] in one call: some tens of microseconds.
const PEAK_STEPS: usize = 10_000;
/// Calls of [`peak::chain`]; the fastest counts.
const PEAK_CALLS: usize = 200;

/// The kernels compiled for one instruction set. Bits differ between sets (other sums are fused), never
/// within one.
#[derive(Debug)]
pub(crate) struct Kernels {
    /// `amx`, `avx512`, `avx2`, `neon` or `portable`.
    pub(crate) name: &'static str,
    /// Most tiles in a panel.
    pub(super) max_rows: usize,
    /// The type of the operands.
    pub(super) operands: Operands,
    /// See [`winograd::input`].
    pub(super) input: unsafe fn(&InputRun),
    /// See [`split::panels`]; for [`Operands::Split`].
    pub(super) split: unsafe fn(*const f32, *mut f32, usize, usize),
    /// See [`product::multiply`].
    pub(super) multiply: unsafe fn(&Product),
    /// See [`winograd::output`].
    pub(super) output: unsafe fn(&OutputRun),
    /// See [`direct::convolve`]: stride 1 and ReLU.
    pub(super) direct: unsafe fn(&DirectRow),
    /// See [`direct::convolve`]: stride 2 and ReLU6.
    pub(super) direct_strided: unsafe fn(&DirectRow),
    /// See [`pointwise::multiply`].
    pub(super) pointwise: unsafe fn(&Pointwise),
    /// See [`depthwise::convolve`]: kernels of 3 and 5, each with strides of 1 and 2, and ReLU6.
    pub(super) depthwise: [[unsafe fn(&DepthwiseRow); 2]; 2],
    /// See [`depthwise::convolve`]: a kernel of 7 with stride 1, without activation.
    pub(super) depthwise_7: unsafe fn(&DepthwiseRow),
    /// See [`layer_norm::normalise`].
    pub(super) norm: unsafe fn(&NormRun),
    /// See [`gelu::gelu`].
    pub(super) gelu: unsafe fn(*mut f32, usize),
    /// See [`max_pool::pool`].
    pub(super) max_pool: unsafe fn(&PoolRow),
    /// See [`peak::chain`].
    pub(super) chain: unsafe fn(usize) -> usize,
    /// Called by a thread before and after it multiplies.
    pub(super) begin: unsafe fn(usize),
    pub(super) end: unsafe fn(),
}

impl Kernels {
    /// Measures how many multiplications and additions, counted as two, this thread's core can do in a second with the
    /// instruction of these kernels and all operands in registers, in 10⁹.
    pub(crate) fn peak_gflops(&'static self) -> f64 {
        let _ready = self.ready(self.max_rows);
        let mut fastest = f64::INFINITY;
        let mut operations = 0;
        for _ in 0..PEAK_CALLS {
            let start = Instant::now();
            // SAFETY: the kernels are of a table that this machine can run, and this thread is ready.
            operations = unsafe { (self.chain)(PEAK_STEPS) };
            fastest = fastest.min(start.elapsed().as_secs_f64());
        }
        operations as f64 / fastest / 1e9
    }

    /// Prepares this thread to multiply panels of `rows` tiles, until the value is dropped.
    pub(super) fn ready(&'static self, rows: usize) -> Ready {
        // SAFETY: the kernels are of a table that this machine can run.
        unsafe { (self.begin)(rows) };
        Ready(self, PhantomData)
    }
}

/// Permission of one thread to multiply, which cannot be sent to another.
pub(super) struct Ready(&'static Kernels, PhantomData<*const ()>);

impl Drop for Ready {
    fn drop(&mut self) {
        // SAFETY: the kernels are of a table that this machine can run.
        unsafe { (self.0.end)() };
    }
}

/// The type of the operands of the products.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operands {
    /// V and U as f32.
    Floats,
    /// Three bfloat16 to a float ([`split`]).
    #[cfg_attr(not(target_arch = "x86_64"), expect(dead_code, reason = "only AMX wants it"))]
    Split,
}

impl Operands {
    /// Floats of memory for `n` values.
    pub(super) const fn floats(self, n: usize) -> usize {
        match self {
            Self::Floats => n,
            Self::Split => n / 2 * split::PARTS,
        }
    }
}

/// Compiles the kernels for `$simd` into a module with a table: `$rows` are the sizes of panel that keep all
/// sums in registers, taken `$wide` vectors of columns at a time.
macro_rules! kernels {
    ($module:ident, $simd:ident, part $part:ident, $(#[$feature:meta])?, rows $max:literal: $($rows:literal)+,
     narrow $narrow:ident $narrow_max:literal: $($narrow_rows:literal)+, wide $wide:literal,
     pixels $pixels:literal, chains $chains:literal) => {
        mod $module {
            use super::*;
            use super::super::simd;

            /// # Safety
            /// As [`winograd::input`].
            $(#[$feature])?
            unsafe fn input(run: &InputRun) {
                // SAFETY: the contract is the caller's; the instructions are those of this function.
                unsafe { winograd::input::<simd::$simd>(run) }
            }

            /// # Safety
            /// As [`winograd::output`].
            $(#[$feature])?
            unsafe fn output(run: &OutputRun) {
                // SAFETY: the contract is the caller's; the instructions are those of this function.
                unsafe { winograd::output::<simd::$simd>(run) }
            }

            /// # Safety
            /// As [`product::multiply`].
            $(#[$feature])?
            unsafe fn multiply(product: &Product) {
                // SAFETY: the contract is the caller's; the instructions are those of this function.
                unsafe {
                    match product.rows {
                        $($rows => product::multiply::<simd::$simd, $rows, $wide>(product),)+
                        rows => unreachable!("a panel of {rows} tiles"),
                    }
                }
            }

            /// # Safety
            /// As [`direct::convolve`].
            $(#[$feature])?
            unsafe fn direct(row: &DirectRow) {
                // SAFETY: the contract is the caller's; the instructions are those of this function.
                unsafe { direct::convolve::<simd::$simd, $pixels, $wide, 1, false>(row) }
            }

            /// # Safety
            /// As [`direct::convolve`].
            $(#[$feature])?
            unsafe fn direct_strided(row: &DirectRow) {
                // SAFETY: the contract is the caller's; the instructions are those of this function.
                unsafe { direct::convolve::<simd::$simd, $pixels, $wide, 2, true>(row) }
            }

            /// # Safety
            /// As [`pointwise::multiply`].
            $(#[$feature])?
            unsafe fn pointwise(product: &Pointwise) {
                for channels in pointwise::channel_blocks(product.n_in) {
                    if product.narrow {
                        for panels in pointwise::balanced(product.n, $narrow_max) {
                            // SAFETY: the contract is the caller's; the instructions are those of this function.
                            unsafe {
                                match panels.rows {
                                    _ if panels.n == 0 => {}
                                    $($narrow_rows => pointwise::multiply::<simd::$narrow, $narrow_rows>(product, &channels, panels),)+
                                    rows => unreachable!("a panel of {rows} pixels"),
                                }
                            }
                        }
                        continue;
                    }
                    for panels in pointwise::balanced(product.n, $max) {
                        // SAFETY: the contract is the caller's; the instructions are those of this function.
                        unsafe {
                            match panels.rows {
                                _ if panels.n == 0 => {}
                                $($rows => pointwise::multiply::<simd::$simd, $rows>(product, &channels, panels),)+
                                rows => unreachable!("a panel of {rows} pixels"),
                            }
                        }
                    }
                }
            }

            /// # Safety
            /// As [`depthwise::convolve`].
            $(#[$feature])?
            unsafe fn depthwise<const K: usize, const D: usize>(row: &DepthwiseRow) {
                // SAFETY: the contract is the caller's; the instructions are those of this function.
                unsafe { depthwise::convolve::<simd::$part, K, D, true>(row) }
            }

            /// # Safety
            /// As [`depthwise::convolve`].
            $(#[$feature])?
            unsafe fn depthwise_7(row: &DepthwiseRow) {
                // SAFETY: the contract is the caller's; the instructions are those of this function.
                unsafe { depthwise::convolve::<simd::$part, 7, 1, false>(row) }
            }

            /// # Safety
            /// As [`layer_norm::normalise`].
            $(#[$feature])?
            unsafe fn norm(run: &NormRun) {
                // SAFETY: the contract is the caller's; the instructions are those of this function.
                unsafe { layer_norm::normalise::<simd::$simd>(run) }
            }

            /// # Safety
            /// As [`gelu::gelu`].
            $(#[$feature])?
            unsafe fn gelu(at: *mut f32, n: usize) {
                // SAFETY: the contract is the caller's; the instructions are those of this function.
                unsafe { gelu::gelu::<simd::$part>(at, n) }
            }

            /// # Safety
            /// As [`max_pool::pool`].
            $(#[$feature])?
            unsafe fn max_pool(row: &PoolRow) {
                // SAFETY: the contract is the caller's; the instructions are those of this function.
                unsafe { max_pool::pool::<simd::$simd>(row) }
            }

            /// # Safety
            /// As [`peak::chain`].
            $(#[$feature])?
            unsafe fn chain(steps: usize) -> usize {
                // SAFETY: the contract is the caller's; the instructions are those of this function.
                unsafe { peak::chain::<simd::$simd, $chains>(steps) }
            }

            pub(super) const TABLE: Kernels = Kernels {
                name: stringify!($module),
                max_rows: $max,
                operands: Operands::Floats,
                input,
                split: nothing_to_split,
                multiply,
                output,
                direct,
                direct_strided,
                pointwise,
                depthwise: [[depthwise::<3, 1>, depthwise::<3, 2>], [depthwise::<5, 1>, depthwise::<5, 2>]],
                depthwise_7,
                norm,
                gelu,
                max_pool,
                chain,
                begin: nothing_for,
                end: nothing,
            };
        }
    };
}

/// Floats need no preparation.
///
/// # Safety
/// None is needed.
unsafe fn nothing() {}

/// As [`nothing`].
///
/// # Safety
/// None is needed.
unsafe fn nothing_for(_: usize) {}

/// Floats are not split.
///
/// # Safety
/// None is needed.
unsafe fn nothing_to_split(_: *const f32, _: *mut f32, _: usize, _: usize) {}

#[cfg(target_arch = "x86_64")]
mod amx {
    use super::super::winograd3x3::amx;
    use super::*;

    /// # Safety
    /// As [`split::panels`].
    #[target_feature(enable = "avx512f")]
    unsafe fn split(from: *const f32, to: *mut f32, n_groups: usize, rows: usize) {
        // SAFETY: the contract is the caller's; the instructions are those of this function.
        unsafe { split::panels(from, to, n_groups, rows) }
    }

    pub(super) const TABLE: Kernels = Kernels {
        name: "amx",
        max_rows: split::ROWS,
        operands: Operands::Split,
        split,
        multiply: amx::multiply,
        chain: amx::chain,
        begin: amx::begin,
        end: amx::end,
        ..avx512::TABLE
    };
}

// 14 x 2 sums, 2 weights and a broadcast value fill 31 of 32 registers.
#[cfg(target_arch = "x86_64")]
kernels!(avx512, Avx512, part Avx512, #[target_feature(enable = "avx512f")],
    rows 14: 1 2 3 4 5 6 7 8 9 10 11 12 13 14,
    narrow Avx512 14: 1 2 3 4 5 6 7 8 9 10 11 12 13 14, wide 2, pixels 8, chains 12);
// 6 x 2 sums, 2 weights and a broadcast value fill 15 of 16 registers.
#[cfg(target_arch = "x86_64")]
kernels!(avx2, Avx2, part Avx2Half, #[target_feature(enable = "avx2,fma")], rows 6: 1 2 3 4 5 6,
    narrow Avx2Half 12: 1 2 3 4 5 6 7 8 9 10 11 12, wide 1, pixels 4,
    chains 5);
// 6 x 4 sums, 4 weights and a broadcast value fill 29 of 32 registers.
#[cfg(target_arch = "aarch64")]
kernels!(neon, Neon, part NeonQuarter, #[target_feature(enable = "neon")], rows 6: 1 2 3 4 5 6,
    narrow Neon 6: 1 2 3 4 5 6, wide 1, pixels 4,
    chains 5);
kernels!(portable, Portable, part Portable, , rows 2: 1 2, narrow Portable 2: 1 2, wide 1, pixels 2, chains 2);

/// The tables that this machine can run, best first; `portable` is always the last.
pub(crate) fn available() -> &'static [&'static Kernels] {
    static FOUND: OnceLock<Vec<&'static Kernels>> = OnceLock::new();
    FOUND.get_or_init(|| of_this_machine().into_iter().chain([&portable::TABLE]).collect())
}

#[cfg(target_arch = "x86_64")]
fn of_this_machine() -> Vec<&'static Kernels> {
    use std::arch::is_x86_feature_detected as has;
    let tables: [(bool, &'static Kernels); 3] = [
        (super::winograd3x3::amx::available(), &amx::TABLE),
        (has!("avx512f"), &avx512::TABLE),
        (has!("avx2") && has!("fma"), &avx2::TABLE),
    ];
    tables.into_iter().filter_map(|(runs, table)| runs.then_some(table)).collect()
}

#[cfg(target_arch = "aarch64")]
fn of_this_machine() -> Vec<&'static Kernels> {
    vec![&neon::TABLE]
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn of_this_machine() -> Vec<&'static Kernels> {
    Vec::new()
}
