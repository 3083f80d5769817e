//! The device that computes, as flags, parameters and heads name it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::stage::usage;

/// The device that computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Device {
    /// The processor.
    Cpu,
    /// The first NVIDIA GPU.
    Cuda,
    /// The GPU of a Mac.
    Metal,
}

impl Device {
    /// Checks that the program can use it: `cuda` and `metal` say which GPUs it was built for.
    ///
    /// # Errors
    /// A usage error with the command that builds the program for it.
    pub fn ensure_built(self, cuda: bool, metal: bool) -> anyhow::Result<()> {
        let is_built = match self {
            Device::Cpu => true,
            Device::Cuda => cuda,
            Device::Metal => metal,
        };
        if is_built {
            return Ok(());
        }
        Err(usage(format!(
            "--device {self}: this program was built without it; build it with \
             `cargo build --release --features {self}`"
        )))
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Device::Cpu => "cpu",
            Device::Cuda => "cuda",
            Device::Metal => "metal",
        })
    }
}
