//! Which backends there are, and which of them this build and this machine can use.

use crate::{Error, Result};

/// What runs a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BackendKind {
    /// Our own kernels.
    #[default]
    Cpu,
    /// The same network on `candle-core`.
    Candle,
}

impl BackendKind {
    /// Its name in lower case.
    pub fn name(self) -> &'static str {
        match self {
            BackendKind::Cpu => "cpu",
            BackendKind::Candle => "candle",
        }
    }
}

/// What a backend computes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Device {
    /// The processor.
    #[default]
    Cpu,
    /// Apple's graphics processors; needs the feature `candle-metal`.
    Metal,
    /// NVIDIA's; needs the feature `candle-cuda`.
    Cuda,
}

impl Device {
    /// Its name in lower case.
    pub fn name(self) -> &'static str {
        match self {
            Device::Cpu => "cpu",
            Device::Metal => "metal",
            Device::Cuda => "cuda",
        }
    }

    /// The feature that candle needs for it, and whether this build has it.
    fn feature(self) -> (&'static str, bool) {
        match self {
            Device::Cpu => ("candle", cfg!(feature = "candle")),
            Device::Metal => ("candle-metal", cfg!(feature = "candle-metal")),
            Device::Cuda => ("candle-cuda", cfg!(feature = "candle-cuda")),
        }
    }
}

/// Which backend a model is opened with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BackendChoice {
    /// Our own kernels.
    #[default]
    Cpu,
    /// Candle on a graphics processor, where this build knows one and the machine has it; else our own kernels.
    Auto,
    /// Candle on this device.
    Candle(Device),
}

/// A backend on a device, and whether it can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Availability {
    /// The backend.
    pub backend: BackendKind,
    /// The device.
    pub device: Device,
    /// Whether it can be used.
    pub usable: bool,
    /// Why it cannot be used, or in what it is limited.
    pub remark: Option<String>,
}

/// All backends on all devices. Those that this build has are tried.
pub fn available() -> Vec<Availability> {
    let cpu = Availability {
        backend: BackendKind::Cpu,
        device: Device::Cpu,
        usable: true,
        remark: None,
    };
    let candle = [Device::Cpu, Device::Metal, Device::Cuda].map(|device| {
        let (usable, remark) = match try_candle(device) {
            Ok(remark) => (true, remark),
            Err(error) => (false, Some(reason(&error))),
        };
        Availability {
            backend: BackendKind::Candle,
            device,
            usable,
            remark,
        }
    });
    std::iter::once(cpu).chain(candle).collect()
}

/// What an error of a backend says of it, without its name.
pub(super) fn reason(error: &Error) -> String {
    match error {
        Error::Backend { reason, .. } => reason.clone(),
        other => other.to_string(),
    }
}

/// Whether this build can be asked for candle on `device`.
///
/// # Errors
/// `Backend`, with how to build it.
pub(super) fn check_build(device: Device) -> Result<()> {
    let (feature, is_there) = device.feature();
    match is_there {
        true => Ok(()),
        false => Err(Error::Backend {
            backend: BackendKind::Candle.name(),
            reason: format!("this build does not have it (cargo feature `{feature}`)"),
        }),
    }
}

#[cfg(not(feature = "candle"))]
fn try_candle(device: Device) -> Result<Option<String>> {
    check_build(device).map(|()| None)
}

#[cfg(feature = "candle")]
fn try_candle(device: Device) -> Result<Option<String>> {
    check_build(device)?;
    super::candle::open_device(device)?;
    let limit = match device {
        Device::Cpu => super::candle::check_quantized_products().err(),
        Device::Metal | Device::Cuda => None,
    };
    Ok(limit.map(|error| format!("with 32-bit activations only: {}", reason(&error))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cpu_comes_first_and_what_cannot_be_used_says_why() {
        let all = available();
        assert_eq!(
            (all.len(), all[0].backend, all[0].usable),
            (4, BackendKind::Cpu, true)
        );
        for backend in all {
            assert!(backend.usable || backend.remark.is_some(), "{backend:?}");
            if check_build(backend.device).is_err() && backend.backend == BackendKind::Candle {
                let (feature, _) = backend.device.feature();
                let name = format!("`{feature}`");
                assert!(backend.remark.unwrap().contains(&name));
            }
        }
    }
}
