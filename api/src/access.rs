//! Who may do what: the access rights of Sluice's own programs, and the roles for people, as one table with a reason for every line.
//!
//! Decides: `manifests/rbac.yaml` and the page about access; the table is in `roles`. Least verbs: what is not in the table is not granted.
//! Deleting a Release is in no role for people: records are kept, and beside the controller's own tidying only whoever may do everything
//! (or a namespace that goes away) deletes them.

use serde_json::{Value, json};

use crate::SYSTEM_NAMESPACE;

mod roles;
pub mod uninstall;

pub use roles::{RARE, ROLES};

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
/// The Lease that the leading controller holds.
pub const LEADER_LEASE: &str = "sluice-controller";
/// The label that says which version an object is of, or which version writes it.
pub const VERSION_LABEL: &str = "app.kubernetes.io/version";
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

/// A right that is used so seldom that no test may use it, and why it is granted all the same.
#[derive(Clone, Copy, Debug)]
pub struct Rare {
    /// Whose.
    pub account: &'static str,
    /// On what.
    pub resource: &'static str,
    /// The verb.
    pub verb: &'static str,
    /// When it is used.
    pub reason: &'static str,
}

const fn rare(
    account: &'static str,
    resource: &'static str,
    verb: &'static str,
    reason: &'static str,
) -> Rare {
    Rare {
        account,
        resource,
        verb,
        reason,
    }
}

impl Grant {
    fn rule(&self) -> Value {
        let mut rule =
            json!({ "apiGroups": [self.group], "resources": self.resources, "verbs": self.verbs });
        if !self.names.is_empty() {
            rule["resourceNames"] = json!(self.names);
        }
        rule
    }

    /// Its row of the page about access.
    fn row(&self) -> String {
        let group = if self.group.is_empty() {
            String::new()
        } else {
            format!(".{}", self.group)
        };
        let names = if self.names.is_empty() {
            String::new()
        } else {
            format!(" named `{}`", self.names.join("`, `"))
        };
        let resources: Vec<String> = self
            .resources
            .iter()
            .map(|resource| match resource.split_once('/') {
                Some((resource, sub)) => format!("`{resource}{group}/{sub}`"),
                None => format!("`{resource}{group}`"),
            })
            .collect();
        format!(
            "| {}{names} | {} | {} |\n",
            resources.join(", "),
            self.verbs.join(", "),
            self.reason
        )
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
        "# Who may do what\n\nGenerated from code (`api/src/access`), as is `manifests/rbac.yaml`. What is not listed is not granted.\n",
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
            text.push_str(&grant.row());
        }
    }
    text.push_str(&format!(
        "\n## `{}`: a Job that `helm uninstall` runs first\nThere while that Job is, and no longer; `sluice install` does not make it. Everywhere, and below that in `{SYSTEM_NAMESPACE}`.\n\n| resources | verbs | why |\n|---|---|---|\n",
        uninstall::ACCOUNT
    ));
    for grant in uninstall::EVERYWHERE.iter().chain(uninstall::OWN_NAMESPACE) {
        text.push_str(&grant.row());
    }
    text.push_str(
        "\n## Rights that are seldom used\nEvery other right of Sluice's programs is used in the end-to-end tests: at their end the audit logs of all API servers are read, and a right\nthat no program used, or a request that no right allows, fails them.\n\n| who | right | when |\n|---|---|---|\n",
    );
    for rare in RARE {
        text.push_str(&format!(
            "| `{}` | {} `{}` | {} |\n",
            rare.account, rare.verb, rare.resource, rare.reason
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{roles::READ, *};
    use crate::GROUP;

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
                        let reads = grant.verbs.iter().all(|verb| READ.contains(verb));
                        assert!(reads, "{grant:?}");
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
    fn only_a_right_that_is_granted_can_be_rare() {
        for rare in RARE {
            let granted = ROLES.iter().any(|role| {
                matches!(role.holder, Holder::Everywhere(account) | Holder::OwnNamespace(account) if account == rare.account)
                    && role.grants.iter().any(|grant| {
                        grant.resources.contains(&rare.resource) && grant.verbs.contains(&rare.verb)
                    })
            });
            assert!(granted, "{rare:?}");
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
