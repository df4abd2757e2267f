//! Words of several tokens, exactly: for languages whose words seldom are a single one.
//!
//! The probability of a word is that of its likeliest spelling in tokens, times that of anything but more
//! letters coming next. A branch-and-bound search finds the best words: a stem is at least as probable as
//! every word that begins with it, so a stem is only looked into while it is more probable than the last
//! word that would be offered. Each round looks into several stems, with forks of one KV cache, in one
//! batched pass.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::sync::atomic::AtomicBool;

use nibble::backend::{HeadRows, Precision, Scratch, SequenceInput};
use nibble::sampler::log_sum_exp;
use nibble::{KvCache, Model, Result};

use crate::boundary::Distribution;
use crate::case;
use crate::position::Join;
use crate::text::fold;
use crate::vocab_index::VocabIndex;
use crate::word_boundary::is_word_character;

/// Bounds of a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExpansionLimits {
    /// Words to find.
    pub words: usize,
    /// Tokens of a word, at most.
    pub tokens: usize,
    /// Stems looked into in one pass.
    pub batch: usize,
    /// Passes, at most. A search that ends here may have missed words.
    pub passes: usize,
}

impl Default for ExpansionLimits {
    fn default() -> Self {
        ExpansionLimits {
            words: 3,
            tokens: 6,
            batch: 8,
            passes: 4,
        }
    }
}

/// A word that the search found.
#[derive(Debug, Clone, PartialEq)]
pub struct ExpandedWord {
    /// The word, without the space before it.
    pub text: String,
    /// Its tokens.
    pub tokens: Vec<u32>,
    /// Probability that exactly this word comes next, in these tokens.
    pub probability: f32,
}

/// What a search found and cost.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Expansion {
    /// The best words, best first.
    pub words: Vec<ExpandedWord>,
    /// Batched passes.
    pub passes: usize,
    /// Stems that were looked into.
    pub stems: usize,
    /// Whether these are the best words for certain; otherwise the limit of passes came first.
    pub exact: bool,
}

/// Where a search starts.
#[derive(Debug, Clone, Copy)]
pub struct ExpansionStart<'a> {
    /// Keys and values of all tokens before the word.
    pub context: &'a KvCache,
    /// What the model expects after them.
    pub distribution: &'a Distribution,
    /// The beginning of the word, in any case.
    pub typed: &'a str,
    /// How the word joins the text before it.
    pub join: Join,
    /// How activations are held.
    pub precision: Precision,
}

/// Some tokens of a word.
#[derive(Debug, Clone)]
struct Stem {
    mass: f32,
    bytes: Vec<u8>,
    tokens: Vec<u32>,
    /// What the bytes must begin with, or be a beginning of: one case of what was typed.
    required: usize,
}

impl PartialEq for Stem {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Stem {}

impl PartialOrd for Stem {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Stem {
    fn cmp(&self, other: &Self) -> Ordering {
        self.mass
            .total_cmp(&other.mass)
            .then_with(|| other.tokens.cmp(&self.tokens))
    }
}

/// Finds the most probable words that begin as typed.
///
/// # Errors
/// Those of [`forward`](nibble::backend::Backend::forward).
pub fn expand(
    model: &Model,
    index: &VocabIndex,
    start: &ExpansionStart<'_>,
    limits: &ExpansionLimits,
    cancel: &AtomicBool,
    scratch: &mut Scratch,
) -> Result<Expansion> {
    let space = if start.join == Join::Space { " " } else { "" };
    let mut required: Vec<Vec<u8>> = case::variants(start.typed)
        .into_iter()
        .map(|typed| format!("{space}{typed}").into_bytes())
        .collect();
    required.dedup();
    let mut open: BinaryHeap<Stem> = BinaryHeap::new();
    for (number, typed) in required.iter().enumerate() {
        for rank in matching_ranks(index, typed) {
            let mass = start.distribution.probability(rank);
            let bytes = index.bytes(rank);
            if mass > 0.0 && is_part_of_word(bytes, space.len()) {
                let tokens = index.token(rank).into_iter().collect();
                open.push(Stem {
                    mass,
                    bytes: bytes.to_vec(),
                    tokens,
                    required: number,
                });
            }
        }
    }

    let mut search = Search {
        index,
        limits,
        required,
        continuing: continuing_ranks(index),
        open,
        found: Expansion {
            exact: true,
            ..Expansion::default()
        },
    };
    loop {
        let least = search.least();
        let mut batch: Vec<Stem> = Vec::new();
        while batch.len() < limits.batch.max(1)
            && search.open.peek().is_some_and(|s| s.mass > least)
        {
            batch.extend(search.open.pop());
        }
        if batch.is_empty() {
            break;
        }
        if search.found.passes == limits.passes {
            search.found.exact = false;
            break;
        }
        search.found.passes += 1;
        search.found.stems += batch.len();
        let branches: Vec<_> = batch
            .iter()
            .map(|stem| (stem.tokens.as_slice(), HeadRows::All))
            .collect();
        run_branches(
            model,
            start.context,
            &branches,
            start.precision,
            cancel,
            scratch,
        )?;
        for (request, stem) in batch.iter().enumerate() {
            let logits = scratch.logits(request).unwrap_or_default();
            search.look_into(stem, logits);
        }
    }
    Ok(search.found)
}

/// One batched pass over `branches`, texts that go on from `context`, which stays as it is. Leaves the logits after
/// the last token of each in `scratch`, in their order: those of the rows that stand beside it.
///
/// # Errors
/// Those of [`forward`](nibble::backend::Backend::forward).
pub(crate) fn run_branches(
    model: &Model,
    context: &KvCache,
    branches: &[(&[u32], HeadRows<'_>)],
    precision: Precision,
    cancel: &AtomicBool,
    scratch: &mut Scratch,
) -> Result<()> {
    let mut caches: Vec<KvCache> = branches.iter().map(|_| context.fork()).collect();
    let heads: Vec<[(usize, HeadRows<'_>); 1]> = branches
        .iter()
        .map(|(tokens, rows)| [(tokens.len().saturating_sub(1), *rows)])
        .collect();
    let mut sequences: Vec<SequenceInput<'_>> = caches
        .iter_mut()
        .zip(branches)
        .zip(&heads)
        .map(|((cache, (tokens, _)), heads)| SequenceInput {
            cache,
            tokens,
            heads,
        })
        .collect();
    model
        .backend()
        .forward(&mut sequences, precision, scratch, cancel)
}

/// A search under way.
struct Search<'a> {
    index: &'a VocabIndex,
    limits: &'a ExpansionLimits,
    /// The cases of what was typed, of which a word must begin with one.
    required: Vec<Vec<u8>>,
    /// [`continuing_ranks`].
    continuing: Vec<(usize, bool)>,
    open: BinaryHeap<Stem>,
    found: Expansion,
}

impl Search<'_> {
    /// Probability from which on a word or a stem is of interest: that of the last word wanted.
    fn least(&self) -> f32 {
        let last = self.limits.words.checked_sub(1);
        let last = last.and_then(|last| self.found.words.get(last));
        last.map_or(0.0, |last| last.probability)
    }

    /// Adds the word that ends with `stem`, and the stems that go on from it, by the logits behind it.
    fn look_into(&mut self, stem: &Stem, logits: &[f32]) {
        let index = self.index;
        let normalizer = log_sum_exp(logits);
        let probability = |rank: usize| {
            let logit = index
                .token(rank)
                .and_then(|token| logits.get(token as usize));
            logit.map_or(0.0, |logit| (logit - normalizer).exp())
        };
        let typed = self.required.get(stem.required);
        let missing = typed.and_then(|typed| typed.get(stem.bytes.len()..));
        let missing = missing.unwrap_or_default();
        if missing.is_empty()
            && let Ok(text) = std::str::from_utf8(&stem.bytes)
            && text.chars().any(char::is_alphabetic)
        {
            let goes_on: f64 = self
                .continuing
                .iter()
                .map(|&(rank, _)| f64::from(probability(rank)))
                .sum();
            let ends = (1.0 - goes_on).max(0.0) as f32;
            self.found.add(
                self.limits.words,
                text.trim_start(),
                &stem.tokens,
                stem.mass * ends,
            );
        }
        if stem.tokens.len() >= self.limits.tokens {
            return;
        }
        for &(rank, is_part) in &self.continuing {
            let bytes = index.bytes(rank);
            let fits = bytes.starts_with(missing) || missing.starts_with(bytes);
            let mass = stem.mass * probability(rank);
            if is_part && fits && mass > 0.0 {
                let mut next = stem.clone();
                next.mass = mass;
                next.bytes.extend_from_slice(bytes);
                next.tokens.extend(index.token(rank));
                self.open.push(next);
            }
        }
    }
}

impl Expansion {
    /// Adds a word, or improves it where another spelling in tokens is known; keeps the best `count`.
    fn add(&mut self, count: usize, text: &str, tokens: &[u32], probability: f32) {
        let folded = fold(text);
        match self
            .words
            .iter()
            .position(|word| fold(&word.text) == folded)
        {
            Some(known) => {
                if self
                    .words
                    .get(known)
                    .is_some_and(|word| word.probability >= probability)
                {
                    return;
                }
                self.words.remove(known);
            }
            None if probability <= 0.0 => return,
            None => {}
        }
        let place = self
            .words
            .partition_point(|word| word.probability >= probability);
        let word = ExpandedWord {
            text: text.to_owned(),
            tokens: tokens.to_vec(),
            probability,
        };
        self.words.insert(place, word);
        self.words.truncate(count);
    }
}

/// The ranks of tokens that begin with `typed` or are a beginning of it.
fn matching_ranks(index: &VocabIndex, typed: &[u8]) -> impl Iterator<Item = usize> {
    let shorter = (1..typed.len()).filter_map(|length| index.rank(typed.get(..length)?));
    index.interval(typed).chain(shorter)
}

/// The ranks of tokens that go on with a word, and whether they do nothing else.
fn continuing_ranks(index: &VocabIndex) -> Vec<(usize, bool)> {
    (0..index.len())
        .filter(|&rank| goes_on(index.bytes(rank)))
        .map(|rank| (rank, is_part_of_word(index.bytes(rank), 0)))
        .collect()
}

/// Whether a token goes on with the word before it: it begins with a letter, or within a character.
fn goes_on(bytes: &[u8]) -> bool {
    let whole = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let (whole, _) = bytes
                .split_at_checked(error.valid_up_to())
                .unwrap_or_default();
            std::str::from_utf8(whole).unwrap_or_default()
        }
    };
    whole
        .chars()
        .next()
        .map_or(!bytes.is_empty(), is_word_character)
}

/// Whether bytes, after `skip` of them, are letters and parts of letters only.
fn is_part_of_word(bytes: &[u8], skip: usize) -> bool {
    let rest = match bytes.get(..skip) {
        Some(space) if space.iter().all(|&byte| byte == b' ') => bytes.get(skip..),
        _ => None,
    };
    rest.is_some_and(|rest| {
        rest.utf8_chunks().all(|chunk| {
            chunk.valid().chars().all(is_word_character)
                && chunk.invalid().iter().all(|byte| byte & 0x80 != 0)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use nibble::{
        CancelHandle, Gguf, KvFormat, ModelOptions, Session, SessionOptions, SpecialTokens,
    };
    use nibble_testkit::phi4mini::{self, Shape};
    use std::collections::HashMap;
    use std::path::Path;
    use std::sync::Arc;

    struct Fixture {
        model: Arc<Model>,
        index: VocabIndex,
        session: Session,
    }

    fn fixture(model: Model, before: &str) -> Fixture {
        let model = Arc::new(model);
        let index = VocabIndex::new(model.tokenizer());
        let options = SessionOptions {
            context: 128,
            kv_format: KvFormat::F32,
            precision: Some(Precision::F32),
            ..Default::default()
        };
        let mut session = Session::new(model.clone(), options).unwrap();
        let tokens = model
            .tokenizer()
            .encode(before, SpecialTokens::AsText)
            .unwrap();
        session.prefill(&tokens, &CancelHandle::new()).unwrap();
        Fixture {
            model,
            index,
            session,
        }
    }

    fn search(fixture: &Fixture, typed: &str, limits: &ExpansionLimits) -> Expansion {
        let logits = fixture.session.logits().unwrap();
        let distribution = Distribution::new(&fixture.index, logits);
        let start = ExpansionStart {
            context: fixture.session.cache(),
            distribution: &distribution,
            typed,
            join: Join::Space,
            precision: Precision::F32,
        };
        let never = AtomicBool::new(false);
        let mut scratch = Scratch::default();
        expand(
            &fixture.model,
            &fixture.index,
            &start,
            limits,
            &never,
            &mut scratch,
        )
        .unwrap()
    }

    /// The words that begin as typed, best first, and how many sequences there are: every sequence of up to `depth` tokens
    /// that spells a word, one at a time.
    fn enumerate(fixture: &mut Fixture, typed: &str, depth: usize) -> (Vec<(String, f32)>, usize) {
        let vocabulary = fixture.model.tokenizer().vocabulary_size() as u32;
        let tokens: Vec<(u32, Vec<u8>)> = (0..vocabulary)
            .filter(|&id| {
                let kind = fixture.model.tokenizer().token_kind(id);
                kind == Some(nibble::tokenizer::TokenKind::Normal)
            })
            .map(|id| {
                (
                    id,
                    fixture.model.tokenizer().token_bytes(id).unwrap().to_vec(),
                )
            })
            .filter(|(_, bytes)| !bytes.is_empty())
            .collect();
        let before = fixture.session.tokens().to_vec();
        let mut found: HashMap<String, f32> = HashMap::new();
        let mut sequences = 0;
        for typed in case::variants(typed) {
            let typed = format!(" {typed}").into_bytes();
            let mut open = vec![(Vec::new(), Vec::new(), 1.0f32)];
            while let Some((path, bytes, mass)) = open.pop() {
                let all: Vec<u32> = before.iter().chain(&path).copied().collect();
                fixture.session.prefill(&all, &CancelHandle::new()).unwrap();
                let logits = fixture.session.logits().unwrap();
                let normalizer = log_sum_exp(logits);
                let probability = |id: u32| (logits[id as usize] - normalizer).exp();
                let begun = !path.is_empty();
                sequences += usize::from(begun);
                let word = std::str::from_utf8(&bytes).map(|word| word.trim_start().to_lowercase());
                if let Ok(word) = word
                    && begun
                    && bytes.starts_with(&typed)
                {
                    let goes_on: f32 = tokens
                        .iter()
                        .filter(|(_, bytes)| goes_on(bytes))
                        .map(|(id, _)| probability(*id))
                        .sum();
                    let entry = found.entry(word).or_default();
                    *entry = entry.max(mass * (1.0 - goes_on));
                }
                if path.len() == depth {
                    continue;
                }
                for (id, piece) in &tokens {
                    let next = [&bytes[..], &piece[..]].concat();
                    let fits = next.starts_with(&typed) || typed.starts_with(&next);
                    if fits
                        && is_part_of_word(piece, usize::from(!begun))
                        && (!begun || goes_on(piece))
                    {
                        let path = [&path[..], &[*id]].concat();
                        open.push((path, next, mass * probability(*id)));
                    }
                }
            }
        }
        let mut found: Vec<(String, f32)> = found.into_iter().collect();
        found.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        (found, sequences)
    }

    fn assert_equal(found: &Expansion, expected: &[(String, f32)]) {
        assert!(found.exact);
        for (found, (_, probability)) in found.words.iter().zip(expected) {
            let difference = (found.probability - probability).abs();
            assert!(difference < 1e-3 * probability, "{found:?} {expected:?}");
            let same = expected
                .iter()
                .find(|(word, _)| *word == found.text.to_lowercase())
                .unwrap();
            assert!((same.1 - found.probability).abs() < 1e-3 * probability);
        }
        assert_eq!(found.words.len(), expected.len().min(3));
    }

    #[test]
    fn a_search_equals_the_enumeration_of_all_words() {
        let options = ModelOptions {
            threads: 2,
            ..Default::default()
        };
        let path = nibble_testkit::fixture("phi3-tiny/model-f16.gguf");
        let mut fixture = fixture(
            Model::open(path, &options).unwrap(),
            "And the LORD said unto",
        );
        for typed in ["mos", "isr", "ph", "jer"] {
            let limits = ExpansionLimits {
                tokens: 2,
                passes: usize::MAX,
                ..Default::default()
            };
            let found = search(&fixture, typed, &limits);
            let before = fixture.session.tokens().to_vec();
            let (expected, sequences) = enumerate(&mut fixture, typed, 2);
            fixture
                .session
                .prefill(&before, &CancelHandle::new())
                .unwrap();
            assert_equal(&found, &expected[..3.min(expected.len())]);
            assert!(found.stems < sequences, "{} of {sequences}", found.stems);
        }
    }

    /// Random weights make every continuation as likely as the next, which is the hardest case for the bound: real
    /// models need fewer passes.
    #[test]
    fn a_search_equals_the_enumeration_on_the_vocabulary_of_phi_4_mini() {
        let file = phi4mini::write(Vec::new(), &Shape::small()).unwrap();
        let gguf = Gguf::from_bytes(file, Path::new("small-phi4mini.gguf")).unwrap();
        let model = Model::from_gguf(gguf, &ModelOptions::default()).unwrap();
        let mut fixture = fixture(model, "Guten Morgen,");
        let (mut checked, mut passes) = (0, Vec::new());
        for typed in ["verabred", "извини", "dzięku", "omlouv", "désolée"] {
            // Words that are one token need no search, and what follows them is more than can be enumerated.
            let begins = case::variants(typed);
            let is_one_token = begins.iter().any(|typed| {
                !fixture
                    .index
                    .interval(format!(" {typed}").as_bytes())
                    .is_empty()
            });
            if is_one_token {
                continue;
            }
            let limits = ExpansionLimits {
                tokens: 2,
                passes: usize::MAX,
                ..Default::default()
            };
            let found = search(&fixture, typed, &limits);
            let before = fixture.session.tokens().to_vec();
            let (expected, sequences) = enumerate(&mut fixture, typed, 2);
            fixture
                .session
                .prefill(&before, &CancelHandle::new())
                .unwrap();
            checked += usize::from(!expected.is_empty());
            assert_equal(&found, &expected[..3.min(expected.len())]);
            assert!(found.stems <= sequences, "{} of {sequences}", found.stems);
            passes.push(found.passes);
        }
        assert!(checked >= 3, "{checked} of them are words of two tokens");
        let most = passes.iter().max().copied();
        assert!(most <= Some(8), "passes for each word: {passes:?}");
    }

    #[test]
    fn a_search_is_bounded_by_its_passes() {
        let options = ModelOptions {
            threads: 1,
            ..Default::default()
        };
        let path = nibble_testkit::fixture("phi3-tiny/model-f16.gguf");
        let fixture = fixture(
            Model::open(path, &options).unwrap(),
            "And the LORD said unto",
        );
        let one = ExpansionLimits {
            passes: 1,
            batch: 2,
            ..Default::default()
        };
        let found = search(&fixture, "m", &one);
        assert_eq!((found.passes, found.stems, found.exact), (1, 2, false));
    }
}
