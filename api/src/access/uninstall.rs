//! What may be done before a Helm release is uninstalled, by a Job that exists only then: the part of `sluice uninstall` that Helm does not know of.

use serde_json::{Value, json};

use super::{CONTROLLER_ACCOUNT, Grant, WEBHOOK_ACCOUNT, grant, object};
use crate::{GROUP, SYSTEM_NAMESPACE};

/// The ServiceAccount, the roles and the Job.
pub const ACCOUNT: &str = "sluice-uninstall";

/// Everywhere.
pub const EVERYWHERE: &[Grant] = &[
    grant(
        GROUP,
        &["releases"],
        &["list", "retry"],
        "which releases are under way and what their workloads were; `retry` lets the list of rolled back versions go",
    ),
    grant(
        "apps",
        &["deployments"],
        &["get", "list", "patch"],
        "gives each workload back as it was applied",
    ),
    grant(
        "admissionregistration.k8s.io",
        &[
            "mutatingwebhookconfigurations",
            "validatingwebhookconfigurations",
        ],
        &["list", "delete"],
        "first of all nothing may be refused any more; by label, so not limited to names",
    ),
    Grant {
        group: "rbac.authorization.k8s.io",
        resources: &["clusterrolebindings"],
        names: &[CONTROLLER_ACCOUNT],
        verbs: &["delete"],
        reason: "a controller that still runs somewhere could do it all again",
    },
    grant(
        "authorization.k8s.io",
        &["subjectaccessreviews"],
        &["create"],
        "asks whether it still could",
    ),
];

/// In Sluice's own namespace.
pub const OWN_NAMESPACE: &[Grant] = &[
    Grant {
        group: "apps",
        resources: &["deployments"],
        names: &[CONTROLLER_ACCOUNT, WEBHOOK_ACCOUNT],
        verbs: &["delete"],
        reason: "stops the programs",
    },
    grant("", &["pods"], &["list"], "waits until they have stopped"),
    Grant {
        group: "rbac.authorization.k8s.io",
        resources: &["rolebindings"],
        names: &[CONTROLLER_ACCOUNT],
        verbs: &["delete"],
        reason: "as above",
    },
];

/// The account, its roles and their bindings.
#[must_use]
pub fn objects() -> Vec<Value> {
    let mut objects = vec![object(
        "v1",
        "ServiceAccount",
        ACCOUNT,
        Some(SYSTEM_NAMESPACE),
    )];
    for (kind, namespace, grants) in [
        ("ClusterRole", None, EVERYWHERE),
        ("Role", Some(SYSTEM_NAMESPACE), OWN_NAMESPACE),
    ] {
        let mut role = object("rbac.authorization.k8s.io/v1", kind, ACCOUNT, namespace);
        role["rules"] = grants.iter().map(Grant::rule).collect();
        let mut binding = object(
            "rbac.authorization.k8s.io/v1",
            &format!("{kind}Binding"),
            ACCOUNT,
            namespace,
        );
        binding["roleRef"] =
            json!({ "apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": ACCOUNT });
        binding["subjects"] =
            json!([{ "kind": "ServiceAccount", "name": ACCOUNT, "namespace": SYSTEM_NAMESPACE }]);
        objects.extend([role, binding]);
    }
    objects
}
