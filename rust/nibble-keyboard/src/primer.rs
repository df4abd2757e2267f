//! Style primers: a few lines in the genre of a field, which the model reads before the text.
//!
//! A model of all kinds of text first has to find out which kind it has before it. A primer of some hundred
//! tokens tells it; its keys and values stay pinned at the beginning of the KV cache, so a word costs no
//! more with it than without.

use std::sync::Arc;

use crate::field::FieldKind;

/// The primers of all fields. Each is plain text that ends where a new line of the same genre could begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Primers {
    /// For messages, and fields of which nothing is known.
    pub message: Arc<str>,
    /// For e-mail.
    pub email: Arc<str>,
    /// For notes and documents.
    pub note: Arc<str>,
    /// For search boxes.
    pub search: Arc<str>,
}

impl Default for Primers {
    fn default() -> Self {
        Primers {
            message: include_str!("../primers/message.txt").into(),
            email: include_str!("../primers/email.txt").into(),
            note: include_str!("../primers/note.txt").into(),
            search: include_str!("../primers/search.txt").into(),
        }
    }
}

impl Primers {
    /// No primer for any field.
    pub fn none() -> Primers {
        Primers::same("")
    }

    /// The same primer for every field.
    pub fn same(text: &str) -> Primers {
        let text: Arc<str> = text.into();
        Primers {
            message: text.clone(),
            email: text.clone(),
            note: text.clone(),
            search: text,
        }
    }

    /// The primer of a field; empty for fields that have none.
    pub fn of(&self, field: FieldKind) -> &Arc<str> {
        match field {
            FieldKind::Email => &self.email,
            FieldKind::Note => &self.note,
            FieldKind::Search => &self.search,
            // Fields without predictions never ask.
            _ => &self.message,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nibble::{Model, ModelOptions, SpecialTokens};

    #[test]
    fn default_primers_are_short_and_of_their_own() {
        let options = ModelOptions {
            threads: 1,
            ..Default::default()
        };
        let model = Model::open(nibble_testkit::smollm2(), &options).unwrap();
        let primers = Primers::default();
        let fields = [
            FieldKind::Message,
            FieldKind::Email,
            FieldKind::Note,
            FieldKind::Search,
        ];
        let mut seen = Vec::new();
        for field in fields {
            let primer = primers.of(field);
            let tokens = model
                .tokenizer()
                .encode(primer, SpecialTokens::AsText)
                .unwrap();
            assert!(
                (40..=200).contains(&tokens.len()),
                "{field:?}: {} tokens",
                tokens.len()
            );
            assert!(
                !seen.contains(&primer),
                "{field:?} has another field's primer"
            );
            seen.push(primer);
        }
        assert_eq!(primers.of(FieldKind::NoLearning), &primers.message);
    }
}
