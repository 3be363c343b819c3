//! Reads a workload, its releases, ReplicaSets and pods.

use anyhow::bail;
use k8s_openapi::api::{
    apps::v1::{Deployment, ReplicaSet},
    core::v1::{Namespace, Pod},
};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{DynamicObject, ListParams},
    core::ApiResource,
};
use serde_json::Value;
use sluice_api::{Mode, Release, RolloutPlan, SYSTEM_NAMESPACE, WorkloadKind, label};
use sluice_planner::selection::{self, Workload};

use super::progress::{self, Seen};
use crate::{
    cluster::{self, explained},
    workload::Named,
};

/// What the caller named, read once.
#[derive(Clone, Debug)]
pub enum Found {
    /// A Release by its name.
    Release(Box<Release>),
    /// A workload.
    Workload {
        /// The live Deployment.
        deployment: Value,
        /// The Releases of its uid.
        releases: Vec<Release>,
        /// Why nothing steps it, if so.
        plan: Result<(), String>,
    },
}

impl Found {
    /// How far it is.
    pub fn progress(&self) -> progress::Progress {
        match self {
            Self::Release(release) => progress::of_release(release),
            Self::Workload {
                deployment,
                releases,
                plan,
            } => progress::of_workload(&Seen {
                deployment,
                releases,
                plan: plan.clone(),
            }),
        }
    }

    /// The Release that the progress speaks of, else the youngest there is.
    pub fn current(&self) -> Option<&Release> {
        match self {
            Self::Release(release) => Some(release),
            Self::Workload { releases, .. } => match self.progress().release {
                Some(name) => releases.iter().find(|release| release.name_any() == name),
                None => progress::youngest(releases),
            },
        }
    }
}

/// Reads what the caller named.
///
/// # Errors
/// When it does not exist, is of a kind that is not stepped, or cannot be read.
pub async fn find(client: &Client, namespace: &str, named: &Named) -> anyhow::Result<Found> {
    let releases: Api<Release> = Api::namespaced(client.clone(), namespace);
    match named {
        Named::Object(name) => {
            let Some(release) = cluster::get(&releases, name, "release").await? else {
                bail!(
                    "no release {name} in namespace {namespace}; `sluice release list` shows all, and deployment/NAME names the current one of a workload"
                );
            };
            Ok(Found::Release(Box::new(release)))
        }
        Named::Workload {
            kind: WorkloadKind::Deployment,
            name,
        } => {
            let Some(deployment) = live(client, namespace, name).await? else {
                bail!("no deployment {name} in namespace {namespace}");
            };
            let uid = deployment["metadata"]["uid"]
                .as_str()
                .unwrap_or_default()
                .to_owned();
            let mut of_uid = explained(
                releases.list(&ListParams::default()).await,
                "releases cannot be listed",
            )?
            .items;
            of_uid.retain(|release| release.spec.workload.uid == uid);
            let plan = plan(client, namespace, &deployment).await?;
            Ok(Found::Workload {
                deployment,
                releases: of_uid,
                plan,
            })
        }
        Named::Workload { kind, name } => {
            bail!(
                "{}/{name}: Sluice steps Deployments so far; a {kind} is checked at admission and rolled out by Kubernetes alone",
                kind.as_str().to_lowercase()
            )
        }
    }
}

/// The live Deployment as JSON: hashes are made of what really stands there, not of a typed reading of it.
async fn live(client: &Client, namespace: &str, name: &str) -> anyhow::Result<Option<Value>> {
    let resource = ApiResource::erase::<Deployment>(&());
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource);
    let found = cluster::get(&api, name, "deployment").await?;
    Ok(found.map(serde_json::to_value).transpose()?)
}

/// Whether a plan steps this Deployment; `Err` says why not.
async fn plan(
    client: &Client,
    namespace: &str,
    deployment: &Value,
) -> anyhow::Result<Result<(), String>> {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    // people who may not read namespaces still learn about plans
    let mode = match namespaces.get_opt(namespace).await {
        Ok(Some(found)) => Some(Mode::of_label(
            found.labels().get(label::MODE).map(String::as_str),
        )),
        Ok(None) => bail!("no namespace {namespace}"),
        Err(kube::Error::Api(status)) if status.code == 403 => None,
        Err(error) => return explained(Err(error), "the namespace cannot be read"),
    };
    if let Some(mode) = mode.filter(|mode| *mode != Mode::Enforce) {
        return Ok(Err(format!(
            "namespace {namespace} is in mode {mode}, and releases are stepped in mode enforce"
        )));
    }
    let mut plans = Vec::new();
    for from in [namespace, SYSTEM_NAMESPACE] {
        let api: Api<RolloutPlan> = Api::namespaced(client.clone(), from);
        match api.list(&ListParams::default()).await {
            Ok(found) => plans.extend(found.items),
            // plans of Sluice's own namespace may be out of sight; then nobody can say that none applies
            Err(kube::Error::Api(status)) if status.code == 403 && from != namespace => {
                return Ok(Ok(()));
            }
            Err(error) => return explained(Err(error), "rollout plans cannot be listed"),
        }
        if from == SYSTEM_NAMESPACE || namespace == SYSTEM_NAMESPACE {
            break;
        }
    }
    let labels = deployment["metadata"]["labels"]
        .as_object()
        .into_iter()
        .flatten();
    let labels = labels
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect();
    let workload = Workload {
        namespace,
        kind: WorkloadKind::Deployment,
        name: deployment["metadata"]["name"].as_str().unwrap_or_default(),
        labels: &labels,
    };
    Ok(
        match selection::applicable_plan(workload, SYSTEM_NAMESPACE, &plans) {
            Some(_) => Ok(()),
            None => Err("no rollout plan applies to it".to_owned()),
        },
    )
}

/// The ReplicaSets and pods of a Deployment. `None` when the caller may not see them.
pub async fn pods(
    client: &Client,
    namespace: &str,
    uid: &str,
) -> anyhow::Result<Option<(Vec<ReplicaSet>, Vec<Pod>)>> {
    let Some(mut sets) = visible::<ReplicaSet>(client, namespace).await? else {
        return Ok(None);
    };
    sets.retain(|set| set.owner_references().iter().any(|owner| owner.uid == uid));
    let Some(mut pods) = visible::<Pod>(client, namespace).await? else {
        return Ok(None);
    };
    pods.retain(|pod| {
        pod.owner_references().iter().any(|owner| {
            sets.iter()
                .any(|set| set.uid().as_deref() == Some(&owner.uid))
        })
    });
    Ok(Some((sets, pods)))
}

async fn visible<K>(client: &Client, namespace: &str) -> anyhow::Result<Option<Vec<K>>>
where
    K: Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>
        + Clone
        + serde::de::DeserializeOwned
        + std::fmt::Debug,
{
    let api: Api<K> = Api::namespaced(client.clone(), namespace);
    match api.list(&ListParams::default()).await {
        Ok(found) => Ok(Some(found.items)),
        Err(kube::Error::Api(status)) if status.code == 403 => Ok(None),
        Err(error) => explained(Err(error), "pods cannot be listed"),
    }
}
