//! The one table of what the webhooks see: which requests are sent to Sluice, which never are, and what happens when Sluice does not answer.
//!
//! The webhook configurations and the page in the documentation are both made from it, so neither can say more than the other.
//!
//! Invariants, each tested below:
//! - only workload kinds in namespaces of mode `enforce` may fail closed; everything else is `Ignore` or not seen at all;
//! - no rule has a wildcard, a sub-resource or a cluster-scoped kind, so nodes, certificate requests, leases, events, tokens, RBAC, status and scale
//!   never depend on Sluice;
//! - Sluice's own writes and those of the native controllers are left out by conditions that the API server evaluates itself, so they work with Sluice dead.

use k8s_openapi::{
    ByteString,
    api::admissionregistration::v1::{
        MatchCondition, MutatingWebhook, MutatingWebhookConfiguration, RuleWithOperations,
        ServiceReference, ValidatingWebhook, ValidatingWebhookConfiguration, WebhookClientConfig,
    },
    apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement, ObjectMeta},
};

use crate::{access::CONTROLLER_ACCOUNT, annotation, label};

/// The mutating configuration. Mutating configurations run sorted by name: ours shall see what all others made of the object.
pub const MUTATING: &str = "zz-sluice";
/// The validating configuration for workloads.
pub const ADMISSION: &str = "sluice-admission";
/// The validating configuration for the kinds of sluice.dev.
pub const OBJECTS: &str = "sluice-objects";

/// Where the mutating webhook listens.
pub const RELEASE_PATH: &str = "/admit/release";
/// Where workloads of namespaces of mode `enforce` are judged.
pub const WORKLOAD_PATH: &str = "/admit/workload";
/// Where workloads of all other namespaces are judged: nothing is refused there.
pub const OBSERVE_PATH: &str = "/admit/observe";
/// Where objects of sluice.dev are judged.
pub const OBJECT_PATH: &str = "/admit/object";

/// Namespaces that no webhook of Sluice sees, whatever label they carry; Sluice's own and those of the configuration file come on top.
pub const NEVER: [&str; 3] = ["kube-system", "kube-node-lease", "kube-public"];

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

/// Which kind of configuration an entry stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// May change the object, never refuses.
    Mutating,
    /// May refuse, never changes the object.
    Validating,
}

/// Which namespaces an entry sees, by the label `sluice.dev/mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Mode `enforce`, except infrastructure and Sluice's own namespace.
    Enforce,
    /// Every other mode but `off`, except infrastructure and Sluice's own namespace.
    Observe,
    /// Every namespace, Sluice's own included.
    All,
}

/// What happens when Sluice does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailurePolicy {
    /// The request is refused.
    Fail,
    /// The request goes through.
    Ignore,
}

impl FailurePolicy {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Fail => "Fail",
            Self::Ignore => "Ignore",
        }
    }
}

/// The resources of one rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// API groups.
    pub groups: &'static [&'static str],
    /// Versions; with matchPolicy Equivalent other served versions are converted to these.
    pub versions: &'static [&'static str],
    /// Resources, never with a sub-resource.
    pub resources: &'static [&'static str],
    /// Operations.
    pub operations: &'static [&'static str],
}

/// A condition under which a request is sent. The API server evaluates it, so it holds with Sluice dead too.
#[derive(Clone, Copy, Debug)]
pub struct Condition {
    /// Its name.
    pub name: &'static str,
    /// What leaves a request out, for people.
    pub reason: &'static str,
    expression: fn(system_namespace: &str) -> String,
}

impl Condition {
    /// The CEL expression. Reads of fields that may be absent are optional: an error would refuse the request where the failure policy is `Fail`.
    #[must_use]
    pub fn expression(&self, system_namespace: &str) -> String {
        (self.expression)(system_namespace)
    }
}

/// One webhook entry.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// The name of the configuration object.
    pub configuration: &'static str,
    /// The name of the entry, as it stands in refusals.
    pub name: &'static str,
    /// What it is for.
    pub purpose: &'static str,
    /// Mutating or validating.
    pub stage: Stage,
    /// Where the webhook answers.
    pub path: &'static str,
    /// The requests.
    pub rules: &'static [Rule],
    /// The namespaces.
    pub scope: Scope,
    /// The conditions, all of which must hold.
    pub conditions: &'static [Condition],
    /// What happens without an answer.
    pub failure_policy: FailurePolicy,
    /// What the webhook leaves behind beside its answer.
    pub side_effects: &'static str,
    /// How long the API server waits.
    pub timeout_seconds: i32,
}

const WRITES: &[&str] = &["CREATE", "UPDATE"];

const DEPLOYMENTS: &[Rule] = &[Rule {
    groups: &["apps"],
    versions: &["v1"],
    resources: &["deployments"],
    operations: WRITES,
}];

const WORKLOADS: &[Rule] = &[
    Rule {
        groups: &["apps"],
        versions: &["v1"],
        resources: &["deployments", "statefulsets", "daemonsets"],
        operations: WRITES,
    },
    Rule {
        groups: &["batch"],
        versions: &["v1"],
        resources: &["jobs", "cronjobs"],
        operations: WRITES,
    },
];

const OWN_KINDS: &[Rule] = &[Rule {
    groups: &[crate::GROUP],
    versions: &[crate::VERSION],
    resources: &["probes", "gates", "rolloutplans", "policies"],
    operations: WRITES,
}];

/// Users of the control plane that write workloads on behalf of objects that were judged already.
pub const NATIVE_USERS: [&str; 11] = [
    "system:kube-controller-manager",
    "system:serviceaccount:kube-system:cronjob-controller",
    "system:serviceaccount:kube-system:daemon-set-controller",
    "system:serviceaccount:kube-system:deployment-controller",
    "system:serviceaccount:kube-system:generic-garbage-collector",
    "system:serviceaccount:kube-system:horizontal-pod-autoscaler",
    "system:serviceaccount:kube-system:job-controller",
    "system:serviceaccount:kube-system:namespace-controller",
    "system:serviceaccount:kube-system:replicaset-controller",
    "system:serviceaccount:kube-system:statefulset-controller",
    "system:serviceaccount:kube-system:ttl-after-finished-controller",
];

const NOT_SLUICE: Condition = Condition {
    name: "not-sluice-itself",
    reason: "writes of Sluice's controller: a dead webhook must not stop a rollback",
    expression: |system| {
        format!(
            "request.userInfo.username != 'system:serviceaccount:{system}:{CONTROLLER_ACCOUNT}'"
        )
    },
};

const NOT_NATIVE: Condition = Condition {
    name: "not-the-control-plane",
    reason: "writes of the native controllers, by exact user name: Jobs of CronJobs are created and workloads are kept up with Sluice dead",
    expression: |_| {
        format!(
            "!(request.userInfo.username in [{}])",
            NATIVE_USERS.map(|user| format!("'{user}'")).join(", ")
        )
    },
};

const NOT_OWNED: Condition = Condition {
    name: "not-owned-by-a-controller",
    reason: "objects that a controller owns: their owner is judged. An update must find the owner in the old object too, so nobody steps aside by naming one",
    expression: |_| {
        let owned = |object: &str| {
            format!(
                "{object}.metadata.?ownerReferences.orValue([]).exists(owner, owner.?controller.orValue(false))"
            )
        };
        format!(
            "!({} && (request.operation == 'CREATE' || {}))",
            owned("object"),
            owned("oldObject")
        )
    },
};

const NOT_GOING: Condition = Condition {
    name: "not-being-deleted",
    reason: "objects that are being deleted",
    expression: |_| "!has(object.metadata.deletionTimestamp)".to_owned(),
};

/// Whether one of our annotations differs between the two objects.
fn own_annotation_differs() -> String {
    annotation::OWN
        .map(|key| {
            let value =
                |object: &str| format!("{object}.metadata.?annotations[?'{key}'].orValue('')");
            format!("{} != {}", value("object"), value("oldObject"))
        })
        .join(" || ")
}

/// Fields of a Deployment's spec that a release reads or sets. The selector cannot change, replicas alone are no release.
const DEPLOYMENT_FIELDS: [(&str, &str); 6] = [
    ("template", "{}"),
    ("strategy", "{}"),
    ("minReadySeconds", "0"),
    ("paused", "false"),
    ("progressDeadlineSeconds", "0"),
    ("revisionHistoryLimit", "0"),
];

const RELEASE_READS: Condition = Condition {
    name: "a-release-reads-it",
    reason: "updates that change neither the spec (other than only the replicas) nor an annotation that only Sluice writes",
    expression: |_| {
        let fields = DEPLOYMENT_FIELDS
            .map(|(field, absent)| {
                format!(
                    "object.spec.?{field}.orValue({absent}) != oldObject.spec.?{field}.orValue({absent})"
                )
            })
            .join(" || ");
        format!(
            "request.operation == 'CREATE' || {fields} || {}",
            own_annotation_differs()
        )
    },
};

const JUDGING_READS: Condition = Condition {
    name: "a-rule-reads-it",
    reason: "updates that change neither the spec nor an annotation that only Sluice writes",
    expression: |_| {
        format!(
            "request.operation == 'CREATE' || object.spec != oldObject.spec || {}",
            own_annotation_differs()
        )
    },
};

const SPEC_CHANGED: Condition = Condition {
    name: "its-spec-changed",
    reason: "updates that do not change the spec",
    expression: |_| {
        "request.operation == 'CREATE' || object.?spec.orValue({}) != oldObject.?spec.orValue({})"
            .to_owned()
    },
};

/// Every entry, in the order of the documentation.
pub const TABLE: [Entry; 4] = [
    Entry {
        configuration: MUTATING,
        name: "release.sluice.dev",
        purpose: "holds a release at zero new pods, keeps the fields that are being stepped; answers a patch, never a refusal",
        stage: Stage::Mutating,
        path: RELEASE_PATH,
        rules: DEPLOYMENTS,
        scope: Scope::Enforce,
        conditions: &[NOT_SLUICE, NOT_NATIVE, NOT_OWNED, NOT_GOING, RELEASE_READS],
        failure_policy: FailurePolicy::Fail,
        side_effects: "NoneOnDryRun",
        timeout_seconds: 5,
    },
    Entry {
        configuration: ADMISSION,
        name: "enforce.sluice.dev",
        purpose: "judges manifests and releases, refuses",
        stage: Stage::Validating,
        path: WORKLOAD_PATH,
        rules: WORKLOADS,
        scope: Scope::Enforce,
        conditions: &[NOT_SLUICE, NOT_NATIVE, NOT_OWNED, NOT_GOING, JUDGING_READS],
        failure_policy: FailurePolicy::Fail,
        side_effects: "NoneOnDryRun",
        timeout_seconds: 5,
    },
    Entry {
        configuration: ADMISSION,
        name: "observe.sluice.dev",
        purpose: "judges the same, warns or counts, refuses nothing",
        stage: Stage::Validating,
        path: OBSERVE_PATH,
        rules: WORKLOADS,
        scope: Scope::Observe,
        conditions: &[NOT_SLUICE, NOT_NATIVE, NOT_OWNED, NOT_GOING, JUDGING_READS],
        failure_policy: FailurePolicy::Ignore,
        side_effects: "NoneOnDryRun",
        timeout_seconds: 5,
    },
    Entry {
        configuration: OBJECTS,
        name: "objects.sluice.dev",
        purpose: "refuses probes, gates, plans and policies that cannot work; the controller judges them again",
        stage: Stage::Validating,
        path: OBJECT_PATH,
        rules: OWN_KINDS,
        scope: Scope::All,
        conditions: &[NOT_SLUICE, NOT_GOING, SPEC_CHANGED],
        failure_policy: FailurePolicy::Ignore,
        side_effects: "None",
        timeout_seconds: 5,
    },
];

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

/// The table as a page of the documentation, for an installation into the default namespace.
#[must_use]
pub fn markdown() -> String {
    let mut page = String::from(
        "# What the webhooks see\n\n\
         Generated from the code that writes the webhook configurations. What is not listed here is never sent to Sluice: no nodes, certificate\n\
         requests, leases, events, tokens, RBAC objects, pods, ReplicaSets, no `status`, no `scale`.\n\n\
         | entry | configuration | resources | operations | namespaces | without an answer | side effects | timeout |\n\
         |---|---|---|---|---|---|---|---|\n",
    );
    for entry in &TABLE {
        let resources = entry
            .rules
            .iter()
            .map(|rule| {
                format!(
                    "{}/{}: {}",
                    rule.groups.join(", "),
                    rule.versions.join(", "),
                    rule.resources.join(", ")
                )
            })
            .collect::<Vec<_>>()
            .join("; ");
        page.push_str(&format!(
            "| `{}` | {} `{}` | {resources} | {} | {} | {} | {} | {} s |\n",
            entry.name,
            match entry.stage {
                Stage::Mutating => "mutating",
                Stage::Validating => "validating",
            },
            entry.configuration,
            entry.rules[0].operations.join(", "),
            match entry.scope {
                Scope::Enforce => "mode `enforce`",
                Scope::Observe => "every mode but `enforce` and `off`",
                Scope::All => "all",
            },
            entry.failure_policy.as_str(),
            entry.side_effects,
            entry.timeout_seconds,
        ));
    }
    page.push_str(&format!(
        "\nThe mode is the label `{}` of the namespace. Whatever it says, {} and Sluice's own namespace are left out by name for workloads, \
         and so is every namespace under `namespaces.off` of the configuration file.\n",
        label::MODE,
        NEVER.map(|name| format!("`{name}`")).join(", ")
    ));
    for entry in &TABLE {
        page.push_str(&format!(
            "\n## {}\n\nWhat it does: {}. Not sent:\n\n",
            entry.name, entry.purpose
        ));
        for condition in entry.conditions {
            page.push_str(&format!(
                "- {} (`{}`)\n\n  ```cel\n  {}\n  ```\n",
                condition.reason,
                condition.name,
                condition
                    .expression(crate::SYSTEM_NAMESPACE)
                    .replace(" || ", "\n  || ")
            ));
        }
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service() -> ClientConfigChoice {
        ClientConfigChoice::Service {
            namespace: "sluice-system".into(),
            name: "sluice-webhook".into(),
            port: 443,
        }
    }

    /// What a cluster needs in order to become healthy, as (group, resource); none of it may ever wait for Sluice.
    const BOOTSTRAP: [(&str, &str); 25] = [
        ("", "nodes"),
        ("", "nodes/status"),
        ("", "namespaces"),
        ("", "events"),
        ("", "pods"),
        ("", "pods/binding"),
        ("", "pods/eviction"),
        ("", "configmaps"),
        ("", "secrets"),
        ("", "serviceaccounts"),
        ("", "serviceaccounts/token"),
        ("", "endpoints"),
        ("events.k8s.io", "events"),
        ("coordination.k8s.io", "leases"),
        ("certificates.k8s.io", "certificatesigningrequests"),
        ("authentication.k8s.io", "tokenreviews"),
        ("authorization.k8s.io", "subjectaccessreviews"),
        ("rbac.authorization.k8s.io", "clusterroles"),
        ("rbac.authorization.k8s.io", "rolebindings"),
        ("apiregistration.k8s.io", "apiservices"),
        ("apiextensions.k8s.io", "customresourcedefinitions"),
        ("apps", "deployments/status"),
        ("apps", "deployments/scale"),
        ("apps", "replicasets"),
        ("batch", "jobs/status"),
    ];

    #[test]
    fn no_bootstrap_kind_matches_any_rule() {
        for entry in &TABLE {
            for rule in entry.rules {
                for (group, resource) in BOOTSTRAP {
                    assert!(
                        !(rule.groups.contains(&group) && rule.resources.contains(&resource)),
                        "{} sees {group}/{resource}",
                        entry.name
                    );
                }
                for word in [rule.groups, rule.versions, rule.resources, rule.operations].concat() {
                    assert!(
                        !word.contains('*') && !word.contains('/'),
                        "{}: {word}",
                        entry.name
                    );
                }
            }
        }
    }

    #[test]
    fn only_workloads_of_enforced_namespaces_may_fail_closed() {
        let (mutating, validating) =
            configurations(&service(), b"ca", "sluice-system", &["infra".into()]);
        let mut failing = Vec::new();
        let entries = mutating
            .webhooks
            .iter()
            .flatten()
            .map(|hook| {
                (
                    &hook.name,
                    &hook.failure_policy,
                    &hook.namespace_selector,
                    &hook.rules,
                )
            })
            .chain(validating.iter().flat_map(|configuration| {
                configuration.webhooks.iter().flatten().map(|hook| {
                    (
                        &hook.name,
                        &hook.failure_policy,
                        &hook.namespace_selector,
                        &hook.rules,
                    )
                })
            }));
        for (name, policy, selector, rules) in entries {
            for rule in rules.iter().flatten() {
                assert_eq!(rule.scope.as_deref(), Some("Namespaced"), "{name}");
            }
            if policy.as_deref() != Some("Fail") {
                assert_eq!(policy.as_deref(), Some("Ignore"), "{name}");
                continue;
            }
            failing.push(name.as_str());
            let expressions = selector
                .as_ref()
                .unwrap()
                .match_expressions
                .as_ref()
                .unwrap();
            assert_eq!(expressions[0].key, "sluice.dev/mode");
            assert_eq!(expressions[0].operator, "In");
            assert_eq!(expressions[0].values.as_ref().unwrap(), &["enforce"]);
            assert_eq!(expressions[1].key, "kubernetes.io/metadata.name");
            assert_eq!(expressions[1].operator, "NotIn");
            for never in [
                "kube-system",
                "kube-node-lease",
                "kube-public",
                "sluice-system",
                "infra",
            ] {
                assert!(
                    expressions[1]
                        .values
                        .as_ref()
                        .unwrap()
                        .contains(&never.to_owned()),
                    "{name} sees {never}"
                );
            }
            for rule in rules.iter().flatten() {
                for group in rule.api_groups.iter().flatten() {
                    assert!(
                        ["apps", "batch"].contains(&group.as_str()),
                        "{name}: {group}"
                    );
                }
            }
        }
        assert_eq!(failing, ["release.sluice.dev", "enforce.sluice.dev"]);
    }

    #[test]
    fn every_entry_that_judges_workloads_leaves_out_owners_natives_and_sluice() {
        for entry in TABLE.iter().filter(|entry| entry.scope != Scope::All) {
            let names: Vec<&str> = entry
                .conditions
                .iter()
                .map(|condition| condition.name)
                .collect();
            for needed in [
                "not-sluice-itself",
                "not-the-control-plane",
                "not-owned-by-a-controller",
                "not-being-deleted",
            ] {
                assert!(names.contains(&needed), "{} lacks {needed}", entry.name);
            }
        }
    }

    #[test]
    fn conditions_read_fields_that_may_be_absent_only_as_optionals() {
        // `spec.minReadySeconds` of a Deployment without it is an error in CEL, and an error refuses the request
        for entry in &TABLE {
            for condition in entry.conditions {
                let text = condition.expression("sluice-system");
                for field in [
                    "paused",
                    "minReadySeconds",
                    "strategy",
                    "ownerReferences",
                    "annotations",
                    "controller.",
                    "progressDeadlineSeconds",
                ] {
                    assert!(
                        !text.contains(&format!(".{field}")),
                        "{}: {text}",
                        condition.name
                    );
                }
            }
        }
    }

    #[test]
    fn the_service_or_the_url_carries_the_path_of_the_entry() {
        let (by_service, _) = configurations(&service(), b"ca", "s", &[]);
        let hook = &by_service.webhooks.unwrap()[0];
        assert_eq!(
            hook.client_config.service.as_ref().unwrap().path.as_deref(),
            Some("/admit/release")
        );
        assert!(hook.client_config.url.is_none());
        let (_, by_url) = configurations(
            &ClientConfigChoice::Url("https://127.0.0.1:9443/".into()),
            b"ca",
            "s",
            &[],
        );
        assert_eq!(
            by_url[1].webhooks.as_ref().unwrap()[0]
                .client_config
                .url
                .as_deref(),
            Some("https://127.0.0.1:9443/admit/object")
        );
    }

    #[test]
    fn the_page_names_every_entry_and_condition() {
        let page = markdown();
        for entry in &TABLE {
            assert!(page.contains(entry.name) && page.contains(entry.configuration));
            for condition in entry.conditions {
                assert!(page.contains(condition.name) && page.contains(condition.reason));
            }
        }
    }
}
