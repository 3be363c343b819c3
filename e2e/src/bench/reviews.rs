//! The reviews that are sent, in the shape of a real API server's.

use bytes::Bytes;
use serde_json::{Value, json};

/// The create of a CronJob, about 1.6 KB, that every rule of the shipped set lets through.
#[must_use]
pub fn cronjob(namespace: &str) -> Bytes {
    let limits =
        json!({"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}});
    let mut spec = json!({"schedule": "*/5 * * * *", "startingDeadlineSeconds": 60, "concurrencyPolicy": "Forbid", "suspend": false,
        "successfulJobsHistoryLimit": 1, "failedJobsHistoryLimit": 1});
    spec["jobTemplate"] = job_template(
        &json!({"backoffLimit": 2, "activeDeadlineSeconds": 240}),
        &limits,
    );
    create_cronjob(namespace, &spec)
}

/// The same without any bound: seven rules find nine things, the eighth would need a quota.
#[must_use]
pub fn unbounded_cronjob(namespace: &str) -> Bytes {
    let mut spec = json!({"schedule": "*/5 * * * *", "concurrencyPolicy": "Allow", "suspend": false,
        "successfulJobsHistoryLimit": 100, "failedJobsHistoryLimit": 100});
    spec["jobTemplate"] = job_template(&json!({"backoffLimit": 50}), &json!({}));
    create_cronjob(namespace, &spec)
}

fn job_template(job: &Value, resources: &Value) -> Value {
    let mut template = json!({"metadata": {"creationTimestamp": null}, "spec": job});
    template["spec"]["template"] = json!({"metadata": {"creationTimestamp": null}, "spec": {"restartPolicy": "Never",
        "terminationGracePeriodSeconds": 30, "dnsPolicy": "ClusterFirst", "schedulerName": "default-scheduler", "securityContext": {},
        "containers": [{"name": "report", "image": "registry.test/shop/report:v1", "imagePullPolicy": "IfNotPresent",
            "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File", "resources": resources}]}});
    template
}

fn create_cronjob(namespace: &str, spec: &Value) -> Bytes {
    let object = json!({
        "apiVersion": "batch/v1", "kind": "CronJob",
        "metadata": {"name": "report", "namespace": namespace, "uid": "8d1f0e4a-59f2-4e5f-8a56-2f9b3f3f7f10", "creationTimestamp": "2026-01-01T00:00:00Z", "generation": 1,
            "managedFields": [{"manager": "kubectl-client-side-apply", "operation": "Update", "apiVersion": "batch/v1", "time": "2026-01-01T00:00:00Z", "fieldsType": "FieldsV1",
                "fieldsV1": {"f:spec": {"f:concurrencyPolicy": {}, "f:schedule": {}, "f:suspend": {}, "f:jobTemplate": {"f:spec": {"f:activeDeadlineSeconds": {}}}}}}]},
        "spec": spec, "status": {}
    });
    review(
        "batch", "CronJob", "cronjobs", namespace, "report", &object, None,
    )
}

/// A Deployment of about 8 KB as an API server sends it: defaults filled in, managedFields and kubectl's annotation in place. Two containers of twenty
/// settings each, with probes and bounds.
#[must_use]
pub fn deployment(namespace: &str) -> Value {
    let container = |name: &str, port: u16| {
        let env: Vec<Value> = (0..20)
            .map(|at| json!({"name": format!("{}_SETTING_{at:02}", name.to_uppercase()), "value": format!("value {at:02} of {name}")}))
            .collect();
        let probe = |path: &str| json!({"httpGet": {"path": path, "port": port, "scheme": "HTTP"}, "periodSeconds": 10, "timeoutSeconds": 1, "successThreshold": 1, "failureThreshold": 3});
        json!({"name": name, "image": format!("registry.test/shop/{name}:v1.4.2"), "imagePullPolicy": "IfNotPresent", "env": env,
            "ports": [{"name": "http", "containerPort": port, "protocol": "TCP"}],
            "readinessProbe": probe("/ready"), "livenessProbe": probe("/alive"),
            "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}},
            "securityContext": {"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true},
            "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File"})
    };
    let labels = json!({"app": "checkout", "team": "shop"});
    let spec = json!({
        "replicas": 3, "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600, "selector": {"matchLabels": {"app": "checkout"}},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
        "template": {"metadata": {"creationTimestamp": null, "labels": labels}, "spec": {
            "restartPolicy": "Always", "terminationGracePeriodSeconds": 30, "dnsPolicy": "ClusterFirst", "schedulerName": "default-scheduler", "securityContext": {},
            "containers": [container("checkout", 8080), container("proxy", 9090)]}},
    });
    let settings = |name: &str| -> Value {
        (0..20)
            .map(|at| {
                (
                    format!("k:{{\"name\":\"{}_SETTING_{at:02}\"}}", name.to_uppercase()),
                    json!({".": {}, "f:name": {}, "f:value": {}}),
                )
            })
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    let fields = |name: &str| json!({".": {}, "f:name": {}, "f:image": {}, "f:env": settings(name), "f:resources": {".": {}, "f:limits": {}, "f:requests": {}}});
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "checkout", "namespace": namespace, "uid": "0d3e7a58-9df4-4c85-8f5e-6c9a2f1f4b21", "creationTimestamp": "2026-01-01T00:00:00Z", "generation": 1,
            "labels": labels, "annotations": {"kubectl.kubernetes.io/last-applied-configuration": json!({"spec": {"replicas": 3, "selector": {"matchLabels": {"app": "checkout"}}}}).to_string()},
            "managedFields": [{"manager": "kubectl-client-side-apply", "operation": "Update", "apiVersion": "apps/v1", "time": "2026-01-01T00:00:00Z", "fieldsType": "FieldsV1",
                "fieldsV1": {"f:spec": {"f:replicas": {}, "f:template": {"f:spec": {"f:containers": {
                    "k:{\"name\":\"checkout\"}": fields("checkout"), "k:{\"name\":\"proxy\"}": fields("proxy")}}}}}}]},
        "spec": spec, "status": {},
    })
}

/// The create of a Deployment.
#[must_use]
pub fn deployment_create(namespace: &str, name: &str, object: &Value) -> Bytes {
    review(
        "apps",
        "Deployment",
        "deployments",
        namespace,
        name,
        object,
        None,
    )
}

/// The update of a Deployment from one object to another, both as the API server has them.
#[must_use]
pub fn deployment_update(namespace: &str, name: &str, old: &Value, new: &Value) -> Bytes {
    review(
        "apps",
        "Deployment",
        "deployments",
        namespace,
        name,
        new,
        Some(old),
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
        "options": {"apiVersion": "meta.k8s.io/v1", "kind": if old.is_some() { "UpdateOptions" } else { "CreateOptions" }, "fieldManager": "kubectl-client-side-apply", "fieldValidation": "Strict"}}});
    Bytes::from(review.to_string())
}
