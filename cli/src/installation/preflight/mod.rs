//! What keeps an installation from being made, found before anything is changed: an old cluster, missing rights, somebody else's objects, a second or a newer
//! installation. Every reason is told at once. Reads and server-side dry-runs only.

mod others;
mod rights;
mod version;

use k8s_openapi::api::core::v1::Namespace;
use kube::ResourceExt;
use kube::{Api, Client};
use serde_json::Value;
use sluice_api::{SYSTEM_NAMESPACE, access};
use sluice_runtime::config;

use super::{apply::Applier, supported};
use crate::{cluster, generate::install::Part};

pub use version::Change;

/// What was found.
#[derive(Debug)]
pub enum Found {
    /// Nothing stands in the way.
    Ready {
        /// Which version this replaces.
        change: Change,
        /// The configuration file that the cluster holds.
        configured: Option<String>,
    },
    /// Why not, a sentence each with the way out.
    Refused(Vec<String>),
}

/// Looks at everything. `objects` is what is about to be applied; the configuration of the cluster must be one of this version unless another one comes with it.
///
/// # Errors
/// When something cannot be read for another reason than missing rights, which is an answer.
pub async fn examine(
    client: &Client,
    objects: &[(Part, Value)],
    with_config: bool,
) -> anyhow::Result<Found> {
    let kubernetes = supported::version_of(client).await?;
    if !kubernetes.is_supported() {
        return Ok(Found::Refused(vec![format!(
            "this is Kubernetes {kubernetes}, and Sluice needs {} or later: upgrade the cluster first",
            supported::OLDEST
        )]));
    }
    // whoever may not write may not read either: everything else would be guesses
    let missing = rights::missing(client, objects).await?;
    if !missing.is_empty() {
        return Ok(Found::Refused(missing));
    }
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let namespace = cluster::get(&namespaces, SYSTEM_NAMESPACE, "namespace").await?;
    let said = namespace
        .as_ref()
        .and_then(|found| found.labels().get(access::VERSION_LABEL));
    let mut applier = Applier::new(client.clone());
    let mut live = Vec::new();
    for (part, object) in objects {
        // policies are for people to change, and their kind may not be there yet
        if *part == Part::Policies {
            continue;
        }
        if let Some(found) = applier.live(object).await? {
            live.push((object.clone(), found));
        }
    }
    let mut problems = others::problems(client, &live).await?;
    let is_installed = live
        .iter()
        .any(|(object, _)| object["kind"] == "CustomResourceDefinition");
    let change = Change::between(is_installed, said.map(String::as_str));
    problems.extend(change.problem());
    let configured = live
        .iter()
        .find(|(object, _)| object["kind"] == "ConfigMap")
        .and_then(|(_, found)| found.data["data"]["config.yaml"].as_str())
        .map(str::to_owned);
    if let (Some(text), false) = (&configured, with_config)
        && let Err(why) = config::parse("configmap/sluice-config", text)
    {
        problems.push(format!(
            "the configuration in the cluster is none that this version can use, and no program would start with it: {why}. Give another one with --config"
        ));
    }
    Ok(match problems.is_empty() {
        true => Found::Ready { change, configured },
        false => Found::Refused(problems),
    })
}
