//! Ghost text: how a phrase goes on, as long as the model is sure enough.

use nibble::sampler::log_sum_exp;
use nibble::tokenizer::TokenKind;
use nibble::{CancelHandle, Result, SpecialTokens};

use crate::boundary_model::{BoundaryModel, BoundaryText, MAX_PHRASE, Passes};
use crate::position::Join;
use crate::word_boundary::is_word_character;

/// Where a phrase begins.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PhraseStart {
    /// What comes before the first word.
    pub(crate) text: BoundaryText,
    /// The first word, as it will stand there.
    pub(crate) word: String,
    /// Its probability.
    pub(crate) probability: f32,
    /// The phrase ends where its probability would fall below this.
    pub(crate) threshold: f32,
}

/// Some words, and how sure the model is of all of them together.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Phrase {
    pub(crate) text: String,
    pub(crate) probability: f32,
}

/// Continues with the likeliest token while all of them together stay above the threshold, one pass each.
/// Ends after punctuation that ends a sentence, and always with a whole word; `None` where that leaves the
/// first word alone.
///
/// # Errors
/// Those of [`BoundaryModel::prefill`].
pub(crate) fn continue_phrase(
    session: &mut BoundaryModel,
    start: &PhraseStart,
    cancel: &CancelHandle,
    passes: &mut Passes,
) -> Result<Option<Phrase>> {
    let mut tokens = session.tokens(&start.text)?;
    let model = session.session().model().clone();
    let tokenizer = model.tokenizer();
    let space = if start.text.join == Join::Space {
        " "
    } else {
        ""
    };
    tokens.extend(tokenizer.encode(&format!("{space}{}", start.word), SpecialTokens::AsText)?);

    let mut text = start.word.clone();
    let mut probability = start.probability;
    // Text and probability up to the last place where a word was known to end.
    let mut whole = Phrase {
        text: String::new(),
        probability,
    };
    let mut bytes: Vec<u8> = Vec::new();
    for _ in 0..MAX_PHRASE / 2 {
        if probability < start.threshold || tokens.len() >= session.session().capacity() {
            break;
        }
        session.prefill(&tokens, cancel, passes)?;
        let logits = session.session().logits().unwrap_or_default();
        let Some((token, likelihood)) = likeliest(logits) else {
            break;
        };
        let spelled = match tokenizer.token_kind(token) {
            Some(TokenKind::Normal) => tokenizer.token_bytes(token).unwrap_or_default(),
            _ => &[],
        };
        bytes.extend_from_slice(spelled);
        let Ok(piece) = std::str::from_utf8(&bytes) else {
            // The middle of a character: the next token goes on with it.
            tokens.push(token);
            probability *= likelihood;
            continue;
        };
        let goes_on = piece.chars().next().is_some_and(is_word_character);
        if !goes_on && text.chars().next_back().is_some_and(|c| !c.is_whitespace()) {
            whole = Phrase {
                text: text.clone(),
                probability,
            };
        }
        let ends = piece.is_empty() || piece.contains('\n');
        probability *= likelihood;
        if ends || probability < start.threshold {
            break;
        }
        text.push_str(piece);
        tokens.push(token);
        if piece.ends_with(['.', '!', '?']) {
            whole = Phrase {
                text: text.clone(),
                probability,
            };
            break;
        }
        bytes.clear();
    }
    let has_more = whole.text.len() > start.word.len();
    Ok(has_more.then_some(whole))
}

/// The token with the largest logit and its probability.
fn likeliest(logits: &[f32]) -> Option<(u32, f32)> {
    let (token, logit) = (0u32..)
        .zip(logits.iter().copied())
        .filter(|(_, logit)| logit.is_finite())
        .max_by(|a, b| a.1.total_cmp(&b.1))?;
    Some((token, (logit - log_sum_exp(logits)).exp()))
}
