//! What stands in the cluster under our names and is not ours to write: somebody else's, Helm's, or a second installation's.

use k8s_openapi::{
    api::apps::v1::Deployment,
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Api, Client, ResourceExt,
    api::{DynamicObject, ListParams},
};
use serde_json::Value;
use sluice_api::{GROUP, SYSTEM_NAMESPACE, access};

use crate::{cluster::explained, installation::apply::title};

/// By this Helm marks what it has made.
const HELM: &str = "meta.helm.sh/release-name";
const HELM_NAMESPACE: &str = "meta.helm.sh/release-namespace";

/// Everything that is in the way. `live` is what stands there now of what is about to be applied.
pub async fn problems(
    client: &Client,
    live: &[(Value, DynamicObject)],
) -> anyhow::Result<Vec<String>> {
    let everything = ListParams::default();
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    let definitions = explained(
        definitions.list(&everything).await,
        "customresourcedefinitions cannot be listed",
    )?;
    let programs: Api<Deployment> = Api::all(client.clone());
    let ours = ListParams::default().labels(&format!("{}=sluice", access::PART_OF));
    let programs = explained(programs.list(&ours).await, "deployments cannot be listed")?;
    let mut problems = of_helm(live);
    if problems.is_empty() {
        problems = foreign(live);
        problems.extend(foreign_definitions(&definitions.items, live));
    }
    problems.extend(second(&programs.items, live));
    Ok(problems)
}

fn of_helm(live: &[(Value, DynamicObject)]) -> Vec<String> {
    let Some((object, release)) = live
        .iter()
        .find_map(|(_, found)| Some((found, found.annotations().get(HELM)?)))
    else {
        return Vec::new();
    };
    let unknown = SYSTEM_NAMESPACE.to_owned();
    let namespace = object.annotations().get(HELM_NAMESPACE).unwrap_or(&unknown);
    vec![format!(
        "Sluice is installed by the Helm release {release} in namespace {namespace}: bring it to another version with `helm upgrade {release} CHART -n {namespace}`, or remove it with `helm uninstall {release} -n {namespace}` and install then"
    )]
}

fn foreign(live: &[(Value, DynamicObject)]) -> Vec<String> {
    live.iter()
        .filter(|(_, found)| found.labels().get(access::PART_OF).is_none_or(|part| part != "sluice"))
        .map(|(object, _)| {
            let title = title(object);
            let inside = match object["metadata"]["namespace"].as_str() {
                Some(namespace) => format!("-n {namespace} "),
                None => String::new(),
            };
            format!(
                "{title} is there and not marked as Sluice's: delete it, or, if Sluice may have it, `kubectl {inside}label {title} {}=sluice`",
                access::PART_OF
            )
        })
        .collect()
}

/// Definitions of our group under names that this version does not write.
fn foreign_definitions(
    definitions: &[CustomResourceDefinition],
    live: &[(Value, DynamicObject)],
) -> Vec<String> {
    definitions
        .iter()
        .filter(|found| found.spec.group == GROUP)
        .filter(|found| found.labels().get(access::PART_OF).is_none_or(|part| part != "sluice"))
        .map(ResourceExt::name_any)
        // told already
        .filter(|name| !live.iter().any(|(object, _)| object["metadata"]["name"] == name.as_str()))
        .map(|name| {
            format!("customresourcedefinition/{name} is of the group {GROUP} and not Sluice's: two products cannot share a group")
        })
        .collect()
}

fn second(programs: &[Deployment], live: &[(Value, DynamicObject)]) -> Vec<String> {
    let mut namespaces: Vec<String> = programs
        .iter()
        .filter(|found| {
            [access::WEBHOOK_ACCOUNT, access::CONTROLLER_ACCOUNT]
                .contains(&found.name_any().as_str())
        })
        .filter_map(ResourceExt::namespace)
        .collect();
    let bound = live
        .iter()
        .filter(|(object, _)| object["kind"] == "ClusterRoleBinding")
        .flat_map(|(_, found)| found.data["subjects"].as_array().into_iter().flatten())
        .filter_map(|subject| subject["namespace"].as_str());
    namespaces.extend(bound.map(str::to_owned));
    namespaces.retain(|namespace| namespace != SYSTEM_NAMESPACE);
    namespaces.sort();
    namespaces.dedup();
    namespaces
        .into_iter()
        .map(|namespace| {
            format!("another installation of Sluice lives in namespace {namespace}: a cluster has one, since webhooks and definitions are the cluster's. Take that one out first")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn live(object: Value) -> (Value, DynamicObject) {
        (object.clone(), serde_json::from_value(object).unwrap())
    }

    fn role(metadata: Value) -> (Value, DynamicObject) {
        let mut object = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": metadata});
        object["metadata"]["name"] = json!("sluice-webhook");
        live(object)
    }

    #[test]
    fn what_is_not_ours_is_named_with_the_way_out() {
        let ours = json!({"app.kubernetes.io/part-of": "sluice"});
        let binding = live(json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
            "metadata": {"name": "sluice-webhook", "labels": ours},
            "subjects": [{"kind": "ServiceAccount", "name": "sluice-webhook", "namespace": "gates"}],
        }));
        for (what, found, words) in [
            ("ours", of_helm(&[role(json!({"labels": ours}))]), ""),
            ("ours", foreign(&[role(json!({"labels": ours}))]), ""),
            (
                "no label",
                foreign(&[role(json!({}))]),
                "kubectl label clusterrole/sluice-webhook app.kubernetes.io/part-of=sluice",
            ),
            (
                "another's label",
                foreign(&[role(json!({"labels": {"app.kubernetes.io/part-of": "x"}}))]),
                "not marked as Sluice's",
            ),
            (
                "Helm's",
                of_helm(&[role(
                    json!({"labels": ours, "annotations": {"meta.helm.sh/release-name": "s", "meta.helm.sh/release-namespace": "n"}}),
                )]),
                "helm upgrade s CHART -n n",
            ),
            (
                "bound elsewhere",
                second(&[], &[binding]),
                "lives in namespace gates",
            ),
        ] {
            assert_eq!(
                found.len(),
                usize::from(!words.is_empty()),
                "{what}: {found:?}"
            );
            assert!(
                found.iter().all(|said| said.contains(words)),
                "{what}: {found:?}"
            );
        }
    }
}
