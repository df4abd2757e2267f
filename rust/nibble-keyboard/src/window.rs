//! How much of the text before a word, and of the messages before that, the model reads.

use crate::text::last_scalars;

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

/// Characters of the messages before a field that are kept: more than the tokens that the model reads of them.
pub(crate) const CONVERSATION_CHARACTERS: usize = 2048;

/// The newest of `messages` (oldest first) that fit, a line each. Of a newest one that is longer by itself the end,
/// from the start of a word on.
pub(crate) fn newest_messages(messages: &[&str]) -> String {
    let mut room = CONVERSATION_CHARACTERS;
    let mut kept: Vec<String> = Vec::new();
    for message in messages.iter().rev() {
        let characters = message.chars().count();
        if characters > room {
            if kept.is_empty() {
                kept.push(last_words(message, room).replace('\n', " "));
            }
            break;
        }
        kept.push(message.replace('\n', " "));
        // The line break counts as well.
        room = room.saturating_sub(characters + 1);
    }
    kept.reverse();
    kept.join("\n")
}

/// The last words of `text`, of no more than `count` characters. Where no word begins soon, it is cut anywhere:
/// not every script has spaces.
fn last_words(text: &str, count: usize) -> &str {
    const LONGEST_WORD: usize = 64;
    // With the character before, which may be the space.
    let Some(end) = last_scalars(text, count + 1) else {
        return text;
    };
    let space = end
        .char_indices()
        .take(LONGEST_WORD)
        .find(|(_, character)| character.is_whitespace());
    match space {
        Some((index, space)) => end.get(index + space.len_utf8()..),
        None => last_scalars(text, count),
    }
    .unwrap_or_default()
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

    #[test]
    fn the_newest_messages_are_kept_whole() {
        assert_eq!(newest_messages(&[]), "");
        assert_eq!(
            newest_messages(&["hi", "how\nare you?"]),
            "hi\nhow are you?"
        );
        let message = "é".repeat(1023);
        let fits = format!("{message}\n{message}");
        assert_eq!(newest_messages(&["old", &message, &message]), fits);
        assert_eq!(
            newest_messages(&[&message, &message, "new"]),
            format!("{message}\nnew")
        );
        // What is older than a message that does not fit would stand in the wrong place.
        let long = "word ".repeat(500);
        assert_eq!(newest_messages(&["old", &long, "new"]), "new");
    }

    #[test]
    fn a_message_that_is_longer_than_all_that_is_kept_is_cut_at_a_word() {
        let long = "words ".repeat(500);
        let kept = newest_messages(&["old", long.trim_end()]);
        assert!(kept.starts_with("words words") && long.trim_end().ends_with(&kept));
        let characters = kept.chars().count();
        assert!((CONVERSATION_CHARACTERS - 6..=CONVERSATION_CHARACTERS).contains(&characters));
        let spaceless = newest_messages(&[&"漢".repeat(5000)]);
        assert_eq!(spaceless, "漢".repeat(CONVERSATION_CHARACTERS));
        let late = format!("{} 漢", "漢".repeat(5000));
        assert_eq!(
            newest_messages(&[&late]).chars().count(),
            CONVERSATION_CHARACTERS
        );
        let exact = format!("x {}", "y".repeat(CONVERSATION_CHARACTERS));
        assert_eq!(newest_messages(&[&exact]), exact[2..]);
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
