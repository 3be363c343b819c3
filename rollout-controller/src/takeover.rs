//! Releases that slipped by: a template changed while nobody held it, because the webhook was down or not yet installed.
//!
//! Such a release is told (an Event, a metric) and left alone. It is not pinned late: by the time it is seen its pods may run everywhere, and a pin would
//! make every new pod of it unavailable. The next release takes what runs then as its baseline.
//!
//! The same goes for workloads that stepped aside: guarded by a gate or a plan, and judged by nobody because a controller owns them. Pure.

use std::sync::Arc;

use sluice_api::{Gate, Release, ReleasePhase, RolloutPlan, WorkloadKind, label::Mode};
use sluice_planner::selection::{self, Workload};

use crate::cache::{rows::DeploymentRow, table::Key};

/// Who owns a Deployment that a gate or a plan would guard, were it not for that owner.
#[must_use]
pub fn stepped_aside<'r>(
    (key, row): (&Key, &'r DeploymentRow),
    mode: Mode,
    gates: &[(Key, Arc<Gate>)],
    plans: &[(Key, Arc<RolloutPlan>)],
    system: &str,
) -> Option<&'r str> {
    let owner = row.controlled_by.as_deref()?;
    if row.deleting || mode == Mode::Off {
        return None;
    }
    let workload = Workload {
        namespace: &key.namespace,
        kind: WorkloadKind::Deployment,
        name: &key.name,
        labels: &row.labels,
    };
    let guarded = gates
        .iter()
        .any(|(_, gate)| selection::selects(gate.as_ref(), workload, system))
        || plans
            .iter()
            .any(|(_, plan)| selection::selects(plan.as_ref(), workload, system));
    guarded.then_some(owner)
}

/// Whether a Deployment at rest runs a template that its last release did not leave there; the text says what was expected.
///
/// A Deployment without any Release is not judged: what ran when Sluice came is the baseline.
#[must_use]
pub fn unheld(row: &DeploymentRow, releases: &[Arc<Release>]) -> Option<String> {
    let last = releases.iter().max_by(|one, other| {
        let age = |release: &Release| {
            (
                release
                    .metadata
                    .creation_timestamp
                    .as_ref()
                    .map(|time| time.0),
                release.metadata.name.clone(),
            )
        };
        age(one).cmp(&age(other))
    })?;
    let stable = last.spec.stable.as_ref().map(|stable| stable.hash.as_str());
    let target = last.spec.target.hash.as_str();
    let expected = match last.status.as_ref()?.phase {
        ReleasePhase::Succeeded => vec![target],
        ReleasePhase::RolledBack | ReleasePhase::RollbackIneffective => Vec::from_iter(stable),
        // it ended without saying what is left: either version may run
        ReleasePhase::Failed | ReleasePhase::Superseded => {
            [Some(target), stable].into_iter().flatten().collect()
        }
        _ => return None,
    };
    if expected.is_empty() || expected.contains(&row.template_hash.as_str()) {
        return None;
    }
    let short = |hash: &str| hash.chars().take(10).collect::<String>();
    Some(format!(
        "template {} is not what release {} left ({})",
        short(&row.template_hash),
        last.metadata.name.as_deref().unwrap_or_default(),
        expected
            .iter()
            .map(|hash| short(hash))
            .collect::<Vec<_>>()
            .join(" or "),
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cache::table::Row;

    #[test]
    fn an_owned_workload_steps_aside_where_something_guards_it() {
        let row = |metadata: serde_json::Value| {
            let mut object = json!({
                "metadata": {"name": "checkout", "namespace": "shop", "uid": "u"},
                "spec": {"template": {"spec": {"containers": []}}},
            });
            for (field, value) in metadata.as_object().unwrap() {
                object["metadata"][field] = value.clone();
            }
            DeploymentRow::read(object).unwrap()
        };
        let owned = json!([{"kind": "ConfigMap", "name": "mine", "uid": "1", "controller": true}]);
        let plan = |names: &str| {
            let plan: RolloutPlan = serde_json::from_value(json!({
                "apiVersion": "sluice.dev/v1alpha1", "kind": "RolloutPlan", "metadata": {"name": "p", "namespace": "shop"},
                "spec": {"components": {"names": [names]}},
            }))
            .unwrap();
            vec![(Key::new("shop", "p"), Arc::new(plan))]
        };
        let gate = |namespace: &str| {
            let gate: Gate = serde_json::from_value(json!({
                "apiVersion": "sluice.dev/v1alpha1", "kind": "Gate", "metadata": {"name": "g", "namespace": namespace},
                "spec": {"components": {}, "before": {"probes": [{"name": "p"}]}},
            }))
            .unwrap();
            vec![(Key::new(namespace, "g"), Arc::new(gate))]
        };
        let key = Key::new("shop", "checkout");
        for (what, metadata, mode, gates, plans, expected) in [
            (
                "a plan",
                json!({"ownerReferences": owned}),
                Mode::Enforce,
                vec![],
                plan("checkout"),
                true,
            ),
            (
                "a gate",
                json!({"ownerReferences": owned}),
                Mode::Warn,
                gate("shop"),
                vec![],
                true,
            ),
            (
                "a gate for all",
                json!({"ownerReferences": owned}),
                Mode::Enforce,
                gate("sluice-system"),
                vec![],
                true,
            ),
            (
                "another's plan",
                json!({"ownerReferences": owned}),
                Mode::Enforce,
                vec![],
                plan("cart"),
                false,
            ),
            (
                "another's gate",
                json!({"ownerReferences": owned}),
                Mode::Enforce,
                gate("bank"),
                vec![],
                false,
            ),
            (
                "mode off",
                json!({"ownerReferences": owned}),
                Mode::Off,
                gate("shop"),
                vec![],
                false,
            ),
            (
                "not owned",
                json!({}),
                Mode::Enforce,
                gate("shop"),
                plan("checkout"),
                false,
            ),
            (
                "on its way out",
                json!({"ownerReferences": owned, "deletionTimestamp": "2026-01-01T00:00:00Z"}),
                Mode::Enforce,
                gate("shop"),
                vec![],
                false,
            ),
        ] {
            let row = row(metadata);
            let found = stepped_aside((&key, &row), mode, &gates, &plans, "sluice-system");
            assert_eq!(found, expected.then_some("ConfigMap/mine"), "{what}");
        }
    }

    #[test]
    fn a_template_that_no_release_left_is_told() {
        let row = DeploymentRow::read(json!({
            "metadata": {"name": "checkout", "namespace": "shop", "uid": "u"},
            "spec": {"template": {"spec": {"containers": []}}},
        }))
        .unwrap();
        let runs = row.template_hash.clone();
        let other = "f".repeat(64);
        let release = |name: &str, target: &str, stable: Option<&str>, phase: &str| {
            let release: Release = serde_json::from_value(json!({
                "apiVersion": "sluice.dev/v1alpha1", "kind": "Release",
                "metadata": {"name": name, "creationTimestamp": "2026-01-01T00:00:00Z"},
                "spec": {"workload": {"kind": "Deployment", "name": "checkout", "uid": "u"}, "target": {"hash": target},
                    "stable": stable.map(|hash| json!({"hash": hash, "template": {}})),
                    "originals": {}, "plan": {"namespace": "shop", "name": "p"}},
                "status": {"phase": phase},
            }))
            .unwrap();
            Arc::new(release)
        };
        for (what, releases, slipped) in [
            ("no release yet: the baseline", vec![], false),
            (
                "succeeded",
                vec![release("a", &runs, None, "Succeeded")],
                false,
            ),
            (
                "succeeded, then changed",
                vec![release("a", &other, None, "Succeeded")],
                true,
            ),
            (
                "rolled back",
                vec![release("a", &other, Some(&runs), "RolledBack")],
                false,
            ),
            (
                "rolled back, yet it runs",
                vec![release("a", &runs, Some(&other), "RolledBack")],
                true,
            ),
            (
                "failed",
                vec![release("a", &runs, Some(&other), "Failed")],
                false,
            ),
            (
                "under way",
                vec![release("a", &other, None, "Baking")],
                false,
            ),
            (
                "the last one counts",
                vec![
                    release("a", &other, None, "Succeeded"),
                    release("b", &runs, None, "Succeeded"),
                ],
                false,
            ),
        ] {
            assert_eq!(unheld(&row, &releases).is_some(), slipped, "{what}");
        }
    }
}
