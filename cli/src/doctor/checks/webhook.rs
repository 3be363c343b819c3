//! Whether the API server reaches the webhook, by the address and the authority that are published.
//!
//! The proof is a request: a server-side dry-run of a Policy that the webhook must refuse. The API server asks it over the very path on which it asks
//! everything else; what goes through shows that it did not.

use std::collections::BTreeSet;

use k8s_openapi::api::admissionregistration::v1::WebhookClientConfig;
use sluice_api::{SYSTEM_NAMESPACE, access, admission_table};

use super::{Check, Facts, Findings, READ, known};
use crate::doctor::facts::{Configuration, SelfTest};

/// See the module.
pub struct Webhook;

const RESTART: &str = "the leading controller publishes them within a minute; if it does not: kubectl -n sluice-system logs -l app.kubernetes.io/name=sluice-controller";

impl Check for Webhook {
    fn name(&self) -> &'static str {
        "webhook"
    }

    fn asks(&self) -> &'static str {
        "does the API server reach the webhook at the published address, trusting the published authority?"
    }

    fn examine(&self, facts: &Facts, findings: &mut Findings) {
        if let Some(configurations) = known(&facts.configurations, findings, READ) {
            published(configurations, findings);
            if uses_service(configurations) {
                endpoints(facts, findings);
            }
        }
        match &facts.self_test {
            Ok(SelfTest::Refused) => findings.fine(
                "a dry-run that it must refuse was refused by it: this API server reaches it",
            ),
            Ok(SelfTest::LetThrough) => findings.broken(
                "a dry-run that it must refuse went through: the API server does not reach it, or does not trust it",
                format!(
                    "look at the checks below; the log of the API server says why (`failed calling webhook`), that of the webhook whether it was asked: kubectl -n {SYSTEM_NAMESPACE} logs -l app.kubernetes.io/name={}",
                    access::WEBHOOK_ACCOUNT
                ),
            ),
            Ok(SelfTest::Elsewhere(why)) => findings.unknown(
                format!("the dry-run did not come as far as the webhook: {why}"),
                "run it as somebody who may create policies.sluice.dev in sluice-system (role sluice-admin)",
            ),
            Err(why) => findings.unknown(
                format!("the dry-run could not be sent: {why}"),
                READ,
            ),
        }
    }
}

fn published(configurations: &[Configuration], findings: &mut Findings) {
    let missing: Vec<&str> = [
        admission_table::MUTATING,
        admission_table::ADMISSION,
        admission_table::OBJECTS,
    ]
    .into_iter()
    .filter(|name| configurations.iter().all(|found| found.name != *name))
    .collect();
    if !missing.is_empty() {
        findings.broken(
            format!(
                "not published: {}. Nothing of it is checked",
                missing.join(", ")
            ),
            RESTART,
        );
    }
    let clients: BTreeSet<String> = configurations
        .iter()
        .filter(|found| super::admission_table::is_ours(&found.name))
        .flat_map(|found| &found.entries)
        .map(|entry| target(&entry.client_config))
        .collect();
    let bundles: BTreeSet<&[u8]> = configurations
        .iter()
        .filter(|found| super::admission_table::is_ours(&found.name))
        .flat_map(|found| &found.entries)
        .map(|entry| bundle(&entry.client_config))
        .collect();
    match Vec::from_iter(clients).as_slice() {
        [] => {}
        [one] if bundles.len() == 1 => findings.fine(format!("published at {one}")),
        [one] => findings.broken(
            format!(
                "published at {one} with {} different authorities",
                bundles.len()
            ),
            RESTART,
        ),
        more => findings.broken(
            format!("published at different addresses: {}", more.join(", ")),
            RESTART,
        ),
    }
}

/// The address without the path, which differs from entry to entry.
fn target(client: &WebhookClientConfig) -> String {
    match (&client.service, &client.url) {
        (Some(service), _) => format!(
            "{}.{}.svc:{}",
            service.name,
            service.namespace,
            service.port.unwrap_or(443)
        ),
        (None, Some(url)) => url.split("/admit").next().unwrap_or_default().to_owned(),
        (None, None) => "nowhere".to_owned(),
    }
}

fn bundle(client: &WebhookClientConfig) -> &[u8] {
    client.ca_bundle.as_ref().map_or(&[], |bundle| &bundle.0)
}

fn uses_service(configurations: &[Configuration]) -> bool {
    configurations
        .iter()
        .filter(|found| super::admission_table::is_ours(&found.name))
        .flat_map(|found| &found.entries)
        .any(|entry| entry.client_config.service.is_some())
}

fn endpoints(facts: &Facts, findings: &mut Findings) {
    let Some(endpoints) = known(&facts.endpoints, findings, READ) else {
        return;
    };
    let of = endpoints.map_or((0, 0), |found| (found.ready, found.all));
    if of.0 == 0 {
        findings.broken(
            format!(
                "its Service has no ready endpoint ({} in all): workloads in enforce namespaces are refused",
                of.1
            ),
            format!(
                "kubectl -n {SYSTEM_NAMESPACE} get deployment,pods,service,endpointslices; in an emergency docs/way-back.md"
            ),
        );
    } else {
        findings.fine(format!(
            "{} of {} endpoints of its Service are ready",
            of.0, of.1
        ));
    }
}
