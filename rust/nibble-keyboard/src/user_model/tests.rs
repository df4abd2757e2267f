use std::path::PathBuf;
use std::process::Command;

use proptest::prelude::*;

use super::*;

const DAY: i64 = 86_400;

struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    fn new() -> Place {
        Place {
            directory: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("words")
    }

    fn open(&self) -> UserModel {
        UserModel::open(self.path(), Bounds::default()).unwrap()
    }

    fn bytes(&self) -> Vec<u8> {
        std::fs::read(self.path()).unwrap()
    }
}

fn memory() -> UserModel {
    UserModel::in_memory(Bounds::default())
}

/// Commits a sentence word by word.
fn write(model: &mut UserModel, sentence: &str, time: i64) {
    let words: Vec<&str> = sentence.split(' ').collect();
    for (index, word) in words.iter().enumerate() {
        model
            .observe(FieldKind::Message, &words[..index], word, time)
            .unwrap();
    }
}

fn found(model: &UserModel, prefix: &str, previous: Option<&str>) -> Vec<String> {
    model
        .completions(prefix, previous, 3)
        .into_iter()
        .map(|found| found.word)
        .collect()
}

#[test]
fn a_word_typed_twice_completes_after_two_letters_and_is_gone_after_removal() {
    let mut model = memory();
    write(&mut model, "meet Zbigniew", 0);
    assert!(found(&model, "zb", None).is_empty());
    write(&mut model, "ask Zbigniew", 1);
    assert_eq!(found(&model, "zb", None), ["Zbigniew"]);
    assert!(model.score(None, "zbigniew").unwrap() > -5.0);
    assert!(model.is_protected("zbigniew"));
    assert!(model.remove("zbigniew").unwrap());
    assert!(found(&model, "zb", None).is_empty());
    assert_eq!(model.score(Some("meet"), "Zbigniew"), None);
    assert!(!model.is_protected("Zbigniew") && !model.remove("Zbigniew").unwrap());
}

#[test]
fn the_word_before_decides_between_words() {
    let mut model = memory();
    for time in 0..4 {
        write(&mut model, "good night", time);
        write(&mut model, "good morning", time);
        write(&mut model, "see you monday", time);
        write(&mut model, "this morning", time);
        write(&mut model, "quiet night", time);
    }
    assert_eq!(found(&model, "m", Some("you")), ["monday", "morning"]);
    assert_eq!(found(&model, "m", Some("this")), ["morning", "monday"]);
    assert_eq!(found(&model, "", Some("Good"))[..2], ["morning", "night"]);
}

#[test]
fn probabilities_of_all_words_add_up_to_the_mass() {
    let mut model = memory();
    for time in 0..10 {
        write(
            &mut model,
            "the cat sat on the mat with the other cat",
            time * DAY,
        );
    }
    for previous in [None, Some("the"), Some("cat"), Some("dog")] {
        let sum: f32 = model
            .words("")
            .iter()
            .map(|word| model.score(previous, &word.word).unwrap().exp())
            .sum();
        assert!(
            (sum - model.mass(previous)).abs() < 1e-3,
            "{sum} {}",
            model.mass(previous)
        );
        assert!(sum < 1.0);
    }
}

#[test]
fn old_words_fade_and_new_ones_lead() {
    let mut model = memory();
    for _ in 0..4 {
        write(&mut model, "my project", 0);
    }
    for _ in 0..3 {
        write(&mut model, "my promotion", 200 * DAY);
    }
    assert_eq!(found(&model, "pro", None), ["promotion", "project"]);
    assert_eq!(found(&model, "pro", Some("my")), ["promotion", "project"]);
    // A clock that runs backwards changes nothing.
    write(&mut model, "hello", -1000 * DAY);
    assert_eq!(model.words("hello")[0].last_used, 200 * DAY);
}

#[test]
fn a_word_that_was_not_typed_for_long_is_offered_again_once_it_is_typed() {
    let mut model = memory();
    for _ in 0..2 {
        write(&mut model, "meet Zbigniew", 0);
    }
    for _ in 0..8 {
        write(&mut model, "meet Zora", 0);
    }
    write(&mut model, "hello", 179 * DAY);
    assert_eq!(found(&model, "z", None), ["Zora", "Zbigniew"]);
    write(&mut model, "hello", 181 * DAY);
    assert_eq!(found(&model, "z", None), ["Zora"]);
    // It is not corrected, and listed, all the same.
    assert!(model.is_protected("Zbigniew") && model.words("zb").len() == 1);
    write(&mut model, "hello", 299 * DAY);
    assert_eq!(found(&model, "z", None), ["Zora"]);
    write(&mut model, "hello", 301 * DAY);
    assert!(found(&model, "z", None).is_empty());
    write(&mut model, "meet Zbigniew", 301 * DAY);
    assert_eq!(found(&model, "z", None), ["Zbigniew"]);
}

#[test]
fn capitals_are_learned_only_where_they_mean_something() {
    let mut model = memory();
    write(&mut model, "Tomorrow in Paris", 0);
    write(&mut model, "Tomorrow TOMORROW", 0);
    write(&mut model, "Paris", 0);
    assert_eq!(found(&model, "to", None), ["tomorrow"]);
    assert_eq!(found(&model, "pa", None), ["Paris"]);
    write(&mut model, "in paris", 0);
    assert_eq!(found(&model, "pa", None), ["paris"]);
}

#[test]
fn what_is_no_word_is_not_learned() {
    let mut model = memory();
    for word in [
        "",
        "42",
        "hunter2",
        "a@b.c",
        "x/y",
        "'",
        "two words",
        "blood🅱",
        "blood🅱\u{fe0f}",
        "\u{2139}\u{fe0f}",
        &"a".repeat(49),
    ] {
        assert!(
            !model.observe(FieldKind::Message, &[], word, 0).unwrap(),
            "{word}"
        );
        assert!(!model.revert(FieldKind::Message, word, 0).unwrap());
    }
    for word in [
        "don't",
        "don’t",
        "well-known",
        "été",
        "мама",
        "שָׁלוֹם",
        "नमस्ते",
        "लड़का",
        "می\u{200c}خواهم",
        "বিশ্ব",
        "น้ำ",
        "צה״ל",
        "וכו׳",
        &"a".repeat(48),
    ] {
        assert!(
            model.observe(FieldKind::Message, &["1"], word, 0).unwrap(),
            "{word}"
        );
    }
    assert_eq!(model.len(), 13, "the two apostrophes are one word");
}

#[test]
fn fields_that_must_not_be_learned_from_leave_every_byte_as_it_is() {
    let place = Place::new();
    let mut model = place.open();
    write(&mut model, "some words", 0);
    let before = place.bytes();
    let listed = model.words("");
    let silent = [
        FieldKind::Password,
        FieldKind::NoLearning,
        FieldKind::Number,
        FieldKind::Url,
    ];
    for field in silent {
        assert!(!model.observe(field, &["some"], "secret", 1).unwrap());
        assert!(!model.revert(field, "secret", 1).unwrap());
    }
    model.sync().unwrap();
    assert_eq!(place.bytes(), before);
    assert_eq!(model.words(""), listed);
    drop(model);
    assert_eq!(place.bytes(), before);
    assert_eq!(
        std::fs::read_dir(place.directory.path()).unwrap().count(),
        2
    );
}

#[test]
fn what_was_learned_is_there_after_reopening() {
    let place = Place::new();
    let mut model = place.open();
    assert!(model.is_empty());
    write(&mut model, "see you at Karins", 5);
    write(&mut model, "see you at Karins", 6);
    assert!(model.revert(FieldKind::Note, "Karins", 7).unwrap());
    let (listed, score) = (model.words(""), model.score(Some("at"), "karins"));
    drop(model);
    let model = place.open();
    assert_eq!(model.words(""), listed);
    assert_eq!(model.score(Some("at"), "karins"), score);
    assert_eq!(model.words("KAR")[0].uses, 2);
    assert!(model.words("kar")[0].reverted);
}

#[test]
fn removed_and_erased_words_are_gone_from_the_file() {
    let place = Place::new();
    let mut model = place.open();
    write(&mut model, "my secretword here", 0);
    let contains = |bytes: &[u8], word: &str| {
        bytes
            .windows(word.len())
            .any(|window| window == word.as_bytes())
    };
    assert!(contains(&place.bytes(), "secretword"));
    assert!(model.remove("Secretword").unwrap());
    assert!(!contains(&place.bytes(), "secretword"));
    assert!(contains(&place.bytes(), "here"));
    write(&mut model, "more here", 1);
    drop(model);
    let mut model = place.open();
    assert_eq!(model.len(), 3);
    assert_eq!(model.words("here")[0].uses, 2);
    model.erase().unwrap();
    assert!(place.bytes().is_empty());
    drop(model);
    assert!(place.open().is_empty());
}

/// Bytes of a file with some records, and where each of them ends.
fn sample() -> (Vec<u8>, Vec<usize>) {
    let place = Place::new();
    let mut model = place.open();
    let mut ends = Vec::new();
    for (index, word) in ["first", "second", "thîrd", "four", "fifth"]
        .iter()
        .enumerate()
    {
        model
            .observe(FieldKind::Message, &["before"], word, index as i64)
            .unwrap();
        ends.push(place.bytes().len());
    }
    (place.bytes(), ends)
}

#[test]
fn a_file_cut_at_any_byte_loses_at_most_the_last_word() {
    let (bytes, ends) = sample();
    let place = Place::new();
    for cut in 0..=bytes.len() {
        std::fs::write(place.path(), &bytes[..cut]).unwrap();
        let whole = ends.iter().filter(|&&end| end <= cut).count();
        let mut model = place.open();
        assert_eq!(model.len(), whole, "cut at {cut}");
        // What is written after the cut is readable again.
        model.observe(FieldKind::Message, &[], "after", 9).unwrap();
        drop(model);
        assert_eq!(place.open().len(), whole + 1, "cut at {cut}");
    }
}

#[test]
fn a_file_damaged_at_any_byte_loses_only_that_word() {
    let (bytes, ends) = sample();
    let place = Place::new();
    for at in 0..bytes.len() {
        for change in [0x01, 0x80, 0xFF] {
            let mut damaged = bytes.clone();
            damaged[at] ^= change;
            std::fs::write(place.path(), &damaged).unwrap();
            let model = place.open();
            assert_eq!(model.len(), ends.len() - 1, "byte {at} ^ {change:02x}");
        }
    }
}

#[test]
fn garbage_between_records_is_skipped() {
    let (bytes, ends) = sample();
    let place = Place::new();
    let garbage = [0xB7, 1, 0xFF, 0xFF, 0xB7, 0xB7, 1, 3, 0];
    let mixed = [&bytes[..ends[1]], &garbage, &bytes[ends[1]..], &garbage].concat();
    std::fs::write(place.path(), mixed).unwrap();
    assert_eq!(place.open().len(), ends.len());
    assert_eq!(
        place.bytes().len(),
        bytes.len() + garbage.len(),
        "only the end is cut off"
    );
}

#[test]
fn a_file_of_something_else_is_left_alone() {
    let place = Place::new();
    std::fs::write(place.path(), "my diary").unwrap();
    assert!(matches!(
        UserModel::open(place.path(), Bounds::default()),
        Err(UserModelError::NotAUserModel { .. })
    ));
    assert_eq!(place.bytes(), b"my diary");
    assert!(matches!(
        UserModel::open_read_only(place.path()),
        Err(UserModelError::NotAUserModel { .. })
    ));
}

#[test]
fn there_is_one_writer_and_any_number_of_readers() {
    let place = Place::new();
    let mut model = place.open();
    write(&mut model, "one", 0);
    assert!(matches!(
        UserModel::open(place.path(), Bounds::default()),
        Err(UserModelError::InUse { .. })
    ));
    let mut reader = UserModel::open_read_only(place.path()).unwrap();
    assert_eq!(reader.len(), 1);
    let before = place.bytes();
    assert!(matches!(
        reader.observe(FieldKind::Message, &[], "two", 0),
        Err(UserModelError::ReadOnly)
    ));
    assert!(matches!(
        reader.remove("one"),
        Err(UserModelError::ReadOnly)
    ));
    assert!(matches!(reader.erase(), Err(UserModelError::ReadOnly)));
    assert_eq!((reader.len(), place.bytes()), (1, before));
    // The lock outlives a replacement of the file, and ends with its holder.
    model.remove("one").unwrap();
    assert!(UserModel::open(place.path(), Bounds::default()).is_err());
    drop(model);
    assert!(place.open().is_empty());
}

#[test]
fn a_model_grown_too_large_keeps_what_counts_most() {
    let place = Place::new();
    let bounds = Bounds {
        max_words: 40,
        max_pairs: 50,
        max_bytes: 8_000,
    };
    let mut model = UserModel::open(place.path(), bounds).unwrap();
    let word = |index: i64| {
        let digits = index.to_string().into_bytes();
        digits
            .into_iter()
            .map(|digit| char::from(digit - b'0' + b'a'))
            .collect::<String>()
    };
    for index in 0..1_000 {
        model
            .observe(FieldKind::Message, &["my"], "favourite", index * DAY)
            .unwrap();
        let other = word(index);
        model
            .observe(FieldKind::Message, &["favourite"], &other, index * DAY)
            .unwrap();
        assert!(place.bytes().len() as u64 <= bounds.max_bytes + 100);
        assert!(model.len() <= bounds.max_words);
    }
    assert!(model.words("favourite")[0].uses == 1_000);
    let score = model.score(Some("my"), "favourite").unwrap();
    assert!(model.score(Some("favourite"), &word(999)).is_some());
    assert!(model.score(None, &word(500)).is_none());
    drop(model);
    let model = UserModel::open(place.path(), bounds).unwrap();
    assert!((model.score(Some("my"), "favourite").unwrap() - score).abs() < 1e-3);
}

/// An export with all the words and pairs that the default bounds allow.
fn full_export(alphabet: &str, letters: usize) -> (String, Bounds) {
    let bounds = Bounds::default();
    let alphabet: Vec<char> = alphabet.chars().collect();
    let word = |number: usize| -> String {
        let mut rest = number;
        let letter = |_| {
            let letter = alphabet[rest % alphabet.len()];
            rest /= alphabet.len();
            letter
        };
        (0..letters).map(letter).collect()
    };
    let mut text = String::new();
    for number in 0..bounds.max_words {
        text += &format!("word\t{}\t2\t2\t0\t2\t0\n", word(number));
    }
    for number in 0..bounds.max_pairs {
        let previous = word(number % bounds.max_words);
        let next = word((7 * number + number / bounds.max_words) % bounds.max_words);
        text += &format!("pair\t{previous}\t{next}\t2\t0\n");
    }
    (text, bounds)
}

#[test]
fn a_compaction_drops_an_eighth_whatever_the_script() {
    let scripts = [
        ("abcdefghijklmnopqrstuvwxyz", 8),
        ("абвгдежзийклмнопрстуфхцчшщъыьэюя", 10),
        ("कखगघचछजझटठडढतथदधनपफबभमयरलवशसह", 8),
    ];
    for (alphabet, letters) in scripts {
        let (text, bounds) = full_export(alphabet, letters);
        let place = Place::new();
        let mut model = place.open();
        model.import(&text).unwrap();
        assert_eq!(model.counts.len(), (bounds.max_words, bounds.max_pairs));
        write(&mut model, "straw", 0);
        let (words, pairs) = model.counts.len();
        assert!(words >= bounds.max_words * 85 / 100, "{words} words");
        assert!(pairs >= bounds.max_pairs * 75 / 100, "{pairs} pairs");
        assert!(place.bytes().len() as u64 <= bounds.max_bytes / 4 * 3 + 100);
    }
}

#[test]
fn pairs_go_before_words_where_the_file_is_too_large() {
    let (text, bounds) = full_export("abcdefghijklmnopqrstuvwxyz", 8);
    let bounds = Bounds {
        max_bytes: 1 << 20,
        ..bounds
    };
    let place = Place::new();
    let mut model = UserModel::open(place.path(), bounds).unwrap();
    model.import(&text).unwrap();
    write(&mut model, "straw", 0);
    let (words, pairs) = model.counts.len();
    assert!(words >= bounds.max_words * 85 / 100, "{words} words");
    assert!(pairs > 0 && pairs < bounds.max_pairs / 2, "{pairs} pairs");
    // Without a file its size bounds nothing.
    let mut model = UserModel::in_memory(Bounds {
        max_bytes: 0,
        ..bounds
    });
    model.import(&text).unwrap();
    write(&mut model, "straw", 0);
    let (words, pairs) = model.counts.len();
    assert!(words >= bounds.max_words * 85 / 100, "{words} words");
    assert!(pairs >= bounds.max_pairs * 75 / 100, "{pairs} pairs");
}

#[test]
fn an_export_imports_into_the_same_model() {
    let mut model = memory();
    write(&mut model, "see you in Kraków", 3);
    write(&mut model, "see you there", 2 * DAY);
    model.revert(FieldKind::Message, "there", 2 * DAY).unwrap();
    let text = model.export();
    let mut copy = memory();
    assert_eq!(copy.import(&text).unwrap(), text.lines().count() - 1);
    assert_eq!(copy.words(""), model.words(""));
    assert_eq!(copy.export(), text);
    for word in ["see", "you", "kraków", "there"] {
        let (a, b) = (
            model.score(Some("you"), word),
            copy.score(Some("you"), word),
        );
        assert!((a.unwrap() - b.unwrap()).abs() < 1e-3);
    }
    for (wrong, line) in [
        ("word\ta", 1),
        ("# fine\nword\ta b\t1\t1\t1\t1\t1", 2),
        ("word\ta\t1\tnan\t1\t1\t1", 1),
        ("pair\ta\tb\t-1\t1", 1),
        ("verb\ta", 1),
    ] {
        match copy.import(wrong) {
            Err(UserModelError::InvalidLine { line: found, .. }) => assert_eq!(found, line),
            other => panic!("{wrong:?}: {other:?}"),
        }
    }
    assert_eq!(copy.export(), text);
}

#[test]
fn of_pairs_that_count_alike_as_many_stay_as_are_allowed() {
    let bounds = Bounds {
        max_pairs: 30,
        ..Bounds::default()
    };
    let letters = || 'a'..='f';
    let mut text = String::new();
    for first in letters() {
        text += &format!("word\t{first}\t6\t6\t0\t6\t0\n");
        for second in letters() {
            text += &format!("pair\t{first}\t{second}\t1\t0\n");
        }
    }
    let kept = |text: &str| {
        let mut model = UserModel::in_memory(bounds);
        model.import(text).unwrap();
        let export = model.export();
        let pairs = export.lines().filter(|line| line.starts_with("pair"));
        pairs.map(str::to_owned).collect::<Vec<_>>()
    };
    let (pairs, others) = (kept(&text), kept(&(text.clone() + "pair\tf\tf\t1\t0\n")));
    assert_eq!((pairs.len(), others.len()), (30, 30));
    assert!(pairs.contains(&"pair\ta\ta\t1\t0".to_owned()));
    assert!(others.contains(&"pair\tf\tf\t2\t0".to_owned()));
}

#[test]
fn imported_pairs_are_looked_up_folded_and_have_words_that_are_known() {
    let facts = "word\tyou\t2\t2\t0\t2\t0\npair\tSee\tyou\t2\t0\n";
    let unknown = "pair\tsee\tnobody\t9\t0\nrevert\tthem\npair\tsee\tthem\t9\t0\n";
    let place = Place::new();
    let mut model = place.open();
    model.import(&format!("{facts}{unknown}")).unwrap();
    let check = |model: &UserModel| {
        let score = model.score(Some("see"), "you").unwrap();
        assert!(score > model.score(None, "you").unwrap() + 1.0);
        assert!((score.exp() - model.mass(Some("see"))).abs() < 1e-3);
    };
    check(&model);
    drop(model);
    // A file that lacks a word of its pairs.
    let (store, mut records) = Store::open(&place.path()).unwrap();
    drop(store);
    records.push(Record::Pair {
        previous: "see".to_owned(),
        word: "nobody".to_owned(),
        tally: record::Tally {
            count: 9.0,
            time: 0,
        },
    });
    let mut bytes = Vec::new();
    records.iter().for_each(|record| record.write(&mut bytes));
    std::fs::write(place.path(), bytes).unwrap();
    check(&place.open());
}

#[test]
fn a_path_that_cannot_be_written_is_a_typed_error() {
    let place = Place::new();
    let missing = place.directory.path().join("no/such/words");
    assert!(matches!(
        UserModel::open(&missing, Bounds::default()),
        Err(UserModelError::Io { .. })
    ));
    assert!(matches!(
        UserModel::open_read_only(&missing),
        Err(UserModelError::Io { .. })
    ));
    std::fs::create_dir(place.path()).unwrap();
    assert!(matches!(
        UserModel::open(place.path(), Bounds::default()),
        Err(UserModelError::Io { .. })
    ));
}

#[test]
fn a_failed_replacement_forgets_nothing() {
    let place = Place::new();
    let mut model = place.open();
    write(&mut model, "keep this", 0);
    let before = place.bytes();
    // A directory where the new file would go: it can be neither removed as a file nor created.
    let obstacle = place.directory.path().join("words.tmp");
    std::fs::create_dir(&obstacle).unwrap();
    assert!(matches!(
        model.remove("this"),
        Err(UserModelError::Io { .. })
    ));
    assert!(matches!(model.erase(), Err(UserModelError::Io { .. })));
    assert_eq!((model.len(), place.bytes()), (2, before));
    std::fs::remove_dir(&obstacle).unwrap();
    assert!(model.remove("this").unwrap());
}

#[test]
fn words_are_learned_where_no_room_can_be_made_and_it_is_not_tried_for_each() {
    let words: Vec<String> = ('a'..='z')
        .flat_map(|first| ['k', 'l'].map(|second| format!("{first}{second}")))
        .collect();
    let bounds = Bounds {
        max_words: 32,
        ..Bounds::default()
    };
    let place = Place::new();
    let mut model = UserModel::open(place.path(), bounds).unwrap();
    let mut words = words.iter();
    let mut learn = |model: &mut UserModel| {
        let word = words.next().unwrap();
        assert!(model.observe(FieldKind::Message, &[], word, 0).unwrap());
        assert_eq!(model.words(word).len(), 1);
        model.len()
    };
    for _ in 0..32 {
        learn(&mut model);
    }
    let obstacle = place.directory.path().join("words.tmp");
    std::fs::create_dir(&obstacle).unwrap();
    assert_eq!(learn(&mut model), 33);
    // It could be done now, but is not tried before a sixteenth more was learned.
    std::fs::remove_dir(&obstacle).unwrap();
    assert_eq!([(); 2].map(|()| learn(&mut model)), [34, 35]);
    assert_eq!(learn(&mut model), 28);
    // As often as it fails.
    std::fs::create_dir(&obstacle).unwrap();
    for expected in 29..=38 {
        assert_eq!(learn(&mut model), expected);
    }
    drop(model);
    std::fs::remove_dir(&obstacle).unwrap();
    // Reopening tries at once.
    let mut model = UserModel::open(place.path(), bounds).unwrap();
    assert_eq!(model.len(), 38);
    assert_eq!(learn(&mut model), 28);
}

/// Runs [`fill_the_disk`] in a process that may not write files beyond a size: the system then
/// refuses in the middle of a record, as a full disk does.
#[test]
#[cfg(unix)]
fn a_full_disk_loses_nothing_that_was_stored() {
    let place = Place::new();
    let mut model = place.open();
    write(&mut model, "first words", 0);
    drop(model);
    let output = Command::new("sh")
        .arg("-c")
        .arg("trap '' XFSZ; ulimit -f 2; exec \"$0\" --ignored --exact \"$1\" --nocapture")
        .arg(std::env::current_exe().unwrap())
        .arg("user_model::tests::fill_the_disk")
        .env("USER_MODEL_TEST_PATH", place.path())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let model = place.open();
    assert_eq!(model.words("first")[0].uses, 1);
    assert!(model.words("filler")[0].uses > 10);
}

#[test]
#[ignore = "run by a_full_disk_loses_nothing_that_was_stored"]
fn fill_the_disk() {
    let path = std::env::var_os("USER_MODEL_TEST_PATH").unwrap();
    let mut model = UserModel::open(&path, Bounds::default()).unwrap();
    for uses in 0..1_000 {
        let before = std::fs::read(&path).unwrap();
        match model.observe(FieldKind::Message, &["the"], "filler", uses) {
            Ok(learned) => assert!(learned),
            Err(UserModelError::Io { .. }) => {
                // Neither the file nor the model has taken half of it.
                assert_eq!(std::fs::read(&path).unwrap(), before);
                assert_eq!(model.words("filler")[0].uses as i64, uses);
                return;
            }
            Err(other) => panic!("{other}"),
        }
    }
    panic!("the limit was never reached");
}

fn operations() -> impl Strategy<Value = Vec<(u8, usize, i64)>> {
    prop::collection::vec((0u8..8, 0usize..6, 0i64..400), 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// A stored model, reopened after every step, is the model that was never stored.
    #[test]
    fn the_file_always_holds_the_model(operations in operations()) {
        let words = ["alpha", "Beta", "gamma", "delta's", "ébène", "мир"];
        let place = Place::new();
        let mut stored = place.open();
        let mut reference = memory();
        for (operation, index, day) in operations {
            let (word, other) = (words[index], words[(index + 1) % words.len()]);
            for model in [&mut stored, &mut reference] {
                match operation {
                    0..5 => {
                        model.observe(FieldKind::Message, &[other], word, day * DAY).unwrap();
                    }
                    5 => {
                        model.revert(FieldKind::Message, word, day * DAY).unwrap();
                    }
                    6 => {
                        model.remove(word).unwrap();
                    }
                    _ => {
                        let text = model.export();
                        model.erase().unwrap();
                        model.import(&text).unwrap();
                    }
                }
            }
            drop(stored);
            stored = place.open();
            prop_assert_eq!(stored.words(""), reference.words(""));
            for word in words {
                let scores = (stored.score(Some(other), word), reference.score(Some(other), word));
                match scores {
                    (Some(a), Some(b)) => prop_assert!((a - b).abs() < 1e-2, "{} {}", a, b),
                    (a, b) => prop_assert_eq!(a, b),
                }
            }
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        record::recover(&bytes);
        let marked: Vec<u8> = bytes.iter().flat_map(|&byte| [0xB7, 1, byte]).collect();
        record::recover(&marked);
    }
}
