//! How old the last beat is, without trusting any clock but our own monotonic one.
//!
//! # Why arrival alone is no proof
//! A beat that arrives now need not have been written now: after an interrupted watch the API server replays old events in one burst, and a
//! dead engine's last beats would look alive. The writer's wall clock cannot be compared with ours. But the *spacing* of its stamps can:
//! the difference between arrival (our clock) and stamp (its clock) is constant, up to delivery delay. The smallest difference seen in
//! regular operation is the offset between the clocks; what a beat exceeds it by is that beat's delay, and counts as age.
//!
//! # Rules
//! - The first sight of a holder proves nothing: the Lease may be hours old. A new holder starts anew.
//! - The offset is learned from *paced* beats only: those that arrived at least half as far apart as they were stamped. A burst is not paced.
//! - A stamp that goes backwards (the writer's clock was set) starts anew; one that jumps forward by `h` makes a beat look unpaced, once.
//! - Only the last few offsets count, so a clock that was set back far enough to look late is learned again within as many beats.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;

use super::AGE_LIMIT;

/// How many offsets are remembered.
const REMEMBERED: usize = 5;

/// Ages the heartbeat on the reader's own monotonic clock. Feed it each state of the Lease; ask it whenever a gate is read.
#[derive(Clone, Debug)]
pub struct HeartbeatReader {
    limit: Duration,
    origin: Instant,
    last: Option<Beat>,
    /// Arrival minus stamp of recent paced beats, in microseconds.
    offsets: VecDeque<i128>,
    proof: Option<Proof>,
}

#[derive(Clone, Debug)]
struct Beat {
    holder: String,
    stamp: Timestamp,
    arrived: Instant,
}

#[derive(Clone, Copy, Debug)]
struct Proof {
    arrived: Instant,
    delay: Duration,
}

impl HeartbeatReader {
    /// A reader that has seen nothing; beats count for [`AGE_LIMIT`].
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self::with_limit(now, AGE_LIMIT)
    }

    /// A reader with an age limit of its own.
    #[must_use]
    pub fn with_limit(now: Instant, limit: Duration) -> Self {
        Self {
            limit,
            origin: now,
            last: None,
            offsets: VecDeque::with_capacity(REMEMBERED),
            proof: None,
        }
    }

    /// Takes one state of the Lease, seen at `now`. The same state twice changes nothing. A Lease without holder or stamp is no beat.
    pub fn observe(&mut self, lease: &Lease, now: Instant) {
        let spec = lease.spec.as_ref();
        let holder = spec.and_then(|spec| spec.holder_identity.as_deref());
        let stamp = spec.and_then(|spec| spec.renew_time.as_ref());
        let (Some(holder), Some(stamp)) = (holder.filter(|holder| !holder.is_empty()), stamp)
        else {
            self.forget();
            return;
        };
        let stamp = stamp.0;
        let previous = self.last.replace(Beat {
            holder: holder.to_owned(),
            stamp,
            arrived: now,
        });
        let Some(previous) = previous.filter(|previous| previous.holder == holder) else {
            self.start_anew();
            return;
        };
        if stamp == previous.stamp {
            self.last = Some(previous);
            return;
        }
        if stamp < previous.stamp {
            self.start_anew();
            return;
        }
        let stamped_apart = micros(stamp) - micros(previous.stamp);
        let arrived_apart = since(previous.arrived, now);
        let offset = since(self.origin, now) - micros(stamp);
        if arrived_apart * 2 >= stamped_apart {
            if self.offsets.len() == REMEMBERED {
                self.offsets.pop_front();
            }
            self.offsets.push_back(offset);
        }
        self.proof = self.offsets.iter().min().map(|smallest| Proof {
            arrived: now,
            delay: Duration::from_micros(
                u64::try_from((offset - smallest).max(0)).unwrap_or(u64::MAX),
            ),
        });
    }

    /// The Lease is gone: nothing beats.
    pub fn forget(&mut self) {
        self.last = None;
        self.start_anew();
    }

    /// The age of the last beat; none while there is no proof of any.
    #[must_use]
    pub fn age(&self, now: Instant) -> Option<Duration> {
        self.proof.map(|proof| {
            now.saturating_duration_since(proof.arrived)
                .saturating_add(proof.delay)
        })
    }

    /// Whether the engine is alive as far as this reader can know.
    #[must_use]
    pub fn fresh(&self, now: Instant) -> bool {
        self.age(now).is_some_and(|age| age <= self.limit)
    }

    fn start_anew(&mut self) {
        self.offsets.clear();
        self.proof = None;
    }
}

fn micros(stamp: Timestamp) -> i128 {
    i128::from(stamp.as_microsecond())
}

fn since(earlier: Instant, later: Instant) -> i128 {
    i128::try_from(later.saturating_duration_since(earlier).as_micros()).unwrap_or(i128::MAX)
}

#[cfg(test)]
mod tests {
    use k8s_openapi::{
        api::coordination::v1::LeaseSpec, apimachinery::pkg::apis::meta::v1::MicroTime,
    };

    use super::*;

    /// A Lease as `holder` wrote it at `stamp` milliseconds of its own clock, which has nothing to do with ours.
    fn lease(holder: &str, stamp: i64) -> Lease {
        Lease {
            spec: Some(LeaseSpec {
                holder_identity: Some(holder.into()),
                renew_time: Some(MicroTime(
                    Timestamp::from_millisecond(1_800_000_000_000 + stamp).unwrap(),
                )),
                ..LeaseSpec::default()
            }),
            ..Lease::default()
        }
    }

    /// Feeds `(arrival, stamp)` in milliseconds and asks at `asked`.
    fn fresh(beats: &[(u64, i64)], asked: u64) -> bool {
        let start = Instant::now();
        let mut reader = HeartbeatReader::new(start);
        for (arrival, stamp) in beats {
            reader.observe(&lease("a", *stamp), start + Duration::from_millis(*arrival));
        }
        reader.fresh(start + Duration::from_millis(asked))
    }

    #[test]
    fn ages_on_the_readers_own_clock() {
        for (name, beats, asked, expected) in [
            ("nothing seen", &[][..], 0, false),
            ("first sight may be hours old", &[(0, 0)], 1, false),
            ("seen again unchanged", &[(0, 0), (1000, 0)], 1001, false),
            ("seen to change", &[(0, 0), (2000, 2000)], 2001, true),
            (
                "just within the limit",
                &[(0, 0), (2000, 2000)],
                10_000,
                true,
            ),
            ("above the limit", &[(0, 0), (2000, 2000)], 10_001, false),
            (
                "a burst of old beats after an outage of the watch",
                &[(0, 0), (1, 2000), (2, 4000), (3, 6000)],
                4,
                false,
            ),
            (
                "a burst, then live beats",
                &[(0, 0), (1, 2000), (2, 4000), (2000, 6000)],
                2001,
                true,
            ),
            (
                "known rhythm, then a burst that is a minute late",
                &[(0, 0), (2000, 2000), (64_000, 4000), (64_001, 6000)],
                64_002,
                false,
            ),
            (
                "known rhythm, then a burst that ends in time",
                &[
                    (0, 0),
                    (2000, 2000),
                    (9000, 4000),
                    (9001, 6000),
                    (9002, 8000),
                ],
                9003,
                true,
            ),
            (
                "the writer's clock was set back",
                &[(0, 0), (2000, 2000), (4000, -9000)],
                4001,
                false,
            ),
            (
                "and is learned again with the next beat",
                &[(0, 0), (2000, 2000), (4000, -9000), (6000, -7000)],
                6001,
                true,
            ),
        ] {
            assert_eq!(fresh(beats, asked), expected, "{name}");
        }
    }

    #[test]
    fn a_reader_that_was_stopped_for_a_minute_does_not_trust_what_it_kept() {
        let beats = [(0, 0), (2000, 2000), (4000, 4000)];
        assert!(fresh(&beats, 4001));
        assert!(!fresh(&beats, 64_000));
    }

    #[test]
    fn a_new_holder_proves_itself_first() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut reader = HeartbeatReader::new(start);
        reader.observe(&lease("a", 0), at(0));
        reader.observe(&lease("a", 2000), at(2000));
        assert!(reader.fresh(at(2001)));
        reader.observe(&lease("b", 500), at(4000));
        assert!(!reader.fresh(at(4001)));
        reader.observe(&lease("b", 2500), at(6000));
        assert!(reader.fresh(at(6001)));
    }

    #[test]
    fn a_deleted_or_empty_lease_beats_no_more() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        for empty in [None, Some(Lease::default()), Some(lease("", 4000))] {
            let mut reader = HeartbeatReader::new(start);
            reader.observe(&lease("a", 0), at(0));
            reader.observe(&lease("a", 2000), at(2000));
            assert!(reader.fresh(at(2001)));
            match &empty {
                Some(lease) => reader.observe(lease, at(2002)),
                None => reader.forget(),
            }
            assert!(!reader.fresh(at(2003)));
        }
    }

    #[test]
    fn a_clock_set_back_a_little_is_learned_again() {
        let start = Instant::now();
        let mut reader = HeartbeatReader::new(start);
        let mut now = start;
        for beat in 0..20i64 {
            now = start + Duration::from_millis(beat as u64 * 2000);
            // ten seconds of our time pass with the stamps one second behind from the tenth beat on
            let stamp = beat * 2000 - if beat >= 10 { 1000 } else { 0 };
            reader.observe(&lease("a", stamp), now);
        }
        assert!(reader.fresh(now));
        assert!(reader.age(now).unwrap() < Duration::from_millis(10));
    }
}
