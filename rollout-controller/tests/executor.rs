//! The order and the preconditions of writes, against a small API server in memory: guarded patches, dry-run, field ownership, and failures on demand.

#![allow(clippy::unwrap_used)] // helpers of tests are not recognised as tests

mod api;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use api::Api;
use jiff::Timestamp;
use serde_json::{Value, json};
use sluice_api::{Release, ReleasePhase, ReleaseSpec, ReleaseStatus};
use sluice_planner::release::{
    decision::{Action, Decision, Write},
    observation::{Observation, Plan},
};
use sluice_rollout_controller::{
    cache::{Caches, table::Key},
    execute::{ExecuteError, Executor, Mandate, Outcome},
    found::Found,
    metrics::Metrics,
    ownership,
};

const DEPLOYMENT: &str = "/apis/apps/v1/namespaces/shop/deployments/checkout";
const RELEASE: &str = "/apis/sluice.dev/v1alpha1/namespaces/shop/releases/r1";

#[derive(Clone, Default)]
struct Lead(Arc<AtomicBool>);

impl Mandate for Lead {
    fn held(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
    fn term(&self) -> u64 {
        1
    }
}

struct Stage {
    api: Api,
    lead: Lead,
    caches: Caches,
    executor: Executor,
}

fn release_spec() -> ReleaseSpec {
    serde_json::from_value(json!({
        "workload": {"kind": "Deployment", "name": "checkout", "uid": "u"},
        "target": {"hash": "0123456789"}, "originals": {},
        "plan": {"namespace": "shop", "name": "p"},
    }))
    .unwrap()
}

fn stage(with_release: bool) -> Stage {
    let api = Api::default();
    api.put(
        DEPLOYMENT,
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {
                "name": "checkout", "namespace": "shop", "uid": "u",
                "annotations": {"sluice.dev/hold": "{}"},
                "managedFields": [{
                    "manager": "kubectl", "operation": "Apply", "apiVersion": "apps/v1", "fieldsType": "FieldsV1",
                    "fieldsV1": {"f:spec": {"f:paused": {}, "f:replicas": {}}},
                }],
            },
            "spec": {"replicas": 3, "paused": true, "template": {"spec": {}}},
        }),
    );
    if with_release {
        api.put(
            RELEASE,
            json!({
                "apiVersion": "sluice.dev/v1alpha1", "kind": "Release",
                "metadata": {"name": "r1", "namespace": "shop", "uid": "r"},
                "spec": release_spec(),
            }),
        );
    }
    let lead = Lead::default();
    lead.0.store(true, Ordering::SeqCst);
    let metrics = Metrics::new(&sluice_runtime::metrics::Metrics::new());
    let executor = Executor::new(api.client(), lead.clone(), metrics);
    Stage {
        api,
        lead,
        caches: Caches::default(),
        executor,
    }
}

impl Stage {
    fn found(&self) -> Found {
        let deployment = self.api.get(DEPLOYMENT).unwrap();
        let release: Option<Release> = self
            .api
            .get(RELEASE)
            .map(|release| serde_json::from_value(release).unwrap());
        self.caches.deployments.apply(deployment.clone());
        Found {
            key: Key::new("shop", "checkout"),
            sampling: Duration::from_secs(1),
            observation: Observation {
                now: Timestamp::UNIX_EPOCH,
                leaps: vec![],
                deployment,
                replica_sets: vec![],
                hold: Ok(None),
                originals: Ok(None),
                release,
                others: vec![],
                condemned: vec![],
                stable: None,
                plan: Plan::Missing { why: String::new() },
                gates: vec![],
                during: vec![],
                after: vec![],
                stable_proof: vec![],
                rehearsal: None,
            },
        }
    }

    async fn carry_out(&self, found: &Found, decision: Decision) -> Result<Outcome, ExecuteError> {
        self.executor
            .carry_out(&self.caches, found, &decision)
            .await
    }
}

fn patch_of(found: &Found) -> Vec<Value> {
    vec![
        json!({"op": "test", "path": "/metadata/resourceVersion", "value": found.observation.deployment["metadata"]["resourceVersion"]}),
        json!({"op": "add", "path": "/spec/paused", "value": false}),
    ]
}

fn decision(status: Option<ReleasePhase>, action: Action) -> Decision {
    Decision {
        status: status.map(|phase| ReleaseStatus {
            phase,
            ..ReleaseStatus::default()
        }),
        action,
        wake: None,
        close: vec![],
    }
}

#[tokio::test]
async fn the_status_is_stored_before_the_action_and_ownership_is_given_back_after_it() {
    let stage = stage(true);
    let found = stage.found();
    let patch = patch_of(&found);
    let outcome = stage
        .carry_out(
            &found,
            decision(
                Some(ReleasePhase::Aborting),
                Action::Patch {
                    write: Write::Rollback,
                    patch,
                },
            ),
        )
        .await
        .unwrap();
    assert_eq!(outcome, Outcome::Moved(None));
    assert_eq!(
        stage.api.writes(),
        [
            format!("PATCH {RELEASE}/status"),
            // who owned what, before it is taken
            format!("PATCH {RELEASE}"),
            format!("PATCH {DEPLOYMENT}"),
            format!("PATCH {DEPLOYMENT} managedFields"),
        ]
    );
    let live = stage.api.get(DEPLOYMENT).unwrap();
    assert_eq!(live["spec"]["paused"], false);
    assert_eq!(
        live["metadata"]["managedFields"],
        found.observation.deployment["metadata"]["managedFields"]
    );
    let known = stage
        .caches
        .deployments
        .get(&Key::new("shop", "checkout"))
        .unwrap();
    assert_eq!(
        known.whole.as_ref().unwrap()["metadata"]["resourceVersion"],
        live["metadata"]["resourceVersion"],
        "the next pass sees what was written"
    );
}

#[tokio::test]
async fn a_crash_between_both_writes_is_mended_from_the_record() {
    let stage = stage(true);
    let found = stage.found();
    let before = found.observation.deployment["metadata"]["managedFields"].clone();
    // first the record, then the step; the third would give ownership back
    stage.api.fail_from(2, 503);
    let patch = patch_of(&found);
    stage
        .carry_out(
            &found,
            decision(
                None,
                Action::Patch {
                    write: Write::Start,
                    patch,
                },
            ),
        )
        .await
        .unwrap();
    stage.api.heal();
    let live = stage.api.get(DEPLOYMENT).unwrap();
    assert!(ownership::is_ours(&live["metadata"]["managedFields"]));
    let record = stage.api.get(RELEASE).unwrap();
    let text = record["metadata"]["annotations"][ownership::REMEMBERED].as_str();
    stage
        .executor
        .give_back(&stage.caches, &found.key, &live, &ownership::recall(text))
        .await
        .unwrap();
    assert_eq!(
        stage.api.get(DEPLOYMENT).unwrap()["metadata"]["managedFields"],
        before
    );
}

#[tokio::test]
async fn the_way_back_may_go_first_and_ownership_is_whole_all_the_same() {
    let stage = stage(true);
    let found = stage.found();
    let before = found.observation.deployment["metadata"]["managedFields"].clone();
    let step = |found: &Found, write| {
        let patch = patch_of(found);
        decision(None, Action::Patch { write, patch })
    };
    stage.api.fail_from(2, 503);
    stage
        .carry_out(&found, step(&found, Write::Start))
        .await
        .unwrap();
    stage.api.heal();
    let found = stage.found();
    assert!(ownership::is_ours(
        &found.observation.deployment["metadata"]["managedFields"]
    ));
    stage
        .carry_out(&found, step(&found, Write::Rollback))
        .await
        .unwrap();
    assert_eq!(
        stage.api.get(DEPLOYMENT).unwrap()["metadata"]["managedFields"],
        before
    );
}

#[tokio::test]
async fn a_status_that_lost_a_race_stops_the_action() {
    let stage = stage(true);
    let found = stage.found();
    stage.api.touch(RELEASE);
    let patch = patch_of(&found);
    let error = stage
        .carry_out(
            &found,
            decision(
                Some(ReleasePhase::Baking),
                Action::Patch {
                    write: Write::Surge,
                    patch,
                },
            ),
        )
        .await
        .unwrap_err();
    assert!(matches!(error, ExecuteError::Stale { .. }), "{error:?}");
    assert!(
        !stage
            .api
            .writes()
            .iter()
            .any(|write| write.contains("deployments"))
    );
    let known = stage.caches.releases.get(&Key::new("shop", "r1")).unwrap();
    assert_eq!(
        known.metadata.resource_version.as_deref(),
        stage.api.get(RELEASE).unwrap()["metadata"]["resourceVersion"].as_str(),
        "the table has the newer one"
    );
}

#[tokio::test]
async fn a_record_of_owners_that_others_may_have_renewed_is_not_written_over() {
    let stage = stage(true);
    let found = stage.found();
    // a leader that took over has written its own record since this one looked
    let mut record = stage.api.get(RELEASE).unwrap();
    record["metadata"]["annotations"] = json!({ ownership::REMEMBERED: "[]" });
    stage.api.put(RELEASE, record.clone());
    let patch = patch_of(&found);
    let error = stage
        .carry_out(
            &found,
            decision(
                None,
                Action::Patch {
                    write: Write::Surge,
                    patch,
                },
            ),
        )
        .await
        .unwrap_err();
    assert!(matches!(error, ExecuteError::Stale { .. }), "{error:?}");
    assert_eq!(stage.api.writes(), Vec::<String>::new());
    assert_eq!(
        stage.api.get(RELEASE).unwrap()["metadata"]["annotations"],
        record["metadata"]["annotations"]
    );
}

#[tokio::test]
async fn a_lost_race_and_a_refusal_are_told_apart_although_both_are_422() {
    for (what, change, stale) in [("race", true, true), ("refusal", false, false)] {
        let stage = stage(true);
        let found = stage.found();
        let mut patch = patch_of(&found);
        if change {
            stage.api.touch(DEPLOYMENT);
        } else {
            patch.push(json!({"op": "remove", "path": "/spec/absent"}));
        }
        let error = stage
            .carry_out(
                &found,
                decision(
                    None,
                    Action::Patch {
                        write: Write::Surge,
                        patch,
                    },
                ),
            )
            .await
            .unwrap_err();
        assert_eq!(
            matches!(error, ExecuteError::Stale { .. }),
            stale,
            "{what}: {error:?}"
        );
        assert_eq!(
            matches!(error, ExecuteError::Refused { .. }),
            !stale,
            "{what}: {error:?}"
        );
    }
}

#[tokio::test]
async fn nothing_is_written_without_the_lease() {
    let stage = stage(true);
    let found = stage.found();
    stage.lead.0.store(false, Ordering::SeqCst);
    let patch = patch_of(&found);
    for decision in [
        decision(Some(ReleasePhase::Baking), Action::None),
        decision(
            None,
            Action::Patch {
                write: Write::Surge,
                patch: patch.clone(),
            },
        ),
        decision(
            None,
            Action::CreateRelease {
                name: "r2".into(),
                spec: Box::new(release_spec()),
            },
        ),
        decision(
            None,
            Action::Rehearse {
                patch,
                target: "t".into(),
            },
        ),
    ] {
        let error = stage.carry_out(&found, decision).await.unwrap_err();
        assert!(matches!(error, ExecuteError::NotLeader), "{error:?}");
    }
    assert_eq!(stage.api.writes(), Vec::<String>::new());
}

#[tokio::test]
async fn a_release_is_made_once_and_a_foreign_one_of_that_name_is_no_success() {
    let stage = stage(false);
    let found = stage.found();
    let create = || Action::CreateRelease {
        name: "r1".into(),
        spec: Box::new(release_spec()),
    };
    for _ in 0..2 {
        let outcome = stage
            .carry_out(&found, decision(None, create()))
            .await
            .unwrap();
        assert_eq!(outcome, Outcome::Moved(None));
    }
    let record = stage.api.get(RELEASE).unwrap();
    assert_eq!(record["metadata"]["ownerReferences"][0]["uid"], "u");
    assert!(
        record["metadata"]["ownerReferences"][0]
            .get("controller")
            .is_none()
    );
    let mut other = record.clone();
    other["spec"]["target"]["hash"] = json!("another000");
    stage.api.put(RELEASE, other);
    let error = stage
        .carry_out(&found, decision(None, create()))
        .await
        .unwrap_err();
    assert!(matches!(error, ExecuteError::NameTaken { .. }), "{error:?}");
}

#[tokio::test]
async fn a_record_of_a_dead_workload_of_that_name_makes_room_and_that_of_a_successor_does_not() {
    let stage = stage(false);
    let found = stage.found();
    let create = || Action::CreateRelease {
        name: "r1".into(),
        spec: Box::new(release_spec()),
    };
    let mut theirs = serde_json::to_value(release_spec()).unwrap();
    theirs["workload"]["uid"] = json!("another");
    let record = json!({"apiVersion": "sluice.dev/v1alpha1", "kind": "Release",
        "metadata": {"name": "r1", "namespace": "shop", "uid": "r"}, "spec": theirs});
    let mut live = stage.api.get(DEPLOYMENT).unwrap();

    // what is cached is of yesterday: the record is the living workload's
    live["metadata"]["uid"] = json!("another");
    stage.api.put(DEPLOYMENT, live.clone());
    stage.api.put(RELEASE, record);
    let error = stage.carry_out(&found, decision(None, create())).await;
    assert!(
        matches!(error, Err(ExecuteError::Stale { .. })),
        "{error:?}"
    );
    assert!(stage.api.get(RELEASE).is_some());

    live["metadata"]["uid"] = json!("u");
    stage.api.put(DEPLOYMENT, live);
    let error = stage.carry_out(&found, decision(None, create())).await;
    assert!(
        matches!(error, Err(ExecuteError::Stale { .. })),
        "{error:?}"
    );
    stage
        .carry_out(&found, decision(None, create()))
        .await
        .unwrap();
    assert_eq!(
        stage.api.get(RELEASE).unwrap()["spec"]["workload"]["uid"],
        "u"
    );
}

#[tokio::test]
async fn a_rehearsal_stores_nothing_and_only_the_servers_refusal_is_an_answer() {
    for (what, status, answer) in [
        ("accepted", None, Some(true)),
        ("forbidden", Some(403), Some(false)),
        ("invalid", Some(422), Some(false)),
        ("too busy", Some(429), None),
        ("down", Some(503), None),
        ("unauthenticated", Some(401), None),
    ] {
        let stage = stage(true);
        let found = stage.found();
        if let Some(status) = status {
            stage.api.fail_from(0, status);
        }
        let patch = patch_of(&found);
        let result = stage
            .carry_out(
                &found,
                decision(
                    None,
                    Action::Rehearse {
                        patch,
                        target: "t".into(),
                    },
                ),
            )
            .await;
        match (answer, result) {
            (Some(good), Ok(Outcome::Moved(Some(rehearsal)))) => {
                assert_eq!(rehearsal.result.is_ok(), good, "{what}");
                assert_eq!(rehearsal.target, "t");
            }
            (None, Err(ExecuteError::Api { .. })) => {}
            (_, other) => panic!("{what}: {other:?}"),
        }
        assert_eq!(
            stage.api.get(DEPLOYMENT).unwrap(),
            found.observation.deployment,
            "{what}"
        );
    }
}
