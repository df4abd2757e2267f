//! Any bytes, cut anywhere, come out of the detokenizer as the lossy text of all of them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nibble::tokenizer::Detokenizer;

// The input is pieces, each after a byte that gives its length modulo 8.
fuzz_target!(|input: &[u8]| {
    let mut detokenizer = Detokenizer::new();
    let (mut all, mut text) = (Vec::new(), String::new());
    let mut rest = input;
    while let Some((&length, after)) = rest.split_first() {
        let (piece, next) = after.split_at(after.len().min(usize::from(length % 8)));
        all.extend_from_slice(piece);
        text.push_str(&detokenizer.push_bytes(piece));
        let complete = String::from_utf8_lossy(&all);
        // What is held back is a part of one character: it is one U+FFFD if the text ended here.
        assert!(complete == text || complete.strip_suffix('\u{fffd}') == Some(&text));
        rest = next;
    }
    text.push_str(&detokenizer.finish());
    assert_eq!(text, String::from_utf8_lossy(&all));
});
