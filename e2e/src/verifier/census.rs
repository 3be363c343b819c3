//! What the pods say of themselves, asked one by one over the network.

use std::collections::BTreeMap;

use anyhow::Context;
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Client, api::ListParams};
use serde_json::Value;

use crate::{Plane, fetch};

/// Pods per image, as each running pod with these labels answers when asked for its version.
///
/// # Errors
/// When a running pod does not answer: a census with a gap proves nothing.
pub async fn ask(
    plane: &Plane,
    client: &Client,
    namespace: &str,
    labels: &str,
) -> anyhow::Result<BTreeMap<String, u32>> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let mut count = BTreeMap::new();
    for pod in pods.list(&ListParams::default().labels(labels)).await? {
        let status = pod.status.unwrap_or_default();
        if status.phase.as_deref() != Some("Running") || pod.metadata.deletion_timestamp.is_some() {
            continue;
        }
        let ip = status.pod_ip.context("a running pod without address")?;
        let url = format!("http://{ip}:8080/version");
        let answer = fetch::through_proxy(plane.dataplane().proxy(), &url).await?;
        let version: Value = serde_json::from_slice(&answer.body)
            .with_context(|| format!("{url} does not answer JSON"))?;
        let image = version["image"]
            .as_str()
            .with_context(|| format!("{url} names no image"))?;
        *count.entry(image.to_owned()).or_insert(0) += 1;
    }
    Ok(count)
}
