//! The keys of ConfigMaps and Secrets, and where policies ask for them. What stands behind a key is never kept.

use std::collections::BTreeSet;

use sluice_tree::Value;

/// The fields whose keys a pod sees; `stringData` becomes `data` when it is stored.
const FIELDS: [&str; 3] = ["data", "binaryData", "stringData"];

/// The keys of one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectKeys {
    /// Its name.
    pub name: String,
    /// Its keys, sorted; `None` when nobody said which it has: of some objects only the metadata is given, and in git some are left to a controller to fill.
    pub keys: Option<Vec<String>>,
}

impl ObjectKeys {
    /// The keys of an object as it is written.
    #[must_use]
    pub fn of(object: &Value) -> Self {
        let given: Vec<_> = FIELDS
            .iter()
            .filter_map(|field| object.get(field)?.as_object())
            .collect();
        let keys = given
            .iter()
            .flat_map(|field| field.keys())
            .map(|key| key.as_str().to_owned());
        Self {
            name: super::name(object),
            keys: (!given.is_empty()).then(|| sorted(keys)),
        }
    }

    /// An object that was read whole: keys that are not among these are not there.
    #[must_use]
    pub fn whole(name: impl Into<String>, keys: impl IntoIterator<Item = String>) -> Self {
        Self {
            name: name.into(),
            keys: Some(sorted(keys)),
        }
    }
}

fn sorted(keys: impl IntoIterator<Item = String>) -> Vec<String> {
    keys.into_iter()
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect()
}

/// The keys of objects of one kind. By default nothing is known.
#[derive(Clone, Copy, Debug, Default)]
pub struct Keys<'a>(&'a [ObjectKeys]);

impl<'a> Keys<'a> {
    /// Of these objects, which must be sorted by name.
    #[must_use]
    pub const fn new(sorted: &'a [ObjectKeys]) -> Self {
        Self(sorted)
    }

    /// The keys of the object of this name, sorted; `None` when nobody knows them.
    #[must_use]
    pub fn of(&self, name: &str) -> Option<&'a [String]> {
        let place = self
            .0
            .binary_search_by(|object| object.name.as_str().cmp(name));
        self.0.get(place.ok()?)?.keys.as_deref()
    }
}

/// The namespaces in which policies ask for the keys of objects of one kind. Nobody reads keys anywhere else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyScope {
    /// In these: each has a policy of its own that asks.
    Namespaces(BTreeSet<String>),
    /// In every one: a policy that speaks about all of them asks.
    Everywhere,
}

impl Default for KeyScope {
    fn default() -> Self {
        Self::Namespaces(BTreeSet::new())
    }
}

impl KeyScope {
    /// A policy of this namespace asks; `None` for one that speaks about all of them.
    pub(crate) fn open(&mut self, namespace: Option<&str>) {
        match (&mut *self, namespace) {
            (Self::Everywhere, _) => {}
            (Self::Namespaces(names), Some(name)) => {
                names.insert(name.to_owned());
            }
            (Self::Namespaces(_), None) => *self = Self::Everywhere,
        }
    }

    /// What has to be read: each a namespace, or `None` for all of them at once.
    #[must_use]
    pub fn lists(&self) -> BTreeSet<Option<String>> {
        match self {
            Self::Everywhere => [None].into(),
            Self::Namespaces(names) => names.iter().cloned().map(Some).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use sluice_tree::json;

    use super::*;

    #[test]
    fn keys_are_kept_and_nothing_else() {
        let secret = json!({"metadata": {"name": "a"}, "data": {"b": "aHVudGVyMg==", "a": ""}, "stringData": {"c": "hunter2", "a": "x"}, "binaryData": 7});
        let keys = ObjectKeys::of(&secret);
        assert_eq!(
            keys,
            ObjectKeys::whole("a", ["c", "a", "b", "a"].map(str::to_owned))
        );
        assert!(!format!("{keys:?}").contains("unter"));
        let empty = ObjectKeys::of(&json!({"metadata": {"name": "b"}, "data": {}}));
        let bare = ObjectKeys::of(&json!({"metadata": {"name": "c"}}));
        let objects = [keys, empty, bare];
        let known = Keys::new(&objects);
        assert_eq!(known.of("a").map(<[String]>::len), Some(3));
        assert_eq!(known.of("b"), Some(&[][..]), "it has none");
        assert_eq!(known.of("c"), None, "nobody said which");
        assert_eq!(known.of("d"), None);
        assert_eq!(Keys::default().of("a"), None);
    }

    #[test]
    fn only_a_policy_for_all_namespaces_opens_all_of_them() {
        let mut scope = KeyScope::default();
        assert!(scope.lists().is_empty());
        for name in ["shop", "bank", "shop"] {
            scope.open(Some(name));
        }
        let both = ["bank", "shop"].map(|name| Some(name.to_owned()));
        assert_eq!(scope.lists(), both.into());
        scope.open(None);
        scope.open(Some("shop"));
        assert_eq!(scope.lists(), [None].into());
    }
}
