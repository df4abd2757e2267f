//! A model file, opened: immutable and shared by every session.

use std::path::Path;

use nibble_kernels::{BigCores, Cpu, Kernels, KvFormat, Priority, ThreadPool};

use crate::backend::cpu::CpuBackend;
use crate::backend::{Backend, BackendChoice};
use crate::gguf::Gguf;
use crate::hparams::Hparams;
use crate::kv_cache::KvCache;
use crate::prepared;
use crate::tokenizer::{SpecialTokens, Tokenizer};
use crate::{Error, Result};

/// How a model is opened.
#[derive(Debug, Clone, Default)]
pub struct ModelOptions {
    /// Threads that compute, the caller's included; 0 for one on each [big core](BigCores).
    pub threads: usize,
    /// How urgently they want a core while others want it, too. The caller's thread has its own priority back after each pass.
    pub priority: Priority,
    /// The instruction set; `None` for the best one that this CPU has.
    pub kernels: Option<Kernels>,
    /// Open the named file even where a [prepared] one lies beside it.
    pub ignore_prepared: bool,
    /// What runs the network. Where that fails, the CPU does, and [`Backend::fallback`] says why.
    pub backend: BackendChoice,
}

/// What a chosen backend is probed with: a few words that every model has an opinion on.
const PROBE: &str = "The weather is nice today, so we will";

/// A model: sizes, tokenizer and weights. The weights are views of the mapped file, so opening costs no copy
/// and the system may drop and reload their pages. `Send` and `Sync`; share it in an
/// [`Arc`](std::sync::Arc).
#[derive(Debug)]
pub struct Model {
    tokenizer: Tokenizer,
    backend: Backend,
}

impl Model {
    /// Maps the file at `path` (every part of a split model) and checks all that it says. If a
    /// [prepared] form of it lies beside it, that is taken.
    ///
    /// The file must not be changed while the model is open. A file that became shorter is noticed before
    /// each pass (`FileChanged`); one that shrinks during a pass ends the process with SIGBUS, which no
    /// library can prevent.
    ///
    /// # Errors
    /// `Io` for a file that cannot be opened, `NotGguf`, `Truncated` and `Malformed` for one that is not
    /// whole, the `Unsupported` kinds for what this engine does not run, and `Backend` for a backend that this build
    /// does not have.
    pub fn open(path: impl AsRef<Path>, options: &ModelOptions) -> Result<Model> {
        let path = path.as_ref();
        if options.ignore_prepared {
            return Model::from_gguf(Gguf::open(path)?, options);
        }
        Model::from_gguf(prepared::open(path)?, options)
    }

    /// Opens a parsed file, such as one from [`Gguf::open_fd`].
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn from_gguf(gguf: Gguf, options: &ModelOptions) -> Result<Model> {
        let hparams = Hparams::from_gguf(&gguf)?;
        let tokenizer = Tokenizer::from_gguf(&gguf)?;
        if tokenizer.vocabulary_size() > hparams.vocabulary {
            return Err(Error::InvalidTensor {
                file: gguf.file().to_path_buf(),
                tensor: "token_embd.weight".to_owned(),
                expected: format!("a row for each of {} tokens", tokenizer.vocabulary_size()),
                found: format!("{} rows", hparams.vocabulary),
            });
        }
        let cores = BigCores::detect();
        let threads = match options.threads {
            0 => cores.count(),
            threads => threads,
        };
        let pool = ThreadPool::placed(threads, &cores, options.priority);
        let cpu = Cpu::with_pool(options.kernels.unwrap_or_else(Kernels::detect), pool);
        log::debug!(
            "model opened: {} layers, {} bytes, {:?}, {} threads",
            hparams.layers,
            gguf.size_bytes(),
            cpu.kernels().instruction_set(),
            cpu.threads(),
        );
        let probe = match options.backend {
            BackendChoice::Cpu => Vec::new(),
            _ => tokenizer.encode_prompt(PROBE, SpecialTokens::AsText)?,
        };
        let backend = Backend::new(CpuBackend::new(gguf, hparams, cpu)?, options.backend, probe)?;
        Ok(Model { tokenizer, backend })
    }

    /// Text to tokens and back.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// Sizes of the network.
    pub fn hparams(&self) -> &Hparams {
        self.backend.cpu_backend().hparams()
    }

    /// The file and its metadata.
    pub fn gguf(&self) -> &Gguf {
        self.backend.cpu_backend().gguf()
    }

    /// What runs the network.
    pub fn backend(&self) -> &Backend {
        &self.backend
    }

    /// Bytes of memory that a KV cache takes for each position, beside the mapped file.
    ///
    /// # Errors
    /// `InvalidArgument` for a format that does not fit the model's heads.
    pub fn kv_bytes_per_position(&self, format: KvFormat) -> Result<u64> {
        let cache = KvCache::new(self.hparams(), format, 1)?;
        Ok(cache.bytes_per_position() as u64)
    }
}
