//! Writing systems of letters.

/// The writing system of a letter. Scripts that share a language (Han, Hiragana and Katakana; Hangul and
/// Han) are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Script {
    /// No letter: digits, punctuation, symbols.
    None,
    /// Latin.
    Latin,
    /// Greek.
    Greek,
    /// Cyrillic.
    Cyrillic,
    /// Hebrew.
    Hebrew,
    /// Arabic.
    Arabic,
    /// Devanagari.
    Devanagari,
    /// Thai.
    Thai,
    /// Hangul.
    Hangul,
    /// Hiragana and Katakana.
    Kana,
    /// Han.
    Han,
    /// Any other script.
    Other,
}

impl Script {
    const ALL: [Script; 12] = [
        Script::None,
        Script::Latin,
        Script::Greek,
        Script::Cyrillic,
        Script::Hebrew,
        Script::Arabic,
        Script::Devanagari,
        Script::Thai,
        Script::Hangul,
        Script::Kana,
        Script::Han,
        Script::Other,
    ];

    /// The script of a character, by the blocks of Unicode that hold the letters in use today.
    pub fn of(character: char) -> Script {
        if !character.is_alphabetic() {
            return Script::None;
        }
        match u32::from(character) {
            0x0000..=0x02AF
            | 0x1D00..=0x1DBF
            | 0x1E00..=0x1EFF
            | 0x2C60..=0x2C7F
            | 0xA720..=0xA7FF
            | 0xFB00..=0xFB06 => Script::Latin,
            0x0370..=0x03FF | 0x1F00..=0x1FFF => Script::Greek,
            0x0400..=0x052F | 0x1C80..=0x1C8F | 0x2DE0..=0x2DFF | 0xA640..=0xA69F => {
                Script::Cyrillic
            }
            0x0590..=0x05FF | 0xFB1D..=0xFB4F => Script::Hebrew,
            0x0600..=0x06FF
            | 0x0750..=0x077F
            | 0x08A0..=0x08FF
            | 0xFB50..=0xFDFF
            | 0xFE70..=0xFEFF => Script::Arabic,
            0x0900..=0x097F => Script::Devanagari,
            0x0E00..=0x0E7F => Script::Thai,
            0x1100..=0x11FF | 0x3130..=0x318F | 0xAC00..=0xD7AF => Script::Hangul,
            0x3040..=0x30FF => Script::Kana,
            0x3400..=0x4DBF | 0x4E00..=0x9FFF | 0xF900..=0xFAFF | 0x20000..=0x323AF => Script::Han,
            _ => Script::Other,
        }
    }

    /// The script of the first letter of a text.
    pub fn of_text(text: &str) -> Script {
        text.chars()
            .map(Script::of)
            .find(|&script| script != Script::None)
            .unwrap_or(Script::None)
    }

    pub(crate) fn from_bits(bits: u16) -> Script {
        Script::ALL
            .get(usize::from(bits))
            .copied()
            .unwrap_or(Script::Other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_have_their_script_and_other_characters_none() {
        for (text, script) in [
            ("don't", Script::Latin),
            ("'Łódź", Script::Latin),
            ("привет", Script::Cyrillic),
            ("λόγος", Script::Greek),
            ("שלום", Script::Hebrew),
            ("سلام", Script::Arabic),
            ("漢字", Script::Han),
            ("かな", Script::Kana),
            ("12:30", Script::None),
            ("😀", Script::None),
        ] {
            assert_eq!(Script::of_text(text), script, "{text}");
        }
    }

    #[test]
    fn the_number_of_a_script_gives_it_again() {
        for script in Script::ALL {
            assert_eq!(Script::from_bits(script as u16), script);
        }
    }
}
