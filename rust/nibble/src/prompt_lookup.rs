//! Guessing from the text itself how it goes on.

/// Tokens that must have come before, at least: one alone says little.
const SHORTEST: usize = 2;
/// Tokens that are looked for, at most.
const LONGEST: usize = 4;

/// Tokens of the first guess.
pub(crate) const FIRST_GUESS: usize = 3;
/// Tokens of a guess after a wrong one.
const SHORTEST_GUESS: usize = 2;

/// Tokens to guess next, where `len` were to be guessed, `guessed` were, and the first `accepted` of them were right. A wrong
/// guess costs a part of a step for each of its tokens, so that guesses grow where they are right and shrink where they are
/// not.
pub(crate) fn next_len(len: usize, guessed: usize, accepted: usize) -> usize {
    match accepted == guessed {
        true => len.max(2 * accepted),
        false => accepted.max(SHORTEST_GUESS),
    }
}

/// What followed the last tokens of `tokens` where they came before: of several places the one with the most tokens in
/// common, and of equals the latest. Up to `most` tokens; none where they never came before.
///
/// (Saxena, "Prompt Lookup Decoding", 2023.)
pub(crate) fn continuation(tokens: &[u32], most: usize) -> &[u32] {
    let mut best = &[][..];
    let mut longest = SHORTEST - 1;
    for end in (SHORTEST..tokens.len()).rev() {
        let (before, after) = tokens.split_at_checked(end).unwrap_or_default();
        let same = before
            .iter()
            .rev()
            .zip(tokens.iter().rev())
            .take(LONGEST)
            .take_while(|(a, b)| a == b)
            .count();
        if same > longest {
            longest = same;
            best = after.get(..most).unwrap_or(after);
        }
        if same == LONGEST {
            break;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::{FIRST_GUESS, continuation, next_len};
    use proptest::prelude::*;

    #[test]
    fn guesses_grow_where_they_are_right_and_shrink_where_they_are_not() {
        let mut len = FIRST_GUESS;
        for expected in [6, 12, 24] {
            len = next_len(len, len, len);
            assert_eq!(len, expected);
        }
        // As many as were right; a few even after none.
        assert_eq!(next_len(len, 24, 23), 23);
        assert_eq!(next_len(len, 24, 0), 2);
        // The text had no more to guess from, which says nothing against long guesses.
        assert_eq!(next_len(len, 1, 1), 24);
    }

    #[test]
    fn the_longest_and_then_the_latest_repetition_counts() {
        assert_eq!(continuation(&[1, 2, 3, 4, 1, 2], 8), [3, 4, 1, 2]);
        assert_eq!(continuation(&[1, 2, 3, 1, 2, 4, 1, 2], 1), [4]);
        assert_eq!(continuation(&[5, 1, 2, 3, 1, 2, 4, 5, 1, 2], 2), [3, 1]);
        assert!(continuation(&[1, 2, 3, 2], 8).is_empty());
        assert!(continuation(&[1, 2, 1, 2], 0).is_empty());
        assert_eq!(continuation(&[7, 7, 7], 8), [7]);
        assert!(continuation(&[], 8).is_empty());
    }

    proptest! {
        #[test]
        fn what_is_guessed_followed_the_same_tokens(
            tokens in prop::collection::vec(0u32..4, 0..40),
            most in 0usize..6,
        ) {
            let guess = continuation(&tokens, most);
            prop_assert!(guess.len() <= most);
            if let [.., a, b] = tokens[..]
                && !guess.is_empty()
            {
                let pattern: Vec<u32> = [a, b].iter().chain(guess).copied().collect();
                prop_assert!(tokens.windows(pattern.len()).any(|window| window == pattern));
            }
        }
    }
}
