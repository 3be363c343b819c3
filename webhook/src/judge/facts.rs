//! What is known about one workload, gathered from the indexes for the planner.

use std::{collections::BTreeMap, time::Instant};

use serde_json::Value;
use sluice_api::{
    GateState, Mode, WhenClosed, gate::ReasonEntry, reason::GateReason, release::ReleasePhase,
};
use sluice_planner::{
    admission::{Facts, GateFact, Request},
    gate,
    selection::{self, Selects, Workload},
};

use crate::index::{
    Indexes,
    reduce::{GateEntry, PlanEntry},
};

/// The labels of an object.
fn labels(object: &Value) -> BTreeMap<String, String> {
    object
        .pointer("/metadata/labels")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect()
}

/// Everything admission decides a workload by.
///
/// Gates are matched by the labels before and after the request, so nobody steps around a gate by dropping its label in the very request it guards.
pub(super) fn gather(indexes: &Indexes, request: &Request<'_>, mode: Mode, now: Instant) -> Facts {
    let Request {
        kind,
        namespace,
        name,
        old,
        new,
        ..
    } = *request;
    let system = indexes.system_namespace.as_str();
    let new_labels = labels(new);
    let old_labels = old
        .map(labels)
        .filter(|old_labels| *old_labels != new_labels);
    let workload = Workload {
        namespace,
        kind,
        name,
        labels: &new_labels,
    };
    let before = old_labels
        .as_ref()
        .map(|labels| Workload { labels, ..workload });

    let fresh = indexes.heartbeat_fresh(now);
    let reach = indexes.within_reach(&indexes.gates, namespace);
    let gates = reach.iter().flatten().flat_map(|bucket| bucket.values());
    let gates = gates
        .filter(|gate| {
            selection::selects(*gate, workload, system)
                || before.is_some_and(|before| selection::selects(*gate, before, system))
        })
        .map(|gate| fact(gate, fresh))
        .collect();

    let reach = indexes.within_reach(&indexes.plans, namespace);
    let plans = reach.iter().flatten().flat_map(|bucket| bucket.values());
    // a plan that cannot work counts too: what it should step is held, the controller says why it waits
    let applies = selection::applicable_plan::<PlanEntry>(workload, system, plans).is_some();
    let plan = applies && mode == Mode::Enforce;

    let uid = old
        .and_then(|old| old.pointer("/metadata/uid"))
        .and_then(Value::as_str)
        .unwrap_or_default();
    let mut releases: Vec<_> = (!uid.is_empty())
        .then(|| indexes.releases.bucket(uid))
        .flatten()
        .iter()
        .flat_map(|bucket| bucket.values())
        .cloned()
        .collect();
    releases.sort_by_key(|release| release.age());
    let releases: Vec<_> = releases.into_iter().map(|release| release.fact).collect();
    let stable = releases
        .iter()
        .rev()
        .find(|release| release.phase == ReleasePhase::Succeeded)
        .map(|release| release.target.clone());

    Facts {
        plan,
        plan_idle: applies && !plan,
        gates,
        stable,
        releases,
    }
}

/// The names of the gates that let no release in now.
pub(super) fn refusing(gates: Vec<GateFact>) -> Vec<String> {
    gates
        .into_iter()
        .filter(|gate| gate.state != GateState::Open && gate.when_closed == WhenClosed::Deny)
        .map(|gate| gate.name)
        .collect()
}

fn fact(entry: &GateEntry, fresh: bool) -> GateFact {
    let name = format!("{}/{}", entry.namespace(), entry.name());
    match entry {
        GateEntry::Readable(known) => {
            let (state, reasons) = gate::effective(known, fresh);
            GateFact {
                name,
                state,
                reasons,
                when_closed: known.spec.when_closed,
            }
        }
        GateEntry::Unreadable(broken) => GateFact {
            name,
            state: GateState::Unknown,
            reasons: vec![ReasonEntry {
                reason: GateReason::NotAccepted,
                message: format!(
                    "the gate cannot be read: {}",
                    broken.why.chars().take(300).collect::<String>()
                ),
                since: None,
            }],
            when_closed: WhenClosed::Deny,
        },
    }
}
