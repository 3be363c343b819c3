//! JSON Patch operations. `add` replaces a member that is there, so it is what sets a field; `remove` fails on an absent one, so it is used only where the
//! object it was computed from has the field and the first operation tests that nothing changed since.

use serde_json::{Value, json};

pub(crate) fn test_version(resource_version: &str) -> Value {
    json!({"op": "test", "path": "/metadata/resourceVersion", "value": resource_version})
}

pub(crate) fn set(path: &str, value: impl Into<Value>) -> Value {
    json!({"op": "add", "path": path, "value": value.into()})
}

pub(crate) fn replace(path: &str, value: impl Into<Value>) -> Value {
    json!({"op": "replace", "path": path, "value": value.into()})
}

pub(crate) fn remove(path: &str) -> Value {
    json!({"op": "remove", "path": path})
}

/// The pointer to an annotation of the object.
pub(crate) fn annotation(key: &str) -> String {
    format!(
        "/metadata/annotations/{}",
        key.replace('~', "~0").replace('/', "~1")
    )
}
