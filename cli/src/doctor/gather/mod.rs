//! Reads everything that the checks look at, all at once. Every error becomes a reason why something cannot be told; nothing is written.

mod leader;
mod rights;
mod self_test;

use std::time::Duration;

use futures::{future::join, join};
use jiff::{SignedDuration, Timestamp, fmt::rfc2822};
use k8s_openapi::{
    api::{
        admissionregistration::v1::{
            MutatingWebhook, MutatingWebhookConfiguration, ValidatingAdmissionPolicy,
            ValidatingAdmissionPolicyBinding, ValidatingWebhook, ValidatingWebhookConfiguration,
        },
        apps::v1::Deployment,
        core::v1::{Namespace, Secret},
        discovery::v1::EndpointSlice,
        rbac::v1::{ClusterRole, Role},
    },
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{Api, Client, Resource, ResourceExt, api::ListParams, client::Body, core::ApiResource};
use serde_json::Value;
use sluice_api::{Release, SYSTEM_NAMESPACE, access};

use super::{
    checks::is_ours,
    facts::{Certificates, Configuration, Endpoints, Facts, Known, Piece},
};
use crate::{
    cluster::{explained, facts as objects, heartbeat, replicas},
    console,
    generate::install::Part,
    installation::{apply, install, supported},
};

/// The Service of the webhook where the configurations do not name one.
const SERVICE: &str = "sluice-webhook";

/// Reads it all. `now` is the caller's clock.
pub async fn gather(client: &Client, now: Timestamp, stuck_after: Duration) -> Facts {
    let configurations = configurations(client).await;
    let service = service_of(&configurations);
    let rest = async {
        join!(
            said(supported::version_of(client)),
            server_ahead(client),
            parts(client),
            installed_version(client),
            self_test::ask(client),
            certificates(client),
        )
    };
    let programs = async {
        join!(
            said(replicas::ask(client, &service, None)),
            leader::listen(client),
            said(heartbeat::fresh(client)),
            rights::ask(client),
            releases(client),
            deployments(client),
            endpoints(client, &service),
        )
    };
    let (rest, programs) = join(rest, programs).await;
    let (kubernetes, server_ahead, parts, installed_version, self_test, certificates) = rest;
    let (replicas, leader, heartbeat, rights, releases, deployments, endpoints) = programs;
    Facts {
        now,
        stuck_after,
        kubernetes,
        server_ahead,
        parts,
        installed_version,
        configurations,
        endpoints,
        self_test,
        certificates,
        replicas,
        leader,
        heartbeat,
        rights,
        releases,
        deployments,
    }
}

/// An error in the words in which it is told.
async fn said<T>(asked: impl Future<Output = anyhow::Result<T>>) -> Known<T> {
    asked.await.map_err(|error| console::chain(&error))
}

/// Every configuration that is Sluice's by its name, or that asks Sluice's Service.
async fn configurations(client: &Client) -> Known<Vec<Configuration>> {
    said(async {
        let everything = ListParams::default();
        let mutating: Api<MutatingWebhookConfiguration> = Api::all(client.clone());
        let validating: Api<ValidatingWebhookConfiguration> = Api::all(client.clone());
        let mutating = explained(
            mutating.list(&everything).await,
            "mutatingwebhookconfigurations cannot be listed",
        )?;
        let validating = explained(
            validating.list(&everything).await,
            "validatingwebhookconfigurations cannot be listed",
        )?;
        let mutating = mutating.items.into_iter().map(|found| Configuration {
            kind: "MutatingWebhookConfiguration",
            name: found.name_any(),
            entries: found
                .webhooks
                .unwrap_or_default()
                .into_iter()
                .map(as_validating)
                .collect(),
        });
        let validating = validating.items.into_iter().map(|found| Configuration {
            kind: "ValidatingWebhookConfiguration",
            name: found.name_any(),
            entries: found.webhooks.unwrap_or_default(),
        });
        Ok(mutating
            .chain(validating)
            .filter(|found| is_ours(&found.name) || found.entries.iter().any(asks_us))
            .collect())
    })
    .await
}

/// The Service at which the webhook is published.
fn service_of(configurations: &Known<Vec<Configuration>>) -> String {
    let ours = configurations
        .iter()
        .flatten()
        .filter(|found| is_ours(&found.name));
    ours.flat_map(|found| &found.entries)
        .find_map(|entry| entry.client_config.service.as_ref())
        .map_or_else(|| SERVICE.to_owned(), |service| service.name.clone())
}

fn asks_us(entry: &ValidatingWebhook) -> bool {
    let service = entry.client_config.service.as_ref();
    service.is_some_and(|service| service.namespace == SYSTEM_NAMESPACE)
}

/// An entry of a mutating configuration in the form of the others: only when it is asked again differs, and that plays no part here.
pub fn as_validating(entry: MutatingWebhook) -> ValidatingWebhook {
    ValidatingWebhook {
        admission_review_versions: entry.admission_review_versions,
        client_config: entry.client_config,
        failure_policy: entry.failure_policy,
        match_conditions: entry.match_conditions,
        match_policy: entry.match_policy,
        name: entry.name,
        namespace_selector: entry.namespace_selector,
        object_selector: entry.object_selector,
        rules: entry.rules,
        side_effects: entry.side_effects,
        timeout_seconds: entry.timeout_seconds,
    }
}

/// How far the API server's clock is ahead of ours: its answer carries whole seconds, of which the middle is taken.
async fn server_ahead(client: &Client) -> Known<SignedDuration> {
    said(async {
        let request = http::Request::get("/version").body(Body::empty())?;
        let sent = Timestamp::now();
        let answer = explained(client.send(request).await, "the API server does not answer")?;
        let came = Timestamp::now();
        let date = answer
            .headers()
            .get(http::header::DATE)
            .and_then(|date| date.to_str().ok())
            .ok_or_else(|| anyhow::anyhow!("the API server's answer says no time"))?;
        let date = rfc2822::parse(date)?.timestamp();
        let between = sent.checked_add(came.duration_since(sent) / 2)?;
        Ok(date.duration_since(between) + SignedDuration::from_millis(500))
    })
    .await
}

/// The objects that every installation has: neither the programs, which may run elsewhere, nor what people may change or leave out.
async fn parts(client: &Client) -> Known<Vec<Piece>> {
    said(async {
        let mut there = Vec::new();
        there.extend(names::<Namespace>(client).await?);
        there.extend(names::<CustomResourceDefinition>(client).await?);
        there.extend(names::<ClusterRole>(client).await?);
        there.extend(names::<Role>(client).await?);
        there.extend(names::<ValidatingAdmissionPolicy>(client).await?);
        there.extend(names::<ValidatingAdmissionPolicyBinding>(client).await?);
        let kinds = [
            "Namespace",
            "CustomResourceDefinition",
            "ClusterRole",
            "Role",
            "ValidatingAdmissionPolicy",
            "ValidatingAdmissionPolicyBinding",
        ];
        Ok(install::objects()?
            .into_iter()
            .filter(|(part, object)| {
                *part < Part::Configuration
                    && object["kind"]
                        .as_str()
                        .is_some_and(|kind| kinds.contains(&kind))
                    && object["metadata"]["name"] != access::SECRET_NAMES_ROLE
            })
            .map(|(_, object)| {
                let title = apply::title(&object);
                Piece {
                    there: there.contains(&title),
                    title,
                }
            })
            .collect())
    })
    .await
}

/// The titles of all objects of a kind; of a namespaced one those in Sluice's namespace.
async fn names<K>(client: &Client) -> anyhow::Result<Vec<String>>
where
    K: Resource<DynamicType = ()>,
{
    let resource = ApiResource::erase::<K>(&());
    let namespace = (resource.kind == "Role").then_some(SYSTEM_NAMESPACE);
    let found = objects::all(client, &resource, namespace).await?;
    let title = |found| apply::title(&Value::from(found));
    Ok(found.iter().map(title).collect())
}

/// What the Namespace says.
async fn installed_version(client: &Client) -> Known<Option<String>> {
    said(async {
        let namespaces: Api<Namespace> = Api::all(client.clone());
        let found = explained(
            namespaces.get_opt(SYSTEM_NAMESPACE).await,
            &format!("namespace {SYSTEM_NAMESPACE} cannot be read"),
        )?;
        Ok(found.and_then(|found| found.labels().get(access::VERSION_LABEL).cloned()))
    })
    .await
}

/// The public part of the Secret; its keys are dropped here.
async fn certificates(client: &Client) -> Known<Option<Certificates>> {
    said(async {
        let secrets: Api<Secret> = Api::namespaced(client.clone(), SYSTEM_NAMESPACE);
        let found = explained(
            secrets.get_opt(access::CERTIFICATE_SECRET).await,
            &format!(
                "secret {} in namespace {SYSTEM_NAMESPACE} cannot be read",
                access::CERTIFICATE_SECRET
            ),
        )?;
        Ok(found.map(|secret| {
            let text = |key: &str| {
                let value = secret.data.as_ref().and_then(|data| data.get(key));
                value.map_or_else(String::new, |value| {
                    String::from_utf8_lossy(&value.0).into_owned()
                })
            };
            Certificates {
                serving: text("tls.crt"),
                authority: text("ca.crt"),
            }
        }))
    })
    .await
}

/// Every release; none where the kind is not served.
async fn releases(client: &Client) -> Known<Vec<Release>> {
    said(async {
        let api: Api<Release> = Api::all(client.clone());
        match api.list(&ListParams::default()).await {
            Ok(found) => Ok(found.items),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(Vec::new()),
            Err(error) => explained(Err(error), "releases cannot be listed"),
        }
    })
    .await
}

async fn deployments(client: &Client) -> Known<Vec<Value>> {
    said(async {
        let resource = ApiResource::erase::<Deployment>(&());
        let found = objects::all(client, &resource, None).await?;
        Ok(found.into_iter().map(Value::from).collect())
    })
    .await
}

async fn endpoints(client: &Client, service: &str) -> Known<Option<Endpoints>> {
    said(async {
        let slices: Api<EndpointSlice> = Api::namespaced(client.clone(), SYSTEM_NAMESPACE);
        let of_service = ListParams::default().labels(&format!("{}={service}", replicas::SERVICE));
        let slices = explained(
            slices.list(&of_service).await,
            &format!("endpointslices in namespace {SYSTEM_NAMESPACE} cannot be listed"),
        )?;
        let (mut ready, mut all) = (0, 0);
        for endpoint in slices.items.iter().flat_map(|slice| &slice.endpoints) {
            let conditions = endpoint.conditions.as_ref();
            all += 1;
            ready += usize::from(conditions.and_then(|is| is.ready).unwrap_or(true));
        }
        Ok((!slices.items.is_empty()).then_some(Endpoints { ready, all }))
    })
    .await
}
