//! Custom kinds: what the `openAPIV3Schema` of a CustomResourceDefinition says about a value.
//!
//! Read where it lies, as the API server reads it: a structural schema prunes what it does not name, unless `x-kubernetes-preserve-unknown-fields`
//! or `additionalProperties` keep it; `x-kubernetes-int-or-string` and `x-kubernetes-embedded-resource` mean what they mean there.

use sluice_tree::Value;

use super::{
    table::Table,
    types::{Object, Shape, Type},
    version::KubernetesVersion,
};

/// A version of a custom kind.
#[derive(Clone, Debug)]
pub(super) struct CustomKind {
    pub(super) api_version: String,
    pub(super) kind: String,
    schema: Value,
}

/// The type of a value in a custom object.
#[derive(Clone, Copy, Debug)]
pub struct CustomType<'a> {
    schema: &'a Value,
    kubernetes: KubernetesVersion,
    /// Of a whole object: its kind.
    root: Option<&'a str>,
}

/// The fields of an object in a custom object.
#[derive(Clone, Copy, Debug)]
pub struct CustomObject<'a> {
    of: CustomType<'a>,
}

/// The kinds that a CustomResourceDefinition defines.
pub(super) fn kinds(definition: &Value) -> Vec<CustomKind> {
    let of_definitions = definition["apiVersion"] == "apiextensions.k8s.io/v1"
        && definition["kind"] == "CustomResourceDefinition";
    let spec = &definition["spec"];
    let (true, Some(group), Some(kind), Some(versions)) = (
        of_definitions,
        spec["group"].as_str(),
        spec["names"]["kind"].as_str(),
        spec["versions"].as_array(),
    ) else {
        return Vec::new();
    };
    versions
        .iter()
        .filter_map(|version| {
            let schema = &version["schema"]["openAPIV3Schema"];
            Some(CustomKind {
                api_version: format!("{group}/{}", version["name"].as_str()?),
                kind: kind.to_owned(),
                schema: schema.is_object().then(|| schema.clone())?,
            })
        })
        .collect()
}

impl CustomKind {
    /// The type of its objects.
    pub(super) fn root(&self, kubernetes: KubernetesVersion) -> CustomType<'_> {
        CustomType {
            schema: &self.schema,
            kubernetes,
            root: Some(&self.kind),
        }
    }
}

impl<'a> CustomType<'a> {
    fn says(self, key: &str) -> bool {
        self.schema[key] == true
    }

    fn inner(self, schema: &'a Value) -> Type<'a> {
        Type::Custom(Self {
            schema,
            kubernetes: self.kubernetes,
            root: None,
        })
    }

    /// Whether it has what every object of Kubernetes has.
    fn is_resource(self) -> bool {
        self.root.is_some() || self.says("x-kubernetes-embedded-resource")
    }

    /// The schema, for what it asks beyond types.
    pub(super) const fn schema(self) -> &'a Value {
        self.schema
    }

    pub(super) fn shape(self) -> Shape<'a> {
        let schema = self.schema;
        if self.says("x-kubernetes-int-or-string") {
            return Shape::IntOrString;
        }
        let object = Shape::Object(Object::Custom(CustomObject { of: self }));
        if self.is_resource() {
            return object;
        }
        let named = schema["properties"].is_object();
        match schema["type"].as_str() {
            Some("string") => match schema["format"].as_str() {
                Some("byte") => Shape::Bytes,
                Some("date-time" | "datetime") => Shape::Time,
                Some("duration") => Shape::Duration,
                _ => Shape::Text,
            },
            Some("integer") if schema["format"] == "int32" => Shape::Int32,
            Some("integer") => Shape::Int64,
            Some("number") => Shape::Number,
            Some("boolean") => Shape::Bool,
            Some("array") => Shape::List(self.inner(&schema["items"])),
            Some("object") if named => object,
            Some("object") => match &schema["additionalProperties"] {
                values @ Value::Object(_) => Shape::Map(self.inner(values)),
                Value::Bool(true) => Shape::Open,
                _ if self.says("x-kubernetes-preserve-unknown-fields") => Shape::Open,
                _ => object,
            },
            None if named => object,
            _ => Shape::Any,
        }
    }
}

impl<'a> CustomObject<'a> {
    pub(super) const fn name(self) -> Option<&'a str> {
        self.of.root
    }

    /// What every object has and no definition lays down.
    fn common(self, name: &str) -> Option<Type<'a>> {
        if !self.of.is_resource() {
            return None;
        }
        // whatever kind this is asked of, these three are the same
        let of_any = Table::shipped().kind(self.of.kubernetes.release()?, "v1", "ConfigMap")?;
        match name {
            "apiVersion" | "kind" | "metadata" => of_any.object()?.field(name).map(Type::Built),
            _ => None,
        }
    }

    pub(super) fn field(self, name: &str) -> Option<Type<'a>> {
        self.common(name).or_else(|| {
            let schema = self.of.schema["properties"].get(name)?;
            Some(self.of.inner(schema))
        })
    }

    pub(super) fn fields(self) -> Vec<(&'a str, Type<'a>)> {
        let common = ["apiVersion", "kind", "metadata"]
            .into_iter()
            .filter_map(|name| self.common(name).map(|typ| (name, typ)));
        let named = self.of.schema["properties"]
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(name, _)| self.common(name).is_none())
            .map(|(name, schema)| (name.as_str(), self.of.inner(schema)));
        common.chain(named).collect()
    }

    pub(super) fn keeps_unknown(self) -> bool {
        self.of.says("x-kubernetes-preserve-unknown-fields")
            || matches!(
                self.of.schema["additionalProperties"],
                Value::Object(_) | Value::Bool(true)
            )
    }

    /// The place of the schema in memory.
    pub(super) fn identity(self) -> usize {
        std::ptr::from_ref(self.of.schema) as usize
    }
}
