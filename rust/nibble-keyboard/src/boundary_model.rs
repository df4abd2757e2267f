//! The model at word boundaries: which tokens it reads, and what it expects after them.

use std::hash::{BuildHasher, RandomState};
use std::ops::Range;
use std::sync::Arc;

use nibble::backend::{HeadRows, Precision, Scratch};
use nibble::{
    CancelHandle, KvFormat, Model, Prefill, Result, Session, SessionOptions, SpecialTokens,
    Tokenizer,
};

use crate::boundary::{BoundaryKey, Distribution};
use crate::expander::{Expansion, ExpansionLimits, ExpansionStart, expand, run_branches};
use crate::position::Join;
use crate::vocab_index::VocabIndex;

/// What the model reads before a word: three texts of which the earlier change less often.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct BoundaryText {
    /// Style primer; empty for none.
    pub(crate) primer: Arc<str>,
    /// Messages before the field, a line each; empty for none.
    pub(crate) conversation: Arc<str>,
    /// The text before the word, without the space between them; see [`crate::window::window`].
    pub(crate) window: String,
    /// How the word joins it.
    pub(crate) join: Join,
}

impl BoundaryText {
    /// The name of this boundary under the keys of `hasher`.
    pub(crate) fn key(&self, hasher: &RandomState) -> BoundaryKey {
        BoundaryKey(hasher.hash_one(self))
    }
}

/// Tokens of the primer, at most; its end is kept.
const MAX_PRIMER: usize = 512;
/// Tokens of the conversation, at most; its end is kept.
const MAX_CONVERSATION: usize = 192;
/// Tokens of the window, at most. Texts of scripts that the tokenizer knows badly lose their beginning, in
/// steps of [`WINDOW_STEP`] so that the rest stays a common prefix.
const MAX_WINDOW: usize = 192;
const WINDOW_STEP: usize = 64;
/// Tokens that a phrase may add.
pub(crate) const MAX_PHRASE: usize = 24;

/// What one call did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Passes {
    /// Forward calls, a cancelled one included.
    pub(crate) calls: u64,
}

/// A session that holds primer, conversation and window, and the index to read its logits by.
#[derive(Debug)]
pub(crate) struct BoundaryModel {
    session: Session,
    index: Arc<VocabIndex>,
    after_space: SpacedTokens,
    /// Comes before every text.
    start: Option<u32>,
    /// The primer encoded last, with its tokens.
    primer: (Arc<str>, Vec<u32>),
    /// The conversation encoded last, with its tokens behind that primer.
    conversation: (Arc<str>, Vec<u32>),
    /// Buffers of batched passes, from the first one on.
    batches: Option<Scratch>,
}

/// How activations are held at word boundaries. With 8 bits, the suggestions for the development text save as
/// many keystrokes as with 16, and the tokens of a longer boundary cost little beside the first.
pub const PRECISION: Precision = Precision::Q8;
/// Bytes of keys and values a token from which on they are kept in 8 bits.
const LARGE_KV_POSITION: u64 = 32 << 10;
/// Bytes that the activations of one prefill chunk may take.
const CHUNK_BYTES: usize = 4 << 20;

impl BoundaryModel {
    /// A session over `model`, which allocates little before its first pass.
    ///
    /// # Errors
    /// Those of [`Session::new`].
    pub(crate) fn new(model: Arc<Model>, index: Arc<VocabIndex>) -> Result<BoundaryModel> {
        let hparams = model.hparams();
        let context = MAX_PRIMER + MAX_CONVERSATION + MAX_WINDOW + MAX_PHRASE + 4;
        let token_bytes = Scratch::bytes_per_token(hparams, PRECISION);
        let large = model.kv_bytes_per_position(KvFormat::F16)? > LARGE_KV_POSITION;
        let options = SessionOptions {
            context: context.min(hparams.context_length),
            kv_format: match large && model.kv_bytes_per_position(KvFormat::Q8_0).is_ok() {
                true => KvFormat::Q8_0,
                false => KvFormat::F16,
            },
            precision: Some(PRECISION),
            prefill_chunk: (CHUNK_BYTES / token_bytes.max(1)).clamp(8, 128),
            ..SessionOptions::default()
        };
        let start = start_token(model.tokenizer());
        let after_space = SpacedTokens::of(&model, &index);
        let session = Session::new(model, options)?;
        Ok(BoundaryModel {
            session,
            index,
            after_space,
            start,
            primer: ("".into(), Vec::new()),
            conversation: ("".into(), Vec::new()),
            batches: None,
        })
    }

    /// The tokens that the model reads for `text`.
    ///
    /// # Errors
    /// Those of [`Tokenizer::encode`].
    pub(crate) fn tokens(&mut self, text: &BoundaryText) -> Result<Vec<u32>> {
        let model = self.session.model().clone();
        let encode = |text: &str| model.tokenizer().encode(text, SpecialTokens::AsText);
        if self.primer.0 != text.primer {
            let tokens = encode(text.primer.trim_end())?;
            self.primer = (text.primer.clone(), last(&tokens, MAX_PRIMER).to_vec());
            // Whether it begins with a line break depends on the primer.
            self.conversation = ("".into(), Vec::new());
        }
        let line_break = |before: &[u32]| if before.is_empty() { "" } else { "\n" };
        if self.conversation.0 != text.conversation {
            let mut tokens = Vec::new();
            let conversation = text.conversation.trim_end();
            if !conversation.is_empty() {
                let line_break = line_break(&self.primer.1);
                tokens = encode(&format!("{line_break}{conversation}"))?;
            }
            let tokens = last(&tokens, MAX_CONVERSATION).to_vec();
            self.conversation = (text.conversation.clone(), tokens);
        }
        let before = [self.primer.1.as_slice(), &self.conversation.1].concat();
        let line_break = line_break(&before);
        let mut tokens: Vec<u32> = self.start.into_iter().chain(before).collect();
        let window = encode(&format!("{line_break}{}", text.window))?;
        let excess = window
            .len()
            .saturating_sub(MAX_WINDOW)
            .next_multiple_of(WINDOW_STEP);
        tokens.extend(window.get(excess..).unwrap_or_default());
        if tokens.is_empty() {
            // A model needs one token to start from.
            tokens.extend(encode("\n")?);
        }
        let capacity = self.session.capacity().saturating_sub(MAX_PHRASE).max(1);
        Ok(last(&tokens, capacity).to_vec())
    }

    /// What the model expects after `text`. Only what differs from the text before is computed.
    ///
    /// # Errors
    /// Those of [`Session::prefill`].
    pub(crate) fn distribution(
        &mut self,
        text: &BoundaryText,
        cancel: &CancelHandle,
        passes: &mut Passes,
    ) -> Result<Distribution> {
        let tokens = self.tokens(text)?;
        let last = tokens.len().saturating_sub(1);
        let following = Following::of(&self.index, &self.after_space, text.join);
        let mut found = None;
        counted(&mut self.session, &tokens, passes, |session| {
            session.prefill_scored(&tokens, &[(last, following.rows())], cancel, |_, logits| {
                found = Some(following.distribution(logits));
            })
        })?;
        Ok(found.unwrap_or_else(|| following.distribution(&[])))
    }

    /// Makes the session hold `tokens`, with the logits after them.
    ///
    /// # Errors
    /// Those of [`Session::prefill`].
    pub(crate) fn prefill(
        &mut self,
        tokens: &[u32],
        cancel: &CancelHandle,
        passes: &mut Passes,
    ) -> Result<()> {
        counted(&mut self.session, tokens, passes, |session| {
            session.prefill(tokens, cancel)
        })
    }

    /// What the model expects after each of `boundaries`, in one pass over those that go on from the text before;
    /// the others are left out. Where none does, the first is read by itself.
    ///
    /// # Errors
    /// Those of [`Session::prefill`].
    pub(crate) fn look_ahead(
        &mut self,
        boundaries: Vec<(BoundaryKey, BoundaryText)>,
        cancel: &CancelHandle,
        passes: &mut Passes,
    ) -> Result<Vec<(BoundaryKey, Distribution)>> {
        let mut ahead: Vec<(BoundaryKey, Join, Vec<u32>)> = Vec::new();
        for (key, text) in &boundaries {
            let tokens = self.tokens(text)?;
            match tokens.strip_prefix(self.session.tokens()) {
                Some(rest) if !rest.is_empty() => {
                    ahead.push((*key, text.join, rest.to_vec()));
                }
                _ => {}
            }
        }
        if self.session.tokens().is_empty() || ahead.is_empty() {
            let Some((key, text)) = boundaries.into_iter().next() else {
                return Ok(Vec::new());
            };
            return Ok(vec![(key, self.distribution(&text, cancel, passes)?)]);
        }
        let following = |join: &Join| Following::of(&self.index, &self.after_space, *join);
        let branches: Vec<_> = ahead
            .iter()
            .map(|(_, join, tokens)| (tokens.as_slice(), following(join).rows()))
            .collect();
        let scratch = self.batches.get_or_insert_default();
        passes.calls += 1;
        let (model, context) = (self.session.model(), self.session.cache());
        run_branches(model, context, &branches, PRECISION, cancel.flag(), scratch)?;
        let found = ahead.iter().enumerate().map(|(request, (key, join, _))| {
            let logits = scratch.logits(request).unwrap_or_default();
            (*key, following(join).distribution(logits))
        });
        Ok(found.collect())
    }

    /// The best words of several tokens at the boundary `text`, where `distribution` is expected.
    ///
    /// # Errors
    /// Those of [`expand`].
    pub(crate) fn expand(
        &mut self,
        text: &BoundaryText,
        typed: &str,
        distribution: &Distribution,
        cancel: &CancelHandle,
        passes: &mut Passes,
    ) -> Result<Expansion> {
        let tokens = self.tokens(text)?;
        if self.session.tokens() != tokens {
            self.prefill(&tokens, cancel, passes)?;
        }
        let start = ExpansionStart {
            context: self.session.cache(),
            distribution,
            typed,
            join: text.join,
            precision: PRECISION,
        };
        let limits = ExpansionLimits::default();
        let model = self.session.model();
        let scratch = self.batches.get_or_insert_default();
        let expansion = expand(model, &self.index, &start, &limits, cancel.flag(), scratch)?;
        passes.calls += expansion.passes as u64;
        Ok(expansion)
    }

    /// The session, for whatever reads on from a boundary.
    pub(crate) fn session(&self) -> &Session {
        &self.session
    }
}

/// The tokens that begin with a space.
#[derive(Debug)]
struct SpacedTokens {
    ranks: Range<usize>,
    /// Their ids, where their rows of the head are neighbours. To pick them one by one takes longer than the whole head.
    neighbours: Option<Vec<u32>>,
}

impl SpacedTokens {
    fn of(model: &Model, index: &VocabIndex) -> SpacedTokens {
        let ranks = index.interval(b" ");
        let is_prepared = model.gguf().prepared_source().is_some();
        let neighbours = is_prepared.then(|| index.tokens().range(ranks.clone()).collect());
        SpacedTokens { ranks, neighbours }
    }
}

/// The tokens that can come next at a boundary.
struct Following<'a> {
    index: &'a VocabIndex,
    /// `None` where all tokens can.
    spaced: Option<&'a SpacedTokens>,
}

impl<'a> Following<'a> {
    /// After a space, which belongs to the next token, only tokens that begin with one: the head of all others
    /// need not be computed.
    fn of(index: &'a VocabIndex, spaced: &'a SpacedTokens, join: Join) -> Following<'a> {
        Following {
            index,
            spaced: (join == Join::Space).then_some(spaced),
        }
    }

    /// The rows of the head to compute.
    fn rows(&self) -> HeadRows<'a> {
        match self.spaced.and_then(|spaced| spaced.neighbours.as_ref()) {
            Some(neighbours) => HeadRows::Set(neighbours),
            None => HeadRows::All,
        }
    }

    /// The distribution that the logits of those rows are.
    fn distribution(&self, logits: &[f32]) -> Distribution {
        match self.spaced {
            Some(SpacedTokens { ranks, neighbours }) if neighbours.is_some() => {
                Distribution::of_ranks(ranks.start, logits)
            }
            Some(SpacedTokens { ranks, .. }) => {
                let logit = |token: u32| logits.get(token as usize).copied().unwrap_or(f32::NAN);
                let tokens = self.index.tokens().range(ranks.clone());
                let logits: Vec<f32> = tokens.map(logit).collect();
                Distribution::of_ranks(ranks.start, &logits)
            }
            None => Distribution::new(self.index, logits),
        }
    }
}

/// Counts the forward calls of a prefill with `tokens`.
fn counted(
    session: &mut Session,
    tokens: &[u32],
    passes: &mut Passes,
    prefill: impl FnOnce(&mut Session) -> Result<Prefill>,
) -> Result<()> {
    let chunk = session.options().prefill_chunk;
    let held = session
        .tokens()
        .iter()
        .zip(tokens)
        .take_while(|(a, b)| a == b)
        .count();
    match prefill(session) {
        Ok(done) => {
            passes.calls += done.computed.div_ceil(chunk) as u64;
            Ok(())
        }
        Err(error) => {
            let computed = session.tokens().len().saturating_sub(held);
            passes.calls += (computed / chunk + 1) as u64;
            Err(error)
        }
    }
}

fn last(tokens: &[u32], count: usize) -> &[u32] {
    tokens
        .get(tokens.len().saturating_sub(count)..)
        .unwrap_or_default()
}

/// The token that stands before every text: the one that separated documents in training, where there is
/// one.
fn start_token(tokenizer: &Tokenizer) -> Option<u32> {
    tokenizer
        .special("<|endoftext|>")
        .or(tokenizer.bos())
        .or(tokenizer.eos())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::window::window;
    use nibble::ModelOptions;

    fn tiny() -> BoundaryModel {
        let options = ModelOptions {
            threads: 2,
            ..Default::default()
        };
        let path = nibble_testkit::fixture("phi3-tiny/model-f16.gguf");
        let model = Arc::new(Model::open(path, &options).unwrap());
        let index = Arc::new(VocabIndex::new(model.tokenizer()));
        BoundaryModel::new(model, index).unwrap()
    }

    fn text(primer: &str, before: &str) -> BoundaryText {
        BoundaryText {
            primer: primer.into(),
            conversation: "".into(),
            window: window(before).to_owned(),
            join: Join::Space,
        }
    }

    fn run(model: &mut BoundaryModel, text: &BoundaryText) -> (Distribution, u64) {
        let mut passes = Passes::default();
        let found = model
            .distribution(text, &CancelHandle::new(), &mut passes)
            .unwrap();
        (found, passes.calls)
    }

    #[test]
    fn a_window_that_shifts_gives_what_computing_anew_gives() {
        let verse = "And it came to pass in those days, that there went out a decree. ";
        let mut growing = tiny();
        let mut before = String::new();
        let mut shifts = 0;
        for word in verse.split_inclusive(' ').cycle().take(220) {
            before.push_str(word);
            let text = text("In the beginning\n", before.trim_end());
            let held = growing.session.tokens().to_vec();
            let (found, passes) = run(&mut growing, &text);
            assert!(passes <= 2, "the common prefix survives");
            let shifted = !growing.session.tokens().starts_with(&held);
            shifts += usize::from(shifted);
            if shifted || before.len().is_multiple_of(7) {
                let (expected, _) = run(&mut tiny(), &text);
                for rank in 0..growing.index.len() {
                    let (a, b) = (found.probability(rank), expected.probability(rank));
                    assert!((a - b).abs() < 0.02, "{a} {b}");
                }
            }
        }
        assert!((1..=12).contains(&shifts), "{shifts} shifts");
    }

    #[test]
    fn a_prepared_model_expects_what_its_source_does() {
        let folder = tempfile::tempdir().unwrap();
        let prepared = folder.path().join("model.nibble.gguf");
        let source = nibble_testkit::fixture("phi3-tiny/model-q8_0.gguf");
        let mut work =
            nibble::prepared::Preparation::new(&source, &prepared, Default::default()).unwrap();
        while work.step().unwrap().is_some() {}
        let [mut plain, mut prepared] = [source, prepared].map(|path| {
            let options = ModelOptions {
                ignore_prepared: true,
                ..Default::default()
            };
            let model = Arc::new(Model::open(path, &options).unwrap());
            let index = Arc::new(VocabIndex::new(model.tokenizer()));
            BoundaryModel::new(model, index).unwrap()
        });
        let space = plain.index.interval(b" ");
        for (before, join) in [("God created the", Join::Space), ("", Join::Direct)] {
            let text = BoundaryText {
                join,
                ..text("In the beginning\n", before)
            };
            let ((found, _), (expected, _)) = (run(&mut prepared, &text), run(&mut plain, &text));
            let mut total = 0.0;
            for rank in 0..plain.index.len() {
                let (a, b) = (found.probability(rank), expected.probability(rank));
                assert!((a - b).abs() < 0.02, "{a} {b}");
                assert!(join == Join::Direct || space.contains(&rank) || b == 0.0);
                total += b;
            }
            assert!(
                join == Join::Direct || (total - 1.0).abs() < 1e-3,
                "{total}"
            );
        }
    }

    #[test]
    fn only_what_differs_from_the_text_before_is_computed() {
        let mut model = tiny();
        run(&mut model, &text("In the beginning\n", "God created the"));
        let first = model.session.tokens().len();
        run(
            &mut model,
            &text("In the beginning\n", "God created the heaven"),
        );
        let longer = model.session.tokens().len();
        assert!(longer > first);
        let shared = model.tokens(&text("In the beginning\n", "And")).unwrap();
        let primer = model.tokens(&text("In the beginning\n", "")).unwrap();
        assert!(
            shared.starts_with(&primer[..primer.len() - 1]),
            "the primer is a common prefix"
        );
    }

    #[test]
    fn a_conversation_is_encoded_once() {
        let mut model = tiny();
        let of = |primer: &str, conversation: &str, before: &str| BoundaryText {
            conversation: conversation.into(),
            ..text(primer, before)
        };
        for primer in ["", "In the beginning\n"] {
            for conversation in ["what is thy name?", "", "said he\nand he said"] {
                let text = of(primer, conversation, "And");
                let expected = tiny().tokens(&text).unwrap();
                assert_eq!(model.tokens(&text).unwrap(), expected);
                assert_eq!(model.tokens(&text).unwrap(), expected);
            }
        }
        // What is held is what is read, until primer or conversation change.
        let held = |model: &mut BoundaryModel| {
            let text = of("In the beginning\n", "said he", "And");
            model.tokens(&text).unwrap();
            model.conversation.1 = vec![7; 9];
        };
        let mark = |model: &mut BoundaryModel, text: &BoundaryText| {
            model
                .tokens(text)
                .unwrap()
                .windows(9)
                .any(|nine| nine == [7; 9])
        };
        held(&mut model);
        let longer = of("In the beginning\n", "said he", "And it came");
        assert!(mark(&mut model, &longer));
        assert!(!mark(&mut model, &of("", "said he", "And")));
        held(&mut model);
        assert!(!mark(
            &mut model,
            &of("In the beginning\n", "he said", "And")
        ));
    }

    #[test]
    fn no_text_fits_what_the_session_holds() {
        let mut model = tiny();
        let endless = "\u{1F600}".repeat(400);
        let mut everything = text(&"primer ".repeat(2000), &endless);
        everything.conversation = "said he ".repeat(2000).into();
        let tokens = model.tokens(&everything).unwrap();
        assert!(tokens.len() + MAX_PHRASE <= model.session.capacity());
        run(&mut model, &everything);
        assert!(!model.tokens(&text("", "")).unwrap().is_empty());
    }
}
