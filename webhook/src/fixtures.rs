//! A cluster in memory for the tests of this crate: objects go in through the same changes that a watch makes.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::MicroTime,
};
use kube::runtime::watcher::Event;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sluice_policies::ExceptionBounds;
use sluice_probes::TargetRules;
use sluice_runtime::heartbeat::HeartbeatReader;

use crate::{
    envelope::{API_VERSION, KIND},
    index::{
        Indexes,
        bucket::{Change, Index},
        reduce::{Reduce, change},
    },
    judge::Knowledge,
};

/// A cluster whose lists are complete.
pub struct Cluster(pub Arc<Knowledge>);

impl Cluster {
    /// Nothing is known, not even that there is nothing.
    pub fn unknown() -> Self {
        Self(Arc::new(Knowledge {
            indexes: Indexes::new(
                "sluice-system",
                HeartbeatReader::new(Instant::now()),
                ExceptionBounds::default(),
            ),
            targets: TargetRules::default(),
        }))
    }

    /// One namespace `shop` of mode `enforce`, and nothing else.
    pub fn new() -> Self {
        let cluster = Self::unknown();
        let indexes = &cluster.0.indexes;
        complete(&indexes.namespaces);
        complete(&indexes.gates);
        complete(&indexes.plans);
        complete(&indexes.releases);
        complete(&indexes.probes);
        complete(&indexes.policies);
        complete(&indexes.exceptions);
        complete(&indexes.quotas);
        complete(&indexes.limit_ranges);
        for index in &indexes.workloads {
            complete(index);
        }
        indexes.heartbeat(None, Instant::now());
        cluster.namespace("shop", "enforce")
    }

    pub fn namespace(self, name: &str, mode: &str) -> Self {
        put(
            &self.0.indexes.namespaces,
            &json!({"metadata": {"name": name, "labels": {"sluice.dev/mode": mode}}}),
        );
        self
    }

    pub fn policy(self, namespace: &str, name: &str, rules: &Value) -> Self {
        put(
            &self.0.indexes.policies,
            &object("Policy", namespace, name, &json!({"rules": rules})),
        );
        let compiled = self.0.indexes.compile();
        assert_eq!(compiled.broken_policies, Vec::<String>::new());
        self
    }

    /// An exception from policies.
    pub fn exception(self, namespace: &str, name: &str, spec: &Value) -> Self {
        put(
            &self.0.indexes.exceptions,
            &object("PolicyException", namespace, name, spec),
        );
        self.0.indexes.compile();
        self
    }

    /// A policy that is stored and not compiled yet.
    pub fn put_policy(&self, policy: &Value) {
        put(&self.0.indexes.policies, policy);
    }

    /// A gate as the controller has judged it.
    pub fn gate(self, namespace: &str, name: &str, spec: &Value, state: &str) -> Self {
        let mut gate = object("Gate", namespace, name, spec);
        gate["metadata"]["generation"] = json!(1);
        gate["status"] = json!({
            "state": state, "observedGeneration": 1, "engine": "sluice-probe-engine",
            "reasons": if state == "Open" { json!([]) } else {
                json!([{"reason": "ProbeFailing", "message": "shop/http answered 500"}])
            },
            "conditions": [{"type": "Accepted", "status": "True", "reason": "Accepted", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}],
        });
        put(&self.0.indexes.gates, &gate);
        self
    }

    pub fn put_gate(self, gate: &Value) -> Self {
        put(&self.0.indexes.gates, gate);
        self
    }

    pub fn plan(self, namespace: &str, name: &str, spec: &Value) -> Self {
        put(
            &self.0.indexes.plans,
            &object("RolloutPlan", namespace, name, spec),
        );
        self
    }

    pub fn probe(self, namespace: &str, name: &str) -> Self {
        put(
            &self.0.indexes.probes,
            &object("Probe", namespace, name, &json!({})),
        );
        self
    }

    pub fn quota(self, namespace: &str, hard: &Value) -> Self {
        let mut quota = object("ResourceQuota", namespace, "quota", &json!({"hard": hard}));
        quota["status"] = json!({"hard": hard, "used": {}});
        put(&self.0.indexes.quotas, &quota);
        self
    }

    pub fn deployment(self, namespace: &str, name: &str) -> Self {
        put(
            &self.0.indexes.workloads[0],
            &object("Deployment", namespace, name, &json!({})),
        );
        self
    }

    /// The probe engine beats.
    pub fn beating(self) -> Self {
        let now = Instant::now();
        for beat in [0_u64, 2] {
            let stamp =
                jiff::Timestamp::from_second(1_800_000_000 + i64::try_from(beat).unwrap()).unwrap();
            let lease = Lease {
                spec: Some(LeaseSpec {
                    holder_identity: Some("engine".into()),
                    renew_time: Some(MicroTime(stamp)),
                    ..LeaseSpec::default()
                }),
                ..Lease::default()
            };
            self.0
                .indexes
                .heartbeat(Some(&lease), now + Duration::from_secs(beat));
        }
        self
    }
}

fn complete<T: Clone>(index: &Index<T>) {
    index.change(Change::ListBegins);
    index.change(Change::ListEnds);
}

fn put<T: Reduce>(index: &Index<T>, object: &Value)
where
    T::Wire: DeserializeOwned,
{
    index.change(change(Event::Apply(
        serde_json::from_value(object.clone()).unwrap(),
    )));
}

/// An object of sluice.dev or any other kind.
pub fn object(kind: &str, namespace: &str, name: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": "sluice.dev/v1alpha1",
        "kind": kind,
        "metadata": {"namespace": namespace, "name": name, "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": spec,
    })
}

/// A review of `object`, an update when there is an old one.
pub fn review(object: &Value, old: Option<&Value>, dry_run: bool) -> Value {
    let text = |pointer: &str| {
        object
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let (group, version) = text("/apiVersion")
        .split_once('/')
        .unwrap_or(("", text("/apiVersion")));
    json!({
        "apiVersion": API_VERSION,
        "kind": KIND,
        "request": {
            "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
            "kind": {"group": group, "version": version, "kind": text("/kind")},
            "resource": {"group": group, "version": version, "resource": "things"},
            "name": text("/metadata/name"),
            "namespace": text("/metadata/namespace"),
            "operation": if old.is_some() { "UPDATE" } else { "CREATE" },
            "userInfo": {"username": "dev"},
            "object": object,
            "oldObject": old,
            "dryRun": dry_run,
        }
    })
}

/// A Deployment with API defaults as the server sends it; `version` is in its template.
pub fn deployment(version: &str) -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "namespace": "shop", "name": "checkout", "uid": "d-1", "generation": 4, "resourceVersion": "77",
            "labels": {"app": "checkout"},
        },
        "spec": {
            "replicas": 4,
            "selector": {"matchLabels": {"app": "checkout"}},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
            "progressDeadlineSeconds": 600,
            "revisionHistoryLimit": 10,
            "template": {
                "metadata": {"labels": {"app": "checkout"}},
                "spec": {
                    "containers": [{
                        "name": "main", "image": format!("checkout:{version}"), "imagePullPolicy": "IfNotPresent",
                        "resources": {}, "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
                    }],
                    "restartPolicy": "Always", "terminationGracePeriodSeconds": 30, "dnsPolicy": "ClusterFirst",
                    "securityContext": {}, "schedulerName": "default-scheduler",
                }
            }
        },
        "status": {
            "observedGeneration": 4, "replicas": 4, "updatedReplicas": 4, "readyReplicas": 4, "availableReplicas": 4,
            "conditions": [
                {"type": "Available", "status": "True"},
                {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"},
            ],
        }
    })
}

/// A CronJob without bounds, API defaults filled in as the server sends it.
pub fn cronjob() -> Value {
    json!({
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"namespace": "shop", "name": "reports"},
        "spec": {
            "schedule": "*/5 * * * *", "concurrencyPolicy": "Allow", "suspend": false,
            "successfulJobsHistoryLimit": 3, "failedJobsHistoryLimit": 1,
            "jobTemplate": {"spec": {"template": {"spec": {
                "containers": [{"name": "main", "image": "reports:1"}], "restartPolicy": "OnFailure",
            }}}},
        }
    })
}
