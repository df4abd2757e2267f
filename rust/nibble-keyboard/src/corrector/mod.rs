//! Which word was meant by what was typed: a noisy channel over the geometry of the keys.
//!
//! A correction `w` of `t` is as likely as P(w) · P(t | w). The prior P(w) comes from the caller,
//! who knows the words before (the language model's distribution at the word boundary, or
//! [`Lexicons::log_frequency`]); the channel P(t | w) is a weighted edit distance over key
//! positions, or over tap coordinates where the caller has them.
//!
//! What was typed competes as well. A word of the lexicon is replaced only against overwhelming
//! odds; an unknown one sooner, but it may be a name.

mod channel;
mod search;

use std::borrow::Cow;

use crate::case::{LetterCase, letter_case};
use crate::geometry::Layout;
use crate::lexicon::{LanguageWeights, Lexicon, Lexicons};
use crate::text::{capitalize, fold};
use channel::{Evidence, KeyCosts, LETTER_FOR_SPACE, MISSING_SPACE};
use search::{Close, Limits, close_words};

/// A word that may have been meant.
#[derive(Debug, Clone, PartialEq)]
pub struct Correction {
    /// The word, spelled as usual and capitalized as typed; two words where a space is missing.
    pub word: String,
    /// Natural logarithm of how much more likely it is than that `typed` was meant.
    pub log_odds: f32,
    /// Natural logarithm of the probability that it was meant and came out as `typed`, in the measure
    /// of the prior.
    pub log_probability: f32,
    /// The odds from which on it would be made without asking.
    pub threshold: f32,
    /// Whether that is sure enough to replace what was typed without asking; true for the first
    /// correction at most.
    pub automatic: bool,
    /// Whether it is known to offend. Such a correction is never automatic.
    pub offensive: bool,
}

/// How sure a correction must be to be made without asking.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Thresholds {
    /// Log odds against a word of the lexicon.
    pub known: f32,
    /// Log odds against a word that no lexicon has.
    pub unknown: f32,
    /// Log odds against an unknown word of fewer than four letters.
    pub unknown_short: f32,
}

impl Default for Thresholds {
    /// Set so that at most 0.3 % of the correct words of the tuning text are changed.
    fn default() -> Thresholds {
        Thresholds {
            known: 2.5,
            unknown: 1.0,
            unknown_short: 1.0,
        }
    }
}

/// What is asked of a [`Corrector`].
pub struct Request<'a> {
    /// The word as typed.
    pub typed: &'a str,
    /// Where each of its letters was tapped, in the coordinates of the layout.
    pub taps: Option<&'a [(f32, f32)]>,
    /// Natural logarithm of the probability of a word (in its usual spelling) at this place of the
    /// text. It is asked for words of the lexicons only.
    pub prior: &'a dyn Fn(&str) -> f32,
    /// Whether `prior` knows the text before the word, and not only how frequent words are.
    pub knows_context: bool,
    /// Whether the word begins a sentence, so that its capital says nothing.
    pub is_sentence_start: bool,
    /// Whether a word is not to be touched: the user has taught it, or has undone its correction.
    pub is_protected: &'a dyn Fn(&str) -> bool,
}

/// Corrects what was typed on one layout.
pub struct Corrector {
    keys: KeyCosts,
    thresholds: Thresholds,
}

/// Longest word that is corrected, in letters.
const MAX_LETTERS: usize = 32;
/// Log odds against a letter that stands alone, at least: it may be an initial, an item of a list or a variable.
const SINGLE_LETTER: f32 = 4.0;
/// Log odds against a known word of two letters, at least, where only frequencies are known: nearly every other one is
/// a slip away from it, and the frequent ones would take its place everywhere.
const TWO_LETTERS: f32 = 5.0;
/// Words in capitals are corrected from this length on.
const SHOUTED_FROM: usize = 5;
/// Words from this length on may have two slips.
const TWO_EDITS_FROM: usize = 5;
/// Words that the prior is asked about.
const MAX_CANDIDATES: usize = 24;
/// Costs beyond the best word's at which the prior cannot make up for it any more.
const SLACK: f32 = 8.0;
/// States opened in one search: about half a millisecond.
const MAX_STATES: usize = 3_000;
/// Corrections worth offering are no less likely than this against what was typed.
const LEAST_LOG_ODDS: f32 = -1.0;
/// Log odds that are given to the usual spelling over one that differs from it only in case.
const CASE_LOG_ODDS: f32 = 8.0;
/// Logarithm of the probability that a word is none of the lexicon's and begins as it does, and
/// what each of its first letters adds. Later letters add nothing: a long unknown word is as likely
/// to be a compound or a name as it is to be mistyped.
const UNKNOWN: f32 = -10.0;
const UNKNOWN_PER_LETTER: f32 = -1.4;
const UNKNOWN_LETTERS: usize = 7;
/// Logarithm of the probability of a letter of a word, by those before it, as it usually is.
const USUAL_SPELLING: f32 = -2.4;
/// What is added where spelling is known, and offsets how slips are spelled on average.
const SPELLED_LIKE_A_SLIP: f32 = 1.25;
/// What a capital that no sentence asks for adds: the word is likely to be a name.
const NAME: f32 = 5.0;

impl Corrector {
    /// A corrector for words typed on `layout`.
    pub fn new(layout: &Layout) -> Corrector {
        Corrector {
            keys: KeyCosts::new(layout),
            thresholds: Thresholds::default(),
        }
    }

    /// The same with other thresholds.
    pub fn with_thresholds(self, thresholds: Thresholds) -> Corrector {
        Corrector { thresholds, ..self }
    }

    /// The words that may have been meant, most likely first; none where the typed word is the
    /// likeliest by far, or is not to be corrected: numbers, addresses, words with capitals inside,
    /// abbreviations in capitals, and those that are protected.
    ///
    /// Takes well under a millisecond with 80,000 words.
    pub fn correct(
        &self,
        request: &Request<'_>,
        lexicons: &Lexicons,
        weights: &LanguageWeights,
    ) -> Vec<Correction> {
        let typed = request.typed;
        if !is_correctable(typed) || (request.is_protected)(typed) {
            return Vec::new();
        }
        let is_initial = typed.chars().count() == 1 && starts_with_capital(typed);
        if is_initial && !request.is_sentence_start {
            return Vec::new();
        }
        let folded = fold(typed);
        let word = TypedWord::new(&folded, request, lexicons, weights);
        let mut corrections = self.close(&word, request, lexicons, weights);
        if !word.is_known {
            corrections.extend(self.split(&word, request, lexicons, weights));
        }
        corrections.retain(|correction| correction.log_odds >= LEAST_LOG_ODDS);
        corrections.sort_by(|a, b| b.log_odds.total_cmp(&a.log_odds));
        if let Some(best) = corrections.first_mut() {
            best.automatic = best.log_odds >= best.threshold && !best.offensive;
        }
        // Its capitals are only worth mending where no other word was meant, and no language writes them so.
        if let Some(usual) = word.usual
            && !is_spelled_so(typed, lexicons)
            && !corrections.first().is_some_and(|best| best.automatic)
        {
            let offensive = lexicons.is_offensive(&folded, weights);
            let correction = Correction {
                word: capitalize_like(typed, usual.into_owned()),
                log_odds: CASE_LOG_ODDS,
                log_probability: word.score,
                threshold: 0.0,
                automatic: !offensive,
                offensive,
            };
            corrections.insert(0, correction);
        }
        corrections
    }

    /// The other words of the lexicons that are close to what was typed.
    fn close(
        &self,
        typed: &TypedWord<'_>,
        request: &Request<'_>,
        lexicons: &Lexicons,
        weights: &LanguageWeights,
    ) -> Vec<Correction> {
        let letters = &typed.letters;
        let lexicons_by_weight: Vec<(&Lexicon, f32)> = lexicons.weighted(weights).collect();
        let typed_cost = match lexicons.log_frequency(typed.folded, weights) {
            Some(log_frequency) => -log_frequency,
            None => -typed.score,
        };
        let limits = Limits {
            max_edits: match letters.len() {
                length if length < TWO_EDITS_FROM => 1,
                _ => 2,
            },
            max_cost: typed_cost - LEAST_LOG_ODDS + SLACK / 2.0,
            slack: SLACK,
            max_words: MAX_CANDIDATES,
            max_states: MAX_STATES,
        };
        let evidence = match request.taps {
            Some(taps) if taps.len() == letters.len() => Evidence::Taps(taps),
            _ => Evidence::Letters,
        };
        let close = close_words(letters, &evidence, &self.keys, &lexicons_by_weight, &limits);

        let threshold = self.threshold(typed, request);
        let mut corrections: Vec<Correction> = Vec::new();
        for Close { word, channel_cost } in close {
            // A letter alone is a slip for another letter alone, or is meant.
            if letters.len() == 1 && word.chars().count() > 1 {
                continue;
            }
            if fold(&word) == typed.folded {
                continue;
            }
            let log_odds = (request.prior)(&word) - channel_cost - typed.score;
            let offensive = lexicons.is_offensive(&word, weights);
            corrections.push(Correction {
                word: capitalize_like(request.typed, word),
                log_odds,
                log_probability: log_odds + typed.score,
                threshold,
                automatic: false,
                offensive,
            });
        }
        corrections
    }

    /// The odds that one word must have to replace what was typed without asking.
    fn threshold(&self, typed: &TypedWord<'_>, request: &Request<'_>) -> f32 {
        match typed.letters.len() {
            1 => self.thresholds.known.max(SINGLE_LETTER),
            2 if typed.is_known && !request.knows_context => self.thresholds.known.max(TWO_LETTERS),
            _ if typed.is_known => self.thresholds.known,
            ..4 => self.thresholds.unknown_short,
            _ => self.thresholds.unknown,
        }
    }

    /// Two words whose space is missing, or came out as the letter of a key next to it.
    fn split(
        &self,
        typed: &TypedWord<'_>,
        request: &Request<'_>,
        lexicons: &Lexicons,
        weights: &LanguageWeights,
    ) -> Option<Correction> {
        let mut best: Option<Correction> = None;
        let mut consider = |first: &[char], second: &[char], cost: f32| {
            let alone = |part: &[char]| matches!(part, ['a' | 'i']) || part.len() > 1;
            if !alone(first) || !alone(second) {
                return;
            }
            let first: String = first.iter().collect();
            let second: String = second.iter().collect();
            let Some(first) = lexicons.canonical(&first, weights) else {
                return;
            };
            let Some(then) = lexicons.log_frequency(&second, weights) else {
                return;
            };
            let Some(second) = lexicons.canonical(&second, weights) else {
                return;
            };
            let log_odds = (request.prior)(&first) + then - cost - typed.score;
            if best.as_ref().is_none_or(|best| log_odds > best.log_odds) {
                let offensive = lexicons.is_offensive(&first, weights)
                    || lexicons.is_offensive(&second, weights);
                let word = capitalize_like(request.typed, format!("{first} {second}"));
                best = Some(Correction {
                    word,
                    log_odds,
                    log_probability: log_odds + typed.score,
                    threshold: self.thresholds.unknown,
                    automatic: false,
                    offensive,
                });
            }
        };
        for at in 1..typed.letters.len() {
            let (first, rest) = typed.letters.split_at(at);
            consider(first, rest, MISSING_SPACE);
            if let Some((letter, second)) = rest.split_first()
                && is_above_the_space(*letter)
                && !second.is_empty()
            {
                consider(first, second, LETTER_FOR_SPACE);
            }
        }
        best
    }
}

/// What was typed, as a word that may have been meant.
struct TypedWord<'a> {
    folded: &'a str,
    letters: Vec<char>,
    /// Its usual spelling in the likeliest language that has it.
    usual: Option<Cow<'a, str>>,
    /// Whether a lexicon has it or what it is made of.
    is_known: bool,
    /// Natural logarithm of the probability that it was meant.
    score: f32,
}

impl<'a> TypedWord<'a> {
    fn new(
        folded: &'a str,
        request: &Request<'_>,
        lexicons: &'a Lexicons,
        weights: &LanguageWeights,
    ) -> TypedWord<'a> {
        let letters: Vec<char> = folded.chars().collect();
        let usual = lexicons.canonical(folded, weights);
        let is_known = usual.is_some() || is_derived(folded, lexicons, weights);
        let score = match &usual {
            Some(usual) => (request.prior)(usual),
            None if is_known => UNKNOWN,
            None => {
                let told = letters.len().min(UNKNOWN_LETTERS) as f32;
                // How much more its spelling is that of a word than slips are usually spelled.
                let spelled = match lexicons.spelling_log_probability(folded) {
                    Some(spelling) => {
                        let each = spelling / (letters.len() + 1) as f32;
                        SPELLED_LIKE_A_SLIP + told * (each - USUAL_SPELLING)
                    }
                    None => 0.0,
                };
                let is_name = !request.is_sentence_start && starts_with_capital(request.typed);
                let name = if is_name { NAME } else { 0.0 };
                UNKNOWN + UNKNOWN_PER_LETTER * told + spelled + name
            }
        };
        TypedWord {
            folded,
            letters,
            usual,
            is_known,
            score,
        }
    }
}

/// Whether `typed` is the kind of thing that can be a mistyped word.
fn is_correctable(typed: &str) -> bool {
    let letters = typed.chars().count();
    let is_word = typed
        .chars()
        .all(|c| c.is_alphabetic() || matches!(c, '\'' | '’' | '-'))
        && typed.chars().any(char::is_alphabetic);
    let capitals_inside = typed.chars().skip(1).any(char::is_uppercase) && !is_shouted(typed);
    is_word && !capitals_inside && letters <= MAX_LETTERS && !is_drawn_out(typed)
}

/// Whether `typed` is a word in capitals; short ones are taken for abbreviations.
fn is_shouted(typed: &str) -> bool {
    typed.chars().count() >= SHOUTED_FROM
        && typed.chars().any(char::is_uppercase)
        && !typed.chars().any(char::is_lowercase)
}

/// Whether a vowel or the last letter stands three times in a row, as in `sooo` and `yesss`: no finger does that
/// by mistake.
fn is_drawn_out(typed: &str) -> bool {
    let folded: Vec<char> = fold(typed).chars().collect();
    let last = folded.last().copied();
    folded.windows(3).any(|run| match run {
        [a, b, c] => a == b && b == c && (channel::is_vowel(*a) || Some(*a) == last),
        _ => false,
    })
}

/// Whether a lexicon has `typed` as it is spelled, but for a capital at its start or a shout.
fn is_spelled_so(typed: &str, lexicons: &Lexicons) -> bool {
    let mut spellings = lexicons
        .as_slice()
        .iter()
        .filter_map(|lexicon| lexicon.canonical(typed));
    spellings.any(|usual| capitalize_like(typed, usual.into_owned()) == typed)
}

/// Whether `folded` is made of known words: a possessive, words joined by hyphens, or an `-ing` form without its
/// `g`.
fn is_derived(folded: &str, lexicons: &Lexicons, weights: &LanguageWeights) -> bool {
    let is_known = |word: &str| lexicons.log_frequency(word, weights).is_some();
    let stem = folded
        .strip_suffix("'s")
        .or_else(|| folded.strip_suffix("s'"));
    if stem.is_some_and(is_known) {
        return true;
    }
    if folded.ends_with("in") && folded.chars().count() > 4 && is_known(&format!("{folded}g")) {
        return true;
    }
    folded.contains('-') && folded.split('-').all(is_known)
}

/// Whether the key of a letter touches the space bar, on the layouts of Latin and Cyrillic letters.
fn is_above_the_space(letter: char) -> bool {
    matches!(
        letter,
        'x' | 'c' | 'v' | 'b' | 'n' | 'm' | 'с' | 'м' | 'и' | 'т' | 'ь'
    )
}

/// `word` with a capital where `typed` has one, unless it has capitals of its own as `iPhone` has, and in capitals where
/// that is.
fn capitalize_like(typed: &str, word: String) -> String {
    if is_shouted(typed) {
        word.to_uppercase()
    } else if starts_with_capital(typed) && letter_case(&word) != LetterCase::Mixed {
        capitalize(&word)
    } else {
        word
    }
}

fn starts_with_capital(typed: &str) -> bool {
    typed.chars().next().is_some_and(char::is_uppercase)
}

#[cfg(test)]
mod tests;
