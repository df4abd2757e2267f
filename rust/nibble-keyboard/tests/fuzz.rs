//! Random events against a text field: the mirror never diverges, no typed letter is lost, and
//! nothing leaves a secure field. `PROPTEST_CASES` sets the number of cases.

#[path = "support/fuzzing.rs"]
mod fuzzing;

use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig {
        cases: std::env::var("PROPTEST_CASES").map_or(1000, |cases| cases.parse().unwrap()),
        max_shrink_iters: 20_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_course_of_events_keeps_the_text(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let (platform, inputs) = fuzzing::decode(&bytes);
        fuzzing::play(platform, &inputs);
    }
}
