//! Whether the API server asks Sluice exactly what the table says, and above all nothing that a cluster needs to come up.

use k8s_openapi::api::admissionregistration::v1::{RuleWithOperations, ValidatingWebhook};
use sluice_api::{
    SYSTEM_NAMESPACE,
    admission_table::{self, ClientConfigChoice},
};

use super::{Check, Facts, Findings, READ, known, some};
use crate::doctor::facts::Configuration;

/// See the module.
pub struct AdmissionTable;

/// What a cluster needs to come up, or to let a repair through. A webhook that sees one of these can lock everybody out.
const BOOTSTRAP: [&str; 18] = [
    "*",
    "nodes",
    "leases",
    "events",
    "certificatesigningrequests",
    "tokenreviews",
    "subjectaccessreviews",
    "serviceaccounts",
    "clusterroles",
    "clusterrolebindings",
    "roles",
    "rolebindings",
    "namespaces",
    "endpoints",
    "endpointslices",
    "mutatingwebhookconfigurations",
    "validatingwebhookconfigurations",
    "customresourcedefinitions",
];

const ANEW: &str = "kubectl delete mutatingwebhookconfigurations,validatingwebhookconfigurations -l app.kubernetes.io/part-of=sluice: the leading controller writes them as they must be within a minute";

/// Whether a configuration is one that the leader writes.
pub fn is_ours(name: &str) -> bool {
    [
        admission_table::MUTATING,
        admission_table::ADMISSION,
        admission_table::OBJECTS,
    ]
    .contains(&name)
}

impl Check for AdmissionTable {
    fn name(&self) -> &'static str {
        "admission-table"
    }

    fn asks(&self) -> &'static str {
        "is the webhook asked exactly what the table says, and nothing that a cluster needs to come up?"
    }

    fn examine(&self, facts: &Facts, findings: &mut Findings) {
        let Some(configurations) = known(&facts.configurations, findings, READ) else {
            return;
        };
        let before = findings.0.len();
        for configuration in configurations {
            if is_ours(&configuration.name) {
                compare(configuration, findings);
            } else {
                findings.broken(
                    format!(
                        "{} {} asks Sluice too, and is none of its own",
                        configuration.kind, configuration.name
                    ),
                    format!(
                        "kubectl delete {} {}, or make it ask somebody else",
                        configuration.kind.to_lowercase(),
                        configuration.name
                    ),
                );
            }
        }
        if findings.0.len() == before && !configurations.is_empty() {
            let entries: usize = configurations.iter().map(|found| found.entries.len()).sum();
            findings.fine(format!(
                "{entries} entries as in docs/admission-table.md; no kind that a cluster needs to come up"
            ));
        }
    }
}

/// What the table says, as entries: where the webhook is and whom it is trusted by plays no part.
fn wanted(name: &str) -> Vec<ValidatingWebhook> {
    let anywhere = ClientConfigChoice::Url(String::new());
    let (mutating, validating) =
        admission_table::configurations(&anywhere, &[], SYSTEM_NAMESPACE, &[]);
    if name == admission_table::MUTATING {
        let entries = mutating.webhooks.unwrap_or_default();
        return entries
            .into_iter()
            .map(crate::doctor::gather::as_validating)
            .collect();
    }
    validating
        .into_iter()
        .filter(|found| found.metadata.name.as_deref() == Some(name))
        .flat_map(|found| found.webhooks.unwrap_or_default())
        .collect()
}

fn compare(configuration: &Configuration, findings: &mut Findings) {
    let wanted = wanted(&configuration.name);
    for entry in &configuration.entries {
        let Some(wanted) = wanted.iter().find(|wanted| wanted.name == entry.name) else {
            let seen: Vec<String> = reached(entry).map(|(what, _)| what).collect();
            findings.broken(
                format!(
                    "{}: entry {} is none of the table's; it sees {}",
                    configuration.name,
                    entry.name,
                    some(&seen)
                ),
                ANEW,
            );
            continue;
        };
        differences(&configuration.name, entry, wanted, findings);
    }
    for missing in wanted.iter().filter(|wanted| {
        configuration
            .entries
            .iter()
            .all(|entry| entry.name != wanted.name)
    }) {
        findings.broken(
            format!("{}: entry {} is missing", configuration.name, missing.name),
            ANEW,
        );
    }
}

fn differences(
    name: &str,
    entry: &ValidatingWebhook,
    wanted: &ValidatingWebhook,
    findings: &mut Findings,
) {
    let place = format!("{name}: entry {}", entry.name);
    let (live, table): (Vec<_>, Vec<_>) = (reached(entry).collect(), reached(wanted).collect());
    let more: Vec<_> = live.iter().filter(|what| !table.contains(what)).collect();
    let bootstrap: Vec<String> = more
        .iter()
        .filter(|(_, resource)| {
            let resource = resource.split('/').next().unwrap_or_default();
            BOOTSTRAP.contains(&resource)
        })
        .map(|(what, _)| what.clone())
        .collect();
    if !bootstrap.is_empty() {
        findings.broken(
            format!(
                "{place} sees {}, which a cluster needs to come up",
                some(&bootstrap)
            ),
            ANEW,
        );
    } else if !more.is_empty() {
        let more: Vec<String> = more.iter().map(|(what, _)| what.clone()).collect();
        findings.broken(
            format!("{place} sees {} on top of the table", some(&more)),
            ANEW,
        );
    }
    let less: Vec<String> = table
        .iter()
        .filter(|what| !live.contains(what))
        .map(|(what, _)| what.clone())
        .collect();
    if !less.is_empty() {
        findings.broken(
            format!("{place} does not see {}: unchecked", some(&less)),
            ANEW,
        );
    }
    let cluster_wide = entry.rules.iter().flatten();
    if cluster_wide
        .filter(|rule| rule.scope.as_deref() != Some("Namespaced"))
        .count()
        > 0
    {
        findings.broken(
            format!("{place} has a rule that reaches beyond namespaces, past every selector"),
            ANEW,
        );
    }
    if entry.failure_policy != wanted.failure_policy {
        let word = |policy: &Option<String>| policy.clone().unwrap_or_default();
        findings.broken(
            format!(
                "{place} has failurePolicy {}, not {}",
                word(&entry.failure_policy),
                word(&wanted.failure_policy)
            ),
            ANEW,
        );
    }
    for condition in wanted.match_conditions.iter().flatten() {
        if !entry
            .match_conditions
            .iter()
            .flatten()
            .any(|live| live == condition)
        {
            findings.broken(
                format!(
                    "{place} lacks the condition {} or has another one",
                    condition.name
                ),
                ANEW,
            );
        }
    }
    let live: Vec<_> = requirements(entry).collect();
    for wanted in requirements(wanted) {
        // namespaces of the configuration file come on top
        let kept = live.iter().any(|live| {
            live.key == wanted.key
                && live.operator == wanted.operator
                && wanted
                    .values
                    .iter()
                    .flatten()
                    .all(|value| live.values.iter().flatten().any(|found| found == value))
        });
        if !kept {
            findings.broken(
                format!(
                    "{place} reaches namespaces that it must not: its selector lacks {} {} {}",
                    wanted.key,
                    wanted.operator,
                    wanted
                        .values
                        .iter()
                        .flatten()
                        .cloned()
                        .collect::<Vec<_>>()
                        .join(", ")
                ),
                ANEW,
            );
        }
    }
}

fn requirements(
    entry: &ValidatingWebhook,
) -> impl Iterator<Item = &k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelectorRequirement>
{
    entry
        .namespace_selector
        .iter()
        .flat_map(|selector| selector.match_expressions.iter().flatten())
}

/// Every operation on every resource that an entry sees, in words, with the resource alone.
fn reached(entry: &ValidatingWebhook) -> impl Iterator<Item = (String, String)> + '_ {
    entry.rules.iter().flatten().flat_map(rule)
}

fn rule(rule: &RuleWithOperations) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for group in rule.api_groups.iter().flatten() {
        for version in rule.api_versions.iter().flatten() {
            for resource in rule.resources.iter().flatten() {
                for operation in rule.operations.iter().flatten() {
                    let dotted = if group.is_empty() {
                        String::new()
                    } else {
                        format!(".{group}")
                    };
                    all.push((
                        format!("{operation} {resource}{dotted}/{version}"),
                        resource.clone(),
                    ));
                }
            }
        }
    }
    all
}
