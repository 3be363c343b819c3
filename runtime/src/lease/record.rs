//! What a competitor knows of the record, and whose turn it is. Pure.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use tokio::time::Instant;

/// Whose turn it is after a look at the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Ours to write: free, expired, or ours already.
    Claim,
    /// Another holds it, or held it and has not been still for the whole duration yet.
    Other(String),
}

/// The last state of the record and how long it has been still, on our own monotonic clock.
#[derive(Debug)]
pub(super) struct Observed {
    identity: String,
    duration: Duration,
    record: Option<(LeaseSpec, Instant)>,
    /// The object as we wrote it last, while that is known to be its state.
    ours: Option<Lease>,
}

impl Observed {
    pub(super) fn new(identity: String, duration: Duration) -> Self {
        Self {
            identity,
            duration,
            record: None,
            ours: None,
        }
    }

    /// Takes a state of the record, seen at `now`; none when there is no such object.
    pub(super) fn see(&mut self, found: Option<&Lease>, now: Instant) -> Turn {
        if let Some(spec) = found.map(|lease| lease.spec.clone().unwrap_or_default()) {
            let changed = self.record.as_ref().is_none_or(|(known, _)| *known != spec);
            self.ours = found.filter(|_| holder(&spec) == self.identity).cloned();
            if changed {
                self.record = Some((spec, now));
            }
        } else {
            // gone: someone may create it anew, but its last holder may still act, so it keeps ageing
            self.ours = None;
        }
        match &self.record {
            None => Turn::Claim,
            Some((spec, _)) => {
                let holder = holder(spec);
                if holder.is_empty() || holder == self.identity || self.remaining(now).is_zero() {
                    Turn::Claim
                } else {
                    Turn::Other(holder.to_owned())
                }
            }
        }
    }

    /// How long the record must stay still before it may be taken. Zero when it may be taken now.
    pub(super) fn remaining(&self, now: Instant) -> Duration {
        let Some((spec, since)) = &self.record else {
            return Duration::ZERO;
        };
        // a holder with a longer duration than ours may act that long
        let theirs = spec
            .lease_duration_seconds
            .and_then(|seconds| u64::try_from(seconds).ok())
            .map_or(Duration::ZERO, Duration::from_secs);
        (*since + self.duration.max(theirs)).saturating_duration_since(now)
    }

    /// The object as we wrote it last, if nothing is known to have happened since.
    pub(super) fn ours(&self) -> Option<Lease> {
        self.ours.clone()
    }

    /// What happened to our last write is not known, or someone else wrote: look before the next write.
    pub(super) fn answer_lost(&mut self) {
        self.ours = None;
    }
}

fn holder(spec: &LeaseSpec) -> &str {
    spec.holder_identity.as_deref().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;

    use super::*;

    const DURATION: Duration = Duration::from_secs(10);

    fn lease(holder: &str, renewed: i64, seconds: i32) -> Lease {
        Lease {
            spec: Some(LeaseSpec {
                holder_identity: Some(holder.into()),
                renew_time: Some(MicroTime(Timestamp::from_second(renewed).unwrap())),
                lease_duration_seconds: Some(seconds),
                ..LeaseSpec::default()
            }),
            ..Lease::default()
        }
    }

    fn other(holder: &str) -> Turn {
        Turn::Other(holder.into())
    }

    #[test]
    fn takes_over_only_what_has_been_still_for_the_whole_duration() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        for (name, looks, expected) in [
            ("never seen one", vec![(0, None)], Turn::Claim),
            ("released", vec![(0, Some(lease("", 1, 1)))], Turn::Claim),
            ("ours", vec![(0, Some(lease("me", 1, 10)))], Turn::Claim),
            (
                "its stamp is ancient by our wall clock, yet it was only just seen",
                vec![(0, Some(lease("a", 1, 10)))],
                other("a"),
            ),
            (
                "still for less than the duration",
                vec![(0, Some(lease("a", 1, 10))), (9, Some(lease("a", 1, 10)))],
                other("a"),
            ),
            (
                "still for the duration",
                vec![(0, Some(lease("a", 1, 10))), (10, Some(lease("a", 1, 10)))],
                Turn::Claim,
            ),
            (
                "renewed in between",
                vec![
                    (0, Some(lease("a", 1, 10))),
                    (9, Some(lease("a", 2, 10))),
                    (18, Some(lease("a", 2, 10))),
                ],
                other("a"),
            ),
            (
                "a holder with a longer duration",
                vec![(0, Some(lease("a", 1, 30))), (29, Some(lease("a", 1, 30)))],
                other("a"),
            ),
            (
                "deleted while its holder may still act",
                vec![(0, Some(lease("a", 1, 10))), (1, None)],
                other("a"),
            ),
            (
                "deleted long enough",
                vec![(0, Some(lease("a", 1, 10))), (1, None), (10, None)],
                Turn::Claim,
            ),
        ] {
            let mut observed = Observed::new("me".into(), DURATION);
            let mut turn = Turn::Claim;
            for (seconds, found) in &looks {
                turn = observed.see(found.as_ref(), at(*seconds));
            }
            assert_eq!(turn, expected, "{name}");
        }
    }

    #[test]
    fn renews_from_memory_only_while_our_write_is_known_to_stand() {
        let mut observed = Observed::new("me".into(), DURATION);
        let now = Instant::now();
        observed.see(Some(&lease("me", 1, 10)), now);
        assert!(observed.ours().is_some());
        observed.answer_lost();
        assert!(observed.ours().is_none());
        observed.see(Some(&lease("a", 2, 10)), now);
        assert!(observed.ours().is_none());
    }
}
