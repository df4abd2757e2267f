//! What kind of text field is being typed into, and what that allows.

use serde::{Deserialize, Serialize};

/// The kind of a text field, as far as typing differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FieldKind {
    /// A chat or text message; also where nothing is known.
    #[default]
    Message,
    /// The body or subject of an e-mail.
    Email,
    /// Notes and documents.
    Note,
    /// A search box.
    Search,
    /// A web or e-mail address: its parts are no words.
    Url,
    /// Digits.
    Number,
    /// Secret: the engine is off, no context is kept and nothing is stored.
    Password,
    /// Incognito: predictions as in a message, but nothing is stored.
    NoLearning,
}

impl FieldKind {
    /// Whether words are suggested at all.
    pub fn suggests(self) -> bool {
        !matches!(self, FieldKind::Password | FieldKind::Number)
    }

    /// Whether a mistyped word may be replaced without being asked for.
    pub fn corrects(self) -> bool {
        matches!(
            self,
            FieldKind::Message | FieldKind::Email | FieldKind::Note | FieldKind::NoLearning
        )
    }

    /// Whether sentences begin with a capital by themselves.
    pub fn capitalizes(self) -> bool {
        self.corrects()
    }

    /// Whether what is typed may be remembered.
    pub fn learns(self) -> bool {
        !matches!(
            self,
            FieldKind::Password | FieldKind::NoLearning | FieldKind::Number | FieldKind::Url
        )
    }

    /// Whether the text is secret: nothing of it may reach the engine.
    pub fn is_secure(self) -> bool {
        self == FieldKind::Password
    }
}
