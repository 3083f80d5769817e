//! Weights as given, checked, and with neighbouring layers folded into them.

use super::super::packed::{LINE, check_layer};
use super::super::pictures::COLOURS;
use super::super::unsupported::Unsupported;
use super::shape::{DOWNSAMPLE, EXPANSION, KERNEL, STEM, Shape};
use crate::conv::winograd3x3::LayerWeights;

/// The scale and the shift of a normalisation, (n) both.
pub(crate) type NormWeights<'a> = (&'a [f32], &'a [f32]);

/// The weights of the stem.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StemWeights<'a> {
    /// (n, 3, 4, 4) and (n)
    pub(crate) conv: LayerWeights<'a>,
    pub(crate) norm: NormWeights<'a>,
}

/// The weights of a stage.
#[derive(Debug, Clone)]
pub(crate) struct StageWeights<'a> {
    /// Of all stages but the first: the normalisation (n_in), and (n, n_in, 2, 2) and (n).
    pub(crate) downsample: Option<(NormWeights<'a>, LayerWeights<'a>)>,
    pub(crate) blocks: Vec<BlockWeights<'a>>,
}

/// The weights of a block.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BlockWeights<'a> {
    /// (n, 1, 7, 7) and (n)
    pub(crate) depthwise: LayerWeights<'a>,
    pub(crate) norm: NormWeights<'a>,
    /// (4 n, n) and (4 n)
    pub(crate) expand: LayerWeights<'a>,
    /// (n, 4 n) and (n)
    pub(crate) project: LayerWeights<'a>,
    /// What the block's result is multiplied by before the input is added: (n).
    pub(crate) gamma: &'a [f32],
}

/// Checks what [`PackedConvNext::new`](super::PackedConvNext::new) is given.
pub(super) fn check(
    shape: &Shape,
    stem: &StemWeights<'_>,
    stages: &[StageWeights<'_>],
) -> Result<(), Unsupported> {
    if let Some(n) = shape.channels.iter().find(|&n| *n == 0 || !n.is_multiple_of(LINE)) {
        return Err(Unsupported::new(format!("{n} channels, expected a multiple of {LINE}")));
    }
    if stages.len() != shape.blocks.len() {
        return Err(Unsupported::new(format!(
            "weights of {} stages, expected {}",
            stages.len(),
            shape.blocks.len()
        )));
    }
    let mut n_in = shape.channels[0];
    check_layer("stem", stem.conv, n_in, COLOURS * STEM * STEM)?;
    check_layer("stem, norm", stem.norm, n_in, 1)?;
    for (i, (stage, (&n, &n_blocks))) in
        stages.iter().zip(shape.channels.iter().zip(&shape.blocks)).enumerate()
    {
        if stage.blocks.len() != n_blocks || stage.downsample.is_some() != (i > 0) {
            return Err(Unsupported::new(format!(
                "stage {i}: {} blocks and {} convolutions before them, expected {n_blocks} and {}",
                stage.blocks.len(),
                usize::from(stage.downsample.is_some()),
                usize::from(i > 0)
            )));
        }
        if let Some((norm, conv)) = stage.downsample {
            check_layer(&format!("stage {i}, downsample, norm"), norm, n_in, 1)?;
            check_layer(&format!("stage {i}, downsample"), conv, n, n_in * DOWNSAMPLE * DOWNSAMPLE)?;
        }
        n_in = n;
        for (j, block) in stage.blocks.iter().enumerate() {
            check_block(&format!("stage {i}, block {j}"), block, n)?;
        }
    }
    Ok(())
}

/// Checks a block of a map of `n` channels.
fn check_block(name: &str, block: &BlockWeights<'_>, n: usize) -> Result<(), Unsupported> {
    check_layer(&format!("{name}, depthwise"), block.depthwise, n, KERNEL * KERNEL)?;
    check_layer(&format!("{name}, norm"), block.norm, n, 1)?;
    check_layer(&format!("{name}, expand"), block.expand, EXPANSION * n, n)?;
    check_layer(&format!("{name}, project"), block.project, n, EXPANSION * n)?;
    check_layer(&format!("{name}, gamma"), (block.gamma, block.gamma), n, 1)
}

/// A convolution into which a neighbouring layer was folded, computed in f64 and rounded once.
#[derive(Debug)]
pub(super) struct Folded {
    pub(super) weight: Vec<f32>,
    pub(super) bias: Vec<f32>,
}

impl Folded {
    /// Makes the scale and the shift before a convolution of `area` taps and no border part of it.
    pub(super) fn after_norm(
        (weight, bias): LayerWeights<'_>,
        (scale, shift): NormWeights<'_>,
        area: usize,
    ) -> Self {
        let product = |a: f32, b: f32| f64::from(a) * f64::from(b);
        let row_len = scale.len() * area;
        let rows = weight.chunks_exact(row_len);
        let shifts = rows.map(|row| {
            row.iter().enumerate().map(|(i, &weight)| product(weight, shift[i / area])).sum::<f64>()
        });
        Self {
            bias: bias.iter().zip(shifts).map(|(&bias, shift)| (f64::from(bias) + shift) as f32).collect(),
            weight: weight
                .iter()
                .enumerate()
                .map(|(i, &weight)| product(weight, scale[i % row_len / area]) as f32)
                .collect(),
        }
    }

    /// Multiplies each channel out of a convolution by its factor.
    pub(super) fn times((weight, bias): LayerWeights<'_>, factors: &[f32]) -> Self {
        let row_len = weight.len() / factors.len();
        let product = |a: f32, b: f32| (f64::from(a) * f64::from(b)) as f32;
        Self {
            weight: weight.iter().enumerate().map(|(i, &w)| product(w, factors[i / row_len])).collect(),
            bias: bias.iter().zip(factors).map(|(&bias, &factor)| product(bias, factor)).collect(),
        }
    }
}
