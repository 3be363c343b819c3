//! Where a field would be known that is not known where it stands.
//!
//! The nearest place wins: so many objects up, so many down. A place straight above (the field was indented too deep) wins over others that are as near;
//! where several are as near, all of them are said, and where that is no help, none.

use std::collections::{BTreeMap, VecDeque};

use sluice_tree::Value;

use super::{
    path,
    table::Table,
    types::{Object, Shape, Type},
};

/// An object on the way from the root to where the search begins.
#[derive(Clone, Debug)]
pub(super) struct Frame<'a> {
    pub(super) object: Object<'a>,
    pub(super) path: String,
}

/// Where a field belongs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Places {
    /// The nearest places; one, or several that are as near.
    pub(super) paths: Vec<String>,
    /// Whether it is straight above.
    pub(super) above: bool,
}

/// Farther down nobody loses a field.
const DEEPEST: usize = 5;
/// More places than this below an object are no help.
const HELPFUL_BELOW: usize = 3;
/// More places than this beside it are none either.
const HELPFUL_BESIDE: usize = 2;
/// Names that so many objects have that a place for them says nothing.
const EVERYWHERE: [&str; 12] = [
    "name",
    "namespace",
    "kind",
    "apiVersion",
    "type",
    "key",
    "value",
    "path",
    "uid",
    "reason",
    "message",
    "status",
];

/// The nearest places at which `name` with this value would be known. `frames` are the objects around it, the root first.
pub(super) fn search(frames: &[Frame<'_>], name: &str, value: &Value, root: &Value) -> Places {
    let mut best: Option<(usize, Vec<String>)> = None;
    let built = |frame: &Frame<'_>| matches!(frame.object, Object::Built(_));
    let unheard_of = !Table::shipped().knows(name) && frames.iter().all(built);
    if unheard_of || EVERYWHERE.contains(&name) {
        return Places::default();
    }
    let mut beside = false;
    for (up, frame) in frames.iter().rev().enumerate() {
        if best.as_ref().is_some_and(|(cost, _)| *cost < up) {
            break;
        }
        if up > 0 && frame.object.field(name).is_some_and(|typ| fits(typ, value)) {
            return Places {
                paths: vec![joined(&frame.path, name)],
                above: true,
            };
        }
        let most = best
            .as_ref()
            .map_or(DEEPEST, |(cost, _)| DEEPEST.min(*cost - up));
        for (down, path) in below(frame, name, value, most, root) {
            let cost = up + down;
            beside |= up > 0;
            match &mut best {
                Some((least, paths)) if *least == cost => {
                    if !paths.contains(&path) {
                        paths.push(path);
                    }
                }
                Some((least, _)) if *least < cost => {}
                _ => best = Some((cost, vec![path])),
            }
        }
    }
    let mut paths = best.map(|(_, paths)| paths).unwrap_or_default();
    let helpful = if beside {
        HELPFUL_BESIDE
    } else {
        HELPFUL_BELOW
    };
    if paths.len() > helpful {
        paths.clear();
    }
    paths.sort_by_key(|path| (path::steps(path).len(), path.clone()));
    Places {
        paths,
        above: false,
    }
}

/// The nearest places below an object, at most `most` objects down, with how far down they are.
fn below(
    frame: &Frame<'_>,
    name: &str,
    value: &Value,
    most: usize,
    root: &Value,
) -> Vec<(usize, String)> {
    let mut found: Vec<(usize, String)> = Vec::new();
    let mut seen = BTreeMap::from([(frame.object.identity(), 0)]);
    let mut open = VecDeque::from([(0, frame.object, frame.path.clone())]);
    while let Some((depth, object, at)) = open.pop_front() {
        if found.first().is_some_and(|(least, _)| *least < depth) || depth > most {
            break;
        }
        if depth > 0 && object.field(name).is_some_and(|typ| fits(typ, value)) {
            found.push((depth, joined(&at, name)));
            continue;
        }
        if depth == most {
            continue;
        }
        for (field, typ) in object.fields() {
            if is_passed_over(&at, field) {
                continue;
            }
            let mut path = joined(&at, field);
            let mut typ = typ;
            while let Shape::List(item) = typ.shape() {
                path.push_str(if has_one(root, &path) { "[0]" } else { "[*]" });
                typ = item;
            }
            if let Shape::Object(inner) = typ.shape()
                // again only where it is as near: three probes are three places
                && *seen.entry(inner.identity()).or_insert(depth + 1) == depth + 1
            {
                open.push_back((depth + 1, inner, path));
            }
        }
    }
    found
}

/// What the machinery of Kubernetes writes and no user, and where containers are known to be anyway.
fn is_passed_over(at: &str, field: &str) -> bool {
    matches!(
        field,
        "managedFields" | "ownerReferences" | "initContainers" | "ephemeralContainers"
    ) || (at.is_empty() && field == "status")
}

fn joined(at: &str, field: &str) -> String {
    let mut path = at.to_owned();
    path::push_key(&mut path, field);
    path
}

/// Whether the list at a path has one item, so that it is clear which one is meant.
fn has_one(root: &Value, path: &str) -> bool {
    lookup(root, path)
        .and_then(Value::as_array)
        .is_some_and(|items| items.len() == 1)
}

/// The value at a path.
pub(super) fn lookup<'a>(root: &'a Value, path: &str) -> Option<&'a Value> {
    path::steps(path)
        .into_iter()
        .try_fold(root, |value, step| match step {
            path::Step::Key(key) => value.get(key),
            path::Step::Item(index) => value.get(index?),
        })
}

/// Whether a value could be of a type, looked at from outside: an object must have a field that is known there.
pub(super) fn fits(typ: Type<'_>, value: &Value) -> bool {
    match (typ.shape(), value) {
        (Shape::Any, _) | (_, Value::Null) => true,
        (Shape::Object(object) | Shape::Loose(object), Value::Object(fields)) => {
            fields.is_empty()
                || object.keeps_unknown()
                || fields.keys().any(|name| object.field(name).is_some())
        }
        (Shape::Open | Shape::Map(_), Value::Object(_)) => true,
        (Shape::List(item), Value::Array(items)) => {
            items.first().is_none_or(|first| fits(item, first))
        }
        (
            Shape::Text
            | Shape::Bytes
            | Shape::Time
            | Shape::Duration
            | Shape::Quantity
            | Shape::IntOrString,
            Value::String(_),
        ) => true,
        (Shape::Bool, Value::Bool(_)) => true,
        (
            Shape::Int32 | Shape::Int64 | Shape::Number | Shape::Quantity | Shape::IntOrString,
            Value::Number(_),
        ) => true,
        _ => false,
    }
}
