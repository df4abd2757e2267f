//! What the engine promises about passes, staleness, privacy and failures.

mod support;

use std::sync::Arc;
use std::time::Duration;

use nibble::{ErrorKind, Model, ModelOptions};
use nibble_keyboard::user_model::{Bounds, UserModel};
use nibble_keyboard::{
    Completer, CompleterOptions, EditorContext, FieldKind, ModelState, Primers, SuggestionKind,
};
use support::{LONG, completer, context, english, in_field, options, texts, tiny_model, type_text};

fn with_user() -> Completer {
    Completer::new(
        None,
        english(),
        Some(UserModel::in_memory(Bounds::default())),
        options(),
    )
}

#[test]
fn answers_at_once_without_a_model() {
    let completer = Completer::new(None, english(), None, options());
    let answer = completer.suggest(&EditorContext {
        epoch: 7,
        ..context("and th")
    });
    assert_eq!((answer.epoch, answer.fresh), (7, false));
    assert_eq!(texts(&answer), ["the", "they", "them"]);
    assert!(answer.items.iter().all(|item| item.replace == 2));
    assert_eq!(completer.model_state(), ModelState::Absent);
    assert_eq!(
        completer.wait_fresh(&context("and th"), LONG).items,
        answer.items
    );
}

#[test]
fn one_pass_a_word_and_none_inside_it() {
    let completer = completer(options());
    type_text(&completer, "and the lord said unto them");
    let stats = completer.stats();
    assert_eq!(stats.passes, 6, "one for each beginning of a word");
    assert_eq!(
        (stats.speculative_passes, stats.phrase_passes, stats.failed),
        (0, 0, 0)
    );
    assert_eq!(stats.pass_latency.count(), 6);
}

#[test]
fn backspace_cursor_moves_and_undo_cost_no_pass() {
    let completer = completer(options());
    let text = "and the lord said unto them";
    type_text(&completer, text);
    let passes = completer.stats().passes;
    for end in (0..=text.len()).rev() {
        assert!(completer.suggest(&context(&text[..end])).fresh, "{end}");
    }
    for end in [11, 3, 20, 0, text.len()] {
        assert!(completer.suggest(&context(&text[..end])).fresh, "{end}");
    }
    assert_eq!(completer.stats().passes, passes);
}

#[test]
fn what_follows_a_word_directly_asks_no_model() {
    let completer = completer(options());
    type_text(&completer, "the lord");
    let mut passes = completer.stats().passes;
    for before in [
        "the lord.",
        "the lord...",
        "the lord, ",
        "www.the",
        "me@the",
    ] {
        let before = before.trim_end();
        let answer = completer.wait_fresh(&context(before), LONG);
        assert!(!answer.fresh && answer.items.is_empty(), "{before:?}");
        completer.wait_idle(LONG);
        // Behind a comma a space comes next, whose boundary is read meanwhile.
        let read_ahead = u64::from(before.ends_with(','));
        assert_eq!(completer.stats().passes - passes, read_ahead, "{before:?}");
        passes += read_ahead;
    }
    // A space that was forgotten is no address.
    assert_eq!(
        texts(&completer.suggest(&context("the lord,th"))),
        ["the", "they", "them"]
    );
    completer.wait_idle(LONG);
    assert_eq!(completer.stats().passes, passes);
}

#[test]
fn an_answer_belongs_to_the_text_that_was_asked_about() {
    let completer = completer(options());
    let first = completer.suggest(&EditorContext {
        epoch: 1,
        ..context("in the ")
    });
    assert!(!first.fresh);
    let second = EditorContext {
        epoch: 2,
        ..context("and he said unto ")
    };
    let second_answer = completer.wait_fresh(&second, LONG);
    assert_eq!((second_answer.epoch, second_answer.fresh), (2, true));
    // What another boundary gives is never taken for this one's.
    let alone = support::completer(options());
    assert_eq!(alone.wait_fresh(&second, LONG).items, second_answer.items);
    assert!(completer.wait_fresh(&context("in the "), LONG).fresh);
}

#[test]
fn a_better_answer_can_be_polled_for() {
    let completer = completer(options());
    assert!(completer.poll().is_none());
    assert!(
        !completer
            .suggest(&EditorContext {
                epoch: 5,
                ..context("in the ")
            })
            .fresh
    );
    completer.wait_idle(LONG);
    let better = completer.poll().unwrap();
    assert_eq!((better.epoch, better.fresh), (5, true));
    assert!(completer.poll().is_none(), "it was given");
}

#[test]
fn a_model_that_fails_leaves_the_lexicon_and_another_one_can_be_set() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("model.gguf");
    std::fs::copy(nibble_testkit::fixture("phi3-tiny/model-q8_0.gguf"), &path).unwrap();
    let model = Arc::new(Model::open(&path, &ModelOptions::default()).unwrap());
    let completer = Completer::new(Some(model), english(), None, options());
    assert!(completer.wait_fresh(&context("and th"), LONG).fresh);

    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(file.metadata().unwrap().len() / 2).unwrap();
    let answer = completer.wait_fresh(&context("in the land of th"), LONG);
    assert!(!answer.fresh);
    assert_eq!(texts(&answer), ["the", "they", "them"]);
    completer.wait_idle(LONG);
    assert_eq!(
        completer.model_state(),
        ModelState::Failed(ErrorKind::FileChanged)
    );
    assert_eq!(completer.stats().failed, 1);
    let before = completer.stats().passes;
    assert!(
        !completer
            .wait_fresh(&context("and he said unto th"), LONG)
            .fresh
    );
    assert_eq!(completer.stats().passes, before, "it is not asked again");

    completer.set_model(Some(tiny_model()));
    assert!(
        completer
            .wait_fresh(&context("in the land of th"), LONG)
            .fresh
    );
}

#[test]
fn a_model_can_be_dropped_and_brought_back() {
    let completer = completer(options());
    assert!(completer.wait_fresh(&context("and th"), LONG).fresh);
    let model = tiny_model();
    completer.set_model(Some(model.clone()));
    assert!(completer.wait_fresh(&context("and th"), LONG).fresh);
    completer.set_model(None);
    assert!(!completer.suggest(&context("and th")).fresh);
    completer.wait_idle(LONG);
    assert_eq!(Arc::strong_count(&model), 1, "its memory is given back");
    completer.set_model(Some(model));
    assert!(completer.wait_fresh(&context("and th"), LONG).fresh);
}

#[test]
fn a_secure_field_switches_the_engine_off_and_forgets_everything() {
    let completer = completer(CompleterOptions {
        phrase_threshold: 1e-9,
        ..options()
    });
    type_text(&completer, "and the lo");
    completer.set_conversation(&["and it came to pass"]);
    let before = completer.stats();
    let tables = {
        let fresh = support::completer(options());
        fresh.stats().memory_bytes
    };
    assert!(before.memory_bytes > tables);

    let answer = completer.wait_fresh(&in_field("and the lo", FieldKind::Password), LONG);
    assert!(answer.items.is_empty() && !answer.fresh);
    completer.wait_idle(LONG);
    let after = completer.stats();
    assert_eq!(after.memory_bytes, tables, "no boundary is kept");
    assert_eq!(after.passes, before.passes);
    assert!(completer.poll().is_none());
    assert!(
        completer
            .ghost(&in_field("and the lo", FieldKind::Password))
            .is_none()
    );
    completer.focus(FieldKind::Password);
    completer.wait_idle(LONG);
    assert_eq!(completer.stats().passes, before.passes);

    // The text is new to the engine: nothing of it, nor of the conversation, is cached.
    assert!(!completer.suggest(&context("and the lo")).fresh);
    let again = completer.wait_fresh(&context("and the lo"), LONG);
    let unspoilt = support::completer(options()).wait_fresh(&context("and the lo"), LONG);
    assert_eq!(again.items, unspoilt.items);
}

#[test]
fn waiting_for_a_field_that_lost_the_focus_brings_nothing_of_it_back() {
    let options = ModelOptions {
        threads: 1,
        ..ModelOptions::default()
    };
    let slow = Arc::new(Model::open(nibble_testkit::smollm2(), &options).unwrap());
    let user = UserModel::in_memory(Bounds::default());
    let completer = Completer::new(Some(slow), english(), Some(user), support::options());
    completer.wait_idle(LONG);
    let message = context(&"and the lord said unto them ".repeat(12));
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| completer.wait_fresh(&message, LONG));
        // Long enough for the thread to wait.
        std::thread::sleep(Duration::from_millis(50));
        completer.focus(FieldKind::Password);
        waiting.join().unwrap();
    });
    completer.wait_idle(LONG);
    let passes = completer.stats().passes;
    assert!(completer.poll().is_none());
    completer.commit("", "zerubbabel").unwrap();
    assert_eq!(
        completer.with_user_model(|user| user.is_empty()),
        Some(true)
    );
    completer.wait_idle(LONG);
    assert_eq!(completer.stats().passes, passes);
}

#[test]
fn fields_without_learning_predict_and_learn_nothing() {
    let completer = with_user();
    for field in [
        FieldKind::NoLearning,
        FieldKind::Password,
        FieldKind::Url,
        FieldKind::Number,
    ] {
        let suggestions = completer.suggest(&in_field("and th", field));
        assert_eq!(
            !suggestions.items.is_empty(),
            matches!(field, FieldKind::NoLearning | FieldKind::Url)
        );
        completer.commit("and ", "zerubbabel").unwrap();
        if let Some(item) = suggestions.items.first() {
            completer.accept(item).unwrap();
        }
        completer.revert("zerubbabel").unwrap();
    }
    assert!(completer.with_user_model(|user| user.is_empty()).unwrap());
}

#[test]
fn a_word_typed_twice_is_suggested_and_gone_after_removal() {
    let completer = with_user();
    completer.suggest(&context(""));
    for _ in 0..2 {
        completer.commit("say unto ", "Zerubbabel").unwrap();
    }
    let answer = completer.suggest(&context("say unto ze"));
    assert!(texts(&answer).contains(&"Zerubbabel"), "{answer:?}");
    completer.with_user_model(|user| user.remove("Zerubbabel").unwrap());
    assert!(!texts(&completer.suggest(&context("say unto ze"))).contains(&"Zerubbabel"));
}

#[test]
fn words_of_every_script_are_learned_whole() {
    let completer = with_user();
    let words = ["नमस्ते", "می\u{200c}خواهم", "বিশ্ব", "צה״ל"];
    for word in words {
        for _ in 0..2 {
            completer.commit("", word).unwrap();
        }
        let part: String = word.chars().take(2).collect();
        let answer = completer.suggest(&context(&part));
        assert!(texts(&answer).contains(&word), "{answer:?}");
    }
}

#[test]
fn a_word_of_the_users_has_a_slot_once_two_letters_of_it_are_typed() {
    let completer = with_user();
    completer.suggest(&context(""));
    let text = "and of the land said they that know the people of the house and then there";
    completer.commit("", text).unwrap();
    for _ in 0..2 {
        completer.commit("say unto ", "Thessaloniki").unwrap();
    }
    for before in ["th", "the land th", "and the"] {
        let answer = completer.suggest(&context(before));
        assert!(texts(&answer)[..3].contains(&"Thessaloniki"), "{answer:?}");
    }
    let earlier = completer.suggest(&context("the land t"));
    assert!(!texts(&earlier).contains(&"Thessaloniki"), "{earlier:?}");
}

#[test]
fn an_accepted_word_that_is_committed_is_learned_once() {
    let completer = with_user();
    let answer = completer.suggest(&context("say unto th"));
    completer.accept(&answer.items[0]).unwrap();
    completer
        .commit("say unto ", &answer.items[0].text)
        .unwrap();
    let uses = || completer.with_user_model(|user| user.words("the")[0].uses);
    assert_eq!(uses(), Some(1));
    completer.commit("say unto ", "the").unwrap();
    assert_eq!(uses(), Some(2));
}

#[test]
fn a_word_is_learned_each_time_it_is_accepted() {
    let completer = with_user();
    let answer = completer.suggest(&context("say unto th"));
    let uses = || completer.with_user_model(|user| user.words("the")[0].uses);
    for times in 1..=3 {
        completer.accept(&answer.items[0]).unwrap();
        assert_eq!(uses(), Some(times));
    }
    for _ in 1..=3 {
        completer.commit("say unto ", "the").unwrap();
    }
    assert_eq!(uses(), Some(3), "they were accepted");
    completer.commit("say unto ", "the").unwrap();
    assert_eq!(uses(), Some(4));
}

#[test]
fn a_correction_is_offered_and_not_again_after_a_revert() {
    let completer = with_user();
    let correction = |completer: &Completer| {
        let answer = completer.suggest(&context("unto tjem"));
        answer.items.into_iter().find(|item| item.automatic)
    };
    let found = correction(&completer).unwrap();
    assert_eq!(
        (found.text.as_str(), found.kind),
        ("them", SuggestionKind::Correction)
    );
    assert_eq!(found.replace, 4);
    completer.revert("tjem").unwrap();
    assert_eq!(correction(&completer), None);
}

#[test]
fn words_are_cased_and_filtered() {
    let completer = Completer::new(None, english(), None, options());
    let shown = |before: &str| {
        let answer = completer.suggest(&context(before));
        answer
            .items
            .into_iter()
            .map(|item| item.text)
            .collect::<Vec<_>>()
    };
    assert_eq!(shown("and mo"), ["Moses"]);
    assert_eq!(shown("Th"), ["The", "They", "Them"]);
    assert_eq!(shown("TH"), ["THE", "THEY", "THEM"]);
    assert_eq!(shown("")[0], "The");
    assert_eq!(shown("said the ")[0], "the");
    assert_eq!(shown("It is so. ")[0], "The");
    assert_eq!(shown("people")[0], "people's");
    assert_eq!(shown("people\u{2019}")[0], "people\u{2019}s");
    assert_eq!(shown("da"), ["day"]);
    let search = completer.suggest(&in_field("", FieldKind::Search));
    assert_eq!(search.items[0].text, "the");
    let all = CompleterOptions {
        suggest_offensive: true,
        ..options()
    };
    let completer = Completer::new(None, english(), None, all);
    assert!(texts(&completer.suggest(&context("da"))).contains(&"damn"));
}

#[test]
fn look_ahead_reads_on_while_idle_and_is_counted() {
    let with = CompleterOptions {
        look_ahead: true,
        look_ahead_threshold: 0.0,
        ..options()
    };
    let completer = completer(with);
    let answer = completer.wait_fresh(&context("and the lo"), LONG);
    completer.wait_idle(LONG);
    let stats = completer.stats();
    assert_eq!((stats.passes, stats.speculative_passes), (2, 1));
    let next = format!("and the {} ", answer.items[0].text);
    assert!(
        completer.suggest(&context(&next)).fresh,
        "read before it was typed"
    );
    // It may be reading on from there already, but not what it was asked about.
    completer.wait_idle(LONG);
    let stats = completer.stats();
    assert_eq!(stats.passes - stats.speculative_passes, 1);
}

#[test]
fn a_phrase_is_found_when_idle_and_typed_along() {
    let completer = completer(CompleterOptions {
        phrase_threshold: 1e-7,
        ..options()
    });
    completer.wait_fresh(&context("and the lo"), LONG);
    assert!(
        completer.ghost(&context("and the lo")).is_none(),
        "it has to be looked for"
    );
    completer.wait_idle(LONG);
    let phrase = completer.ghost(&context("and the lo")).unwrap();
    assert_eq!((phrase.kind, phrase.replace), (SuggestionKind::Phrase, 2));
    assert!(
        phrase.text.starts_with("lo") && phrase.text.contains(' '),
        "{phrase:?}"
    );
    let passes = completer.stats();
    assert!(passes.phrase_passes > 0 && passes.phrase_passes < passes.passes);

    let mut typed = String::from("and the lo");
    let mut rest = phrase.text["lo".len()..].chars();
    let next = rest.next().unwrap();
    typed.push(next);
    let along = completer.ghost(&context(&typed)).unwrap();
    assert_eq!(along.text, phrase.text);
    assert_eq!(along.replace, 3);
    assert_eq!(completer.stats().passes, passes.passes);
    typed.push('#');
    assert_ne!(completer.ghost(&context(&typed)), Some(along));
}

#[test]
fn primer_and_conversation_change_what_is_expected() {
    let plain = completer(options());
    let primed = completer(CompleterOptions {
        primers: Primers::same("in the beginning"),
        ..options()
    });
    let score = |completer: &Completer| {
        completer
            .wait_fresh(&context("and th"), LONG)
            .items
            .first()
            .unwrap()
            .score
    };
    assert_ne!(score(&plain), score(&primed));
    let before = score(&plain);
    plain.set_conversation(&["what is thy name?"]);
    assert_ne!(score(&plain), before);
    plain.blur();
    assert_eq!(score(&plain), before, "the conversation is forgotten");
}

#[test]
fn words_of_several_tokens_are_found_on_request() {
    let completer = completer(CompleterOptions {
        expand: true,
        ..options()
    });
    completer.wait_fresh(&context("and the ri"), LONG);
    completer.wait_idle(LONG);
    assert!(completer.stats().expansion_passes > 0);
    let answer = completer.suggest(&context("and the ri"));
    assert!(!answer.items.is_empty(), "no lexicon has such a word");
    assert!(
        texts(&answer)
            .iter()
            .take(3)
            .all(|word| word.to_lowercase().starts_with("ri")),
        "{answer:?}"
    );
}

#[test]
fn threads_may_ask_while_the_model_comes_and_goes() {
    fn shared<T: Send + Sync>(_: &T) {}
    let completer = completer(options());
    shared(&completer);
    let words = ["and", "the", "lord", "said", "unto", "them"];
    std::thread::scope(|scope| {
        for seed in 0..4usize {
            let completer = &completer;
            scope.spawn(move || {
                let mut before = String::new();
                for step in 0..60usize {
                    before.push_str(words[(seed * 7 + step * 5) % words.len()]);
                    let asked = EditorContext {
                        epoch: step as u64,
                        ..context(&before)
                    };
                    let answer = match step % 5 {
                        0 => completer.wait_fresh(&asked, Duration::from_millis(20)),
                        _ => completer.suggest(&asked),
                    };
                    assert_eq!(answer.epoch, step as u64);
                    match step % 17 {
                        3 => completer.reset(),
                        5 => drop(completer.ghost(&asked)),
                        7 => drop(completer.poll()),
                        11 => completer.blur(),
                        _ => {}
                    }
                    before.push(' ');
                }
            });
        }
        for _ in 0..3 {
            completer.set_model(None);
            completer.set_model(Some(tiny_model()));
        }
    });
    assert!(completer.wait_fresh(&context("and the "), LONG).fresh);
}
