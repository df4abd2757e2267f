//! The order of the rows that belong to tokens, in prepared models.

use super::u32s::U32s;

/// Tensors with a row for each token.
pub(crate) const TOKEN_TENSORS: [&str; 2] = ["token_embd.weight", "output.weight"];

/// Which row of the embedding and of the head belongs to which token.
///
/// A prepared model has the tokens of ordinary text in the order of their bytes, so that those that begin with given
/// bytes, which is what a keyboard asks for, fill strips of rows.
#[derive(Debug, Clone)]
pub(crate) struct TokenRows {
    /// The token of each row.
    tokens: U32s,
    /// The row of each token.
    rows: U32s,
}

impl TokenRows {
    /// The order in which row `i` belongs to `tokens[i]`, and token `i` has row `rows[i]`; `None` where the two
    /// contradict each other.
    pub(crate) fn new(tokens: U32s, rows: U32s) -> Option<TokenRows> {
        let of_tokens = rows.encoded();
        let are_inverse = tokens.len() == rows.len()
            && (0_u32..).zip(tokens.iter()).all(|(row, token)| {
                let found = of_tokens.get(token as usize);
                found.is_some_and(|found| u32::from_le_bytes(*found) == row)
            });
        are_inverse.then_some(TokenRows { tokens, rows })
    }

    /// The token of each row.
    pub(crate) fn tokens(&self) -> &U32s {
        &self.tokens
    }

    /// The row of each token.
    pub(crate) fn rows(&self) -> &U32s {
        &self.rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_tokens_name_each_other() {
        let order = |tokens: [u32; 4], rows: [u32; 4]| {
            TokenRows::new(tokens.into_iter().collect(), rows.into_iter().collect())
        };
        assert!(order([2, 0, 3, 1], [1, 3, 0, 2]).is_some());
        assert!(order([2, 0, 3, 1], [1, 3, 2, 0]).is_none());
        assert!(order([2, 0, 2, 1], [1, 3, 0, 2]).is_none());
        assert!(order([2, 0, u32::MAX, 1], [1, 3, 0, 2]).is_none());
    }
}
