//! One kind's rows by namespace and name, with one further index.

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
};

use kube::api::ApiResource;
use serde_json::Value;

/// Where an object is. The namespace of a cluster-wide object is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl Key {
    /// A key in a namespace.
    #[must_use]
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            namespace: namespace.into(),
            name: name.into(),
        }
    }

    /// The key of a cluster-wide object.
    #[must_use]
    pub fn cluster(name: impl Into<String>) -> Self {
        Self::new(String::new(), name)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// What is kept of an object.
pub trait Row: Send + Sync + Sized + 'static {
    /// The kind in API paths.
    fn resource() -> ApiResource;

    /// Keeps what matters.
    ///
    /// # Errors
    /// What is wrong with the object, for people.
    fn read(object: Value) -> Result<Self, String>;

    /// The value of the further index, when the kind has one.
    fn index(&self) -> Option<&str> {
        None
    }
}

/// What an event did to one object.
pub struct Change<R> {
    /// Which object.
    pub key: Key,
    /// What was known before.
    pub old: Option<Arc<R>>,
    /// What is known now; `None` also for an object that cannot be read.
    pub new: Option<Arc<R>>,
}

struct Entry<R> {
    version: Option<u64>,
    row: Result<Arc<R>, String>,
}

struct Inner<R> {
    entries: HashMap<Key, Entry<R>>,
    index: HashMap<String, BTreeSet<Key>>,
    /// Objects of a list that has not ended yet.
    listing: Option<HashMap<Key, Entry<R>>>,
}

/// One kind's rows.
pub struct Table<R> {
    inner: RwLock<Inner<R>>,
    synced: AtomicBool,
}

impl<R> Default for Table<R> {
    fn default() -> Self {
        Self {
            inner: RwLock::new(Inner {
                entries: HashMap::new(),
                index: HashMap::new(),
                listing: None,
            }),
            synced: AtomicBool::new(false),
        }
    }
}

/// Key and version of an object.
fn place(object: &Value) -> (Key, Option<u64>) {
    let metadata = &object["metadata"];
    let text = |field: &str| metadata[field].as_str().unwrap_or_default();
    (
        Key::new(text("namespace"), text("name")),
        text("resourceVersion").parse().ok(),
    )
}

impl<R: Row> Table<R> {
    /// Puts in an object that was created or changed: by an event, or as the answer to a write of our own.
    /// A version older than the known one is passed over: `None`.
    pub fn apply(&self, object: Value) -> Option<Change<R>> {
        let (key, version) = place(&object);
        let entry = Entry {
            version,
            row: R::read(object).map(Arc::new),
        };
        self.write(|inner| {
            if let Some(known) = inner.entries.get(&key)
                && is_older(version, known.version)
            {
                return None;
            }
            Some(inner.put(key, Some(entry)))
        })
    }

    /// Takes out an object that was deleted.
    pub fn remove(&self, object: &Value) -> Change<R> {
        let (key, _) = place(object);
        self.write(|inner| inner.put(key, None))
    }

    /// A complete list begins.
    pub fn list_begins(&self) {
        self.write(|inner| inner.listing = Some(HashMap::new()));
    }

    /// One object of the list.
    pub fn listed(&self, object: Value) {
        let (key, version) = place(&object);
        let entry = Entry {
            version,
            row: R::read(object).map(Arc::new),
        };
        self.write(|inner| {
            inner
                .listing
                .get_or_insert_with(HashMap::new)
                .insert(key, entry);
        });
    }

    /// The list is complete: what it does not hold is gone. What was written by us while it ran stays as we wrote it.
    pub fn list_ends(&self) -> Vec<Change<R>> {
        let changes = self.write(|inner| {
            let listing = inner.listing.take().unwrap_or_default();
            let gone: Vec<Key> = inner
                .entries
                .keys()
                .filter(|key| !listing.contains_key(*key))
                .cloned()
                .collect();
            let mut changes: Vec<Change<R>> =
                gone.into_iter().map(|key| inner.put(key, None)).collect();
            for (key, entry) in listing {
                if inner
                    .entries
                    .get(&key)
                    .is_none_or(|known| !is_older(entry.version, known.version))
                {
                    changes.push(inner.put(key, Some(entry)));
                }
            }
            changes
        });
        self.synced.store(true, Ordering::Release);
        changes
    }

    /// Whether a complete list was seen.
    #[must_use]
    pub fn synced(&self) -> bool {
        self.synced.load(Ordering::Acquire)
    }

    /// A row; `None` when there is no such object, or none that can be read.
    #[must_use]
    pub fn get(&self, key: &Key) -> Option<Arc<R>> {
        self.read(|inner| inner.entries.get(key)?.row.as_ref().ok().cloned())
    }

    /// Every readable row.
    #[must_use]
    pub fn all(&self) -> Vec<(Key, Arc<R>)> {
        self.read(|inner| {
            inner
                .entries
                .iter()
                .filter_map(|(key, entry)| Some((key.clone(), entry.row.as_ref().ok()?.clone())))
                .collect()
        })
    }

    /// The objects that cannot be read, and why.
    #[must_use]
    pub fn unreadable(&self) -> Vec<(Key, String)> {
        self.read(|inner| {
            inner
                .entries
                .iter()
                .filter_map(|(key, entry)| Some((key.clone(), entry.row.as_ref().err()?.clone())))
                .collect()
        })
    }

    /// Every readable row with this value of the further index, by key.
    #[must_use]
    pub fn of(&self, index: &str) -> Vec<Arc<R>> {
        self.read(|inner| {
            inner
                .index
                .get(index)
                .into_iter()
                .flatten()
                .filter_map(|key| inner.entries.get(key)?.row.as_ref().ok().cloned())
                .collect()
        })
    }

    /// How many objects there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.read(|inner| inner.entries.len())
    }

    /// Whether there is no object.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    // A poisoned lock means a panic between two map operations; each leaves the maps whole, so going on is right.
    fn read<T>(&self, with: impl FnOnce(&Inner<R>) -> T) -> T {
        with(&self.inner.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write<T>(&self, with: impl FnOnce(&mut Inner<R>) -> T) -> T {
        with(&mut self.inner.write().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Versions of one object grow. What cannot be compared counts as newer: the event wins.
fn is_older(new: Option<u64>, known: Option<u64>) -> bool {
    matches!((new, known), (Some(new), Some(known)) if new < known)
}

impl<R: Row> Inner<R> {
    fn put(&mut self, key: Key, entry: Option<Entry<R>>) -> Change<R> {
        let old = match self.entries.remove(&key) {
            Some(Entry { row: Ok(row), .. }) => Some(row),
            _ => None,
        };
        if let Some(value) = old.as_deref().and_then(R::index)
            && let Some(keys) = self.index.get_mut(value)
        {
            keys.remove(&key);
            if keys.is_empty() {
                self.index.remove(value);
            }
        }
        let mut new = None;
        if let Some(entry) = entry {
            new = entry.row.as_ref().ok().cloned();
            if let Some(value) = new.as_deref().and_then(R::index) {
                self.index
                    .entry(value.to_owned())
                    .or_default()
                    .insert(key.clone());
            }
            self.entries.insert(key.clone(), entry);
        }
        Change { key, old, new }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cache::rows::PodRow;

    fn pod(name: &str, version: u64, owner: &str) -> Value {
        json!({
            "metadata": {"name": name, "namespace": "shop", "resourceVersion": version.to_string(),
                "ownerReferences": [{"kind": "ReplicaSet", "name": "x", "uid": owner, "controller": true}]},
            "status": {},
        })
    }

    fn names(table: &Table<PodRow>, owner: &str) -> Vec<String> {
        table.of(owner).iter().map(|row| row.name.clone()).collect()
    }

    #[test]
    fn an_older_version_never_takes_the_place_of_a_newer_one() {
        let table = Table::<PodRow>::default();
        assert!(table.apply(pod("a", 5, "one")).is_some());
        assert!(table.apply(pod("a", 4, "two")).is_none());
        assert_eq!(names(&table, "one"), ["a"]);
        let change = table.apply(pod("a", 6, "two")).unwrap();
        assert!(change.old.is_some() && change.new.is_some());
        assert_eq!(
            (names(&table, "one"), names(&table, "two")),
            (vec![], vec!["a".to_owned()])
        );
        table.remove(&pod("a", 6, "two"));
        assert!(table.is_empty() && names(&table, "two").is_empty());
    }

    #[test]
    fn a_complete_list_takes_out_what_it_does_not_hold_and_keeps_what_was_written_meanwhile() {
        let table = Table::<PodRow>::default();
        assert!(!table.synced());
        table.apply(pod("gone", 1, "one"));
        table.apply(pod("kept", 2, "one"));
        table.list_begins();
        table.listed(pod("kept", 2, "one"));
        table.listed(pod("new", 3, "one"));
        table.apply(pod("kept", 9, "two"));
        assert_eq!(
            names(&table, "one"),
            ["gone"],
            "a list that has not ended changes nothing"
        );
        let changes = table.list_ends();
        assert!(table.synced());
        assert_eq!(
            (names(&table, "one"), names(&table, "two")),
            (vec!["new".to_owned()], vec!["kept".to_owned()])
        );
        assert!(
            changes
                .iter()
                .any(|change| change.key.name == "gone" && change.new.is_none())
        );
    }

    #[test]
    fn an_object_that_cannot_be_read_stays_known_as_such() {
        let table = Table::<sluice_api::Gate>::default();
        let gate = |spec: Value| {
            json!({"apiVersion": "sluice.dev/v1alpha1", "kind": "Gate",
            "metadata": {"name": "g", "namespace": "shop"}, "spec": spec})
        };
        table.apply(gate(json!({"components": {}})));
        let change = table
            .apply(gate(json!({"components": {}, "whenClosed": "Perhaps"})))
            .unwrap();
        assert!(change.new.is_none());
        assert_eq!(table.unreadable().len(), 1);
        assert!(table.get(&Key::new("shop", "g")).is_none());
        table.apply(gate(json!({"components": {}})));
        assert!(table.unreadable().is_empty());
    }
}
