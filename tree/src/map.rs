//! The entries of an object.

use std::{
    ops::{Index, IndexMut},
    sync::Arc,
};

use crate::{Key, Value, value::NULL};

/// The entries of an object, sorted by name. A change copies them when somebody else has them too; the values below stay shared.
#[derive(Clone, Default)]
pub struct Map(Option<Arc<[(Key, Value)]>>);

impl Map {
    /// No entry.
    #[must_use]
    pub const fn new() -> Self {
        Self(None)
    }

    /// The last entries of a pile, from `first` on. Of several of one name the last counts.
    pub(crate) fn off(pile: &mut Vec<(Key, Value)>, first: usize) -> Self {
        let entries = pile.get_mut(first..).unwrap_or_default();
        if entries.is_empty() {
            return Self(None);
        }
        if !entries.is_sorted_by(|a, b| a.0 < b.0) {
            // stable: of one name the last stays last
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            let twice = entries
                .windows(2)
                .any(|two| matches!(two, [a, b] if a.0 == b.0));
            if twice {
                let mut once: Vec<(Key, Value)> = Vec::with_capacity(entries.len());
                for entry in pile.drain(first..) {
                    match once.last_mut() {
                        Some(last) if last.0 == entry.0 => *last = entry,
                        _ => once.push(entry),
                    }
                }
                return Self(Some(once.into()));
            }
        }
        Self(Some(pile.drain(first..).collect()))
    }

    fn entries(&self) -> &[(Key, Value)] {
        self.0.as_deref().unwrap_or_default()
    }

    fn entries_mut(&mut self) -> &mut [(Key, Value)] {
        self.0.as_mut().map(Arc::make_mut).unwrap_or_default()
    }

    fn place(&self, name: &str) -> Result<usize, usize> {
        self.entries()
            .binary_search_by(|(key, _)| key.as_str().cmp(name))
    }

    /// The place of a name that is there. Of few entries each is looked at: most differ in length, and so cost less than the steps of a search by order.
    fn place_of(&self, name: &str) -> Option<usize> {
        const FEW: usize = 16;
        let entries = self.entries();
        if entries.len() > FEW {
            return self.place(name).ok();
        }
        entries.iter().position(|(key, _)| key.as_str() == name)
    }

    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Some(a), Some(b)) => Arc::ptr_eq(a, b),
            (None, None) => true,
            _ => false,
        }
    }

    /// The value of a name.
    #[must_use]
    pub fn get(&self, name: impl AsRef<str>) -> Option<&Value> {
        let place = self.place_of(name.as_ref())?;
        self.entries().get(place).map(|(_, value)| value)
    }

    /// The same, to change it.
    pub fn get_mut(&mut self, name: impl AsRef<str>) -> Option<&mut Value> {
        let place = self.place_of(name.as_ref())?;
        self.entries_mut().get_mut(place).map(|(_, value)| value)
    }

    /// Whether there is an entry of a name.
    #[must_use]
    pub fn contains_key(&self, name: impl AsRef<str>) -> bool {
        self.place_of(name.as_ref()).is_some()
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries().len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Sets a value, and gives back the one before. A new name takes as long as there are entries.
    pub fn insert(&mut self, name: impl Into<Key>, value: Value) -> Option<Value> {
        let name = name.into();
        match self.place(&name) {
            Ok(place) => self
                .entries_mut()
                .get_mut(place)
                .map(|(_, old)| std::mem::replace(old, value)),
            Err(place) => {
                let (before, after) = self.entries().split_at(place);
                let entries = before.iter().cloned();
                let entries: Arc<[(Key, Value)]> = entries
                    .chain([(name, value)])
                    .chain(after.iter().cloned())
                    .collect();
                self.0 = Some(entries);
                None
            }
        }
    }

    /// Takes an entry out.
    pub fn remove(&mut self, name: impl AsRef<str>) -> Option<Value> {
        let name = name.as_ref();
        let taken = self.get_mut(name).map(std::mem::take)?;
        let rest: Arc<[(Key, Value)]> = self
            .entries()
            .iter()
            .filter(|(key, _)| key.as_str() != name)
            .cloned()
            .collect();
        self.0 = (!rest.is_empty()).then_some(rest);
        Some(taken)
    }

    /// The place of a name, with or without a value.
    pub fn entry(&mut self, name: impl Into<Key>) -> Entry<'_> {
        Entry {
            map: self,
            name: name.into(),
        }
    }

    /// Names and values, by name.
    #[must_use]
    pub fn iter(&self) -> Iter<'_> {
        Iter(self.entries().iter())
    }

    /// The same, to change the values.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&Key, &mut Value)> {
        self.entries_mut()
            .iter_mut()
            .map(|(key, value)| (&*key, value))
    }

    /// The names, sorted.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &Key> + ExactSizeIterator {
        self.entries().iter().map(|(key, _)| key)
    }

    /// The values, by name.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &Value> + ExactSizeIterator {
        self.entries().iter().map(|(_, value)| value)
    }

    /// The same, to change them.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut Value> {
        self.entries_mut().iter_mut().map(|(_, value)| value)
    }

    /// Keeps the entries that are wanted.
    pub fn retain(&mut self, mut wanted: impl FnMut(&Key, &Value) -> bool) {
        let kept: Vec<(Key, Value)> = self
            .entries()
            .iter()
            .filter(|(key, value)| wanted(key, value))
            .cloned()
            .collect();
        self.0 = (!kept.is_empty()).then(|| kept.into());
    }
}

/// Names and values of a map, by name.
#[derive(Clone)]
pub struct Iter<'a>(std::slice::Iter<'a, (Key, Value)>);

impl<'a> Iterator for Iter<'a> {
    type Item = (&'a Key, &'a Value);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|(name, value)| (name, value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl DoubleEndedIterator for Iter<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.0.next_back().map(|(name, value)| (name, value))
    }
}

impl ExactSizeIterator for Iter<'_> {}

/// The place of a name in a map.
pub struct Entry<'a> {
    map: &'a mut Map,
    name: Key,
}

impl<'a> Entry<'a> {
    /// The value that is there, or this one.
    pub fn or_insert(self, value: Value) -> &'a mut Value {
        self.or_insert_with(|| value)
    }

    /// The value that is there, or one that is made.
    pub fn or_insert_with(self, make: impl FnOnce() -> Value) -> &'a mut Value {
        let Self { map, name } = self;
        let place = match map.place(&name) {
            Ok(place) => place,
            Err(place) => {
                map.insert(name, make());
                place
            }
        };
        let (_, value) = &mut map.entries_mut()[place];
        value
    }
}

impl<K: Into<Key>> FromIterator<(K, Value)> for Map {
    fn from_iter<I: IntoIterator<Item = (K, Value)>>(entries: I) -> Self {
        let mut pile: Vec<(Key, Value)> = entries
            .into_iter()
            .map(|(name, value)| (name.into(), value))
            .collect();
        Self::off(&mut pile, 0)
    }
}

impl<'a> IntoIterator for &'a Map {
    type Item = (&'a Key, &'a Value);
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

impl IntoIterator for Map {
    type Item = (Key, Value);
    type IntoIter = std::vec::IntoIter<(Key, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries().to_vec().into_iter()
    }
}

impl Extend<(Key, Value)> for Map {
    fn extend<I: IntoIterator<Item = (Key, Value)>>(&mut self, more: I) {
        *self = self.entries().iter().cloned().chain(more).collect();
    }
}

impl Index<&str> for Map {
    type Output = Value;

    /// What is not there reads as null.
    fn index(&self, name: &str) -> &Value {
        self.get(name).unwrap_or(&NULL)
    }
}

impl IndexMut<&str> for Map {
    /// What is not there comes into being as null.
    fn index_mut(&mut self, name: &str) -> &mut Value {
        self.entry(name).or_insert(Value::Null)
    }
}
