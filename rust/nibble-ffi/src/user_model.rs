//! What this user types: theirs to see, take along and remove.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use nibble_keyboard::user_model as keyboard;

use crate::error::{NibbleError, Result};
use crate::model::count;

/// How much a user model keeps.
#[derive(Debug, Clone, uniffi::Record)]
pub struct UserModelBounds {
    /// Words, at most.
    #[uniffi(default = 10000)]
    pub max_words: u32,
    /// Pairs of words, at most.
    #[uniffi(default = 30000)]
    pub max_pairs: u32,
    /// Size of the file in bytes: it is compacted once it has grown beyond.
    #[uniffi(default = 4194304)]
    pub max_bytes: u64,
}

fn bounds(bounds: Option<UserModelBounds>) -> keyboard::Bounds {
    bounds.map_or_else(keyboard::Bounds::default, |bounds| keyboard::Bounds {
        max_words: bounds.max_words as usize,
        max_pairs: bounds.max_pairs as usize,
        max_bytes: bounds.max_bytes,
    })
}

/// A word that the user has typed.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct UserWord {
    /// As the user spells it.
    pub word: String,
    /// How often it was typed.
    pub uses: u32,
    /// When it was last typed, in seconds since 1970.
    pub last_used: i64,
    /// Whether a correction of it was undone.
    pub reverted: bool,
}

/// What this user types. Once a completer was made with it, the completer learns into it, and this object goes
/// on showing and changing it; it ends with the completer.
#[derive(uniffi::Object)]
pub struct UserModel {
    home: Mutex<Home>,
}

/// Where the words are.
enum Home {
    Here(Box<keyboard::UserModel>),
    Completer(Weak<nibble_keyboard::Completer>),
    Released,
}

impl UserModel {
    fn of(model: keyboard::UserModel) -> Arc<UserModel> {
        Arc::new(UserModel {
            home: Mutex::new(Home::Here(Box::new(model))),
        })
    }

    /// Makes a completer that has the words.
    ///
    /// # Errors
    /// `InUse` where another completer has them, `Closed`.
    pub(crate) fn move_into(
        &self,
        make: impl FnOnce(keyboard::UserModel) -> Arc<nibble_keyboard::Completer>,
    ) -> Result<Arc<nibble_keyboard::Completer>> {
        let mut home = self.lock();
        match std::mem::replace(&mut *home, Home::Released) {
            Home::Here(model) => {
                let completer = make(*model);
                *home = Home::Completer(Arc::downgrade(&completer));
                Ok(completer)
            }
            Home::Completer(completer) if completer.strong_count() > 0 => {
                *home = Home::Completer(completer);
                Err(NibbleError::InUse {
                    code: "in_use".to_owned(),
                    detail: "the user model belongs to another completer".to_owned(),
                    file: String::new(),
                })
            }
            Home::Completer(_) | Home::Released => Err(NibbleError::closed("user model")),
        }
    }

    fn with<R>(
        &self,
        work: impl FnOnce(&mut keyboard::UserModel) -> Result<R, keyboard::UserModelError>,
    ) -> Result<R> {
        let closed = || NibbleError::closed("user model");
        match &mut *self.lock() {
            Home::Here(model) => Ok(work(model)?),
            Home::Completer(completer) => {
                let completer = completer.upgrade().ok_or_else(closed)?;
                Ok(completer.with_user_model(work).ok_or_else(closed)??)
            }
            Home::Released => Err(closed()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Home> {
        self.home.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[uniffi::export]
impl UserModel {
    /// Opens or creates the model at `path`. One object at a time may write to a file: others get `InUse`.
    #[uniffi::constructor(default(limits = None))]
    pub fn open(path: String, limits: Option<UserModelBounds>) -> Result<Arc<UserModel>> {
        Ok(UserModel::of(keyboard::UserModel::open(
            path,
            bounds(limits),
        )?))
    }

    /// Reads the model at `path`, which may be in use by a writer. Whatever would change it fails with
    /// `ReadOnly`.
    #[uniffi::constructor]
    pub fn open_read_only(path: String) -> Result<Arc<UserModel>> {
        Ok(UserModel::of(keyboard::UserModel::open_read_only(path)?))
    }

    /// A model that is never stored.
    #[uniffi::constructor(default(limits = None))]
    pub fn in_memory(limits: Option<UserModelBounds>) -> Result<Arc<UserModel>> {
        Ok(UserModel::of(keyboard::UserModel::in_memory(bounds(
            limits,
        ))))
    }

    /// The words that contain `part` (all for an empty one), in alphabetical order.
    #[uniffi::method(default(part = ""))]
    pub fn words(&self, part: &str) -> Result<Vec<UserWord>> {
        let words = self.with(|model| Ok(model.words(part)))?;
        let words = words.into_iter().map(|word| UserWord {
            word: word.word,
            uses: word.uses,
            last_used: word.last_used,
            reverted: word.reverted,
        });
        Ok(words.collect())
    }

    /// Number of words.
    pub fn word_count(&self) -> Result<u32> {
        self.with(|model| Ok(count(model.len())))
    }

    /// Forgets a word, in the file as well. Says whether it was there.
    pub fn remove(&self, word: &str) -> Result<bool> {
        self.with(|model| model.remove(word))
    }

    /// Forgets everything, in the file as well.
    pub fn erase(&self) -> Result<()> {
        self.with(keyboard::UserModel::erase)
    }

    /// Everything as text, for `import_text` and for people.
    pub fn export_text(&self) -> Result<String> {
        self.with(|model| Ok(model.export()))
    }

    /// Adds what an export says to what is known. Gives the number of facts; nothing is imported where it fails.
    pub fn import_text(&self, text: &str) -> Result<u32> {
        self.with(|model| Ok(count(model.import(text)?)))
    }

    /// Forces what was learned to the disk, against a power failure.
    pub fn sync(&self) -> Result<()> {
        self.with(|model| model.sync())
    }

    /// Gives the model and its file up, unless a completer has it: then the completer keeps it.
    pub fn release(&self) -> Result<()> {
        *self.lock() = Home::Released;
        Ok(())
    }
}
