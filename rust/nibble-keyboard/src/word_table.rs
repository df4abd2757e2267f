//! All words of the active lexicons in one flat, sorted table.
//!
//! Typed letters select an interval of it, as they select one of the vocabulary; every word of the interval
//! is then scored, so the table holds what that needs and nothing is parsed or allocated for a key.

use std::ops::Range;

use crate::lexicon::Lexicons;
use crate::text::fold;

/// A word to put into a [`WordTable`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Word<'a> {
    /// The word as it is spelled inside a sentence: `the`, `Monday`, `iPhone`.
    pub text: &'a str,
    /// How often it occurs in its language; any unit.
    pub frequency: f64,
    /// Number of its language.
    pub language: usize,
    /// Whether it is kept out of suggestions unless they are asked for.
    pub offensive: bool,
}

/// The words of one or several languages, sorted by the bytes of their folded form. Words that fold alike
/// are one.
#[derive(Debug, Default)]
pub struct WordTable {
    /// The folded words, one after the other.
    folded: String,
    /// Where each word ends in `folded`.
    ends: Vec<u32>,
    /// For each language, each word's share of the language's text.
    probabilities: Vec<Vec<f32>>,
    /// The words that are not spelled as they are folded, ascending.
    spellings: Vec<(u32, Box<str>)>,
    /// For each language the words that offend in it, ascending.
    offensive: Vec<Vec<u32>>,
    /// For each language its most frequent words, the most frequent first.
    frequent: Vec<Vec<u32>>,
}

/// Words that [`WordTable::frequent`] lists.
const FREQUENT: usize = 128;

impl WordTable {
    /// A table of words of languages `0..languages`, in any order.
    pub fn new<'a>(words: impl Iterator<Item = Word<'a>>, languages: usize) -> WordTable {
        let mut listed = ListedWords::default();
        for word in words {
            listed.push(&fold(word.text), word);
        }
        listed.into_table(languages)
    }

    /// The words of `lexicons`, numbered as languages in their order.
    pub fn from_lexicons(lexicons: &Lexicons) -> WordTable {
        let lexicons = lexicons.as_slice();
        let mut listed = ListedWords::default();
        listed
            .words
            .reserve_exact(lexicons.iter().map(|lexicon| lexicon.len()).sum());
        for (language, lexicon) in lexicons.iter().enumerate() {
            lexicon.for_each_word(|folded, text, log_frequency, offensive| {
                let word = Word {
                    text,
                    frequency: f64::from(log_frequency).exp(),
                    language,
                    offensive,
                };
                listed.push(folded, word);
            });
        }
        listed.into_table(lexicons.len())
    }

    /// Number of words.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Number of languages.
    pub fn languages(&self) -> usize {
        self.probabilities.len()
    }

    /// Word `number` in folded form; empty beyond the last.
    pub fn folded(&self, number: usize) -> &str {
        let end = self.ends.get(number).map_or(0, |&end| end as usize);
        let start = number
            .checked_sub(1)
            .and_then(|before| self.ends.get(before));
        self.folded
            .get(start.map_or(0, |&start| start as usize)..end)
            .unwrap_or_default()
    }

    /// Word `number` as it is spelled inside a sentence.
    pub fn spelling(&self, number: usize) -> &str {
        let found = self
            .spellings
            .binary_search_by_key(&number, |(other, _)| *other as usize);
        match found.ok().and_then(|place| self.spellings.get(place)) {
            Some((_, spelling)) => spelling,
            None => self.folded(number),
        }
    }

    /// Whether word `number` is kept out of suggestions: it offends in the language that it most likely is of,
    /// where `weights` are the languages' parts of the text.
    pub fn is_offensive(&self, number: usize, weights: &[f32]) -> bool {
        let mut likeliest = (0.0, None);
        for (language, weight) in weights.iter().enumerate() {
            let share = weight * self.probability(number, language);
            if share > likeliest.0 {
                likeliest = (share, self.offensive.get(language));
            }
        }
        likeliest.1.is_some_and(|offensive| {
            let found = offensive.binary_search_by_key(&number, |&other| other as usize);
            found.is_ok()
        })
    }

    /// Share of word `number` in text of `language`.
    pub fn probability(&self, number: usize, language: usize) -> f32 {
        let list = self.probabilities.get(language);
        list.and_then(|list| list.get(number))
            .copied()
            .unwrap_or(0.0)
    }

    /// The most frequent words of `language`, the most frequent first: some, or all where there are few.
    pub fn frequent(&self, language: usize) -> &[u32] {
        self.frequent.get(language).map_or(&[], Vec::as_slice)
    }

    /// The words that begin with `prefix`, which must be folded.
    pub fn interval(&self, prefix: &str) -> Range<usize> {
        let prefix = prefix.as_bytes();
        let start = self.partition_point(0, |word| word < prefix);
        start..self.partition_point(start, |word| word.starts_with(prefix))
    }

    /// The number of a folded word.
    pub fn find(&self, folded: &str) -> Option<usize> {
        let start = self.partition_point(0, |word| word < folded.as_bytes());
        (start < self.len() && self.folded(start) == folded).then_some(start)
    }

    /// Bytes of memory.
    pub fn size_bytes(&self) -> usize {
        let spellings: usize = self
            .spellings
            .iter()
            .map(|entry| size_of_val(entry) + entry.1.len())
            .sum();
        self.folded.len()
            + self.ends.len() * (4 + 4 * self.languages())
            + self.offensive.iter().map(Vec::len).sum::<usize>() * 4
            + self.frequent.len() * FREQUENT * 4
            + spellings
    }

    fn partition_point(&self, from: usize, before: impl Fn(&[u8]) -> bool) -> usize {
        let (mut low, mut high) = (from, self.len());
        while low < high {
            let middle = low.midpoint(high);
            if before(self.folded(middle).as_bytes()) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }
}

/// The words of a table that is to be, end to end: a string of its own for each of some hundred thousand words would
/// leave the process several times the table in freed memory.
#[derive(Debug, Default)]
struct ListedWords {
    /// The folded form of each word, and its spelling where that is another.
    text: String,
    words: Vec<ListedWord>,
}

#[derive(Debug)]
struct ListedWord {
    folded: Range<u32>,
    /// Where the spelling ends, which begins where the folded form does or ends.
    end: u32,
    language: u32,
    frequency: f64,
    offensive: bool,
}

impl ListedWords {
    fn push(&mut self, folded: &str, word: Word<'_>) {
        let start = to_u32(self.text.len());
        self.text.push_str(folded);
        let folded_end = to_u32(self.text.len());
        if word.text != folded {
            self.text.push_str(word.text);
        }
        self.words.push(ListedWord {
            folded: start..folded_end,
            end: to_u32(self.text.len()),
            language: to_u32(word.language),
            frequency: word.frequency,
            offensive: word.offensive,
        });
    }

    fn folded(&self, word: &ListedWord) -> &str {
        self.part(word.folded.clone())
    }

    /// The spelling of a word, where it is not the folded form.
    fn spelling(&self, word: &ListedWord) -> Option<&str> {
        let spelling = self.part(word.folded.end..word.end);
        (!spelling.is_empty()).then_some(spelling)
    }

    fn part(&self, range: Range<u32>) -> &str {
        let part = self.text.get(range.start as usize..range.end as usize);
        part.unwrap_or_default()
    }

    fn into_table(mut self, languages: usize) -> WordTable {
        let mut words = std::mem::take(&mut self.words);
        words.retain(|word| (word.language as usize) < languages && !word.folded.is_empty());
        words.sort_by(|first, second| {
            let folded = |word| self.folded(word).as_bytes();
            let more_frequent = second.frequency.total_cmp(&first.frequency);
            folded(first).cmp(folded(second)).then(more_frequent)
        });
        let mut totals = vec![0.0; languages];
        for word in &words {
            if let Some(total) = totals.get_mut(word.language as usize) {
                *total += word.frequency.max(0.0);
            }
        }

        let mut table = WordTable {
            ends: Vec::with_capacity(words.len()),
            probabilities: vec![Vec::with_capacity(words.len()); languages],
            offensive: vec![Vec::new(); languages],
            ..WordTable::default()
        };
        for group in words.chunk_by(|a, b| self.folded(a) == self.folded(b)) {
            let Some(first) = group.first() else {
                continue;
            };
            let number = to_u32(table.ends.len());
            table.folded.push_str(self.folded(first));
            table.ends.push(to_u32(table.folded.len()));
            let lists = table.probabilities.iter_mut().zip(&totals);
            for (language, (list, total)) in (0..).zip(lists) {
                let of_language = group.iter().filter(|word| word.language == language);
                let frequency: f64 = of_language.map(|word| word.frequency.max(0.0)).sum();
                list.push(if *total > 0.0 {
                    (frequency / total) as f32
                } else {
                    0.0
                });
            }
            if let Some(spelling) = self.spelling(first) {
                table.spellings.push((number, spelling.into()));
            }
            for (language, offensive) in (0..).zip(&mut table.offensive) {
                let mut of_language = group.iter().filter(|word| word.language == language);
                if of_language.any(|word| word.offensive) {
                    offensive.push(number);
                }
            }
        }
        table.folded.shrink_to_fit();
        table.ends.shrink_to_fit();
        for list in &mut table.probabilities {
            list.shrink_to_fit();
        }
        table.frequent = table
            .probabilities
            .iter()
            .map(|list| frequent(list))
            .collect();
        table
    }
}

/// Texts of more than 4 GiB lose what is beyond.
fn to_u32(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}

/// The places of the largest of `probabilities`, the largest first.
fn frequent(probabilities: &[f32]) -> Vec<u32> {
    let larger_first = |a: &(f32, u32), b: &(f32, u32)| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1));
    let mut ranked: Vec<(f32, u32)> = Vec::with_capacity(2 * FREQUENT);
    for (number, &probability) in (0..).zip(probabilities) {
        ranked.push((probability, number));
        if ranked.len() == 2 * FREQUENT {
            ranked.select_nth_unstable_by(FREQUENT, larger_first);
            ranked.truncate(FREQUENT);
        }
    }
    ranked.sort_by(larger_first);
    ranked.truncate(FREQUENT);
    ranked.into_iter().map(|(_, number)| number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn word(text: &str, frequency: f64, language: usize) -> Word<'_> {
        Word {
            text,
            frequency,
            language,
            offensive: false,
        }
    }

    #[test]
    fn words_that_fold_alike_are_one_spelled_as_the_more_frequent() {
        let words = [word("may", 3.0, 0), word("May", 5.0, 0), word("a", 2.0, 0)];
        let german = [word("Mai", 1.0, 1), word("may", 1.0, 1)];
        let table = WordTable::new(words.into_iter().chain(german), 2);
        let found: Vec<_> = (0..table.len())
            .map(|number| table.spelling(number))
            .collect();
        assert_eq!(found, ["a", "Mai", "May"]);
        assert_eq!(table.find("may"), Some(2));
        assert!((table.probability(2, 0) - 0.8).abs() < 1e-6);
        assert!((table.probability(2, 1) - 0.5).abs() < 1e-6);
        assert_eq!(table.find("m"), None);
    }

    #[test]
    fn a_word_offends_where_its_likeliest_language_says_so() {
        let english = ["slut", "end"].map(|text| Word {
            offensive: text == "slut",
            ..word(text, 1.0, 0)
        });
        let swedish = [word("slut", 1.0, 1), word("bra", 1.0, 1)];
        let table = WordTable::new(english.into_iter().chain(swedish), 2);
        let is_offensive = |text, weights: [f32; 2]| {
            let number = table.find(text).unwrap();
            table.is_offensive(number, &weights)
        };
        assert!(is_offensive("slut", [0.9, 0.1]) && !is_offensive("slut", [0.1, 0.9]));
        assert!(!is_offensive("end", [0.9, 0.1]) && !is_offensive("bra", [0.9, 0.1]));
    }

    proptest! {
        #[test]
        fn an_interval_holds_exactly_the_words_with_the_prefix(
            words in prop::collection::btree_set("[a-cé]{1,4}", 0..50),
            prefix in "[a-cé]{0,3}",
        ) {
            let table = WordTable::new(words.iter().map(|text| word(text, 1.0, 0)), 1);
            let found: Vec<&str> =
                table.interval(&prefix).map(|number| table.folded(number)).collect();
            let expected: Vec<&str> = words
                .iter()
                .map(String::as_str)
                .filter(|word| word.starts_with(&prefix))
                .collect();
            prop_assert_eq!(found, expected);
            for word in &words {
                prop_assert_eq!(table.folded(table.find(word).unwrap()), word);
            }
        }
    }
}
