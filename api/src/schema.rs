//! Schema pieces that cannot be derived.

use schemars::{Schema, SchemaGenerator, json_schema};

/// Any object, kept as it is: pod templates and patches, whose fields belong to Kubernetes.
pub(crate) fn any_object(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true })
}

/// A moment, RFC 3339.
pub(crate) fn moment(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "format": "date-time", "maxLength": 40 })
}

/// A list of any values, kept as they are: JSON Patch operations.
pub(crate) fn any_list(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 64,
        "items": { "type": "object", "x-kubernetes-preserve-unknown-fields": true },
    })
}
