//! Server-side apply of any object, and its removal.

use std::{collections::BTreeMap, fmt, time::Duration};

use anyhow::Context;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{
    Api, Client,
    api::{DeleteParams, DynamicObject, Patch, PatchParams, PropagationPolicy},
    core::{ApiResource, GroupVersionKind},
    discovery::{self, ApiCapabilities, Scope},
};
use serde_json::Value;

use super::MANAGER;
use crate::cluster::{explained, patiently};

/// How often something that is on its way is asked for.
const LOOK: Duration = Duration::from_millis(100);
/// How long a kind that was just defined may take to be served.
const SERVED: u32 = 100;

/// Applies and removes objects of any kind.
pub struct Applier {
    client: Client,
    kinds: BTreeMap<String, (ApiResource, ApiCapabilities)>,
}

impl Applier {
    /// With the caller's rights.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self {
            client,
            kinds: BTreeMap::new(),
        }
    }

    /// Applies an object; fields of others stay theirs, fields that the object sets become ours.
    ///
    /// # Errors
    /// When the API server refuses or does not answer.
    pub async fn apply(&mut self, object: &Value) -> anyhow::Result<Applied> {
        let what = title(object);
        let (api, name) = self
            .api(object)
            .await
            .with_context(|| format!("{what} cannot be applied"))?
            .with_context(|| format!("{what}: the cluster does not know this kind"))?;
        let before = explained(
            patiently(|| api.get_metadata_opt(&name)).await,
            &format!("{what} cannot be read"),
        )?;
        let params = PatchParams::apply(MANAGER).force();
        let patch = Patch::Apply(object);
        let after = explained(
            patiently(|| api.patch(&name, &params, &patch)).await,
            &format!("{what} cannot be applied"),
        )?;
        let before = before.map(|before| before.metadata);
        Ok(Applied::of(before.as_ref(), &after.metadata))
    }

    /// Deletes an object. Whether it was there.
    ///
    /// # Errors
    /// When the API server refuses or does not answer; absence is no error.
    pub async fn delete(&mut self, object: &Value) -> anyhow::Result<bool> {
        let what = title(object);
        let Some((api, name)) = self
            .api(object)
            .await
            .with_context(|| format!("{what} cannot be deleted"))?
        else {
            return Ok(false);
        };
        let params = DeleteParams {
            propagation_policy: Some(PropagationPolicy::Background),
            ..DeleteParams::default()
        };
        match patiently(|| api.delete(&name, &params)).await {
            Ok(_) => Ok(true),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(false),
            Err(error) => explained(Err(error), &format!("{what} cannot be deleted")),
        }
    }

    /// The live object; `None` when it, or its kind, is not there.
    ///
    /// # Errors
    /// When the API server refuses or does not answer.
    pub async fn live(&mut self, object: &Value) -> anyhow::Result<Option<DynamicObject>> {
        let what = title(object);
        match self.api(object).await? {
            Some((api, name)) => explained(
                patiently(|| api.get_opt(&name)).await,
                &format!("{what} cannot be read"),
            ),
            None => Ok(None),
        }
    }

    /// Waits until the live object satisfies `ready`; false when `patience` is over first.
    ///
    /// # Errors
    /// When the object cannot be read.
    pub async fn wait(
        &mut self,
        object: &Value,
        patience: Duration,
        ready: impl Fn(Option<&DynamicObject>) -> bool,
    ) -> anyhow::Result<bool> {
        let began = tokio::time::Instant::now();
        loop {
            if ready(self.live(object).await?.as_ref()) {
                return Ok(true);
            }
            if began.elapsed() >= patience {
                return Ok(false);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// The API of an object's kind; `None` when the cluster does not serve it.
    async fn api(
        &mut self,
        object: &Value,
    ) -> anyhow::Result<Option<(Api<DynamicObject>, String)>> {
        let text = |pointer: &str| {
            object
                .pointer(pointer)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let version = text("/apiVersion");
        let (group, version) = version.split_once('/').unwrap_or(("", version));
        let gvk = GroupVersionKind::gvk(group, version, text("/kind"));
        let key = format!("{}/{}", gvk.api_version(), gvk.kind);
        if !self.kinds.contains_key(&key) {
            let Some(found) = self.discover(&gvk).await? else {
                return Ok(None);
            };
            self.kinds.insert(key.clone(), found);
        }
        let Some((resource, capabilities)) = self.kinds.get(&key) else {
            return Ok(None);
        };
        let api = match (&capabilities.scope, text("/metadata/namespace")) {
            (Scope::Namespaced, namespace) => {
                Api::namespaced_with(self.client.clone(), namespace, resource)
            }
            (Scope::Cluster, _) => Api::all_with(self.client.clone(), resource),
        };
        Ok(Some((api, text("/metadata/name").to_owned())))
    }

    /// A kind of ours may have been defined a moment ago and is served a moment later.
    async fn discover(
        &self,
        gvk: &GroupVersionKind,
    ) -> anyhow::Result<Option<(ApiResource, ApiCapabilities)>> {
        let tries = if gvk.group == sluice_api::GROUP {
            SERVED
        } else {
            1
        };
        for again in (0..tries).rev() {
            match discovery::pinned_kind(&self.client, gvk).await {
                Ok(found) => return Ok(Some(found)),
                Err(kube::Error::Api(status)) if status.code == 404 && again == 0 => {
                    return Ok(None);
                }
                Err(kube::Error::Discovery(_)) if again == 0 => return Ok(None),
                Err(kube::Error::Api(status)) if status.code == 404 => {}
                Err(kube::Error::Discovery(_)) => {}
                Err(error) => {
                    return explained(Err(error), "the kinds of the cluster cannot be read");
                }
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(None)
    }
}

/// What applying an object came to, in kubectl's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// It was not there.
    Created,
    /// Something of it is not as it was.
    Configured,
    /// It was so already.
    Unchanged,
}

impl Applied {
    fn of(before: Option<&ObjectMeta>, after: &ObjectMeta) -> Self {
        match before {
            None => Self::Created,
            // an apply that changes nothing is not stored, and keeps the version
            Some(before) if before.resource_version == after.resource_version => Self::Unchanged,
            // somebody deleted it in between: what is there now is a new one
            Some(before) if before.uid != after.uid => Self::Created,
            Some(_) => Self::Configured,
        }
    }
}

impl fmt::Display for Applied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Created => "created",
            Self::Configured => "configured",
            Self::Unchanged => "unchanged",
        })
    }
}

/// `kind/name` as kubectl prints it.
#[must_use]
pub fn title(object: &Value) -> String {
    let text = |pointer: &str| {
        object
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    format!(
        "{}/{}",
        text("/kind").to_lowercase(),
        text("/metadata/name")
    )
}

/// Whether a condition of an object is true.
#[must_use]
pub fn is_true(object: &DynamicObject, condition: &str) -> bool {
    let conditions = object
        .data
        .pointer("/status/conditions")
        .and_then(Value::as_array);
    conditions
        .into_iter()
        .flatten()
        .any(|found| found["type"] == condition && found["status"] == "True")
}

/// Whether a Deployment is available in its present form.
#[must_use]
pub fn is_available(object: &DynamicObject) -> bool {
    let number = |pointer: &str| {
        object
            .data
            .pointer(pointer)
            .and_then(Value::as_i64)
            .unwrap_or_default()
    };
    let wanted = object
        .data
        .pointer("/spec/replicas")
        .and_then(Value::as_i64)
        .unwrap_or(1);
    number("/status/observedGeneration") >= object.metadata.generation.unwrap_or_default()
        && number("/status/updatedReplicas") >= wanted
        && number("/status/availableReplicas") >= wanted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_applying_came_to_as_kubectl_does() {
        let meta = |uid: &str, version: &str| ObjectMeta {
            uid: Some(uid.to_owned()),
            resource_version: Some(version.to_owned()),
            ..ObjectMeta::default()
        };
        let after = meta("a", "2");
        for (before, word) in [
            (None, "created"),
            (Some(meta("a", "2")), "unchanged"),
            (Some(meta("a", "1")), "configured"),
            (Some(meta("b", "1")), "created"),
        ] {
            assert_eq!(Applied::of(before.as_ref(), &after).to_string(), word);
        }
    }
}
