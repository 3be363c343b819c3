//! Objects of the cluster as they really stand there, read page by page.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api, Client, Resource,
    api::{DynamicObject, ListParams},
    core::{ApiResource, DynamicResourceScope, GroupVersionKind, PartialObjectMeta},
    discovery,
};
use serde::de::DeserializeOwned;
use sluice_policies::{FactKind, PolicySet};
use sluice_runtime::keyed::KeyedObject;
use sluice_tree::{Value, json};

use super::explained;
use crate::check::facts::{Known, Reach};

const PAGE: u32 = 500;
/// The same where an object may be a megabyte of which next to nothing is kept.
const PAGE_OF_LARGE: u32 = 25;

/// Every Namespace of the cluster.
///
/// # Errors
/// When the list cannot be read whole.
pub async fn namespaces(client: &Client) -> anyhow::Result<Vec<Value>> {
    all(client, &ApiResource::erase::<Namespace>(&()), None).await
}

/// Learns what the rules of a set must know, of one namespace or of all; keys of ConfigMaps and Secrets only where a policy asks for them. What this caller may not read, and what the cluster does not have, stays unknown and is
/// told on the standard error.
///
/// # Errors
/// When a list breaks off for any other reason.
pub async fn learn(
    client: &Client,
    known: &mut Known,
    set: &PolicySet,
    namespace: Option<&str>,
) -> anyhow::Result<()> {
    for kind in set.needs() {
        if !kind.in_clusters() {
            eprintln!(
                "{} are not known: no API server has them; give them with --facts",
                kind.plural()
            );
            continue;
        }
        let resource = resource_of(*kind);
        let namespace = namespace.filter(|_| kind.is_namespaced());
        let mut take = |object: Value| known.learn([&object], Reach::Cluster, "default");
        let read = if let FactKind::Names(_) = kind {
            // metadata only: the content of Secrets never leaves the server
            let api = api::<PartialObjectMeta<DynamicObject>>(client, &resource, namespace);
            let named = |item: PartialObjectMeta<DynamicObject>| {
                take(json!({
                    "apiVersion": resource.api_version,
                    "kind": resource.kind,
                    "metadata": {"name": item.metadata.name, "namespace": item.metadata.namespace},
                }));
            };
            pages(&api, PAGE, named).await
        } else if let FactKind::Keys(keyed) = kind {
            let lists = set.key_scopes()[keyed.index()].lists();
            keys(client, &resource, lists, namespace, &mut take).await
        } else {
            let api = api::<DynamicObject>(client, &resource, namespace);
            pages(&api, PAGE, |item| take(value(item, &resource))).await
        };
        match read {
            Err(error) if never_readable(&error) => {
                eprintln!("{} are not known: {error}", kind.plural());
            }
            read => {
                explained(read, &format!("{} cannot be listed", kind.plural()))?;
                known.read_whole(*kind);
            }
        }
    }
    let kinds: BTreeSet<(&str, &str)> = set.parameter_kinds().collect();
    for (api_version, kind) in kinds {
        match parameters(client, known, set, (api_version, kind)).await {
            Err(error) if never_readable(&error) => {
                eprintln!(
                    "{kind} objects of {api_version}, parameters of a policy, are not known: {error}"
                );
            }
            read => explained(
                read,
                &format!("{kind} objects of {api_version} cannot be listed"),
            )?,
        }
    }
    Ok(())
}

/// Learns the objects of a kind that policies of the API server take their parameters from, wherever they lie.
async fn parameters(
    client: &Client,
    known: &mut Known,
    set: &PolicySet,
    (api_version, kind): (&str, &str),
) -> Result<(), kube::Error> {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let gvk = GroupVersionKind::gvk(group, version, kind);
    let (resource, _) = discovery::pinned_kind(client, &gvk).await?;
    let api = api::<DynamicObject>(client, &resource, None);
    let take = |item| {
        let object = value(item, &resource);
        known.learn_parameters(set, [&object], Reach::Cluster, "default");
    };
    pages(&api, PAGE_OF_LARGE, take).await?;
    known.read_every_parameter(api_version, kind);
    Ok(())
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
    let mut found = Vec::new();
    let api = api::<DynamicObject>(client, resource, namespace);
    let read = pages(&api, PAGE, |item| found.push(value(item, resource))).await;
    explained(read, &format!("{} cannot be listed", resource.plural))?;
    Ok(found)
}

/// The keys of the objects that policies ask for; values are dropped while they are read.
async fn keys(
    client: &Client,
    resource: &ApiResource,
    lists: BTreeSet<Option<String>>,
    only: Option<&str>,
    take: &mut impl FnMut(Value),
) -> Result<(), kube::Error> {
    for list in lists {
        let place = match (list.as_deref(), only) {
            (Some(list), Some(only)) if list != only => continue,
            (list, only) => only.or(list),
        };
        let api = api::<KeyedObject>(client, resource, place);
        let keyed = |item: KeyedObject| {
            let metadata =
                json!({"name": item.metadata.name, "namespace": item.metadata.namespace});
            let keys = item.into_keys().keys.unwrap_or_default();
            let data: BTreeMap<String, &str> = keys.into_iter().map(|key| (key, "")).collect();
            take(json!({
                "apiVersion": resource.api_version,
                "kind": resource.kind,
                "metadata": metadata,
                "data": data,
            }));
        };
        pages(&api, PAGE_OF_LARGE, keyed).await?;
    }
    Ok(())
}

async fn pages<K>(api: &Api<K>, page: u32, mut take: impl FnMut(K)) -> Result<(), kube::Error>
where
    K: Clone + DeserializeOwned + std::fmt::Debug,
{
    let mut parameters = ListParams::default().limit(page);
    loop {
        let page = api.list(&parameters).await?;
        page.items.into_iter().for_each(&mut take);
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => parameters = parameters.continue_token(&token),
            None => return Ok(()),
        }
    }
}

fn api<K>(client: &Client, resource: &ApiResource, namespace: Option<&str>) -> Api<K>
where
    K: Resource<DynamicType = ApiResource, Scope = DynamicResourceScope>,
{
    match namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, resource),
        None => Api::all_with(client.clone(), resource),
    }
}

fn value(item: DynamicObject, resource: &ApiResource) -> Value {
    let mut value = item.data;
    value["apiVersion"] = serde_json::json!(resource.api_version);
    value["kind"] = serde_json::json!(resource.kind);
    value["metadata"] = serde_json::json!(item.metadata);
    value.into()
}

fn resource_of(kind: FactKind) -> ApiResource {
    let kind = kind.of_objects();
    let version = kind.api_version();
    let (group, version) = version.split_once('/').unwrap_or(("", version));
    let gvk = GroupVersionKind::gvk(group, version, kind.kind());
    ApiResource::from_gvk_with_plural(&gvk, &kind.plural().to_lowercase())
}

/// Whether the answer will be the same next time: no right to read, or no such kind in the cluster.
fn never_readable(error: &kube::Error) -> bool {
    match error {
        kube::Error::Api(status) => matches!(status.code, 403 | 404),
        kube::Error::Discovery(_) => true,
        _ => false,
    }
}
