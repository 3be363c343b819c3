//! A cluster in memory, at one moment that stays: objects go in through the same changes that a watch makes.

use std::{
    sync::LazyLock,
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
use sluice_webhook::{
    index::{
        Indexes,
        bucket::{Change, Index},
        reduce::{Reduce, change},
    },
    judge::{Knowledge, Now},
};

/// When the cluster in memory began.
static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// The moment of every review: the probe engine has just been heard of, however long a run takes.
pub(super) fn moment() -> Now {
    Now {
        instant: *BEGAN + Duration::from_secs(3),
        time: "2026-06-01T00:00:00Z".parse().unwrap_or_default(),
    }
}

/// What the webhook knows of it: nothing is missing, the probe engine beats.
pub(super) fn knowledge() -> Knowledge {
    let indexes = Indexes::new(
        "sluice-system",
        HeartbeatReader::new(*BEGAN),
        ExceptionBounds::default(),
    );
    let namespaces = [
        ("shop", "enforce"),
        ("lab", "warn"),
        ("dark", "off"),
        ("sluice-system", "off"),
    ];
    fill(
        &indexes.namespaces,
        namespaces.map(
            |(name, mode)| json!({"metadata": {"name": name, "labels": {"sluice.dev/mode": mode}}}),
        ),
    );
    fill(
        &indexes.gates,
        [gate("open", "Open"), gate("closed", "Closed")],
    );
    let plan = json!({"components": {"kinds": ["Deployment"], "names": ["open", "closed"]}, "batches": ["25%", "100%"]});
    fill(
        &indexes.plans,
        [object("RolloutPlan", "shop", "plan", &plan)],
    );
    fill(&indexes.releases, []);
    fill(
        &indexes.probes,
        [object("Probe", "shop", "http", &json!({}))],
    );
    fill(&indexes.policies, policies());
    // how long an exception may last is bounded: its end has to be near
    let expires = "2026-07-01T00:00:00Z";
    let exception = json!({"subject": {"kind": "CronJob", "name": "old-*"}, "rule": "cronjob-without-deadline", "reason": "migration", "owner": "team", "expires": expires});
    fill(
        &indexes.exceptions,
        [object("PolicyException", "shop", "old", &exception)],
    );
    let hard = json!({"requests.cpu": "10", "limits.memory": "10Gi", "pods": "20", "requests.storage": "10Gi", "count/jobs.batch": "2"});
    let mut quota = object("ResourceQuota", "shop", "quota", &json!({"hard": hard}));
    quota["status"] = json!({"hard": hard, "used": {"pods": "18", "requests.cpu": "9500m"}});
    fill(&indexes.quotas, [quota]);
    let range = json!({"limits": [{"type": "Container", "default": {"memory": "64Mi"}, "max": {"cpu": "2"}, "maxLimitRequestRatio": {"cpu": "4"}}]});
    fill(
        &indexes.limit_ranges,
        [object("LimitRange", "shop", "range", &range)],
    );
    for index in &indexes.workloads {
        fill(
            index,
            [object("Deployment", "shop", "checkout", &json!({}))],
        );
    }
    for (stamp, later) in [
        (1_800_000_000, Duration::ZERO),
        (1_800_000_002, Duration::from_secs(2)),
    ] {
        indexes.heartbeat(Some(&beat(stamp)), *BEGAN + later);
    }
    indexes.compile();
    Knowledge {
        indexes,
        targets: TargetRules::default(),
    }
}

/// Every shipped set, and own rules.
fn policies() -> Vec<Value> {
    let own = json!({"rules": [{"name": "owned", "action": "Deny", "kinds": ["Deployment", "CronJob", "Service"],
        "cel": "has(object.metadata.labels) && object.metadata.labels.exists(k, k == 'team') || request.userInfo.username == 'dev'"}]});
    sluice_policies::library()
        .iter()
        .flat_map(|(_, text)| serde_saphyr::from_multiple::<Value>(text).unwrap_or_default())
        .filter(|policy| policy["kind"] == "Policy")
        .map(|mut policy| {
            policy["metadata"]["namespace"] = json!("sluice-system");
            policy
        })
        .chain([object("Policy", "shop", "own", &own)])
        .collect()
}

fn gate(name: &str, state: &str) -> Value {
    let spec = json!({"components": {"names": [name]}, "before": {"probes": [{"name": "http"}]}});
    let mut gate = object("Gate", "shop", name, &spec);
    gate["metadata"]["generation"] = json!(1);
    gate["status"] = json!({
        "state": state, "observedGeneration": 1, "engine": "sluice-probe-engine",
        "reasons": if state == "Open" { json!([]) } else { json!([{"reason": "ProbeFailing", "message": "shop/http answered 500"}]) },
        "conditions": [{"type": "Accepted", "status": "True", "reason": "Accepted", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}],
    });
    gate
}

fn beat(stamp: i64) -> Lease {
    Lease {
        spec: Some(LeaseSpec {
            holder_identity: Some("engine".to_owned()),
            renew_time: jiff::Timestamp::from_second(stamp).ok().map(MicroTime),
            ..LeaseSpec::default()
        }),
        ..Lease::default()
    }
}

/// Puts the whole list in. An object that is none of the kind is left out; `tests` look that none is.
fn fill<T: Reduce>(index: &Index<T>, objects: impl IntoIterator<Item = Value>)
where
    T::Wire: DeserializeOwned,
{
    index.change(Change::ListBegins);
    for object in objects {
        if let Ok(wire) = serde_json::from_value(object) {
            index.change(change(Event::InitApply(wire)));
        }
    }
    index.change(Change::ListEnds);
}

fn object(kind: &str, namespace: &str, name: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": "sluice.dev/v1alpha1", "kind": kind,
        "metadata": {"namespace": namespace, "name": name, "creationTimestamp": "2026-01-01T00:00:00Z"}, "spec": spec,
    })
}

/// Deployments as the API server has them, one after the other in the life of releases: open and closed gates, held, aborted, scaled.
pub(super) fn deployments() -> Vec<Value> {
    let of = |name: &str, version: &str, annotations: Value| {
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"namespace": "shop", "name": name, "uid": "d-1", "generation": 4, "resourceVersion": "77", "labels": {"app": name}, "annotations": annotations},
            "spec": {
                "replicas": 4, "selector": {"matchLabels": {"app": name}}, "progressDeadlineSeconds": 600, "revisionHistoryLimit": 10,
                "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
                "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "main", "image": version, "resources": {}}],
                    "restartPolicy": "Always", "terminationGracePeriodSeconds": 30, "dnsPolicy": "ClusterFirst"}},
            },
            "status": {"observedGeneration": 4, "replicas": 4, "updatedReplicas": 4, "readyReplicas": 4, "availableReplicas": 4,
                "conditions": [{"type": "Available", "status": "True"}, {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"}]},
        })
    };
    let hold = json!({"sluice.dev/hold": "{\"uid\":\"d-1\",\"target\":\"a\",\"stable\":\"b\",\"release\":\"checkout-1\"}"});
    let denied = json!({"sluice.dev/denied": "[{\"uid\":\"d-1\",\"target\":\"a\",\"release\":\"open-1\",\"reason\":\"ProbeFailing\"}]"});
    vec![
        of("open", "a:1", json!({})),
        of("open", "a:2", json!({})),
        of("closed", "a:1", json!({})),
        of("closed", "a:2", json!({"sluice.dev/release": "now"})),
        of("open", "a:3", hold.clone()),
        of("open", "a:2", hold),
        of("open", "a:2", denied),
        of("open", "a:1", json!({"sluice.dev/originals": "{}"})),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_of_the_cluster_is_known() {
        let knowledge = knowledge();
        let indexes = &knowledge.indexes;
        assert_eq!(indexes.waiting(), Vec::<&str>::new());
        let rulebook = indexes.rulebook();
        assert_eq!(rulebook.broken_policies, Vec::<String>::new());
        assert_eq!(rulebook.broken_exceptions, Vec::<String>::new());
        assert_eq!(
            rulebook.policies.policies(),
            sluice_policies::library().len() + 1
        );
        assert_eq!(
            (
                indexes.namespaces.len(),
                indexes.gates.len(),
                indexes.plans.len()
            ),
            (4, 2, 1)
        );
        assert_eq!(
            (
                indexes.quotas.len(),
                indexes.limit_ranges.len(),
                indexes.probes.len(),
                indexes.exceptions.len()
            ),
            (1, 1, 1, 1)
        );
        assert!(indexes.heartbeat_fresh(moment().instant));
        assert_ne!(moment().time, jiff::Timestamp::default());
    }
}
