//! Which Release a pass is about, and which version a rollback would return to. Pure.

use std::sync::Arc;

use jiff::Timestamp;
use sluice_api::{
    Release, ReleasePhase,
    annotation::{Denied, Hold},
};

use crate::{
    cache::{is_finished, rows::ReplicaSetRow},
    validate::cut,
};

/// One sentence: eight denied templates are remembered on a workload.
const REASON: usize = 240;

/// When a Release was made, then its name: the youngest sorts last.
fn age(release: &Release) -> (Option<Timestamp>, Option<&str>) {
    (
        release
            .metadata
            .creation_timestamp
            .as_ref()
            .map(|time| time.0),
        release.metadata.name.as_deref(),
    )
}

/// The Release this pass is about, and others that may matter, youngest last. The one: whichever the hold names, else the youngest unfinished. The
/// others: unfinished ones, and finished ones with a retry for a template that is still denied.
pub(crate) fn pick(
    releases: &[Arc<Release>],
    hold: Option<&Hold>,
    denied: &[Denied],
) -> (Option<Arc<Release>>, Vec<Arc<Release>>) {
    let mut releases = releases.to_vec();
    releases.sort_by(|one, other| age(one).cmp(&age(other)));
    let name = |release: &Release| release.metadata.name.clone();
    let chosen = match hold {
        // the Release of a hold that is not recorded yet must be made, not replaced by an older one
        Some(hold) => releases.iter().find(|release| {
            name(release).as_deref() == Some(hold.release.as_str())
                && release.spec.target.hash == hold.target
        }),
        None => releases.iter().rfind(|release| !is_finished(release)),
    }
    .cloned();
    let retried = |release: &Release| {
        release.spec.retry.is_some()
            && denied
                .iter()
                .any(|denied| Some(denied.release.as_str()) == name(release).as_deref())
    };
    let others = releases
        .into_iter()
        .filter(|release| !is_finished(release) || retried(release))
        .filter(|release| {
            chosen
                .as_ref()
                .is_none_or(|chosen| name(chosen) != name(release))
        })
        .collect();
    (chosen, others)
}

/// The templates that releases proved bad, oldest first: not those that a human forgave or that a later release proved well.
pub(crate) fn condemned(releases: &[Arc<Release>]) -> Vec<Denied> {
    let mut releases: Vec<&Arc<Release>> = releases.iter().collect();
    releases.sort_by(|one, other| age(one).cmp(&age(other)));
    let mut bad: Vec<Denied> = Vec::new();
    for release in releases {
        let Some(status) = &release.status else {
            continue;
        };
        let target = &release.spec.target.hash;
        if status.phase == ReleasePhase::Succeeded || status.blames_template() {
            bad.retain(|known| known.target != *target);
        }
        if status.blames_template() && release.spec.retry.is_none() {
            let why = status.abort.as_ref().map(|abort| abort.message.as_str());
            bad.push(Denied {
                uid: release.spec.workload.uid.clone(),
                target: target.clone(),
                release: release.metadata.name.clone().unwrap_or_default(),
                reason: cut(why.unwrap_or("it did not succeed"), REASON),
            });
        }
    }
    bad
}

/// The ReplicaSet of the version that a rollback would return to. What runs is the baseline: the last version that a release proved, if it still has ready
/// pods; else the version with the most ready pods; with no ready pod anywhere the last proved one, then the one the hold names. A version of which no pod is ready and
/// which nothing ever proved is nothing to return to, and neither is one that a release proved bad, however ready its pods are: a failure then waits for a human,
/// and no rollback that cannot help locks the fix out.
pub(crate) fn baseline<'a>(
    target: &str,
    named: Option<&str>,
    releases: &[Arc<Release>],
    sets: &'a [Arc<ReplicaSetRow>],
) -> Option<&'a ReplicaSetRow> {
    let mut proved: Vec<&Arc<Release>> = releases
        .iter()
        .filter(|release| {
            release
                .status
                .as_ref()
                .is_some_and(|status| status.phase == ReleasePhase::Succeeded)
        })
        .collect();
    proved.sort_by(|one, other| age(one).cmp(&age(other)));
    let proved = proved
        .last()
        .map(|release| release.spec.target.hash.as_str());
    let bad = condemned(releases);
    let others: Vec<&ReplicaSetRow> = sets
        .iter()
        .map(AsRef::as_ref)
        .filter(|set| set.facts.template_hash != target)
        .filter(|set| !bad.iter().any(|bad| bad.target == set.facts.template_hash))
        .collect();
    let of = |hash: Option<&str>| {
        others
            .iter()
            .find(|set| Some(set.facts.template_hash.as_str()) == hash)
            .copied()
    };
    let most_ready = || {
        others
            .iter()
            .filter(|set| set.facts.ready > 0)
            .max_by(|one, other| {
                (one.facts.ready, &one.created).cmp(&(other.facts.ready, &other.created))
            })
            .copied()
    };
    of(proved)
        .filter(|set| set.facts.ready > 0)
        .or_else(most_ready)
        .or_else(|| of(proved))
        .or_else(|| of(named))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use sluice_planner::release::observation;

    use super::*;

    fn release(name: &str, created: &str, target: &str, phase: &str, retry: bool) -> Arc<Release> {
        let mut object = json!({
            "apiVersion": "sluice.dev/v1alpha1", "kind": "Release",
            "metadata": {"name": name, "namespace": "shop", "creationTimestamp": created},
            "spec": {"workload": {"kind": "Deployment", "name": "checkout", "uid": "u"}, "target": {"hash": target},
                "originals": {}, "plan": {"namespace": "shop", "name": "p"}},
            "status": {"phase": phase},
        });
        if retry {
            object["spec"]["retry"] = json!({"reason": "fixed the database"});
        }
        Arc::new(serde_json::from_value(object).unwrap())
    }

    fn set(template: &str, created: &str, ready: u32, replicas: u32) -> Arc<ReplicaSetRow> {
        Arc::new(ReplicaSetRow {
            namespace: "shop".into(),
            uid: template.into(),
            owner: Some("u".into()),
            created: created.into(),
            facts: observation::ReplicaSet {
                name: template.into(),
                pod_template_hash: template.into(),
                template_hash: template.into(),
                replicas,
                existing: replicas,
                ready,
                available: ready,
                observed: true,
                failure: None,
            },
        })
    }

    fn hold(target: &str, release: &str) -> Hold {
        Hold {
            uid: "u".into(),
            target: target.into(),
            stable: None,
            release: release.into(),
            paused: false,
        }
    }

    const DAY: [&str; 3] = [
        "2026-01-01T00:00:00Z",
        "2026-01-02T00:00:00Z",
        "2026-01-03T00:00:00Z",
    ];

    #[test]
    fn the_release_of_a_pass_is_the_one_the_hold_names() {
        let releases = [
            release("r1", DAY[0], "t1", "RolledBack", true),
            release("r2", DAY[1], "t2", "Baking", false),
            release("r3", DAY[2], "t3", "Held", false),
        ];
        let denied = [Denied {
            uid: "u".into(),
            target: "t1".into(),
            release: "r1".into(),
            reason: "bad".into(),
        }];
        let names = |(chosen, others): (Option<Arc<Release>>, Vec<Arc<Release>>)| {
            let name = |release: &Arc<Release>| release.metadata.name.clone().unwrap();
            (
                chosen.as_ref().map(name),
                others.iter().map(name).collect::<Vec<_>>(),
            )
        };
        let [r1, r2, r3] = ["r1", "r2", "r3"].map(ToOwned::to_owned);
        let all = vec![r1.clone(), r2.clone(), r3.clone()];
        for (what, hold, releases, expected) in [
            (
                "named",
                Some(hold("t2", "r2")),
                &releases[..],
                (Some(r2.clone()), vec![r1.clone(), r3.clone()]),
            ),
            (
                "not recorded yet",
                Some(hold("t4", "r4")),
                &releases[..],
                (None, all.clone()),
            ),
            (
                "same name, another template",
                Some(hold("t9", "r2")),
                &releases[..],
                (None, all),
            ),
            (
                "no hold",
                None,
                &releases[..],
                (Some(r3), vec![r1.clone(), r2]),
            ),
            ("a retry waits", None, &releases[..1], (None, vec![r1])),
        ] {
            assert_eq!(
                names(pick(releases, hold.as_ref(), &denied)),
                expected,
                "{what}"
            );
        }
        assert_eq!(names(pick(&releases[..1], None, &[])), (None, vec![]));
    }

    #[test]
    fn what_runs_is_the_baseline() {
        let proved = [release("r1", DAY[0], "t1", "Succeeded", false)];
        let failed = [release("r1", DAY[0], "b", "Failed", false)];
        let forgiven = [release("r1", DAY[0], "b", "Failed", true)];
        let redeemed = [
            release("r1", DAY[0], "b", "Failed", false),
            release("r2", DAY[1], "b", "Succeeded", false),
        ];
        let mut undone = Release::clone(&failed[0]);
        if let Some(status) = &mut undone.status {
            status.abort = Some(
                serde_json::from_value(
                    json!({"reason": "TemplateReverted", "message": "put back"}),
                )
                .unwrap(),
            );
        }
        let undone = [Arc::new(undone)];
        for (what, releases, named, sets, expected) in [
            (
                "nothing runs",
                &[][..],
                None,
                vec![set("new", DAY[2], 0, 0)],
                None,
            ),
            (
                "never released before",
                &[][..],
                None,
                vec![
                    set("a", DAY[0], 2, 2),
                    set("b", DAY[1], 8, 8),
                    set("new", DAY[2], 9, 9),
                ],
                Some("b"),
            ),
            (
                "the proved one while it runs",
                &proved[..],
                None,
                vec![set("t1", DAY[0], 1, 1), set("b", DAY[1], 9, 9)],
                Some("t1"),
            ),
            (
                "something slipped by",
                &proved[..],
                None,
                vec![set("t1", DAY[0], 0, 0), set("b", DAY[1], 9, 9)],
                Some("b"),
            ),
            (
                "nothing is ready: proved",
                &proved[..],
                Some("b"),
                vec![set("t1", DAY[0], 0, 0), set("b", DAY[1], 0, 9)],
                Some("t1"),
            ),
            (
                "nothing is ready: named",
                &[][..],
                Some("a"),
                vec![set("a", DAY[0], 0, 0), set("b", DAY[1], 0, 9)],
                Some("a"),
            ),
            (
                "nothing is ready, nothing was proved",
                &[][..],
                None,
                vec![set("a", DAY[0], 0, 0), set("b", DAY[1], 0, 9)],
                None,
            ),
            (
                "ready, and its only release failed",
                &failed[..],
                Some("b"),
                vec![set("b", DAY[1], 9, 9)],
                None,
            ),
            (
                "ready, failed, and a human forgave it",
                &forgiven[..],
                None,
                vec![set("b", DAY[1], 9, 9)],
                Some("b"),
            ),
            (
                "ready, failed, and proved well since",
                &redeemed[..],
                None,
                vec![set("b", DAY[1], 9, 9)],
                Some("b"),
            ),
            (
                "ready, and undone by a human who blamed nothing",
                &undone[..],
                None,
                vec![set("b", DAY[1], 9, 9)],
                Some("b"),
            ),
            (
                "of equals the younger",
                &[][..],
                None,
                vec![set("b", DAY[1], 3, 3), set("a", DAY[0], 3, 3)],
                Some("b"),
            ),
        ] {
            let found = baseline("new", named, releases, &sets).map(|set| set.facts.name.clone());
            assert_eq!(found.as_deref(), expected, "{what}");
        }
    }
}
