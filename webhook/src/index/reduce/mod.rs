//! What is kept of each kind. Everything else is dropped at the door: memory must follow what admission reads, not what people write.
//!
//! Every object is read by itself: one that cannot be read becomes an entry that says so, and never stops a watch or counts as absent.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{
    core::{DeserializeGuard, DynamicObject, PartialObjectMeta},
    runtime::watcher::Event,
};
use serde_json::{Value, json};
use sluice_api::{
    ComponentSelector, Gate, Policy, PolicyException, PolicyExceptionSpec, PolicySpec, RolloutPlan,
    reason::AbortReason, release::ReleasePhase,
};
use sluice_planner::{admission::ReleaseFact, selection::Selects};

use super::bucket::{Change, Key};

/// A kind as it is kept.
pub trait Reduce: Clone + Send + Sync + Sized + 'static {
    /// The kind as it comes from the API server.
    type Wire;

    /// Where it is kept and what is kept of it.
    fn reduce(wire: Self::Wire) -> (Key, Self);
}

/// The change that an event of a watch means.
pub fn change<T: Reduce>(event: Event<T::Wire>) -> Change<T> {
    match event {
        Event::Init => Change::ListBegins,
        Event::InitApply(wire) => {
            let (key, value) = T::reduce(wire);
            Change::Listed(key, value)
        }
        Event::InitDone => Change::ListEnds,
        Event::Apply(wire) => {
            let (key, value) = T::reduce(wire);
            Change::Applied(key, value)
        }
        Event::Delete(wire) => Change::Deleted(T::reduce(wire).0),
    }
}

/// The same where an object may be of no interest.
pub fn change_by<K, T>(
    event: Event<K>,
    reduce: impl Fn(K) -> Option<(Key, T)>,
) -> Option<Change<T>> {
    Some(match event {
        Event::Init => Change::ListBegins,
        Event::InitApply(wire) => {
            let (key, value) = reduce(wire)?;
            Change::Listed(key, value)
        }
        Event::InitDone => Change::ListEnds,
        Event::Apply(wire) => {
            let (key, value) = reduce(wire)?;
            Change::Applied(key, value)
        }
        Event::Delete(wire) => Change::Deleted(reduce(wire)?.0),
    })
}

/// Namespaced objects are looked up by their namespace; cluster-scoped ones share the empty bucket.
fn key_of(metadata: &ObjectMeta) -> Key {
    Key {
        bucket: metadata.namespace.clone().unwrap_or_default(),
        name: metadata.name.clone().unwrap_or_default(),
    }
}

/// The labels of an object of which nothing else matters.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Labels(pub Arc<BTreeMap<String, String>>);

impl Reduce for Labels {
    type Wire = PartialObjectMeta<DynamicObject>;

    fn reduce(mut wire: Self::Wire) -> (Key, Self) {
        let labels = wire.metadata.labels.take().unwrap_or_default();
        (key_of(&wire.metadata), Self(Arc::new(labels)))
    }
}

/// A gate, readable or not.
#[derive(Clone, Debug)]
pub enum GateEntry {
    /// As it is, without what admission does not read.
    Readable(Arc<Gate>),
    /// It is there and cannot be read: it guards every workload of its namespace, closed.
    Unreadable(Arc<Unreadable>),
}

/// An object that is there and cannot be read.
#[derive(Clone, Debug)]
pub struct Unreadable {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// What the parser said.
    pub why: String,
    /// Selects everything within reach.
    components: ComponentSelector,
}

impl Unreadable {
    /// An object of this name.
    #[must_use]
    pub fn new(namespace: &str, name: &str, why: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            why: why.to_owned(),
            components: ComponentSelector::default(),
        }
    }
}

impl Selects for GateEntry {
    fn namespace(&self) -> &str {
        match self {
            Self::Readable(gate) => gate.namespace(),
            Self::Unreadable(gate) => &gate.namespace,
        }
    }

    fn name(&self) -> &str {
        match self {
            Self::Readable(gate) => gate.name(),
            Self::Unreadable(gate) => &gate.name,
        }
    }

    fn created(&self) -> Option<Timestamp> {
        match self {
            Self::Readable(gate) => gate.created(),
            Self::Unreadable(_) => None,
        }
    }

    fn components(&self) -> &ComponentSelector {
        match self {
            Self::Readable(gate) => gate.components(),
            Self::Unreadable(gate) => &gate.components,
        }
    }
}

/// Keeps of an object's metadata what identifies it.
fn thin(metadata: &mut ObjectMeta) {
    let kept = ObjectMeta {
        namespace: metadata.namespace.take(),
        name: metadata.name.take(),
        uid: metadata.uid.take(),
        generation: metadata.generation,
        creation_timestamp: metadata.creation_timestamp.take(),
        ..ObjectMeta::default()
    };
    *metadata = kept;
}

impl Reduce for GateEntry {
    type Wire = DeserializeGuard<Gate>;

    fn reduce(wire: Self::Wire) -> (Key, Self) {
        match wire.0 {
            Ok(mut gate) => {
                thin(&mut gate.metadata);
                (key_of(&gate.metadata), Self::Readable(Arc::new(gate)))
            }
            Err(broken) => {
                let key = key_of(&broken.metadata);
                let entry = Unreadable::new(&key.bucket, &key.name, &broken.error);
                (key, Self::Unreadable(Arc::new(entry)))
            }
        }
    }
}

/// A plan as far as it decides whether a release is stepped. A plan that cannot be read applies to every workload of its namespace: what it would
/// step is held instead of running free.
#[derive(Clone, Debug)]
pub struct PlanEntry {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// When it was created.
    pub created: Option<Timestamp>,
    /// What it selects.
    pub components: Arc<ComponentSelector>,
}

impl Selects for PlanEntry {
    fn namespace(&self) -> &str {
        &self.namespace
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn created(&self) -> Option<Timestamp> {
        self.created
    }

    fn components(&self) -> &ComponentSelector {
        &self.components
    }
}

impl Reduce for PlanEntry {
    type Wire = DeserializeGuard<RolloutPlan>;

    fn reduce(wire: Self::Wire) -> (Key, Self) {
        let (metadata, components) = match wire.0 {
            Ok(plan) => (plan.metadata, plan.spec.components),
            Err(broken) => (broken.metadata, ComponentSelector::default()),
        };
        let key = key_of(&metadata);
        let entry = Self {
            namespace: key.bucket.clone(),
            name: key.name.clone(),
            created: metadata.creation_timestamp.map(|time| time.0),
            components: Arc::new(components),
        };
        (key, entry)
    }
}

/// A release of one workload, kept under the uid of the workload.
#[derive(Clone, Debug, PartialEq)]
pub struct ReleaseEntry {
    /// What admission reads.
    pub fact: ReleaseFact,
    /// When it was recorded.
    pub created: Option<Timestamp>,
}

impl ReleaseEntry {
    /// The order of releases of one workload: by record, then by the generation at the end of the name, since two may be recorded in one second.
    #[must_use]
    pub fn age(&self) -> (Timestamp, u64) {
        let generation = self
            .fact
            .name
            .rsplit('-')
            .next()
            .and_then(|number| number.parse().ok())
            .unwrap_or(0);
        (self.created.unwrap_or(Timestamp::MAX), generation)
    }
}

impl Reduce for ReleaseEntry {
    type Wire = DynamicObject;

    fn reduce(wire: Self::Wire) -> (Key, Self) {
        let created = wire.metadata.creation_timestamp.as_ref().map(|time| time.0);
        let name = wire.metadata.name.clone().unwrap_or_default();
        let namespace = wire.metadata.namespace.clone().unwrap_or_default();
        let text = |pointer: &str| {
            wire.data
                .pointer(pointer)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        // only the few fields that decide are read, so a field of a newer version cannot hide a release
        let phase = wire
            .data
            .pointer("/status/phase")
            .and_then(|phase| serde::Deserialize::deserialize(phase).ok())
            .unwrap_or(ReleasePhase::Held);
        let stable = text("/spec/stable/hash");
        let fact = ReleaseFact {
            target: text("/spec/target/hash"),
            stable: (!stable.is_empty()).then_some(stable),
            phase,
            blamed: blamed(&wire.data, phase),
            retry: wire
                .data
                .pointer("/spec/retry")
                .is_some_and(|retry| !retry.is_null()),
            name: name.clone(),
        };
        let key = Key {
            bucket: text("/spec/workload/uid"),
            name: format!("{namespace}/{name}"),
        };
        (key, Self { fact, created })
    }
}

/// Whether a release ended and its template is to blame. A reason that cannot be read is no excuse.
fn blamed(data: &Value, phase: ReleasePhase) -> bool {
    let reason: Option<AbortReason> = data
        .pointer("/status/abort/reason")
        .and_then(|reason| serde::Deserialize::deserialize(reason).ok());
    let badly = matches!(
        phase,
        ReleasePhase::Failed | ReleasePhase::RolledBack | ReleasePhase::RollbackIneffective
    );
    badly && reason.is_none_or(AbortReason::blames_template)
}

/// What an object says, readable or not.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored<S>(pub Result<Arc<S>, String>);

impl Reduce for Stored<PolicySpec> {
    type Wire = DeserializeGuard<Policy>;

    fn reduce(wire: Self::Wire) -> (Key, Self) {
        match wire.0 {
            Ok(policy) => (key_of(&policy.metadata), Self(Ok(Arc::new(policy.spec)))),
            Err(broken) => (key_of(&broken.metadata), Self(Err(broken.error))),
        }
    }
}

impl Reduce for Stored<PolicyExceptionSpec> {
    type Wire = DeserializeGuard<PolicyException>;

    fn reduce(wire: Self::Wire) -> (Key, Self) {
        match wire.0 {
            Ok(exception) => (
                key_of(&exception.metadata),
                Self(Ok(Arc::new(exception.spec))),
            ),
            Err(broken) => (key_of(&broken.metadata), Self(Err(broken.error))),
        }
    }
}

/// A ResourceQuota or a LimitRange: its spec, its status and what it is called.
impl Reduce for sluice_tree::Value {
    type Wire = DynamicObject;

    fn reduce(mut wire: Self::Wire) -> (Key, Self) {
        let key = key_of(&wire.metadata);
        let mut kept = json!({
            "metadata": {"namespace": &key.bucket, "name": &key.name},
        });
        for part in ["spec", "status"] {
            if let Some(value) = wire.data.get_mut(part) {
                kept[part] = value.take();
            }
        }
        (key, kept.into())
    }
}

#[cfg(test)]
mod tests;
