//! The one loop that starts samples when they are due and takes their results in.
//!
//! It ticks even when nothing is due; how late its ticks come is the measure of whether this process can be trusted to judge time at all.

use std::{collections::VecDeque, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures::FutureExt;
use tokio::{task::JoinSet, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{Pulse, Shared, state::Start};
use crate::{
    moment::Moment,
    outcome::{Blindness, Outcome},
    sample::Sampled,
};

/// Time between two ticks.
const TICK: Duration = Duration::from_millis(100);
/// A tick that is later than this was not on schedule.
const ON_SCHEDULE: Duration = Duration::from_millis(500);
/// Lags from here on are remembered for judging time limits.
const NOTABLE_LAG: Duration = Duration::from_millis(25);
/// How many of them.
const LAGS: usize = 256;

#[derive(Default)]
pub(super) struct PulseState {
    at: Option<Moment>,
    lag: Duration,
}

impl PulseState {
    fn tick(&mut self, now: Moment, lag: Duration) {
        self.lag = lag;
        if lag <= ON_SCHEDULE {
            self.at = Some(now);
        }
    }

    pub(super) fn pulse(&self) -> Pulse {
        Pulse {
            at: self.at,
            lag: self.lag,
        }
    }
}

/// The running half of an engine.
#[must_use = "an engine probes nothing until its task runs"]
pub struct EngineTask {
    shared: Arc<Shared>,
    samples: JoinSet<(u64, Result<Sampled, Moment>)>,
    next_tick: Instant,
    lags: VecDeque<(Instant, Duration)>,
}

impl EngineTask {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            samples: JoinSet::new(),
            next_tick: Instant::now(),
            lags: VecDeque::new(),
        }
    }

    /// Probes until `cancel`. Samples on their way are dropped then, and answers grow stale by themselves.
    pub async fn run(mut self, cancel: CancellationToken) {
        self.next_tick = Instant::now();
        let shared = Arc::clone(&self.shared);
        loop {
            let next = self.start_due();
            tokio::select! {
                biased;
                () = cancel.cancelled() => return,
                () = tokio::time::sleep_until(self.next_tick) => self.tick(),
                Some(result) = self.samples.join_next() => {
                    self.take_in(result);
                    // the rest of what is there, before the next look at the timers
                    while let Some(result) = self.samples.try_join_next() {
                        self.take_in(result);
                    }
                }
                () = wait_until(next) => {}
                () = shared.wake.notified() => {}
            }
        }
    }

    fn tick(&mut self) {
        let now = Moment::now();
        let lag = now.monotonic.saturating_duration_since(self.next_tick);
        if lag >= NOTABLE_LAG {
            if self.lags.len() == LAGS {
                self.lags.pop_front();
            }
            self.lags.push_back((now.monotonic, lag));
        }
        if lag > ON_SCHEDULE {
            tracing::warn!(lag_ms = lag.as_millis(), "probe schedule is late");
        }
        self.shared.pulse().tick(now, lag);
        self.next_tick = now.monotonic + TICK;
    }

    /// Starts what is due and fits. Returns when to look again, unless a sample must end first.
    fn start_due(&mut self) -> Option<Instant> {
        let room = self.shared.max_in_flight.saturating_sub(self.samples.len());
        let due = self.shared.state().take_due(Moment::now(), room);
        for Start { key, plan, timeout } in due.starts {
            let prober = Arc::clone(&self.shared.prober);
            self.samples.spawn(async move {
                let started = Moment::now();
                let sample = AssertUnwindSafe(prober.sample(&plan, timeout)).catch_unwind();
                (key, sample.await.map_err(|_| started))
            });
        }
        self.shared.announce(due.changed);
        due.next
    }

    fn take_in(&mut self, result: Result<(u64, Result<Sampled, Moment>), tokio::task::JoinError>) {
        let (key, sampled) = match result {
            Ok(result) => result,
            Err(error) => {
                // samples catch their own panics and nobody aborts them, so this needs a runtime that is shutting down
                tracing::error!(%error, "a probe sample was lost");
                return;
            }
        };
        let sampled = sampled.unwrap_or_else(|started| {
            tracing::error!("a probe sample panicked");
            Sampled {
                outcome: Outcome::blind(
                    Blindness::Broken,
                    "the sample ended in a defect of the prober",
                ),
                started,
                ended: Moment::now(),
                limit: None,
            }
        });
        let Sampled {
            outcome,
            started,
            ended,
            limit,
        } = sampled;
        let outcome = match limit {
            Some(limit) => self.excuse(outcome, limit, started.monotonic),
            None => outcome,
        };
        let changed = self
            .shared
            .state()
            .finish(key, &outcome, started, ended, Instant::now());
        self.shared.announce(changed);
    }

    /// A time limit that was missed while this process itself was late says nothing about the target.
    fn excuse(&self, outcome: Outcome, limit: Duration, started: Instant) -> Outcome {
        let overdue = Instant::now().saturating_duration_since(self.next_tick);
        let lag = self
            .lags
            .iter()
            .filter(|(at, _)| *at >= started)
            .map(|(_, lag)| *lag)
            .fold(overdue, Duration::max);
        if lag > excusable(limit) {
            let saw = format!(
                "the prober was {} ms late itself when it saw: {}",
                lag.as_millis(),
                outcome.saw()
            );
            Outcome::blind(Blindness::Late, saw)
        } else {
            outcome
        }
    }
}

/// The lag of this process above which it may not judge a time limit.
pub(crate) fn excusable(limit: Duration) -> Duration {
    (limit / 4).max(2 * NOTABLE_LAG)
}

async fn wait_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_tick_is_no_pulse() {
        let mut state = PulseState::default();
        let start = Moment::now();
        assert!(!state.pulse().is_healthy(start));
        state.tick(start, Duration::from_millis(3));
        assert!(state.pulse().is_healthy(start));
        let later = Moment {
            monotonic: start.monotonic + Duration::from_secs(60),
            ..start
        };
        assert!(!state.pulse().is_healthy(later));
        // back after a stop: the first tick is a minute late, only the next one proves anything
        state.tick(later, Duration::from_secs(60));
        assert!(!state.pulse().is_healthy(later));
        state.tick(later, Duration::from_millis(1));
        assert!(state.pulse().is_healthy(later));
    }
}
