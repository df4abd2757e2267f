//! How much of the text before a word the model reads.

/// Characters that the model reads at least, once the text is long enough.
const WINDOW_MIN: usize = 256;
/// Characters that the model reads at most.
const WINDOW_MAX: usize = 512;
/// Characters before the cursor that an editor should give where it does not give all: with fewer, the
/// beginning of what it gives moves with every key, and with it what the model has to read anew.
pub const CONTEXT_CHARACTERS: usize = 640;

/// The end of `context` that the model reads: all of it up to `WINDOW_MAX` characters, then at least
/// `WINDOW_MIN` of them.
///
/// Where the window begins follows from the text around its beginning alone (lines first, then sentences,
/// then words; among equals a hash decides), not from the length of the text. So it stays where it is while
/// the text grows, until it lies too far back; the tokens before the cursor keep their common prefix.
pub fn window(context: &str) -> &str {
    let Some(limit) = nth_from_end(context, WINDOW_MAX) else {
        return context;
    };
    let Some(latest) = nth_from_end(context, WINDOW_MIN) else {
        return context;
    };
    let candidates = limit..latest;
    let mut best: Option<(usize, u64, usize)> = None;
    let mut before: Option<char> = None;
    let mut sentence_ended = false;
    for (index, character) in context.char_indices() {
        if index >= candidates.end {
            break;
        }
        let rank = match before {
            Some('\n') => 3,
            Some(' ') if sentence_ended => 2,
            Some(' ') => 1,
            _ => 0,
        };
        if candidates.contains(&index) && (rank > 0 || best.is_none()) {
            let candidate = (rank, hash_of_beginning(context, index), index);
            if best.is_none_or(|best| (candidate.0, candidate.1) > (best.0, best.1)) {
                best = Some(candidate);
            }
        }
        if before.is_some_and(|c| matches!(c, '.' | '!' | '?')) {
            sentence_ended = character == ' ';
        } else if character != ' ' {
            sentence_ended = false;
        }
        before = Some(character);
    }
    best.and_then(|(_, _, index)| context.get(index..))
        .unwrap_or(context)
}

/// Where the last `count` characters begin; `None` where there are no more than that.
fn nth_from_end(text: &str, count: usize) -> Option<usize> {
    let mut indices = text.char_indices().rev().skip(count.saturating_sub(1));
    match (indices.next(), indices.next()) {
        (Some((index, _)), Some(_)) => Some(index),
        _ => None,
    }
}

/// FNV-1a of the characters that follow `index`.
fn hash_of_beginning(text: &str, index: usize) -> u64 {
    const CHARACTERS: usize = 24;
    let rest = text.get(index..).unwrap_or_default();
    rest.chars()
        .take(CHARACTERS)
        .fold(0xcbf2_9ce4_8422_2325, |hash, character| {
            (hash ^ u64::from(u32::from(character))).wrapping_mul(0x0100_0000_01b3)
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_short_text_is_its_own_window_and_a_line_begins_a_long_one() {
        let short = "word ".repeat(100);
        assert_eq!(window(&short), short);
        let long = format!(
            "{}One sentence. Another.\n{}",
            "word ".repeat(60),
            "word ".repeat(70)
        );
        assert_eq!(window(&long), "word ".repeat(70));
    }

    fn text() -> impl Strategy<Value = String> {
        let word = prop_oneof![
            8 => "[a-z]{1,9} ",
            1 => "[a-z]{1,9}\\. ",
            1 => "[a-zé漢]{1,9}\n",
        ];
        prop::collection::vec(word, 90..400).prop_map(|words| words.concat())
    }

    proptest! {
        #[test]
        fn a_window_is_bounded_and_does_not_depend_on_what_lies_further_back(text in text()) {
            let found = window(&text);
            let length = found.chars().count();
            prop_assert!(length <= WINDOW_MAX);
            prop_assert!(length >= WINDOW_MIN.min(text.chars().count()));
            prop_assert!(text.ends_with(found));
            let skipped = text.chars().count().saturating_sub(CONTEXT_CHARACTERS);
            let known: String = text.chars().skip(skipped).collect();
            prop_assert_eq!(window(&known), found);
        }

        #[test]
        fn a_window_stays_while_the_text_grows(text in text()) {
            let ends: Vec<usize> = text.match_indices(' ').map(|(index, _)| index).collect();
            let starts: Vec<usize> =
                ends.iter().map(|&end| end - window(&text[..end]).len()).collect();
            prop_assert!(starts.is_sorted(), "a window never moves back");
            let moves = starts.windows(2).filter(|pair| pair[0] != pair[1]).count();
            prop_assert!(moves <= 4 + ends.len() / 6, "{moves} moves in {} words", ends.len());
        }
    }
}
