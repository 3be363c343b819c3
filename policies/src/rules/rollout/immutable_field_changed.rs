//! A change that the API server will not take: the field is fixed when the object is made.

use sluice_api::Action;
use sluice_tree::{Map, Value};

use crate::{
    capacity::Quantity,
    defaults::with_defaults,
    rule::{Case, Category, RawFinding, Report, Rule, RuleInfo},
    view::{Anchor, Kind, Read, field_text, lookup},
};

/// What is fixed, by kind; from `Validate…Update` in `pkg/apis/{apps,batch}/validation` of Kubernetes 1.36.
const FIXED: &[(Kind, &[Read])] = &[
    (Kind::Deployment, &[SELECTOR]),
    (Kind::ReplicaSet, &[SELECTOR]),
    (Kind::DaemonSet, &[SELECTOR]),
    (
        Kind::StatefulSet,
        &[
            SELECTOR,
            Read::object("spec.serviceName"),
            Read::object("spec.podManagementPolicy"),
            Read::object("spec.volumeClaimTemplates"),
        ],
    ),
    (
        Kind::Job,
        &[
            SELECTOR,
            TEMPLATE,
            COMPLETIONS,
            Read::object("spec.completionMode"),
            Read::object("spec.podFailurePolicy"),
            Read::object("spec.backoffLimitPerIndex"),
            Read::object("spec.successPolicy"),
            Read::object("spec.managedBy"),
        ],
    ),
];

const SELECTOR: Read = Read::object("spec.selector");
const TEMPLATE: Read = Read::object("spec.template");
const COMPLETIONS: Read = Read::object("spec.completions");

/// What the Job controller's API adds to the template of every Job.
const GENERATED: [&str; 4] = [
    "controller-uid",
    "job-name",
    "batch.kubernetes.io/controller-uid",
    "batch.kubernetes.io/job-name",
];

static INFO: RuleInfo = RuleInfo {
    code: "SLU3013",
    name: "immutable-field-changed",
    title: "the API server refuses this change of a field that is fixed",
    category: Category::RolloutSafety,
    severity: Action::Deny,
    kinds: &[
        Kind::Deployment,
        Kind::StatefulSet,
        Kind::DaemonSet,
        Kind::ReplicaSet,
        Kind::Job,
    ],
    parameters: &[],
    ordered: &[],
    facts: &[],
    reads: &[
        SELECTOR,
        TEMPLATE,
        COMPLETIONS,
        Read::object("spec.serviceName"),
        Read::object("spec.podManagementPolicy"),
        Read::object("spec.volumeClaimTemplates"),
        Read::object("spec.completionMode"),
        Read::object("spec.podFailurePolicy"),
        Read::object("spec.backoffLimitPerIndex"),
        Read::object("spec.successPolicy"),
        Read::object("spec.managedBy"),
    ],
    document: include_str!("immutable_field_changed.md"),
};

struct ImmutableFieldChanged;

pub(in crate::rules) const RULE: &dyn Rule = &ImmutableFieldChanged;

impl Rule for ImmutableFieldChanged {
    fn info(&self) -> &'static RuleInfo {
        &INFO
    }

    fn judge(&self, case: &Case<'_>, report: &mut Report) {
        let kind = case.view.kind();
        let Some((_, fixed)) = FIXED.iter().find(|(of, _)| *of == kind) else {
            return;
        };
        let Some(old) = case.old else {
            return;
        };
        let touched = |read: &&Read| case.view.written(**read) != old.written(**read);
        if !fixed.iter().any(|read| touched(&read)) {
            return;
        }
        let (Some(new), Some(old)) = (case.view.part(Anchor::Object), old.part(Anchor::Object))
        else {
            return;
        };
        let (new, old) = (with_defaults(new), with_defaults(old));
        for read in *fixed {
            if let Some(difference) = change(kind, *read, &new, &old) {
                let mut finding = RawFinding::at(
                    difference.path,
                    difference.new,
                    format!("{}, as it is now", difference.old),
                )
                .or("make a new object under another name, or delete this one first");
                finding.identity = read.path.to_owned();
                report.add(finding);
            }
        }
    }
}

/// The first place where two values differ.
struct Difference {
    path: String,
    new: String,
    old: String,
}

fn change(kind: Kind, read: Read, new: &Value, old: &Value) -> Option<Difference> {
    let (now, before) = (lookup(new, read.path), lookup(old, read.path));
    if kind == Kind::Job {
        if read == SELECTOR && now.is_none() {
            // made by the API server, and kept by whoever applies a manifest without it
            return None;
        }
        if read == TEMPLATE && lookup(old, "spec.suspend") == Some(&Value::Bool(true)) {
            // parts of the template of a suspended Job may be changed
            return None;
        }
        if read == COMPLETIONS
            && lookup(new, "spec.completionMode").and_then(Value::as_str) == Some("Indexed")
            && now == lookup(new, "spec.parallelism")
        {
            return None;
        }
    }
    let generated: &[&str] = if kind == Kind::Job && read == TEMPLATE {
        &GENERATED
    } else {
        &[]
    };
    let null = Value::Null;
    let found = difference(
        now.unwrap_or(&null),
        before.unwrap_or(&null),
        read.path,
        Comparing {
            generated,
            quantities: false,
        },
    )?;
    // a pod may carry secrets in its environment, so of a template only the place is told
    Some(if read == TEMPLATE && !found.path.ends_with(".image") {
        Difference {
            new: "changed".to_owned(),
            old: "the same".to_owned(),
            ..found
        }
    } else {
        found
    })
}

#[derive(Clone, Copy)]
struct Comparing {
    /// Keys that count for nothing.
    generated: &'static [&'static str],
    /// Whether texts are amounts: `1Gi` is `1024Mi`.
    quantities: bool,
}

fn difference(new: &Value, old: &Value, path: &str, how: Comparing) -> Option<Difference> {
    let differs = || {
        Some(Difference {
            path: path.to_owned(),
            new: text(new),
            old: text(old),
        })
    };
    match (new, old) {
        (Value::Object(new), Value::Object(old)) => of_objects(new, old, path, how),
        (Value::Object(new), Value::Null) => of_objects(new, &Map::new(), path, how),
        (Value::Null, Value::Object(old)) => of_objects(&Map::new(), old, path, how),
        (Value::Array(new), Value::Array(old)) if new.len() == old.len() => new
            .iter()
            .zip(old)
            .enumerate()
            .find_map(|(index, (new, old))| difference(new, old, &format!("{path}[{index}]"), how)),
        _ if absent(new) && absent(old) => None,
        _ if how.quantities => match (Quantity::of(new).ok(), Quantity::of(old).ok()) {
            (Some(new), Some(old)) if new == old => None,
            _ if new == old => None,
            _ => differs(),
        },
        _ if new == old => None,
        _ => differs(),
    }
}

fn of_objects(new: &Map, old: &Map, path: &str, how: Comparing) -> Option<Difference> {
    let names = new
        .keys()
        .chain(old.keys().filter(|name| !new.contains_key(*name)));
    let null = Value::Null;
    names
        .filter(|name| {
            // what the API server writes of itself
            !how.generated.contains(&name.as_str())
                && *name != "creationTimestamp"
                && *name != "status"
        })
        .find_map(|name| {
            let (new, old) = (
                new.get(name).unwrap_or(&null),
                old.get(name).unwrap_or(&null),
            );
            let how = Comparing {
                quantities: how.quantities || name == "resources" || name == "sizeLimit",
                ..how
            };
            difference(new, old, &format!("{path}.{name}"), how)
        })
}

/// What the API server does not keep apart from nothing.
fn absent(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(map) => map.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::String(text) => text.is_empty(),
        _ => false,
    }
}

fn text(value: &Value) -> String {
    if value.is_null() {
        "absent".to_owned()
    } else {
        field_text(value)
    }
}
