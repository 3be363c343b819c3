//! Replays a history and names every moment at which more, fewer or too many pods were asked for or ran than the plan allows.
//!
//! What is judged, per Deployment, at every single event:
//! 1. pods of the version being released, wanted and existing (not terminating): at most the size of the first batch whose predecessors were all seen
//!    ready in full before;
//! 2. pods of the version that was complete before: wanted at least N minus that size;
//! 3. pods in all, wanted and existing (not terminating): at most N plus the user's own surge. The Deployment controller itself counts what is wanted, so
//!    a new pod may come a moment before the old one that it replaces is told to go: existing pods in all are a breach when they stay too many for [`MOMENT`].
//!
//! A return to the version that was complete before is a rollback: it may go at once. While the workload is being scaled both counts hold, and the
//! Deployment controller scales versions in proportion; that documented exception is allowed for and nothing else is.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    num::ParseIntError,
    str::FromStr,
    time::Duration,
};

use super::history::{Event, Fact};

/// How long the ReplicaSet controller may take to end pods that are not wanted any more, on a machine with much to do.
const MOMENT: Duration = Duration::from_secs(2);

/// A cumulative batch, as the test wrote it into the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// Pods.
    Pods(u32),
    /// A share, rounded down, at least one pod.
    Percent(u32),
}

impl FromStr for Size {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        match text.strip_suffix('%') {
            Some(percent) => percent.parse().map(Self::Percent),
            None => text.parse().map(Self::Pods),
        }
    }
}

/// What the test knows of one Deployment.
#[derive(Clone, Debug)]
pub struct Expected {
    /// Its name.
    pub deployment: String,
    /// The plan's batches.
    pub batches: Vec<Size>,
    /// The user's own maxSurge.
    pub surge: Size,
    /// The image that ran everywhere when the release began, for a recording that began in the middle of it.
    pub before: Option<String>,
}

/// One moment that broke the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// When, in etcd's count.
    pub revision: u64,
    /// What was seen and what was allowed.
    pub what: String,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at revision {}: {}", self.revision, self.what)
    }
}

#[derive(Default)]
struct World {
    replicas: u32,
    image: String,
    sets: BTreeMap<String, Set>,
    pods: BTreeMap<String, Member>,
}

struct Set {
    image: String,
    replicas: u32,
    ready: u32,
}

struct Member {
    set: String,
    image: String,
    terminating: bool,
    over: bool,
}

/// One release as seen from outside.
struct Episode {
    /// The image being released.
    image: String,
    /// Whether it is a return to what was complete.
    rollback: bool,
    /// The most ready pods of the image seen so far.
    ready: u32,
    /// N when it began.
    replicas: u32,
    /// Whether N changed since.
    scaled: bool,
    /// The largest and smallest N since the counts were last in bounds.
    high: u32,
    low: u32,
}

/// Every breach in `events`.
#[must_use]
pub fn judge(events: &[Event], expected: &Expected) -> Vec<Breach> {
    let mut world = World::default();
    let mut complete: Option<String> = expected.before.clone();
    let mut episode: Option<Episode> = None;
    let mut breaches = Vec::new();
    let mut seen = BTreeSet::new();
    let mut crowded: Option<Duration> = None;
    for event in events {
        if !apply(&mut world, event, &expected.deployment) {
            continue;
        }
        if let Fact::Deployment { .. } = &event.fact {
            begin(&world, &complete, &mut episode);
        }
        let Some(current) = episode.as_mut() else {
            continue;
        };
        current.ready = current.ready.max(ready(&world, &current.image));
        if world.replicas != current.replicas {
            current.scaled = true;
        }
        current.high = current.high.max(world.replicas);
        current.low = current.low.min(world.replicas);
        // the event that ends a crowd ends it late
        let lasting = crowded.is_some_and(|since| event.at.saturating_sub(since) > MOMENT);
        crowded =
            (living(&world, None) > most(current, expected)).then(|| crowded.unwrap_or(event.at));
        for what in broken(&world, current, complete.as_deref(), expected, lasting) {
            // one line per kind of breach and moment; a state that stays wrong is one breach
            if seen.insert(what.clone()) {
                breaches.push(Breach {
                    revision: event.revision,
                    what,
                });
            }
        }
        let total: u32 = world.sets.values().map(|set| set.replicas).sum();
        // after scaling down, pods go a moment after they are no longer wanted
        if total.max(living(&world, None)) <= world.replicas + surge(expected.surge, world.replicas)
        {
            current.high = world.replicas;
        }
        if total >= world.replicas {
            current.low = world.replicas;
        }
        let others = world
            .sets
            .values()
            .any(|set| set.image != current.image && set.replicas > 0);
        if !others
            && world.image == current.image
            && ready(&world, &current.image) >= world.replicas
        {
            complete = Some(current.image.clone());
        }
    }
    breaches
}

fn begin(world: &World, complete: &Option<String>, episode: &mut Option<Episode>) {
    if episode
        .as_ref()
        .is_some_and(|episode| episode.image == world.image)
    {
        return;
    }
    *episode = Some(Episode {
        image: world.image.clone(),
        rollback: complete
            .as_ref()
            .is_none_or(|complete| *complete == world.image),
        ready: 0,
        replicas: world.replicas,
        scaled: false,
        high: world.replicas,
        low: world.replicas,
    });
}

fn apply(world: &mut World, event: &Event, deployment: &str) -> bool {
    match &event.fact {
        Fact::Deployment {
            name,
            replicas,
            image,
        } if name == deployment && !event.deleted => {
            world.replicas = *replicas;
            world.image.clone_from(image);
        }
        Fact::ReplicaSet {
            name,
            owner,
            replicas,
            ready,
            image,
        } if owner == deployment => {
            if event.deleted {
                world.sets.remove(name);
            } else {
                world.sets.insert(
                    name.clone(),
                    Set {
                        image: image.clone(),
                        replicas: *replicas,
                        ready: *ready,
                    },
                );
            }
        }
        Fact::Pod {
            name,
            replica_set,
            image,
            terminating,
            over,
            ..
        } if world.sets.contains_key(replica_set) => {
            if event.deleted {
                world.pods.remove(name);
            } else {
                let member = Member {
                    set: replica_set.clone(),
                    image: image.clone(),
                    terminating: *terminating,
                    over: *over,
                };
                world.pods.insert(name.clone(), member);
            }
        }
        _ => return false,
    }
    true
}

fn broken(
    world: &World,
    episode: &Episode,
    complete: Option<&str>,
    expected: &Expected,
    crowded: bool,
) -> Vec<String> {
    let mut broken = Vec::new();
    let wanted: u32 = world.sets.values().map(|set| set.replicas).sum();
    let surge = surge(expected.surge, episode.high);
    let bound = format!("N is {} and the surge {surge}", episode.high);
    if wanted > most(episode, expected) {
        broken.push(format!("{wanted} pods wanted in all, {bound}"));
    }
    if crowded {
        broken.push(format!("too many pods existing in all, {bound}"));
    }
    if episode.rollback {
        return broken;
    }
    let allowed = allowed(episode, expected, world.replicas);
    let wanted: u32 = world
        .sets
        .values()
        .filter(|set| set.image == episode.image)
        .map(|set| set.replicas)
        .sum();
    let existing = living(world, Some(&episode.image));
    for (count, word) in [(wanted, "wanted"), (existing, "existing")] {
        if count > allowed {
            broken.push(format!(
                "{count} pods {word} of {}, {allowed} allowed with {} seen ready",
                episode.image, episode.ready
            ));
        }
    }
    if let Some(complete) = complete {
        let old: u32 = world
            .sets
            .values()
            .filter(|set| set.image == complete)
            .map(|set| set.replicas)
            .sum();
        let mut least = episode.low.saturating_sub(allowed);
        if episode.scaled {
            // in proportion, rounded against us
            least = least.saturating_sub(1 + surge);
        }
        if old < least && world.image == episode.image {
            broken.push(format!(
                "{old} pods wanted of {complete}, at least {least} must stay"
            ));
        }
    }
    broken
}

/// The most pods there may be in all.
fn most(episode: &Episode, expected: &Expected) -> u32 {
    episode.high + surge(expected.surge, episode.high)
}

/// The size of the first batch that is not behind us: all before it were seen ready in full.
fn allowed(episode: &Episode, expected: &Expected, replicas: u32) -> u32 {
    let at = |replicas: u32| {
        let sizes = expected
            .batches
            .iter()
            .map(|batch| size(*batch, replicas))
            .chain([replicas]);
        sizes
            .clone()
            .find(|size| episode.ready < *size)
            .unwrap_or(replicas)
    };
    let mut allowed = at(replicas.max(episode.high));
    if episode.scaled {
        let began = at(episode.replicas.max(1));
        let grown =
            (u64::from(began) * u64::from(replicas)).div_ceil(u64::from(episode.replicas.max(1)));
        allowed = allowed
            .max(began)
            .max(u32::try_from(grown).unwrap_or(u32::MAX).saturating_add(1));
    }
    allowed
}

fn size(size: Size, replicas: u32) -> u32 {
    match size {
        Size::Pods(pods) => pods.min(replicas),
        Size::Percent(percent) => (replicas * percent / 100).max(1).min(replicas),
    }
}

/// Kubernetes rounds a share of maxSurge up.
fn surge(surge: Size, replicas: u32) -> u32 {
    match surge {
        Size::Pods(pods) => pods,
        Size::Percent(percent) => (replicas * percent).div_ceil(100),
    }
}

fn ready(world: &World, image: &str) -> u32 {
    world
        .sets
        .values()
        .filter(|set| set.image == image)
        .map(|set| set.ready)
        .sum()
}

fn living(world: &World, image: Option<&str>) -> u32 {
    let living = world
        .pods
        .values()
        .filter(|pod| !pod.terminating && !pod.over && world.sets.contains_key(&pod.set));
    let of_image = living.filter(|pod| image.is_none_or(|image| pod.image == image));
    u32::try_from(of_image.count()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deployment(revision: u64, image: &str, replicas: u32) -> Event {
        Event {
            revision,
            at: Duration::from_millis(revision * 100),
            deleted: false,
            fact: Fact::Deployment {
                name: "a".into(),
                replicas,
                image: image.into(),
            },
        }
    }

    fn set(revision: u64, image: &str, replicas: u32, ready: u32) -> Event {
        let fact = Fact::ReplicaSet {
            name: image.into(),
            owner: "a".into(),
            replicas,
            ready,
            image: image.into(),
        };
        Event {
            revision,
            at: Duration::from_millis(revision * 100),
            deleted: false,
            fact,
        }
    }

    fn expected() -> Expected {
        Expected {
            deployment: "a".into(),
            batches: vec![Size::Pods(1), Size::Percent(50)],
            surge: Size::Pods(2),
            before: None,
        }
    }

    fn baseline() -> Vec<Event> {
        vec![
            deployment(1, "v1", 10),
            set(2, "v1", 10, 10),
            deployment(3, "v2", 10),
        ]
    }

    #[test]
    fn a_release_within_its_batches_is_clean() {
        let mut events = baseline();
        events.extend([set(4, "v2", 1, 0), set(5, "v2", 1, 1), set(6, "v1", 9, 9)]);
        events.extend([
            set(7, "v2", 3, 3),
            set(8, "v1", 7, 7),
            set(9, "v2", 5, 5),
            set(10, "v1", 5, 5),
        ]);
        events.push(set(11, "v2", 7, 5));
        assert_eq!(judge(&events, &expected()), []);
    }

    #[test]
    fn a_batch_that_is_one_too_large_is_seen() {
        let mut events = baseline();
        events.push(set(4, "v2", 2, 0));
        let breaches = judge(&events, &expected());
        assert!(
            breaches[0].what.contains("2 pods wanted of v2, 1 allowed"),
            "{breaches:?}"
        );
    }

    #[test]
    fn a_second_batch_before_the_first_was_ready_is_seen() {
        let mut events = baseline();
        events.extend([set(4, "v2", 1, 0), set(5, "v2", 2, 0)]);
        assert_eq!(judge(&events, &expected()).len(), 1);
    }

    #[test]
    fn too_few_of_the_old_and_too_many_in_all_are_seen() {
        let mut events = baseline();
        events.push(set(4, "v1", 8, 8));
        assert!(
            judge(&events, &expected())[0]
                .what
                .contains("at least 9 must stay")
        );
        let mut events = baseline();
        events.extend([set(4, "v2", 1, 1), set(5, "v2", 3, 1)]);
        assert!(
            judge(&events, &expected())
                .iter()
                .any(|breach| breach.what.contains("in all"))
        );
    }

    fn pod(revision: u64, name: &str, image: &str, terminating: bool) -> Event {
        let fact = Fact::Pod {
            name: name.into(),
            replica_set: image.into(),
            image: image.into(),
            terminating,
            ready: true,
            over: false,
        };
        Event {
            revision,
            at: Duration::from_millis(revision * 100),
            deleted: false,
            fact,
        }
    }

    #[test]
    fn pods_that_scaling_down_has_not_ended_yet_are_no_breach_but_new_ones_are() {
        let mut events = baseline();
        events.extend((0..10).map(|number| pod(2, &number.to_string(), "v1", false)));
        events.extend([deployment(4, "v2", 5), set(5, "v1", 5, 10)]);
        events.extend((5..10).map(|number| pod(6, &number.to_string(), "v1", true)));
        assert_eq!(judge(&events, &expected()), []);
        events.extend((10..13).map(|number| pod(7, &number.to_string(), "v1", false)));
        assert_eq!(judge(&events, &expected()), [], "for a moment");
        events.push(set(40, "v1", 5, 8));
        assert!(
            judge(&events, &expected())[0]
                .what
                .contains("existing in all")
        );
    }

    #[test]
    fn a_rollback_may_go_at_once() {
        let mut events = baseline();
        events.extend([
            set(4, "v2", 1, 1),
            set(5, "v1", 9, 9),
            deployment(6, "v1", 10),
            set(7, "v1", 10, 9),
        ]);
        events.push(set(8, "v2", 0, 0));
        assert_eq!(judge(&events, &expected()), []);
    }
}
