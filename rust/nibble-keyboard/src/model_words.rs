//! How a model spells the words of a table.

use std::ops::Range;

use nibble::{Result, SpecialTokens, Tokenizer};

use crate::boundary::Distribution;
use crate::position::Join;
use crate::text::{capitalize, fold};
use crate::vocab_index::VocabIndex;
use crate::word_table::WordTable;

/// No token.
const NONE: u32 = u32::MAX;

/// For each word of a [`WordTable`], the tokens that it can begin with, as ranks of a [`VocabIndex`].
///
/// A word that is a single token has that token's probability. A token that begins several words (that is
/// a *stem*) shares its probability among them in the proportion of their frequencies, which needs no
/// further pass; [`expand`](crate::expander::expand) does it exactly where that is worth passes.
#[derive(Debug)]
pub struct ModelWords {
    /// For each word its first tokens: small after a space, as spelled or capitalised after a space, and the
    /// same two at the beginning of a line.
    first_tokens: Vec<[u32; 4]>,
    /// For each rank the frequency of all words that begin with it.
    shared_frequency: Vec<f32>,
    /// Words by the rank that they can begin with: those of rank `r` stand in `words_of_ranks` from
    /// `first_words[r]` to `first_words[r + 1]`.
    first_words: Vec<u32>,
    words_of_ranks: Vec<u32>,
    /// For each rank whether it is a whole word that the table lacks.
    unlisted: Vec<bool>,
}

impl ModelWords {
    /// Looks up how `tokenizer` begins every word of `table`.
    ///
    /// # Errors
    /// Those of [`Tokenizer::encode`].
    pub fn new(table: &WordTable, index: &VocabIndex, tokenizer: &Tokenizer) -> Result<ModelWords> {
        let ranks = ranks_of_tokens(index, tokenizer.vocabulary_size());
        let mut first_tokens = Vec::with_capacity(table.len());
        let mut is_stem = vec![false; index.len()];
        let rank_of = |form: &str| index.rank(form.as_bytes()).map_or(NONE, to_rank);
        for number in 0..table.len() {
            let folded = table.folded(number);
            let spelling = table.spelling(number);
            let other = match spelling == folded {
                true => capitalize(folded),
                false => spelling.to_owned(),
            };
            let forms = [
                format!(" {folded}"),
                format!(" {other}"),
                folded.to_owned(),
                other,
            ];
            let mut tokens = forms.each_ref().map(|form| rank_of(form));
            if tokens.contains(&NONE) {
                // The word as it is usually spelled is encoded; its other forms are taken to begin with the
                // same letters, and are encoded themselves where no token is these.
                let usual = format!(" {spelling}");
                let first_usual = first_token(tokenizer, &ranks, &usual)?;
                let text = std::str::from_utf8(index.bytes(first_usual as usize));
                let length = text.map_or(0, |text| text.chars().count());
                for (token, form) in tokens.iter_mut().zip(&forms) {
                    if *token != NONE {
                        continue;
                    }
                    let letters = if form.starts_with(' ') {
                        length
                    } else {
                        length.max(1) - 1
                    };
                    if letters > 0 {
                        *token = rank_of(&form.chars().take(letters).collect::<String>());
                    }
                    if *token == NONE {
                        let first = match *form == usual {
                            true => first_usual,
                            false => first_token(tokenizer, &ranks, form)?,
                        };
                        let bytes = index.bytes(first as usize);
                        // A space alone tells nothing of this form.
                        if bytes != b" " && form.as_bytes().starts_with(bytes) {
                            *token = first;
                        }
                    }
                    if let Some(stem) = is_stem.get_mut(*token as usize) {
                        *stem = true;
                    }
                }
            }
            let [small, other, small_at_start, other_at_start] = &mut tokens;
            if small == other {
                *other = NONE;
            }
            if small_at_start == other_at_start {
                *other_at_start = NONE;
            }
            first_tokens.push(tokens);
        }

        let mut shared_frequency = vec![0.0; index.len()];
        for (number, tokens) in first_tokens.iter().enumerate() {
            let frequency = mean_frequency(table, number);
            for &token in tokens {
                if let Some(shared) = shared_frequency.get_mut(token as usize) {
                    *shared += frequency;
                }
            }
        }
        let (first_words, words_of_ranks) = by_rank(&first_tokens, index.len());
        let unlisted = (0..index.len())
            .map(|rank| is_unlisted_word(table, index, &is_stem, rank))
            .collect();
        Ok(ModelWords {
            first_tokens,
            shared_frequency,
            first_words,
            words_of_ranks,
            unlisted,
        })
    }

    /// Probability that word `number` comes next, by the model, in any case.
    pub fn probability(
        &self,
        table: &WordTable,
        distribution: &Distribution,
        join: Join,
        number: usize,
    ) -> f32 {
        let Some(&[small_after_space, other_after_space, small, other]) =
            self.first_tokens.get(number)
        else {
            return 0.0;
        };
        let tokens = match join {
            Join::Space => [small_after_space, other_after_space],
            Join::Direct | Join::Unusual => [small, other],
        };
        let frequency = mean_frequency(table, number);
        tokens
            .into_iter()
            .filter_map(|token| {
                let shared = *self.shared_frequency.get(token as usize)?;
                let share = if shared > 0.0 {
                    frequency / shared
                } else {
                    0.0
                };
                Some(share * distribution.probability(token as usize))
            })
            .sum()
    }

    /// The words that can begin with the token at `rank`, ascending.
    pub fn words_of(&self, rank: usize) -> &[u32] {
        let bound = |rank: usize| self.first_words.get(rank).map(|&bound| bound as usize);
        let range = bound(rank).zip(bound(rank + 1));
        range
            .and_then(|(start, end)| self.words_of_ranks.get(start..end))
            .unwrap_or_default()
    }

    /// Sum of [`probability`](Self::probability) over all words.
    pub fn mass(&self, index: &VocabIndex, distribution: &Distribution, join: Join) -> f32 {
        let of_words = |ranks: Range<usize>| {
            let shared = self.shared_frequency.get(ranks.clone());
            sum_of_positive(
                shared.unwrap_or_default(),
                distribution.probabilities(ranks),
            )
        };
        let after_space = index.interval(b" ");
        match join {
            Join::Space => of_words(after_space),
            Join::Direct | Join::Unusual => {
                of_words(0..after_space.start) + of_words(after_space.end..index.len())
            }
        }
    }

    /// How much more probable the model finds word `number` as spelled (or capitalised) than in small
    /// letters; 1 where it does not tell the two apart, as where one form is a whole token and the other is not.
    pub fn capital_odds(
        &self,
        index: &VocabIndex,
        distribution: &Distribution,
        join: Join,
        number: usize,
    ) -> f32 {
        let tokens = self.first_tokens.get(number).copied().unwrap_or([NONE; 4]);
        let [after_space @ .., a, b] = tokens;
        let (small, other) = match (join, after_space) {
            (Join::Space, [small, other]) => (small, other),
            _ => (a, b),
        };
        let length = |rank: u32| index.bytes(rank as usize).len();
        if small == NONE || other == NONE || length(small) != length(other) {
            return 1.0;
        }
        let small = distribution.probability(small as usize);
        distribution.probability(other as usize) / small.max(f32::MIN_POSITIVE)
    }

    /// Whether the token at `rank` is a word that the table lacks.
    pub fn is_unlisted(&self, rank: usize) -> bool {
        self.unlisted.get(rank).copied().unwrap_or(false)
    }

    /// Bytes of memory.
    pub fn size_bytes(&self) -> usize {
        let lists =
            self.shared_frequency.len() + self.first_words.len() + self.words_of_ranks.len();
        self.first_tokens.len() * 16 + lists * 4 + self.unlisted.len()
    }
}

/// Sum of the `x` that stand where `choice` is positive, in an order that vector instructions can follow.
fn sum_of_positive(choice: &[f32], x: &[f32]) -> f32 {
    let chosen = |(choice, x): (&f32, &f32)| if *choice > 0.0 { *x } else { 0.0 };
    let (choices, choices_rest) = choice.as_chunks::<8>();
    let (chunks, rest) = x.as_chunks::<8>();
    let mut lanes = [0.0_f32; 8];
    for chunk in choices.iter().zip(chunks) {
        for (lane, pair) in lanes.iter_mut().zip(chunk.0.iter().zip(chunk.1)) {
            *lane += chosen(pair);
        }
    }
    lanes.iter().sum::<f32>() + choices_rest.iter().zip(rest).map(chosen).sum::<f32>()
}

/// The words of each rank, as bounds and numbers.
fn by_rank(first_tokens: &[[u32; 4]], ranks: usize) -> (Vec<u32>, Vec<u32>) {
    // A rank that a word has twice counts once.
    let of_word = |tokens: &[u32; 4], visit: &mut dyn FnMut(usize)| {
        for (place, &rank) in tokens.iter().enumerate() {
            let before = tokens.get(..place).unwrap_or_default();
            if rank != NONE && !before.contains(&rank) {
                visit(rank as usize);
            }
        }
    };
    let mut bounds = vec![0; ranks + 1];
    for tokens in first_tokens {
        of_word(tokens, &mut |rank| {
            if let Some(count) = bounds.get_mut(rank + 1) {
                *count += 1;
            }
        });
    }
    let mut sum = 0;
    for bound in &mut bounds {
        sum += *bound;
        *bound = sum;
    }
    let mut next = bounds.clone();
    let mut words = vec![0; sum as usize];
    for (number, tokens) in (0..).zip(first_tokens) {
        of_word(tokens, &mut |rank| {
            if let Some(next) = next.get_mut(rank)
                && let Some(word) = words.get_mut(*next as usize)
            {
                *word = number;
                *next += 1;
            }
        });
    }
    (bounds, words)
}

/// Rank of each token id, [`NONE`] where it has none.
fn ranks_of_tokens(index: &VocabIndex, vocabulary: usize) -> Vec<u32> {
    let mut ranks = vec![NONE; vocabulary];
    for (rank, token) in (0..).zip(index.tokens().iter()) {
        if let Some(slot) = ranks.get_mut(token as usize) {
            *slot = rank;
        }
    }
    ranks
}

/// Rank of the first token of `text`, [`NONE`] where it has none.
fn first_token(tokenizer: &Tokenizer, ranks: &[u32], text: &str) -> Result<u32> {
    let encoded = tokenizer.encode(text, SpecialTokens::AsText)?;
    let first = encoded.first().and_then(|&token| ranks.get(token as usize));
    Ok(first.copied().unwrap_or(NONE))
}

fn to_rank(rank: usize) -> u32 {
    u32::try_from(rank).unwrap_or(NONE)
}

/// Frequency of a word in a text in which every language of the table has an equal part.
fn mean_frequency(table: &WordTable, number: usize) -> f32 {
    let languages = table.languages().max(1);
    (0..languages)
        .map(|language| table.probability(number, language))
        .sum::<f32>()
        / languages as f32
}

fn is_unlisted_word(table: &WordTable, index: &VocabIndex, is_stem: &[bool], rank: usize) -> bool {
    let flags = index.flags(rank);
    let text = std::str::from_utf8(index.bytes(rank)).unwrap_or_default();
    let word = text.strip_prefix(' ').unwrap_or(text);
    flags.is_word()
        && flags.has_leading_space()
        && word.chars().all(char::is_alphabetic)
        && word.chars().count() > 2
        && !is_stem.get(rank).copied().unwrap_or(false)
        && table.find(&fold(word)).is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::word_table::Word;

    #[test]
    fn every_word_begins_with_a_token_after_a_space_and_at_the_start_of_a_line() {
        let path = nibble_testkit::fixture("phi3-tiny/model-q8_0.gguf");
        let model = nibble::Model::open(path, &nibble::ModelOptions::default()).unwrap();
        let tokenizer = model.tokenizer();
        let index = VocabIndex::new(tokenizer);
        let words = [
            "the",
            "lord",
            "Moses",
            "earth",
            "people's",
            "yesterday",
            "I",
            "élan",
            "iPhone",
        ];
        let words = words.map(|text| Word {
            text,
            frequency: 1.0,
            language: 0,
            offensive: false,
        });
        let table = WordTable::new(words.into_iter(), 1);
        let words = ModelWords::new(&table, &index, tokenizer).unwrap();
        let even = vec![0.0; tokenizer.vocabulary_size()];
        let distribution = Distribution::new(&index, &even);
        for number in 0..table.len() {
            let word = table.folded(number);
            for join in [Join::Space, Join::Direct] {
                let probability = words.probability(&table, &distribution, join, number);
                assert!(probability > 0.0, "{word} {join:?}");
            }
        }
    }
}
