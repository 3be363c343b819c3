//! Everything admission knows about the cluster, in memory: one [`bucket::Index`] per kind, filled by watches ([`feed`]), read without waiting.
//!
//! Decides: what is kept of each kind ([`reduce`]) and when enough is known to answer at all ([`Indexes::waiting`]).
//! Invariant: before every list was received once, nothing is answered; absence is only ever concluded from a complete list.

pub mod bucket;
pub mod feed;
pub mod reduce;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use arc_swap::ArcSwap;
use k8s_openapi::api::coordination::v1::Lease;
use serde_json::Value;
use sluice_api::{Mode, WorkloadKind, label};
use sluice_policies::{PolicyProblem, PolicySet, PolicySource};
use sluice_runtime::heartbeat::HeartbeatReader;

use bucket::{Bucket, Index};
use reduce::{GateEntry, Labels, PlanEntry, PolicyEntry, ReleaseEntry};

/// What admission knows.
#[derive(Debug)]
pub struct Indexes {
    /// Sluice's own namespace: objects in it speak about every namespace.
    pub system_namespace: String,
    /// Namespaces with their labels, in the bucket of no namespace.
    pub namespaces: Index<Labels>,
    /// Gates by namespace.
    pub gates: Index<GateEntry>,
    /// Plans by namespace.
    pub plans: Index<PlanEntry>,
    /// Releases by the uid of their workload.
    pub releases: Index<ReleaseEntry>,
    /// Probes by namespace: that they exist, and their labels.
    pub probes: Index<Labels>,
    /// Policies by namespace.
    pub policies: Index<PolicyEntry>,
    /// ResourceQuotas by namespace.
    pub quotas: Index<Value>,
    /// LimitRanges by namespace.
    pub limit_ranges: Index<Value>,
    /// Workloads by namespace, with their labels: whether a selector matches anything.
    pub workloads: [Index<Labels>; 3],
    policy_set: ArcSwap<PolicySet>,
    heartbeat: Mutex<HeartbeatReader>,
    heartbeat_synced: AtomicBool,
    gates_broken: AtomicBool,
}

impl Indexes {
    /// Nothing known yet.
    #[must_use]
    pub fn new(system_namespace: &str, heartbeat: HeartbeatReader) -> Self {
        Self {
            system_namespace: system_namespace.to_owned(),
            namespaces: Index::default(),
            gates: Index::default(),
            plans: Index::default(),
            releases: Index::default(),
            probes: Index::default(),
            policies: Index::default(),
            quotas: Index::default(),
            limit_ranges: Index::default(),
            workloads: std::array::from_fn(|_| Index::default()),
            policy_set: ArcSwap::from_pointee(PolicySet::compile([]).0),
            heartbeat: Mutex::new(heartbeat),
            heartbeat_synced: AtomicBool::new(false),
            gates_broken: AtomicBool::new(false),
        }
    }

    /// The caches with whether each has received a whole list since the start.
    #[must_use]
    pub fn synced(&self) -> [(&'static str, bool); 12] {
        let [deployments, stateful_sets, daemon_sets] = &self.workloads;
        [
            ("namespaces", self.namespaces.is_synced()),
            ("gates", self.gates.is_synced()),
            ("rolloutplans", self.plans.is_synced()),
            ("releases", self.releases.is_synced()),
            ("probes", self.probes.is_synced()),
            ("policies", self.policies.is_synced()),
            ("resourcequotas", self.quotas.is_synced()),
            ("limitranges", self.limit_ranges.is_synced()),
            ("deployments", deployments.is_synced()),
            ("statefulsets", stateful_sets.is_synced()),
            ("daemonsets", daemon_sets.is_synced()),
            ("heartbeat", self.heartbeat_synced.load(Ordering::Acquire)),
        ]
    }

    /// The caches that have not received a whole list yet.
    #[must_use]
    pub fn waiting(&self) -> Vec<&'static str> {
        self.synced()
            .into_iter()
            .filter_map(|(name, synced)| (!synced).then_some(name))
            .collect()
    }

    /// Whether every cache has received a whole list.
    #[must_use]
    pub fn is_synced(&self) -> bool {
        self.synced().into_iter().all(|(_, synced)| synced)
    }

    /// The labels of a namespace; `None` when it is not known.
    #[must_use]
    pub fn namespace_labels(&self, namespace: &str) -> Option<Arc<BTreeMap<String, String>>> {
        Some(Arc::clone(&self.namespaces.bucket("")?.get(namespace)?.0))
    }

    /// The mode of a namespace as its label says; of one that is not known, what no label means.
    #[must_use]
    pub fn mode(labels: Option<&BTreeMap<String, String>>) -> Mode {
        Mode::of_label(
            labels
                .and_then(|labels| labels.get(label::MODE))
                .map(String::as_str),
        )
    }

    /// The objects of an index that may speak about `namespace`: its own and Sluice's.
    #[must_use]
    pub fn within_reach<T>(
        &self,
        index: &Index<T>,
        namespace: &str,
    ) -> [Option<Arc<Bucket<T>>>; 2] {
        let system =
            (namespace != self.system_namespace).then(|| index.bucket(&self.system_namespace));
        [index.bucket(namespace), system.flatten()]
    }

    /// The workloads of a kind.
    #[must_use]
    pub fn workloads_of(&self, kind: WorkloadKind) -> &Index<Labels> {
        let [deployments, stateful_sets, daemon_sets] = &self.workloads;
        match kind {
            WorkloadKind::Deployment => deployments,
            WorkloadKind::StatefulSet => stateful_sets,
            WorkloadKind::DaemonSet => daemon_sets,
        }
    }

    /// The compiled policies.
    #[must_use]
    pub fn policy_set(&self) -> Arc<PolicySet> {
        self.policy_set.load_full()
    }

    /// Compiles the policies anew and swaps the set in. Reviews that are under way finish with the old one.
    /// Returns what is wrong with policies that are left out.
    pub fn compile_policies(&self) -> Vec<PolicyProblem> {
        let buckets = self.policies.buckets();
        let sources = buckets.iter().flat_map(|(namespace, bucket)| {
            bucket.iter().filter_map(|(name, PolicyEntry(spec))| {
                Some(PolicySource {
                    namespace,
                    name,
                    spec: spec.as_deref().ok()?,
                    cluster_wide: *namespace == self.system_namespace,
                })
            })
        });
        let (set, mut problems) = PolicySet::compile(sources);
        self.policy_set.store(Arc::new(set));
        for (namespace, bucket) in &buckets {
            for (name, PolicyEntry(spec)) in bucket.iter() {
                if let Err(why) = spec {
                    problems.push(PolicyProblem {
                        policy: format!("{namespace}/{name}"),
                        path: "spec".to_owned(),
                        found: why.clone(),
                        passes: "a policy of the definition that is installed".to_owned(),
                    });
                }
            }
        }
        problems
    }

    /// Takes the heartbeat Lease in, or its absence.
    pub fn heartbeat(&self, lease: Option<&Lease>, now: Instant) {
        let mut reader = self
            .heartbeat
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        match lease {
            Some(lease) => reader.observe(lease, now),
            None => reader.forget(),
        }
        drop(reader);
        self.heartbeat_synced.store(true, Ordering::Release);
    }

    /// The watch of gates broke, or is whole again: while it is broken a gate that closed is not seen.
    pub fn gates_broken(&self, broken: bool) {
        self.gates_broken.store(broken, Ordering::Release);
    }

    /// Whether what the probe engine wrote still counts as proof.
    #[must_use]
    pub fn heartbeat_fresh(&self, now: Instant) -> bool {
        !self.gates_broken.load(Ordering::Acquire)
            && self
                .heartbeat
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .fresh(now)
    }
}
