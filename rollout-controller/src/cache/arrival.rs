//! An object as it comes from the API server, before anything is known about its shape.
//!
//! Reading it asks for no more than a JSON object, so one object of an unexpected shape cannot end the list or the watch that carries it.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// One object, whole.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// Name, namespace, uid and resourceVersion, for the watch's own bookkeeping.
    metadata: ObjectMeta,
    /// The object.
    pub object: Value,
}

impl Arrival {
    /// Wraps an object.
    #[must_use]
    pub fn new(object: Value) -> Self {
        let text = |field: &str| object["metadata"][field].as_str().map(ToOwned::to_owned);
        let metadata = ObjectMeta {
            name: text("name"),
            namespace: text("namespace"),
            uid: text("uid"),
            resource_version: text("resourceVersion"),
            ..ObjectMeta::default()
        };
        Self { metadata, object }
    }
}

impl<'de> Deserialize<'de> for Arrival {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(Self::new)
    }
}

impl Serialize for Arrival {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.object.serialize(serializer)
    }
}

sluice_runtime::resource_of_any_kind!(Arrival);
