//! The order of the rows that belong to tokens, in prepared models.

use crate::tokenizer::{TokenKind, Tokenizer};

/// Tensors with a row for each token.
pub(crate) const TOKEN_TENSORS: [&str; 2] = ["token_embd.weight", "output.weight"];

/// Which row of the embedding and of the head belongs to which token.
///
/// A prepared model has the tokens of ordinary text in the order of their bytes, so that those that begin with given
/// bytes, which is what a keyboard asks for, fill strips of rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TokenRows {
    /// The token of each row.
    tokens: Vec<u32>,
    /// The row of each token.
    rows: Vec<u32>,
}

impl TokenRows {
    /// Tokens of ordinary text by their bytes, of equals the lower id first; then all others of `vocabulary` by id.
    pub(crate) fn sorted(tokenizer: &Tokenizer, vocabulary: usize) -> Option<TokenRows> {
        let mut tokens: Vec<u32> = (0..u32::try_from(vocabulary).ok()?).collect();
        tokens.sort_by_cached_key(|&token| {
            let is_text = tokenizer.token_kind(token) == Some(TokenKind::Normal);
            let bytes = tokenizer.token_bytes(token).filter(|_| is_text);
            (bytes.is_none(), bytes.unwrap_or_default())
        });
        TokenRows::new(tokens)
    }

    /// The order in which row `i` belongs to `tokens[i]`; `None` where that names a token twice, or one beyond the last.
    pub(crate) fn new(tokens: Vec<u32>) -> Option<TokenRows> {
        let mut rows = vec![u32::MAX; tokens.len()];
        for (row, &token) in (0..).zip(&tokens) {
            let place = rows.get_mut(token as usize)?;
            if std::mem::replace(place, row) != u32::MAX {
                return None;
            }
        }
        Some(TokenRows { tokens, rows })
    }

    /// The token of each row.
    pub(crate) fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// The row of each token.
    pub(crate) fn rows(&self) -> &[u32] {
        &self.rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_tokens_name_each_other() {
        let order = TokenRows::new(vec![2, 0, 3, 1]).unwrap();
        assert_eq!(order.rows(), [1, 3, 0, 2]);
        for tokens in [vec![0, 2, 2], vec![0, 1, 3], vec![u32::MAX]] {
            assert_eq!(TokenRows::new(tokens), None);
        }
    }
}
