//! What a manifest names, and whether it is there.

use std::collections::BTreeSet;

use sluice_api::Certainty;
use sluice_tree::Value;

use crate::{
    facts::{FactKind, Named},
    rule::{Case, RawFinding, Report},
    view::{Read, join, lookup},
};

/// A field that names an object.
pub(super) struct Reference<'a> {
    /// Its path in the object as the user wrote it.
    pub(super) path: String,
    /// The name in it.
    pub(super) name: &'a str,
}

/// The non-empty text at `field` of each of `values`; `values` come with their paths.
pub(super) fn texts<'a>(
    values: impl IntoIterator<Item = (String, &'a Value)>,
    field: &str,
) -> Vec<Reference<'a>> {
    values
        .into_iter()
        .filter_map(|(path, value)| {
            let name = lookup(value, field)?
                .as_str()
                .filter(|name| !name.is_empty())?;
            Some(Reference {
                path: join(&path, field),
                name,
            })
        })
        .collect()
}

/// The items of a list of the pod, with their paths.
pub(super) fn of_pod<'a>(case: &Case<'a>, list: &'static str) -> Vec<(String, &'a Value)> {
    let prefix = case.view.path(Read::pod(list));
    list_items(prefix, case.view.written(Read::pod(list)))
}

/// The items of a list, with their paths.
pub(super) fn list_items(path: String, list: Option<&Value>) -> Vec<(String, &Value)> {
    let items = list.and_then(Value::as_array).into_iter().flatten();
    items
        .enumerate()
        .map(|(index, item)| (format!("{path}[{index}]"), item))
        .collect()
}

/// The objects at `field` of each of `values`, with their paths.
pub(super) fn inner<'a>(values: &[(String, &'a Value)], field: &str) -> Vec<(String, &'a Value)> {
    values
        .iter()
        .filter_map(|(path, value)| Some((join(path, field), lookup(value, field)?)))
        .collect()
}

/// The items of the list at `field` of each of `values`, with their paths.
pub(super) fn inner_items<'a>(
    values: &[(String, &'a Value)],
    field: &str,
) -> Vec<(String, &'a Value)> {
    inner(values, field)
        .into_iter()
        .flat_map(|(path, list)| list_items(path, Some(list)))
        .collect()
}

/// Reports every name that is not there, once, at the first field that names it.
pub(super) fn look_up(
    case: &Case<'_>,
    report: &mut Report,
    kind: Named,
    references: Vec<Reference<'_>>,
    passes: &str,
) {
    let names = case.facts.names(kind);
    let mut seen = BTreeSet::new();
    for Reference { path, name } in references {
        if seen.insert(name) {
            add(
                case,
                report,
                &Missing {
                    path,
                    kind: FactKind::Names(kind),
                    name,
                    there: names.has(name),
                    passes,
                },
            );
        }
    }
}

/// An object that is named and may be missing.
pub(super) struct Missing<'a> {
    /// The field that names it.
    pub(super) path: String,
    /// Its kind.
    pub(super) kind: FactKind,
    /// Its name.
    pub(super) name: &'a str,
    /// Whether it is there, as far as anybody knows.
    pub(super) there: Option<bool>,
    /// What would pass.
    pub(super) passes: &'a str,
}

/// Reports an object that is missing, or of which nobody knows.
pub(super) fn add(case: &Case<'_>, report: &mut Report, missing: &Missing<'_>) {
    let Missing {
        path,
        kind,
        name,
        there,
        passes,
    } = missing;
    // names are short; a text of any size may stand in their place
    let name: String = name.chars().take(80).collect();
    let object = kind.kind();
    let place = place(case, *kind);
    let finding = match there {
        Some(true) => return,
        Some(false) => RawFinding::at(
            path.clone(),
            format!("no {object} {name} in {place}"),
            *passes,
        ),
        None => RawFinding {
            certainty: Certainty::Unknown,
            ..RawFinding::at(
                path.clone(),
                format!("whether {object} {name} is in {place}"),
                needs(&[*kind]),
            )
        },
    };
    report.add(RawFinding {
        // the same object may be named from another place after an update
        identity: format!("{object}/{name}"),
        ..finding
    });
}

/// Where objects of a kind lie that this object may name.
pub(super) fn place(case: &Case<'_>, kind: FactKind) -> String {
    if kind.is_namespaced() {
        format!("namespace {}", case.namespace)
    } else {
        "the cluster".to_owned()
    }
}

/// What somebody would have to know.
pub(super) fn needs(kinds: &[FactKind]) -> String {
    let plurals: Vec<&str> = kinds.iter().map(|kind| kind.plural()).collect();
    let of = match kinds {
        [kind, ..] if !kind.is_namespaced() => "cluster",
        _ => "namespace",
    };
    let plurals = match plurals.as_slice() {
        [first @ .., last] if !first.is_empty() => format!("{} and {last}", first.join(", ")),
        _ => plurals.concat(),
    };
    format!("all {plurals} of the {of}, from the cluster or a file of facts")
}
