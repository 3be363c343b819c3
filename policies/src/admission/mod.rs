//! The API server's own policies: `ValidatingAdmissionPolicy` and what binds it, evaluated outside the API server.
//!
//! Decides: which documents of a policy folder are such policies, what is wrong with them, whether a request is theirs, and what their expressions say about it,
//! word for word as the API server would say it. Leaves to [`crate::PolicySet`]: order, digest, and how a finding is told.
//!
//! They mean here what they mean there, so three things that Sluice grants its own rules are not granted: there is no ratchet, an update that touches nothing is
//! judged too, and no exception covers them. What only the API server knows (its authorizer, an object in another version, a parameter object that nobody gave)
//! makes the answer Unknown, never a pass.
//!
//! ```text
//!   documents ──read──▶ policy ┐                       ┌─ matchConstraints, matchConditions
//!                      binding ├──▶ Admission ──judge──┤  parameters
//!                   parameters ┘                       └─ validations ──▶ findings, code VAP
//! ```

mod compile;
mod judge;
mod matching;
mod resource;
mod spec;
#[cfg(test)]
mod tests;

use sluice_api::Action;
use sluice_cel::{Environment, Program};
use sluice_tree::Value;

pub(crate) use compile::{check, compile};
use resource::CustomKinds;
use spec::{BindingSpec, Document, FailurePolicy, MatchResources, ParamKind};

use crate::facts::Param;

/// The code of every finding of a `ValidatingAdmissionPolicy`.
pub const CODE: &str = "VAP";

/// Whether a document of a policy folder is a policy of the API server, or binds one.
#[must_use]
pub fn is_admission_policy(object: &Value) -> bool {
    Document::of(object) != Document::Other
}

/// The kind of objects, as `apiVersion` and kind, from which a policy of the API server takes its parameters.
#[must_use]
pub fn parameter_kind(object: &Value) -> Option<(&str, &str)> {
    if Document::of(object) != Document::Policy {
        return None;
    }
    let kind = object.get("spec")?.get("paramKind")?;
    let text = |field: &str| kind.get(field).and_then(Value::as_str);
    Some((text("apiVersion")?, text("kind")?))
}

/// What such a finding is, Markdown.
#[must_use]
pub const fn document() -> &'static str {
    include_str!("document.md")
}

/// The policies in force together.
#[derive(Debug, Default)]
pub(crate) struct Admission {
    policies: Vec<Policy>,
    custom: CustomKinds,
    /// What of the documents has no effect here, and why.
    pub notes: Vec<String>,
    /// What each means, for the digest.
    pub meanings: Vec<String>,
    /// Whether any of them asks who makes the request.
    pub asks_user: bool,
}

impl Admission {
    pub fn len(&self) -> usize {
        self.policies.len()
    }

    /// The kinds, as `apiVersion` and kind, of the objects from which policies take their parameters.
    pub fn parameter_kinds(&self) -> impl Iterator<Item = (&str, &str)> {
        let kinds = self.policies.iter().flat_map(|policy| &policy.param_kind);
        kinds.map(|kind| (kind.api_version.as_str(), kind.kind.as_str()))
    }

    /// An object of such a kind. `namespace` is where one lies that names none, although its kind lies in namespaces; without it that is taken as it stands.
    pub fn parameter(&self, object: &Value, namespace: Option<&str>) -> Option<Param> {
        let text = |field: &str| object.get(field).and_then(Value::as_str);
        let of = (text("apiVersion")?, text("kind")?);
        self.parameter_kinds()
            .any(|kind| kind == of)
            .then(|| compile::param(object, &self.custom, namespace))
    }

    /// Whether a binding takes this object as a parameter, for whatever request.
    pub fn means(&self, param: &Param) -> bool {
        let bindings = self.policies.iter().flat_map(|policy| &policy.bindings);
        bindings
            .filter_map(|binding| binding.spec.param_ref.as_ref())
            .any(|reference| judge::is_meant(reference, param))
    }
}

/// One policy with its bindings.
#[derive(Debug)]
struct Policy {
    name: String,
    constraints: MatchResources,
    failure: FailurePolicy,
    param_kind: Option<ParamKind>,
    environment: Environment,
    conditions: Vec<Program>,
    variables: Vec<(String, Program)>,
    validations: Vec<Validation>,
    bindings: Vec<Binding>,
}

#[derive(Debug)]
struct Validation {
    program: Program,
    message: Option<String>,
    expression: Option<Program>,
}

#[derive(Debug)]
struct Binding {
    name: String,
    spec: BindingSpec,
    action: Action,
    /// The objects among the policy files of which some are its parameters; those of the kind of the policy.
    params: Vec<Param>,
}
