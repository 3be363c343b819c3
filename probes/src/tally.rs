//! What a row of samples of one target proves. Pure: moments are arguments.
//!
//! - `failAfter` failing samples in a row make `Fail`, `passAfter` passing ones make `Pass`; in between the verdict stays, so single flakes flip nothing.
//! - A blind sample (an error of the prober itself) counts for neither side: rows go on after it. It takes a `Pass` back to `Unknown` at once, because what
//!   is true now was not seen; a `Fail` stands, because what was proved is not undone by looking away.
//! - A row breaks when its samples lie further apart than the schedule allows (more than one of them missing): they are no longer consecutive.
//! - A verdict whose last seeing sample is older than [`Patience::fresh_for`] is `Unknown`.

use std::time::Duration;

use jiff::Timestamp;
use sluice_api::{Verdict, probe::VerdictRule};

use crate::{moment::Moment, outcome::Outcome};

/// The rule and the schedule a tally is judged by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// How many samples make a verdict.
    pub rule: VerdictRule,
    /// How long a verdict stands without a new sample, and how far apart the samples of one row may lie.
    pub fresh_for: Duration,
}

impl Patience {
    /// The patience of a schedule: two intervals and one timeout, so that one sample may be lost.
    #[must_use]
    pub fn of(rule: VerdictRule, interval: Duration, timeout: Duration) -> Self {
        Self {
            rule,
            fresh_for: interval.saturating_mul(2).saturating_add(timeout),
        }
    }
}

/// The samples of one target so far, as far as they matter.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    verdict: Verdict,
    passes: u32,
    fails: u32,
    /// End of the last sample that saw the target.
    seen: Option<Moment>,
    /// Start and end of the last passing sample.
    passed: Option<(Moment, Moment)>,
    /// Start and end of the last failing sample.
    failed: Option<(Moment, Moment)>,
    first_bad: Option<Timestamp>,
    detected: Option<Timestamp>,
    saw: String,
}

/// What a tally says at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Standing {
    /// The verdict, freshness included.
    pub verdict: Verdict,
    /// Whether the verdict is `Unknown` only because it grew old.
    pub stale: bool,
    /// Start of the sample that last confirmed the verdict; of `Unknown`, of the last sample that saw the target pass.
    pub started: Option<Timestamp>,
    /// Its end.
    pub at: Option<Timestamp>,
    /// How long ago that was.
    pub age: Option<Duration>,
    /// End of the first failing sample of the present row, also before it makes a `Fail`.
    pub first_bad: Option<Timestamp>,
    /// When the verdict became `Fail`.
    pub detected: Option<Timestamp>,
}

impl Tally {
    /// Takes one sample in.
    pub fn record(
        &mut self,
        patience: &Patience,
        outcome: &Outcome,
        started: Moment,
        ended: Moment,
    ) {
        outcome.saw().clone_into(&mut self.saw);
        if matches!(outcome, Outcome::Blind { .. }) {
            if self.verdict == Verdict::Pass {
                self.verdict = Verdict::Unknown;
            }
            return;
        }
        if self
            .seen
            .is_some_and(|seen| ended.since(&seen) > patience.fresh_for)
        {
            self.break_rows();
        }
        self.seen = Some(ended);
        if matches!(outcome, Outcome::Good { .. }) {
            self.passed = Some((started, ended));
            self.fails = 0;
            self.passes = self.passes.saturating_add(1);
            if self.passes >= patience.rule.pass_after {
                self.verdict = Verdict::Pass;
            }
            if self.verdict != Verdict::Fail {
                self.first_bad = None;
                self.detected = None;
            }
        } else {
            self.failed = Some((started, ended));
            self.passes = 0;
            self.fails = self.fails.saturating_add(1);
            self.first_bad.get_or_insert(ended.wall);
            if self.fails >= patience.rule.fail_after {
                self.verdict = Verdict::Fail;
                self.detected.get_or_insert(ended.wall);
            }
        }
    }

    /// Nothing was seen for too long: what comes next starts from nothing.
    fn break_rows(&mut self) {
        self.verdict = Verdict::Unknown;
        self.passes = 0;
        self.fails = 0;
        self.first_bad = None;
        self.detected = None;
    }

    /// What the samples prove at `now`.
    #[must_use]
    pub fn standing(&self, patience: &Patience, now: Moment) -> Standing {
        let stale = self
            .seen
            .is_some_and(|seen| now.since(&seen) > patience.fresh_for);
        let verdict = if stale {
            Verdict::Unknown
        } else {
            self.verdict
        };
        let sample = match self.verdict {
            Verdict::Fail => self.failed,
            Verdict::Pass | Verdict::Unknown => self.passed,
        };
        Standing {
            verdict,
            stale: stale && self.verdict != Verdict::Unknown,
            started: sample.map(|(started, _)| started.wall),
            at: sample.map(|(_, ended)| ended.wall),
            age: sample.map(|(_, ended)| now.since(&ended)),
            first_bad: self.first_bad.filter(|_| !stale),
            detected: (verdict == Verdict::Fail)
                .then_some(self.detected)
                .flatten(),
        }
    }

    /// What the last sample saw, empty before the first.
    #[must_use]
    pub fn saw(&self) -> &str {
        &self.saw
    }

    /// How many failing samples the present row holds.
    #[must_use]
    pub fn fails(&self) -> u32 {
        self.fails
    }

    /// How many passing samples the present row holds.
    #[must_use]
    pub fn passes(&self) -> u32 {
        self.passes
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::outcome::Blindness;

    /// A run at 10 s with a timeout of 1 s whose samples take no time.
    struct Row {
        tally: Tally,
        patience: Patience,
        now: Moment,
    }

    impl Row {
        fn new(fail_after: u32, pass_after: u32) -> Self {
            let rule = VerdictRule {
                fail_after,
                pass_after,
            };
            Self {
                tally: Tally::default(),
                patience: Patience::of(rule, Duration::from_secs(10), Duration::from_secs(1)),
                now: Moment::now(),
            }
        }

        fn pass_time(&mut self, seconds: u64) {
            self.now.monotonic += Duration::from_secs(seconds);
            self.now.wall += Duration::from_secs(seconds);
        }

        /// `P` passing, `F` failing, `E` error of the prober, `.` a sample that never was.
        fn sample(&mut self, kind: char) -> Verdict {
            self.pass_time(10);
            let outcome = match kind {
                'P' => Outcome::good("ok"),
                'F' => Outcome::bad("status 500"),
                'E' => Outcome::blind(Blindness::Late, "late"),
                _ => return self.verdict(),
            };
            self.tally
                .record(&self.patience, &outcome, self.now, self.now);
            self.verdict()
        }

        fn verdict(&self) -> Verdict {
            self.tally.standing(&self.patience, self.now).verdict
        }
    }

    fn verdicts(fail_after: u32, pass_after: u32, samples: &str) -> String {
        let mut row = Row::new(fail_after, pass_after);
        samples
            .chars()
            .map(|kind| match row.sample(kind) {
                Verdict::Pass => 'P',
                Verdict::Fail => 'F',
                Verdict::Unknown => 'U',
            })
            .collect()
    }

    #[test]
    fn rows_make_verdicts() {
        for (fail_after, pass_after, samples, expected) in [
            (3, 1, "P", "P"),
            // a hard failure flips in exactly three samples, from Pass and from nothing
            (3, 1, "PFFFF", "PPPFF"),
            (3, 1, "FFF", "UUF"),
            // flakes flip nothing
            (3, 1, "PFPFFPFFP", "PPPPPPPPP"),
            (3, 1, "FPFP", "UPPP"),
            // a proved failure stands until passAfter samples passed in a row
            (1, 3, "FPPFPPP", "FFFFFFP"),
            (1, 3, "PPP", "UUP"),
            // an error of the prober takes a pass back, proves nothing, and interrupts neither row
            (3, 1, "PEP", "PUP"),
            (3, 1, "EEEEEE", "UUUUUU"),
            (3, 1, "PFFEF", "PPPUF"),
            (3, 2, "PEP", "UUP"),
            (3, 1, "PEF", "PUU"),
            // a proved failure stands while the prober is blind, as long as it is fresh
            (1, 1, "FE", "FF"),
            (1, 1, "FEEE", "FFFU"),
            // a row whose samples lie too far apart is none
            (3, 1, "FF...F", "UUUUUU"),
            (3, 1, "FFEEEFF", "UUUUUUU"),
            (2, 3, "PP....P", "UUUUUUU"),
            // nothing seen for too long is stale
            (3, 1, "P..", "PPP"),
            (3, 1, "P...", "PPPU"),
            (3, 1, "P...P", "PPPUP"),
            (1, 1, "F...", "FFFU"),
            (1, 9, "F....P", "FFFUUU"),
        ] {
            assert_eq!(
                verdicts(fail_after, pass_after, samples),
                expected,
                "{samples} with failAfter {fail_after} and passAfter {pass_after}"
            );
        }
    }

    #[test]
    fn a_thousandth_of_flakes_flips_nothing_with_fail_after_three() {
        // splitmix64, seeded: 100,000 samples with about 100 flakes
        let mut state = 0x5eed_u64;
        let mut next = || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        };
        let mut row = Row::new(3, 1);
        row.sample('P');
        let mut flakes = 0;
        for at in 0..100_000 {
            let flake = next() % 1000 == 0;
            flakes += u32::from(flake);
            assert_eq!(
                row.sample(if flake { 'F' } else { 'P' }),
                Verdict::Pass,
                "sample {at}"
            );
        }
        assert!((50..200).contains(&flakes), "{flakes} flakes");
    }

    #[test]
    fn a_failure_remembers_its_first_bad_sample_and_its_detection() {
        let mut row = Row::new(3, 1);
        row.sample('P');
        row.sample('F');
        let first_bad = row.now.wall;
        row.sample('E');
        row.sample('F');
        let before = row.tally.standing(&row.patience, row.now);
        assert_eq!((before.first_bad, before.detected), (Some(first_bad), None));
        row.sample('F');
        let detected = row.now.wall;
        row.sample('F');
        let standing = row.tally.standing(&row.patience, row.now);
        assert_eq!(standing.verdict, Verdict::Fail);
        assert_eq!(standing.first_bad, Some(first_bad));
        assert_eq!(standing.detected, Some(detected));
        assert_eq!(standing.at, Some(row.now.wall));
        row.sample('P');
        let after = row.tally.standing(&row.patience, row.now);
        assert_eq!((after.first_bad, after.detected), (None, None));
    }

    #[test]
    fn the_time_of_a_pass_is_that_of_its_last_passing_sample() {
        let mut row = Row::new(3, 1);
        row.sample('P');
        let passed = row.now.wall;
        row.sample('F');
        row.sample('F');
        let standing = row.tally.standing(&row.patience, row.now);
        assert_eq!(standing.verdict, Verdict::Pass);
        assert_eq!(standing.at, Some(passed));
        assert_eq!(standing.age, Some(Duration::from_secs(20)));
    }

    #[test]
    fn a_sleeping_machine_leaves_no_fresh_pass() {
        let mut row = Row::new(3, 1);
        row.sample('P');
        // the monotonic clock stood still
        row.now.wall += Duration::from_secs(3600);
        assert_eq!(row.verdict(), Verdict::Unknown);
        // a wall clock that was set back makes nothing fresh
        let mut row = Row::new(3, 1);
        row.sample('P');
        row.now.wall -= Duration::from_secs(3600);
        row.now.monotonic += Duration::from_secs(22);
        assert_eq!(row.verdict(), Verdict::Unknown);
    }

    proptest! {
        #[test]
        fn verdicts_follow_from_the_last_samples(
            samples in "[PFE.]{1,60}",
            fail_after in 1u32..5,
            pass_after in 1u32..5,
        ) {
            let mut row = Row::new(fail_after, pass_after);
            for (at, kind) in samples.char_indices() {
                let verdict = row.sample(kind);
                let so_far = &samples[..=at];
                let seen: String = so_far.chars().filter(|c| "PF".contains(*c)).collect();
                if verdict == Verdict::Pass {
                    prop_assert!(kind != 'E', "a blind sample left a pass: {so_far}");
                    prop_assert!(seen.contains(&"P".repeat(pass_after as usize)));
                    prop_assert!(!seen.ends_with(&"F".repeat(fail_after as usize)));
                }
                if verdict == Verdict::Fail {
                    prop_assert!(seen.contains(&"F".repeat(fail_after as usize)));
                    prop_assert!(!seen.ends_with(&"P".repeat(pass_after as usize)));
                }
                if so_far.ends_with("...") || so_far.ends_with("EEE") || so_far.ends_with("E.E") {
                    prop_assert_eq!(verdict, Verdict::Unknown, "{}", so_far);
                }
            }
        }
    }
}
