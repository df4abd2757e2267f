//! The tokenizer against the `tokenizers` crate on the same tables.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod common;

use std::path::Path;

use common::text;
use nibble::gguf::{Gguf, Writer};
use nibble::tokenizer::{SpecialTokens, Tokenizer};
use nibble_testkit::{fixture, smollm2, tiktoken};
use proptest::prelude::*;
use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::digits::Digits;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::{
    Model as _, OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer as _,
};

/// GPT-2's and SmolLM2's pieces, and the merges of a file.
struct Reference {
    bpe: BPE,
    pieces: Sequence,
}

impl Reference {
    fn of(gguf: &Gguf) -> Reference {
        let metadata = gguf.metadata();
        let strings = |key| metadata.strings(key).unwrap().map(Result::unwrap);
        let kinds = metadata.i32s("tokenizer.ggml.token_type").unwrap();
        let vocabulary: Vocab = strings("tokenizer.ggml.tokens")
            .zip(0..)
            .zip(kinds)
            .filter(|(_, kind)| *kind == 1)
            .map(|((text, id), _)| (text.to_owned(), id))
            .collect();
        let merges = strings("tokenizer.ggml.merges")
            .map(|merge| merge.split_once(' ').unwrap())
            .map(|(left, right)| (left.to_owned(), right.to_owned()))
            .collect();
        let bytes = ByteLevel::new(false, false, true).into();
        let pieces = match metadata.string("tokenizer.ggml.pre").unwrap() {
            "smollm" => vec![Digits::new(true).into(), bytes],
            "gpt-2" => vec![bytes],
            other => panic!("no reference for {other}"),
        };
        Reference {
            bpe: BPE::builder()
                .vocab_and_merges(vocabulary, merges)
                .cache_capacity(0)
                .build()
                .unwrap(),
            pieces: Sequence::new(pieces),
        }
    }

    fn encode(&self, text: &str) -> Vec<u32> {
        let mut pieces = PreTokenizedString::from(text);
        self.pieces.pre_tokenize(&mut pieces).unwrap();
        pieces
            .get_splits(OffsetReferential::Normalized, OffsetType::None)
            .into_iter()
            .flat_map(|(piece, _, _)| self.bpe.tokenize(piece).unwrap())
            .map(|token| token.id)
            .collect()
    }
}

#[test]
fn random_text_has_the_ids_of_the_reference_with_real_tables() {
    let gguf = Gguf::open(smollm2()).unwrap();
    let (tokenizer, reference) = (Tokenizer::from_gguf(&gguf).unwrap(), Reference::of(&gguf));
    proptest!(ProptestConfig::with_cases(2000), |(text in text())| {
        let found = tokenizer.encode(&text, SpecialTokens::AsText).unwrap();
        prop_assert_eq!(found, reference.encode(&text));
    });
    for name in ["phi3-tiny/model-f16.gguf", "llama-tiny/model-f16.gguf"] {
        assert!(Tokenizer::from_gguf(&Gguf::open(fixture(name)).unwrap()).is_ok());
    }
}

proptest! {
    /// Merges that no training would give: of any tokens, in any order, some of them twice.
    #[test]
    fn any_merges_give_the_ids_of_the_reference(
        seeds in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..40),
        again in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
        texts in prop::collection::vec("[abc ]{0,60}", 1..8),
    ) {
        let mut tokens: Vec<String> = (0..=u8::MAX).map(|byte| tiktoken::spell(&[byte])).collect();
        let mut merges: Vec<String> = Vec::new();
        let mut words: Vec<String> = ["a", "b", "c", "Ġ"].map(str::to_owned).to_vec();
        for (left, right) in seeds {
            let (left, right) = (left.get(&words).clone(), right.get(&words).clone());
            let merged = format!("{left}{right}");
            if merged.chars().count() > 12 {
                continue;
            }
            merges.push(format!("{left} {right}"));
            if !tokens.contains(&merged) {
                tokens.push(merged.clone());
                words.push(merged);
            }
        }
        if !merges.is_empty() {
            for index in again {
                merges.push(index.get(&merges).clone());
            }
        }
        let mut header = Writer::new("tables.gguf");
        header.string("tokenizer.ggml.model", "gpt2").unwrap();
        header.string("tokenizer.ggml.pre", "gpt-2").unwrap();
        header.strings("tokenizer.ggml.tokens", &tokens).unwrap();
        header.i32s("tokenizer.ggml.token_type", &vec![1; tokens.len()]).unwrap();
        header.strings("tokenizer.ggml.merges", &merges).unwrap();
        let bytes = header.begin(Vec::new()).unwrap().finish().unwrap();
        let gguf = Gguf::from_bytes(bytes, Path::new("tables.gguf")).unwrap();
        let (tokenizer, reference) = (Tokenizer::from_gguf(&gguf).unwrap(), Reference::of(&gguf));
        for text in texts {
            let found = tokenizer.encode(&text, SpecialTokens::AsText).unwrap();
            prop_assert_eq!(found, reference.encode(&text), "{:?} {:?}", merges, text);
        }
    }
}
