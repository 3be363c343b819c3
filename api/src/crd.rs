//! The CustomResourceDefinitions of every kind, for `manifests/` and for `sluice install`.

use std::sync::OnceLock;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray,
};
use kube::CustomResourceExt;
use serde_json::Value;

use crate::{Gate, Policy, PolicyException, Probe, Release, RolloutPlan, access::PART_OF};

/// A kind and what makes its definition, which is some work.
type Defined = (&'static str, fn() -> CustomResourceDefinition);

/// Every kind, in the order of the documentation.
const DEFINITIONS: [Defined; 6] = [
    ("Probe", Probe::crd),
    ("Gate", Gate::crd),
    ("RolloutPlan", RolloutPlan::crd),
    ("Release", Release::crd),
    ("Policy", Policy::crd),
    ("PolicyException", PolicyException::crd),
];

/// Every kind, in the order of the documentation.
pub fn kinds() -> impl ExactSizeIterator<Item = &'static str> {
    DEFINITIONS.iter().map(|(kind, _)| *kind)
}

/// Every definition, in the order of the documentation.
#[must_use]
pub fn all() -> Vec<CustomResourceDefinition> {
    DEFINITIONS
        .iter()
        .map(|(_, definition)| published(definition()))
        .collect()
}

/// The schema of a kind's objects as its definition publishes it. Made when it is first asked for, and kept.
#[must_use]
pub fn schema_of_kind(kind: &str) -> Option<&'static Value> {
    static SCHEMAS: [OnceLock<Option<Value>>; DEFINITIONS.len()] =
        [const { OnceLock::new() }; DEFINITIONS.len()];
    let place = kinds().position(|own| own == kind)?;
    let schema = || {
        let (_, definition) = DEFINITIONS.get(place)?;
        let version = published(definition()).spec.versions.into_iter().next()?;
        serde_json::to_value(version.schema?.open_api_v3_schema?).ok()
    };
    SCHEMAS.get(place)?.get_or_init(schema).as_ref()
}

/// The definition as it is published: with our label, and without number formats that Kubernetes does not know and warns of (`uint32`);
/// the bounds are in `minimum` and `maximum`.
fn published(mut crd: CustomResourceDefinition) -> CustomResourceDefinition {
    crd.metadata
        .labels
        .get_or_insert_default()
        .insert(PART_OF.to_owned(), "sluice".to_owned());
    for version in &mut crd.spec.versions {
        if let Some(schema) = version
            .schema
            .as_mut()
            .and_then(|validation| validation.open_api_v3_schema.as_mut())
        {
            known_formats(schema);
        }
    }
    crd
}

fn known_formats(schema: &mut JSONSchemaProps) {
    if schema
        .format
        .as_deref()
        .is_some_and(|format| format.starts_with("uint"))
    {
        schema.format = Some("int64".to_owned());
    }
    for inner in schema
        .properties
        .iter_mut()
        .flat_map(|map| map.values_mut())
    {
        known_formats(inner);
    }
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &mut schema.items {
        known_formats(items);
    }
}

#[cfg(test)]
mod tests {
    use super::{all, kinds, schema_of_kind};

    #[test]
    fn every_schema_is_found_by_its_kind() {
        for (kind, definition) in kinds().zip(all()) {
            assert_eq!(definition.spec.names.kind, kind);
            let version = serde_json::to_value(&definition.spec.versions[0]).unwrap();
            assert_eq!(
                schema_of_kind(kind),
                Some(&version["schema"]["openAPIV3Schema"])
            );
        }
        assert_eq!(schema_of_kind("Policies"), None);
    }

    /// Every string and every list in a schema must be bounded: CEL cost and etcd both depend on it.
    fn unbounded(schema: &serde_json::Value, path: &str, out: &mut Vec<String>) {
        let free = schema.get("x-kubernetes-preserve-unknown-fields").is_some();
        if schema["type"] == "string"
            && schema.get("enum").is_none()
            && schema.get("maxLength").is_none()
        {
            out.push(path.to_owned());
        }
        if schema["type"] == "array" && schema.get("maxItems").is_none() {
            out.push(path.to_owned());
        }
        for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
            unbounded(inner, &format!("{path}.{name}"), out);
        }
        if let Some(items) = schema.get("items").filter(|_| !free) {
            unbounded(items, &format!("{path}[]"), out);
        }
    }

    /// The API server shows the first match of a path and drops the rest, without a sign that there was more.
    #[test]
    fn no_column_shows_one_of_many() {
        for crd in all() {
            for column in crd.spec.versions[0]
                .additional_printer_columns
                .iter()
                .flatten()
            {
                assert!(
                    !column.json_path.contains("[*]"),
                    "{} {}: {}",
                    crd.spec.names.kind,
                    column.name,
                    column.json_path
                );
            }
        }
    }

    #[test]
    fn every_string_and_list_is_bounded_and_short_names_are_our_own() {
        for crd in all() {
            let json = serde_json::to_value(&crd).unwrap();
            let schema = &json["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
            let mut found = Vec::new();
            for part in ["spec", "status"] {
                unbounded(&schema["properties"][part], part, &mut found);
            }
            assert!(found.is_empty(), "{}: {found:?}", crd.spec.names.kind);
            let names = crd.spec.names;
            assert!(
                names
                    .short_names
                    .unwrap()
                    .iter()
                    .all(|name| name.starts_with("sl"))
            );
            assert_eq!(names.categories.unwrap(), ["sluice"]);
        }
    }
}
