//! The matrix product in the middle: panels of transformed tiles times 32 columns of transformed weights.
//!
//! A panel is `R` tiles, kept as `[C/16][R][16]` by the input transform, so one tile's value of one channel is
//! broadcast from memory at a fixed distance from the next tile's. All channels are summed in registers, in
//! order, with one accumulator per output: the sum of a tile does not depend on the panel it is in.

use super::super::simd::Simd;

/// Neighbouring lines of 16 floats.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(not(target_arch = "x86_64"), expect(dead_code, reason = "only AMX reads ahead"))]
pub(in crate::conv) struct Lines {
    pub(in crate::conv) at: *const f32,
    /// How many.
    pub(in crate::conv) n: usize,
}

impl Lines {
    /// No line.
    pub(in crate::conv) const NONE: Self = Self { at: std::ptr::null(), n: 0 };
}

/// The arguments of one call: `n_panels` panels times one chunk of weights.
#[derive(Clone, Copy)]
pub(in crate::conv) struct Product {
    /// `[n_panels][c/16][rows][16]`
    pub(in crate::conv) v: *const f32,
    /// `[c][32]`
    pub(in crate::conv) u: *const f32,
    /// `[n_panels * rows][32]`
    pub(in crate::conv) m: *mut f32,
    /// Channels in, a multiple of 16.
    pub(in crate::conv) c: usize,
    /// Tiles in a panel.
    pub(in crate::conv) rows: usize,
    /// Number of panels.
    pub(in crate::conv) n_panels: usize,
    /// What the next products will use that is not in a near cache yet: U, M and V. Kernels may prefetch it.
    #[cfg_attr(not(target_arch = "x86_64"), expect(dead_code, reason = "only AMX reads ahead"))]
    pub(in crate::conv) ahead: [Lines; 3],
}

/// Multiplies all panels, with `N` vectors of 16 columns at a time (1 or 2) and `R` = `product.rows`.
///
/// # Safety
/// The pointers of `product` are valid for the shapes it states, and its rows are `R`; and as [`Simd`].
#[inline(always)]
pub(in crate::conv) unsafe fn multiply<S: Simd, const R: usize, const N: usize>(product: &Product) {
    let Product { v, u, m, c, n_panels, .. } = *product;
    for panel in 0..n_panels {
        for part in 0..2 / N {
            // SAFETY: panel `panel` of V and M, columns 16 N part.. of U, all within the stated shapes.
            unsafe {
                let (v, u, m) = (v.add(panel * R * c), u.add(part * 16), m.add(panel * R * 32 + part * 16));
                multiply_panel::<S, R, N>(v, u, m, c);
            }
        }
    }
}

/// Multiplies one panel by 16 `N` columns.
///
/// # Safety
/// `v` is valid for R c floats, `u` for rows of 32 floats, c of them, `m` for R rows of 32; and as [`Simd`].
#[inline(always)]
unsafe fn multiply_panel<S: Simd, const R: usize, const N: usize>(
    mut v: *const f32,
    mut u: *const f32,
    m: *mut f32,
    c: usize,
) {
    // SAFETY: all offsets stay below the lengths that the caller vouches for.
    unsafe {
        let mut sums = [[S::zero(); N]; R];
        for _ in 0..c / 16 {
            // Four steps written out: the branch is then free.
            for quarter in 0..4 {
                // Four of the next panel's lines and the weights of twelve steps later: 2 % of the whole.
                for line in 0..4 {
                    S::prefetch(v.wrapping_add(R * c + (quarter * 4 + line) * 16));
                }
                for line in 0..8 {
                    S::prefetch(u.wrapping_add((quarter + 3) * 128 + line * 16));
                }
                step::<S, R, N>(v.add(quarter * 4), u.add(quarter * 128), &mut sums);
                step::<S, R, N>(v.add(quarter * 4 + 1), u.add(quarter * 128 + 32), &mut sums);
                step::<S, R, N>(v.add(quarter * 4 + 2), u.add(quarter * 128 + 64), &mut sums);
                step::<S, R, N>(v.add(quarter * 4 + 3), u.add(quarter * 128 + 96), &mut sums);
            }
            v = v.add(R * 16);
            u = u.add(16 * 32);
        }
        for r in 0..R {
            for j in 0..N {
                S::store(m.add(r * 32 + j * 16), sums[r][j]);
            }
        }
    }
}

/// Adds one channel: its weights times its value in each of the `R` tiles.
///
/// # Safety
/// As [`multiply_panel`].
#[inline(always)]
unsafe fn step<S: Simd, const R: usize, const N: usize>(
    v: *const f32,
    u: *const f32,
    sums: &mut [[S::V; N]; R],
) {
    // SAFETY: as the caller.
    unsafe {
        let mut weights = [S::zero(); N];
        for j in 0..N {
            weights[j] = S::load(u.add(j * 16));
        }
        for r in 0..R {
            let value = S::splat(*v.add(r * 16));
            for j in 0..N {
                sums[r][j] = S::fma(value, weights[j], sums[r][j]);
            }
        }
    }
}
