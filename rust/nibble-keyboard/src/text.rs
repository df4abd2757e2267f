//! Letters: the one form under which words are looked up, what differs from it only in accents, and counting them.

/// The form under which a word is looked up: lower case, with the typewriter apostrophe.
///
/// Works letter by letter (a final sigma is folded like any other), so the fold of a prefix is a
/// prefix of the fold. It does not compose accents: text is expected in NFC, as keyboards type it.
pub fn fold(word: &str) -> String {
    word.chars().flat_map(fold_char).collect()
}

/// [`fold`] of one letter.
pub fn fold_char(letter: char) -> impl Iterator<Item = char> {
    let letter = match letter {
        '\u{2019}' | '\u{02BC}' => '\'',
        // Unicode's small letter of it has a second dot, which nobody types.
        'İ' => 'i',
        other => other,
    };
    letter.to_lowercase()
}

/// `word` with its first letter in upper case and the others as they are.
pub fn capitalize(word: &str) -> String {
    let mut letters = word.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => String::new(),
    }
}

/// The last `count` scalar values, if there are so many.
pub fn last_scalars(text: &str, count: usize) -> Option<&str> {
    let start = match count.checked_sub(1) {
        None => text.len(),
        Some(skipped) => text.char_indices().nth_back(skipped)?.0,
    };
    text.get(start..)
}

/// The letter under an accent: `é` → `e`, `ё` → `е`; `None` where there is no accent.
///
/// Lower-case letters of the Latin-1 and Latin Extended-A blocks, and the Cyrillic letters that are
/// commonly typed as another one (`ъ` as `ь`, whose key it shares). `ß`, `æ` and `œ` have no single
/// base letter.
pub fn base_letter(letter: char) -> Option<char> {
    Some(match letter {
        'à' | 'á' | 'â' | 'ã' | 'ä' | 'å' | 'ā' | 'ă' | 'ą' => 'a',
        'ç' | 'ć' | 'ĉ' | 'ċ' | 'č' => 'c',
        'ď' | 'đ' => 'd',
        'è' | 'é' | 'ê' | 'ë' | 'ē' | 'ĕ' | 'ė' | 'ę' | 'ě' => 'e',
        'ĝ' | 'ğ' | 'ġ' | 'ģ' => 'g',
        'ĥ' | 'ħ' => 'h',
        'ì' | 'í' | 'î' | 'ï' | 'ĩ' | 'ī' | 'ĭ' | 'į' | 'ı' => 'i',
        'ĵ' => 'j',
        'ķ' => 'k',
        'ĺ' | 'ļ' | 'ľ' | 'ŀ' | 'ł' => 'l',
        'ñ' | 'ń' | 'ņ' | 'ň' => 'n',
        'ò' | 'ó' | 'ô' | 'õ' | 'ö' | 'ø' | 'ō' | 'ŏ' | 'ő' => 'o',
        'ŕ' | 'ŗ' | 'ř' => 'r',
        'ś' | 'ŝ' | 'ş' | 'š' | 'ș' => 's',
        'ţ' | 'ť' | 'ŧ' | 'ț' => 't',
        'ù' | 'ú' | 'û' | 'ü' | 'ũ' | 'ū' | 'ŭ' | 'ů' | 'ű' | 'ų' => 'u',
        'ŵ' => 'w',
        'ý' | 'ÿ' | 'ŷ' => 'y',
        'ź' | 'ż' | 'ž' => 'z',
        'ё' => 'е',
        'ъ' => 'ь',
        'ї' => 'і',
        'ґ' => 'г',
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn folding_ignores_case_and_the_shape_of_the_apostrophe() {
        assert_eq!(fold("Don’t"), "don't");
        assert_eq!(fold("ÜBER"), "über");
        assert_eq!(fold("ΣΑΣ"), "σασ");
        assert_eq!(fold("İçin"), "için");
    }

    #[test]
    fn capitals_are_those_of_the_language_not_of_ascii() {
        assert_eq!(capitalize("école"), "École");
        assert_eq!(capitalize("мама"), "Мама");
        assert_eq!(capitalize(""), "");
    }

    #[test]
    fn counts_scalars_from_the_end() {
        assert_eq!(last_scalars("añ😀", 2), Some("ñ😀"));
        assert_eq!(last_scalars("añ😀", 0), Some(""));
        assert_eq!(last_scalars("añ😀", 3), Some("añ😀"));
        assert_eq!(last_scalars("añ😀", 4), None);
    }

    proptest! {
        #[test]
        fn the_fold_of_a_prefix_is_a_prefix_of_the_fold(
            word in "\\PC{0,12}", cut in 0usize..12
        ) {
            let prefix: String = word.chars().take(cut).collect();
            prop_assert!(fold(&word).starts_with(&fold(&prefix)));
        }

        #[test]
        fn folding_twice_changes_nothing(word in "\\PC{0,12}") {
            prop_assert_eq!(fold(&fold(&word)), fold(&word));
        }

        #[test]
        fn a_base_letter_has_no_accent_left(letter in any::<char>()) {
            if let Some(base) = base_letter(letter) {
                prop_assert_eq!(base_letter(base), None);
                prop_assert!(base.is_lowercase());
            }
        }
    }
}
