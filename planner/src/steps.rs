//! Sub-steps: which `(maxSurge, maxUnavailable)` brings a pinned Deployment from the pods it has towards the pods its batch allows.
//!
//! Under the pin no new pod counts as available, so the Deployment controller comes to rest at [`fixed_point`]. Everything here is computed from the
//! counts of the moment and not from what was written before: the same function gives the next step, the step that a crash interrupted, and the values
//! that a foreign change must be corrected to, also after the workload was scaled.
//!
//! Invariants of every value returned, for the counts given:
//! - new pods: at most the batch's bound (or what is there already, when scaling or a foreign write left more; the controller never takes new pods back);
//! - pods in all: at most the replicas and the user's own surge;
//! - old pods: retired only as many as new ones are ready (in [`Mode::Replace`]: at most the user's own maxUnavailable ahead of that).
//!
//! Not promised, because the Deployment controller scales every version in proportion before anyone can act: while the replicas change, rounding may
//! leave a pod more or less than the plan's share, a batch given as a number grows with a scale-up, and scaling to zero and back inside a
//! release brings the pods back as the new version.

use crate::share::Share;

/// Where the Deployment controller comes to rest: `(old, new)` for `replicas` and the resolved `(surge, unavailable)` while no new pod is available.
#[must_use]
pub fn fixed_point(replicas: u32, surge: u32, unavailable: u32) -> (u32, u32) {
    let unavailable = unavailable.min(replicas);
    (
        replicas - unavailable,
        replicas.min(unavailable.saturating_add(surge)),
    )
}

/// The pods of a Deployment by version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Wanted in all.
    pub replicas: u32,
    /// Wanted of the new version, by its ReplicaSet.
    pub new: u32,
    /// Of the new version and ready.
    pub new_ready: u32,
    /// Wanted of every other version, by their ReplicaSets.
    pub old: u32,
    /// Of every other version and there.
    pub old_existing: u32,
}

/// How a batch takes its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// New pods first, at most so many at a time.
    Surge {
        /// The user's own maxSurge in pods, at least one.
        most: u32,
    },
    /// Old pods first, at most so many at a time.
    Replace {
        /// The user's own maxUnavailable in pods, at least one.
        most: u32,
    },
}

/// `(maxSurge, maxUnavailable)` in pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// `maxSurge`.
    pub surge: u32,
    /// `maxUnavailable`.
    pub unavailable: u32,
}

/// What to do about a batch now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// New pods may come up: these limits.
    Surge(Limits),
    /// Old pods may go: these limits.
    Retire(Limits),
    /// New pods are not all ready; meanwhile these limits keep everything as it is. `None`: there is nothing to keep yet.
    NotReady(Option<Limits>),
    /// Old pods that must go first are still there.
    OldRemain(Option<Limits>),
    /// The Deployment controller is filling places that are vacant already.
    Filling(Option<Limits>),
    /// Every pod of the batch is there and ready.
    Complete(Option<Limits>),
}

impl Step {
    /// The limits that must stand on the Deployment now.
    #[must_use]
    pub const fn limits(self) -> Option<Limits> {
        match self {
            Self::Surge(limits) | Self::Retire(limits) => Some(limits),
            Self::NotReady(limits)
            | Self::OldRemain(limits)
            | Self::Filling(limits)
            | Self::Complete(limits) => limits,
        }
    }
}

/// The step that leads from `counts` towards `bound` new pods. `live` is what stands on the Deployment now; zeros before the pin was written.
#[must_use]
pub fn step(counts: Counts, bound: u32, mode: Mode, live: Limits) -> Step {
    let Counts {
        replicas,
        new,
        new_ready,
        old,
        old_existing,
    } = counts;
    let bound = bound.min(replicas);
    // Places that old pods have left, or may leave by what stands there: the Deployment controller fills them with new ones whatever the limits. What was
    // let go once is never taken back, because what is seen may be from before it went.
    let vacant = replicas
        .saturating_sub(old)
        .max(live.unavailable.min(replicas));
    let stay = Limits {
        surge: new.saturating_sub(vacant),
        unavailable: vacant,
    };
    // both zero means one unavailable to the Deployment controller, and the API server refuses it
    let stay = (stay.surge > 0 || stay.unavailable > 0).then_some(stay);
    if new >= bound {
        return if new_ready >= new {
            Step::Complete(stay)
        } else {
            Step::NotReady(stay)
        };
    }
    if new_ready < new {
        return Step::NotReady(stay);
    }
    if new < vacant {
        return Step::Filling(stay);
    }
    let next = match mode {
        Mode::Replace { most } => Step::Retire(Limits {
            surge: 0,
            unavailable: bound.min(new.saturating_add(most.max(1))),
        }),
        Mode::Surge { .. } if new > vacant => Step::Retire(Limits {
            surge: 0,
            unavailable: new,
        }),
        Mode::Surge { most } => Step::Surge(Limits {
            surge: most.max(1).min(bound - vacant),
            unavailable: vacant,
        }),
    };
    // New pods beside old ones that have not begun to go would be too many. And the Deployment controller counts available pods by a status that may still
    // include those: it would take as many more old pods away.
    // (A version that took another's place starts with too many old pods; its first step is what makes them go.)
    let first = live.surge == 0 && live.unavailable == 0;
    let remain = old_existing > old || (!first && old > replicas - vacant);
    if remain && next.limits() != Some(live) {
        return Step::OldRemain(stay);
    }
    next
}

/// How limits are written: as a share where that means the same number now, so that scaling, which the Deployment controller does in proportion, finds
/// limits that grow and shrink with it.
///
/// `maxUnavailable` takes one of the plan's own percentages where it fits; only those of batches up to the present one may be given, or a scale-up would
/// grow into a batch that was not allowed yet. `maxSurge` is a share only if the user's own is one and the share is not larger,
/// because a share that grows beyond the user's number would break the promised peak.
#[must_use]
pub fn written(
    limits: Limits,
    replicas: u32,
    percentages: &[u8],
    users_surge: Share,
) -> (Share, Share) {
    let unavailable = percentages
        .iter()
        .map(|percent| Share::Percent(u32::from(*percent)))
        .chain(share_of(limits.unavailable, replicas, true))
        .find(|share| limits.unavailable > 0 && share.down(replicas) == limits.unavailable)
        .unwrap_or(Share::Pods(limits.unavailable));
    let surge = match users_surge {
        Share::Percent(most) => share_of(limits.surge, replicas, false)
            .filter(|share| matches!(share, Share::Percent(percent) if *percent <= most))
            .into_iter()
            .chain([users_surge])
            .find(|share| limits.surge > 0 && share.up(replicas) == limits.surge)
            .unwrap_or(Share::Pods(limits.surge)),
        Share::Pods(_) => Share::Pods(limits.surge),
    };
    (surge, unavailable)
}

fn share_of(pods: u32, replicas: u32, up: bool) -> Option<Share> {
    if pods == 0 || replicas == 0 || pods > replicas {
        return None;
    }
    let hundredfold = u64::from(pods) * 100;
    let replicas = u64::from(replicas);
    let percent = if up {
        hundredfold.div_ceil(replicas)
    } else {
        // the smallest share that is rounded up to these pods: a larger one would grow into further new pods with the first pod of a scale-up
        (hundredfold - 100) / replicas + 1
    };
    u32::try_from(percent).ok().map(Share::Percent)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SURGE: Mode = Mode::Surge { most: 5 };

    fn counts(replicas: u32, new: u32, new_ready: u32, old: u32) -> Counts {
        Counts {
            replicas,
            new,
            new_ready,
            old,
            old_existing: old,
        }
    }

    fn limits(surge: u32, unavailable: u32) -> Limits {
        Limits { surge, unavailable }
    }

    #[test]
    fn a_batch_is_taken_in_steps_of_the_users_surge() {
        let replace = Mode::Replace { most: 1 };
        for (now, live, bound, mode, wanted) in [
            // 20 pods, first pod
            (
                counts(20, 0, 0, 20),
                (0, 0),
                1,
                SURGE,
                Step::Surge(limits(1, 0)),
            ),
            (
                counts(20, 1, 0, 20),
                (1, 0),
                1,
                SURGE,
                Step::NotReady(Some(limits(1, 0))),
            ),
            (
                counts(20, 1, 1, 20),
                (1, 0),
                1,
                SURGE,
                Step::Complete(Some(limits(1, 0))),
            ),
            // next batch: the old pod goes, then the new one comes
            (
                counts(20, 1, 1, 20),
                (1, 0),
                2,
                SURGE,
                Step::Retire(limits(0, 1)),
            ),
            (
                counts(20, 1, 1, 20),
                (0, 1),
                2,
                SURGE,
                Step::OldRemain(Some(limits(0, 1))),
            ),
            (
                counts(20, 1, 1, 19),
                (0, 1),
                2,
                SURGE,
                Step::Surge(limits(1, 1)),
            ),
            (
                counts(20, 2, 2, 19),
                (1, 1),
                10,
                SURGE,
                Step::Retire(limits(0, 2)),
            ),
            (
                counts(20, 2, 2, 18),
                (0, 2),
                10,
                SURGE,
                Step::Surge(limits(5, 2)),
            ),
            (
                counts(20, 7, 7, 18),
                (5, 2),
                10,
                SURGE,
                Step::Retire(limits(0, 7)),
            ),
            (
                counts(20, 7, 7, 13),
                (0, 7),
                10,
                SURGE,
                Step::Surge(limits(3, 7)),
            ),
            (
                counts(20, 15, 15, 5),
                (0, 15),
                20,
                SURGE,
                Step::Surge(limits(5, 15)),
            ),
            (
                counts(20, 20, 20, 5),
                (5, 15),
                20,
                SURGE,
                Step::Complete(Some(limits(5, 15))),
            ),
            // replace
            (
                counts(4, 0, 0, 4),
                (0, 0),
                2,
                replace,
                Step::Retire(limits(0, 1)),
            ),
            (
                counts(4, 0, 0, 3),
                (0, 1),
                2,
                replace,
                Step::Filling(Some(limits(0, 1))),
            ),
            (
                counts(4, 1, 0, 3),
                (0, 1),
                2,
                replace,
                Step::NotReady(Some(limits(0, 1))),
            ),
            (
                counts(4, 1, 1, 3),
                (0, 1),
                2,
                replace,
                Step::Retire(limits(0, 2)),
            ),
            (
                counts(4, 2, 2, 2),
                (0, 2),
                2,
                replace,
                Step::Complete(Some(limits(0, 2))),
            ),
            // scaling left one old pod too few: its place is taken into account
            (
                counts(20, 1, 1, 19),
                (1, 0),
                1,
                SURGE,
                Step::Complete(Some(limits(0, 1))),
            ),
            (
                counts(13, 3, 3, 10),
                (0, 2),
                2,
                SURGE,
                Step::Complete(Some(limits(0, 3))),
            ),
            (
                counts(20, 2, 2, 17),
                (0, 2),
                10,
                SURGE,
                Step::Filling(Some(limits(0, 3))),
            ),
            // what may have gone already is not let come again
            (
                counts(2, 0, 0, 2),
                (0, 1),
                1,
                SURGE,
                Step::Filling(Some(limits(0, 1))),
            ),
            // nothing to keep yet
            (counts(0, 0, 0, 0), (0, 0), 0, SURGE, Step::Complete(None)),
        ] {
            let live = limits(live.0, live.1);
            assert_eq!(
                step(now, bound, mode, live),
                wanted,
                "{now:?} {live:?} to {bound}"
            );
        }
    }

    #[test]
    fn nothing_moves_before_the_old_pods_are_gone() {
        let mut now = counts(20, 5, 5, 15);
        now.old_existing = 16;
        assert_eq!(
            step(now, 10, SURGE, limits(0, 5)),
            Step::OldRemain(Some(limits(0, 5)))
        );
        assert_eq!(
            step(now, 10, Mode::Replace { most: 2 }, limits(0, 5)),
            Step::OldRemain(Some(limits(0, 5)))
        );
        // a step that was written already is not taken back
        assert_eq!(
            step(now, 10, Mode::Replace { most: 2 }, limits(0, 7)),
            Step::Filling(Some(limits(0, 7)))
        );
    }

    /// The promises of the module, on every state up to eight pods.
    #[test]
    fn no_step_leads_beyond_the_bound_the_surge_or_the_ready_pods() {
        for replicas in 1..=8u32 {
            for new in 0..=replicas {
                for (new_ready, old) in
                    (0..=new).flat_map(|ready| (0..=replicas + 2).map(move |old| (ready, old)))
                {
                    for (bound, most) in
                        (1..=replicas).flat_map(|bound| (0..=3).map(move |most| (bound, most)))
                    {
                        for unavailable in [0, 1, 3] {
                            let now = counts(replicas, new, new_ready, old);
                            let live = limits(1, unavailable);
                            let mode = match most {
                                0 => Mode::Replace { most: 1 },
                                most => Mode::Surge { most },
                            };
                            let Some(wanted) = step(now, bound, mode, live).limits() else {
                                continue;
                            };
                            let case = format!("{now:?} {live:?} to {bound} {mode:?}: {wanted:?}");
                            let gone = replicas.saturating_sub(old).max(unavailable.min(replicas));
                            let reached = replicas.min(gone.max(wanted.unavailable) + wanted.surge);
                            assert!(wanted.surge + wanted.unavailable > 0, "{case}");
                            assert!(reached <= bound.max(new).max(gone), "{case}");
                            assert!(wanted.surge <= most.max(new.saturating_sub(gone)), "{case}");
                            let ahead = u32::from(most == 0);
                            assert!(
                                wanted.unavailable <= (new_ready + ahead).max(gone),
                                "{case}"
                            );
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn limits_are_written_as_shares_that_scale() {
        let quarter = Share::Percent(25);
        for (wanted, replicas, users, text) in [
            (
                limits(0, 2),
                20,
                quarter,
                (Share::Pods(0), Share::Percent(10)),
            ),
            (
                limits(0, 7),
                20,
                quarter,
                (Share::Pods(0), Share::Percent(35)),
            ),
            (
                limits(5, 10),
                20,
                quarter,
                (Share::Percent(21), Share::Percent(50)),
            ),
            (
                limits(1, 0),
                20,
                quarter,
                (Share::Percent(1), Share::Pods(0)),
            ),
            (
                limits(5, 10),
                20,
                Share::Pods(5),
                (Share::Pods(5), Share::Percent(50)),
            ),
            (
                limits(1, 1),
                3,
                quarter,
                (Share::Percent(1), Share::Percent(50)),
            ),
            (
                limits(0, 2),
                3,
                quarter,
                (Share::Pods(0), Share::Percent(67)),
            ),
            (limits(1, 0), 500, quarter, (Share::Pods(1), Share::Pods(0))),
            // 7 of 333 is no whole percentage
            (limits(0, 7), 333, quarter, (Share::Pods(0), Share::Pods(7))),
        ] {
            let (surge, unavailable) = written(wanted, replicas, &[10, 50], users);
            assert_eq!((surge, unavailable), text, "{wanted:?} of {replicas}");
            assert_eq!(surge.up(replicas), wanted.surge);
            assert_eq!(unavailable.down(replicas), wanted.unavailable);
        }
    }

    #[test]
    fn the_fixed_point_is_that_of_the_deployment_controller() {
        for (replicas, surge, unavailable, rest) in [
            (10, 1, 0, (10, 1)),
            (10, 0, 1, (9, 1)),
            (10, 3, 9, (1, 10)),
            (3, 0, 7, (0, 3)),
        ] {
            assert_eq!(fixed_point(replicas, surge, unavailable), rest);
        }
    }
}
