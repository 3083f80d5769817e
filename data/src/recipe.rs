//! The recipe by which features were made from pictures. It is written into every feature file and every head, so
//! that a head is never used with features, or with a photo, of another recipe.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Version of the code that turns a photo into the network's input, and of the decoder before it; raised by every change
/// that changes a pixel.
pub const PREPROCESSING_VERSION: u32 = 3; // since 3: more kinds of JPEG are right, more pictures are upright

/// Everything that the features of a picture depend on, except the picture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// The network, [`crate::backbone::Backbone::name`].
    pub backbone: String,
    /// Source of the weights, for people: `seeded:42`, `hub:timm/vgg16.tv_in1k`, a file's name.
    pub weights: String,
    /// sha256 of the weights that are used: for every convolution in the order of the forward pass, its weight
    /// and then its bias, each as one line of name and shape (`features.0.weight [64, 3, 3, 3]`) and the values as
    /// little-endian f32. The same weights in another file have the same digest.
    pub weights_sha256: String,
    /// Whether the weights were trained; features of weights drawn from a seed know nothing of dogs.
    pub weights_trained: bool,
    /// Side of the network's square input, pixels.
    pub image_size: u32,
    /// Name of the preprocessing preset.
    pub preset: String,
    /// Version of the preprocessing code; must be raised when its pixels change.
    pub preprocessing_version: u32,
    /// Pooling of the last feature map.
    pub pool: Pool,
}

/// The pooling of the last feature map, (C, S/32, S/32), before it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pool {
    /// No pooling: all C * (S/32)^2 values, channel-major.
    None,
    /// Global average pooling: C values.
    Avg,
}

impl fmt::Display for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Pool::None => "none",
            Pool::Avg => "avg",
        })
    }
}

impl FromStr for Pool {
    type Err = anyhow::Error;

    fn from_str(name: &str) -> anyhow::Result<Self> {
        match name {
            "none" => Ok(Pool::None),
            "avg" => Ok(Pool::Avg),
            _ => anyhow::bail!("{name:?} is not a pooling, expected none or avg"),
        }
    }
}

impl Recipe {
    /// Checks that `found`, the recipe of `file`, equals this one.
    ///
    /// # Errors
    /// If it differs: one sentence with the file, the first difference and the command that makes the file again.
    pub fn ensure_same(&self, found: &Recipe, file: &Path, rebuild_with: &str) -> anyhow::Result<()> {
        // The source of the weights is only for people; their digest is compared.
        let weights = |r: &Recipe| format!("{} ({})", r.weights, short(&r.weights_sha256));
        let version = |r: &Recipe| r.preprocessing_version.to_string();
        let compared: [(&str, bool, String, String); 6] = [
            ("backbone", self.backbone == found.backbone, self.backbone.clone(), found.backbone.clone()),
            ("weights", self.weights_sha256 == found.weights_sha256, weights(self), weights(found)),
            (
                "image size",
                self.image_size == found.image_size,
                self.image_size.to_string(),
                found.image_size.to_string(),
            ),
            ("preset", self.preset == found.preset, self.preset.clone(), found.preset.clone()),
            ("preprocessing version", version(self) == version(found), version(self), version(found)),
            ("pooling", self.pool == found.pool, self.pool.to_string(), found.pool.to_string()),
        ];
        for (what, same, expected, found) in compared {
            anyhow::ensure!(
                same,
                "{} was made with {what} {found}, expected {expected}; run {rebuild_with}",
                file.display()
            );
        }
        Ok(())
    }
}

impl fmt::Display for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}, weights {} ({}{}), {} px, preset {}, pooling {}",
            self.backbone,
            self.weights,
            short(&self.weights_sha256),
            if self.weights_trained { "" } else { ", untrained" },
            self.image_size,
            self.preset,
            self.pool
        )
    }
}

fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipe() -> Recipe {
        Recipe {
            backbone: "vgg16".into(),
            weights: "seeded:42".into(),
            weights_sha256: "ab".repeat(32),
            weights_trained: false,
            image_size: 224,
            preset: "torchvision".into(),
            preprocessing_version: 1,
            pool: Pool::None,
        }
    }

    #[test]
    fn every_difference_is_refused_by_name() {
        let changes: [(&str, fn(&mut Recipe)); 6] = [
            ("backbone", |r| r.backbone = "vgg19".into()),
            ("weights", |r| r.weights_sha256 = "cd".repeat(32)),
            ("image size", |r| r.image_size = 64),
            ("preset", |r| r.preset = "caffe".into()),
            ("preprocessing version", |r| r.preprocessing_version = 9),
            ("pooling", |r| r.pool = Pool::Avg),
        ];
        for (what, change) in changes {
            let mut other = recipe();
            change(&mut other);
            let refused = recipe().ensure_same(&other, Path::new("head.safetensors"), "trainer fit");
            let message = refused.unwrap_err().to_string();
            assert!(message.contains(&format!("head.safetensors was made with {what}")), "{message}");
            assert!(message.ends_with("run trainer fit"), "{message}");
        }
    }

    #[test]
    fn the_same_weights_under_another_label_are_the_same() {
        let other = Recipe { weights: "vgg16.safetensors".into(), ..recipe() };
        recipe().ensure_same(&other, Path::new("x"), "y").unwrap();
    }
}
