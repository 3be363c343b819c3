//! Who may do what: the access rights of Sluice's own programs, and the roles for people, as one table with a reason for every line.
//!
//! Decides: `manifests/rbac.yaml` and the page about access. Least verbs: what is not in the table is not granted.
//! Deleting a Release is in no role for people: records are kept, and beside the controller's own tidying only whoever may do everything
//! (or a namespace that goes away) deletes them.

use serde_json::{Value, json};

use crate::{GROUP, SYSTEM_NAMESPACE};

/// The ServiceAccount of the webhook.
pub const WEBHOOK_ACCOUNT: &str = "sluice-webhook";
/// The ServiceAccount of the controller; its writes are exempt from Sluice's own webhooks.
pub const CONTROLLER_ACCOUNT: &str = "sluice-controller";
/// The user name of the controller as the API server knows it, where Sluice lives in `system_namespace`.
#[must_use]
pub fn controller_user(system_namespace: &str) -> String {
    format!("system:serviceaccount:{system_namespace}:{CONTROLLER_ACCOUNT}")
}

/// The Secret with the serving certificate.
pub const CERTIFICATE_SECRET: &str = "sluice-webhook-certs";
/// The Lease that the probe engine renews; a gate's state is proof only while it is fresh.
pub const HEARTBEAT_LEASE: &str = "sluice-probe-engine";
/// The role that lets the webhook list the names of Secrets, and its binding: the one that may be left out.
pub const SECRET_NAMES_ROLE: &str = "sluice-webhook-secrets";
/// The Lease on which every replica of the webhook says what it judges by.
pub const REPLICAS_LEASE: &str = "sluice-webhook-replicas";
/// The label that every object of an installation carries, with the value `sluice`.
pub const PART_OF: &str = "app.kubernetes.io/part-of";

/// What a role may do with some resources, and why.
#[derive(Clone, Copy, Debug)]
pub struct Grant {
    /// The API group; empty is the core group.
    pub group: &'static str,
    /// Resources and sub-resources.
    pub resources: &'static [&'static str],
    /// Names; every name when empty.
    pub names: &'static [&'static str],
    /// Verbs, `abort` and `retry` of releases among them.
    pub verbs: &'static [&'static str],
    /// Why, for the page about access.
    pub reason: &'static str,
}

/// Whom a role is for and how far it reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// A ServiceAccount of Sluice, in every namespace.
    Everywhere(&'static str),
    /// A ServiceAccount of Sluice, in Sluice's own namespace only.
    OwnNamespace(&'static str),
    /// People who hold the built-in role of this name (`view`, `edit`), which takes these rights in.
    BuiltIn(&'static str),
    /// Every signed-in user, in Sluice's own namespace only.
    SignedIn,
    /// People to whom the role is bound by hand.
    People,
}

/// One role.
#[derive(Clone, Copy, Debug)]
pub struct Role {
    /// Its name.
    pub name: &'static str,
    /// Whom it is for.
    pub holder: Holder,
    /// What it is for, in one sentence.
    pub purpose: &'static str,
    /// What it grants.
    pub grants: &'static [Grant],
}

const READ: &[&str] = &["get", "list", "watch"];
const KINDS: &[&str] = &[
    "probes",
    "gates",
    "rolloutplans",
    "releases",
    "policies",
    "policyexceptions",
];
/// For what is only watched.
const LOOK: &[&str] = &["list", "watch"];

const fn grant(
    group: &'static str,
    resources: &'static [&'static str],
    verbs: &'static [&'static str],
    reason: &'static str,
) -> Grant {
    Grant {
        group,
        resources,
        names: &[],
        verbs,
        reason,
    }
}

const RELEASE_ACTIONS: &[Grant] = &[grant(
    GROUP,
    &["releases"],
    &["patch", "abort", "retry"],
    "abort and retry are fields of a Release; `patch` lets the request reach the admission policy, the two verbs let it pass there",
)];

/// Every role, in the order of the documentation.
pub const ROLES: &[Role] = &[
    Role {
        name: "sluice-webhook",
        holder: Holder::Everywhere(WEBHOOK_ACCOUNT),
        purpose: "What admission decides from. It writes nothing but what it judges by, and events: on gates that refuse, and about its policy folder.",
        grants: &[
            grant(
                "",
                &["namespaces"],
                READ,
                "the mode of a namespace and the labels that policies match",
            ),
            grant(
                "apps",
                &["deployments", "statefulsets", "daemonsets"],
                READ,
                "names and labels only: a gate or plan that selects no workload is warned of. Their pod templates where a rule in use asks which pods a Service or a budget selects",
            ),
            grant(
                "",
                &["resourcequotas", "limitranges"],
                READ,
                "to predict whether a workload's pods will fit",
            ),
            grant(
                "",
                &["configmaps", "serviceaccounts", "persistentvolumeclaims"],
                LOOK,
                "names only, asked for as metadata: whether what a pod names is there. Watched only while a rule in use asks for it; without the right such a rule answers Unknown",
            ),
            grant(
                "",
                &["services"],
                LOOK,
                "whether what an Ingress or a StatefulSet names is there",
            ),
            grant("", &["nodes"], LOOK, "whether a pod fits on any of them"),
            grant(
                "policy",
                &["poddisruptionbudgets"],
                LOOK,
                "which pods they protect",
            ),
            grant(
                "autoscaling",
                &["horizontalpodautoscalers"],
                LOOK,
                "which workloads they scale",
            ),
            grant(
                "scheduling.k8s.io",
                &["priorityclasses"],
                LOOK,
                "names only: whether the class that a pod names is there",
            ),
            grant(
                "node.k8s.io",
                &["runtimeclasses"],
                LOOK,
                "names only: whether the class that a pod names is there",
            ),
            grant(
                "storage.k8s.io",
                &["storageclasses"],
                LOOK,
                "names only: whether the class that a claim names is there",
            ),
            grant(
                GROUP,
                KINDS,
                READ,
                "gates, plans, releases, policies and their exceptions decide; probes are looked up when a gate names them",
            ),
            grant(
                "events.k8s.io",
                &["events"],
                &["create", "patch"],
                "notes on a gate that it refused a release: its probes are asked at once then. At most one in two seconds per gate, none on dry-run",
            ),
        ],
    },
    Role {
        name: SECRET_NAMES_ROLE,
        holder: Holder::Everywhere(WEBHOOK_ACCOUNT),
        purpose: "The names of Secrets, which rules about references ask for. A role of its own, since Kubernetes cannot grant names alone: `sluice install --without-secret-names` takes the right away, as deleting its binding does, and these rules answer Unknown.",
        grants: &[grant(
            "",
            &["secrets"],
            LOOK,
            "names only: the webhook asks for metadata, so what is in a Secret is never sent to it",
        )],
    },
    Role {
        name: "sluice-webhook",
        holder: Holder::OwnNamespace(WEBHOOK_ACCOUNT),
        purpose: "Its certificate, the heartbeat that makes a gate's state a proof, and what it says of itself.",
        grants: &[
            grant(
                "coordination.k8s.io",
                &["leases"],
                READ,
                "the heartbeat of the probe engine",
            ),
            Grant {
                group: "coordination.k8s.io",
                resources: &["leases"],
                names: &[REPLICAS_LEASE],
                verbs: &["patch"],
                reason: "each replica says there by which policies it judges, for `sluice check --expect-server-digest`; the heartbeat is out of its reach",
            },
            Grant {
                group: "",
                resources: &["secrets"],
                names: &[CERTIFICATE_SECRET],
                verbs: READ,
                reason: "its own serving certificate; of no other Secret more than the name",
            },
            grant(
                "events.k8s.io",
                &["events"],
                &["create", "patch"],
                "says when a file of the policy folder is broken, and when the folder is whole again",
            ),
        ],
    },
    Role {
        name: "sluice-controller",
        holder: Holder::Everywhere(CONTROLLER_ACCOUNT),
        purpose: "Probes, gate states, releases. Of the workloads it patches Deployments and nothing below them.",
        grants: &[
            grant("", &["namespaces"], READ, "the mode of a namespace"),
            grant(
                "",
                &["pods"],
                READ,
                "which pods run which version, and the addresses that probes ask",
            ),
            grant(
                "apps",
                &["replicasets"],
                READ,
                "how many pods of each version there are; never written",
            ),
            grant(
                "apps",
                &["deployments"],
                &["get", "list", "watch", "patch"],
                "steps a release and takes it back; every patch tests the resourceVersion first",
            ),
            grant(
                "apps",
                &["statefulsets", "daemonsets"],
                READ,
                "whose pods a gate's probes ask; whether an object that exists needs an exception from a policy",
            ),
            grant("batch", &["jobs", "cronjobs"], &["get", "list"], "the same"),
            grant(
                "",
                &["resourcequotas", "limitranges"],
                &["list"],
                "the same, for rules about capacity",
            ),
            grant(GROUP, KINDS, READ, "what people asked for"),
            grant(
                GROUP,
                &["releases"],
                &["create", "patch", "update", "delete"],
                "the record of a release; the oldest records of a workload are deleted",
            ),
            grant(
                GROUP,
                &[
                    "probes/status",
                    "gates/status",
                    "rolloutplans/status",
                    "releases/status",
                    "policies/status",
                    "policyexceptions/status",
                ],
                &["get", "patch", "update"],
                "verdicts, states and conditions; written when something changes",
            ),
            grant(
                "",
                &["events"],
                &["create", "patch"],
                "one event per change of a release's phase",
            ),
            grant(
                "events.k8s.io",
                &["events"],
                &["list", "watch", "create", "patch"],
                "the same in the newer group; and the webhook's notes that a gate refused a release",
            ),
            grant(
                "authentication.k8s.io",
                &["selfsubjectreviews"],
                &["create"],
                "asks who it is: only under its own name do the webhooks leave its writes alone",
            ),
            grant(
                "admissionregistration.k8s.io",
                &[
                    "mutatingwebhookconfigurations",
                    "validatingwebhookconfigurations",
                ],
                &["create"],
                "the leader writes the webhook configurations last; create cannot be limited to names",
            ),
            Grant {
                group: "admissionregistration.k8s.io",
                resources: &[
                    "mutatingwebhookconfigurations",
                    "validatingwebhookconfigurations",
                ],
                names: &["zz-sluice", "sluice-admission", "sluice-objects"],
                verbs: &["get", "patch", "update"],
                reason: "its own configurations and no other",
            },
        ],
    },
    Role {
        name: "sluice-controller",
        holder: Holder::OwnNamespace(CONTROLLER_ACCOUNT),
        purpose: "Leadership, the heartbeat and the certificate.",
        grants: &[
            grant(
                "coordination.k8s.io",
                &["leases"],
                &["get", "list", "watch", "create", "update", "patch"],
                "leader election and the heartbeat of the probe engine",
            ),
            grant(
                "",
                &["secrets"],
                &["create"],
                "makes the certificate's Secret; create cannot be limited to names",
            ),
            Grant {
                group: "",
                resources: &["secrets"],
                names: &[CERTIFICATE_SECRET],
                verbs: &["get", "list", "watch", "update", "patch"],
                reason: "renews the certificate",
            },
        ],
    },
    Role {
        name: "sluice-view",
        holder: Holder::BuiltIn("view"),
        purpose: "Whoever may see a namespace sees its gates and releases.",
        grants: &[grant(
            GROUP,
            KINDS,
            READ,
            "`kubectl get sluice`, `sluice release get`",
        )],
    },
    Role {
        name: "sluice-edit",
        holder: Holder::BuiltIn("edit"),
        purpose: "Whoever may change the workloads of a namespace may abort and retry their releases.",
        grants: RELEASE_ACTIONS,
    },
    Role {
        name: "sluice-heartbeat",
        holder: Holder::SignedIn,
        purpose: "The heartbeat in Sluice's namespace, which `sluice gate get` needs to trust a gate's state. Bound to every signed-in user there.",
        grants: &[Grant {
            group: "coordination.k8s.io",
            resources: &["leases"],
            names: &[HEARTBEAT_LEASE],
            verbs: &["get", "list", "watch"],
            reason: "says nothing but when the engine last renewed it",
        }],
    },
    Role {
        name: "sluice-pipeline",
        holder: Holder::People,
        purpose: "For pipelines that ask whether the cluster judges by the rules they know (`sluice check --expect-server-digest`). Bind it in `sluice-system`: `kubectl -n sluice-system create rolebinding ci --clusterrole=sluice-pipeline --serviceaccount=NAMESPACE:NAME`.",
        grants: &[
            Grant {
                group: "coordination.k8s.io",
                resources: &["leases"],
                names: &[REPLICAS_LEASE],
                verbs: &["get"],
                reason: "what each replica of the webhook says it judges by",
            },
            grant(
                "discovery.k8s.io",
                &["endpointslices"],
                &["list"],
                "which replicas are asked by the API server: one of them that says nothing is not passed over",
            ),
        ],
    },
    Role {
        name: "sluice-oncall",
        holder: Holder::People,
        purpose: "For people on call who may not change workloads: see everything of Sluice's, abort and retry releases.",
        grants: &[
            grant(GROUP, KINDS, READ, "to see what is going on"),
            grant(
                "apps",
                &["deployments", "replicasets"],
                READ,
                "which version runs how often",
            ),
            grant("", &["pods", "namespaces"], READ, "why a pod is not well"),
            grant(
                GROUP,
                &["releases"],
                &["patch", "abort", "retry"],
                "to stop it, or to let it through",
            ),
        ],
    },
    Role {
        name: "sluice-admin",
        holder: Holder::People,
        purpose: "For the people who own the rules. Taken in by no built-in role: the right to change a workload is not the right to change its gate.",
        grants: &[
            grant(
                GROUP,
                &[
                    "probes",
                    "gates",
                    "rolloutplans",
                    "policies",
                    "policyexceptions",
                ],
                &[
                    "get",
                    "list",
                    "watch",
                    "create",
                    "update",
                    "patch",
                    "delete",
                    "deletecollection",
                ],
                "probes, gates, plans, policies and exceptions from them: nobody excepts himself who may only change workloads",
            ),
            grant(
                GROUP,
                &["releases"],
                &["get", "list", "watch", "patch", "abort", "retry"],
                "see, abort and retry releases",
            ),
        ],
    },
];

impl Grant {
    fn rule(&self) -> Value {
        let mut rule =
            json!({ "apiGroups": [self.group], "resources": self.resources, "verbs": self.verbs });
        if !self.names.is_empty() {
            rule["resourceNames"] = json!(self.names);
        }
        rule
    }
}

/// The ServiceAccounts, roles and bindings of an installation, ready to be applied in this order.
#[must_use]
pub fn objects() -> Vec<Value> {
    let mut objects: Vec<Value> = [WEBHOOK_ACCOUNT, CONTROLLER_ACCOUNT]
        .map(|name| object("v1", "ServiceAccount", name, Some(SYSTEM_NAMESPACE)))
        .to_vec();
    for role in ROLES {
        let rules: Vec<Value> = role.grants.iter().map(Grant::rule).collect();
        let own = matches!(role.holder, Holder::OwnNamespace(_) | Holder::SignedIn);
        let (kind, namespace) = if own {
            ("Role", Some(SYSTEM_NAMESPACE))
        } else {
            ("ClusterRole", None)
        };
        let mut made = object("rbac.authorization.k8s.io/v1", kind, role.name, namespace);
        made["rules"] = Value::Array(rules);
        if let Holder::BuiltIn(built_in) = role.holder {
            made["metadata"]["labels"]
                [format!("rbac.authorization.k8s.io/aggregate-to-{built_in}")] = json!("true");
        }
        objects.push(made);
        let subject = match role.holder {
            Holder::Everywhere(account) | Holder::OwnNamespace(account) => {
                json!({ "kind": "ServiceAccount", "name": account, "namespace": SYSTEM_NAMESPACE })
            }
            Holder::SignedIn => {
                json!({ "apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "system:authenticated" })
            }
            Holder::BuiltIn(_) | Holder::People => continue,
        };
        let mut binding = object(
            "rbac.authorization.k8s.io/v1",
            &format!("{kind}Binding"),
            role.name,
            namespace,
        );
        binding["roleRef"] =
            json!({ "apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role.name });
        binding["subjects"] = json!([subject]);
        objects.push(binding);
    }
    objects
}

fn object(api_version: &str, kind: &str, name: &str, namespace: Option<&str>) -> Value {
    let mut object = json!({
        "apiVersion": api_version,
        "kind": kind,
        "metadata": { "name": name, "labels": { PART_OF: "sluice" } },
    });
    if let Some(namespace) = namespace {
        object["metadata"]["namespace"] = json!(namespace);
    }
    object
}

/// The page about access: every role with every grant and its reason.
#[must_use]
pub fn markdown() -> String {
    let mut text = String::from(
        "# Who may do what\n\nGenerated from code (`api/src/access.rs`), as is `manifests/rbac.yaml`. What is not listed is not granted.\n",
    );
    for role in ROLES {
        let holder = match role.holder {
            Holder::Everywhere(account) => format!("ServiceAccount `{account}`, every namespace"),
            Holder::OwnNamespace(account) => {
                format!("ServiceAccount `{account}`, only in `{SYSTEM_NAMESPACE}`")
            }
            Holder::BuiltIn(built_in) => format!("everyone with the built-in role `{built_in}`"),
            Holder::SignedIn => {
                format!("every signed-in user, only in `{SYSTEM_NAMESPACE}`")
            }
            Holder::People => "nobody until you bind it".to_owned(),
        };
        text.push_str(&format!(
            "\n## `{}`: {holder}\n{}\n\n| resources | verbs | why |\n|---|---|---|\n",
            role.name, role.purpose
        ));
        for grant in role.grants {
            let group = if grant.group.is_empty() {
                String::new()
            } else {
                format!(".{}", grant.group)
            };
            let names = if grant.names.is_empty() {
                String::new()
            } else {
                format!(" named `{}`", grant.names.join("`, `"))
            };
            let resources: Vec<String> = grant
                .resources
                .iter()
                .map(|resource| match resource.split_once('/') {
                    Some((resource, sub)) => format!("`{resource}{group}/{sub}`"),
                    None => format!("`{resource}{group}`"),
                })
                .collect();
            text.push_str(&format!(
                "| {}{names} | {} | {} |\n",
                resources.join(", "),
                grant.verbs.join(", "),
                grant.reason
            ));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rights that would let Sluice harm what it must not touch.
    #[test]
    fn sluice_itself_deletes_only_its_records_and_writes_no_pods_replica_sets_or_foreign_secrets() {
        for role in ROLES {
            if !matches!(role.holder, Holder::Everywhere(_) | Holder::OwnNamespace(_)) {
                continue;
            }
            for grant in role.grants {
                let record = grant.group == GROUP && grant.resources == ["releases"];
                assert!(
                    record
                        || !grant.verbs.iter().any(|verb| [
                            "delete",
                            "deletecollection",
                            "*",
                            "escalate",
                            "bind",
                            "impersonate"
                        ]
                        .contains(verb)),
                    "{grant:?}"
                );
                assert!(
                    !grant.resources.contains(&"*") && grant.group != "*",
                    "{grant:?}"
                );
                for resource in grant.resources {
                    if ["pods", "replicasets", "namespaces"].contains(resource) {
                        assert_eq!(grant.verbs, READ, "{grant:?}");
                    }
                    // names of foreign Secrets are listed by one role that can be taken away, and read one by one by none
                    let names = role.name == "sluice-webhook-secrets"
                        && role.holder == Holder::Everywhere(WEBHOOK_ACCOUNT)
                        && grant.verbs == ["list", "watch"];
                    if *resource == "secrets" && !names {
                        assert!(
                            grant.verbs == ["create"] || grant.names == [CERTIFICATE_SECRET],
                            "{grant:?}"
                        );
                        assert!(matches!(role.holder, Holder::OwnNamespace(_)), "{grant:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_role_for_the_names_of_secrets_grants_nothing_else() {
        let role = ROLES
            .iter()
            .find(|role| role.name == "sluice-webhook-secrets")
            .unwrap();
        assert_eq!(role.grants.len(), 1);
        assert_eq!(role.grants[0].resources, ["secrets"]);
        let others = ROLES.iter().filter(|other| other.name != role.name);
        let foreign = others
            .flat_map(|other| other.grants)
            .filter(|grant| grant.resources.contains(&"secrets"))
            .all(|grant| grant.verbs == ["create"] || !grant.names.is_empty());
        assert!(foreign);
    }

    #[test]
    fn the_right_to_change_a_workload_is_not_the_right_to_change_its_gate() {
        let built_in = ROLES
            .iter()
            .filter(|role| matches!(role.holder, Holder::BuiltIn(_)));
        for grant in built_in.flat_map(|role| role.grants) {
            let writes = grant.verbs.iter().any(|verb| !READ.contains(verb));
            assert!(!writes || grant.resources == ["releases"], "{grant:?}");
        }
    }

    #[test]
    fn every_role_is_bound_to_whom_it_says() {
        let objects = objects();
        let count = |kind: &str| {
            objects
                .iter()
                .filter(|object| object["kind"] == kind)
                .count()
        };
        assert_eq!((count("ClusterRoleBinding"), count("RoleBinding")), (3, 3));
        assert!(
            objects
                .iter()
                .all(|object| object["metadata"]["labels"][PART_OF] == "sluice")
        );
        let edit = objects
            .iter()
            .find(|object| object["metadata"]["name"] == "sluice-edit")
            .unwrap();
        assert_eq!(
            edit["metadata"]["labels"]["rbac.authorization.k8s.io/aggregate-to-edit"],
            "true"
        );
    }
}
