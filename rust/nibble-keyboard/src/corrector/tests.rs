use std::cell::{Cell, RefCell};
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::lexicon::{Entry, build};

fn lexicon(language: &str, words: &[(&str, u64)]) -> Arc<Lexicon> {
    let entries = words.iter().map(|&(word, count)| Entry {
        word: word.to_owned(),
        count,
        offensive: word == "damn",
    });
    let mut file = Vec::new();
    build(language, entries, &mut file).unwrap();
    Arc::new(Lexicon::from_bytes(file).unwrap())
}

/// A lexicon with frequencies like those of English.
fn english() -> Lexicons {
    let words = [
        ("the", 60_000_000),
        ("of", 30_000_000),
        ("I", 12_000_000),
        ("I'm", 1_400_000),
        ("you", 9_000_000),
        ("your", 4_000_000),
        ("don't", 1_500_000),
        ("done", 300_000),
        ("house", 400_000),
        ("hose", 5_000),
        ("hours", 200_000),
        ("tomorrow", 100_000),
        ("Monday", 60_000),
        ("banana", 5_000),
        ("bananas", 3_000),
        ("letter", 90_000),
        ("later", 200_000),
        ("their", 2_500_000),
        ("weird", 30_000),
        ("can", 2_000_000),
        ("cab", 12_000),
        ("damn", 30_000),
        ("well", 900_000),
        ("known", 200_000),
        ("Anna", 20_000),
    ];
    Lexicons::new(vec![lexicon("en", &words)])
}

struct Typed<'a> {
    word: &'a str,
    taps: Option<&'a [(f32, f32)]>,
    is_sentence_start: bool,
    is_protected: bool,
}

fn typed(word: &str) -> Typed<'_> {
    Typed {
        word,
        taps: None,
        is_sentence_start: false,
        is_protected: false,
    }
}

fn ask(lexicons: &Lexicons, layout: &str, typed: &Typed<'_>) -> Vec<Correction> {
    let weights = lexicons.weights(&[]);
    let prior = |word: &str| lexicons.log_frequency(word, &weights).unwrap_or(-25.0);
    let request = Request {
        typed: typed.word,
        taps: typed.taps,
        prior: &prior,
        is_sentence_start: typed.is_sentence_start,
        knows_context: false,
        is_protected: &|_| typed.is_protected,
    };
    let corrector = Corrector::new(&Layout::builtin(layout).unwrap());
    corrector.correct(&request, lexicons, &weights)
}

/// What the word becomes when it is ended.
fn corrected(word: &str) -> String {
    match ask(&english(), "qwerty", &typed(word)).first() {
        Some(first) if first.automatic => first.word.clone(),
        _ => word.to_owned(),
    }
}

#[test]
fn slips_of_every_kind_are_repaired() {
    for (slip, meant) in [
        ("thw", "the"),
        ("teh", "the"),
        ("housr", "house"),
        ("hpuse", "house"),
        ("huose", "house"),
        ("hous", "house"),
        ("houuse", "house"),
        ("tomorow", "tomorrow"),
        ("tommorow", "tomorrow"),
        ("yomprrow", "tomorrow"),
        ("lettter", "letter"),
        ("wierd", "weird"),
        ("dont", "don't"),
        ("im", "I'm"),
        ("ofthe", "of the"),
        ("ofbthe", "of the"),
    ] {
        assert_eq!(corrected(slip), meant, "{slip}");
    }
}

#[test]
fn capitals_follow_the_word_and_the_typing() {
    assert_eq!(corrected("i"), "I");
    assert_eq!(corrected("monday"), "Monday");
    assert_eq!(corrected("mondat"), "Monday");
    assert_eq!(corrected("Housr"), "House");
    assert_eq!(corrected("HOUSR"), "HOUSE");
    assert_eq!(corrected("Dont"), "Don't");
    assert_eq!(corrected("anna"), "Anna");
    assert_eq!(corrected("Monday"), "Monday");
}

#[test]
fn capitals_are_those_of_the_likeliest_language_and_never_replace_another_ones_spelling() {
    let english = lexicon("en", &[("hand", 90), ("iPhone", 90), ("the", 900)]);
    let german = lexicon("de", &[("Hand", 50), ("Iphone", 9), ("Haus", 50)]);
    for lexicons in [
        Lexicons::new(vec![english.clone(), german.clone()]),
        Lexicons::new(vec![german, english]),
    ] {
        let words = |word| {
            let found = ask(&lexicons, "qwerty", &typed(word)).into_iter();
            found
                .map(|correction| (correction.word, correction.automatic))
                .collect::<Vec<_>>()
        };
        for word in ["hand", "Hand", "the"] {
            assert_eq!(words(word), [], "{word}");
        }
        assert_eq!(words("iphone"), [("iPhone".to_owned(), true)]);
        assert_eq!(words("haus"), [("Haus".to_owned(), true)]);
    }
}

#[test]
fn a_word_with_capitals_of_its_own_keeps_them() {
    let lexicons = Lexicons::new(vec![lexicon("en", &[("iPhone", 90), ("the", 900)])]);
    for word in ["iphone", "Iphone"] {
        assert_eq!(ask(&lexicons, "qwerty", &typed(word))[0].word, "iPhone");
    }
}

#[test]
fn what_may_be_no_word_is_left_alone() {
    for word in [
        "",
        "4",
        "h0use",
        "teh.com",
        "a@teh.de",
        "teH",
        "TEH",
        "HOUS",
        "sooo",
        "noooon",
        "yesss",
        "iHouse",
        "teh_",
        "#teh",
        "t/h",
        "'",
        "-",
        "teh\u{1F600}",
    ] {
        assert!(ask(&english(), "qwerty", &typed(word)).is_empty(), "{word}");
    }
    let long = "t".repeat(200);
    assert!(ask(&english(), "qwerty", &typed(&long)).is_empty());
}

#[test]
fn known_words_stay_unless_the_odds_are_overwhelming() {
    for word in ["hose", "cab", "bananas", "done", "your", "later"] {
        assert_eq!(corrected(word), word);
    }
    // The context can make them so: the same word with a prior that knows what was meant.
    let lexicons = english();
    let weights = lexicons.weights(&[]);
    let corrector = Corrector::new(&Layout::builtin("qwerty").unwrap());
    let odds = |prior: &dyn Fn(&str) -> f32| {
        let request = Request {
            typed: "cab",
            taps: None,
            prior,
            is_sentence_start: false,
            knows_context: false,
            is_protected: &|_| false,
        };
        corrector
            .correct(&request, &lexicons, &weights)
            .into_iter()
            .next()
    };
    let first = odds(&|word| if word == "can" { -0.5 } else { -14.0 }).unwrap();
    assert_eq!((first.word.as_str(), first.automatic), ("can", true));
    assert!(odds(&|word| if word == "can" { -9.0 } else { -4.0 }).is_none());
}

#[test]
fn derived_words_count_as_known() {
    for word in ["house's", "Monday's", "well-known", "bananas'"] {
        assert_eq!(corrected(word), word);
    }
}

#[test]
fn an_unknown_word_with_a_capital_is_a_name_inside_a_sentence() {
    let at = |is_sentence_start| {
        let typed = Typed {
            is_sentence_start,
            ..typed("Banama")
        };
        ask(&english(), "qwerty", &typed)
            .first()
            .map(|first| (first.log_odds, first.automatic))
    };
    let (start, inside) = (at(true).unwrap(), at(false));
    assert!(inside.is_none_or(|inside| inside.0 < start.0 - 2.0));
}

#[test]
fn protected_words_are_never_touched() {
    let typed = Typed {
        is_protected: true,
        ..typed("teh")
    };
    assert!(ask(&english(), "qwerty", &typed).is_empty());
}

#[test]
fn an_offensive_correction_is_offered_but_not_made() {
    let found = ask(&english(), "qwerty", &typed("damm"));
    let damn = found
        .iter()
        .find(|correction| correction.word == "damn")
        .unwrap();
    assert!(damn.offensive && !damn.automatic);
    assert_eq!(corrected("damm"), "damm");
}

#[test]
fn a_correction_offends_where_its_likeliest_language_says_so() {
    let english = lexicon("en", &[("damn", 1), ("the", 999)]);
    let german = lexicon("de", &[("Damn", 50), ("das", 50)]);
    let offends = |lexicons| {
        let found = ask(&Lexicons::new(lexicons), "qwerty", &typed("damm"));
        let mut damn = found.iter().filter(|found| fold(&found.word) == "damn");
        damn.next().unwrap().offensive
    };
    assert!(offends(vec![english.clone()]));
    assert!(!offends(vec![german.clone(), english.clone()]));
    assert!(!offends(vec![english, german]));
}

#[test]
fn the_layout_decides_which_letters_are_near() {
    let lexicons = Lexicons::new(vec![lexicon("de", &[("zahl", 1_000), ("wahl", 1_000)])]);
    let first = |layout: &str, slip: &str| ask(&lexicons, layout, &typed(slip))[0].word.clone();
    // The key above h and j is z on one layout, and lies beside a on the other, with w.
    assert_eq!(first("qwertz", "uahl"), "zahl");
    assert_eq!(first("qwertz", "eahl"), "wahl");
    assert_eq!(first("azerty", "eahl"), "zahl");
    assert_eq!(first("azerty", "xahl"), "wahl");
}

#[test]
fn taps_tell_between_words_that_letters_do_not() {
    let lexicons = Lexicons::new(vec![lexicon("en", &[("hit", 1_000), ("hot", 1_000)])]);
    let layout = Layout::builtin("qwerty").unwrap();
    let centre = |letter| layout.centre(letter).unwrap();
    // The middle of "hpt" and "hut" went to o and i by the side that was hit.
    let (u, i) = (centre('u'), centre('i'));
    for (share, meant) in [(0.45, "hit"), (-0.3, "hot")] {
        let middle = (u.0 + (i.0 - u.0) * share, u.1);
        let middle = if meant == "hot" {
            (centre('p').0 - 0.45, u.1)
        } else {
            middle
        };
        let letter = if meant == "hot" { 'p' } else { 'u' };
        let word = format!("h{letter}t");
        let taps = [centre('h'), middle, centre('t')];
        let found = ask(
            &lexicons,
            "qwerty",
            &Typed {
                taps: Some(&taps),
                ..typed(&word)
            },
        );
        let blind = ask(&lexicons, "qwerty", &typed(&word));
        assert_eq!(found[0].word, meant);
        assert!(
            found[0].log_odds > blind[0].log_odds + 1.0,
            "a near miss is likelier than any"
        );
    }
    // Taps that do not match the letters are ignored.
    let few = [centre('h')];
    let found = ask(
        &lexicons,
        "qwerty",
        &Typed {
            taps: Some(&few),
            ..typed("hut")
        },
    );
    assert_eq!(found, ask(&lexicons, "qwerty", &typed("hut")));
}

#[test]
fn accents_and_languages_are_found_together() {
    let french = lexicon(
        "fr",
        &[
            ("été", 5_000),
            ("élève", 900),
            ("garçon", 800),
            ("le", 90_000),
        ],
    );
    let german = lexicon("de", &[("schön", 5_000), ("für", 80_000), ("über", 9_000)]);
    let lexicons = Lexicons::new(vec![french, german]);
    for (slip, meant) in [
        ("ete", "été"),
        ("eleve", "élève"),
        ("garcon", "garçon"),
        ("garcom", "garçon"),
        ("schon", "schön"),
        ("fur", "für"),
        ("scöhn", "schön"),
    ] {
        let found = ask(&lexicons, "qwerty", &typed(slip));
        assert_eq!(found[0].word, meant, "{slip}");
        assert!(found[0].automatic, "{slip}");
    }
    let russian = Lexicons::new(vec![lexicon("ru", &[("привет", 900), ("ещё", 5_000)])]);
    assert_eq!(ask(&russian, "jcuken", &typed("првиет"))[0].word, "привет");
    assert_eq!(ask(&russian, "jcuken", &typed("еще"))[0].word, "ещё");
}

#[test]
fn without_words_nothing_is_corrected() {
    assert!(ask(&Lexicons::default(), "qwerty", &typed("teh")).is_empty());
}

#[test]
fn the_prior_is_asked_about_words_of_the_lexicon_only() {
    let lexicons = english();
    let weights = lexicons.weights(&[]);
    let asked = RefCell::new(Vec::new());
    let prior = |word: &str| {
        asked.borrow_mut().push(word.to_owned());
        -8.0
    };
    let request = Request {
        typed: "ofthw",
        taps: None,
        prior: &prior,
        knows_context: false,
        is_sentence_start: true,
        is_protected: &|_| false,
    };
    let corrector = Corrector::new(&Layout::builtin("qwerty").unwrap());
    corrector.correct(&request, &lexicons, &weights);
    assert!(
        asked
            .borrow()
            .iter()
            .all(|word| lexicons.canonical(word, &weights).unwrap() == *word)
    );
}

/// Damerau–Levenshtein distance (with adjacent transpositions), the textbook table.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut table = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            if i == 0 || j == 0 {
                table[i][j] = i + j;
                continue;
            }
            let changed = usize::from(a[i - 1] != b[j - 1]);
            let mut best = (table[i - 1][j - 1] + changed)
                .min(table[i - 1][j] + 1)
                .min(table[i][j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(table[i - 2][j - 2] + 1);
            }
            table[i][j] = best;
        }
    }
    table[a.len()][b.len()]
}

proptest! {
    /// With bounds wide open, the search finds exactly the words within the distance.
    #[test]
    fn the_search_equals_a_full_scan(
        words in prop::collection::btree_set("[abc]{1,6}", 1..40), slip in "[abcd]{1,6}"
    ) {
        let pairs: Vec<(&str, u64)> = words.iter().map(|word| (word.as_str(), 7)).collect();
        let lexicon = lexicon("en", &pairs);
        let slip: Vec<char> = slip.chars().collect();
        let keys = KeyCosts::new(&Layout::builtin("qwerty").unwrap());
        let limits = Limits {
            max_edits: 2,
            max_cost: 39.0,
            slack: 39.0,
            max_words: 100,
            max_states: 1_000_000,
        };
        let mut found: Vec<String> =
            close_words(&slip, &Evidence::Letters, &keys, &[(&lexicon, 0.0)], &limits)
                .into_iter()
                .map(|close| close.word)
                .collect();
        found.sort();
        let near = |word: &&String| {
            distance(&word.chars().collect::<Vec<_>>(), &slip) <= 2
        };
        let expected: Vec<String> = words.iter().filter(near).cloned().collect();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn whatever_is_typed_is_answered_in_order(
        word in "\\PC{0,12}", taps in prop::collection::vec((-9.0f32..20.0, -9.0f32..20.0), 0..12)
    ) {
        let found = ask(&english(), "qwerty", &Typed { taps: Some(&taps), ..typed(&word) });
        prop_assert!(found.windows(2).all(|pair| pair[0].log_odds >= pair[1].log_odds));
        prop_assert!(found.iter().skip(1).all(|correction| !correction.automatic));
        prop_assert!(found.iter().all(|correction| correction.word != word));
    }
}

#[test]
fn a_word_of_two_letters_stays_where_only_frequencies_speak_against_it() {
    let words = [("I", 12_000_000), ("he", 6_000_000), ("hi", 1_500)];
    let lexicons = Lexicons::new(vec![lexicon("en", &words)]);
    let weights = lexicons.weights(&[]);
    let unlikely = Cell::new(-10.0);
    let prior = |word: &str| if word == "hi" { unlikely.get() } else { -2.0 };
    let corrector = Corrector::new(&Layout::builtin("qwerty").unwrap());
    let is_changed = |typed, knows_context| {
        let request = Request {
            typed,
            taps: None,
            prior: &prior,
            knows_context,
            is_sentence_start: false,
            is_protected: &|_| false,
        };
        let found = corrector.correct(&request, &lexicons, &weights);
        found.first().is_some_and(|first| first.automatic)
    };
    let changed = |knows_context| {
        (2..40).find(|&odds| {
            unlikely.set(-2.0 - odds as f32);
            is_changed("hi", knows_context)
        })
    };
    let (alone, in_context) = (changed(false).unwrap(), changed(true).unwrap());
    assert!(alone > in_context + 1, "{alone} {in_context}");
    // A slip is mended all the same.
    assert!(is_changed("hw", false));
}
