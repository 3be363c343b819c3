//! One container as a state machine over time: pure, `now` is an argument.
//!
//! A crash loop is shown as a kubelet of 1.36 shows it: most of the time `terminated: Error`, `waiting:
//! CrashLoopBackOff` only for the moment before the next start.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::behaviour::{Behaviour, End, RUN_FOR};

/// The pod's restart policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RestartPolicy {
    Always,
    OnFailure,
    Never,
}

impl RestartPolicy {
    fn restarts(self, code: i32) -> bool {
        match self {
            Self::Always => true,
            Self::OnFailure => code != 0,
            Self::Never => false,
        }
    }
}

/// How a container ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Exit {
    pub(super) code: i32,
    pub(super) oom: bool,
    pub(super) started: Timestamp,
    pub(super) finished: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Creating {
        since: Timestamp,
    },
    PullFailed {
        since: Timestamp,
        message: String,
    },
    Running {
        since: Timestamp,
    },
    /// `waiting_from..restart_at` is shown as waiting; None: it stays ended.
    Exited {
        exit: Exit,
        restart: Option<Restart>,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Restart {
    pub(super) waiting_from: Timestamp,
    pub(super) at: Timestamp,
}

/// Something a kubelet would post an Event about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Notice {
    BackOff,
    PullFailed(String),
    PullBackOff,
}

#[derive(Clone, Debug)]
pub(super) struct Container {
    pub(super) name: String,
    pub(super) image: String,
    pub(super) has_readiness_probe: bool,
    pub(super) stage: Stage,
    pub(super) restarts: i32,
    pub(super) last: Option<Exit>,
    // restarts since it last ran well; sets the back-off
    streak: u32,
}

/// Pulls are tried again this often; the first second of each try shows ErrImagePull.
const PULL_EVERY: Duration = Duration::from_secs(10);
const PULL_ERROR: Duration = Duration::from_secs(1);
/// Back-off after the first crash and at most: a tenth and a thirtieth of a kubelet's, so that tests see many cycles.
const BACK_OFF: Duration = Duration::from_secs(1);
const BACK_OFF_MAX: Duration = Duration::from_secs(10);
/// Having run this long, a container starts with a fresh back-off.
const RAN_WELL: Duration = Duration::from_secs(60);

impl Container {
    pub(super) fn new(name: &str, image: &str, has_readiness_probe: bool, now: Timestamp) -> Self {
        Self {
            name: name.to_owned(),
            image: image.to_owned(),
            has_readiness_probe,
            stage: Stage::Creating { since: now },
            restarts: 0,
            last: None,
            streak: 0,
        }
    }

    pub(super) fn running_since(&self) -> Option<Timestamp> {
        match self.stage {
            Stage::Running { since } => Some(since),
            _ => None,
        }
    }

    pub(super) fn is_ready(&self, now: Timestamp, behaviour: &Behaviour) -> bool {
        let Some(since) = self.running_since() else {
            return false;
        };
        // a readiness probe asks once a second at most: it never sees a container that lives shorter than that
        let unseen = self.has_readiness_probe
            && behaviour
                .ends
                .is_some_and(|end| end.after < Duration::from_secs(1));
        let started = behaviour
            .ready_after
            .is_some_and(|after| now >= later(since, after));
        started && !unseen && !self.is_failing(now, behaviour)
    }

    pub(super) fn is_failing(&self, now: Timestamp, behaviour: &Behaviour) -> bool {
        let since = self.running_since();
        since.is_some_and(|since| {
            behaviour
                .fails_after
                .is_some_and(|after| now >= later(since, after))
        })
    }

    /// Ends a running container now, as a kill from outside would.
    pub(super) fn end(&mut self, code: i32, oom: bool, now: Timestamp, policy: RestartPolicy) {
        let Stage::Running { since } = self.stage else {
            return;
        };
        if now >= later(since, RAN_WELL) {
            self.streak = 0;
        }
        let restart = policy.restarts(code).then(|| {
            let back_off = BACK_OFF
                .saturating_mul(1 << self.streak.min(10))
                .min(BACK_OFF_MAX);
            Restart {
                waiting_from: later(now, back_off.mul_f32(0.8)),
                at: later(now, back_off),
            }
        });
        self.stage = Stage::Exited {
            exit: Exit {
                code,
                oom,
                started: since,
                finished: now,
            },
            restart,
        };
    }

    /// Moves to where it must be at `now`; returns when to look again.
    pub(super) fn advance(
        &mut self,
        now: Timestamp,
        behaviour: &Behaviour,
        policy: RestartPolicy,
        notices: &mut Vec<Notice>,
    ) -> Option<Timestamp> {
        loop {
            match &self.stage {
                Stage::Creating { since } => {
                    let due = later(*since, behaviour.start_delay);
                    if now < due {
                        return Some(due);
                    }
                    match &behaviour.image_pull_error {
                        Some(message) => self.fail_pull(message.clone(), now, notices),
                        None => self.stage = Stage::Running { since: now },
                    }
                }
                Stage::PullFailed { since, .. } => {
                    let again = later(*since, PULL_EVERY);
                    match &behaviour.image_pull_error {
                        None => self.stage = Stage::Running { since: now },
                        Some(message) if now >= again => {
                            self.fail_pull(message.clone(), now, notices)
                        }
                        Some(_) => {
                            let boundary = later(*since, PULL_ERROR);
                            return Some(if now < boundary { boundary } else { again });
                        }
                    }
                }
                Stage::Running { since } => {
                    let since = *since;
                    let end = behaviour.ends.or_else(|| {
                        (policy != RestartPolicy::Always).then_some(End {
                            after: RUN_FOR,
                            code: 0,
                            oom: false,
                        })
                    });
                    if let Some(end) = end
                        && now >= later(since, end.after)
                    {
                        self.end(end.code, end.oom, now, policy);
                        if matches!(
                            &self.stage,
                            Stage::Exited {
                                restart: Some(_),
                                ..
                            }
                        ) {
                            notices.push(Notice::BackOff);
                        }
                        continue;
                    }
                    let moments = [
                        end.map(|end| end.after),
                        behaviour.ready_after,
                        behaviour.fails_after,
                    ];
                    return moments
                        .into_iter()
                        .flatten()
                        .map(|after| later(since, after))
                        .filter(|at| *at > now)
                        .min();
                }
                Stage::Exited { restart: None, .. } => return None,
                Stage::Exited {
                    exit,
                    restart: Some(restart),
                } => {
                    // a container that no longer ends by itself is started at once: switches act now
                    let cured = policy == RestartPolicy::Always
                        && behaviour.ends.is_none()
                        && self.streak > 0;
                    if now < restart.at && !cured {
                        return Some(if now < restart.waiting_from {
                            restart.waiting_from
                        } else {
                            restart.at
                        });
                    }
                    self.last = Some(exit.clone());
                    self.restarts += 1;
                    self.streak += 1;
                    self.stage = Stage::Running { since: now };
                }
            }
        }
    }

    /// Whether the failing pull is shown as back-off at `now`.
    pub(super) fn pull_backs_off(since: Timestamp, now: Timestamp) -> bool {
        now >= later(since, PULL_ERROR)
    }

    fn fail_pull(&mut self, message: String, now: Timestamp, notices: &mut Vec<Notice>) {
        notices.push(Notice::PullFailed(message.clone()));
        notices.push(Notice::PullBackOff);
        self.stage = Stage::PullFailed {
            since: now,
            message,
        };
    }
}

pub(super) fn later(at: Timestamp, by: Duration) -> Timestamp {
    let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
    at.saturating_add(by).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(
        behaviour: &Behaviour,
        policy: RestartPolicy,
        probe: bool,
        seconds: u64,
    ) -> (Container, Vec<Notice>, Vec<Stage>, u32) {
        let begin = Timestamp::UNIX_EPOCH;
        let mut container = Container::new("main", "a:v1", probe, begin);
        let (mut notices, mut samples, mut ready) = (Vec::new(), Vec::new(), 0);
        for tick in 0..=seconds * 20 {
            let now = later(begin, Duration::from_millis(tick * 50));
            container.advance(now, behaviour, policy, &mut notices);
            samples.push(container.stage.clone());
            ready += u32::from(container.is_ready(now, behaviour));
        }
        (container, notices, samples, ready)
    }

    #[test]
    fn crash_loop_is_mostly_terminated() {
        let behaviour = Behaviour::parse("crash-loop").unwrap();
        let (container, notices, samples, ready) =
            run(&behaviour, RestartPolicy::Always, true, 100);
        let begin = Timestamp::UNIX_EPOCH;
        let waiting = samples.iter().enumerate().filter(|(tick, stage)| {
            let now = later(begin, Duration::from_millis(*tick as u64 * 50));
            matches!(stage, Stage::Exited { restart: Some(restart), .. } if now >= restart.waiting_from)
        });
        let exited = samples
            .iter()
            .filter(|stage| matches!(stage, Stage::Exited { .. }))
            .count();
        let waiting = waiting.count();
        assert!(
            exited * 100 > samples.len() * 85,
            "{exited} of {}",
            samples.len()
        );
        assert!(waiting * 4 < exited && waiting > 0, "{waiting} of {exited}");
        assert!(container.restarts >= 10);
        assert_eq!(container.last.as_ref().map(|exit| exit.code), Some(1));
        assert!(notices.len() > 10);
        assert_eq!(ready, 0, "a readiness probe never sees it");
    }

    #[test]
    fn job_container_ends_once() {
        let (container, ..) = run(&Behaviour::default(), RestartPolicy::Never, false, 5);
        assert!(matches!(
            container.stage,
            Stage::Exited {
                exit: Exit { code: 0, .. },
                restart: None
            }
        ));
        let failing = Behaviour::parse("exit-3").unwrap();
        let (container, ..) = run(&failing, RestartPolicy::OnFailure, false, 5);
        assert!(container.restarts > 0);
    }

    #[test]
    fn readiness_follows_the_behaviour() {
        let share = |words: &str| {
            run(
                &Behaviour::parse(words).unwrap(),
                RestartPolicy::Always,
                true,
                10,
            )
            .3
        };
        assert_eq!(share("never-ready"), 0);
        assert!(share("healthy") > 190);
        assert!(
            (90..=100).contains(&share("slow-start-5s")),
            "{}",
            share("slow-start-5s")
        );
        assert!(
            (90..=105).contains(&share("fails-after-5s")),
            "{}",
            share("fails-after-5s")
        );
        assert_eq!(share("image-pull-error"), 0);
    }

    #[test]
    fn switching_the_pull_error_off_starts_the_container() {
        let begin = Timestamp::UNIX_EPOCH;
        let mut container = Container::new("main", "a:v1", false, begin);
        let broken = Behaviour::parse("image-pull-error").unwrap();
        let now = later(begin, Duration::from_secs(3));
        container.advance(now, &broken, RestartPolicy::Always, &mut Vec::new());
        assert!(container.running_since().is_none());
        container.advance(
            now,
            &Behaviour::default(),
            RestartPolicy::Always,
            &mut Vec::new(),
        );
        assert_eq!(container.running_since(), Some(now));
    }
}
