//! Models: opening them, and what they say about themselves.

use std::path::Path;
use std::sync::Arc;

use nibble::SpecialTokens;
use nibble::backend::Precision;
use nibble::gguf::{Gguf, Value};

use crate::backend::{BackendChoice, BackendStatus};
use crate::descriptor;
use crate::error::{NibbleError, Result};
use crate::lexicon::Lexicon;
use crate::session::{Session, SessionOptions};
use crate::shared::Shared;

/// How the inputs of matrix products are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum Activations {
    /// 8 bits: fastest.
    Q8,
    /// Twice 8 bits: nearly exact.
    Q16,
    /// 32-bit floating point: exact.
    F32,
}

impl From<Activations> for Precision {
    fn from(activations: Activations) -> Precision {
        match activations {
            Activations::Q8 => Precision::Q8,
            Activations::Q16 => Precision::Q16,
            Activations::F32 => Precision::F32,
        }
    }
}

/// How a session stores keys and values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum KvFormat {
    /// 16-bit floating point.
    F16,
    /// 32-bit floating point.
    F32,
    /// 8 bits, with a scale for every 32 values.
    Q8,
}

impl From<KvFormat> for nibble::KvFormat {
    fn from(format: KvFormat) -> nibble::KvFormat {
        match format {
            KvFormat::F16 => nibble::KvFormat::F16,
            KvFormat::F32 => nibble::KvFormat::F32,
            KvFormat::Q8 => nibble::KvFormat::Q8_0,
        }
    }
}

/// How urgently the threads that compute want a core while others want it, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum Priority {
    /// As the system has it.
    Normal,
    /// Somebody waits for the result. Where the system does not allow it, it is as `Normal`; Android and Apple's systems do.
    Interactive,
}

impl From<Priority> for nibble::Priority {
    fn from(priority: Priority) -> nibble::Priority {
        match priority {
            Priority::Normal => nibble::Priority::Normal,
            Priority::Interactive => nibble::Priority::Interactive,
        }
    }
}

/// How a model is opened.
#[derive(Debug, Clone, Default, uniffi::Record)]
pub struct ModelOptions {
    /// Threads that compute, the caller's included; 0 for one on each big core.
    #[uniffi(default = 0)]
    pub threads: u32,
    /// How urgently they want a core while others want it, too; none for `Interactive`. The caller's thread has its own
    /// priority back after each pass.
    #[uniffi(default = None)]
    pub priority: Option<Priority>,
    /// Tokens that sessions hold unless they ask for others; 0 for 4096 or what the model allows, whichever
    /// is less.
    #[uniffi(default = 0)]
    pub context: u32,
    /// How sessions hold activations unless they ask for another way; none for what suits the model's size.
    #[uniffi(default = None)]
    pub activations: Option<Activations>,
    /// How sessions store keys and values unless they ask for another way; none for 16 bits.
    #[uniffi(default = None)]
    pub kv_format: Option<KvFormat>,
    /// Bytes that the model and one session may take: opening fails with `MemoryLimit` where
    /// [`MemoryEstimate::total`] is more.
    #[uniffi(default = None)]
    pub memory_limit: Option<u64>,
    /// What runs the network; none for our own kernels. Where the chosen one fails, those go on, and [`Model::backend`]
    /// says why. One that this build does not have is an `InvalidArgument`.
    #[uniffi(default = None)]
    pub backend: Option<BackendChoice>,
}

impl ModelOptions {
    /// What a session asks for, filled in.
    pub(crate) fn session(&self, options: SessionOptions) -> nibble::SessionOptions {
        let context = match options.context {
            0 => self.context,
            context => context,
        };
        let kv_format = options
            .kv_format
            .or(self.kv_format)
            .unwrap_or(KvFormat::F16);
        let activations = options.activations.or(self.activations);
        nibble::SessionOptions {
            context: context as usize,
            kv_format: kv_format.into(),
            precision: activations.map(Into::into),
            ..nibble::SessionOptions::default()
        }
    }
}

/// Bytes of memory that a model with one session takes when the session's context is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Record)]
pub struct MemoryEstimate {
    /// Weights: pages of the mapped file, which the system can drop and read again.
    pub mapped: u64,
    /// Keys and values of a full context.
    pub kv_cache: u64,
    /// Buffers of a forward pass.
    pub buffers: u64,
    /// All of it.
    pub total: u64,
}

impl From<nibble::MemoryEstimate> for MemoryEstimate {
    fn from(estimate: nibble::MemoryEstimate) -> MemoryEstimate {
        MemoryEstimate {
            mapped: estimate.mapped,
            kv_cache: estimate.kv_cache,
            buffers: estimate.buffers,
            total: estimate.total(),
        }
    }
}

/// What a model says about itself.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct ModelInfo {
    /// The file.
    pub file: String,
    /// Size of the file in bytes.
    pub bytes: u64,
    /// Its name; empty where the file has none.
    pub name: String,
    /// The network, such as `llama`.
    pub architecture: String,
    /// Number of weights.
    pub parameters: u64,
    /// Number of tokens of the vocabulary.
    pub vocabulary: u32,
    /// Positions that the model may see.
    pub context_length: u32,
    /// Transformer layers.
    pub layers: u32,
}

/// The `general.name` of a file; empty where there is none.
pub(crate) fn name_of(gguf: &Gguf) -> String {
    text_of(gguf, "general.name")
}

/// What a file says of itself under `key`; empty where it says nothing.
pub(crate) fn text_of(gguf: &Gguf, key: &str) -> String {
    match gguf.metadata().get(key) {
        Some(Value::String(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
        _ => String::new(),
    }
}

/// Number of weights of a file.
pub(crate) fn parameters_of(gguf: &Gguf) -> u64 {
    gguf.tensors().map(|tensor| tensor.elements() as u64).sum()
}

/// A model, mapped and immutable; any number of sessions and completers share it.
#[derive(uniffi::Object)]
pub struct Model {
    model: Shared<nibble::Model>,
    options: ModelOptions,
}

impl Model {
    pub(crate) fn get(&self) -> Result<Arc<nibble::Model>> {
        self.model.get()
    }

    fn from_gguf(gguf: Gguf, options: Option<ModelOptions>) -> Result<Arc<Model>> {
        let options = options.unwrap_or_default();
        if let Some(limit) = options.memory_limit {
            let session = options.session(SessionOptions::default());
            let needed = nibble::MemoryEstimate::of(&gguf, &session)?.total();
            if needed > limit {
                let file = gguf.file().to_string_lossy().into_owned();
                return Err(NibbleError::MemoryLimit {
                    code: "memory_limit".to_owned(),
                    detail: format!("{file}: needs {needed} bytes of memory, the limit is {limit}"),
                    file,
                    needed,
                    available: limit,
                });
            }
        }
        let engine = nibble::ModelOptions {
            threads: options.threads as usize,
            priority: options.priority.map(Into::into).unwrap_or_default(),
            backend: options.backend.unwrap_or(BackendChoice::Cpu).into(),
            ..nibble::ModelOptions::default()
        };
        let model = Arc::new(nibble::Model::from_gguf(gguf, &engine)?);
        Ok(Arc::new(Model {
            model: Shared::new("model", model),
            options,
        }))
    }
}

#[uniffi::export]
impl Model {
    /// Maps the GGUF file at `path` and checks all that it says; nothing is copied. A prepared form of it that lies
    /// beside it is taken in its place. The file must not be
    /// changed while the model is open; replace it by renaming another over it.
    #[uniffi::constructor(default(options = None))]
    pub fn open(path: String, options: Option<ModelOptions>) -> Result<Arc<Model>> {
        Model::from_gguf(nibble::prepared::open(Path::new(&path))?, options)
    }

    /// Maps `length` bytes from byte `offset` of an open descriptor: a model that lies uncompressed in another
    /// file, such as an Android package. The descriptor stays the caller's and may be closed afterwards;
    /// `name` stands for the file in errors.
    #[uniffi::constructor(default(options = None))]
    pub fn open_descriptor(
        descriptor: i32,
        offset: u64,
        length: u64,
        name: String,
        options: Option<ModelOptions>,
    ) -> Result<Arc<Model>> {
        let owned = descriptor::duplicate(descriptor, &name)?;
        Model::from_gguf(
            Gguf::open_fd(owned, offset, length, Path::new(&name))?,
            options,
        )
    }

    /// What the model says about itself.
    pub fn info(&self) -> Result<ModelInfo> {
        let model = self.model.get()?;
        let (gguf, hparams) = (model.gguf(), model.hparams());
        Ok(ModelInfo {
            file: gguf.file().to_string_lossy().into_owned(),
            bytes: gguf.size_bytes(),
            name: name_of(gguf),
            architecture: hparams.architecture.name().to_owned(),
            parameters: parameters_of(gguf),
            vocabulary: count(hparams.vocabulary),
            context_length: count(hparams.context_length),
            layers: count(hparams.layers),
        })
    }

    /// The lexicons that its prepared file holds, sorted by language and mapped with it; none where it holds none.
    pub fn lexicons(&self) -> Result<Vec<Arc<Lexicon>>> {
        let model = self.model.get()?;
        let lexicons = nibble_keyboard::Lexicon::all_in(model.gguf())
            .map_err(|error| NibbleError::lexicon(&model.gguf().file().to_string_lossy(), error))?;
        Ok(lexicons.into_iter().map(Lexicon::of).collect())
    }

    /// What runs the network now.
    pub fn backend(&self) -> Result<BackendStatus> {
        Ok(BackendStatus::of(self.model.get()?.backend()))
    }

    /// Bytes of memory that the model with one session of these options takes.
    #[uniffi::method(default(options = None))]
    pub fn memory_estimate(&self, options: Option<SessionOptions>) -> Result<MemoryEstimate> {
        let options = self.options.session(options.unwrap_or_default());
        let model = self.model.get()?;
        Ok(nibble::MemoryEstimate::of(model.gguf(), &options)?.into())
    }

    /// An empty session.
    #[uniffi::method(default(options = None))]
    pub fn new_session(&self, options: Option<SessionOptions>) -> Result<Arc<Session>> {
        let options = self.options.session(options.unwrap_or_default());
        Session::new(self.model.get()?, options)
    }

    /// The tokens of a text. `parse_special_tokens` reads the names of special tokens, such as `<|im_end|>`,
    /// as those tokens; leave it off for what users typed.
    pub fn encode(&self, text: &str, parse_special_tokens: bool) -> Result<Vec<u32>> {
        let special = special_tokens(parse_special_tokens);
        Ok(self.model.get()?.tokenizer().encode(text, special)?)
    }

    /// The text of tokens.
    pub fn decode(&self, tokens: Vec<u32>) -> Result<String> {
        Ok(self.model.get()?.tokenizer().decode(&tokens)?)
    }

    /// Gives the model up; sessions and completers that were made with it keep it until they are released.
    pub fn release(&self) -> Result<()> {
        self.model.release();
        Ok(())
    }
}

pub(crate) fn special_tokens(parse: bool) -> SpecialTokens {
    if parse {
        SpecialTokens::Parse
    } else {
        SpecialTokens::AsText
    }
}

/// A count as it crosses; more than four thousand million is never meant.
pub(crate) fn count(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
