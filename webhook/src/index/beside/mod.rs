//! What lies beside the objects that are judged: names, Services, pod templates and so on, as far as a rule in use asks for it.
//!
//! Decides: what is kept of each kind, and when it counts as known. Filled by [`feed`].
//! Invariant: only a whole list of a watch that is not broken is lent. Before that, and when Sluice may not read a kind, nothing is known, and rules that ask
//! answer Unknown. Readiness never waits for any of it.

pub mod feed;
mod keys;
pub mod peaks;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use sluice_api::WorkloadKind;
use sluice_policies::{
    FactKind, Facts, Named,
    facts::{
        self, Autoscaler, DisruptionBudget, KeyScope, Keyed, Keys, Listed, Names, Node, ObjectKeys,
        PodTemplate, Service,
    },
    scale::Scalable,
};
use tokio::sync::watch;

use super::bucket::{Bucket, Change, Index};
use keys::KeptKeys;
use peaks::{Observed, Peaks};

/// Objects of one kind, and whether they are all.
#[derive(Debug)]
pub struct Kept<T> {
    index: Index<T>,
    known: AtomicBool,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self {
            index: Index::default(),
            known: AtomicBool::new(false),
        }
    }
}

impl<T: Clone> Kept<T> {
    /// Takes a change in. A list that is under way, also one after a break, makes nothing known before its end.
    pub fn change(&self, change: Change<T>) {
        let under_way = matches!(change, Change::ListBegins | Change::Listed(..));
        self.index.change(change);
        if !under_way && self.index.is_synced() {
            self.known.store(true, Ordering::Release);
        }
    }

    /// The watch broke: what changes now is not seen. It must list again.
    pub fn broken(&self) {
        self.known.store(false, Ordering::Release);
    }

    /// Nobody asks for it any more.
    pub fn forget(&self) {
        self.broken();
        self.index.forget();
    }
}

impl<T> Kept<T> {
    /// How many objects there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    fn taken(&self, bucket: &str) -> Taken<T> {
        if self.known.load(Ordering::Acquire) {
            Taken::Known(self.index.bucket(bucket))
        } else {
            Taken::Unknown
        }
    }
}

/// Everything of that sort, by kind.
#[derive(Debug)]
pub struct Beside {
    /// Names, in the order of [`Named::ALL`].
    pub names: [Kept<()>; Named::ALL.len()],
    /// Keys, in the order of [`Keyed::ALL`].
    pub keys: [KeptKeys; Keyed::ALL.len()],
    /// Services.
    pub services: Kept<Service>,
    /// Pod templates, in the order of [`WorkloadKind::ALL`].
    pub pod_templates: [Kept<PodTemplate>; WorkloadKind::ALL.len()],
    /// PodDisruptionBudgets.
    pub disruption_budgets: Kept<DisruptionBudget>,
    /// HorizontalPodAutoscalers.
    pub autoscalers: Kept<Autoscaler>,
    /// Nodes.
    pub nodes: Kept<Node>,
    /// The most memory that containers were seen to use.
    pub peaks: Peaks,
    needed: watch::Sender<BTreeSet<FactKind>>,
    key_scopes: watch::Sender<[KeyScope; Keyed::ALL.len()]>,
}

impl Default for Beside {
    fn default() -> Self {
        Self {
            names: std::array::from_fn(|_| Kept::default()),
            keys: std::array::from_fn(|_| KeptKeys::default()),
            services: Kept::default(),
            pod_templates: std::array::from_fn(|_| Kept::default()),
            disruption_budgets: Kept::default(),
            autoscalers: Kept::default(),
            nodes: Kept::default(),
            peaks: Peaks::default(),
            needed: watch::Sender::new(BTreeSet::new()),
            key_scopes: watch::Sender::default(),
        }
    }
}

impl Beside {
    /// From now on these are watched and no others.
    pub fn need(&self, kinds: &BTreeSet<FactKind>) {
        self.needed.send_if_modified(|needed| {
            let differs = needed != kinds;
            if differs {
                needed.clone_from(kinds);
            }
            differs
        });
    }

    /// What is watched, as it changes.
    #[must_use]
    pub fn needed(&self) -> watch::Receiver<BTreeSet<FactKind>> {
        self.needed.subscribe()
    }

    /// From now on keys are read there and nowhere else.
    pub fn read_keys(&self, scopes: &[KeyScope; Keyed::ALL.len()]) {
        self.key_scopes.send_if_modified(|known| {
            let differs = known != scopes;
            if differs {
                known.clone_from(scopes);
            }
            differs
        });
    }

    /// What is looked at when this workload is scaled; `None` when that is not known.
    #[must_use]
    pub fn scalable(&self, kind: WorkloadKind, namespace: &str, name: &str) -> Option<Scalable> {
        match self.pod_templates[kind as usize].taken(namespace) {
            Taken::Known(Some(bucket)) => bucket.get(name)?.scalable.clone(),
            Taken::Known(None) | Taken::Unknown => None,
        }
    }

    /// What is known around an object of this namespace as it is now, of the kinds that are asked for.
    #[must_use]
    pub fn around(&self, namespace: &str, kinds: &BTreeSet<FactKind>) -> Around {
        let mut around = Around::default();
        for kind in kinds {
            let bucket = if kind.is_namespaced() { namespace } else { "" };
            match kind {
                // kept whether or not anybody asks
                FactKind::Quotas | FactKind::LimitRanges => {}
                FactKind::Names(named) => {
                    around.names[named.index()] = self.names[named.index()].taken(bucket);
                }
                FactKind::Keys(keyed) => {
                    around.keys[keyed.index()] = self.keys[keyed.index()].taken(namespace);
                }
                FactKind::Services => around.services = self.services.taken(bucket),
                FactKind::PodTemplates(kind) => {
                    let place = *kind as usize;
                    around.pod_templates[place] = self.pod_templates[place].taken(bucket);
                }
                FactKind::DisruptionBudgets => {
                    around.disruption_budgets = self.disruption_budgets.taken(bucket);
                }
                FactKind::Autoscalers => around.autoscalers = self.autoscalers.taken(bucket),
                FactKind::Nodes => around.nodes = self.nodes.taken(bucket),
                FactKind::ObservedPeaks => {
                    around.peaks = Some((self.peaks.now(), namespace.to_owned()));
                }
            }
        }
        around
    }
}

/// One bucket as it was when it was taken.
#[derive(Debug, Default)]
enum Taken<T> {
    #[default]
    Unknown,
    Known(Option<Arc<Bucket<T>>>),
}

impl<T> Taken<T> {
    fn listed(&self) -> Listed<'_, T> {
        match self {
            Self::Unknown => Listed::default(),
            Self::Known(None) => Listed::whole(&[]),
            Self::Known(Some(bucket)) => Listed::whole(bucket.values()),
        }
    }
}

impl Taken<ObjectKeys> {
    fn keys(&self) -> Keys<'_> {
        match self {
            Self::Unknown | Self::Known(None) => Keys::default(),
            Self::Known(Some(bucket)) => Keys::new(bucket.values()),
        }
    }
}

impl Taken<()> {
    fn named(&self) -> Names<'_> {
        match self {
            Self::Unknown => Names::default(),
            Self::Known(None) => Names::whole(&[]),
            Self::Known(Some(bucket)) => Names::whole(bucket.names()),
        }
    }
}

/// What was known around one object.
#[derive(Debug, Default)]
pub struct Around {
    names: [Taken<()>; Named::ALL.len()],
    keys: [Taken<ObjectKeys>; Keyed::ALL.len()],
    services: Taken<Service>,
    pod_templates: [Taken<PodTemplate>; WorkloadKind::ALL.len()],
    disruption_budgets: Taken<DisruptionBudget>,
    autoscalers: Taken<Autoscaler>,
    nodes: Taken<Node>,
    peaks: Option<(Arc<Observed>, String)>,
}

impl Around {
    /// Lends it to a judgement.
    pub fn lend<'a>(&'a self, facts: &mut Facts<'a>) {
        for (lent, taken) in facts.names.iter_mut().zip(&self.names) {
            *lent = taken.named();
        }
        for (lent, taken) in facts.keys.iter_mut().zip(&self.keys) {
            *lent = taken.keys();
        }
        facts.services = self.services.listed();
        let templates = &mut facts.pod_templates.by_kind;
        for (lent, taken) in templates.iter_mut().zip(&self.pod_templates) {
            *lent = taken.listed();
        }
        facts.disruption_budgets = self.disruption_budgets.listed();
        facts.autoscalers = self.autoscalers.listed();
        facts.nodes = self.nodes.listed();
        if let Some((observed, namespace)) = &self.peaks {
            let (peaks, missing) = observed.of_namespace(namespace);
            facts.peaks = facts::Peaks::new(peaks, missing);
        }
    }
}
