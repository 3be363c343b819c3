//! The items of a list.

use std::{
    ops::{Deref, DerefMut},
    sync::Arc,
};

use crate::Value;

/// The items of a list. Read like a slice; a change copies the list when somebody else has it too. An empty one takes no room of its own.
#[derive(Clone, Default)]
pub struct List(Option<Arc<[Value]>>);

impl List {
    /// The last items of a pile, from `first` on.
    pub(crate) fn off(pile: &mut Vec<Value>, first: usize) -> Self {
        pile.drain(first..).collect()
    }

    /// One more item. Takes as long as the list is.
    pub fn push(&mut self, value: Value) {
        let before = std::mem::take(self);
        *self = before.iter().cloned().chain([value]).collect();
    }

    /// The first items, and no more than so many.
    pub fn truncate(&mut self, items: usize) {
        *self = self.iter().take(items).cloned().collect();
    }

    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Some(a), Some(b)) => Arc::ptr_eq(a, b),
            (None, None) => true,
            _ => false,
        }
    }
}

impl Deref for List {
    type Target = [Value];

    fn deref(&self) -> &[Value] {
        self.0.as_deref().unwrap_or_default()
    }
}

impl DerefMut for List {
    fn deref_mut(&mut self) -> &mut [Value] {
        self.0.as_mut().map(Arc::make_mut).unwrap_or_default()
    }
}

impl FromIterator<Value> for List {
    fn from_iter<I: IntoIterator<Item = Value>>(items: I) -> Self {
        let items: Arc<[Value]> = items.into_iter().collect();
        Self((!items.is_empty()).then_some(items))
    }
}

impl<'a> IntoIterator for &'a List {
    type Item = &'a Value;
    type IntoIter = std::slice::Iter<'a, Value>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'a> IntoIterator for &'a mut List {
    type Item = &'a mut Value;
    type IntoIter = std::slice::IterMut<'a, Value>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter_mut()
    }
}
