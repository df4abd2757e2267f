//! On single-token words the look-up equals brute force: for every prefix of a thousand words, by the real
//! model.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use nibble::{CancelHandle, Model, ModelOptions, Session, SessionOptions, SpecialTokens};
use nibble_keyboard::boundary::Distribution;
use nibble_keyboard::model_words::ModelWords;
use nibble_keyboard::position::Join;
use nibble_keyboard::scorer::{ModelEvidence, Scorer, Weights};
use nibble_keyboard::vocab_index::VocabIndex;
use nibble_keyboard::word_table::{Word, WordTable};

const CONTEXTS: [&str; 2] = [
    "I'm on my way, I will be there in",
    "Thank you so much for the",
];

/// The text of every token, if it is text.
fn texts(model: &Model) -> Vec<Option<String>> {
    let tokenizer = model.tokenizer();
    (0..tokenizer.vocabulary_size() as u32)
        .map(|id| match tokenizer.token_kind(id) {
            Some(nibble::tokenizer::TokenKind::Normal) => {
                String::from_utf8(tokenizer.token_bytes(id)?.to_vec()).ok()
            }
            _ => None,
        })
        .collect()
}

/// The thousand words whose tokens were learned first, that is, frequent ones, of those that are a single token
/// when capitalised too.
fn thousand_words(texts: &[Option<String>]) -> Vec<&str> {
    let tokens: HashSet<&str> = texts.iter().flatten().map(String::as_str).collect();
    let words = texts.iter().flatten().filter_map(|text| {
        let word = text.strip_prefix(' ')?;
        let is_word = word.len() > 1 && word.bytes().all(|byte| byte.is_ascii_lowercase());
        let is_token_capitalised = || tokens.contains(capitalized(word).as_str());
        (is_word && is_token_capitalised()).then_some(word)
    });
    words.take(1000).collect()
}

/// A word after a space, with a capital.
fn capitalized(word: &str) -> String {
    format!(" {}{}", word[..1].to_uppercase(), &word[1..])
}

fn prefixes<'a>(words: &[&'a str]) -> BTreeSet<&'a str> {
    words
        .iter()
        .flat_map(|word| (1..=word.len()).map(|length| &word[..length]))
        .collect()
}

#[test]
fn look_up_equals_constrained_enumeration() {
    let options = ModelOptions {
        threads: 2,
        ..Default::default()
    };
    let model = Arc::new(Model::open(nibble_testkit::smollm2(), &options).unwrap());
    let index = VocabIndex::new(model.tokenizer());
    let texts = texts(&model);
    let words = thousand_words(&texts);
    assert_eq!(words.len(), 1000);

    let frequency_one = |text| Word {
        text,
        frequency: 1.0,
        language: 0,
        offensive: false,
    };
    let table = WordTable::new(words.iter().copied().map(frequency_one), 1);
    let model_words = ModelWords::new(&table, &index, model.tokenizer()).unwrap();
    let only_model = Weights {
        lexicon: 0.0,
        unlisted: 0.0,
        ..Weights::default()
    };

    let mut session = Session::new(model.clone(), SessionOptions::default()).unwrap();
    for context in CONTEXTS {
        let tokens = model
            .tokenizer()
            .encode(context, SpecialTokens::AsText)
            .unwrap();
        session.prefill(&tokens, &CancelHandle::new()).unwrap();
        let logits = session.logits().unwrap().to_vec();
        let distribution = Distribution::new(&index, &logits);
        let scorer = Scorer {
            table: &table,
            model: Some(ModelEvidence {
                index: &index,
                words: &model_words,
                distribution: &distribution,
                join: Join::Space,
                inside_sentence: true,
            }),
            user: None,
            languages: &[1.0],
            weights: &only_model,
        };

        // The words, by the sum over both cases.
        let total: f64 = logits.iter().map(|&logit| f64::from(logit).exp()).sum();
        let probability = |text: String| {
            let found = texts
                .iter()
                .position(|other| other.as_deref() == Some(text.as_str()));
            found.map_or(0.0, |id| f64::from(logits[id]).exp() / total)
        };
        let mut by_word: Vec<(f64, &str)> = words
            .iter()
            .map(|&word| {
                let capital = probability(capitalized(word));
                (probability(format!(" {word}")) + capital, word)
            })
            .collect();
        by_word.sort_by(|a, b| b.0.total_cmp(&a.0));

        // Before the first letter not every word is looked at.
        let with_lexicon = Weights {
            unlisted: 0.0,
            ..Weights::default()
        };
        for weights in [&only_model, &with_lexicon] {
            let scorer = Scorer { weights, ..scorer };
            let mut all: Vec<(f32, &str)> = (0..table.len())
                .map(|number| (scorer.probability(number), table.folded(number)))
                .collect();
            all.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
            let found = scorer.completions("", 10);
            let sum: f32 = all.iter().map(|(probability, _)| probability).sum();
            assert!(
                (found.mass - sum).abs() < 1e-3 * sum,
                "{} {sum}",
                found.mass
            );
            let found: Vec<String> = found
                .words
                .iter()
                .map(|word| word.text.to_lowercase())
                .collect();
            let expected: Vec<&str> = all.iter().take(10).map(|(_, word)| *word).collect();
            assert_eq!(found, expected, "next words after {context:?}");
        }

        for prefix in prefixes(&words) {
            let expected: Vec<&str> = by_word
                .iter()
                .map(|(_, word)| *word)
                .filter(|word| word.starts_with(prefix) && *word != prefix)
                .take(3)
                .collect();
            let found = scorer.completions(prefix, 3);
            let found: Vec<&str> = found.words.iter().map(|word| word.text.as_str()).collect();
            let folded: Vec<String> = found.iter().map(|word| word.to_lowercase()).collect();
            assert_eq!(
                folded, expected,
                "words that begin with {prefix:?} after {context:?}"
            );
        }
    }
}
