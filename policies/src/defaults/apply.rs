//! Writes the defaults into a whole object.

use std::borrow::Cow;

use sluice_tree::{Map, Value};

use super::{
    row::{Part, Row},
    table::{PLACES, ROWS},
};
use crate::view::{Anchor, Kind, lookup};

/// The object with the API server's defaults filled in. Idempotent; an object of a kind without a row comes back as it is, and so does a
/// part that has not the type it should have.
///
/// Left out, because no rule reads them and the API server alone does them: canonical quantities and pod-level requests computed from pod-level limits.
#[must_use]
pub fn with_defaults(object: &Value) -> Cow<'_, Value> {
    let Some(kind) = Kind::of(object) else {
        return Cow::Borrowed(object);
    };
    // an object of the API server lacks nothing: to look costs no copy, and what is copied shares what is not touched
    let mut filled = object.clone();
    if lacks(object, kind, Part::Object) {
        fill(&mut filled, kind, Part::Object);
    }
    if let Some(path) = kind.prefix(Anchor::Pod)
        && lookup(&filled, path).is_some_and(|pod| lacks(pod, kind, Part::PodSpec))
        && let Some(pod) = at_mut(&mut filled, path)
    {
        fill(pod, kind, Part::PodSpec);
    }
    if filled == *object {
        Cow::Borrowed(object)
    } else {
        Cow::Owned(filled)
    }
}

/// Fills one part and every part that lies in it.
fn fill(part: &mut Value, kind: Kind, what: Part) {
    if !part.is_object() {
        return;
    }
    for row in rows(kind, what) {
        if let Some(value) = row.missing(part) {
            set(part, row.path, value);
        }
    }
    for (parent, child, path) in PLACES {
        if *parent == what && any(part, path, &|value| lacks(value, kind, *child)) {
            each_mut(part, path, &mut |value| fill(value, kind, *child));
        }
    }
}

/// Whether filling would change one part or any that lies in it.
fn lacks(part: &Value, kind: Kind, what: Part) -> bool {
    part.is_object()
        && (rows(kind, what).any(|row| row.missing(part).is_some())
            || PLACES.iter().any(|(parent, child, path)| {
                *parent == what && any(part, path, &|value| lacks(value, kind, *child))
            }))
}

fn rows(kind: Kind, what: Part) -> impl Iterator<Item = &'static Row> {
    ROWS.iter()
        .filter(move |row| row.part == what && row.kinds.contains(&kind))
}

impl Row {
    /// What a part lacks of it.
    fn missing(&self, part: &Value) -> Option<Value> {
        let there = !self.merges() && lookup(part, self.path).is_some();
        (!there && self.when.holds(|path| lookup(part, path)))
            .then(|| self.value(part))
            .flatten()
    }
}

/// Whether any value at a path, in which `[*]` stands for the items of a list, is so.
fn any(value: &Value, path: &str, is_so: &dyn Fn(&Value) -> bool) -> bool {
    let Some((list, rest)) = path.split_once("[*]") else {
        return lookup(value, path).is_some_and(is_so);
    };
    let rest = rest.strip_prefix('.').unwrap_or(rest);
    lookup(value, list)
        .and_then(Value::as_array)
        .is_some_and(|items| items.iter().any(|item| any(item, rest, is_so)))
}

fn at_mut<'a>(value: &'a mut Value, path: &str) -> Option<&'a mut Value> {
    if path.is_empty() {
        return Some(value);
    }
    path.split('.')
        .try_fold(value, |at, name| at.as_object_mut()?.get_mut(name))
}

/// Visits every value at a path in which `[*]` stands for the items of a list.
fn each_mut(value: &mut Value, path: &str, visit: &mut dyn FnMut(&mut Value)) {
    let Some((list, rest)) = path.split_once("[*]") else {
        if let Some(value) = at_mut(value, path) {
            visit(value);
        }
        return;
    };
    let rest = rest.strip_prefix('.').unwrap_or(rest);
    if let Some(items) = at_mut(value, list).and_then(Value::as_array_mut) {
        for item in items {
            // only where there is something: what is touched is copied
            if any(item, rest, &|_| true) {
                each_mut(item, rest, visit);
            }
        }
    }
}

/// Sets a value at a path, making the objects on the way; gives up where something else is in the way.
fn set(part: &mut Value, path: &str, value: Value) {
    let mut at = part;
    for name in path.split('.') {
        if at.is_null() {
            *at = Value::Object(Map::new());
        }
        let Some(object) = at.as_object_mut() else {
            return;
        };
        at = object.entry(name).or_insert(Value::Null);
    }
    *at = value;
}

#[cfg(test)]
mod tests {
    use sluice_tree::json;

    use super::*;
    use crate::defaults::{Constant, defaults_samples, row::Filled};

    #[test]
    fn filling_twice_changes_nothing_more() {
        for sample in defaults_samples() {
            let once = with_defaults(&sample).into_owned();
            assert_ne!(once, sample, "{sample} exercises no default");
            assert!(matches!(with_defaults(&once), Cow::Borrowed(_)), "{once}");
        }
    }

    #[test]
    fn the_samples_exercise_every_row() {
        let filled: Vec<(Value, Value)> = defaults_samples()
            .into_iter()
            .map(|sample| (with_defaults(&sample).into_owned(), sample))
            .collect();
        for row in ROWS {
            for kind in row.kinds {
                // a row of every pod is exercised by one kind
                let anywhere = row.kinds.len() == Kind::ALL.len();
                let hit = filled.iter().any(|(full, sample)| {
                    let of = Kind::of(sample).unwrap();
                    if !anywhere && of != *kind {
                        return false;
                    }
                    let mut all = Vec::new();
                    parts(full, of, row.part, &mut all);
                    let mut before = Vec::new();
                    parts(sample, of, row.part, &mut before);
                    all.iter().zip(&before).any(|(full, before)| {
                        (row.merges() || lookup(before, row.path).is_none())
                            && row.when.holds(|path| lookup(before, path))
                            && match row.filled {
                                Filled::Constant(constant) => {
                                    lookup(full, row.path).is_some_and(|v| constant.equals(v))
                                        // an empty object may have got members by later rows
                                        || constant == Constant::EmptyObject
                                }
                                _ => {
                                    lookup(full, row.path).is_some() && row.value(before).is_some()
                                }
                            }
                    })
                });
                assert!(
                    hit,
                    "no sample exercises {} of {kind} in {:?}",
                    row.path, row.part
                );
            }
        }
    }

    /// The parts of one sort in an object, in a fixed order.
    fn parts<'a>(object: &'a Value, kind: Kind, part: Part, all: &mut Vec<&'a Value>) {
        fn descend<'a>(value: &'a Value, is: Part, wanted: Part, all: &mut Vec<&'a Value>) {
            if is == wanted {
                all.push(value);
            }
            for (parent, child, path) in PLACES {
                if *parent == is {
                    each(value, path, &mut |value| {
                        descend(value, *child, wanted, all)
                    });
                }
            }
        }
        fn each<'a>(value: &'a Value, path: &str, visit: &mut dyn FnMut(&'a Value)) {
            let Some((list, rest)) = path.split_once("[*]") else {
                if let Some(value) = lookup(value, path) {
                    visit(value);
                }
                return;
            };
            let rest = rest.strip_prefix('.').unwrap_or(rest);
            for item in lookup(value, list)
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
            {
                each(item, rest, visit);
            }
        }
        descend(object, Part::Object, part, all);
        if let Some(pod) = kind
            .prefix(Anchor::Pod)
            .and_then(|path| lookup(object, path))
        {
            descend(pod, Part::PodSpec, part, all);
        }
    }

    #[test]
    fn odd_shapes_stay_as_they_are() {
        for object in [
            json!(null),
            json!({"kind": "Deployment"}),
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": "x"}),
            json!({"apiVersion": "example.org/v1", "kind": "Deployment", "spec": {}}),
        ] {
            assert_eq!(*with_defaults(&object), object);
        }
        let odd = json!({"apiVersion": "batch/v1", "kind": "CronJob", "spec": {"jobTemplate": {"spec": {"template": {"spec": {"containers": [3, null, {"ports": "x"}]}}}}}});
        let filled = with_defaults(&odd);
        assert_eq!(
            filled["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0],
            3
        );
    }

    #[test]
    fn the_job_inside_a_cronjob_stays_as_written() {
        let cronjob = json!({"apiVersion": "batch/v1", "kind": "CronJob", "spec": {"jobTemplate": {"spec": {"template": {"spec": {"containers": []}}}}}});
        let filled = with_defaults(&cronjob);
        assert_eq!(filled["spec"]["failedJobsHistoryLimit"], 1);
        assert!(
            filled["spec"]["jobTemplate"]["spec"]
                .get("backoffLimit")
                .is_none()
        );
        assert_eq!(
            filled["spec"]["jobTemplate"]["spec"]["template"]["spec"]["dnsPolicy"],
            "ClusterFirst"
        );
    }
}
