//! The reviews that are sent: what a real API server sends for these objects.

use bytes::Bytes;
use serde_json::{Value, json};

/// A CronJob create of about 1.6 KB that every rule of the shipped set lets through.
#[must_use]
pub fn cronjob(namespace: &str) -> Bytes {
    let object = json!({
        "apiVersion": "batch/v1", "kind": "CronJob",
        "metadata": {"name": "report", "namespace": namespace, "uid": "8d1f0e4a-59f2-4e5f-8a56-2f9b3f3f7f10", "creationTimestamp": "2026-01-01T00:00:00Z",
            "managedFields": [{"manager": "kubectl-client-side-apply", "operation": "Update", "apiVersion": "batch/v1", "time": "2026-01-01T00:00:00Z", "fieldsType": "FieldsV1",
                "fieldsV1": {"f:spec": {"f:concurrencyPolicy": {}, "f:failedJobsHistoryLimit": {}, "f:schedule": {}, "f:suspend": {}, "f:jobTemplate": {"f:spec": {"f:activeDeadlineSeconds": {}}}}}}]},
        "spec": {"schedule": "*/5 * * * *", "startingDeadlineSeconds": 60, "concurrencyPolicy": "Forbid", "suspend": false, "successfulJobsHistoryLimit": 1, "failedJobsHistoryLimit": 1,
            "jobTemplate": {"metadata": {"creationTimestamp": null}, "spec": {"backoffLimit": 2, "activeDeadlineSeconds": 240,
                "template": {"metadata": {"creationTimestamp": null}, "spec": {"restartPolicy": "Never", "terminationGracePeriodSeconds": 30, "dnsPolicy": "ClusterFirst", "schedulerName": "default-scheduler", "securityContext": {},
                    "containers": [{"name": "report", "image": "registry.test/shop/report:v1", "imagePullPolicy": "IfNotPresent", "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
                        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}}}]}}}}},
        "status": {}
    });
    review(
        "batch", "CronJob", "cronjobs", namespace, "report", &object, None,
    )
}

/// A Deployment update of about 10 KB old and new, managedFields included, that changes the image.
#[must_use]
pub fn deployment_update(namespace: &str, name: &str) -> Bytes {
    let object = |tag: &str| {
        let environment: Vec<Value> =
            (0..40).map(|i| json!({"name": format!("SETTING_{i}"), "value": format!("value-{i}-{}", "x".repeat(40))})).collect();
        let fields: Value = (0..40)
            .map(|i| {
                (
                    format!("k:{{\"name\":\"SETTING_{i}\"}}"),
                    json!({".": {}, "f:name": {}, "f:value": {}}),
                )
            })
            .collect::<serde_json::Map<_, _>>()
            .into();
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": name, "namespace": namespace, "uid": "0d4a4b4e-8d3c-44bb-9f0d-0a6f5f6f7a01", "resourceVersion": "4711", "generation": 3, "creationTimestamp": "2026-01-01T00:00:00Z", "labels": {"app": name},
                "annotations": {"deployment.kubernetes.io/revision": "3"},
                "managedFields": [{"manager": "kubectl-client-side-apply", "operation": "Update", "apiVersion": "apps/v1", "time": "2026-01-01T00:00:00Z", "fieldsType": "FieldsV1",
                    "fieldsV1": {"f:spec": {"f:replicas": {}, "f:template": {"f:spec": {"f:containers": {"k:{\"name\":\"app\"}": {".": {}, "f:image": {}, "f:env": fields}}}}}}}]},
            "spec": {"replicas": 20, "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600, "selector": {"matchLabels": {"app": name}},
                "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
                "template": {"metadata": {"creationTimestamp": null, "labels": {"app": name}}, "spec": {"restartPolicy": "Always", "terminationGracePeriodSeconds": 30, "dnsPolicy": "ClusterFirst", "schedulerName": "default-scheduler", "securityContext": {},
                    "containers": [{"name": "app", "image": format!("registry.test/bench/app:{tag}"), "imagePullPolicy": "IfNotPresent", "env": environment, "ports": [{"containerPort": 8080, "protocol": "TCP"}],
                        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080, "scheme": "HTTP"}, "timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3},
                        "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}}, "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File"}]}}},
            "status": {"observedGeneration": 3, "replicas": 20, "updatedReplicas": 20, "readyReplicas": 20, "availableReplicas": 20}
        })
    };
    review(
        "apps",
        "Deployment",
        "deployments",
        namespace,
        name,
        &object("v2"),
        Some(&object("v1")),
    )
}

fn review(
    group: &str,
    kind: &str,
    resource: &str,
    namespace: &str,
    name: &str,
    object: &Value,
    old: Option<&Value>,
) -> Bytes {
    let kind = json!({"group": group, "version": "v1", "kind": kind});
    let resource = json!({"group": group, "version": "v1", "resource": resource});
    let review = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
        "uid": "705ab4f5-6393-11e8-b7cc-42010a800002", "kind": kind, "resource": resource, "requestKind": kind, "requestResource": resource,
        "name": name, "namespace": namespace, "operation": if old.is_some() { "UPDATE" } else { "CREATE" },
        "userInfo": {"username": "developer", "groups": ["system:authenticated"]}, "object": object, "oldObject": old, "dryRun": false,
        "options": {"apiVersion": "meta.k8s.io/v1", "kind": "CreateOptions"}}});
    Bytes::from(review.to_string())
}
