//! The tokenizer against its references, and against tables that are wrong.
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
use nibble::tokenizer::SpecialTokens::{AsText, Parse};
use nibble::tokenizer::{Detokenizer, TokenKind, Tokenizer};
use nibble::{Error, ErrorKind};
use nibble_testkit::{fixture, phi4mini, smollm2, tiktoken};
use proptest::prelude::*;
use serde_json::Value;

const NORMAL: i32 = 1;
const CONTROL: i32 = 3;
const USER_DEFINED: i32 = 4;
const UNUSED: i32 = 5;

/// The tables of a tokenizer as a file has them. By default a valid vocabulary without merges.
#[derive(Debug, Clone)]
struct Tables {
    model: String,
    pre: String,
    tokens: Vec<String>,
    types: Vec<i32>,
    merges: Vec<String>,
    add_bos: Option<bool>,
    /// Keys such as `bos` of `tokenizer.ggml.bos_token_id`.
    ids: Vec<(&'static str, u32)>,
}

impl Tables {
    /// Id `b` is byte `b`.
    fn bytes(pre: &str) -> Self {
        let tokens: Vec<_> = (0..=u8::MAX).map(|byte| tiktoken::spell(&[byte])).collect();
        Tables {
            model: "gpt2".to_owned(),
            pre: pre.to_owned(),
            types: vec![NORMAL; tokens.len()],
            tokens,
            merges: Vec::new(),
            add_bos: None,
            ids: vec![("bos", 0), ("eos", 0)],
        }
    }

    /// The ids are those of the reference.
    fn of(pre: &str, encoding: tiktoken::Encoding) -> Self {
        let tokens = encoding.tokens();
        Tables {
            types: vec![NORMAL; tokens.len()],
            merges: tiktoken::merges(&tokens),
            tokens: tokens.iter().map(|token| tiktoken::spell(token)).collect(),
            ..Tables::bytes(pre)
        }
    }

    fn with(mut self, text: &str, kind: i32) -> Self {
        self.tokens.push(text.to_owned());
        self.types.push(kind);
        self
    }

    fn with_merge(mut self, merge: &str) -> Self {
        self.merges.push(merge.to_owned());
        self
    }

    fn read(&self) -> nibble::Result<Tokenizer> {
        let mut header = Writer::new("tables.gguf");
        header.string("tokenizer.ggml.model", &self.model).unwrap();
        header.string("tokenizer.ggml.pre", &self.pre).unwrap();
        header
            .strings("tokenizer.ggml.tokens", &self.tokens)
            .unwrap();
        header
            .i32s("tokenizer.ggml.token_type", &self.types)
            .unwrap();
        header
            .strings("tokenizer.ggml.merges", &self.merges)
            .unwrap();
        for (key, id) in &self.ids {
            header
                .u32(&format!("tokenizer.ggml.{key}_token_id"), *id)
                .unwrap();
        }
        if let Some(add_bos) = self.add_bos {
            header
                .bool("tokenizer.ggml.add_bos_token", add_bos)
                .unwrap();
        }
        Tokenizer::from_gguf(&without_tensors(header))
    }
}

fn without_tensors(header: Writer) -> Gguf {
    let bytes = header.begin(Vec::new()).unwrap().finish().unwrap();
    Gguf::from_bytes(bytes, Path::new("tables.gguf")).unwrap()
}

fn open(path: &Path) -> Tokenizer {
    Tokenizer::from_gguf(&Gguf::open(path).unwrap()).unwrap()
}

fn json(name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(fixture(name)).unwrap()).unwrap()
}

fn ids(value: &Value) -> Vec<u32> {
    let ids = value.as_array().unwrap().iter();
    ids.map(|id| id.as_u64().unwrap() as u32).collect()
}

// ------------------------------------------------------------------------------ the references' ids

fn check_cases(tokenizer: &Tokenizer, name: &str) {
    let cases = json(name);
    for case in cases.as_array().unwrap() {
        let text = case["text"].as_str().unwrap();
        let found = tokenizer.encode(text, Parse).unwrap();
        assert_eq!(found, ids(&case["ids"]), "{text:?}");
        assert_eq!(
            tokenizer.decode(&found).unwrap(),
            case["decoded"].as_str().unwrap()
        );
    }
}

#[test]
fn small_models_have_the_ids_of_the_reference() {
    for model in ["phi3-tiny", "llama-tiny"] {
        let tokenizer = open(&fixture(&format!("{model}/model-q4_0.gguf")));
        check_cases(&tokenizer, &format!("{model}/tokenizer_cases.json"));
    }
}

#[test]
fn smollm2_has_the_ids_of_the_reference() {
    let tokenizer = open(&smollm2());
    check_cases(&tokenizer, "smollm2-ref/tokenizer_cases.json");
    for (name, reference) in json("smollm2-ref/ref.json").as_object().unwrap() {
        let text = reference["text"].as_str().unwrap();
        assert_eq!(
            tokenizer.encode(text, Parse).unwrap(),
            ids(&reference["ids"]),
            "{name}"
        );
        let greedy = ids(&reference["greedy12"]);
        assert_eq!(
            tokenizer.decode(&greedy).unwrap(),
            reference["greedy_text"].as_str().unwrap()
        );
    }
}

#[test]
fn phi_4_mini_has_the_ids_of_tiktoken_in_its_languages() {
    let mut header = Writer::new("phi4mini.gguf");
    phi4mini::tokenizer_metadata(&mut header).unwrap();
    let tokenizer = Tokenizer::from_gguf(&without_tensors(header)).unwrap();

    let golden = json("o200k_golden.json");
    assert_eq!(golden.as_array().unwrap().len(), 23);
    for line in golden.as_array().unwrap() {
        let text = line["text"].as_str().unwrap();
        let found = tokenizer.encode(text, Parse).unwrap();
        assert_eq!(found, ids(&line["ids"]), "{}", line["language"]);
        assert_eq!(stream(&tokenizer, &found).concat(), text);
    }

    assert_eq!(tokenizer.vocabulary_size(), 200_064);
    assert_eq!(tokenizer.special("<|end|>"), Some(200_020));
    assert_eq!(
        tokenizer
            .encode("<|user|>Hi<|end|><|assistant|>", Parse)
            .unwrap(),
        [200_021, 12_194, 200_020, 200_019]
    );
    assert_eq!(
        (tokenizer.bos(), tokenizer.eos()),
        (Some(199_999), Some(199_999))
    );
    assert!(!tokenizer.add_bos());
    let ends = (0..200_064).filter(|&id| tokenizer.is_end_of_generation(id));
    assert_eq!(ends.collect::<Vec<_>>(), [199_999, 200_020]);
}

#[test]
fn random_text_has_the_ids_of_tiktoken() {
    for (pre, encoding) in [
        ("gpt-4o", tiktoken::o200k()),
        ("llama-bpe", tiktoken::cl100k()),
        ("gpt-2", tiktoken::gpt2()),
    ] {
        let tokenizer = Tables::of(pre, encoding).read().unwrap();
        proptest!(ProptestConfig::with_cases(1000), |(text in text())| {
            let found = tokenizer.encode(&text, AsText).unwrap();
            prop_assert_eq!(&found, &encoding.encode(&text), "{}", pre);
            prop_assert_eq!(tokenizer.decode(&found).unwrap(), text);
        });
    }
}

#[test]
fn a_piece_that_is_a_token_needs_no_merges_where_tiktoken_made_the_vocabulary() {
    for (pre, whole) in [
        ("gpt-4o", true),
        ("llama-bpe", true),
        ("smollm", false),
        ("gpt-2", false),
    ] {
        let tokenizer = Tables::bytes(pre).with("hello", NORMAL).read().unwrap();
        let found = tokenizer.encode("hello", AsText).unwrap();
        assert_eq!(found == [256], whole, "{pre}");
    }
}

// ------------------------------------------------------------------------------ text and back

const PRE_TOKENIZERS: [&str; 4] = ["gpt-4o", "llama-bpe", "smollm", "gpt-2"];

#[test]
fn any_text_comes_back() {
    for pre in PRE_TOKENIZERS {
        let tokenizer = Tables::bytes(pre)
            .with("th", NORMAL)
            .with("Ġth", NORMAL)
            .with("ðŁ", NORMAL)
            .with("<|end|>", CONTROL)
            .with_merge("t h")
            .with_merge("Ġ th")
            .with_merge("ð Ł")
            .read()
            .unwrap();
        proptest!(|(text in prop_oneof![text(), any::<String>()], cut: prop::sample::Index)| {
            let mut text = text;
            let cut = (0..=cut.index(text.len() + 1)).rev().find(|&at| text.is_char_boundary(at));
            text.insert_str(cut.unwrap(), "<|end|>");
            for special in [Parse, AsText] {
                let ids = tokenizer.encode(&text, special).unwrap();
                prop_assert_eq!(ids.contains(&259), special == Parse);
                prop_assert_eq!(&tokenizer.decode(&ids).unwrap(), &text);
                prop_assert_eq!(&stream(&tokenizer, &ids).concat(), &text);
            }
        });
    }
}

#[test]
fn smollm2_leaves_out_only_the_bytes_that_it_has_no_token_for() {
    let tokenizer = open(&smollm2());
    let mut has_token = [false; 256];
    for id in 0..tokenizer.vocabulary_size() as u32 {
        if let &[byte] = tokenizer.token_bytes(id).unwrap() {
            has_token[usize::from(byte)] = true;
        }
    }
    let missing: Vec<u8> = (0..=u8::MAX)
        .filter(|&byte| !has_token[usize::from(byte)])
        .collect();
    assert_eq!(
        missing[..8],
        [0x04, 0x06, 0x13, 0x14, 0x16, 0x1d, 0xc0, 0xc1]
    );
    assert_eq!(missing[8..10], [0xf1, 0xf2]);
    // No UTF-8 text has a byte from 0xf5 on.
    assert!(missing[10..].iter().all(|&byte| byte >= 0xf5));

    proptest!(|(text in prop_oneof![text(), any::<String>()])| {
        let mut expected = text.clone().into_bytes();
        expected.retain(|byte| !missing.contains(byte));
        let ids = tokenizer.encode(&text, AsText).unwrap();
        prop_assert_eq!(tokenizer.decode_bytes(&ids).unwrap(), expected);
    });
}

#[test]
fn long_runs_come_back() {
    for pre in PRE_TOKENIZERS {
        let tokenizer = Tables::bytes(pre).read().unwrap();
        for run in [" ", "a", "A", "1", "\n", "!", "é", " \n"] {
            let text = run.repeat(50_000) + "x";
            let ids = tokenizer.encode(&text, AsText).unwrap();
            assert_eq!(tokenizer.decode(&ids).unwrap(), text, "{pre} {run:?}");
        }
    }
}

fn stream(tokenizer: &Tokenizer, ids: &[u32]) -> Vec<String> {
    let mut detokenizer = Detokenizer::new();
    let mut texts: Vec<_> = ids
        .iter()
        .map(|&id| detokenizer.push(tokenizer, id).unwrap())
        .collect();
    texts.push(detokenizer.finish());
    texts
}

#[test]
fn a_character_cut_into_tokens_is_streamed_whole() {
    let tokenizer = Tables::bytes("gpt-2").read().unwrap();
    let ids = tokenizer.encode("é€", AsText).unwrap();
    assert_eq!(ids.len(), 5);
    assert_eq!(stream(&tokenizer, &ids), ["", "é", "", "", "€", ""]);
    assert_eq!(stream(&tokenizer, &ids[..4]), ["", "é", "", "", "\u{fffd}"]);
    assert_eq!(tokenizer.decode(&ids[..4]).unwrap(), "é\u{fffd}");
    assert_eq!(tokenizer.decode_bytes(&ids[..3]).unwrap(), b"\xc3\xa9\xe2");
}

#[test]
fn an_id_outside_the_vocabulary_is_an_error() {
    let tokenizer = Tables::bytes("gpt-2").read().unwrap();
    let expected = "token 256 is outside the vocabulary of 256";
    assert_eq!(
        tokenizer.decode(&[97, 256]).unwrap_err().to_string(),
        expected
    );
    let mut detokenizer = Detokenizer::new();
    assert_eq!(detokenizer.push(&tokenizer, 0xc3).unwrap(), "");
    assert_eq!(
        detokenizer.push(&tokenizer, 256).unwrap_err().to_string(),
        expected
    );
    assert_eq!(detokenizer.push(&tokenizer, 0xa9).unwrap(), "é");
    assert_eq!(tokenizer.token_bytes(256), None);
    assert_eq!(tokenizer.token_kind(u32::MAX), None);
}

// ------------------------------------------------------------------------------ special tokens

#[test]
fn special_tokens_are_found_in_text_longest_first() {
    let tokenizer = Tables::bytes("gpt-4o")
        .with("<|a|>", CONTROL)
        .with("<|a|><|b|>", CONTROL)
        .with("<|b|>", USER_DEFINED)
        .with("<|unused|>", UNUSED)
        .with("<|normal|>", NORMAL)
        .with("", CONTROL)
        .read()
        .unwrap();
    assert_eq!(tokenizer.special("<|a|>"), Some(256));
    assert_eq!(tokenizer.special("<|b|>"), Some(258));
    for name in ["<|unused|>", "<|normal|>", "<|c|>", ""] {
        assert_eq!(tokenizer.special(name), None, "{name}");
    }
    let x = u32::from(b'x');
    assert_eq!(
        tokenizer
            .encode("<|a|>x<|b|><|a|><|b|><|a|>", Parse)
            .unwrap(),
        [256, x, 258, 257, 256]
    );
    for text in ["<|a|>", "x<|b|>", "<|unused|>"] {
        let typed = tokenizer.encode(text, AsText).unwrap();
        assert_eq!(typed, text.bytes().map(u32::from).collect::<Vec<_>>());
    }
    let kinds = [
        TokenKind::Control,
        TokenKind::UserDefined,
        TokenKind::Unused,
        TokenKind::Normal,
    ];
    assert_eq!(
        [256, 258, 259, 260].map(|id| tokenizer.token_kind(id).unwrap()),
        kinds
    );
    assert_eq!(tokenizer.decode(&[256, 259, 258]).unwrap(), "<|a|><|b|>");
}

#[test]
fn special_tokens_of_the_models() {
    let smollm2 = open(&smollm2());
    assert_eq!((smollm2.bos(), smollm2.eos()), (Some(1), Some(2)));
    assert!(!smollm2.add_bos());
    assert_eq!(smollm2.special("<|im_end|>"), Some(2));
    let ends = (0..49_152).filter(|&id| smollm2.is_end_of_generation(id));
    assert_eq!(ends.collect::<Vec<_>>(), [0, 2]);

    let llama = open(&fixture("llama-tiny/model-q4_0.gguf"));
    assert!(llama.add_bos());
    assert_eq!(llama.bos(), llama.special("<|begin_of_text|>"));
    for name in ["<|end_of_text|>", "<|eot_id|>", "<|eom_id|>"] {
        assert!(
            llama.is_end_of_generation(llama.special(name).unwrap()),
            "{name}"
        );
    }
    assert!(!llama.is_end_of_generation(llama.special("<|start_header_id|>").unwrap()));
}

#[test]
fn ends_of_turn_and_message_end_generation() {
    let mut tables = Tables::bytes("gpt-2");
    tables.ids = vec![("eos", 1), ("eot", 2), ("eom", 3)];
    let tokenizer = tables.read().unwrap();
    assert_eq!(
        [0, 1, 2, 3, 4].map(|id| tokenizer.is_end_of_generation(id)),
        [false, true, true, true, false]
    );
    assert_eq!((tokenizer.bos(), tokenizer.eos()), (None, Some(1)));
}

#[test]
fn bos_is_added_as_the_file_says_and_for_llama_3_if_it_does_not_say() {
    for pre in PRE_TOKENIZERS {
        let mut tables = Tables::bytes(pre);
        assert_eq!(
            tables.read().unwrap().add_bos(),
            pre == "llama-bpe",
            "{pre}"
        );
        for says in [true, false] {
            tables.add_bos = Some(says);
            assert_eq!(tables.read().unwrap().add_bos(), says, "{pre}");
        }
    }
}

// ------------------------------------------------------------------------------ wrong tables

/// Tables that are wrong in one way must give an error of this kind that has these words.
#[track_caller]
fn assert_error(tables: &Tables, kind: ErrorKind, words: &[&str]) {
    let error = tables.read().expect_err("the tables are wrong");
    assert_eq!(error.kind(), kind, "{error}");
    for word in words.iter().chain(&["tables.gguf"]) {
        assert!(error.to_string().contains(word), "{error}: no {word}");
    }
}

#[test]
fn an_unknown_tokenizer_is_named() {
    for pre in ["qwen2", "GPT-2", ""] {
        let error = Tables::bytes(pre).read().unwrap_err();
        assert!(
            matches!(&error, Error::UnsupportedTokenizer { what: "pre-tokenizer", found, .. } if found == pre),
            "{error}"
        );
    }
    let mut tables = Tables::bytes("gpt-2");
    tables.model = "llama".to_owned();
    assert_error(
        &tables,
        ErrorKind::UnsupportedTokenizer,
        &["tokenizer model", "\"llama\""],
    );
}

#[test]
fn missing_keys_are_named() {
    let model = without_tensors(Writer::new("empty.gguf"));
    let error = Tokenizer::from_gguf(&model).unwrap_err();
    assert!(matches!(error, Error::MissingKey { key, .. } if key == "tokenizer.ggml.model"));

    let mut tables = Tables::bytes("gpt-2");
    tables.add_bos = Some(true);
    tables.ids.retain(|&(key, _)| key != "bos");
    assert_error(
        &tables,
        ErrorKind::MissingKey,
        &["tokenizer.ggml.bos_token_id"],
    );
}

#[test]
fn merges_of_unknown_tokens_are_errors() {
    let base = Tables::bytes("gpt-2")
        .with("ab", NORMAL)
        .with("<|x|>", CONTROL);
    for merge in [
        // One of the two, or their union, is missing.
        "a zz", "zz a", "b a",    // The union is longer than any token.
        "ab ab",  // Only normal tokens are merged.
        "< |x|>", // Not two tokens.
        "ab", "", " ", "a ", " b", "a b c", "a  b",
    ] {
        let tables = base.clone().with_merge("a b").with_merge(merge);
        assert_error(&tables, ErrorKind::InvalidKey, &["tokenizer.ggml.merges"]);
    }
}

#[test]
fn tokens_and_types_must_belong_together() {
    let mut tables = Tables::bytes("gpt-2");
    tables.types.pop();
    assert_error(
        &tables,
        ErrorKind::InvalidKey,
        &["token_type", "256", "255"],
    );
    for kind in [0, 6, 7, -1] {
        let tables = Tables::bytes("gpt-2").with("x", kind);
        assert_error(
            &tables,
            ErrorKind::InvalidKey,
            &["token_type", &format!("{kind} for token 256")],
        );
    }
}

#[test]
fn tokens_must_differ() {
    for kind in [NORMAL, CONTROL] {
        let tables = Tables::bytes("gpt-2").with("ab", kind).with("ab", kind);
        assert_error(
            &tables,
            ErrorKind::InvalidKey,
            &["\"ab\" as token 256 and as token 257"],
        );
    }
    assert!(
        Tables::bytes("gpt-2")
            .with("", UNUSED)
            .with("", UNUSED)
            .read()
            .is_ok()
    );
}

#[test]
fn every_byte_of_ordinary_text_needs_a_token() {
    for byte in [b' ', b'\n', b'a', 0x80, 0xf0] {
        let mut tables = Tables::bytes("gpt-2");
        tables.types[usize::from(byte)] = UNUSED;
        assert_error(
            &tables,
            ErrorKind::InvalidKey,
            &["tokens", &format!("none for byte {byte:#04x}")],
        );
    }
    let mut empty = Tables::bytes("gpt-2");
    empty.tokens.clear();
    empty.types.clear();
    assert_error(&empty, ErrorKind::InvalidKey, &["tokenizer.ggml.tokens"]);
}

#[test]
fn ids_of_special_tokens_must_be_in_the_vocabulary() {
    for key in ["bos", "eos", "eot", "eom"] {
        let mut tables = Tables::bytes("gpt-2");
        tables.ids = vec![(key, 256)];
        let key = format!("tokenizer.ggml.{key}_token_id");
        assert_error(&tables, ErrorKind::InvalidKey, &[&key, "below 256", "256"]);
    }
}

proptest! {
    /// Whatever the tables hold, they give an error or a tokenizer that works.
    #[test]
    fn arbitrary_tables_never_panic(
        tokens in prop::collection::btree_map("[abĠÃ©]{2,3}", 1..=5, 1..8),
        // Of which token, cut where.
        merges in prop::collection::vec((any::<prop::sample::Index>(), 0usize..3), 0..4),
        pre in prop::sample::select(&PRE_TOKENIZERS[..]),
        text in "[ab é]{0,20}",
    ) {
        let mut tables = Tables::bytes(pre);
        for (token, &kind) in &tokens {
            tables = tables.with(token, kind);
        }
        let texts: Vec<_> = tokens.keys().collect();
        for (token, cut) in merges {
            let token = token.get(&texts);
            let cut = token.char_indices().nth(cut).map_or(token.len(), |(at, _)| at);
            tables = tables.with_merge(&format!("{} {}", &token[..cut], &token[cut..]));
        }
        if let Ok(tokenizer) = tables.read() {
            for special in [Parse, AsText] {
                let ids = tokenizer.encode(&text, special).unwrap();
                prop_assert_eq!(&tokenizer.decode(&ids).unwrap(), &text);
            }
        }
    }
}

#[test]
fn is_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Tokenizer>();
}
