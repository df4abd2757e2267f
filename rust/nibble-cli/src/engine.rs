//! Opening models and sessions as the command line asks for.

use std::path::PathBuf;
use std::sync::Arc;

use clap::ValueEnum;
use nibble::backend::{BackendChoice, Device, Precision};
use nibble::{Error, KvFormat, Model, ModelOptions, Priority, Session, SessionOptions};
use nibble_kernels::Kernels;

use crate::failure::Failure;
use crate::models;

/// Which model.
#[derive(Debug, clap::Args)]
pub(crate) struct ModelArgument {
    /// Path of a GGUF file, or the name of an installed model.
    #[arg(value_name = "MODEL")]
    pub(crate) model: PathBuf,
}

/// How it computes.
#[derive(Debug, clap::Args)]
pub(crate) struct ComputeArguments {
    /// Threads that compute [default: one on each big core].
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: Option<u16>,

    /// How urgently they want a core while others want it, too; interactive is as normal where the system does not allow it.
    #[arg(long, value_enum, default_value_t = PriorityName::Interactive)]
    priority: PriorityName,

    /// Open the file itself even where a prepared one lies beside it.
    #[arg(long)]
    ignore_prepared: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum PriorityName {
    Normal,
    Interactive,
}

/// What runs the network.
#[derive(Debug, clap::Args)]
pub(crate) struct BackendArguments {
    /// What runs the network; auto is candle on a graphics processor where there is one, else cpu. See `nibble backends`.
    #[arg(long, value_enum, default_value_t = BackendName::Cpu)]
    backend: BackendName,

    /// What candle runs on.
    #[arg(long, value_enum, default_value_t = DeviceName::Cpu)]
    device: DeviceName,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum BackendName {
    Auto,
    Cpu,
    Candle,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum DeviceName {
    Cpu,
    Metal,
    Cuda,
}

impl BackendArguments {
    pub(crate) fn choice(&self) -> Result<BackendChoice, Failure> {
        let device = match self.device {
            DeviceName::Cpu => Device::Cpu,
            DeviceName::Metal => Device::Metal,
            DeviceName::Cuda => Device::Cuda,
        };
        match (self.backend, device) {
            (BackendName::Candle, device) => Ok(BackendChoice::Candle(device)),
            (BackendName::Cpu, Device::Cpu) => Ok(BackendChoice::Cpu),
            (BackendName::Auto, Device::Cpu) => Ok(BackendChoice::Auto),
            (_, device) => Err(Failure::Engine(Error::InvalidArgument {
                argument: "device",
                expected: "cpu, or another with --backend candle".to_owned(),
                found: device.name().to_owned(),
            })),
        }
    }
}

impl ComputeArguments {
    /// Opens `model`, with the fastest kernels of this processor unless others are given.
    pub(crate) fn open(
        &self,
        model: &ModelArgument,
        kernels: Option<Kernels>,
    ) -> Result<Arc<Model>, Failure> {
        self.open_on(BackendChoice::Cpu, model, kernels)
    }

    /// [`open`](Self::open) on another backend.
    pub(crate) fn open_on(
        &self,
        backend: BackendChoice,
        model: &ModelArgument,
        kernels: Option<Kernels>,
    ) -> Result<Arc<Model>, Failure> {
        let threads = self.threads.map_or(0, usize::from);
        let file = models::find(&model.model)?;
        Ok(Arc::new(Model::open(
            file,
            &ModelOptions {
                threads,
                priority: match self.priority {
                    PriorityName::Normal => Priority::Normal,
                    PriorityName::Interactive => Priority::Interactive,
                },
                kernels,
                ignore_prepared: self.ignore_prepared,
                backend,
            },
        )?))
    }
}

/// How a session stores and computes.
#[derive(Debug, clap::Args)]
pub(crate) struct SessionArguments {
    /// How keys and values are stored.
    #[arg(long, value_enum, default_value_t = Kv::F16)]
    kv: Kv,

    /// How activations are held in matrix products [default: q16 for small models, else q8].
    #[arg(long, value_enum)]
    activations: Option<Activations>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kv {
    F16,
    F32,
    #[value(name = "q8_0")]
    Q8,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Activations {
    Q8,
    Q16,
    F32,
}

impl SessionArguments {
    /// Options of a session of `context` tokens; 0 for the engine's default.
    pub(crate) fn options(&self, context: usize) -> SessionOptions {
        SessionOptions {
            context,
            kv_format: match self.kv {
                Kv::F16 => KvFormat::F16,
                Kv::F32 => KvFormat::F32,
                Kv::Q8 => KvFormat::Q8_0,
            },
            precision: self.activations.map(|activations| match activations {
                Activations::Q8 => Precision::Q8,
                Activations::Q16 => Precision::Q16,
                Activations::F32 => Precision::F32,
            }),
            ..SessionOptions::default()
        }
    }

    /// A session of `context` tokens; 0 for the engine's default.
    pub(crate) fn open(&self, model: &Arc<Model>, context: usize) -> Result<Session, Failure> {
        Ok(Session::new(model.clone(), self.options(context))?)
    }
}
