//! Words that the real model has no whole token for, and tokens that no lexicon has.
#![allow(clippy::unwrap_used, reason = "a test helper fails by panicking")]

use std::sync::Arc;

use nibble::{CancelHandle, Model, ModelOptions, Session, SessionOptions, SpecialTokens};
use nibble_keyboard::FieldKind;
use nibble_keyboard::boundary::Distribution;
use nibble_keyboard::model_words::ModelWords;
use nibble_keyboard::position::Join;
use nibble_keyboard::scorer::{Completions, ModelEvidence, Scorer, UserEvidence, Weights};
use nibble_keyboard::user_model::{Bounds, UserModel};
use nibble_keyboard::vocab_index::VocabIndex;
use nibble_keyboard::word_table::{Word, WordTable};

/// Words and how often they occur.
const WORDS: [(&str, f64); 9] = [
    ("the", 20000.0),
    ("see", 500.0),
    ("yesterday", 100.0),
    ("sounds", 90.0),
    ("yes", 300.0),
    ("Aviation", 4.0),
    ("Sous", 1.0),
    ("Sousa", 1.0),
    ("avid", 2.0),
];

struct Typist {
    model: Arc<Model>,
    index: VocabIndex,
    table: WordTable,
    words: ModelWords,
}

impl Typist {
    fn new() -> Typist {
        let options = ModelOptions {
            threads: 2,
            ..Default::default()
        };
        let model = Arc::new(Model::open(nibble_testkit::smollm2(), &options).unwrap());
        let index = VocabIndex::new(model.tokenizer());
        let words = WORDS.map(|(text, frequency)| Word {
            text,
            frequency,
            language: 0,
            offensive: false,
        });
        let table = WordTable::new(words.into_iter(), 1);
        let words = ModelWords::new(&table, &index, model.tokenizer()).unwrap();
        Typist {
            model,
            index,
            table,
            words,
        }
    }

    /// What the model expects behind `context`.
    fn expect(&self, context: &str) -> Distribution {
        let tokenizer = self.model.tokenizer();
        let tokens = tokenizer.encode(context, SpecialTokens::AsText).unwrap();
        let mut session = Session::new(self.model.clone(), SessionOptions::default()).unwrap();
        session.prefill(&tokens, &CancelHandle::new()).unwrap();
        Distribution::new(&self.index, session.logits().unwrap())
    }

    fn completions(
        &self,
        distribution: &Distribution,
        join: Join,
        user: Option<&UserModel>,
        typed: &str,
    ) -> Completions {
        let scorer = Scorer {
            table: &self.table,
            model: Some(ModelEvidence {
                index: &self.index,
                words: &self.words,
                distribution,
                join,
                inside_sentence: false,
            }),
            user: user.map(|model| UserEvidence::new(model, Some("tel"))),
            languages: &[1.0],
            weights: &Weights::default(),
        };
        scorer.completions(typed, 3)
    }
}

#[test]
fn a_word_without_a_token_of_its_own_is_expected_at_the_start_of_a_line() {
    let typist = Typist::new();
    let distribution = typist.expect("What about the party?\n");
    for number in 0..typist.table.len() {
        for join in [Join::Space, Join::Direct] {
            let probability = typist
                .words
                .probability(&typist.table, &distribution, join, number);
            assert!(
                probability > 0.0,
                "{:?} {join:?}",
                typist.table.spelling(number)
            );
        }
    }
    let found = typist.completions(&distribution, Join::Direct, None, "Sou");
    assert_eq!(found.words[0].text, "sounds");
}

#[test]
fn words_that_no_lexicon_has_count_among_all_that_begin_as_typed() {
    let typist = Typist::new();
    let distribution = typist.expect("He moved to Tel");
    let mut user = UserModel::in_memory(Bounds::default());
    for time in 0..4 {
        for word in ["Aviva", "yes", "Savion"] {
            user.observe(FieldKind::Message, &["tel"], word, time)
                .unwrap();
        }
    }
    for user in [None, Some(&user)] {
        for typed in [
            "", "A", "Av", "Avi", "Aviv", "S", "se", "see", "Y", "ye", "yes", "B", "of", "Pari",
            "Paris", "Th", "x",
        ] {
            let found = typist.completions(&distribution, Join::Space, user, typed);
            let words: f32 = found.words.iter().map(|word| word.probability).sum();
            assert!(
                words + found.typed <= found.mass * 1.0001,
                "{typed:?} {found:?}"
            );
        }
    }
    let found = typist.completions(&distribution, Join::Space, None, "Avi");
    assert_eq!(found.words[0].text, "Aviv");
    let whole = typist.completions(&distribution, Join::Space, None, "Aviv");
    assert_eq!(whole.typed, found.words[0].probability);
}
