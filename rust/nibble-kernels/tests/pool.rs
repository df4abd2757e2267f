//! The thread pool's promises: every item once, no deadlock, panics and cancellation contained.

#![allow(clippy::indexing_slicing, reason = "tests fail by panicking")]

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use nibble_kernels::{Cancelled, ThreadPool};

static GO: AtomicBool = AtomicBool::new(false);

/// Runs a job of `items` items and checks that each was run once.
fn check_each_once(pool: &ThreadPool, items: usize) {
    let counts: Vec<AtomicUsize> = (0..items).map(|_| AtomicUsize::new(0)).collect();
    let result = pool.run(items, &GO, |item| {
        counts[item].fetch_add(1, Ordering::Relaxed);
    });
    assert_eq!(result, Ok(()));
    let wrong = counts
        .iter()
        .position(|count| count.load(Ordering::Relaxed) != 1);
    assert_eq!(
        wrong,
        None,
        "of {items} items on {} threads",
        pool.threads()
    );
}

/// Small pseudo-random numbers (SplitMix64).
fn random(state: &mut u64, below: usize) -> usize {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((z ^ (z >> 31)) % below as u64) as usize
}

/// Waits inside an item until `condition`, so that a test can force what runs at the same time.
fn wait_for(condition: impl Fn() -> bool) {
    while !condition() {
        thread::sleep(Duration::from_micros(50));
    }
}

#[test]
fn every_item_runs_once() {
    for threads in 0..=8 {
        let pool = ThreadPool::new(threads);
        assert_eq!(pool.threads(), threads.max(1));
        for items in (0..20).chain([63, 64, 65, 1000, 4097]) {
            check_each_once(&pool, items);
        }
    }
}

#[test]
fn one_thread_runs_items_in_order_on_the_caller() {
    let pool = ThreadPool::new(1);
    let seen = Mutex::new(Vec::new());
    let here = thread::current().id();
    pool.run(5, &GO, |item| {
        assert_eq!(thread::current().id(), here);
        seen.lock().unwrap().push(item);
    })
    .unwrap();
    assert_eq!(seen.into_inner().unwrap(), [0, 1, 2, 3, 4]);
}

#[test]
fn all_threads_take_part() {
    let pool = ThreadPool::new(4);
    for _ in 0..20 {
        // Each item waits for the others, so four threads must hold one each.
        let present = AtomicUsize::new(0);
        let names = Mutex::new(HashSet::new());
        pool.run(4, &GO, |_| {
            present.fetch_add(1, Ordering::SeqCst);
            wait_for(|| present.load(Ordering::SeqCst) == 4);
            names
                .lock()
                .unwrap()
                .insert(thread::current().name().map(str::to_owned));
        })
        .unwrap();
        let names = names.into_inner().unwrap();
        assert_eq!(names.len(), 4);
        for number in 1..4 {
            assert!(
                names.contains(&Some(format!("nibble-{number}"))),
                "{names:?}"
            );
        }
        // Long enough that the next round finds the workers asleep every other time.
        thread::sleep(Duration::from_micros(40));
    }
}

#[test]
fn chunks_cover_the_slice_once() {
    let pool = ThreadPool::new(3);
    for len in [0, 1, 2, 7, 64, 100, 1001] {
        for chunk_len in [0, 1, 2, 3, 7, 64, 999, 5000, usize::MAX] {
            let mut out = vec![(0_usize, 0_usize); len];
            pool.for_each_chunk(&mut out, chunk_len, &GO, |item, chunk| {
                let step = chunk_len.max(1);
                assert!(chunk.len() == step || chunk.len() < step && item == (len - 1) / step);
                for (offset, (place, count)) in chunk.iter_mut().enumerate() {
                    *place = item.wrapping_mul(step) + offset;
                    *count += 1;
                }
            })
            .unwrap();
            let expected: Vec<_> = (0..len).map(|place| (place, 1)).collect();
            assert_eq!(out, expected, "len {len}, chunk_len {chunk_len}");
        }
    }
}

#[test]
fn results_of_other_threads_are_visible() {
    let pool = ThreadPool::new(4);
    let mut values = vec![1_u64; 257];
    for round in 0..500 {
        pool.for_each_chunk(&mut values, 5, &GO, |_, chunk| {
            chunk
                .iter_mut()
                .for_each(|value| *value = value.wrapping_mul(3).wrapping_add(round));
        })
        .unwrap();
    }
    let expected = (0..500).fold(1_u64, |value, round| {
        value.wrapping_mul(3).wrapping_add(round)
    });
    assert!(values.iter().all(|&value| value == expected));
}

#[test]
fn thousands_of_tiny_jobs() {
    let pool = ThreadPool::new(2);
    let mut state = 1;
    for _ in 0..5000 {
        check_each_once(&pool, random(&mut state, 12));
    }
}

#[test]
fn more_threads_than_cores_with_pauses() {
    let pool = ThreadPool::new(16);
    let mut state = 2;
    for _ in 0..1000 {
        check_each_once(&pool, random(&mut state, 100));
        match random(&mut state, 8) {
            0 => thread::sleep(Duration::from_micros(30)),
            1 => thread::yield_now(),
            _ => {}
        }
    }
}

#[test]
fn callers_share_a_pool() {
    let pool = ThreadPool::new(3);
    thread::scope(|scope| {
        for seed in 0..4 {
            let pool = &pool;
            scope.spawn(move || {
                let mut state = seed;
                for _ in 0..1000 {
                    check_each_once(pool, random(&mut state, 30));
                }
            });
        }
    });
}

#[test]
fn a_second_caller_does_not_wait() {
    let pool = ThreadPool::new(2);
    let (began, finish) = (AtomicBool::new(false), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            pool.run(2, &GO, |_| {
                began.store(true, Ordering::SeqCst);
                wait_for(|| finish.load(Ordering::SeqCst));
            })
            .unwrap();
        });
        wait_for(|| began.load(Ordering::SeqCst));
        let here = thread::current().id();
        let count = AtomicUsize::new(0);
        pool.run(10, &GO, |_| {
            assert_eq!(thread::current().id(), here);
            count.fetch_add(1, Ordering::Relaxed);
        })
        .unwrap();
        assert_eq!(count.into_inner(), 10);
        finish.store(true, Ordering::SeqCst);
    });
}

#[test]
fn jobs_nest() {
    let pool = ThreadPool::new(3);
    for _ in 0..200 {
        let count = AtomicUsize::new(0);
        pool.run(4, &GO, |_| {
            pool.run(5, &GO, |_| {
                check_each_once(&pool, 3);
                count.fetch_add(1, Ordering::Relaxed);
            })
            .unwrap();
        })
        .unwrap();
        assert_eq!(count.into_inner(), 20);
    }
}

#[test]
fn a_panic_reaches_the_caller_and_the_pool_goes_on() {
    let pool = ThreadPool::new(3);
    for round in 0..100 {
        let began = AtomicUsize::new(0);
        let ended = AtomicUsize::new(0);
        let result = catch_unwind(AssertUnwindSafe(|| {
            pool.run(50, &GO, |item| {
                began.fetch_add(1, Ordering::SeqCst);
                if item == round % 50 {
                    // Not `panic!`, which would print a message.
                    std::panic::resume_unwind(Box::new(item));
                }
                ended.fetch_add(1, Ordering::SeqCst);
            })
        }));
        let payload = result.expect_err("the panic is passed on");
        assert_eq!(payload.downcast_ref::<usize>(), Some(&(round % 50)));
        assert_eq!(
            began.into_inner(),
            ended.into_inner() + 1,
            "an item outlived its job"
        );
        check_each_once(&pool, 20);
    }
}

#[test]
fn panics_on_all_threads_at_once() {
    let pool = ThreadPool::new(4);
    let present = AtomicUsize::new(0);
    let result = catch_unwind(AssertUnwindSafe(|| {
        pool.run(4, &GO, |item| {
            present.fetch_add(1, Ordering::SeqCst);
            wait_for(|| present.load(Ordering::SeqCst) == 4);
            std::panic::resume_unwind(Box::new(item));
        })
    }));
    assert!(result.is_err());
    check_each_once(&pool, 100);
}

#[test]
fn a_cancelled_job_runs_nothing() {
    for threads in 1..4 {
        let pool = ThreadPool::new(threads);
        let cancel = AtomicBool::new(true);
        for items in [1, 2, 100] {
            let result = pool.run(items, &cancel, |_| unreachable!());
            assert_eq!(result, Err(Cancelled));
        }
        assert_eq!(pool.run(0, &cancel, |_| unreachable!()), Ok(()));
        check_each_once(&pool, 100);
    }
}

#[test]
fn cancel_stops_a_job_between_items() {
    for threads in 1..4 {
        let pool = ThreadPool::new(threads);
        for _ in 0..50 {
            let cancel = AtomicBool::new(false);
            let (began, ended) = (AtomicUsize::new(0), AtomicUsize::new(0));
            let result = pool.run(1000, &cancel, |_| {
                match began.fetch_add(1, Ordering::SeqCst) {
                    0..10 => {}
                    10 => cancel.store(true, Ordering::SeqCst),
                    _ => wait_for(|| cancel.load(Ordering::SeqCst)),
                }
                ended.fetch_add(1, Ordering::SeqCst);
            });
            assert_eq!(result, Err(Cancelled));
            let began = began.into_inner();
            assert_eq!(began, ended.into_inner(), "an item outlived its job");
            // Every other thread may have looked at the flag once just before it was set.
            assert!((11..11 + threads).contains(&began), "{began} items ran");
        }
        check_each_once(&pool, 100);
    }
}

#[test]
fn cancel_after_the_last_item_began_is_no_error() {
    let pool = ThreadPool::new(2);
    let cancel = AtomicBool::new(false);
    let began = AtomicUsize::new(0);
    let result = pool.run(2, &cancel, |_| {
        began.fetch_add(1, Ordering::SeqCst);
        wait_for(|| began.load(Ordering::SeqCst) == 2);
        cancel.store(true, Ordering::SeqCst);
    });
    // A cancel flag is looked at before an item, and both had begun.
    assert_eq!(result, Ok(()));
}

#[test]
fn pools_come_and_go() {
    for round in 0..100 {
        let pool = ThreadPool::new(1 + round % 5);
        if round % 2 == 0 {
            check_each_once(&pool, round);
        }
        if round % 3 == 0 {
            thread::sleep(Duration::from_micros(60));
        }
    }
}
