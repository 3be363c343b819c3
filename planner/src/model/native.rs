//! The Deployment controller and the ReplicaSet controller, one sync at a time.
//!
//! The rules, in the order of one sync: paused -> scale only; scaling event -> scale in proportion; else rolling update or recreate. Time is in whole
//! milliseconds of the model.

use crate::share::{Share, resolve};

/// How a Deployment updates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// Step by step.
    RollingUpdate {
        /// `maxSurge`.
        surge: Share,
        /// `maxUnavailable`.
        unavailable: Share,
    },
    /// All or nothing.
    Recreate,
}

/// The fields of a Deployment that the controller reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// `spec.replicas`.
    pub replicas: u32,
    /// `spec.paused`.
    pub paused: bool,
    /// `spec.strategy`.
    pub strategy: Strategy,
    /// `spec.minReadySeconds`.
    pub min_ready_seconds: i64,
    /// `spec.revisionHistoryLimit`.
    pub history: usize,
    /// Which template.
    pub version: String,
}

/// A ReplicaSet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicaSet {
    /// Which template.
    pub version: String,
    /// Order of creation.
    pub created: u64,
    /// `spec.replicas`.
    pub replicas: u32,
    /// `spec.minReadySeconds`.
    pub min_ready_seconds: i64,
    /// The `minReadySeconds` by which its status counts available pods: the one that the ReplicaSet controller saw last. Until it has seen a new value,
    /// the Deployment controller decides by the old count.
    pub counted_by: i64,
    /// Annotation `deployment.kubernetes.io/desired-replicas`.
    pub desired: u32,
    /// Annotation `deployment.kubernetes.io/max-replicas`.
    pub most: u32,
    /// Its pods; terminating ones are gone.
    pub pods: Vec<Pod>,
}

/// A pod that is not terminating.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    /// Which pod.
    pub id: u64,
    /// Since when it is ready.
    pub ready: Option<u64>,
}

/// What the two controllers work on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sets {
    /// Every ReplicaSet, oldest first.
    pub all: Vec<ReplicaSet>,
    counter: u64,
}

impl ReplicaSet {
    /// Pods that are ready.
    #[must_use]
    pub fn ready(&self) -> u32 {
        count(self.pods.iter().filter(|pod| pod.ready.is_some()))
    }

    /// Pods that have been ready for `minReadySeconds`, as the status counts them.
    #[must_use]
    pub fn available(&self, now: u64) -> u32 {
        let least = u64::try_from(self.counted_by)
            .unwrap_or(0)
            .saturating_mul(1000);
        count(self.pods.iter().filter(|pod| {
            pod.ready
                .is_some_and(|since| now.saturating_sub(since) >= least)
        }))
    }
}

impl Spec {
    fn limits(&self) -> (u32, u32) {
        match self.strategy {
            Strategy::RollingUpdate { surge, unavailable } => {
                resolve(surge, unavailable, self.replicas)
            }
            Strategy::Recreate => (0, 0),
        }
    }

    fn is_rolling(&self) -> bool {
        matches!(self.strategy, Strategy::RollingUpdate { .. })
    }
}

fn count<T>(items: impl Iterator<Item = T>) -> u32 {
    u32::try_from(items.count()).unwrap_or(u32::MAX)
}

impl Sets {
    /// The ReplicaSet of a version: the oldest, when there are several.
    #[must_use]
    pub fn of(&self, version: &str) -> Option<&ReplicaSet> {
        self.all.iter().find(|set| set.version == version)
    }

    /// Wanted pods of every version.
    #[must_use]
    pub fn replicas(&self) -> u32 {
        self.all.iter().map(|set| set.replicas).sum()
    }

    /// Whether some active ReplicaSet was last sized for another number of replicas.
    #[must_use]
    pub fn is_scaling_event(&self, spec: &Spec) -> bool {
        self.all
            .iter()
            .any(|set| set.replicas > 0 && set.desired != spec.replicas)
    }

    /// One sync of the Deployment controller. Returns whether anything was written.
    pub fn sync(&mut self, spec: &Spec, now: u64) -> bool {
        let before = self.clone();
        let refreshed = self.refresh_new(spec);
        if refreshed && !spec.paused {
            // The real one reads the ReplicaSets twice in such a sync, its second write conflicts with its first, and it starts again a moment later: the
            // ReplicaSet controller may have counted anew by then, or not.
            return true;
        }
        if spec.paused || self.is_scaling_event(spec) {
            self.scale(spec, now);
            if spec.paused {
                self.drop_history(spec);
            }
        } else if spec.is_rolling() {
            self.ensure_new(spec);
            self.rolling(spec, now);
        } else {
            self.recreate(spec);
        }
        if !spec.paused && self.is_complete(spec, now) {
            self.drop_history(spec);
        }
        *self != before
    }

    /// One sync of the ReplicaSet controller: pods are made and deleted, unready ones first.
    pub fn sync_pods(&mut self) -> bool {
        let mut changed = false;
        for set in &mut self.all {
            changed |= set.counted_by != set.min_ready_seconds;
            set.counted_by = set.min_ready_seconds;
            while count(set.pods.iter()) < set.replicas {
                self.counter += 1;
                set.pods.push(Pod {
                    id: self.counter,
                    ready: None,
                });
                changed = true;
            }
            while count(set.pods.iter()) > set.replicas {
                // not ready before ready, young before old
                let victim = set
                    .pods
                    .iter()
                    .enumerate()
                    .min_by_key(|(_, pod)| (pod.ready.is_some(), std::cmp::Reverse(pod.id)))
                    .map(|(position, _)| position);
                if let Some(position) = victim {
                    set.pods.remove(position);
                }
                changed = true;
            }
        }
        changed
    }

    fn position(&self, version: &str) -> Option<usize> {
        self.all.iter().position(|set| set.version == version)
    }

    /// Copies `minReadySeconds` to the ReplicaSet of the template; no other ever gets it. Returns whether it was another.
    fn refresh_new(&mut self, spec: &Spec) -> bool {
        let Some(new) = self.position(&spec.version) else {
            return false;
        };
        let set = &mut self.all[new];
        let other = set.min_ready_seconds != spec.min_ready_seconds;
        set.min_ready_seconds = spec.min_ready_seconds;
        other
    }

    fn ensure_new(&mut self, spec: &Spec) {
        if self.position(&spec.version).is_some() {
            return;
        }
        let (surge, _) = spec.limits();
        let replicas = if spec.is_rolling() {
            self.raised(spec, 0)
        } else {
            spec.replicas
        };
        self.counter += 1;
        self.all.push(ReplicaSet {
            version: spec.version.clone(),
            created: self.counter,
            replicas,
            min_ready_seconds: spec.min_ready_seconds,
            counted_by: spec.min_ready_seconds,
            desired: spec.replicas,
            most: spec.replicas + surge,
            pods: Vec::new(),
        });
    }

    /// The size of the new ReplicaSet after a rolling step.
    fn raised(&self, spec: &Spec, new: u32) -> u32 {
        let (surge, _) = spec.limits();
        let most = spec.replicas + surge;
        let all = self.replicas();
        if all >= most {
            return new;
        }
        new + (most - all).min(spec.replicas.saturating_sub(new))
    }

    fn resize(&mut self, position: usize, replicas: u32, spec: &Spec) -> bool {
        if self.all[position].replicas == replicas {
            return false;
        }
        self.set_size(position, replicas, spec);
        true
    }

    fn set_size(&mut self, position: usize, replicas: u32, spec: &Spec) {
        let (surge, _) = spec.limits();
        let set = &mut self.all[position];
        set.replicas = replicas;
        set.desired = spec.replicas;
        set.most = spec.replicas + surge;
    }

    fn rolling(&mut self, spec: &Spec, now: u64) {
        let Some(new) = self.position(&spec.version) else {
            return;
        };
        let replicas = self.all[new].replicas;
        let wanted = if replicas > spec.replicas {
            spec.replicas
        } else {
            self.raised(spec, replicas)
        };
        if replicas != spec.replicas && self.resize(new, wanted, spec) {
            return;
        }
        self.retire(spec, new, now);
    }

    fn retire(&mut self, spec: &Spec, new: usize, now: u64) {
        let old: Vec<usize> = (0..self.all.len())
            .filter(|position| *position != new)
            .collect();
        if old.iter().all(|position| self.all[*position].replicas == 0) {
            return;
        }
        let (_, unavailable) = spec.limits();
        let least = i64::from(spec.replicas) - i64::from(unavailable);
        let unready = i64::from(self.all[new].replicas) - i64::from(self.all[new].available(now));
        let most = i64::from(self.replicas()) - least - unready;
        if most <= 0 {
            return;
        }
        // unhealthy old pods first
        let mut cleaned = 0;
        for position in &old {
            let set = &self.all[*position];
            let sick = i64::from(set.replicas) - i64::from(set.available(now));
            if cleaned >= most || set.replicas == 0 || sick <= 0 {
                continue;
            }
            let fewer = sick.min(most - cleaned);
            cleaned += fewer;
            let left = i64::from(set.replicas) - fewer;
            self.resize(*position, u32::try_from(left).unwrap_or(0), spec);
        }
        // then available ones, as far as enough stay available
        let available: i64 = self
            .all
            .iter()
            .map(|set| i64::from(set.available(now)))
            .sum();
        let mut left = available - least;
        for position in old {
            let replicas = self.all[position].replicas;
            if left <= 0 || replicas == 0 {
                continue;
            }
            let fewer = i64::from(replicas).min(left);
            left -= fewer;
            let rest = i64::from(replicas) - fewer;
            self.resize(position, u32::try_from(rest).unwrap_or(0), spec);
        }
    }

    fn recreate(&mut self, spec: &Spec) {
        let old: Vec<usize> = (0..self.all.len())
            .filter(|position| self.all[*position].version != spec.version)
            .collect();
        let mut scaled = false;
        for position in &old {
            scaled |= self.resize(*position, 0, spec);
        }
        if scaled
            || old
                .iter()
                .any(|position| !self.all[*position].pods.is_empty())
        {
            return;
        }
        self.ensure_new(spec);
        if let Some(new) = self.position(&spec.version) {
            self.resize(new, spec.replicas, spec);
        }
    }

    fn scale(&mut self, spec: &Spec, now: u64) {
        let new = self.position(&spec.version);
        let active: Vec<usize> = (0..self.all.len())
            .filter(|position| self.all[*position].replicas > 0)
            .collect();
        let single = match active.as_slice() {
            // none: the new one, else the newest
            [] => new.or_else(|| self.all.len().checked_sub(1)),
            [only] => Some(*only),
            _ => None,
        };
        if let Some(only) = single {
            self.resize(only, spec.replicas, spec);
            return;
        }
        if active.is_empty() {
            return;
        }
        if let Some(new) = new
            && self.all[new].replicas == spec.replicas
            && self.all[new].desired == spec.replicas
            && self.all[new].available(now) == spec.replicas
        {
            for position in active {
                if position != new {
                    self.resize(position, 0, spec);
                }
            }
            return;
        }
        if spec.is_rolling() {
            self.in_proportion(spec, active);
        }
    }

    /// Every active ReplicaSet is scaled in proportion until they have replicas + maxSurge together; what rounding leaves goes to the largest.
    fn in_proportion(&mut self, spec: &Spec, mut active: Vec<usize>) {
        let (surge, _) = spec.limits();
        let allowed = if spec.replicas > 0 {
            i64::from(spec.replicas + surge)
        } else {
            0
        };
        let total: i64 = active
            .iter()
            .map(|position| i64::from(self.all[*position].replicas))
            .sum();
        let to_add = allowed - total;
        // scaling up the newer of two equals comes first, scaling down the older
        active.sort_by_key(|position| {
            let set = &self.all[*position];
            let age = i64::try_from(set.created).unwrap_or(i64::MAX);
            (
                std::cmp::Reverse(set.replicas),
                if to_add > 0 { -age } else { age },
            )
        });
        let existing: i64 = self
            .all
            .iter()
            .map(|set| i64::from(count(set.pods.iter())))
            .sum();
        let mut added = 0;
        let mut sizes = Vec::new();
        for position in &active {
            let set = &self.all[*position];
            let mut size = i64::from(set.replicas);
            if to_add != 0 && to_add != added {
                let share = fraction(spec, set, existing);
                let open = to_add - added;
                let change = if to_add > 0 {
                    share.min(open)
                } else {
                    share.max(open)
                };
                size += change;
                added += change;
            }
            sizes.push(size);
        }
        if to_add != 0
            && let Some(first) = sizes.first_mut()
        {
            *first = (*first + to_add - added).max(0);
        }
        for (position, size) in active.into_iter().zip(sizes) {
            self.set_size(position, u32::try_from(size).unwrap_or(0), spec);
        }
    }

    fn is_complete(&self, spec: &Spec, now: u64) -> bool {
        self.of(&spec.version).is_some_and(|new| {
            new.replicas == spec.replicas
                && new.available(now) == spec.replicas
                && self
                    .all
                    .iter()
                    .all(|set| set.version == spec.version || set.pods.is_empty())
        })
    }

    fn drop_history(&mut self, spec: &Spec) {
        let is_history = |set: &ReplicaSet| {
            set.version != spec.version && set.replicas == 0 && set.pods.is_empty()
        };
        let old = self
            .all
            .iter()
            .filter(|set| set.version != spec.version)
            .count();
        let mut surplus = old.saturating_sub(spec.history);
        self.all.retain(|set| {
            let goes = surplus > 0 && is_history(set);
            surplus -= usize::from(goes);
            !goes
        });
    }
}

fn fraction(spec: &Spec, set: &ReplicaSet, existing: i64) -> i64 {
    let replicas = i64::from(set.replicas);
    if spec.replicas == 0 {
        return -replicas;
    }
    let (surge, _) = spec.limits();
    let now = i64::from(spec.replicas + surge);
    let before = match i64::from(set.most) {
        0 => existing,
        most => most,
    };
    if before == 0 {
        return 0;
    }
    // rounded half away from zero, as the controller does; all numbers are positive
    (2 * replicas * now + before) / (2 * before) - replicas
}

#[cfg(test)]
mod tests;
