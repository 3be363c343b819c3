//! Objects from which policies of the API server take their parameters, as far as they do not lie among the policy files.
//!
//! A binding may name any namespace, so these are not those of one. Which objects are meant the policies say: see [`crate::PolicySet::parameter`].

use std::collections::BTreeSet;

use sluice_tree::Value;

/// An object that may be a parameter.
#[derive(Clone, Debug)]
pub struct Param {
    /// Its namespace; `None` for one of a kind that does not lie in namespaces.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// The object.
    pub object: Value,
}

impl Param {
    /// Whether both are the same object, perhaps at different times.
    #[must_use]
    pub(crate) fn is_at(&self, other: &Self) -> bool {
        (&self.namespace, &self.name) == (&other.namespace, &other.name)
    }
}

#[derive(Clone, Debug)]
struct OfKind {
    api_version: String,
    kind: String,
    objects: Vec<Param>,
    /// Namespaces in which there are no others.
    whole: BTreeSet<Option<String>>,
    everywhere: bool,
}

/// The objects by kind. By default nothing is known.
#[derive(Clone, Debug, Default)]
pub struct Params(Vec<OfKind>);

impl Params {
    /// Takes an object in, in place of the one of the same name.
    pub fn put(&mut self, api_version: &str, kind: &str, param: Param) {
        let known = &mut self.of_kind(api_version, kind).objects;
        match known.iter_mut().find(|known| known.is_at(&param)) {
            Some(known) => *known = param,
            None => known.push(param),
        }
    }

    /// From now on what is not known of this kind in this namespace is not there.
    pub fn mark_whole_in(&mut self, api_version: &str, kind: &str, namespace: Option<String>) {
        self.of_kind(api_version, kind).whole.insert(namespace);
    }

    /// The same, of every namespace.
    pub fn mark_whole(&mut self, api_version: &str, kind: &str) {
        self.of_kind(api_version, kind).everywhere = true;
    }

    /// What is known to be there.
    #[must_use]
    pub fn of(&self, api_version: &str, kind: &str) -> &[Param] {
        self.known(api_version, kind)
            .map_or(&[], |of| of.objects.as_slice())
    }

    /// Whether there is nothing else in a namespace, or for `None` of a kind outside of namespaces.
    #[must_use]
    pub fn is_whole(&self, api_version: &str, kind: &str, namespace: Option<&str>) -> bool {
        self.known(api_version, kind)
            .is_some_and(|of| of.everywhere || of.whole.contains(&namespace.map(str::to_owned)))
    }

    fn known(&self, api_version: &str, kind: &str) -> Option<&OfKind> {
        self.0
            .iter()
            .find(|of| of.api_version == api_version && of.kind == kind)
    }

    fn of_kind(&mut self, api_version: &str, kind: &str) -> &mut OfKind {
        let place = self
            .0
            .iter()
            .position(|of| of.api_version == api_version && of.kind == kind)
            .unwrap_or_else(|| {
                self.0.push(OfKind {
                    api_version: api_version.to_owned(),
                    kind: kind.to_owned(),
                    objects: Vec::new(),
                    whole: BTreeSet::new(),
                    everywhere: false,
                });
                self.0.len() - 1
            });
        &mut self.0[place]
    }
}

#[cfg(test)]
mod tests {
    use sluice_tree::json;

    use super::*;

    fn param(namespace: &str, value: i64) -> Param {
        Param {
            namespace: Some(namespace.to_owned()),
            name: "limits".to_owned(),
            object: json!(value),
        }
    }

    #[test]
    fn the_last_of_one_name_counts_and_only_a_whole_namespace_proves_absence() {
        let mut params = Params::default();
        for (namespace, value) in [("shop", 1), ("bank", 2), ("shop", 3)] {
            params.put("v1", "ConfigMap", param(namespace, value));
        }
        let values: Vec<_> = params
            .of("v1", "ConfigMap")
            .iter()
            .map(|p| &p.object)
            .collect();
        assert_eq!(values, [&json!(3), &json!(2)]);
        assert!(params.of("v1", "Secret").is_empty());
        let whole = |params: &Params| {
            ["shop", "bank"].map(|name| params.is_whole("v1", "ConfigMap", Some(name)))
        };
        assert_eq!(whole(&params), [false, false]);
        params.mark_whole_in("v1", "ConfigMap", Some("shop".to_owned()));
        assert_eq!(whole(&params), [true, false]);
        params.mark_whole("v1", "ConfigMap");
        assert_eq!(whole(&params), [true, true]);
        assert!(!params.is_whole("v1", "Secret", Some("shop")));
    }
}
