//! Whether a request is one that a policy, or the binding of one, is about.

use std::collections::BTreeMap;

use sluice_api::component::LabelSelector;
use sluice_tree::Value;

use super::{
    resource::Asked,
    spec::{MatchPolicy, MatchResources, Operation, ResourceRule, Scope},
};
use crate::{Facts, Operation as Asks, Subject, view::lookup};

/// Whether it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Matches {
    Yes,
    No,
    /// It selects by the labels of the namespace, and nobody knows them.
    PerhapsByNamespace,
    /// The API server converts the object to this version first, which nobody else can.
    AfterConversion(String),
}

impl Matches {
    /// Of a policy and its binding.
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::No, _) | (_, Self::No) => Self::No,
            (converted @ Self::AfterConversion(_), _)
            | (_, converted @ Self::AfterConversion(_)) => converted,
            (Self::PerhapsByNamespace, _) | (_, Self::PerhapsByNamespace) => {
                Self::PerhapsByNamespace
            }
            (Self::Yes, Self::Yes) => Self::Yes,
        }
    }
}

/// Whether these resources hold what is asked for.
pub(super) fn matches(
    resources: &MatchResources,
    asked: &Asked<'_>,
    subject: &Subject<'_>,
    facts: &Facts<'_>,
) -> Matches {
    if asked.is_exempt() || !by_object(&resources.object_selector, subject) {
        return Matches::No;
    }
    let by_namespace = by_namespace(&resources.namespace_selector, asked, subject, facts);
    if by_namespace == Matches::No {
        return Matches::No;
    }
    let policy = resources.match_policy;
    if by_rules(&resources.exclude_resource_rules, policy, asked) != Matches::No {
        return Matches::No;
    }
    if resources.resource_rules.is_empty() {
        return by_namespace;
    }
    by_rules(&resources.resource_rules, policy, asked).and(by_namespace)
}

fn by_rules(rules: &[ResourceRule], policy: MatchPolicy, asked: &Asked<'_>) -> Matches {
    let says = |list: &[String], word: &str| list.iter().any(|own| own == "*" || own == word);
    let about = |rule: &&ResourceRule| {
        says(&rule.api_groups, asked.group)
            && rule.resources.iter().any(|own| names(own, &asked.resource))
            && operation(&rule.operations, asked.operation)
            && match rule.scope {
                Scope::Any => true,
                Scope::Namespaced => asked.namespaced,
                Scope::Cluster => !asked.namespaced,
            }
            && (rule.resource_names.is_empty()
                || rule.resource_names.iter().any(|own| own == asked.name))
    };
    if rules
        .iter()
        .filter(about)
        .any(|rule| says(&rule.api_versions, asked.version))
    {
        return Matches::Yes;
    }
    if policy == MatchPolicy::Exact {
        return Matches::No;
    }
    rules
        .iter()
        .filter(about)
        .find_map(|rule| asked.converted_to(&rule.api_versions))
        .map_or(Matches::No, |version| {
            Matches::AfterConversion(version.to_owned())
        })
}

/// Whether `own`, such as `pods`, `pods/*` or `*`, names a resource itself and not only something below it.
fn names(own: &str, resource: &str) -> bool {
    let (own, below) = own.split_once('/').unwrap_or((own, ""));
    (own == "*" || own == resource) && matches!(below, "" | "*")
}

fn operation(operations: &[Operation], asked: Asks) -> bool {
    operations.iter().any(|own| {
        matches!(
            (own, asked),
            (Operation::Any, _)
                | (Operation::Create, Asks::Create)
                | (Operation::Update, Asks::Update)
        )
    })
}

fn by_object(selector: &LabelSelector, subject: &Subject<'_>) -> bool {
    *selector == LabelSelector::default()
        || [Some(subject.object), subject.old]
            .into_iter()
            .flatten()
            .any(|object| selector.matches(&labels(object)))
}

fn by_namespace(
    selector: &LabelSelector,
    asked: &Asked<'_>,
    subject: &Subject<'_>,
    facts: &Facts<'_>,
) -> Matches {
    if *selector == LabelSelector::default() {
        return Matches::Yes;
    }
    let holds = if asked.is_namespace() {
        let mut labels = labels(subject.object);
        labels.insert(
            "kubernetes.io/metadata.name".to_owned(),
            asked.name.to_owned(),
        );
        selector.matches(&labels)
    } else if asked.namespaced {
        match facts.namespace_labels {
            Some(labels) => selector.matches(labels),
            None => return by_name_alone(selector, subject.namespace),
        }
    } else {
        // a namespace selector says nothing about what lies in none
        true
    };
    if holds { Matches::Yes } else { Matches::No }
}

/// The one label that every namespace has is known from its name.
fn by_name_alone(selector: &LabelSelector, namespace: &str) -> Matches {
    const NAME: &str = "kubernetes.io/metadata.name";
    let known: BTreeMap<String, String> = [(NAME.to_owned(), namespace.to_owned())]
        .into_iter()
        .collect();
    let (mut by_name, mut rest) = (selector.clone(), selector.clone());
    by_name.match_labels.retain(|key, _| key == NAME);
    by_name.match_expressions.retain(|one| one.key == NAME);
    rest.match_labels.retain(|key, _| key != NAME);
    rest.match_expressions.retain(|one| one.key != NAME);
    if !by_name.matches(&known) {
        Matches::No
    } else if rest == LabelSelector::default() {
        Matches::Yes
    } else {
        Matches::PerhapsByNamespace
    }
}

/// The labels of an object; what is no text is left out.
pub(super) fn labels(object: &Value) -> BTreeMap<String, String> {
    lookup(object, "metadata.labels")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.as_str().to_owned(), value.as_str()?.to_owned())))
        .collect()
}
