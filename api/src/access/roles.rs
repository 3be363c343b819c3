//! The table itself: every role with every grant, and the rights that are seldom used.

use super::{
    CERTIFICATE_SECRET, CONTROLLER_ACCOUNT, Grant, HEARTBEAT_LEASE, Holder, REPLICAS_LEASE, Rare,
    Role, SECRET_NAMES_ROLE, WEBHOOK_ACCOUNT, grant, rare,
};
use crate::GROUP;

pub(super) const READ: &[&str] = &["get", "list", "watch"];
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
                LOOK,
                "the mode of a namespace and the labels that policies match",
            ),
            grant(
                "apps",
                &["deployments", "statefulsets", "daemonsets"],
                LOOK,
                "names and labels only: a gate or plan that selects no workload is warned of. Their pod templates where a rule in use asks which pods a Service or a budget selects",
            ),
            grant(
                "",
                &["resourcequotas", "limitranges"],
                LOOK,
                "to predict whether a workload's pods will fit",
            ),
            grant(
                "",
                &["configmaps", "serviceaccounts", "persistentvolumeclaims"],
                LOOK,
                "names only, asked for as metadata: whether what a pod names is there; ConfigMaps with their content from namespaces in which a policy sets `keys: true` of `configmap-not-found`. Watched only while a rule in use asks for it; without the right such a rule answers Unknown",
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
                LOOK,
                "gates, plans, releases, policies and their exceptions decide; probes are looked up when a gate names them",
            ),
            grant(
                "events.k8s.io",
                &["events"],
                &["create", "patch"],
                "notes on a gate that it refused a release: its probes are asked at once then. At most one in two seconds per gate, none on dry-run. And on its own Deployment when a file of the policy folder is broken, and when the folder is whole again",
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
            "names only: the webhook asks for metadata, so what is in a Secret is not sent to it, except from namespaces in which a policy sets `keys: true` of `secret-not-found`: there it is, and values are dropped while they are read",
        )],
    },
    Role {
        name: "sluice-webhook",
        holder: Holder::OwnNamespace(WEBHOOK_ACCOUNT),
        purpose: "Its certificate, the heartbeat that makes a gate's state a proof, and what it says of itself.",
        grants: &[
            Grant {
                group: "coordination.k8s.io",
                resources: &["leases"],
                names: &[HEARTBEAT_LEASE],
                verbs: LOOK,
                reason: "the heartbeat of the probe engine",
            },
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
                verbs: LOOK,
                reason: "its own serving certificate",
            },
        ],
    },
    Role {
        name: "sluice-controller",
        holder: Holder::Everywhere(CONTROLLER_ACCOUNT),
        purpose: "Probes, gate states, releases. Of the workloads it patches Deployments and nothing below them.",
        grants: &[
            grant("", &["namespaces"], LOOK, "the mode of a namespace"),
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
            grant(GROUP, KINDS, LOOK, "what people asked for"),
            grant(
                GROUP,
                &["releases"],
                &["get", "create", "patch", "delete"],
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
                &["patch"],
                "verdicts, states and conditions; written when something changes",
            ),
            grant(
                "events.k8s.io",
                &["events"],
                &["list", "watch", "create", "patch"],
                "one event per change of a release's phase; read are the webhook's notes that a gate refused a release",
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
                verbs: &["get", "patch"],
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
                &["create"],
                "leader election and the heartbeat of the probe engine; create cannot be limited to names",
            ),
            Grant {
                group: "coordination.k8s.io",
                resources: &["leases"],
                names: &[CONTROLLER_ACCOUNT, HEARTBEAT_LEASE],
                verbs: &["get", "update"],
                reason: "these two; the Lease of leader election has the name of the account",
            },
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
                verbs: &["get", "update"],
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

/// What the end-to-end tests need not use. Every other right was used in them, by the audit log of the API server.
pub const RARE: &[Rare] = &[
    rare(
        WEBHOOK_ACCOUNT,
        "events",
        "patch",
        "the same thing within a quarter of an hour is counted on the Event that is there",
    ),
    rare(WEBHOOK_ACCOUNT, "nodes", "list", ASKED),
    rare(WEBHOOK_ACCOUNT, "nodes", "watch", ASKED),
    rare(WEBHOOK_ACCOUNT, "poddisruptionbudgets", "list", ASKED),
    rare(WEBHOOK_ACCOUNT, "poddisruptionbudgets", "watch", ASKED),
    rare(WEBHOOK_ACCOUNT, "horizontalpodautoscalers", "list", ASKED),
    rare(WEBHOOK_ACCOUNT, "horizontalpodautoscalers", "watch", ASKED),
    rare(
        CONTROLLER_ACCOUNT,
        "releases",
        "get",
        "a record of this name is there, and the watch has not told of it yet",
    ),
    rare(
        CONTROLLER_ACCOUNT,
        "releases",
        "delete",
        "a workload has more records than are kept",
    ),
    rare(
        CONTROLLER_ACCOUNT,
        "events",
        "patch",
        "the same thing about the same release is counted on the Event that is there",
    ),
    rare(CONTROLLER_ACCOUNT, "pods", "get", NAMED),
    rare(CONTROLLER_ACCOUNT, "statefulsets", "get", NAMED),
    rare(CONTROLLER_ACCOUNT, "daemonsets", "get", NAMED),
    rare(CONTROLLER_ACCOUNT, "jobs", "get", NAMED),
    rare(CONTROLLER_ACCOUNT, "jobs", "list", NAMED),
    rare(CONTROLLER_ACCOUNT, "cronjobs", "get", NAMED),
    rare(CONTROLLER_ACCOUNT, "cronjobs", "list", NAMED),
    rare(CONTROLLER_ACCOUNT, "resourcequotas", "list", NAMED),
    rare(CONTROLLER_ACCOUNT, "limitranges", "list", NAMED),
    rare(
        CONTROLLER_ACCOUNT,
        "secrets",
        "update",
        "the certificate is renewed: once in two months",
    ),
    rare(
        CONTROLLER_ACCOUNT,
        "mutatingwebhookconfigurations",
        "create",
        MADE,
    ),
    rare(
        CONTROLLER_ACCOUNT,
        "validatingwebhookconfigurations",
        "create",
        MADE,
    ),
];

const ASKED: &str = "a rule in use asks for them";
const NAMED: &str = "an exception from a policy names such an object, or a pattern of names";
const MADE: &str = "an apply that makes an object needs it, and the audit log calls it patch";
