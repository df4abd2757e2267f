use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;

pub(crate) fn lexicon_of(words: &[(&str, u64)]) -> Lexicon {
    language_of("en", words)
}

fn language_of(language: &str, words: &[(&str, u64)]) -> Lexicon {
    Lexicon::from_bytes(file_of(language, words)).unwrap()
}

fn file_of(language: &str, words: &[(&str, u64)]) -> Vec<u8> {
    let entries = words.iter().map(|&(word, count)| Entry {
        word: word.to_owned(),
        count,
        offensive: word.contains("damn"),
    });
    let mut file = Vec::new();
    build(language, entries, &mut file).unwrap();
    file
}

fn words(completions: &[Completion]) -> Vec<&str> {
    completions
        .iter()
        .map(|completion| completion.word.as_str())
        .collect()
}

#[test]
fn frequencies_are_shares_of_running_text() {
    let lexicon = lexicon_of(&[("the", 750), ("cat", 200), ("I", 50)]);
    let share = |word| lexicon.log_frequency(word).unwrap().exp();
    assert!((share("the") - 0.75).abs() < 1e-3);
    assert!((share("THE") - 0.75).abs() < 1e-3);
    assert!((share("i") - 0.05).abs() < 1e-3);
    assert_eq!(lexicon.log_frequency("dog"), None);
    assert_eq!(lexicon.log_frequency("th"), None);
    assert_eq!(lexicon.log_frequency(""), None);
    assert_eq!((lexicon.len(), lexicon.language()), (3, "en"));
}

#[test]
fn spelling_is_that_of_the_larger_count_and_flags_add_up() {
    let entries = [
        ("may", 10),
        ("May", 30),
        ("IPHONE", 1),
        ("iPhone", 5),
        ("usa", 1),
        ("USA", 2),
    ]
    .map(|(word, count)| Entry {
        word: word.into(),
        count,
        offensive: count == 1,
    });
    let mut file = Vec::new();
    build("en", entries, &mut file).unwrap();
    let lexicon = Lexicon::from_bytes(file).unwrap();
    assert_eq!(lexicon.len(), 3);
    assert_eq!(lexicon.canonical("MAY").unwrap(), "May");
    assert_eq!(lexicon.canonical("iphone").unwrap(), "iPhone");
    assert_eq!(lexicon.canonical("usa").unwrap(), "USA");
    assert!(lexicon.canonical("may be").is_none());
    assert!(lexicon.is_offensive("usa") && lexicon.is_offensive("iPhone"));
    assert!(!lexicon.is_offensive("may") && !lexicon.is_offensive("nothing"));
}

#[test]
fn a_capital_with_a_dot_is_looked_up_without_it() {
    let lexicon = lexicon_of(&[("İstanbul", 30), ("için", 90), ("i\u{307}ki", 1)]);
    assert_eq!(lexicon.canonical("istanbul").unwrap(), "İstanbul");
    assert_eq!(lexicon.canonical("İçin").unwrap(), "için");
    assert_eq!(words(&lexicon.completions("ist", 3)), ["İstanbul"]);
    // As files have it that were built when the dot was kept.
    assert_eq!(lexicon.len(), 3);
    assert_eq!(lexicon.log_frequency("İki"), None);
}

#[test]
fn irregular_spellings_are_found_among_many() {
    let entries: Vec<(String, u64)> = (0..500)
        .map(|index| (format!("w{index}xY"), index + 1))
        .collect();
    let words: Vec<(&str, u64)> = entries
        .iter()
        .map(|(word, count)| (word.as_str(), *count))
        .collect();
    let lexicon = lexicon_of(&words);
    for (word, _) in &entries {
        assert_eq!(
            lexicon.canonical(&word.to_lowercase()).unwrap(),
            word.as_str()
        );
    }
}

#[test]
fn completions_come_in_the_order_of_frequency() {
    let lexicon = lexicon_of(&[
        ("there", 30),
        ("the", 100),
        ("then", 20),
        ("these", 25),
        ("cat", 900),
    ]);
    assert_eq!(
        words(&lexicon.completions("the", 3)),
        ["the", "there", "these"]
    );
    assert_eq!(words(&lexicon.completions("THEN", 3)), ["then"]);
    assert_eq!(words(&lexicon.completions("", 1)), ["cat"]);
    assert!(lexicon.completions("x", 3).is_empty());
    assert!(lexicon.completions("the", 0).is_empty());
}

#[test]
fn marks_that_were_not_typed_are_filled_in_below_exact_words() {
    let lexicon = lexicon_of(&[
        ("don't", 100),
        ("done", 90),
        ("dont", 1),
        ("été", 40),
        ("ete", 30),
        ("étés", 9),
    ]);
    assert_eq!(words(&lexicon.completions("dont", 2)), ["don't", "dont"]);
    assert_eq!(
        words(&lexicon.completions("don", 3)),
        ["don't", "done", "dont"]
    );
    assert_eq!(
        words(&lexicon.completions("ete", 3)),
        ["ete", "été", "étés"]
    );
    assert_eq!(words(&lexicon.completions("ét", 3)), ["été", "étés"]);
    let found = lexicon.completions("ete", 2).pop().unwrap();
    assert!((found.log_frequency - lexicon.log_frequency("été").unwrap()).abs() < 1e-3);
    assert!(found.score < found.log_frequency - 1.0);
}

#[test]
fn offensive_words_are_marked_among_completions() {
    let lexicon = lexicon_of(&[("dame", 5), ("damned", 9)]);
    let found = lexicon.completions("dam", 2);
    assert_eq!(words(&found), ["damned", "dame"]);
    assert!(found[0].offensive && !found[1].offensive);
}

#[test]
fn the_language_follows_the_words_before() {
    let english = language_of(
        "en",
        &[("the", 900), ("die", 5), ("was", 80), ("house", 15)],
    );
    let german = language_of(
        "de",
        &[("die", 800), ("was", 100), ("ist", 90), ("Haus", 10)],
    );
    let both = Lexicons::new(vec![Arc::new(english), Arc::new(german)]);
    assert_eq!(both.weights(&[]).as_slice(), [0.5, 0.5]);

    let after_german = both.weights(&["was", "ist", "die"]);
    assert!(after_german.as_slice()[1] > 0.9);
    assert_eq!(both.canonical("haus", &after_german).unwrap(), "Haus");

    let after_english = both.weights(&["ist", "was", "the", "house"]);
    assert!(after_english.as_slice()[0] > 0.9);
    let die = |weights| both.log_frequency("die", weights).unwrap();
    assert!(die(&after_german) > die(&after_english) + 1.0);
    // A single switch is enough for the other language to be found at all, an unknown word says
    // nothing, and nobody is ever out.
    assert_eq!(both.weights(&["xyzzy"]), both.weights(&[]));
    assert!(
        after_english
            .as_slice()
            .iter()
            .all(|&weight| weight >= 0.05)
    );
    let total: f32 = after_german.as_slice().iter().sum();
    assert!((total - 1.0).abs() < 1e-5);
}

#[test]
fn without_a_language_nothing_is_known() {
    let none = Lexicons::default();
    let weights = none.weights(&["a"]);
    assert!(weights.as_slice().is_empty());
    assert_eq!(none.log_frequency("a", &weights), None);
}

#[test]
fn a_word_list_is_read_line_by_line() {
    let list = "# words\nthe\t10\n\nI'm\t3\t\nbad\t2\to\n";
    let entries = read_word_list(list.as_bytes(), "list").unwrap();
    let found: Vec<_> = entries
        .iter()
        .map(|e| (e.word.as_str(), e.count, e.offensive))
        .collect();
    assert_eq!(
        found,
        [("the", 10, false), ("I'm", 3, false), ("bad", 2, true)]
    );
    for (wrong, line) in [
        ("the", 1),
        ("a\t1\nb\tx", 2),
        ("a\t1\tz", 1),
        ("a\t1\to\t", 1),
    ] {
        match read_word_list(wrong.as_bytes(), "list") {
            Err(LexiconError::InvalidLine { line: found, .. }) => assert_eq!(found, line),
            other => panic!("{wrong:?}: {other:?}"),
        }
    }
    assert!(matches!(
        read_word_list(&b"\xff\t1"[..], "list"),
        Err(LexiconError::Io { file, .. }) if file.ends_with("list")
    ));
}

#[test]
fn words_that_no_lexicon_can_hold_are_refused() {
    let entry = |word: &str, count| Entry {
        word: word.into(),
        count,
        offensive: false,
    };
    let build = |language, entries: Vec<Entry>| build(language, entries, Vec::new());
    for wrong in ["", "of the", "a\u{0}"] {
        assert!(matches!(
            build("en", vec![entry("fine", 1), entry(wrong, 1)]),
            Err(LexiconError::InvalidWord { position: 1 })
        ));
    }
    assert!(matches!(
        build("en", vec![entry("a", 0)]),
        Err(LexiconError::Empty)
    ));
    assert!(matches!(
        build("a-language-tag-too-long", vec![entry("a", 1)]),
        Err(LexiconError::TooLarge { .. })
    ));
}

#[test]
fn an_opened_file_is_the_same_lexicon() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), file_of("fr", &[("été", 2), ("Paris", 1)])).unwrap();
    let lexicon = Lexicon::open(file.path()).unwrap();
    assert_eq!(lexicon.canonical("paris").unwrap(), "Paris");
    assert!(matches!(
        Lexicon::open(file.path().with_extension("absent")),
        Err(LexiconError::File(nibble::Error::Io { .. }))
    ));

    let bytes = file_of("fr", &[("été", 2), ("Paris", 1)]);
    let length = bytes.len() as u64;
    std::fs::write(file.path(), [&[7; 4099], &bytes[..], &[9; 10]].concat()).unwrap();
    let window = |offset| {
        let file = file.as_file().try_clone().unwrap();
        Lexicon::open_window(file, offset, length, "asset")
    };
    assert_eq!(window(4099).unwrap().canonical("paris").unwrap(), "Paris");
    assert!(matches!(
        window(4098),
        Err(LexiconError::NotALexicon { .. })
    ));
    assert!(matches!(
        window(4110),
        Err(LexiconError::File(nibble::Error::Truncated { .. }))
    ));

    std::fs::write(file.path(), "").unwrap();
    assert!(matches!(
        Lexicon::open(file.path()),
        Err(LexiconError::NotALexicon { .. })
    ));
}

#[test]
fn every_cut_and_every_changed_byte_is_an_error() {
    let file = file_of("en", &[("the", 9), ("then", 4), ("iPhone", 2), ("über", 1)]);
    assert!(Lexicon::from_bytes(file.clone()).is_ok());
    for length in 0..file.len() {
        assert!(
            Lexicon::from_bytes(file[..length].to_vec()).is_err(),
            "cut to {length}"
        );
    }
    let longer = [&file[..], b"x"].concat();
    assert!(matches!(
        Lexicon::from_bytes(longer),
        Err(LexiconError::WrongLength { .. })
    ));
    for at in 0..file.len() {
        for change in [1, 0x80, 0xFF] {
            let mut damaged = file.clone();
            damaged[at] ^= change;
            assert!(
                Lexicon::from_bytes(damaged).is_err(),
                "byte {at} ^ {change:02x}"
            );
        }
    }
}

/// A list large enough that its map has nodes of every kind: more than 32 letters at the root
/// for the index, chains, shared endings.
fn large_file() -> Vec<u8> {
    let mut list: Vec<(String, u64)> = Vec::new();
    for (index, first) in "abcdefghijklmnopqrstuvwxyzàéîöüабвгдежз"
        .chars()
        .enumerate()
    {
        for (other, ending) in ["", "ing", "ings", "aXis", "zzzzzzz"].iter().enumerate() {
            list.push((
                format!("{first}{ending}"),
                (1 + index * 7919 + other * 104_729) as u64,
            ));
        }
    }
    let list: Vec<(&str, u64)> = list
        .iter()
        .map(|(word, count)| (word.as_str(), *count))
        .collect();
    file_of("xx", &list)
}

/// Uses everything that walks the map.
fn use_all(lexicon: &Lexicon) {
    for prefix in ["", "a", "z", "é", "б", "az"] {
        lexicon.completions(prefix, 20);
    }
    lexicon.log_frequency("aaxis");
    lexicon.canonical("baxis");
    let mut words = 0;
    lexicon.for_each_word(|_, _, _, _| words += 1);
    assert!(words <= lexicon.len());
}

#[test]
fn a_damaged_file_with_a_right_checksum_never_panics() {
    let file = large_file();
    use_all(&Lexicon::from_bytes(file.clone()).unwrap());
    let mut refused = 0;
    for at in 0..file.len() {
        for change in [1, 2, 0x10, 0x40, 0x80, 0xFF] {
            let mut damaged = file.clone();
            damaged[at] ^= change;
            format::repair_checksum(&mut damaged);
            match Lexicon::from_bytes(damaged) {
                Ok(lexicon) => use_all(&lexicon),
                Err(_) => refused += 1,
            }
        }
    }
    assert!(refused > 500, "only {refused} were refused");
}

/// A lexicon of the words of `layers` letters a and b, behind `last`, as many as `words` says.
fn layered_file(layers: usize, last: &[u8], words: u64) -> Vec<u8> {
    let mut map = [3u64.to_le_bytes(), 0u64.to_le_bytes()].concat();
    map.extend_from_slice(last);
    for layer in 0..layers {
        // How far the targets lie before the node: nowhere is the end of a word. Then the letters, one byte for each
        // target and none for outputs, and two transitions.
        let distance = u8::from(layer > 0 || !last.is_empty());
        map.extend_from_slice(&[distance, distance, b'b', b'a', 0x10, 2]);
    }
    let root = map.len() as u64 - 1;
    map.extend_from_slice(&words.to_le_bytes());
    map.extend_from_slice(&root.to_le_bytes());
    map.extend_from_slice(&[0; 4]);
    format::assemble("xx", words.min(u64::from(u32::MAX)) as usize, &map, &[]).unwrap()
}

#[test]
fn a_small_file_cannot_stand_for_more_words_than_can_be_read() {
    let lexicon = Lexicon::from_bytes(layered_file(3, &[], 8)).unwrap();
    let mut found = Vec::new();
    lexicon.for_each_word(|folded, _, _, _| found.push(folded.to_owned()));
    assert_eq!(
        found,
        ["aaa", "aab", "aba", "abb", "baa", "bab", "bba", "bbb"]
    );
    // The last node here has no transition and ends no word.
    let dead_end = [0, 0, 0];
    for (what, file) in [
        ("a wrong number", layered_file(3, &[], 7)),
        ("2^30 words", layered_file(30, &[], 1 << 30)),
        ("2^60 words", layered_file(60, &[], 1 << 60)),
        ("2^64 words and more", layered_file(70, &[], 0)),
        ("2^60 ways to nowhere", layered_file(60, &dead_end, 0)),
    ] {
        assert!(
            matches!(
                Lexicon::from_bytes(file),
                Err(LexiconError::Malformed { .. })
            ),
            "{what}"
        );
    }
}

fn word_list() -> impl Strategy<Value = BTreeMap<String, u64>> {
    prop::collection::btree_map("[a-cé']{1,6}", 1u64..1_000_000, 1..60)
}

proptest! {
    #[test]
    fn random_damage_with_a_right_checksum_never_panics(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)
    ) {
        let mut file = large_file();
        for (at, byte) in changes {
            let at = at.index(file.len());
            file[at] = byte;
        }
        format::repair_checksum(&mut file);
        if let Ok(lexicon) = Lexicon::from_bytes(file) {
            use_all(&lexicon);
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Lexicon::from_bytes(bytes.clone());
        let mut file = [&format::MAGIC[..], &1u32.to_le_bytes(), &[0; 4], &bytes].concat();
        format::repair_checksum(&mut file);
        let _ = Lexicon::from_bytes(file);
    }

    #[test]
    fn every_word_is_there_with_its_share(list in word_list()) {
        let pairs: Vec<(&str, u64)> = list.iter().map(|(w, &c)| (w.as_str(), c)).collect();
        let lexicon = lexicon_of(&pairs);
        let total: u64 = list.values().sum();
        for (word, &count) in &list {
            let expected = (count as f32 / total as f32).ln();
            let found = lexicon.log_frequency(word).unwrap();
            prop_assert!((found - expected).abs() < 1e-3, "{word}: {found}, not {expected}");
        }
    }

    #[test]
    fn completions_equal_a_full_scan(list in word_list(), prefix in "[a-cé]{0,2}", limit in 0usize..8) {
        let pairs: Vec<(&str, u64)> = list.iter().map(|(w, &c)| (w.as_str(), c)).collect();
        let lexicon = lexicon_of(&pairs);
        let mut expected: Vec<f32> = list
            .keys()
            .filter_map(|word| {
                let penalty = unmarked_prefix_penalty(word, &prefix)?;
                Some(lexicon.log_frequency(word).unwrap() - penalty)
            })
            .collect();
        expected.sort_by(|a, b| b.total_cmp(a));
        expected.truncate(limit);
        let found: Vec<f32> =
            lexicon.completions(&prefix, limit).iter().map(|found| found.score).collect();
        prop_assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(&expected) {
            prop_assert!((found - expected).abs() < 1e-3, "{} is not {}", found, expected);
        }
    }

    #[test]
    fn the_order_of_entries_does_not_matter(list in word_list(), seed in any::<u64>()) {
        let mut pairs: Vec<(&str, u64)> = list.iter().map(|(w, &c)| (w.as_str(), c)).collect();
        let file = file_of("en", &pairs);
        pairs.sort_by_key(|(word, _)| crc32fast::hash(word.as_bytes()) as u64 ^ seed);
        prop_assert_eq!(file_of("en", &pairs), file);
    }
}

/// The penalty for reading `prefix` as the beginning of `word`; `None` where it is not. The
/// definition, written down plainly: single apostrophes between letters may be skipped, accents
/// may be missing, each at 1.5.
fn unmarked_prefix_penalty(word: &str, prefix: &str) -> Option<f32> {
    fn read(word: &[char], typed: &[char], started: bool, may_skip: bool) -> Option<f32> {
        let Some((&letter, rest)) = typed.split_first() else {
            return Some(0.0);
        };
        let (&first, tail) = word.split_first()?;
        let direct = if first == letter {
            read(tail, rest, true, true)
        } else if base_letter(first) == Some(letter) {
            read(tail, rest, true, true).map(|penalty| penalty + 1.5)
        } else {
            None
        };
        let skipped = (first == '\'' && letter != '\'' && started && may_skip)
            .then(|| read(tail, typed, true, false).map(|penalty| penalty + 1.5))
            .flatten();
        match (direct, skipped) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }
    let word: Vec<char> = word.chars().collect();
    let prefix: Vec<char> = prefix.chars().collect();
    read(&word, &prefix, false, true)
}

use crate::text::base_letter;
