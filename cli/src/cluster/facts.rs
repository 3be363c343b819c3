//! The facts of every namespace, read page by page.

use k8s_openapi::api::core::v1::{LimitRange, Namespace, ResourceQuota};
use kube::{Api, Client, Resource, api::ListParams};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::explained;

const PAGE: u32 = 500;

/// Every Namespace, ResourceQuota and LimitRange of the cluster.
///
/// # Errors
/// When one of the lists cannot be read whole.
pub async fn read(client: &Client) -> anyhow::Result<Vec<Value>> {
    let mut facts = all::<Namespace>(Api::all(client.clone()), "v1", "Namespace").await?;
    facts.extend(all::<ResourceQuota>(Api::all(client.clone()), "v1", "ResourceQuota").await?);
    facts.extend(all::<LimitRange>(Api::all(client.clone()), "v1", "LimitRange").await?);
    Ok(facts)
}

/// Every object of a kind, with the `apiVersion` and `kind` that items of a list lack.
///
/// # Errors
/// When the list cannot be read whole.
pub async fn all<K>(api: Api<K>, api_version: &str, kind: &str) -> anyhow::Result<Vec<Value>>
where
    K: Resource + Clone + DeserializeOwned + Serialize + std::fmt::Debug,
{
    let mut found = Vec::new();
    let mut parameters = ListParams::default().limit(PAGE);
    loop {
        let page = explained(
            api.list(&parameters).await,
            &format!("objects of kind {kind} cannot be listed"),
        )?;
        for item in page.items {
            let mut value = serde_json::to_value(item)?;
            value["apiVersion"] = json!(api_version);
            value["kind"] = json!(kind);
            found.push(value);
        }
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => parameters = parameters.continue_token(&token),
            None => return Ok(found),
        }
    }
}
