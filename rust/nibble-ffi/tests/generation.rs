//! Generating: the same text as the engine, from any thread, stoppable at any time.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::result_large_err,
    reason = "a test fails by panicking, and its errors are rare"
)]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use nibble::SpecialTokens;
use nibble_ffi::{
    Chunk, Generation, GenerationOptions, NibbleError, Session, SessionOptions, StopReason,
};
use support::{smollm2, tiny_model};

const PROMPT: &str = "The capital of France is";

fn options(max_tokens: u32) -> Option<GenerationOptions> {
    Some(GenerationOptions {
        max_tokens,
        ..GenerationOptions::default()
    })
}

fn all(generation: &Generation) -> Vec<Chunk> {
    let mut chunks = Vec::new();
    while let Some(chunk) = generation.next().unwrap() {
        chunks.push(chunk);
    }
    chunks
}

/// A prompt that takes seconds to read.
fn long_prompt() -> String {
    "One more sentence, so that reading takes its time. ".repeat(300)
}

fn in_the_middle_of_prefill(session: &Arc<Session>) -> (Arc<Generation>, Thread) {
    let generation = session.generate(&long_prompt(), options(4)).unwrap();
    let thread = std::thread::spawn({
        let generation = generation.clone();
        move || generation.next()
    });
    wait_until_busy(&generation);
    (generation, thread)
}

type Thread = std::thread::JoinHandle<Result<Option<Chunk>, NibbleError>>;

fn wait_until_busy(generation: &Generation) {
    while !matches!(generation.stats(), Err(NibbleError::Busy { .. })) {
        std::thread::yield_now();
    }
}

#[test]
fn the_text_is_the_engines() {
    let expected = {
        let options = nibble::ModelOptions::default();
        let model = nibble::Model::open(nibble_testkit::smollm2(), &options).unwrap();
        let tokens = model
            .tokenizer()
            .encode_prompt(PROMPT, SpecialTokens::AsText)
            .unwrap();
        let session = nibble::SessionOptions::default();
        let mut session = nibble::Session::new(Arc::new(model), session).unwrap();
        let options = nibble::GenerationOptions {
            max_tokens: 24,
            ..nibble::GenerationOptions::default()
        };
        let mut generation = session.generate(&tokens, options).unwrap();
        let mut text = String::new();
        while let Some(chunk) = generation.next().unwrap() {
            text.push_str(&chunk.text);
        }
        text
    };

    let session = smollm2().new_session(None).unwrap();
    let generation = session.generate(PROMPT, options(24)).unwrap();
    let chunks = all(&generation);
    let text: String = chunks.iter().map(|chunk| chunk.text.as_str()).collect();
    assert_eq!(text, expected);
    assert!(text.starts_with(" Paris"), "{text}");
    let (last, others) = chunks.split_last().unwrap();
    assert_eq!(last.stop_reason, Some(StopReason::MaxTokens));
    assert_eq!(last.generated_tokens, 24);
    assert!(others.iter().all(|chunk| chunk.stop_reason.is_none()));
    let stats = generation.stats().unwrap();
    assert_eq!((stats.prompt_tokens, stats.generated_tokens), (5, 24));
    assert!(stats.decode_tokens_per_second > 0.0);
    assert!(generation.next().unwrap().is_none(), "it stays ended");

    // The session holds all but the last token: nothing of it is computed again.
    let again = session.generate(&format!("{PROMPT}{text}"), options(1));
    let again = again.unwrap();
    all(&again);
    assert!(again.stats().unwrap().reused_tokens >= 28);
}

#[test]
fn the_last_chunk_says_why_it_is_the_last() {
    let model = tiny_model();
    let session = model.new_session(None).unwrap();
    let nothing = session.generate("and the lord", options(0)).unwrap();
    let chunks = all(&nothing);
    assert_eq!(chunks.len(), 1);
    assert_eq!(chunks[0].stop_reason, Some(StopReason::MaxTokens));
    assert_eq!((chunks[0].text.as_str(), chunks[0].token), ("", None));

    let free = session.generate("and the lord", options(8)).unwrap();
    let text: String = all(&free).iter().map(|chunk| chunk.text.as_str()).collect();
    let stop: String = text.chars().skip(3).take(2).collect();
    let stopped = session
        .generate(
            "and the lord",
            Some(GenerationOptions {
                max_tokens: 8,
                stop: vec![stop.clone()],
                ..GenerationOptions::default()
            }),
        )
        .unwrap();
    let chunks = all(&stopped);
    let before: String = chunks.iter().map(|chunk| chunk.text.as_str()).collect();
    assert_eq!(before, text.split(&stop).next().unwrap());
    let reason = chunks.last().unwrap().stop_reason;
    assert_eq!(reason, Some(StopReason::StopString));
}

#[test]
fn default_options_are_the_engines() {
    let options = GenerationOptions::default();
    let engine = nibble::GenerationOptions::default();
    assert_eq!(nibble::GenerationOptions::from(options), engine);
}

#[test]
fn cancelling_stops_in_the_middle_of_prefill() {
    let model = smollm2();
    let session = model.new_session(None).unwrap();
    let (generation, thread) = in_the_middle_of_prefill(&session);
    let handle = generation.cancel_handle().unwrap();
    assert!(!handle.is_cancelled().unwrap());
    handle.cancel().unwrap();
    assert!(handle.is_cancelled().unwrap());
    let result = thread.join().unwrap();
    assert!(
        matches!(result, Err(NibbleError::Cancelled { .. })),
        "{result:?}"
    );
    let prompt = model.encode(&long_prompt(), false).unwrap().len();
    let read = session.token_count().unwrap() as usize;
    assert!(read < prompt / 2, "{read} of {prompt} were read");
    assert!(matches!(
        generation.next(),
        Err(NibbleError::Cancelled { .. })
    ));

    let after = session.generate(PROMPT, options(1)).unwrap();
    assert_eq!(after.next().unwrap().unwrap().text, " Paris");
}

#[test]
fn cancelling_stops_between_and_within_tokens() {
    let session = smollm2().new_session(None).unwrap();
    let generation = session.generate(PROMPT, options(10_000)).unwrap();
    let handle = generation.cancel_handle().unwrap();
    let given = Arc::new(AtomicU32::new(0));
    let thread = std::thread::spawn({
        let (generation, given) = (generation.clone(), given.clone());
        move || {
            loop {
                match generation.next() {
                    Ok(Some(_)) => given.fetch_add(1, Ordering::SeqCst),
                    other => return other,
                };
            }
        }
    });
    while given.load(Ordering::SeqCst) < 3 {
        std::thread::yield_now();
    }
    handle.cancel().unwrap();
    let at_cancel = given.load(Ordering::SeqCst);
    let result = thread.join().unwrap();
    assert!(
        matches!(result, Err(NibbleError::Cancelled { .. })),
        "{result:?}"
    );
    let given = given.load(Ordering::SeqCst);
    assert!(given <= at_cancel + 1, "{given} after {at_cancel}");
    assert!(generation.stats().unwrap().generated_tokens <= given + 1);
}

#[test]
fn whoever_comes_second_is_told_and_does_not_wait() {
    let session = smollm2().new_session(None).unwrap();
    let (generation, thread) = in_the_middle_of_prefill(&session);
    assert!(matches!(generation.next(), Err(NibbleError::Busy { .. })));
    assert!(matches!(generation.stats(), Err(NibbleError::Busy { .. })));
    assert!(matches!(session.fork(), Err(NibbleError::Busy { .. })));
    let other = session.generate(PROMPT, None);
    assert!(matches!(other, Err(NibbleError::Busy { .. })));
    assert!(!thread.is_finished(), "the first was not disturbed");
    generation.cancel_handle().unwrap().cancel().unwrap();
    thread.join().unwrap().unwrap_err();
}

#[test]
fn releasing_a_session_ends_what_runs_on_it() {
    let model = smollm2();
    let session = model.new_session(None).unwrap();
    let (generation, thread) = in_the_middle_of_prefill(&session);
    // The model lives as long as a session of it does.
    model.release().unwrap();
    assert!(matches!(
        model.new_session(None),
        Err(NibbleError::Closed { .. })
    ));
    assert!(!thread.is_finished());
    session.release().unwrap();
    let result = thread.join().unwrap();
    assert!(
        matches!(result, Err(NibbleError::Cancelled { .. })),
        "{result:?}"
    );
    for result in [
        generation.next().map(drop),
        session.generate(PROMPT, None).map(drop),
        session.token_count().map(drop),
        session.fork().map(drop),
    ] {
        assert!(
            matches!(
                result,
                Err(NibbleError::Closed { .. } | NibbleError::Cancelled { .. })
            ),
            "{result:?}"
        );
    }
    session.release().unwrap();
}

#[test]
fn objects_may_be_released_while_others_use_them() {
    let model = tiny_model();
    for round in 0..50 {
        let session = model.new_session(None).unwrap();
        let generation = session.generate("and the lord", options(50)).unwrap();
        let threads: Vec<_> = (0..3)
            .map(|thread| {
                let (session, generation) = (session.clone(), generation.clone());
                std::thread::spawn(move || {
                    for _ in 0..20 {
                        let result = match thread {
                            0 => generation.next().map(drop),
                            1 => generation.stats().map(drop),
                            _ => session.token_count().map(drop),
                        };
                        if let Err(error) = result {
                            assert!(
                                matches!(
                                    error,
                                    NibbleError::Busy { .. }
                                        | NibbleError::Closed { .. }
                                        | NibbleError::Cancelled { .. }
                                ),
                                "{error:?}"
                            );
                        }
                    }
                })
            })
            .collect();
        std::thread::sleep(Duration::from_micros(40 * round));
        if round % 2 == 0 {
            generation.release().unwrap();
        }
        session.release().unwrap();
        for thread in threads {
            thread.join().unwrap();
        }
        assert!(matches!(
            session.capacity(),
            Err(NibbleError::Closed { .. })
        ));
    }
}

#[test]
fn a_fork_goes_its_own_way() {
    let model = tiny_model();
    let session = model.new_session(None).unwrap();
    all(&session.generate("and the lord", options(2)).unwrap());
    let held = session.token_count().unwrap();
    let fork = session.fork().unwrap();
    session.truncate(0).unwrap();
    assert_eq!(
        (session.token_count().unwrap(), fork.token_count().unwrap()),
        (0, held)
    );
}

#[test]
fn steps_that_share_a_call_are_the_same_steps() {
    let session = tiny_model().new_session(None).unwrap();
    let one_by_one = all(&session.generate("and the lord", options(10)).unwrap());
    let no_time = session.generate("and the lord", options(10)).unwrap();
    assert_eq!(no_time.next_chunks(0).unwrap(), one_by_one[..1]);

    let together = session.generate("and the lord", options(10)).unwrap();
    let minute = 60_000;
    let mut calls = Vec::new();
    loop {
        let chunks = together.next_chunks(minute).unwrap();
        if chunks.is_empty() {
            break;
        }
        calls.push(chunks);
    }
    let lengths: Vec<usize> = calls.iter().map(Vec::len).collect();
    assert_eq!(lengths, [4, 4, 2]);
    assert_eq!(calls.concat(), one_by_one);
}

/// It is cancelled as soon as it is seen to work; only where this thread came late, it may have run to its end.
#[test]
fn a_call_of_several_steps_ends_with_the_step_that_is_cancelled() {
    let model = smollm2();
    let ended_early = (0..10).any(|_| {
        let session = model.new_session(None).unwrap();
        let generation = session.generate(PROMPT, options(100)).unwrap();
        generation.next().unwrap();
        let thread = std::thread::spawn({
            let generation = generation.clone();
            move || generation.next_chunks(60_000)
        });
        while generation.stats().is_ok() && !thread.is_finished() {
            std::thread::yield_now();
        }
        generation.cancel_handle().unwrap().cancel().unwrap();
        let steps = match thread.join().unwrap() {
            Ok(chunks) => chunks.len(),
            Err(error) => {
                assert!(matches!(error, NibbleError::Cancelled { .. }), "{error:?}");
                0
            }
        };
        let next = generation.next_chunks(60_000);
        assert!(matches!(next, Err(NibbleError::Cancelled { .. })));
        steps < 4
    });
    assert!(ended_early);
}

#[test]
fn what_came_before_a_failure_is_not_lost() {
    let model = tiny_model();
    let roomy = model.new_session(None).unwrap();
    let expected = all(&roomy.generate("and the lord", options(40)).unwrap());
    let tight = SessionOptions {
        context: 16,
        ..SessionOptions::default()
    };
    let session = model.new_session(Some(tight)).unwrap();
    let generation = session.generate("and the lord", options(40)).unwrap();
    let mut chunks = Vec::new();
    let failure = loop {
        match generation.next_chunks(60_000) {
            Ok(more) => chunks.extend(more),
            Err(failure) => break failure,
        }
    };
    assert!(
        matches!(failure, NibbleError::ContextFull { .. }),
        "{failure:?}"
    );
    assert!(!chunks.is_empty() && chunks.len() < 16, "{}", chunks.len());
    assert_eq!(chunks, expected[..chunks.len()]);
}

#[test]
fn a_full_context_is_an_error_of_its_own() {
    let options = SessionOptions {
        context: 8,
        ..SessionOptions::default()
    };
    let session = tiny_model().new_session(Some(options)).unwrap();
    assert_eq!(session.capacity().unwrap(), 8);
    match session.generate(&"and the lord ".repeat(8), None) {
        Err(NibbleError::ContextFull {
            code,
            needed,
            available,
            ..
        }) => {
            assert_eq!((code.as_str(), available), ("context_full", 8));
            assert!(needed > 8);
        }
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("it fitted"),
    }
}
