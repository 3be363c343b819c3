//! What time it is, and when the wall clock leapt: the facts by which a span of time that was promised (a bake, a watch, a deadline) is really waited for.
//!
//! Times are stored by the wall clock, since they outlive a process. This process compares it with its own monotonic clock at every reading; where the wall
//! clock ran ahead of it, the difference is a leap, which the planner adds to every span that had begun before. A leap while no process reads (between two
//! leaders, or before a restart) cannot be seen. A clock that is set back makes spans longer, never shorter.

use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use sluice_planner::release::observation::Leap;
use tokio::time::Instant;

/// The wall clock may run ahead of the monotonic one by so much between two readings, and by a thousandth of the time between them: it is disciplined.
const TOLERANCE: SignedDuration = SignedDuration::from_secs(1);
/// So many leaps are told apart; older ones are taken together, as if they had been one at the time of the later.
const KEPT: usize = 16;

#[derive(Default)]
struct State {
    last: Option<(Instant, Timestamp)>,
    leaps: Vec<Leap>,
}

/// The clocks of this process.
#[derive(Default)]
pub struct Clock(Mutex<State>);

impl Clock {
    /// Now, and every leap so far.
    #[must_use]
    pub fn now(&self) -> (Timestamp, Vec<Leap>) {
        // a reading is taken in whole or not at all, so it is good after a panic elsewhere
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let wall = Timestamp::now();
        state.read(Instant::now(), wall);
        (wall, state.leaps.clone())
    }
}

impl State {
    fn read(&mut self, monotonic: Instant, wall: Timestamp) {
        let Some((then, was)) = self.last.replace((monotonic, wall)) else {
            return;
        };
        let steady = SignedDuration::try_from(monotonic.saturating_duration_since(then))
            .unwrap_or(SignedDuration::MAX);
        let by = wall.duration_since(was).saturating_sub(steady);
        if by <= TOLERANCE.saturating_add(steady / 1000) {
            return;
        }
        tracing::warn!(
            seconds = by.as_secs(),
            "the wall clock leapt ahead: what had begun before is waited for as long as it was to last"
        );
        self.leaps.push(Leap { after: was, by });
        if self.leaps.len() > KEPT {
            let oldest = self.leaps.remove(0);
            self.leaps[0].by = self.leaps[0].by.saturating_add(oldest.by);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn leaps(readings: &[(u64, i64)]) -> Vec<(i64, i64)> {
        let begin = Instant::now();
        let mut state = State::default();
        for (monotonic, wall) in readings {
            state.read(
                begin + Duration::from_secs(*monotonic),
                Timestamp::from_second(*wall).unwrap(),
            );
        }
        let seconds = |leap: &Leap| (leap.after.as_second(), leap.by.as_secs());
        state.leaps.iter().map(seconds).collect()
    }

    #[test]
    fn only_a_wall_clock_that_runs_ahead_leaps() {
        for (what, readings, expected) in [
            ("one reading", &[(0, 1000)][..], &[][..]),
            ("in step", &[(0, 1000), (60, 1060)], &[]),
            ("disciplined", &[(0, 1000), (7200, 8207)], &[]),
            ("an hour ahead", &[(0, 1000), (10, 4610)], &[(1000, 3600)]),
            ("set back", &[(0, 1000), (10, 500), (20, 510)], &[]),
            (
                "set back, then right again",
                &[(0, 1000), (10, 500), (20, 1020)],
                &[(500, 510)],
            ),
            (
                "twice",
                &[(0, 1000), (1, 1101), (2, 1102), (3, 1203)],
                &[(1000, 100), (1102, 100)],
            ),
        ] {
            assert_eq!(leaps(readings), expected, "{what}");
        }
    }

    #[test]
    fn no_leap_is_lost_when_there_are_many() {
        let readings: Vec<_> = (0..40).map(|n| (n, 1000 + 100 * n as i64)).collect();
        let found = leaps(&readings);
        assert_eq!(found.len(), KEPT);
        assert_eq!(found.iter().map(|(_, by)| by).sum::<i64>(), 39 * 99);
    }
}
