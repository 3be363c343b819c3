//! An installation that is well, and what is told where nothing is installed. What is told where something is broken: `broken`.

mod broken;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::ByteString;
use serde_json::json;
use sluice_api::{
    Release,
    admission_table::{self, ClientConfigChoice},
};
use sluice_certs::{Material, ServingNames, Terms};
use sluice_planner::deployment::PIN_MIN_READY_SECONDS;
use sluice_runtime::replicas::Said;

use super::examine;
use crate::{
    cluster::replicas::{Replica, Replicas, Standing},
    doctor::{
        answer::Health,
        facts::{Certificates, Configuration, Endpoints, Facts, Leader, Piece, Right, SelfTest},
        gather::as_validating,
    },
    installation::supported::KubernetesVersion,
};

const NOW: &str = "2026-11-21T12:00:00Z";

const DAY: i64 = 24 * 3600;

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

fn later(seconds: i64) -> Timestamp {
    now() + SignedDuration::from_secs(seconds)
}

fn material(at: Timestamp) -> Material {
    let names = ServingNames::of_service("sluice-webhook", "sluice-system");
    Material::issue(at, &names, &Terms::default()).unwrap()
}

fn stored(material: &Material) -> Certificates {
    Certificates {
        serving: material.leaf.cert_pem.clone(),
        authority: material.ca.cert_pem.clone(),
    }
}

fn published(bundle: &str) -> Vec<Configuration> {
    let service = ClientConfigChoice::Service {
        namespace: "sluice-system".to_owned(),
        name: "sluice-webhook".to_owned(),
        port: 443,
    };
    let off = ["infra".to_owned()];
    let (mutating, validating) =
        admission_table::configurations(&service, bundle.as_bytes(), "sluice-system", &off);
    let mut all = vec![Configuration {
        kind: "MutatingWebhookConfiguration",
        name: mutating.metadata.name.unwrap(),
        entries: mutating
            .webhooks
            .unwrap()
            .into_iter()
            .map(as_validating)
            .collect(),
    }];
    all.extend(validating.into_iter().map(|found| Configuration {
        kind: "ValidatingWebhookConfiguration",
        name: found.metadata.name.unwrap(),
        entries: found.webhooks.unwrap(),
    }));
    all
}

fn replica(name: &str) -> Replica {
    Replica {
        name: name.to_owned(),
        standing: Standing::Ready,
        digest: Some("digest".to_owned()),
        policies: Some(2),
        note: None,
        said: Some(Said {
            replica: name.to_owned(),
            waiting: Vec::new(),
            digest: "digest".to_owned(),
            policies: 2,
            exceptions_digest: "e".to_owned(),
            quarantined: Vec::new(),
            left_out: 0,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            at: later(2),
        }),
        heard: Some(later(3)),
    }
}

/// An installation that is well. Certificates are made once per test: keys take time.
fn well(material: &Material) -> Facts {
    Facts {
        now: now(),
        stuck_after: Duration::from_secs(900),
        kubernetes: Ok(KubernetesVersion {
            major: 1,
            minor: 33,
        }),
        server_ahead: Ok(SignedDuration::from_millis(400)),
        parts: Ok(["namespace/sluice-system", "role/sluice-webhook"]
            .map(|title| Piece {
                title: title.to_owned(),
                there: true,
            })
            .into()),
        installed_version: Ok(Some(env!("CARGO_PKG_VERSION").to_owned())),
        configurations: Ok(published(&material.ca_bundle())),
        endpoints: Ok(Some(Endpoints { ready: 2, all: 2 })),
        self_test: Ok(SelfTest::Refused),
        certificates: Ok(Some(stored(material))),
        replicas: Ok(Replicas {
            expected: None,
            replicas: vec![replica("a"), replica("b")],
        }),
        leader: Ok(Some(Leader {
            holder: "sluice-controller-x_1_2".to_owned(),
            version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            stamp: Some(later(2)),
            heard: Some(later(2)),
        })),
        heartbeat: Ok(true),
        rights: Ok(vec![
            right("sluice-webhook", "list namespaces"),
            right("sluice-webhook-secrets", "list secrets"),
        ]),
        releases: Ok(vec![release(
            "Baking",
            &json!({"reason": "Baking", "message": "bakes", "until": later(60).to_string()}),
        )]),
        deployments: Ok(vec![deployment(
            json!({"minReadySeconds": PIN_MIN_READY_SECONDS}),
        )]),
    }
}

fn right(role: &'static str, words: &str) -> Right {
    Right {
        account: "sluice-webhook",
        role,
        words: words.to_owned(),
        granted: true,
    }
}

fn release(phase: &str, waits: &serde_json::Value) -> Release {
    serde_json::from_value(json!({
        "apiVersion": "sluice.dev/v1alpha1", "kind": "Release",
        "metadata": {
            "name": "deployment-checkout-1234567890-2", "namespace": "shop",
            "creationTimestamp": later(-2 * DAY).to_string(),
            "managedFields": [{"time": later(-3600).to_string()}],
        },
        "spec": {
            "workload": {"kind": "Deployment", "name": "checkout", "uid": "u"},
            "target": {"hash": "1234567890"}, "plan": {"namespace": "shop", "name": "checkout"},
            "originals": {"uid": "u", "target": "1234567890"},
        },
        "status": {"phase": phase, "waitingOn": [waits]},
    }))
    .unwrap()
}

fn deployment(spec: serde_json::Value) -> serde_json::Value {
    json!({"metadata": {"name": "checkout", "namespace": "shop", "uid": "u", "resourceVersion": "1"}, "spec": spec})
}

fn ours(facts: &mut Facts, name: &str) -> usize {
    let configurations = facts.configurations.as_ref().unwrap();
    configurations
        .iter()
        .position(|found| found.name == name)
        .unwrap()
}

fn entry<'a>(
    facts: &'a mut Facts,
    name: &str,
) -> &'a mut k8s_openapi::api::admissionregistration::v1::ValidatingWebhook {
    let at = ours(facts, name);
    &mut facts.configurations.as_mut().unwrap()[at].entries[0]
}

#[test]
fn what_is_well_is_well() {
    let facts = well(&material(now()));
    for answer in examine(&facts) {
        assert_eq!(answer.result, Health::Ok, "{answer:?}");
        assert!(!answer.findings.is_empty(), "{} says nothing", answer.check);
    }
}

#[test]
fn where_nothing_is_installed_only_that_is_told_and_what_was_left_behind() {
    let mut facts = well(&material(now()));
    for part in facts.parts.as_mut().unwrap() {
        part.there = false;
    }
    facts.releases = Ok(Vec::new());
    let answers = examine(&facts);
    let told: Vec<(&str, Health)> = answers
        .iter()
        .map(|answer| (answer.check, answer.result))
        .collect();
    assert_eq!(
        told,
        [
            ("kubernetes", Health::Ok),
            ("installed", Health::Broken),
            ("pinned", Health::Broken)
        ]
    );
}

#[test]
fn an_authority_that_is_published_beside_the_next_one_is_accepted() {
    let (old, new) = (material(now()), material(now()));
    let mut facts = well(&old);
    let both = format!("{}{}", new.ca_bundle(), old.ca_bundle());
    for configuration in facts.configurations.as_mut().unwrap() {
        for entry in &mut configuration.entries {
            entry.client_config.ca_bundle = Some(ByteString(both.clone().into_bytes()));
        }
    }
    assert!(
        examine(&facts)
            .iter()
            .all(|answer| answer.result == Health::Ok)
    );
}
