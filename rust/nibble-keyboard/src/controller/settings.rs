//! What the user can set about typing.

use serde::{Deserialize, Serialize};

/// What the user can set about typing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Language of the text as a BCP 47 tag: spacing around punctuation, abbreviations, capitals.
    pub language: String,
    /// Suggestions in the strip; the typed word beside a pending correction is not counted.
    pub slots: usize,
    /// Whether a mistyped word is replaced when it ends.
    pub autocorrect: bool,
    /// Whether sentences begin with a capital by themselves.
    pub auto_capitals: bool,
    /// Whether two spaces in quick succession end a sentence.
    pub double_space: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            language: "en".to_owned(),
            slots: 3,
            autocorrect: true,
            auto_capitals: true,
            double_space: true,
        }
    }
}
