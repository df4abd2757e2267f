//! The `o200k_base` vocabulary, as Phi-4-mini's GGUF files have it.
//!
//! `tiktoken` ranks whole tokens: it merges the two neighbours whose union has the lowest rank. GGUF
//! wants merges, pairs of tokens. The pair of a token is what `tiktoken` makes of its bytes with lower
//! ranks alone. For every token of this vocabulary that leaves exactly two parts, which is why the
//! merges in order of rank cut every text as the ranks do.

use std::collections::HashMap;

/// Number of tokens; their ids are their ranks.
pub const TOKENS: u32 = 199_998;

/// The bytes of every token, by id.
pub fn tokens() -> Vec<Vec<u8>> {
    let reference = tiktoken_rs::o200k_base_singleton();
    (0..TOKENS)
        .map(|id| reference.decode_bytes(&[id]).unwrap())
        .collect()
}

/// The pairs that make the tokens longer than a byte, in order of rank.
pub fn merges(tokens: &[Vec<u8>]) -> Vec<(&[u8], &[u8])> {
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
            let split = last_split(bytes, |part| {
                ranks.get(part).copied().filter(|&found| found < rank)
            });
            bytes.split_at(split)
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
        .map(|&byte| alphabet()[usize::from(byte)])
        .collect()
}

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
