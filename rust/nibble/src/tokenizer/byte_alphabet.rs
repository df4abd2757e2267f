//! The alphabet that byte-level vocabularies are written in (GPT-2, `bytes_to_unicode` of its
//! `encoder.py`): one printable character for each of the 256 bytes. The 188 bytes that are printable
//! in Latin-1 stand for themselves; the other 68, in order, are U+0100 to U+0143. A space is `Ġ`.

/// The byte that a character of the alphabet stands for.
pub(super) fn byte_of(character: char) -> Option<u8> {
    match u32::from(character) {
        latin @ (0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff) => u8::try_from(latin).ok(),
        control @ 0x100..=0x120 => u8::try_from(control - 0x100).ok(),
        high @ 0x121..=0x142 => u8::try_from(high - 0x121 + 0x7f).ok(),
        0x143 => Some(0xad),
        _ => None,
    }
}

/// The character that stands for a byte; the inverse of [`byte_of`].
pub(super) fn character_of(byte: u8) -> char {
    let code = match byte {
        0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff => u32::from(byte),
        0x00..=0x20 => 0x100 + u32::from(byte),
        0x7f..=0xa0 => 0x121 + u32::from(byte - 0x7f),
        0xad => 0x143,
    };
    char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_the_alphabet_of_the_reference() {
        let ours = (0..=255).map(character_of).collect();
        assert_eq!(
            tokenizers::pre_tokenizers::byte_level::ByteLevel::alphabet()
                .into_iter()
                .collect::<std::collections::BTreeSet<_>>(),
            ours
        );
        assert_eq!(character_of(b' '), 'Ġ');
        assert_eq!(character_of(b'\n'), 'Ċ');
    }

    #[test]
    fn bytes_and_characters_are_inverse() {
        for byte in 0..=255 {
            assert_eq!(byte_of(character_of(byte)), Some(byte));
        }
        let characters = ('\0'..=char::MAX).filter(|&c| byte_of(c).is_some());
        assert_eq!(characters.count(), 256);
    }
}
