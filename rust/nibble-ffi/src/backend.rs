//! What runs the network of a model: our own kernels, or candle where the library was built with it.

use nibble::backend;

use crate::error::Result;

/// What runs a network, and on what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum BackendChoice {
    /// Our own kernels on the processor: in every build.
    Cpu,
    /// Candle on a graphics processor, where this build knows one and the machine has it; else our own kernels.
    Auto,
    /// Candle on the processor: a check of our kernels, slower than they are.
    Candle,
    /// Candle on Apple's graphics processors.
    Metal,
    /// Candle on NVIDIA's.
    Cuda,
}

impl From<BackendChoice> for backend::BackendChoice {
    fn from(choice: BackendChoice) -> backend::BackendChoice {
        use backend::{BackendChoice as Choice, Device};
        match choice {
            BackendChoice::Cpu => Choice::Cpu,
            BackendChoice::Auto => Choice::Auto,
            BackendChoice::Candle => Choice::Candle(Device::Cpu),
            BackendChoice::Metal => Choice::Candle(Device::Metal),
            BackendChoice::Cuda => Choice::Candle(Device::Cuda),
        }
    }
}

/// A backend, and whether it can be used here.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct BackendAvailability {
    /// The backend.
    pub backend: BackendChoice,
    /// Whether this build has it and this machine can run it.
    pub usable: bool,
    /// Why it cannot be used, or in what it is limited.
    pub remark: Option<String>,
}

impl From<backend::Availability> for BackendAvailability {
    fn from(found: backend::Availability) -> BackendAvailability {
        use backend::{BackendKind, Device};
        BackendAvailability {
            backend: match (found.backend, found.device) {
                (BackendKind::Candle, Device::Cpu) => BackendChoice::Candle,
                (BackendKind::Candle, Device::Metal) => BackendChoice::Metal,
                (BackendKind::Candle, Device::Cuda) => BackendChoice::Cuda,
                _ => BackendChoice::Cpu,
            },
            usable: found.usable,
            remark: found.remark,
        }
    }
}

/// All backends, and which of them this build and machine can use. Those that the build has are tried.
#[uniffi::export]
pub fn available_backends() -> Result<Vec<BackendAvailability>> {
    Ok(backend::available().into_iter().map(Into::into).collect())
}

/// What runs the network of a model now.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct BackendStatus {
    /// Its name: `cpu` for our own kernels, or `candle`.
    pub name: String,
    /// Why the backend that was chosen does not run it; none while it does.
    pub fallback: Option<String>,
}

impl BackendStatus {
    pub(crate) fn of(backend: &backend::Backend) -> BackendStatus {
        BackendStatus {
            name: backend.kind().name().to_owned(),
            fallback: backend.fallback().map(|fallback| fallback.reason),
        }
    }
}
