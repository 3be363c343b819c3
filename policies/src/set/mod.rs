//! A set of policies, compiled: which rules judge which kinds in which namespaces, and what a finding leads to.
//!
//! Invariants: a set never changes once compiled; a broken policy is left out whole and reported, the others work;
//! rules are looked up by kind, so what does not apply costs nothing.

mod admission;
mod any_kind;
mod compile;
mod compiler;
mod digest;
mod judge;
mod problem;
mod scale;
#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, sync::Arc};

use sluice_api::{Action, component::LabelSelector, policy::OnUnknown};
use sluice_tree::Value;

pub use compile::PolicySource;
pub use compiler::Compiler;
pub use problem::PolicyProblem;

use crate::{
    admission::Admission,
    facts::{FactKind, KeyScope, Keyed, Param},
    own::OwnRule,
    rule::{ParameterValue, Rule},
    rules::TARGET_VERSION,
    schema::KubernetesVersion,
    view::Kind,
};

/// Policies in force together. Cheap to share, never changes.
pub struct PolicySet {
    policies: Vec<CompiledPolicy>,
    /// For each kind, in the order of [`Kind::JUDGED`]: the policies with a rule for it.
    by_kind: [Vec<Entries>; Kind::JUDGED.len()],
    needs: BTreeSet<FactKind>,
    /// In the order of [`Keyed::ALL`].
    key_scopes: [KeyScope; Keyed::ALL.len()],
    /// The policies with a rule that judges objects of any kind by their head.
    any_kind: Vec<Entries>,
    /// The policies of the API server.
    admission: Arc<Admission>,
    asks_user: bool,
    digest: String,
}

/// Where a policy applies.
struct CompiledPolicy {
    /// How people call it: `namespace/name`.
    title: String,
    /// The one namespace it judges; `None` for all.
    namespace: Option<String>,
    /// What it means when nobody can tell.
    on_unknown: OnUnknown,
    selector: Option<LabelSelector>,
}

/// The rules of one policy for one kind.
struct Entries {
    policy: usize,
    rules: Vec<Entry>,
    own: Vec<Arc<OwnRule>>,
}

/// One rule in use.
#[derive(Clone)]
struct Entry {
    rule: &'static dyn Rule,
    action: Action,
    set: Vec<(&'static str, ParameterValue)>,
}

impl PolicySet {
    /// SHA-256 over what the set means, in hex: policies, their rules with every parameter, and the version of the rules.
    /// Order, comments and spelled-out defaults change nothing.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The same set for manifests that shall work with another version of Kubernetes: where a policy says nothing of its own. The digest stays: the policies are
    /// the same, and asked about another version.
    #[must_use]
    pub fn for_kubernetes(mut self, version: KubernetesVersion) -> Self {
        let lists = self.by_kind.iter_mut().chain([&mut self.any_kind]);
        for entry in lists.flatten().flat_map(|entries| &mut entries.rules) {
            let takes = entry
                .rule
                .parameters()
                .iter()
                .any(|parameter| parameter.name() == TARGET_VERSION);
            let says = entry.set.iter().any(|(name, _)| *name == TARGET_VERSION);
            if takes && !says {
                let value = ParameterValue::Text(version.to_string());
                entry.set.push((TARGET_VERSION, value));
            }
        }
        self
    }

    /// What the rules in use must know beside the object.
    #[must_use]
    pub const fn needs(&self) -> &BTreeSet<FactKind> {
        &self.needs
    }

    /// Where policies ask for the keys of objects, in the order of [`Keyed::ALL`].
    #[must_use]
    pub const fn key_scopes(&self) -> &[KeyScope; Keyed::ALL.len()] {
        &self.key_scopes
    }

    /// Whether any rule in use asks who makes the request.
    #[must_use]
    pub const fn asks_user(&self) -> bool {
        self.asks_user
    }

    /// Whether any rule in use judges this kind.
    #[must_use]
    pub fn judges(&self, kind: Kind) -> bool {
        !self.by_kind[kind.index()].is_empty()
    }

    /// The kinds, as `apiVersion` and kind, of the objects from which policies of the API server take their parameters.
    pub fn parameter_kinds(&self) -> impl Iterator<Item = (&str, &str)> {
        self.admission.parameter_kinds()
    }

    /// An object of such a kind; `None` for any other. `namespace` is where one lies that names none although its kind lies in namespaces; without it, as for
    /// objects of a cluster, it lies in none.
    #[must_use]
    pub fn parameter(&self, object: &Value, namespace: Option<&str>) -> Option<Param> {
        self.admission.parameter(object, namespace)
    }

    /// Whether a binding takes this object as a parameter.
    #[must_use]
    pub fn means(&self, param: &Param) -> bool {
        self.admission.means(param)
    }

    /// How many policies are in force.
    #[must_use]
    pub fn policies(&self) -> usize {
        self.policies.len() + self.admission.len()
    }

    /// What of the documents it was made from has no effect, and why.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.admission.notes
    }
}

impl Default for PolicySet {
    /// No policy at all.
    fn default() -> Self {
        Self::compile([]).0
    }
}

impl std::fmt::Debug for PolicySet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PolicySet")
            .field("policies", &self.policies.len())
            .field("digest", &self.digest)
            .finish()
    }
}
