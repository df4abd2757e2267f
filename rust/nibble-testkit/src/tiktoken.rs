//! Vocabularies of the `tiktoken` reference, in the form that GGUF wants, and the reference itself.
//!
//! `tiktoken` ranks whole tokens: it merges the two neighbours whose union has the lowest rank. GGUF
//! wants merges, pairs of tokens. The pair of a token is what `tiktoken` makes of its bytes with lower
//! ranks alone. For every token of these vocabularies that leaves exactly two parts, which is why the
//! merges in order of rank cut every text as the ranks do.

use std::collections::HashMap;

use tiktoken_rs::CoreBPE;

/// An encoding of the reference. The ids of its tokens are their ranks.
#[derive(Clone, Copy)]
pub struct Encoding {
    reference: &'static CoreBPE,
    tokens: u32,
}

/// `o200k_base`, Phi-4-mini's.
pub fn o200k() -> Encoding {
    Encoding {
        reference: tiktoken_rs::o200k_base_singleton(),
        tokens: 199_998,
    }
}

/// `cl100k_base`, whose regular expression Llama 3 has.
pub fn cl100k() -> Encoding {
    Encoding {
        reference: tiktoken_rs::cl100k_base_singleton(),
        tokens: 100_256,
    }
}

/// `r50k_base`, GPT-2's.
pub fn gpt2() -> Encoding {
    Encoding {
        reference: tiktoken_rs::r50k_base_singleton(),
        tokens: 50_256,
    }
}

impl Encoding {
    /// The ids of a text that has no special tokens.
    pub fn encode(self, text: &str) -> Vec<u32> {
        self.reference.encode_ordinary(text)
    }

    /// The bytes of every token, by id.
    pub fn tokens(self) -> Vec<Vec<u8>> {
        (0..self.tokens)
            .map(|id| self.reference.decode_bytes(&[id]).unwrap())
            .collect()
    }
}

/// The pairs that make the tokens longer than a byte, in order of rank, as GGUF has them.
pub fn merges(tokens: &[Vec<u8>]) -> Vec<String> {
    let ranks: HashMap<&[u8], usize> = tokens
        .iter()
        .enumerate()
        .map(|(rank, bytes)| (bytes.as_slice(), rank))
        .collect();
    tokens
        .iter()
        .enumerate()
        .filter(|(_, bytes)| bytes.len() > 1)
        .map(|(rank, bytes)| {
            let lower = |part: &[u8]| ranks.get(part).copied().filter(|&found| found < rank);
            let (left, right) = bytes.split_at(last_split(bytes, lower));
            format!("{} {}", spell(left), spell(right))
        })
        .collect()
}

/// Where `bytes` are still cut after all merges to parts that have a rank.
fn last_split(bytes: &[u8], rank: impl Fn(&[u8]) -> Option<usize>) -> usize {
    let mut cuts: Vec<usize> = (0..=bytes.len()).collect();
    while let Some((_, merged)) = (1..cuts.len() - 1)
        .filter_map(|at| Some((rank(&bytes[cuts[at - 1]..cuts[at + 1]])?, at)))
        .min()
    {
        cuts.remove(merged);
    }
    assert_eq!(cuts.len(), 3, "the merges do not lead to {bytes:?}");
    cuts[1]
}

/// `bytes` in the alphabet that byte-level vocabularies are written in (GPT-2's `bytes_to_unicode`).
pub fn spell(bytes: &[u8]) -> String {
    bytes
        .iter()
        .map(|&byte| ALPHABET[usize::from(byte)])
        .collect()
}

static ALPHABET: [char; 256] = alphabet();

const fn alphabet() -> [char; 256] {
    let mut alphabet = ['\0'; 256];
    let mut unprintable = 0;
    let mut byte = 0;
    while byte < 256 {
        let printable = matches!(byte, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff);
        let code = if printable { byte } else { 256 + unprintable };
        if !printable {
            unprintable += 1;
        }
        alphabet[byte as usize] = char::from_u32(code).unwrap();
        byte += 1;
    }
    alphabet
}
