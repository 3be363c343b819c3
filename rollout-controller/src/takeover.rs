//! Releases that slipped by: a template changed while nobody held it, because the webhook was down or not yet installed.
//!
//! Such a release is told (an Event, a metric) and left alone. It is not pinned late: by the time it is seen its pods may run everywhere, and a pin would
//! make every new pod of it unavailable. The next release takes what runs then as its baseline. Pure.

use std::sync::Arc;

use sluice_api::{Release, ReleasePhase};

use crate::cache::rows::DeploymentRow;

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
