//! Which records of finished releases are history. Pure.

use std::{collections::HashMap, sync::Arc};

use sluice_api::{Release, ReleasePhase, annotation::DENIED_KEPT};

use crate::cache::is_finished;

/// Finished releases kept per workload: every one that a denied template may name, and a few more.
pub const KEPT: usize = DENIED_KEPT + 4;

/// The finished releases that may go: beyond the newest [`KEPT`] of their workload, and not the last that succeeded, which says what is stable.
#[must_use]
pub fn surplus(releases: impl IntoIterator<Item = Arc<Release>>) -> Vec<Arc<Release>> {
    let mut by_workload: HashMap<String, Vec<Arc<Release>>> = HashMap::new();
    for release in releases {
        if is_finished(&release) {
            by_workload
                .entry(release.spec.workload.uid.clone())
                .or_default()
                .push(release);
        }
    }
    let mut surplus = Vec::new();
    for mut finished in by_workload.into_values() {
        if finished.len() <= KEPT {
            continue;
        }
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
        finished.sort_by_key(|release| std::cmp::Reverse(age(release)));
        let proved = finished
            .iter()
            .find(|release| {
                release
                    .status
                    .as_ref()
                    .is_some_and(|status| status.phase == ReleasePhase::Succeeded)
            })
            .and_then(|release| release.metadata.uid.clone());
        surplus.extend(
            finished
                .into_iter()
                .skip(KEPT)
                .filter(|release| proved.is_none() || release.metadata.uid != proved),
        );
    }
    surplus
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn release(n: usize, phase: &str) -> Arc<Release> {
        Arc::new(
            serde_json::from_value(json!({
                "apiVersion": "sluice.dev/v1alpha1", "kind": "Release",
                "metadata": {"name": format!("r{n:02}"), "uid": format!("r{n:02}"), "creationTimestamp": "2026-01-01T00:00:00Z"},
                "spec": {"workload": {"kind": "Deployment", "name": "checkout", "uid": "u"}, "target": {"hash": "0123456789"},
                    "originals": {}, "plan": {"namespace": "shop", "name": "p"}},
                "status": {"phase": phase},
            }))
            .unwrap(),
        )
    }

    #[test]
    fn the_newest_and_the_last_proved_one_are_kept() {
        let mut all: Vec<_> = (0..KEPT + 4).map(|n| release(n, "RolledBack")).collect();
        all[1] = release(1, "Succeeded");
        all.push(release(99, "Baking"));
        let names: Vec<_> = surplus(all)
            .iter()
            .map(|release| release.metadata.name.clone().unwrap())
            .collect();
        assert_eq!(names, ["r03", "r02", "r00"]);
    }
}
