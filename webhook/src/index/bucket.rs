//! One kind of object in memory, reduced to what admission reads, grouped by what it is looked up with.
//!
//! Filled by [`Change`]s of a watch. A list that is under way replaces nothing until it is complete, so a restarted watch never shows an empty cluster.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
};

/// Where an object is kept: looked up by `bucket`, distinguished by `name`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// What it is looked up with: mostly its namespace.
    pub bucket: String,
    /// What tells it from the others there.
    pub name: String,
}

/// What a watch says.
#[derive(Clone, Debug, PartialEq)]
pub enum Change<T> {
    /// A list begins: what it does not mention is gone.
    ListBegins,
    /// An object of the list.
    Listed(Key, T),
    /// The list is complete.
    ListEnds,
    /// An object is there or has changed.
    Applied(Key, T),
    /// An object is gone.
    Deleted(Key),
}

/// Objects of one bucket, sorted by name, side by side so that they can be lent as a slice.
#[derive(Clone, Debug)]
pub struct Bucket<T> {
    names: Vec<String>,
    values: Vec<T>,
}

impl<T> Default for Bucket<T> {
    fn default() -> Self {
        Self {
            names: Vec::new(),
            values: Vec::new(),
        }
    }
}

impl<T> Bucket<T> {
    fn put(&mut self, name: String, value: T) {
        match self.names.binary_search(&name) {
            Ok(at) => self.values[at] = value,
            Err(at) => {
                self.names.insert(at, name);
                self.values.insert(at, value);
            }
        }
    }

    fn take(&mut self, name: &str) {
        if let Ok(at) = self
            .names
            .binary_search_by(|known| known.as_str().cmp(name))
        {
            self.names.remove(at);
            self.values.remove(at);
        }
    }

    /// The objects, by name.
    #[must_use]
    pub fn values(&self) -> &[T] {
        &self.values
    }

    /// The names, sorted.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The objects with their names, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        self.names.iter().map(String::as_str).zip(&self.values)
    }

    /// The object of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&T> {
        let at = self
            .names
            .binary_search_by(|known| known.as_str().cmp(name))
            .ok()?;
        self.values.get(at)
    }
}

type Buckets<T> = HashMap<String, Arc<Bucket<T>>>;

/// All objects of one kind.
#[derive(Debug)]
pub struct Index<T> {
    live: RwLock<Buckets<T>>,
    /// The list that is being received.
    incoming: Mutex<Option<Buckets<T>>>,
    synced: AtomicBool,
}

impl<T> Default for Index<T> {
    fn default() -> Self {
        Self {
            live: RwLock::default(),
            incoming: Mutex::default(),
            synced: AtomicBool::new(false),
        }
    }
}

impl<T: Clone> Index<T> {
    /// Takes a change in. Changes come from one watch, one after the other.
    pub fn change(&self, change: Change<T>) {
        match change {
            Change::ListBegins => *self.incoming() = Some(Buckets::new()),
            Change::Listed(key, value) => {
                put(self.incoming().get_or_insert_default(), key, value);
            }
            Change::ListEnds => {
                let complete = self.incoming().take().unwrap_or_default();
                *self.write() = complete;
                self.synced.store(true, Ordering::Release);
            }
            Change::Applied(key, value) => put(&mut self.write(), key, value),
            Change::Deleted(key) => {
                let mut live = self.write();
                if let Some(bucket) = live.get_mut(&key.bucket) {
                    let bucket = Arc::make_mut(bucket);
                    bucket.take(&key.name);
                    if bucket.values.is_empty() {
                        live.remove(&key.bucket);
                    }
                }
            }
        }
    }

    /// Forgets everything, as if nothing had been listed yet.
    pub fn forget(&self) {
        self.synced.store(false, Ordering::Release);
        *self.incoming() = None;
        *self.write() = Buckets::new();
    }

    fn incoming(&self) -> std::sync::MutexGuard<'_, Option<Buckets<T>>> {
        self.incoming.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, Buckets<T>> {
        self.live.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn put<T: Clone>(buckets: &mut Buckets<T>, key: Key, value: T) {
    Arc::make_mut(buckets.entry(key.bucket).or_default()).put(key.name, value);
}

impl<T> Index<T> {
    /// Whether a whole list was received since the start. Before that nothing may be concluded from absence.
    #[must_use]
    pub fn is_synced(&self) -> bool {
        self.synced.load(Ordering::Acquire)
    }

    /// The objects of a bucket as they are now; `None` when there are none.
    #[must_use]
    pub fn bucket(&self, bucket: &str) -> Option<Arc<Bucket<T>>> {
        self.read().get(bucket).cloned()
    }

    /// Whether `test` holds for any object anywhere.
    pub fn any(&self, test: impl FnMut(&T) -> bool) -> bool {
        let live = self.read();
        live.values().flat_map(|bucket| &bucket.values).any(test)
    }

    /// Every bucket as it is now, sorted.
    #[must_use]
    pub fn buckets(&self) -> Vec<(String, Arc<Bucket<T>>)> {
        let mut all: Vec<_> = self
            .read()
            .iter()
            .map(|(name, bucket)| (name.clone(), Arc::clone(bucket)))
            .collect();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all
    }

    /// Every object as `bucket/name`, sorted.
    #[must_use]
    pub fn titles(&self) -> Vec<String> {
        self.buckets()
            .into_iter()
            .flat_map(|(bucket, objects)| {
                let title = |name: &String| format!("{bucket}/{name}");
                objects.names.iter().map(title).collect::<Vec<_>>()
            })
            .collect()
    }

    /// How many objects there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.read().values().map(|bucket| bucket.values.len()).sum()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.read().is_empty()
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Buckets<T>> {
        self.live.read().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(bucket: &str, name: &str) -> Key {
        Key {
            bucket: bucket.into(),
            name: name.into(),
        }
    }

    fn listing(index: &Index<u32>) -> Vec<(String, Vec<(String, u32)>)> {
        index
            .buckets()
            .into_iter()
            .map(|(name, bucket)| {
                let objects = bucket.iter().map(|(n, v)| (n.to_owned(), *v)).collect();
                (name, objects)
            })
            .collect()
    }

    #[test]
    fn a_list_replaces_everything_only_when_it_is_complete() {
        let index = Index::default();
        index.change(Change::ListBegins);
        index.change(Change::Listed(key("a", "x"), 1));
        assert!(!index.is_synced() && index.is_empty());
        index.change(Change::ListEnds);
        assert!(index.is_synced());
        index.change(Change::Applied(key("a", "w"), 2));
        index.change(Change::Applied(key("b", "y"), 3));
        assert_eq!(
            listing(&index),
            [
                ("a".into(), vec![("w".into(), 2), ("x".into(), 1)]),
                ("b".into(), vec![("y".into(), 3)])
            ]
        );

        index.change(Change::ListBegins);
        index.change(Change::Listed(key("a", "x"), 9));
        assert_eq!(
            index.len(),
            3,
            "the old list holds until the new one is complete"
        );
        index.change(Change::ListEnds);
        assert_eq!(listing(&index), [("a".into(), vec![("x".into(), 9)])]);
    }

    #[test]
    fn deleting_removes_one_object_and_empties_its_bucket() {
        let index = Index::default();
        index.change(Change::Applied(key("a", "x"), 1));
        index.change(Change::Applied(key("a", "y"), 2));
        index.change(Change::Deleted(key("a", "x")));
        index.change(Change::Deleted(key("b", "never")));
        assert_eq!(index.bucket("a").unwrap().values(), [2]);
        assert_eq!(index.bucket("a").unwrap().get("x"), None);
        index.change(Change::Deleted(key("a", "y")));
        assert!(index.bucket("a").is_none());
    }

    #[test]
    fn a_reader_keeps_what_it_took() {
        let index = Index::default();
        index.change(Change::Applied(key("a", "x"), 1));
        let taken = index.bucket("a").unwrap();
        index.change(Change::Applied(key("a", "x"), 2));
        assert_eq!(taken.values(), [1]);
        assert_eq!(index.bucket("a").unwrap().values(), [2]);
    }
}
