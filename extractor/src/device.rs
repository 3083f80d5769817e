//! Opening the device that computes.

use anyhow::Context;
use data::device::Device;

/// Opens `device`.
///
/// # Errors
/// If this program was built without it, or the machine does not have it.
pub(crate) fn open(device: Device) -> anyhow::Result<candle_core::Device> {
    match device {
        Device::Cpu => Ok(candle_core::Device::Cpu),
        Device::Cuda => {
            candle_core::Device::new_cuda(0).context("--device cuda: cannot open the first CUDA device")
        }
        Device::Metal => {
            candle_core::Device::new_metal(0).context("--device metal: cannot open the first Metal device")
        }
    }
}
