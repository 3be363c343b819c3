//! Small objects that leave every defaulted field out, to be compared with what a real API server makes of them.

use sluice_tree::{Value, json};

/// Minimal objects of each kind that together exercise every row of the table. All of them pass the API server's validation.
///
/// To compare with a server: create each with dry-run in a namespace and check that every field of [`crate::with_defaults`] is there with the same
/// value. The server's answer also holds what is no default: metadata, status, generated selectors and, in Pods, what admission plugins add.
#[must_use]
pub fn defaults_samples() -> Vec<Value> {
    vec![
        pod(),
        deployment(json!({})),
        deployment(json!({"strategy": {"type": "Recreate"}})),
        deployment(json!({"strategy": {"rollingUpdate": {"maxSurge": 1}}})),
        stateful_set(json!({})),
        stateful_set(json!({"updateStrategy": {"type": "OnDelete"}})),
        stateful_set(json!({"updateStrategy": {"type": "RollingUpdate"}})),
        daemon_set(json!({})),
        daemon_set(json!({"updateStrategy": {"type": "OnDelete"}})),
        replica_set(),
        job(json!({})),
        job(json!({"parallelism": 3})),
        job(json!({"completionMode": "Indexed", "completions": 4, "backoffLimitPerIndex": 1})),
        job(
            json!({"podFailurePolicy": {"rules": [{"action": "Ignore", "onExitCodes": {"operator": "In", "values": [3]}}]}}),
        ),
        cron_job(),
        replication_controller(),
        pod_template(),
        service(),
        autoscaler(),
    ]
}

fn labels() -> Value {
    json!({"app": "sample"})
}

fn merged(mut base: Value, more: Value) -> Value {
    if let (Some(base), Value::Object(more)) = (base.as_object_mut(), more) {
        base.extend(more);
    }
    base
}

/// A template that never restarts its pods, as Jobs need it.
fn job_template() -> Value {
    json!({
        "metadata": {"labels": labels()},
        "spec": {"restartPolicy": "Never", "containers": [{"name": "work", "image": "example.org/work:1"}]},
    })
}

fn template() -> Value {
    json!({
        "metadata": {"labels": labels()},
        "spec": {"containers": [{"name": "app", "image": "example.org/app"}]},
    })
}

/// Every list and nested part of a pod that has defaults.
fn pod() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "sample-pod"},
        "spec": {
            "serviceAccountName": "default",
            "initContainers": [{"name": "prepare", "image": "example.org/prepare:1", "resources": {"limits": {"cpu": "1"}}}],
            "containers": [{
                "name": "app",
                "image": "example.org/app:latest",
                "env": [
                    {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
                    {"name": "KEY", "valueFrom": {"fileKeyRef": {"volumeName": "none", "path": "env", "key": "KEY"}}},
                ],
                "ports": [{"containerPort": 8080}],
                "resources": {"requests": {"cpu": "1"}, "limits": {"cpu": "1", "memory": "1Gi"}},
                "livenessProbe": {"grpc": {"port": 8080}},
                "readinessProbe": {"httpGet": {"port": 8080}},
                "startupProbe": {"tcpSocket": {"port": 8080}},
                "lifecycle": {"preStop": {"httpGet": {"port": 8080}}, "postStart": {"httpGet": {"port": 8080}}},
            }],
            "volumes": [
                {"name": "none"},
                {"name": "secret", "secret": {"secretName": "a"}},
                {"name": "config", "configMap": {"name": "a"}},
                {"name": "downward", "downwardAPI": {"items": [{"path": "name", "fieldRef": {"fieldPath": "metadata.name"}}]}},
                {"name": "projected", "projected": {"sources": [{"downwardAPI": {"items": [{"path": "name", "fieldRef": {"fieldPath": "metadata.name"}}]}}]}},
                {"name": "host", "hostPath": {"path": "/tmp"}},
                {"name": "claim", "ephemeral": {"volumeClaimTemplate": {"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}}},
                {"name": "iscsi", "iscsi": {"targetPortal": "192.0.2.1:3260", "iqn": "iqn.2001-04.org.example:storage", "lun": 0}},
                {"name": "rbd", "rbd": {"monitors": ["192.0.2.1:6789"], "image": "a"}},
                {"name": "azure", "azureDisk": {"diskName": "a", "diskURI": "https://disks.example.org/a"}},
                {"name": "scale", "scaleIO": {"gateway": "https://gateway.example.org/api", "system": "a", "volumeName": "a", "secretRef": {"name": "a"}}},
                {"name": "image", "image": {"reference": "example.org/model:1"}},
            ],
        },
    })
}

fn deployment(spec: Value) -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "sample-deployment"},
        "spec": merged(json!({"selector": {"matchLabels": labels()}, "template": template()}), spec),
    })
}

fn stateful_set(spec: Value) -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "sample-statefulset"},
        "spec": merged(json!({
            "serviceName": "sample",
            "selector": {"matchLabels": labels()},
            "template": template(),
            "volumeClaimTemplates": [{
                "metadata": {"name": "data"},
                "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
            }],
        }), spec),
    })
}

fn daemon_set(spec: Value) -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "sample-daemonset"},
        "spec": merged(json!({"selector": {"matchLabels": labels()}, "template": template()}), spec),
    })
}

fn replica_set() -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {"name": "sample-replicaset"},
        "spec": {"selector": {"matchLabels": labels()}, "template": {
            "metadata": {"labels": labels()},
            "spec": {"serviceAccount": "default", "containers": [{"name": "app", "image": "example.org/app"}]},
        }},
    })
}

fn replication_controller() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ReplicationController",
        "metadata": {"name": "sample-replicationcontroller"},
        "spec": {"template": template()},
    })
}

fn pod_template() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "PodTemplate",
        "metadata": {"name": "sample-podtemplate"},
        "template": template(),
    })
}

fn service() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "sample-service"},
        "spec": {"selector": labels(), "ports": [
            {"name": "web", "port": 80},
            {"name": "admin", "port": 81, "targetPort": "admin"},
        ]},
    })
}

fn autoscaler() -> Value {
    json!({
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "sample-autoscaler"},
        "spec": {
            "maxReplicas": 3,
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "sample-deployment"},
        },
    })
}

fn job(spec: Value) -> Value {
    json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "sample-job"},
        "spec": merged(json!({"template": job_template()}), spec),
    })
}

fn cron_job() -> Value {
    json!({
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": "sample-cronjob"},
        "spec": {"schedule": "*/15 * * * *", "jobTemplate": {"spec": {"template": job_template()}}},
    })
}
