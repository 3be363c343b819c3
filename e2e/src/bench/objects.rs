//! The objects that a measurement needs in the cluster.

use anyhow::{Context, bail};
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::NamespaceResourceScope;
use kube::{Api, Client, Resource, api::PostParams};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{Plane, User};

/// `kubectl apply` of all of them at once.
///
/// # Errors
/// When one is refused.
pub async fn apply(plane: &Plane, objects: &[Value]) -> anyhow::Result<()> {
    let list = json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string();
    plane
        .kubectl(User::Admin, ["apply", "-f", "-"], Some(&list))
        .await?
        .ok()?;
    Ok(())
}

/// `kubectl get`, as JSON.
///
/// # Errors
/// When it is not there.
pub async fn get(plane: &Plane, namespace: &str, what: &str) -> anyhow::Result<Value> {
    let text = plane
        .kubectl(
            User::Admin,
            // managedFields are part of what a webhook is sent
            [
                "-n",
                namespace,
                "get",
                what,
                "-o",
                "json",
                "--show-managed-fields",
            ],
            None,
        )
        .await?
        .ok()?;
    Ok(serde_json::from_str(&text)?)
}

/// Creates many objects, eight at a time.
///
/// # Errors
/// The first refusal.
pub async fn create_all<K>(
    client: &Client,
    objects: impl IntoIterator<Item = (String, Value)>,
) -> anyhow::Result<()>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + std::fmt::Debug
        + Serialize
        + DeserializeOwned,
{
    stream::iter(objects)
        .map(|(namespace, object)| {
            let api: Api<K> = Api::namespaced(client.clone(), &namespace);
            async move {
                let object: K = serde_json::from_value(object)?;
                api.create(&PostParams::default(), &object)
                    .await
                    .with_context(|| format!("in namespace {namespace}"))?;
                anyhow::Ok(())
            }
        })
        .buffer_unordered(8)
        .try_collect()
        .await
}

/// A Deployment that every rule of the shipped set lets through.
#[must_use]
pub fn deployment(name: &str, replicas: u32, image: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name, "labels": {"app": name, "team": "bench"}},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{
                "name": "app", "image": image, "ports": [{"containerPort": 8080}],
                "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}},
                "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "32Mi"}},
            }]}},
        },
    })
}

/// An object of ours, in a namespace.
#[must_use]
pub fn ours(kind: &str, namespace: &str, name: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": "sluice.dev/v1alpha1", "kind": kind,
        "metadata": {"namespace": namespace, "name": name}, "spec": spec,
    })
}

/// Waits until a gate is open.
///
/// # Errors
/// When it does not open within half a minute, with its reasons.
pub async fn gate_opens(plane: &Plane, namespace: &str, name: &str) -> anyhow::Result<()> {
    let what = format!("gates.sluice.dev/{name}");
    let until = std::time::Instant::now() + std::time::Duration::from_secs(30);
    loop {
        let gate = get(plane, namespace, &what).await?;
        if gate["status"]["state"] == "Open" {
            return Ok(());
        }
        if std::time::Instant::now() > until {
            bail!(
                "the gate {namespace}/{name} does not open: {}",
                gate["status"]
            );
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
}
