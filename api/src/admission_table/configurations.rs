//! The table as webhook configurations.

use k8s_openapi::{
    ByteString,
    api::admissionregistration::v1::{
        MatchCondition, MutatingWebhook, MutatingWebhookConfiguration, RuleWithOperations,
        ServiceReference, ValidatingWebhook, ValidatingWebhookConfiguration, WebhookClientConfig,
    },
    apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement, ObjectMeta},
};

use super::{ADMISSION, Entry, MUTATING, NEVER, OBJECTS, Scope, Stage, TABLE};
use crate::label;

/// How the API server reaches the webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientConfigChoice {
    /// Through a Service.
    Service {
        /// The namespace of the Service.
        namespace: String,
        /// Its name.
        name: String,
        /// Its port.
        port: i32,
    },
    /// At a base URL, such as `https://127.0.0.1:9443`; the path of the entry is appended.
    Url(String),
}
/// The webhook configurations: the mutating one, then the validating ones.
///
/// `off_namespaces` come on top of [`NEVER`] and `system_namespace` as namespaces that are not seen at all.
#[must_use]
pub fn configurations(
    client: &ClientConfigChoice,
    ca_bundle: &[u8],
    system_namespace: &str,
    off_namespaces: &[String],
) -> (
    MutatingWebhookConfiguration,
    Vec<ValidatingWebhookConfiguration>,
) {
    let never = never_seen(system_namespace, off_namespaces);
    let mutating = TABLE
        .iter()
        .filter(|entry| entry.stage == Stage::Mutating)
        .map(|entry| MutatingWebhook {
            name: entry.name.to_owned(),
            admission_review_versions: vec!["v1".to_owned()],
            client_config: client_config(client, ca_bundle, entry.path),
            failure_policy: Some(entry.failure_policy.as_str().to_owned()),
            match_conditions: Some(match_conditions(entry, system_namespace)),
            match_policy: Some("Equivalent".to_owned()),
            namespace_selector: Some(namespace_selector(entry.scope, &never)),
            object_selector: Some(LabelSelector::default()),
            reinvocation_policy: Some("IfNeeded".to_owned()),
            rules: Some(rules(entry)),
            side_effects: entry.side_effects.to_owned(),
            timeout_seconds: Some(entry.timeout_seconds),
        })
        .collect();
    let validating = [ADMISSION, OBJECTS]
        .into_iter()
        .map(|configuration| ValidatingWebhookConfiguration {
            metadata: metadata(configuration),
            webhooks: Some(
                TABLE
                    .iter()
                    .filter(|entry| entry.configuration == configuration)
                    .map(|entry| ValidatingWebhook {
                        name: entry.name.to_owned(),
                        admission_review_versions: vec!["v1".to_owned()],
                        client_config: client_config(client, ca_bundle, entry.path),
                        failure_policy: Some(entry.failure_policy.as_str().to_owned()),
                        match_conditions: Some(match_conditions(entry, system_namespace)),
                        match_policy: Some("Equivalent".to_owned()),
                        namespace_selector: Some(namespace_selector(entry.scope, &never)),
                        object_selector: Some(LabelSelector::default()),
                        rules: Some(rules(entry)),
                        side_effects: entry.side_effects.to_owned(),
                        timeout_seconds: Some(entry.timeout_seconds),
                    })
                    .collect(),
            ),
        })
        .collect();
    (
        MutatingWebhookConfiguration {
            metadata: metadata(MUTATING),
            webhooks: Some(mutating),
        },
        validating,
    )
}

fn metadata(name: &str) -> ObjectMeta {
    ObjectMeta {
        name: Some(name.to_owned()),
        labels: Some(
            [("app.kubernetes.io/part-of".to_owned(), "sluice".to_owned())]
                .into_iter()
                .collect(),
        ),
        ..ObjectMeta::default()
    }
}

/// Sorted and without duplicates, so that the same input always gives the same object.
fn never_seen(system_namespace: &str, off_namespaces: &[String]) -> Vec<String> {
    let mut never: Vec<String> = NEVER
        .into_iter()
        .chain([system_namespace])
        .chain(off_namespaces.iter().map(String::as_str))
        .map(str::to_owned)
        .collect();
    never.sort();
    never.dedup();
    never
}

fn client_config(client: &ClientConfigChoice, ca_bundle: &[u8], path: &str) -> WebhookClientConfig {
    let (service, url) = match client {
        ClientConfigChoice::Service {
            namespace,
            name,
            port,
        } => (
            Some(ServiceReference {
                namespace: namespace.clone(),
                name: name.clone(),
                path: Some(path.to_owned()),
                port: Some(*port),
            }),
            None,
        ),
        ClientConfigChoice::Url(base) => {
            (None, Some(format!("{}{path}", base.trim_end_matches('/'))))
        }
    };
    WebhookClientConfig {
        ca_bundle: Some(ByteString(ca_bundle.to_vec())),
        service,
        url,
    }
}

fn match_conditions(entry: &Entry, system_namespace: &str) -> Vec<MatchCondition> {
    entry
        .conditions
        .iter()
        .map(|condition| MatchCondition {
            name: condition.name.to_owned(),
            expression: condition.expression(system_namespace),
        })
        .collect()
}

fn namespace_selector(scope: Scope, never: &[String]) -> LabelSelector {
    let requirement = |key: &str, operator: &str, values: Vec<String>| LabelSelectorRequirement {
        key: key.to_owned(),
        operator: operator.to_owned(),
        values: Some(values),
    };
    let words = |modes: &[label::Mode]| modes.iter().map(|mode| mode.as_str().to_owned()).collect();
    let mode = match scope {
        Scope::All => return LabelSelector::default(),
        Scope::Enforce => requirement(label::MODE, "In", words(&[label::Mode::Enforce])),
        Scope::Observe => requirement(
            label::MODE,
            "NotIn",
            words(&[label::Mode::Enforce, label::Mode::Off]),
        ),
    };
    LabelSelector {
        match_expressions: Some(vec![
            mode,
            requirement("kubernetes.io/metadata.name", "NotIn", never.to_vec()),
        ]),
        match_labels: None,
    }
}

fn rules(entry: &Entry) -> Vec<RuleWithOperations> {
    let list = |words: &[&str]| Some(words.iter().map(|word| (*word).to_owned()).collect());
    entry
        .rules
        .iter()
        .map(|rule| RuleWithOperations {
            api_groups: list(rule.groups),
            api_versions: list(rule.versions),
            operations: list(rule.operations),
            resources: list(rule.resources),
            // cluster-scoped objects escape every namespaceSelector, so the rule itself leaves them out
            scope: Some("Namespaced".to_owned()),
        })
        .collect()
}
