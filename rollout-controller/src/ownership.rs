//! Gives field ownership back. A stepping write of ours takes over every field it changes, and the user's next `kubectl apply --server-side` would
//! meet a conflict with us. So after each write of ours the list `metadata.managedFields` is put right in a second, guarded write.
//!
//! The rule, [`give_back`]: our own entry goes; every field in it that stood in an entry of the list from *before* our write returns to that entry;
//! everything else stays as it stands now, so what others wrote in between is kept. Run twice it changes nothing.
//!
//! The list from before is remembered in the annotation [`REMEMBERED`] of the Release before the write that needs it, so a crash between both writes
//! loses nothing. Where no record is left (a Release deleted by hand), our entry is removed all the same: the fields then belong to nobody, which no
//! apply conflicts with; what is lost is only that removing such a field from a manifest does not remove it from the object until it was applied once more.
//!
//! Entries of the status subresource are never touched. Pure.

use serde_json::{Map, Value, json};

/// The field manager of every write of this program.
pub const MANAGER: &str = "sluice-controller";

/// Annotation on a Release: the ownership entries of its workload as they stood before our last write, as JSON.
pub const REMEMBERED: &str = "sluice.dev/field-owners";

/// More than this is not remembered: annotations are bounded, and fields without an owner do no harm.
const LONGEST: usize = 64 * 1024;

/// Whether `managed_fields` holds an entry of ours that has to be given back.
#[must_use]
pub fn is_ours(managed_fields: &Value) -> bool {
    entries(managed_fields).any(ours)
}

/// The entries worth remembering before a write of ours: those of the object itself, not ours, without times.
#[must_use]
pub fn remember(managed_fields: &Value) -> Option<String> {
    let kept: Vec<Value> = entries(managed_fields)
        .filter(|entry| !ours(entry) && entry.get("subresource").is_none())
        .cloned()
        .collect();
    let text = Value::Array(kept).to_string();
    (text.len() <= LONGEST).then_some(text)
}

/// What [`remember`] wrote; unreadable text counts as no record.
#[must_use]
pub fn recall(text: Option<&str>) -> Value {
    text.and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_else(|| json!([]))
}

/// Whether two records say the same about who owns what; times do not count.
#[must_use]
pub fn same(one: &str, other: &str) -> bool {
    let without_times = |text: &str| -> Option<Vec<Value>> {
        let mut list: Vec<Value> = serde_json::from_str(text).ok()?;
        for entry in &mut list {
            if let Some(entry) = entry.as_object_mut() {
                entry.remove("time");
            }
        }
        Some(list)
    };
    one == other || without_times(one).is_some_and(|one| Some(one) == without_times(other))
}

/// The list as it shall be, `None` when there is nothing of ours in `live`.
#[must_use]
pub fn give_back(live: &Value, before: &Value) -> Option<Value> {
    let mut taken = Map::new();
    for entry in entries(live).filter(|entry| ours(entry)) {
        if let Some(fields) = entry["fieldsV1"].as_object() {
            unite(&mut taken, fields);
        }
    }
    if !is_ours(live) {
        return None;
    }
    let mut result: Vec<Value> = entries(live)
        .filter(|entry| !ours(entry))
        .cloned()
        .collect();
    for owner in entries(before).filter(|entry| !ours(entry) && entry.get("subresource").is_none())
    {
        let Some(owned) = owner["fieldsV1"].as_object() else {
            continue;
        };
        let back = intersect(owned, &taken);
        if back.is_empty() {
            continue;
        }
        match result.iter_mut().find(|entry| same_owner(entry, owner)) {
            Some(entry) => {
                if let Some(fields) = entry["fieldsV1"].as_object_mut() {
                    unite(fields, &back);
                }
            }
            None => {
                let mut entry = owner.clone();
                entry["fieldsV1"] = Value::Object(back);
                result.push(entry);
            }
        }
    }
    Some(Value::Array(result))
}

/// The write that puts the list right on an object as it was read.
#[must_use]
pub fn patch(version: &str, managed_fields: &Value) -> Vec<Value> {
    // an empty list means "leave as it is" to the API server; one empty entry means "nobody owns anything"
    let list = match managed_fields.as_array() {
        Some(list) if list.is_empty() => json!([{}]),
        _ => managed_fields.clone(),
    };
    vec![
        json!({"op": "test", "path": "/metadata/resourceVersion", "value": version}),
        json!({"op": "replace", "path": "/metadata/managedFields", "value": list}),
    ]
}

/// The write that keeps the record on a Release as it was read; `annotated` says whether it has annotations at all.
#[must_use]
pub fn record(version: &str, annotated: bool, owners: String) -> Vec<Value> {
    let mut operations =
        vec![json!({"op": "test", "path": "/metadata/resourceVersion", "value": version})];
    if !annotated {
        operations.push(json!({"op": "add", "path": "/metadata/annotations", "value": {}}));
    }
    let key = REMEMBERED.replace('~', "~0").replace('/', "~1");
    let path = format!("/metadata/annotations/{key}");
    operations.push(json!({"op": "add", "path": path, "value": owners}));
    operations
}

fn entries(managed_fields: &Value) -> impl Iterator<Item = &Value> {
    managed_fields.as_array().into_iter().flatten()
}

fn ours(entry: &Value) -> bool {
    entry["manager"] == MANAGER && entry.get("subresource").is_none()
}

fn same_owner(one: &Value, other: &Value) -> bool {
    ["manager", "operation", "apiVersion", "subresource"]
        .iter()
        .all(|field| one.get(field) == other.get(field))
}

/// A set of fields is a tree; an empty node is a field, `.` names the node itself beside its children.
fn unite(into: &mut Map<String, Value>, from: &Map<String, Value>) {
    for (key, value) in from {
        match (into.get_mut(key), value.as_object()) {
            (Some(Value::Object(known)), Some(more)) => {
                // a leaf that gains children stays a member by its dot
                if known.is_empty() != more.is_empty() {
                    known.insert(".".to_owned(), json!({}));
                }
                unite(known, more);
            }
            (Some(_), _) => {}
            (None, _) => {
                into.insert(key.clone(), value.clone());
            }
        }
    }
}

fn intersect(one: &Map<String, Value>, other: &Map<String, Value>) -> Map<String, Value> {
    let mut both = Map::new();
    for (key, value) in one {
        let (Some(a), Some(b)) = (value.as_object(), other.get(key).and_then(Value::as_object))
        else {
            continue;
        };
        let common = if a.is_empty() || b.is_empty() {
            // the whole field on one side covers what the other side holds of it
            Some(if a.is_empty() { Map::new() } else { a.clone() })
        } else {
            Some(intersect(a, b)).filter(|common| !common.is_empty())
        };
        if let Some(common) = common {
            both.insert(key.clone(), Value::Object(common));
        }
    }
    both
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(fields: Value) -> Value {
        json!({"manager": "kubectl", "operation": "Apply", "apiVersion": "apps/v1", "time": "2026-01-01T00:00:00Z",
            "fieldsType": "FieldsV1", "fieldsV1": fields})
    }

    fn us(fields: Value) -> Value {
        json!({"manager": MANAGER, "operation": "Update", "apiVersion": "apps/v1", "time": "2026-01-02T00:00:00Z",
            "fieldsType": "FieldsV1", "fieldsV1": fields})
    }

    fn native() -> Value {
        json!({"manager": "kube-controller-manager", "operation": "Update", "apiVersion": "apps/v1", "subresource": "status",
            "fieldsType": "FieldsV1", "fieldsV1": {"f:status": {"f:replicas": {}}}})
    }

    #[test]
    fn fields_return_to_the_entry_they_came_from() {
        let full = json!({"f:spec": {"f:replicas": {}, "f:strategy": {"f:rollingUpdate": {"f:maxSurge": {}}}}});
        let before = json!([user(full.clone()), native()]);
        let live = json!([
            user(json!({"f:spec": {"f:replicas": {}}})),
            us(
                json!({"f:spec": {"f:minReadySeconds": {}, "f:strategy": {"f:rollingUpdate": {"f:maxSurge": {}, "f:maxUnavailable": {}}}}})
            ),
            native(),
        ]);
        let restored = give_back(&live, &before).unwrap();
        assert_eq!(restored, json!([user(full), native()]));
        assert_eq!(give_back(&restored, &before), None, "twice changes nothing");
    }

    #[test]
    fn an_entry_that_lost_every_field_comes_back() {
        let before = json!([user(json!({"f:spec": {"f:paused": {}}}))]);
        let live = json!([us(json!({"f:spec": {"f:paused": {}}})), native()]);
        assert_eq!(
            give_back(&live, &before).unwrap(),
            json!([native(), user(json!({"f:spec": {"f:paused": {}}}))])
        );
    }

    #[test]
    fn what_others_wrote_meanwhile_is_kept() {
        let before = json!([user(json!({"f:spec": {"f:paused": {}, "f:replicas": {}}}))]);
        let scaler = json!({"manager": "hpa", "operation": "Update", "apiVersion": "apps/v1", "fieldsV1": {"f:spec": {"f:replicas": {}}}});
        let live = json!([scaler, us(json!({"f:spec": {"f:paused": {}}}))]);
        let restored = give_back(&live, &before).unwrap();
        assert_eq!(restored[0], scaler);
        assert_eq!(
            restored[1]["fieldsV1"],
            json!({"f:spec": {"f:paused": {}}}),
            "replicas belongs to the scaler now"
        );
    }

    #[test]
    fn without_a_record_our_fields_belong_to_nobody() {
        let live = json!([us(json!({"f:spec": {"f:paused": {}}}))]);
        let restored = give_back(&live, &recall(None)).unwrap();
        assert_eq!(restored, json!([]));
        assert_eq!(
            patch("7", &restored)[1]["value"],
            json!([{}]),
            "an empty list would be ignored"
        );
    }

    #[test]
    fn a_record_is_the_same_whatever_the_times() {
        let mut later = user(json!({"f:spec": {}}));
        later["time"] = json!("2026-02-02T00:00:00Z");
        let one = remember(&json!([user(json!({"f:spec": {}})), native()])).unwrap();
        let other = remember(&json!([later, us(json!({"f:spec": {"f:paused": {}}}))])).unwrap();
        assert!(same(&one, &other));
        let different = remember(&json!([user(json!({"f:spec": {"f:replicas": {}}}))])).unwrap();
        assert!(!same(&one, &different));
    }
}
