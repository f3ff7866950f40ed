//! Helpers for the tests of several crates: the count of random cases, and random moments to kill a program.
//!
//! `cargo xtask test` tries few, so that it is quick; `cargo xtask test --long` tries all. `MRL_TEST_SCALE` is the share of them, above 0;
//! more than 1 tries more cases than the tests ask for.

use std::env;

/// The share that is tried where `MRL_TEST_SCALE` is not set.
const SHARE: f64 = 0.05;

/// The fewest cases that are tried of a test that has as many.
const FEWEST: u32 = 8;

/// How many of the `full` cases of a test to try.
///
/// # Panics
/// When `MRL_TEST_SCALE` is no number above 0.
#[must_use]
pub fn scaled(full: u32) -> u32 {
    let share = env::var("MRL_TEST_SCALE").map_or(SHARE, |text| {
        let share: f64 = text.parse().expect("MRL_TEST_SCALE is a number above 0, such as 1");
        assert!(share > 0.0, "MRL_TEST_SCALE is {text}; use a number above 0, such as 1");
        share
    });
    share_of(full, share)
}

fn share_of(full: u32, share: f64) -> u32 {
    let cases = (f64::from(full) * share).ceil() as u32;
    cases.max(FEWEST.min(full))
}

/// A share from 0 to 1 that follows from `round`, for tests that do something at random moments: multiples of the golden ratio are spread evenly.
#[must_use]
pub fn moment(round: u32) -> f64 {
    (f64::from(round) * 0.618_033_988_749_895 + 0.3).fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_the_cases_is_tried_but_no_fewer_than_eight() {
        let cases = |share| [1000, 100, 9, 3].map(|full| share_of(full, share));
        assert_eq!(cases(0.05), [50, 8, 8, 3]);
        assert_eq!(cases(1.0), [1000, 100, 9, 3]);
        assert_eq!(cases(2.0), [2000, 200, 18, 6]);
    }
}
