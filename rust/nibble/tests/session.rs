//! What a session promises: reuse, chunking, batching, forks, cancellation and errors change when things are
//! computed, never what comes out.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use nibble::backend::{HeadRows, Precision, Scratch, SequenceInput};
use nibble::{
    CancelHandle, Error, ErrorKind, GenerationOptions, KvCache, KvFormat, Model, ModelOptions,
    Prefill, RopePolicy, Sampling, Session, SessionOptions, SpecialTokens, Stats, StopReason,
};
use nibble_testkit::{fixture, smollm2};
use once_cell::sync::Lazy;
use proptest::prelude::*;

static MODEL: Lazy<Arc<Model>> = Lazy::new(|| {
    let options = ModelOptions {
        threads: 2,
        ..Default::default()
    };
    Arc::new(Model::open(fixture("phi3-tiny/model-q4_k_m.gguf"), &options).unwrap())
});

const VOCABULARY: u32 = 1024;

fn options(kv_format: KvFormat, precision: Precision) -> SessionOptions {
    SessionOptions {
        context: 320,
        kv_format,
        precision: Some(precision),
        ..Default::default()
    }
}

fn session(options: &SessionOptions) -> Session {
    Session::new(MODEL.clone(), options.clone()).unwrap()
}

fn prefill(session: &mut Session, tokens: &[u32]) -> Prefill {
    session.prefill(tokens, &CancelHandle::new()).unwrap()
}

fn fresh_logits(options: &SessionOptions, tokens: &[u32]) -> Vec<f32> {
    let mut session = session(options);
    prefill(&mut session, tokens);
    session.logits().unwrap().to_vec()
}

/// Different chunks take different paths through the kernels, which only rounds differently.
fn assert_close(found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len());
    for (a, b) in found.iter().zip(expected) {
        assert!((a - b).abs() <= 2e-3, "{a} {b}");
    }
}

fn tokens(length: impl Into<prop::collection::SizeRange>) -> impl Strategy<Value = Vec<u32>> {
    prop::collection::vec(0..VOCABULARY, length)
}

fn any_options() -> impl Strategy<Value = SessionOptions> {
    let kv = prop::sample::select(vec![KvFormat::F32, KvFormat::F16, KvFormat::Q8_0]);
    let precision = prop::sample::select(vec![Precision::F32, Precision::Q16, Precision::Q8]);
    (kv, precision, 1usize..70).prop_map(|(kv_format, precision, prefill_chunk)| SessionOptions {
        prefill_chunk,
        ..options(kv_format, precision)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn truncating_and_going_on_equals_computing_anew(
        options in any_options(),
        first in tokens(1..150),
        second in tokens(1..80),
        keep in 0usize..150,
    ) {
        let mut session = session(&options);
        prefill(&mut session, &first);
        let keep = keep.min(first.len());
        session.truncate(keep);
        prop_assert_eq!(session.tokens(), &first[..keep]);
        let all = [&first[..keep], &second[..]].concat();
        let done = session.extend(&second, &CancelHandle::new()).unwrap();
        prop_assert_eq!(done, Prefill { reused: keep, computed: second.len() });
        // 8-bit caches and activations amplify rounding where a value lies between two steps.
        let expected = fresh_logits(&options, &all);
        if options.kv_format == KvFormat::F32 && options.precision == Some(Precision::F32) {
            assert_close(session.logits().unwrap(), &expected);
        } else {
            assert_similar(session.logits().unwrap(), &expected);
        }
    }

    #[test]
    fn any_chunking_of_a_prefill_gives_the_same_logits(
        text in tokens(1..200),
        chunk in 1usize..100,
    ) {
        let whole = SessionOptions { prefill_chunk: 256, ..options(KvFormat::F32, Precision::F32) };
        let parts = SessionOptions { prefill_chunk: chunk, ..whole.clone() };
        assert_close(&fresh_logits(&parts, &text), &fresh_logits(&whole, &text));
    }

    #[test]
    fn a_batch_of_sequences_gives_what_each_gives_alone(
        texts in prop::collection::vec((tokens(0..90), tokens(1..20)), 1..5),
        set in tokens(1..9),
    ) {
        let exact = options(KvFormat::F32, Precision::F32);
        let new_cache = || KvCache::new(MODEL.hparams(), KvFormat::F32, 320).unwrap();
        let mut scratch = Scratch::default();
        let mut caches: Vec<KvCache> = texts.iter().map(|_| new_cache()).collect();
        for (cache, (before, _)) in caches.iter_mut().zip(&texts) {
            run(&mut [SequenceInput { cache, tokens: before, heads: &[] }], &mut scratch).unwrap();
        }
        let heads: Vec<_> = texts
            .iter()
            .map(|(_, new)| match new.len() {
                1 => vec![(0, HeadRows::All)],
                n => vec![(0, HeadRows::Set(&set)), (n - 1, HeadRows::All)],
            })
            .collect();
        let mut batch: Vec<_> = caches
            .iter_mut()
            .zip(&texts)
            .zip(&heads)
            .map(|((cache, (_, new)), heads)| SequenceInput { cache, tokens: new, heads })
            .collect();
        run(&mut batch, &mut scratch).unwrap();

        let mut request = 0;
        for (before, new) in &texts {
            if new.len() > 1 {
                let full = fresh_logits(&exact, &[&before[..], &new[..1]].concat());
                let expected: Vec<f32> = set.iter().map(|&token| full[token as usize]).collect();
                assert_close(scratch.logits(request).unwrap(), &expected);
                request += 1;
            }
            let expected = fresh_logits(&exact, &[&before[..], &new[..]].concat());
            assert_close(scratch.logits(request).unwrap(), &expected);
            request += 1;
        }
        prop_assert!(scratch.logits(request).is_none());
    }

    #[test]
    fn a_restricted_head_equals_the_full_one_on_its_rows(
        text in tokens(1..40),
        set in tokens(0..60),
        precision in prop::sample::select(vec![Precision::F32, Precision::Q16, Precision::Q8]),
    ) {
        let mut cache = KvCache::new(MODEL.hparams(), KvFormat::F16, 64).unwrap();
        let mut scratch = Scratch::default();
        let last = text.len() - 1;
        let mut logits = |rows| {
            cache.truncate(0);
            let heads = [(last, rows)];
            let input = SequenceInput { cache: &mut cache, tokens: &text, heads: &heads };
            let not_cancelled = AtomicBool::new(false);
            MODEL.backend().forward(&mut [input], precision, &mut scratch, &not_cancelled).unwrap();
            scratch.logits(0).unwrap().to_vec()
        };
        let full = logits(HeadRows::All);
        let expected: Vec<f32> = set.iter().map(|&token| full[token as usize]).collect();
        assert_close(&logits(HeadRows::Set(&set)), &expected);
    }

    #[test]
    fn positions_without_logits_change_no_logits_and_no_later_token(
        text in tokens(1..90),
        next in tokens(1..4),
        wanted in prop::collection::vec(any::<bool>(), 90),
        kv_format in prop::sample::select(vec![KvFormat::F32, KvFormat::F16, KvFormat::Q8_0]),
        precision in prop::sample::select(vec![Precision::F32, Precision::Q16, Precision::Q8]),
    ) {
        // The last layer is computed for the wanted positions only, and for the others all that a later token sees of it.
        let logits_at = |wanted: &[usize]| {
            let mut cache = KvCache::new(MODEL.hparams(), kv_format, 128).unwrap();
            let mut scratch = Scratch::default();
            let heads: Vec<_> = wanted.iter().map(|&index| (index, HeadRows::All)).collect();
            let mut forward = |tokens: &[u32], heads: &[(usize, HeadRows<'_>)]| {
                let input = SequenceInput { cache: &mut cache, tokens, heads };
                let not_cancelled = AtomicBool::new(false);
                MODEL.backend().forward(&mut [input], precision, &mut scratch, &not_cancelled).unwrap();
                (0..heads.len()).map(|request| scratch.logits(request).unwrap().to_vec()).collect::<Vec<_>>()
            };
            let logits = forward(&text, &heads);
            (logits, forward(&next, &[(next.len() - 1, HeadRows::All)]))
        };
        let all: Vec<usize> = (0..text.len()).collect();
        let some: Vec<usize> = all.iter().copied().filter(|&index| wanted[index]).collect();
        let (expected, expected_next) = logits_at(&all);
        let (found, found_next) = logits_at(&some);
        prop_assert_eq!(found_next, expected_next);
        for (found, index) in found.iter().zip(some) {
            prop_assert_eq!(found, &expected[index]);
        }
    }

    #[test]
    fn a_fork_and_its_origin_go_their_own_ways(
        text in tokens(1..140),
        one in tokens(1..70),
        other in tokens(1..70),
    ) {
        let exact = options(KvFormat::F32, Precision::F32);
        let mut origin = session(&exact);
        prefill(&mut origin, &text);
        let mut fork = origin.fork().unwrap();
        origin.extend(&one, &CancelHandle::new()).unwrap();
        fork.extend(&other, &CancelHandle::new()).unwrap();
        assert_close(origin.logits().unwrap(), &fresh_logits(&exact, &[&text[..], &one].concat()));
        assert_close(fork.logits().unwrap(), &fresh_logits(&exact, &[&text[..], &other].concat()));
    }

    #[test]
    fn cancelling_at_any_point_leaves_the_session_correct(
        before in tokens(1..60),
        text in tokens(100..300),
        chunk in 1usize..64,
        delay in 0u64..8000,
    ) {
        let exact = SessionOptions { prefill_chunk: chunk, ..options(KvFormat::F32, Precision::F32) };
        let mut session = session(&exact);
        prefill(&mut session, &before);
        let cancel = CancelHandle::new();
        let remote = cancel.clone();
        let canceller = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_micros(delay));
            remote.cancel();
        });
        match session.prefill(&text, &cancel) {
            Ok(_) => {}
            Err(error) => {
                prop_assert_eq!(error.kind(), ErrorKind::Cancelled);
                prop_assert!(session.logits().is_none());
                prop_assert!(text.starts_with(session.tokens()));
            }
        }
        canceller.join().unwrap();
        prefill(&mut session, &text);
        assert_close(session.logits().unwrap(), &fresh_logits(&exact, &text));
    }
}

fn assert_similar(found: &[f32], expected: &[f32]) {
    let (mut dot, mut a, mut b) = (0.0f64, 0.0f64, 0.0f64);
    for (x, y) in found.iter().zip(expected) {
        let (x, y) = (f64::from(*x), f64::from(*y));
        (dot, a, b) = (dot + x * y, a + x * x, b + y * y);
    }
    let cosine = dot / (a * b).sqrt();
    assert!(cosine > 0.995, "{cosine}");
}

fn run(batch: &mut [SequenceInput<'_>], scratch: &mut Scratch) -> nibble::Result<()> {
    MODEL
        .backend()
        .forward(batch, Precision::F32, scratch, &AtomicBool::new(false))
}

#[test]
fn a_shared_prefix_is_not_computed_again() {
    let options = options(KvFormat::F16, Precision::Q8);
    let mut session = session(&options);
    let text: Vec<u32> = (0..100).collect();
    assert_eq!(
        prefill(&mut session, &text),
        Prefill {
            reused: 0,
            computed: 100
        }
    );
    assert_eq!(
        prefill(&mut session, &text),
        Prefill {
            reused: 100,
            computed: 0
        }
    );
    let mut changed = text.clone();
    changed[90] = 7;
    assert_eq!(
        prefill(&mut session, &changed),
        Prefill {
            reused: 90,
            computed: 10
        }
    );
    assert_eq!(
        prefill(&mut session, &changed[..50]),
        Prefill {
            reused: 49,
            computed: 1
        }
    );
}

#[test]
fn a_text_that_shrinks_below_the_longrope_border_gets_the_short_set_back() {
    let exact = options(KvFormat::F32, Precision::F32);
    let mut session = session(&exact);
    let text: Vec<u32> = (0..300).collect();
    prefill(&mut session, &text);
    session.truncate(200);
    assert_eq!(
        prefill(&mut session, &text[..201]),
        Prefill {
            reused: 0,
            computed: 201
        }
    );
    assert_close(
        session.logits().unwrap(),
        &fresh_logits(&exact, &text[..201]),
    );
}

#[test]
fn a_crossing_inside_next_can_be_cancelled_and_the_session_goes_on() {
    let exact = options(KvFormat::F32, Precision::F32);
    let mut session = session(&exact);
    let prompt: Vec<u32> = (0..256).collect();
    let options = || GenerationOptions {
        max_tokens: 3,
        stop_at_end_of_text: false,
        ..Default::default()
    };
    let mut generation = session.generate(&prompt, options()).unwrap();
    let first = generation.next().unwrap().unwrap().token.unwrap();
    let cancel = generation.cancel_handle();
    let canceller = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(1));
        cancel.cancel();
    });
    // The crossing computes 257 tokens: it is cancelled on the way, or, on a fast machine, the call after.
    let error = loop {
        match generation.next() {
            Ok(Some(_)) => {}
            Ok(None) => break None,
            Err(error) => break Some(error),
        }
    };
    canceller.join().unwrap();
    if let Some(error) = error {
        assert_eq!(error.kind(), ErrorKind::Cancelled);
        assert_eq!(generation.next().unwrap_err().kind(), ErrorKind::Cancelled);
    }

    let all = [&prompt[..], &[first]].concat();
    prefill(&mut session, &all);
    assert_close(session.logits().unwrap(), &fresh_logits(&exact, &all));
}

#[test]
fn a_planned_set_has_no_border_to_cross() {
    let planned = |length| SessionOptions {
        rope_policy: RopePolicy::Planned(length),
        ..options(KvFormat::F32, Precision::F32)
    };
    let text: Vec<u32> = (0..300).collect();
    let mut long = session(&planned(300));
    prefill(&mut long, &text[..250]);
    assert_eq!(
        prefill(&mut long, &text),
        Prefill {
            reused: 250,
            computed: 50
        }
    );
    let reference = options(KvFormat::F32, Precision::F32);
    assert_close(long.logits().unwrap(), &fresh_logits(&reference, &text));

    let mut short = session(&planned(256));
    prefill(&mut short, &text[..256]);
    match short.prefill(&text[..257], &CancelHandle::new()) {
        Err(Error::ContextFull {
            needed: 257,
            capacity: 256,
        }) => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_full_context_is_an_error_that_loses_nothing() {
    let small = SessionOptions {
        context: 20,
        ..options(KvFormat::F16, Precision::Q8)
    };
    let mut session = session(&small);
    let prompt: Vec<u32> = (0..18).collect();
    let options = GenerationOptions {
        stop_at_end_of_text: false,
        ..Default::default()
    };
    let mut generation = session.generate(&prompt, options).unwrap();
    let mut generated = 0;
    let error = loop {
        match generation.next() {
            Ok(chunk) => generated += usize::from(chunk.unwrap().token.is_some()),
            Err(error) => break error,
        }
    };
    // The last token needs no position of its own.
    assert_eq!(generated, 3);
    assert!(
        matches!(
            error,
            Error::ContextFull {
                needed: 21,
                capacity: 20
            }
        ),
        "{error}"
    );
    assert_eq!(session.tokens().len(), 20);
    let too_long: Vec<u32> = (0..21).collect();
    assert!(session.prefill(&too_long, &CancelHandle::new()).is_err());
    assert_eq!(session.tokens().len(), 20);
}

#[test]
fn wrong_arguments_are_named() {
    let mut session = session(&options(KvFormat::F16, Precision::Q8));
    let cancel = CancelHandle::new();
    let kind = |result: nibble::Result<Prefill>| result.unwrap_err().kind();
    assert_eq!(
        kind(session.prefill(&[], &cancel)),
        ErrorKind::InvalidArgument
    );
    assert_eq!(
        kind(session.prefill(&[1, VOCABULARY], &cancel)),
        ErrorKind::InvalidToken
    );
    assert!(session.generate(&[], GenerationOptions::default()).is_err());
    let far = GenerationOptions {
        prompt_lookup: 32,
        ..Default::default()
    };
    assert!(session.generate(&[1], far).is_err());
    let stop = vec![String::new()];
    assert!(
        session
            .generate(
                &[1],
                GenerationOptions {
                    stop,
                    ..Default::default()
                }
            )
            .is_err()
    );
    let too_large = SessionOptions {
        context: 8193,
        ..Default::default()
    };
    let error = Session::new(MODEL.clone(), too_large).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);

    let mut cache = KvCache::new(MODEL.hparams(), KvFormat::F32, 8).unwrap();
    let mut scratch = Scratch::default();
    for heads in [
        &[(1, HeadRows::All)][..],
        &[(0, HeadRows::All), (0, HeadRows::All)],
    ] {
        let input = SequenceInput {
            cache: &mut cache,
            tokens: &[1],
            heads,
        };
        assert_eq!(
            run(&mut [input], &mut scratch).unwrap_err().kind(),
            ErrorKind::InvalidArgument
        );
    }
    assert!(cache.is_empty());

    let new = SessionOptions::default();
    let mut session = Session::new(MODEL.clone(), new).unwrap();
    session.prefill(&[1, 2, 3], &CancelHandle::new()).unwrap();
    for heads in [
        &[(2, HeadRows::All), (1, HeadRows::All)][..],
        &[(9, HeadRows::All)],
    ] {
        let show = |_, _: &[f32]| panic!("no logits");
        let scored = session.prefill_scored(&[1, 2, 3, 4], heads, &CancelHandle::new(), show);
        assert_eq!(scored.unwrap_err().kind(), ErrorKind::InvalidArgument);
        assert_eq!(session.tokens(), [1, 2, 3], "nothing was done");
    }
}

#[test]
fn stop_strings_and_limits_end_a_generation() {
    let mut session = session(&options(KvFormat::F32, Precision::F32));
    let prompt = [1, 2, 3];
    let greedy = |max_tokens, stop| GenerationOptions {
        max_tokens,
        stop,
        stop_at_end_of_text: false,
        ..Default::default()
    };
    let mut text = String::new();
    let mut generation = session.generate(&prompt, greedy(12, vec![])).unwrap();
    while let Some(chunk) = generation.next().unwrap() {
        text.push_str(&chunk.text);
    }
    assert_eq!(generation.stop_reason(), Some(StopReason::MaxTokens));
    assert_eq!(generation.stats().generated_tokens, 12);

    let stop: String = text
        .chars()
        .skip(text.chars().count() / 2)
        .take(2)
        .collect();
    let before = text.split(&stop).next().unwrap().to_owned();
    let mut stopped = String::new();
    let mut generation = session.generate(&prompt, greedy(12, vec![stop])).unwrap();
    while let Some(chunk) = generation.next().unwrap() {
        stopped.push_str(&chunk.text);
    }
    assert_eq!(generation.stop_reason(), Some(StopReason::StopString));
    assert_eq!(stopped, before);

    let mut nothing = session.generate(&prompt, greedy(0, vec![])).unwrap();
    assert_eq!(nothing.next().unwrap(), None);
}

#[test]
fn a_seed_repeats_a_text() {
    let mut session = session(&options(KvFormat::F16, Precision::Q8));
    let mut sample = |seed| {
        let sampling = Sampling {
            temperature: 1.0,
            seed,
            ..Default::default()
        };
        let options = GenerationOptions {
            max_tokens: 24,
            sampling,
            stop_at_end_of_text: false,
            ..Default::default()
        };
        session.truncate(0);
        let mut generation = session.generate(&[5, 6], options).unwrap();
        let mut ids = Vec::new();
        while let Some(chunk) = generation.next().unwrap() {
            ids.extend(chunk.token);
        }
        ids
    };
    assert_eq!(sample(3), sample(3));
    assert_ne!(sample(3), sample(4));
}

#[test]
fn sessions_over_one_model_run_side_by_side() {
    let options = options(KvFormat::F32, Precision::F32);
    std::thread::scope(|scope| {
        for start in 0..6u32 {
            let options = &options;
            scope.spawn(move || {
                let text: Vec<u32> = (start..start + 50).collect();
                let mut session = session(options);
                prefill(&mut session, &text);
                assert_close(session.logits().unwrap(), &fresh_logits(options, &text));
            });
        }
    });
}

#[test]
fn the_types_cross_threads() {
    fn shared<T: Send + Sync>() {}
    fn sent<T: Send>() {}
    shared::<Model>();
    shared::<nibble::Tokenizer>();
    shared::<CancelHandle>();
    sent::<Session>();
    sent::<nibble::GenerationState>();
}

/// The tokens of a generation, and its counts.
fn generated(
    session: &mut Session,
    prompt: &[u32],
    options: GenerationOptions,
) -> (Vec<u32>, Stats) {
    let mut generation = session.generate(prompt, options).unwrap();
    let mut tokens = Vec::new();
    while let Some(chunk) = generation.next().unwrap() {
        tokens.extend(chunk.token);
    }
    (tokens, generation.stats())
}

#[test]
fn prompt_lookup_changes_no_token_and_saves_passes() {
    let model = Arc::new(Model::open(smollm2(), &ModelOptions::default()).unwrap());
    let text = "Anna: The train to Oslo leaves at 9.40 from platform 7.\n\
                Ben: What did you say?\nAnna: The train to Oslo";
    let prompt = model
        .tokenizer()
        .encode(text, SpecialTokens::AsText)
        .unwrap();
    let greedy = Sampling::default();
    let varied = Sampling {
        temperature: 0.7,
        seed: 7,
        ..Default::default()
    };
    let penalized = Sampling {
        repetition_penalty: 1.2,
        ..varied.clone()
    };
    for (sampling, repeats) in [(&greedy, true), (&varied, false), (&penalized, false)] {
        let run = |prompt_lookup, stop: &[&str]| {
            let options = options(KvFormat::F16, Precision::Q8);
            let mut session = Session::new(model.clone(), options).unwrap();
            let options = GenerationOptions {
                max_tokens: 32,
                sampling: sampling.clone(),
                stop: stop.iter().map(|stop| stop.to_string()).collect(),
                prompt_lookup,
                ..Default::default()
            };
            let (tokens, stats) = generated(&mut session, &prompt, options);
            // Where it ends among tokens that were guessed right, the session does not hold the rest.
            let text = [&prompt[..], &tokens].concat();
            assert!(text.starts_with(session.tokens()));
            (tokens, stats)
        };
        let (expected, plain) = run(0, &[]);
        assert_eq!(plain.guessed_tokens, 0);
        for most in [1, 4, 31] {
            let (found, stats) = run(most, &[]);
            assert_eq!(found, expected, "{sampling:?}, {most} tokens ahead");
            assert!(stats.accepted_tokens <= stats.guessed_tokens);
            assert!(!repeats || stats.decode_steps < plain.decode_steps);
        }
        assert_eq!(run(31, &["."]).0, run(0, &["."]).0);
    }
}

#[test]
fn prompt_lookup_computes_a_text_anew_no_earlier_than_without() {
    let exact = options(KvFormat::F32, Precision::F32);
    let run = |prompt: &[u32], prompt_lookup| {
        let options = GenerationOptions {
            max_tokens: 24,
            stop_at_end_of_text: false,
            prompt_lookup,
            ..Default::default()
        };
        generated(&mut session(&exact), prompt, options)
    };
    let mut guessed = 0;
    for start in 0..12 {
        let prompt: Vec<u32> = (start..start + 5).collect::<Vec<_>>().repeat(50);
        let (expected, plain) = run(&prompt, 0);
        // The text up to the border comes again as the prompt, so that there is something to guess where it crosses.
        for prompt in [&prompt[..], &[&expected[..8], &prompt[..242]].concat()] {
            let (expected, plain_again) = run(prompt, 0);
            let (found, stats) = run(prompt, 8);
            assert_eq!(found, expected);
            assert_eq!(stats.prefilled_tokens, plain_again.prefilled_tokens);
            guessed += stats.guessed_tokens;
        }
        assert_eq!(plain.prefilled_tokens, 250 + 257, "it crosses the border");
    }
    assert!(guessed > 0);
}

/// With many threads, each takes some of the positions that one token sees.
#[test]
fn threads_do_not_change_a_result() {
    let text: Vec<u32> = (0..300).map(|i| i * 7 % VOCABULARY).collect();
    let logits = |threads| {
        let model_options = ModelOptions {
            threads,
            ..Default::default()
        };
        let path = fixture("phi3-tiny/model-q4_k_m.gguf");
        let model = Arc::new(Model::open(path, &model_options).unwrap());
        let options = options(KvFormat::F16, Precision::Q16);
        let mut session = Session::new(model, options).unwrap();
        let mut logits = Vec::new();
        for end in [1, 63, 64, 65, 66, 200, 201, 299, 300] {
            prefill(&mut session, &text[..end]);
            logits.extend_from_slice(session.logits().unwrap());
        }
        logits
    };
    let one = logits(1);
    for threads in [2, 3, 8] {
        assert!(logits(threads) == one, "{threads} threads");
    }
}
