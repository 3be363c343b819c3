//! An observation, read: where the Deployment stands in its release.

use serde_json::Value;
use sluice_api::{
    Release, ReleaseStatus, RolloutMode,
    annotation::{Hold, Originals},
    release::{PodCounts, StableTemplate},
};

use super::observation::{Observation, Plan, ReplicaSet};
use crate::{
    annotations::is_of,
    batches::Batches,
    deployment::{DeploymentView, PIN_PROGRESS_DEADLINE_SECONDS, Strategy},
    share::Share,
    steps::{Counts, Limits, Mode},
};

/// A release under way and all that is known about it.
pub(super) struct Situation<'a> {
    pub seen: &'a Observation,
    pub view: DeploymentView<'a>,
    pub release: &'a Release,
    /// The hash of the live template.
    pub live: String,
    /// The hold of the live template's release.
    pub hold: Option<Hold>,
    /// The user's values of the stepped fields.
    pub originals: Originals,
    /// The pin of this very release was written.
    pub landed: bool,
    /// An annotation of ours cannot be read: nothing moves forward.
    pub unreadable: Option<String>,
    pub counts: Counts,
    /// Pods of the new version that exist.
    pub new_existing: u32,
}

impl<'a> Situation<'a> {
    pub fn of(
        seen: &'a Observation,
        view: DeploymentView<'a>,
        live: String,
        hold: Option<Hold>,
        release: &'a Release,
    ) -> Self {
        let target = &release.spec.target.hash;
        let annotated = match &seen.originals {
            Ok(Some(originals)) if is_of(&originals.uid, &view) => Some(originals),
            _ => None,
        };
        let landed = live == *target && annotated.is_some_and(|found| found.target == *target);
        let originals = annotated
            .filter(|found| landed || view.is_pinned() || found.target == *target)
            .cloned()
            .or_else(|| {
                if view.is_pinned() {
                    release.spec.originals().ok()
                } else {
                    None
                }
            })
            .unwrap_or_else(|| live_values(&view, target));
        let unreadable = [seen.hold.as_ref().err(), seen.originals.as_ref().err()]
            .into_iter()
            .flatten()
            .next()
            .cloned();
        let counts = counts(&view, &seen.replica_sets, target);
        let new_existing = of_version(&seen.replica_sets, target)
            .map(|set| set.existing)
            .sum();
        Self {
            seen,
            view,
            release,
            live,
            hold,
            originals,
            landed,
            unreadable,
            counts,
            new_existing,
        }
    }

    pub fn target(&self) -> &'a str {
        &self.release.spec.target.hash
    }

    pub fn name(&self) -> &'a str {
        self.release.metadata.name.as_deref().unwrap_or_default()
    }

    pub fn stable(&self) -> Option<&'a StableTemplate> {
        self.release.spec.stable.as_ref()
    }

    pub fn stored(&self) -> ReleaseStatus {
        self.release.status.clone().unwrap_or_default()
    }

    /// What the user wants `paused` to be.
    pub fn paused_by_user(&self) -> bool {
        match &self.hold {
            Some(hold) if !self.landed => hold.paused,
            _ => self.view.paused,
        }
    }

    /// The hold on the workload that speaks of this release, whatever template is live.
    pub fn hold_of_release(&self) -> Option<&'a Hold> {
        let hold = self.seen.hold.as_ref().ok()?.as_ref()?;
        (is_of(&hold.uid, &self.view) && hold.target == self.target()).then_some(hold)
    }

    /// Why nothing may be concluded from the counts yet; `None` when the Deployment controller has caught up and the counts agree with each other.
    pub fn unsettled(&self) -> Option<String> {
        self.unsettled_as(self.target())
    }

    /// The same for a Deployment whose live template is `version`.
    pub fn unsettled_as(&self, version: &str) -> Option<String> {
        if !self.view.is_observed() {
            return Some(format!(
                "the Deployment controller has seen generation {} of {}",
                self.view.observed_generation, self.view.generation
            ));
        }
        if let Some(set) = self.seen.replica_sets.iter().find(|set| !set.observed) {
            return Some(format!(
                "the ReplicaSet controller has not seen the last change of {}",
                set.name
            ));
        }
        // the two objects come by different ways: a Deployment that is newer than its ReplicaSets must not be judged by them
        let existing: u32 = self.seen.replica_sets.iter().map(|set| set.existing).sum();
        let updated: u32 = of_version(&self.seen.replica_sets, version)
            .map(|set| set.existing)
            .sum();
        if existing != self.view.existing || updated != self.view.updated {
            return Some(format!(
                "the Deployment counts {} pods, {} of them of its template; its ReplicaSets count {existing} and {updated}",
                self.view.existing, self.view.updated
            ));
        }
        // more than it may want at rest: it has not scaled yet, or what is seen is from before it did
        let wanted: u32 = self.seen.replica_sets.iter().map(|set| set.replicas).sum();
        let most = self.view.replicas + self.limits()?.surge;
        (wanted > most).then(|| {
            format!(
                "{wanted} pods are wanted and {most} allowed: the Deployment controller is not done"
            )
        })
    }

    /// What keeps pods of the new version from being created.
    pub fn refused(&self) -> Option<String> {
        of_version(&self.seen.replica_sets, self.target())
            .find_map(|set| set.failure.clone())
            .or_else(|| self.view.replica_failure.map(str::to_owned))
    }

    pub fn pods(&self) -> PodCounts {
        let other_ready = self
            .seen
            .replica_sets
            .iter()
            .filter(|set| set.template_hash != self.target())
            .map(|set| set.ready)
            .sum();
        PodCounts {
            replicas: self.view.replicas,
            new: self.counts.new.max(self.new_existing),
            new_ready: self.counts.new_ready,
            old: self.counts.old_existing,
            old_ready: other_ready,
        }
    }

    /// How batches take their place under `plan`.
    pub fn mode(&self, plan: &sluice_api::RolloutPlanSpec) -> Mode {
        let users = Strategy::of(self.originals.strategy.as_ref())
            .ok()
            .and_then(|strategy| strategy.limits(self.view.replicas));
        match users {
            Some((surge, _)) if surge > 0 && plan.mode == RolloutMode::Surge => {
                Mode::Surge { most: surge }
            }
            // all or nothing is the user's choice: one by one is the nearest that can be stepped
            users => Mode::Replace {
                most: users.map_or(1, |(_, unavailable)| unavailable.max(1)),
            },
        }
    }

    /// The user's own maxSurge as written.
    pub fn users_surge(&self) -> Share {
        match Strategy::of(self.originals.strategy.as_ref()) {
            Ok(Strategy::RollingUpdate { surge, .. }) => surge,
            _ => Share::Pods(0),
        }
    }

    /// The user wants all or nothing.
    pub fn is_recreate(&self) -> bool {
        matches!(
            Strategy::of(self.originals.strategy.as_ref()),
            Ok(Strategy::Recreate)
        )
    }

    /// What stands on the Deployment now, in pods.
    pub fn limits(&self) -> Option<Limits> {
        let (surge, unavailable) = self.view.strategy.limits(self.view.replicas)?;
        Some(Limits { surge, unavailable })
    }

    /// Whether the pin stands whole.
    pub fn pin_stands(&self) -> bool {
        self.view.is_pinned()
            && self.view.progress_deadline_seconds == PIN_PROGRESS_DEADLINE_SECONDS
    }

    pub fn plan(&self) -> Option<(&'a sluice_api::RolloutPlanSpec, Batches)> {
        match &self.seen.plan {
            Plan::Active { spec, .. } => Some((spec, Batches::of(spec))),
            Plan::Missing { .. } => None,
        }
    }
}

/// The stepped fields as they stand on the Deployment.
pub(super) fn live_values(view: &DeploymentView, target: &str) -> Originals {
    let field = |name: &str| {
        view.spec
            .get(name)
            .filter(|value| !value.is_null())
            .cloned()
    };
    Originals {
        uid: view.uid.to_owned(),
        target: target.to_owned(),
        strategy: field("strategy"),
        min_ready_seconds: field("minReadySeconds"),
        progress_deadline_seconds: field("progressDeadlineSeconds"),
    }
}

fn of_version<'a>(sets: &'a [ReplicaSet], hash: &'a str) -> impl Iterator<Item = &'a ReplicaSet> {
    sets.iter().filter(move |set| set.template_hash == hash)
}

/// The pods by version, as seen from `version`.
pub(super) fn counts(view: &DeploymentView, sets: &[ReplicaSet], version: &str) -> Counts {
    let mut counts = Counts {
        replicas: view.replicas,
        new: 0,
        new_ready: 0,
        old: 0,
        old_existing: 0,
    };
    for set in sets {
        if set.template_hash == version {
            counts.new += set.replicas;
            counts.new_ready += set.ready;
        } else {
            counts.old += set.replicas;
            counts.old_existing += set.existing;
        }
    }
    counts
}

/// A stepped field of the user as a JSON value.
pub(super) fn users_value<'o>(originals: &'o Originals, field: &str) -> Option<&'o Value> {
    crate::admission::originals::value(originals, field)
}
