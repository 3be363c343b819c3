//! The one table of what the webhooks see: which requests are sent to Sluice, which never are, and what happens when Sluice does not answer.
//!
//! The webhook configurations and the page in the documentation are both made from it, so neither can say more than the other.
//!
//! Invariants, each tested below:
//! - only workload kinds in namespaces of mode `enforce` may fail closed; everything else is `Ignore` or not seen at all;
//! - no rule has a wildcard or a cluster-scoped kind, and `scale` is the only sub-resource, so nodes, certificate requests, leases, events, tokens, RBAC and
//!   status never depend on Sluice, and scaling goes on without it;
//! - Sluice's own writes and those of the native controllers are left out by conditions that the API server evaluates itself, so they work with Sluice dead.

mod conditions;
mod configurations;
mod page;
#[cfg(test)]
mod tests;

use conditions::{
    GROWS, JUDGING_READS, NOT_GOING, NOT_NATIVE, NOT_OWNED, NOT_SLUICE, RELEASE_READS, SPEC_CHANGED,
};

pub use conditions::NATIVE_USERS;
pub use configurations::{ClientConfigChoice, configurations};
pub use page::markdown;

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
    /// Resources; the only sub-resource is `scale`.
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

const WORKLOADS: [Rule; 2] = [
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

/// What stands beside workloads, and a workload that nobody steps.
const BESIDE: [Rule; 4] = [
    Rule {
        groups: &[""],
        versions: &["v1"],
        resources: &["services", "replicationcontrollers"],
        operations: WRITES,
    },
    Rule {
        groups: &["networking.k8s.io"],
        versions: &["v1"],
        resources: &["ingresses"],
        operations: WRITES,
    },
    Rule {
        groups: &["autoscaling"],
        versions: &["v2"],
        resources: &["horizontalpodautoscalers"],
        operations: WRITES,
    },
    Rule {
        groups: &["policy"],
        versions: &["v1"],
        resources: &["poddisruptionbudgets"],
        operations: WRITES,
    },
];

const WORKLOADS_AND_BESIDE: [Rule; 6] = [
    WORKLOADS[0],
    WORKLOADS[1],
    BESIDE[0],
    BESIDE[1],
    BESIDE[2],
    BESIDE[3],
];

/// More pods without a change of the workload.
const SCALES: &[Rule] = &[Rule {
    groups: &["apps"],
    versions: &["v1"],
    resources: &["deployments/scale", "statefulsets/scale"],
    operations: &["UPDATE"],
}];

const OWN_KINDS: &[Rule] = &[Rule {
    groups: &[crate::GROUP],
    versions: &[crate::VERSION],
    resources: &[
        "probes",
        "gates",
        "rolloutplans",
        "policies",
        "policyexceptions",
    ],
    operations: WRITES,
}];
/// Every entry, in the order of the documentation.
pub const TABLE: [Entry; 7] = [
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
        rules: &WORKLOADS,
        scope: Scope::Enforce,
        conditions: &[NOT_SLUICE, NOT_NATIVE, NOT_OWNED, NOT_GOING, JUDGING_READS],
        failure_policy: FailurePolicy::Fail,
        side_effects: "NoneOnDryRun",
        timeout_seconds: 5,
    },
    Entry {
        configuration: ADMISSION,
        name: "beside.sluice.dev",
        purpose: "judges what stands beside workloads, refuses; nothing of it waits for Sluice",
        stage: Stage::Validating,
        path: WORKLOAD_PATH,
        rules: &BESIDE,
        scope: Scope::Enforce,
        conditions: &[NOT_SLUICE, NOT_NATIVE, NOT_OWNED, NOT_GOING, JUDGING_READS],
        failure_policy: FailurePolicy::Ignore,
        side_effects: "NoneOnDryRun",
        timeout_seconds: 5,
    },
    Entry {
        configuration: ADMISSION,
        name: "observe.sluice.dev",
        purpose: "judges the same, warns or counts, refuses nothing",
        stage: Stage::Validating,
        path: OBSERVE_PATH,
        rules: &WORKLOADS_AND_BESIDE,
        scope: Scope::Observe,
        conditions: &[NOT_SLUICE, NOT_NATIVE, NOT_OWNED, NOT_GOING, JUDGING_READS],
        failure_policy: FailurePolicy::Ignore,
        side_effects: "NoneOnDryRun",
        timeout_seconds: 5,
    },
    Entry {
        configuration: ADMISSION,
        name: "scale.sluice.dev",
        purpose: "judges whether a quota holds the pods that are asked for by scaling; refuses people, warns ServiceAccounts, which may be autoscalers",
        stage: Stage::Validating,
        path: WORKLOAD_PATH,
        rules: SCALES,
        scope: Scope::Enforce,
        conditions: &[NOT_SLUICE, NOT_NATIVE, NOT_OWNED, NOT_GOING, GROWS],
        failure_policy: FailurePolicy::Ignore,
        side_effects: "NoneOnDryRun",
        timeout_seconds: 2,
    },
    Entry {
        configuration: ADMISSION,
        name: "observe-scale.sluice.dev",
        purpose: "judges the same, warns or counts, refuses nothing",
        stage: Stage::Validating,
        path: OBSERVE_PATH,
        rules: SCALES,
        scope: Scope::Observe,
        conditions: &[NOT_SLUICE, NOT_NATIVE, NOT_OWNED, NOT_GOING, GROWS],
        failure_policy: FailurePolicy::Ignore,
        side_effects: "NoneOnDryRun",
        timeout_seconds: 2,
    },
    Entry {
        configuration: OBJECTS,
        name: "objects.sluice.dev",
        purpose: "refuses probes, gates, plans, policies and exceptions that cannot work; the controller judges them again",
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
