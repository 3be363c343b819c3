//! Everything admission knows about the cluster, in memory: one [`bucket::Index`] per kind, filled by watches ([`feed`]), read without waiting.
//!
//! Decides: what is kept of each kind ([`reduce`]) and when enough is known to answer at all ([`Indexes::waiting`]).
//! Invariant: before every list was received once, nothing is answered; absence is only ever concluded from a complete list.

pub mod beside;
pub mod bucket;
pub mod feed;
pub mod reduce;
pub mod rulebook;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use arc_swap::{ArcSwap, ArcSwapOption};
use k8s_openapi::api::coordination::v1::Lease;
use sluice_api::{Mode, PolicyExceptionSpec, PolicySpec, WorkloadKind, label};
use sluice_policies::{Compiler, ExceptionBounds, FactKind, scale};
use sluice_runtime::heartbeat::HeartbeatReader;
use sluice_tree::Value;

use beside::Beside;
use bucket::{Bucket, Index};
use reduce::{GateEntry, Labels, PlanEntry, ReleaseEntry, Stored};
use rulebook::Rulebook;

use crate::folder;

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
    pub policies: Index<Stored<PolicySpec>>,
    /// Exceptions from policies by namespace.
    pub exceptions: Index<Stored<PolicyExceptionSpec>>,
    /// ResourceQuotas by namespace.
    pub quotas: Index<Value>,
    /// LimitRanges by namespace.
    pub limit_ranges: Index<Value>,
    /// Workloads by namespace, with their labels: whether a selector matches anything.
    pub workloads: [Index<Labels>; 3],
    /// What rules in use ask for beside that.
    pub beside: Beside,
    /// How long exceptions may last.
    bounds: ExceptionBounds,
    rulebook: ArcSwap<Rulebook>,
    compiler: Mutex<Compiler>,
    /// What the policy folder holds; empty until it was read.
    files: ArcSwapOption<folder::Content>,
    expects_files: bool,
    heartbeat: Mutex<HeartbeatReader>,
    heartbeat_synced: AtomicBool,
    gates_broken: AtomicBool,
}

impl Indexes {
    /// Nothing known yet.
    #[must_use]
    pub fn new(
        system_namespace: &str,
        heartbeat: HeartbeatReader,
        bounds: ExceptionBounds,
    ) -> Self {
        Self {
            system_namespace: system_namespace.to_owned(),
            namespaces: Index::default(),
            gates: Index::default(),
            plans: Index::default(),
            releases: Index::default(),
            probes: Index::default(),
            policies: Index::default(),
            exceptions: Index::default(),
            quotas: Index::default(),
            limit_ranges: Index::default(),
            workloads: std::array::from_fn(|_| Index::default()),
            beside: Beside::default(),
            bounds,
            rulebook: ArcSwap::default(),
            compiler: Mutex::default(),
            files: ArcSwapOption::empty(),
            expects_files: false,
            heartbeat: Mutex::new(heartbeat),
            heartbeat_synced: AtomicBool::new(false),
            gates_broken: AtomicBool::new(false),
        }
    }

    /// There is a policy folder: nothing is answered before it was read once.
    #[must_use]
    pub fn expecting_files(mut self) -> Self {
        self.expects_files = true;
        self
    }

    /// What the policy folder holds, once it was read.
    #[must_use]
    pub fn files(&self) -> Option<Arc<folder::Content>> {
        self.files.load_full()
    }

    /// Takes the content of the policy folder in; it judges after the next [`Self::compile`].
    pub fn set_files(&self, content: Arc<folder::Content>) {
        self.files.store(Some(content));
    }

    /// The caches with whether each has received a whole list since the start.
    #[must_use]
    pub fn synced(&self) -> [(&'static str, bool); 14] {
        let [deployments, stateful_sets, daemon_sets] = &self.workloads;
        [
            ("namespaces", self.namespaces.is_synced()),
            ("gates", self.gates.is_synced()),
            ("rolloutplans", self.plans.is_synced()),
            ("releases", self.releases.is_synced()),
            ("probes", self.probes.is_synced()),
            ("policies", self.policies.is_synced()),
            ("policyexceptions", self.exceptions.is_synced()),
            (
                "policy folder",
                !self.expects_files || self.files.load().is_some(),
            ),
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

    /// How long exceptions may last.
    #[must_use]
    pub const fn exception_bounds(&self) -> &ExceptionBounds {
        &self.bounds
    }

    /// What judges manifests at this moment.
    #[must_use]
    pub fn rulebook(&self) -> Arc<Rulebook> {
        self.rulebook.load_full()
    }

    /// Compiles policies and exceptions anew and swaps them in. Reviews that are under way finish with the old ones.
    pub fn compile(&self) -> Arc<Rulebook> {
        // several watches change what is compiled: the last one to look sees what all of them brought
        let mut compiler = self.compiler.lock().unwrap_or_else(PoisonError::into_inner);
        let compiled = Arc::new(rulebook::compile(
            &mut compiler,
            &self.policies,
            &self.exceptions,
            self.files(),
            &self.system_namespace,
            self.bounds,
        ));
        let mut needed = compiled.policies.needs().clone();
        if compiled.policies.judges_scale() {
            let scaled = WorkloadKind::ALL
                .into_iter()
                .filter(|kind| scale::is_scaled(*kind));
            needed.extend(scaled.map(FactKind::PodTemplates));
        }
        self.beside.need(&needed);
        self.beside.read_keys(compiled.policies.key_scopes());
        self.rulebook.store(Arc::clone(&compiled));
        compiled
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
