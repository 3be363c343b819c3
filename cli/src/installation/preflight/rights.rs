//! Whether the caller may do everything that an installation does, asked of the API server before anything is done.
//!
//! Two questions: may you write each kind, and may you grant the rights that the roles grant? Nobody may grant what they do not have, which no review answers;
//! a server-side dry-run of each role does.

use std::collections::BTreeMap;

use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use kube::{
    Api, Client,
    api::{DynamicObject, Patch, PatchParams, PostParams},
    core::{ApiResource, GroupVersionKind},
    discovery,
};
use serde_json::Value;
use sluice_api::{GROUP, SYSTEM_NAMESPACE};

use crate::{
    cluster::explained,
    generate::install::Part,
    installation::{MANAGER, apply::title},
};

/// What applying an object takes.
const VERBS: [&str; 3] = ["get", "create", "patch"];
/// How many questions are asked at once.
const AT_ONCE: usize = 8;

/// What the caller may not do, a sentence each; empty when nothing.
pub async fn missing(client: &Client, objects: &[(Part, Value)]) -> anyhow::Result<Vec<String>> {
    let mut kinds: BTreeMap<(String, String), Option<&str>> = BTreeMap::new();
    for (_, object) in objects {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
        let version = text("/apiVersion").unwrap_or_default().to_owned();
        let kind = text("/kind").unwrap_or_default().to_owned();
        kinds.insert((version, kind), text("/metadata/namespace"));
    }
    let mut asked = vec![
        (
            "list",
            "customresourcedefinitions",
            "apiextensions.k8s.io",
            None,
        ),
        ("list", "deployments", "apps", None),
    ]
    .into_iter()
    .map(
        |(verb, resource, group, namespace): (&str, &str, &str, Option<&str>)| {
            question(verb, resource, group, namespace)
        },
    )
    .collect::<Vec<_>>();
    for ((version, kind), namespace) in &kinds {
        let Some((resource, group)) = resource_of(client, version, kind).await? else {
            return Ok(vec![format!(
                "this cluster does not know {kind} of {version}, which Sluice needs"
            )]);
        };
        asked.extend(VERBS.map(|verb| question(verb, &resource, &group, *namespace)));
    }
    let api: Api<SelfSubjectAccessReview> = Api::all(client.clone());
    let answers: Vec<Option<String>> = stream::iter(asked)
        .map(|attributes| ask(&api, attributes))
        .buffered(AT_ONCE)
        .try_collect()
        .await?;
    let mut refused: Vec<String> = answers.into_iter().flatten().collect();
    if !refused.is_empty() {
        refused.sort();
        refused.dedup();
        return Ok(vec![format!(
            "you may not: {}. Ask somebody with the role cluster-admin",
            refused.join("; ")
        )]);
    }
    let roles = objects
        .iter()
        .filter(|(_, object)| object["kind"] == "ClusterRole");
    let mut problems = Vec::new();
    for (_, role) in roles {
        if let Some(why) = ungrantable(client, role).await? {
            problems.push(why);
        }
    }
    Ok(problems)
}

fn question(
    verb: &str,
    resource: &str,
    group: &str,
    namespace: Option<&str>,
) -> ResourceAttributes {
    ResourceAttributes {
        verb: Some(verb.to_owned()),
        group: Some(group.to_owned()),
        resource: Some(resource.to_owned()),
        namespace: namespace.map(str::to_owned),
        ..ResourceAttributes::default()
    }
}

/// What is refused, in words.
async fn ask(
    api: &Api<SelfSubjectAccessReview>,
    attributes: ResourceAttributes,
) -> anyhow::Result<Option<String>> {
    let text = |field: &Option<String>| field.clone().unwrap_or_default();
    let mut words = format!("{} {}", text(&attributes.verb), text(&attributes.resource));
    if attributes
        .group
        .as_deref()
        .is_some_and(|group| !group.is_empty())
    {
        words.push_str(&format!(".{}", text(&attributes.group)));
    }
    if let Some(namespace) = &attributes.namespace {
        words.push_str(&format!(" in {namespace}"));
    }
    let review = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(attributes),
            ..SelfSubjectAccessReviewSpec::default()
        },
        ..SelfSubjectAccessReview::default()
    };
    let answer = explained(
        api.create(&PostParams::default(), &review).await,
        "your own rights cannot be asked for",
    )?;
    let allowed = answer.status.is_some_and(|status| status.allowed);
    Ok((!allowed).then_some(words))
}

/// The resource and the group of a kind; `None` when the cluster does not serve it. Ours may not be served yet.
async fn resource_of(
    client: &Client,
    version: &str,
    kind: &str,
) -> anyhow::Result<Option<(String, String)>> {
    let (group, version) = version.split_once('/').unwrap_or(("", version));
    if group == GROUP {
        let definitions = sluice_api::crd::all();
        let found = definitions.iter().find(|crd| crd.spec.names.kind == kind);
        return Ok(found.map(|crd| (crd.spec.names.plural.clone(), group.to_owned())));
    }
    let gvk = GroupVersionKind::gvk(group, version, kind);
    match discovery::pinned_kind(client, &gvk).await {
        Ok((resource, _)) => Ok(Some((resource.plural, group.to_owned()))),
        Err(kube::Error::Discovery(_)) => Ok(None),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
        Err(error) => explained(Err(error), "the kinds of the cluster cannot be read"),
    }
}

/// Why the caller may not make this role, if that is so.
async fn ungrantable(client: &Client, role: &Value) -> anyhow::Result<Option<String>> {
    let gvk = GroupVersionKind::gvk("rbac.authorization.k8s.io", "v1", "ClusterRole");
    let resource = ApiResource::from_gvk_with_plural(&gvk, "clusterroles");
    let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
    let params = PatchParams::apply(MANAGER).force().dry_run();
    let name = role["metadata"]["name"].as_str().unwrap_or_default();
    match api.patch(name, &params, &Patch::Apply(role)).await {
        Ok(_) => Ok(None),
        Err(kube::Error::Api(status)) if status.code == 403 => Ok(Some(format!(
            "you may not make {}: {}. Ask somebody with the role cluster-admin, or for the verb escalate on clusterroles",
            title(role),
            status.message.split('\n').next().unwrap_or_default()
        ))),
        Err(error) => explained(
            Err(error),
            &format!("a dry-run of {} in {SYSTEM_NAMESPACE} failed", title(role)),
        ),
    }
}
