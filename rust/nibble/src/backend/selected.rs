//! The backend that a model was opened with, and the CPU, which takes over when that fails.

#[cfg(feature = "candle")]
use std::sync::{Arc, Mutex, PoisonError};

use std::sync::atomic::AtomicBool;

use nibble_kernels::Cpu;

use crate::Result;
use crate::backend::available::{self, BackendChoice, BackendKind};
#[cfg(feature = "candle")]
use crate::backend::candle::{self, CandleBackend};
use crate::backend::cpu::CpuBackend;
use crate::backend::{Precision, Scratch, SequenceInput};
#[cfg(feature = "candle")]
use crate::{
    Error, KvCache, KvFormat,
    backend::{Device, HeadRows},
    sampler::kl_divergence,
};

/// Why a chosen backend does not run any more, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FallbackCause {
    /// The device or the weights could not be had.
    NotLoaded,
    /// A pass failed.
    Failed,
    /// On the probe, its logits were others than the CPU's.
    Disagreed,
}

impl FallbackCause {
    /// The name in `snake_case`.
    pub fn name(self) -> &'static str {
        match self {
            FallbackCause::NotLoaded => "not_loaded",
            FallbackCause::Failed => "failed",
            FallbackCause::Disagreed => "disagreed",
        }
    }
}

/// Why a chosen backend does not run any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fallback {
    /// In one word.
    pub cause: FallbackCause,
    /// In a sentence.
    pub reason: String,
}

/// What runs a model's network: the CPU, or the backend that was chosen with the CPU behind it.
///
/// A chosen backend is probed before its first pass in each arithmetic (exact, quantized): a short text goes through
/// it and through the CPU. Where it fails, there or later, or its logits are others, it is dropped and freed; the
/// reason is kept ([`fallback`](Self::fallback)) and logged, and the CPU does that pass and all later ones. Keys and
/// values are in caches that both can read, so nothing is lost.
#[derive(Debug)]
pub struct Backend {
    cpu: CpuBackend,
    #[cfg(feature = "candle")]
    candle: Mutex<Candle>,
    /// Tokens of the text that a chosen backend is probed with.
    #[cfg(feature = "candle")]
    probe: Vec<u32>,
}

/// Candle as far as it was chosen.
#[cfg(feature = "candle")]
#[derive(Debug, Default)]
struct Candle {
    /// `None` where it was not chosen, or was dropped.
    backend: Option<Arc<CandleBackend>>,
    /// Whether its exact and its quantized arithmetic have passed the probe.
    is_probed: [bool; 2],
    fallback: Option<Fallback>,
}

/// How far the distributions of a chosen backend may be from the CPU's in single precision, in mean KL divergence: in
/// single precision, where both only round, and with activations of 8 bits.
#[cfg(feature = "candle")]
const MAX_DIVERGENCE: [f64; 2] = [1e-4, 0.05];

impl Backend {
    /// Opens the chosen backend over the weights of `cpu`. `probe` are the tokens of a short text.
    ///
    /// # Errors
    /// `Backend` for one that this build does not have.
    pub(crate) fn new(cpu: CpuBackend, choice: BackendChoice, probe: Vec<u32>) -> Result<Backend> {
        if let BackendChoice::Candle(device) = choice {
            available::check_build(device)?;
        }
        #[cfg(feature = "candle")]
        return Ok(Backend {
            candle: Mutex::new(open(&cpu, choice)),
            cpu,
            probe,
        });
        #[cfg(not(feature = "candle"))]
        {
            // Only the CPU is left, which needs no probe.
            drop(probe);
            Ok(Backend { cpu })
        }
    }

    /// The CPU's own backend, which is always there.
    pub fn cpu_backend(&self) -> &CpuBackend {
        &self.cpu
    }

    /// Kernels and threads of the CPU.
    pub fn cpu(&self) -> &Cpu {
        self.cpu.cpu()
    }

    /// What runs the next pass, unless it fails.
    pub fn kind(&self) -> BackendKind {
        #[cfg(feature = "candle")]
        if self.candle().backend.is_some() {
            return BackendKind::Candle;
        }
        BackendKind::Cpu
    }

    /// Why the chosen backend does not run any more; `None` while it does.
    pub fn fallback(&self) -> Option<Fallback> {
        #[cfg(feature = "candle")]
        return self.candle().fallback.clone();
        #[cfg(not(feature = "candle"))]
        None
    }

    /// Runs the new tokens of every sequence through the network: prefill, decode, batches of sequences and
    /// restricted heads are all this function. Keys and values join the caches; logits are left in
    /// `scratch`, in the order in which the batch asks for them. `cancel` is polled between work items,
    /// inside every matrix product; on candle between layers.
    ///
    /// # Errors
    /// `Cancelled`, `ContextFull`, `InvalidToken`, `InvalidArgument`, `OutOfMemory`; `FileChanged`, and `Io` where the file's
    /// length cannot be asked for. No sequence has advanced then.
    pub fn forward(
        &self,
        batch: &mut [SequenceInput<'_>],
        precision: Precision,
        scratch: &mut Scratch,
        cancel: &AtomicBool,
    ) -> Result<()> {
        #[cfg(feature = "candle")]
        if let Some(candle) = self.probed_candle(precision, cancel)? {
            self.cpu.gguf().check_unchanged()?;
            match candle.forward(batch, precision, scratch, cancel) {
                Err(error @ Error::Backend { .. }) => {
                    self.drop_candle(FallbackCause::Failed, available::reason(&error));
                }
                done => return done,
            }
        }
        self.cpu.forward(batch, precision, scratch, cancel)
    }

    /// [`CpuBackend::forward_observed`]: always on the CPU.
    ///
    /// # Errors
    /// As there.
    pub fn forward_observed(
        &self,
        batch: &mut [SequenceInput<'_>],
        precision: Precision,
        scratch: &mut Scratch,
        cancel: &AtomicBool,
        observe: &mut dyn FnMut(usize, &[f32]),
    ) -> Result<()> {
        self.cpu
            .forward_observed(batch, precision, scratch, cancel, observe)
    }
}

#[cfg(feature = "candle")]
impl Backend {
    fn candle(&self) -> std::sync::MutexGuard<'_, Candle> {
        self.candle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Candle, where it was chosen and computes what the CPU does.
    ///
    /// # Errors
    /// What ends a pass on the CPU too: `Cancelled`, `OutOfMemory`, `FileChanged`.
    fn probed_candle(
        &self,
        precision: Precision,
        cancel: &AtomicBool,
    ) -> Result<Option<Arc<CandleBackend>>> {
        let arithmetic = usize::from(precision != Precision::F32);
        let (backend, is_probed) = {
            let candle = self.candle();
            (candle.backend.clone(), candle.is_probed)
        };
        let Some(backend) = backend else {
            return Ok(None);
        };
        if is_probed.get(arithmetic) == Some(&true) {
            return Ok(Some(backend));
        }

        let expected =
            self.probe(|batch, scratch| self.cpu.forward(batch, Precision::F32, scratch, cancel))?;
        let found = self.probe(|batch, scratch| backend.forward(batch, precision, scratch, cancel));
        let found = match found {
            Ok(found) => found,
            Err(error @ Error::Backend { .. }) => {
                self.drop_candle(FallbackCause::Failed, available::reason(&error));
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let divergence = mean_kl_divergence(&expected, &found, self.cpu.hparams().vocabulary);
        let limit = MAX_DIVERGENCE.get(arithmetic).copied().unwrap_or_default();
        log::debug!("candle's logits diverge by {divergence:.2e} from the CPU's");
        // What is not a number is not below the limit.
        if divergence <= limit {
            if let Some(is_probed) = self.candle().is_probed.get_mut(arithmetic) {
                *is_probed = true;
            }
            return Ok(Some(backend));
        }
        let reason = format!(
            "its logits diverge by {divergence:.2e} from the CPU's, where {limit:.0e} is allowed"
        );
        self.drop_candle(FallbackCause::Disagreed, reason);
        Ok(None)
    }

    /// Logits at every position of the probe, as `forward` computes them, one after the other.
    fn probe(
        &self,
        forward: impl FnOnce(&mut [SequenceInput<'_>], &mut Scratch) -> Result<()>,
    ) -> Result<Vec<f32>> {
        let mut cache = KvCache::new(self.cpu.hparams(), KvFormat::F32, self.probe.len())?;
        let mut scratch = Scratch::default();
        let heads: Vec<_> = (0..self.probe.len())
            .map(|index| (index, HeadRows::All))
            .collect();
        let sequence = SequenceInput {
            cache: &mut cache,
            tokens: &self.probe,
            heads: &heads,
        };
        forward(&mut [sequence], &mut scratch)?;
        Ok(scratch.logits)
    }

    fn drop_candle(&self, cause: FallbackCause, reason: String) {
        let mut candle = self.candle();
        // Of two passes at once that fail, the first tells.
        if candle.backend.take().is_some() {
            candle.fallback = Some(fallback(cause, reason));
        }
    }
}

#[cfg(feature = "candle")]
fn fallback(cause: FallbackCause, reason: String) -> Fallback {
    log::warn!("candle is not used, the CPU is: {reason}");
    Fallback { cause, reason }
}

#[cfg(feature = "candle")]
fn open(cpu: &CpuBackend, choice: BackendChoice) -> Candle {
    let load = |device| {
        let device = candle::open_device(device)?;
        CandleBackend::load(cpu.weights(), cpu.hparams(), device)
    };
    let loaded = match choice {
        BackendChoice::Cpu => return Candle::default(),
        BackendChoice::Candle(device) => load(device),
        BackendChoice::Auto => {
            let is_usable = |device: &Device| {
                available::check_build(*device).is_ok() && candle::open_device(*device).is_ok()
            };
            match [Device::Metal, Device::Cuda].into_iter().find(is_usable) {
                Some(device) => load(device),
                None => return Candle::default(),
            }
        }
    };
    match loaded {
        Ok(backend) => Candle {
            backend: Some(Arc::new(backend)),
            ..Candle::default()
        },
        Err(error) => Candle {
            fallback: Some(fallback(
                FallbackCause::NotLoaded,
                available::reason(&error),
            )),
            ..Candle::default()
        },
    }
}

/// `sum(p ln(p / q))` of the distributions of `expected` and `found`, `[positions, vocabulary]` each, on average over
/// positions.
#[cfg(feature = "candle")]
fn mean_kl_divergence(expected: &[f32], found: &[f32], vocabulary: usize) -> f64 {
    let rows = expected
        .chunks_exact(vocabulary)
        .zip(found.chunks_exact(vocabulary));
    let divergences: Vec<f64> = rows
        .map(|(expected, found)| kl_divergence(expected, found))
        .collect();
    divergences.iter().sum::<f64>() / divergences.len() as f64
}

#[cfg(feature = "candle")]
#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Gguf, Hparams};

    fn cpu() -> CpuBackend {
        let gguf = Gguf::open(nibble_testkit::fixture("llama-tiny/model-q8_0.gguf")).unwrap();
        let hparams = Hparams::from_gguf(&gguf).unwrap();
        CpuBackend::new(gguf, hparams, Cpu::new(1)).unwrap()
    }

    fn logits(forward: impl FnOnce(&mut [SequenceInput<'_>], &mut Scratch)) -> Vec<f32> {
        let mut cache = KvCache::new(cpu().hparams(), KvFormat::F32, 8).unwrap();
        let mut scratch = Scratch::default();
        let sequence = SequenceInput {
            cache: &mut cache,
            tokens: &[1, 2, 3],
            heads: &[(2, HeadRows::All)],
        };
        forward(&mut [sequence], &mut scratch);
        assert_eq!(cache.len(), 3);
        scratch.logits(0).unwrap().to_vec()
    }

    #[test]
    fn a_pass_that_fails_is_done_by_the_cpu_and_all_later_ones_too() {
        let not_cancelled = AtomicBool::new(false);
        let on_cpu = logits(|batch, scratch| {
            cpu()
                .forward(batch, Precision::F32, scratch, &not_cancelled)
                .unwrap();
        });
        for is_probed in [false, true] {
            let cpu = cpu();
            // More dimensions to rotate than a head has: candle cannot cut them out.
            let mut wrong = cpu.hparams().clone();
            wrong.rope.dims = 2 * wrong.head_dim;
            let candle = CandleBackend::load(
                cpu.weights(),
                &wrong,
                candle::open_device(Device::Cpu).unwrap(),
            );
            let backend = Backend {
                cpu,
                candle: Mutex::new(Candle {
                    backend: Some(Arc::new(candle.unwrap())),
                    is_probed: [is_probed; 2],
                    fallback: None,
                }),
                probe: vec![4, 5],
            };
            assert_eq!(backend.kind(), BackendKind::Candle);
            for _ in 0..2 {
                let found = logits(|batch, scratch| {
                    backend
                        .forward(batch, Precision::F32, scratch, &not_cancelled)
                        .unwrap();
                });
                assert!(found == on_cpu, "the same bits");
                assert_eq!(backend.kind(), BackendKind::Cpu);
                let fallback = backend.fallback().unwrap();
                assert_eq!(fallback.cause, FallbackCause::Failed);
                assert!(fallback.reason.contains("narrow"), "{}", fallback.reason);
            }
        }
    }

    #[test]
    fn what_is_no_number_diverges() {
        let (p, q) = ([0.5_f32.ln(); 2], [0.25_f32.ln(), 0.75_f32.ln()]);
        let expected = 0.5 * (0.5_f64 / 0.25).ln() + 0.5 * (0.5_f64 / 0.75).ln();
        assert!((mean_kl_divergence(&p, &q, 2) - expected).abs() < 1e-6);
        assert_eq!(mean_kl_divergence(&p, &p, 2), 0.0);
        assert!(mean_kl_divergence(&p, &[f32::NAN, 0.0], 2).is_nan());
        assert!(mean_kl_divergence(&[], &[], 2).is_nan());
    }
}
