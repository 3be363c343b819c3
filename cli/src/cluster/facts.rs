//! Objects of the cluster as they really stand there, read page by page.

use k8s_openapi::api::core::v1::{LimitRange, Namespace, ResourceQuota};
use kube::{
    Api, Client,
    api::{DynamicObject, ListParams},
    core::ApiResource,
};
use serde_json::{Value, json};

use super::explained;

const PAGE: u32 = 500;

/// Every Namespace, ResourceQuota and LimitRange of the cluster.
///
/// # Errors
/// When one of the lists cannot be read whole.
pub async fn read(client: &Client) -> anyhow::Result<Vec<Value>> {
    let mut facts = all(client, &ApiResource::erase::<Namespace>(&()), None).await?;
    facts.extend(all(client, &ApiResource::erase::<ResourceQuota>(&()), None).await?);
    facts.extend(all(client, &ApiResource::erase::<LimitRange>(&()), None).await?);
    Ok(facts)
}

/// Every object of a kind, of one namespace or of all, with the `apiVersion` and `kind` that items of a list lack.
///
/// # Errors
/// When the list cannot be read whole.
pub async fn all(
    client: &Client,
    resource: &ApiResource,
    namespace: Option<&str>,
) -> anyhow::Result<Vec<Value>> {
    let api: Api<DynamicObject> = match namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, resource),
        None => Api::all_with(client.clone(), resource),
    };
    let mut found = Vec::new();
    let mut parameters = ListParams::default().limit(PAGE);
    loop {
        let doing = format!("{} cannot be listed", resource.plural);
        let page = explained(api.list(&parameters).await, &doing)?;
        for item in page.items {
            let mut value = serde_json::to_value(item)?;
            value["apiVersion"] = json!(resource.api_version);
            value["kind"] = json!(resource.kind);
            found.push(value);
        }
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => parameters = parameters.continue_token(&token),
            None => return Ok(found),
        }
    }
}
