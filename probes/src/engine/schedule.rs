//! When a target's next sample is due. Pure.
//!
//! Every target has a phase of its own within the interval, made of its name, so that thousands of targets spread evenly and stay where they are when others
//! come and go.

use std::{
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher, Hash},
    time::Duration,
};

use tokio::time::Instant;

/// Where in the interval the samples of the target so named start. The same name has the same phase in every process.
pub(super) fn phase(name: impl Hash, interval: Duration) -> Duration {
    let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(name);
    let nanos = u64::try_from(interval.as_nanos())
        .unwrap_or(u64::MAX)
        .max(1);
    Duration::from_nanos(hash % nanos)
}

/// The first slot of the phase after `now` that leaves half an interval since `last_start`, so that two samples are two.
pub(super) fn next(
    epoch: Instant,
    phase: Duration,
    interval: Duration,
    last_start: Instant,
    now: Instant,
) -> Instant {
    let earliest = now.max(last_start + interval / 2);
    let first = epoch + phase;
    let Some(past) = earliest.checked_duration_since(first) else {
        return first;
    };
    let slots = past.as_nanos() / interval.as_nanos().max(1) + 1;
    let ahead = u64::try_from(slots.saturating_mul(interval.as_nanos())).unwrap_or(u64::MAX);
    first + Duration::from_nanos(ahead)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_thousand_targets_do_not_bunch() {
        let interval = Duration::from_secs(10);
        let mut per_second = [0u32; 10];
        for i in 0..10_000 {
            let at = phase(("shop/checkout", i), interval);
            per_second[usize::try_from(at.as_secs()).unwrap()] += 1;
        }
        for count in per_second {
            assert!((850..1150).contains(&count), "{per_second:?}");
        }
    }

    #[test]
    fn slots_keep_the_phase_and_never_double_a_sample() {
        let epoch = Instant::now();
        let at = |millis: u64| epoch + Duration::from_millis(millis);
        let interval = Duration::from_secs(10);
        let phase = Duration::from_secs(3);
        for (last_start, now, expected) in [
            // on schedule
            (3_000, 3_010, 13_000),
            // the first sample ran at once, the slot comes too soon after it
            (1_000, 1_010, 13_000),
            (12_000, 12_010, 23_000),
            // and far enough after it
            (7_000, 7_010, 13_000),
            // a sample that took longer than the interval
            (3_000, 14_000, 23_000),
            // a long stop
            (3_000, 1_000_000, 1_003_000),
        ] {
            assert_eq!(
                next(epoch, phase, interval, at(last_start), at(now)),
                at(expected),
                "last start {last_start}, now {now}"
            );
        }
    }
}
