//! Where to compute.

use anyhow::Context;
use candle_core::Device;
use data::stage::usage;

/// Where to compute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum DeviceKind {
    /// The processor.
    Cpu,
    /// The first NVIDIA card.
    Cuda,
    /// The GPU of a Mac.
    Metal,
}

impl DeviceKind {
    /// Opens the device.
    ///
    /// # Errors
    /// A usage error if this program was built without it; another if it is not there.
    pub fn open(self) -> anyhow::Result<Device> {
        let not_built = |name: &str| {
            usage(format!(
                "--device {name}: this program was built without it; build it with \
                 `cargo build --release --features {name}`"
            ))
        };
        match self {
            DeviceKind::Cpu => Ok(Device::Cpu),
            DeviceKind::Cuda if cfg!(feature = "cuda") => {
                Device::new_cuda(0).context("--device cuda: cannot open the first CUDA device")
            }
            DeviceKind::Cuda => Err(not_built("cuda")),
            DeviceKind::Metal if cfg!(feature = "metal") => {
                Device::new_metal(0).context("--device metal: cannot open the first Metal device")
            }
            DeviceKind::Metal => Err(not_built("metal")),
        }
    }
}
