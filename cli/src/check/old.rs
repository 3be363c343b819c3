//! The objects that a change replaces: an object of the new files and its older self are one by kind, namespace and name.

use std::{collections::HashMap, path::Path};

use sluice_tree::Value;

use super::verdict::Judged;
use crate::manifest::document::Object;

type Key<'a> = (&'a str, &'a str, String);

/// Older selves.
#[derive(Debug, Default)]
pub struct Old<'a> {
    objects: HashMap<Key<'a>, Vec<&'a Object>>,
}

impl<'a> Old<'a> {
    /// From what was there before; objects that name no namespace lie in `namespace`.
    #[must_use]
    pub fn new(objects: &'a [Object], namespace: &'a str) -> Self {
        let mut old: HashMap<Key<'a>, Vec<&'a Object>> = HashMap::new();
        for object in objects {
            let key = (
                object.kind(),
                object.namespace().unwrap_or(namespace),
                object.name(),
            );
            old.entry(key).or_default().push(object);
        }
        Self { objects: old }
    }

    /// What `new` replaces. Where several files speak of one object, as the overlays of several clusters do, it is the one whose path ends alike.
    pub(super) fn of(&self, new: &Judged) -> Option<&'a Value> {
        let key = (new.kind.as_str(), new.namespace.as_str(), new.name.clone());
        let candidates = self.objects.get(&key)?;
        candidates
            .iter()
            // the first of the best
            .rev()
            .max_by_key(|object| common_end(&object.file, &new.file))
            .map(|object| &object.value)
    }
}

fn common_end(one: &str, other: &str) -> usize {
    let (one, other) = (Path::new(one), Path::new(other));
    one.iter()
        .rev()
        .zip(other.iter().rev())
        .take_while(|(one, other)| one == other)
        .count()
}
