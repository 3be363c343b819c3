//! An object of the API server of which nothing but the keys of its data is taken: what stands behind them is skipped while the answer is read, and so is
//! what else may repeat it, such as the annotation that `kubectl apply` leaves.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::{Deserialize, Deserializer, de::IgnoredAny};
use sluice_policies::facts::ObjectKeys;

/// A ConfigMap or a Secret without its values.
#[derive(Clone, Debug, Default)]
pub struct KeyedObject {
    /// Its name, its namespace and its version.
    pub metadata: ObjectMeta,
    keys: Vec<String>,
}

impl KeyedObject {
    /// What rules read of it.
    #[must_use]
    pub fn into_keys(self) -> ObjectKeys {
        ObjectKeys::whole(self.metadata.name.unwrap_or_default(), self.keys)
    }
}

impl<'de> Deserialize<'de> for KeyedObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Metadata {
            name: Option<String>,
            namespace: Option<String>,
            resource_version: Option<String>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Wire {
            metadata: Metadata,
            data: Option<BTreeMap<String, IgnoredAny>>,
            binary_data: Option<BTreeMap<String, IgnoredAny>>,
        }
        let wire = Wire::deserialize(deserializer)?;
        let fields = [wire.data, wire.binary_data].into_iter().flatten();
        Ok(Self {
            metadata: ObjectMeta {
                name: wire.metadata.name,
                namespace: wire.metadata.namespace,
                resource_version: wire.metadata.resource_version,
                ..ObjectMeta::default()
            },
            keys: fields.flat_map(BTreeMap::into_keys).collect(),
        })
    }
}

crate::resource_of_any_kind!(KeyedObject);

#[cfg(test)]
mod tests {
    use kube::Resource;

    use super::*;

    #[test]
    fn no_value_of_a_secret_outlives_the_reading() {
        let text = r#"{"apiVersion": "v1", "kind": "Secret", "type": "Opaque",
            "metadata": {"name": "database", "namespace": "shop", "resourceVersion": "7", "annotations": {
                "kubectl.kubernetes.io/last-applied-configuration": "{\"data\": {\"password\": \"aHVudGVyMg==\"}}"}},
            "data": {"password": "aHVudGVyMg==", "user": "c2hvcA=="}, "binaryData": {"logo": "aGk="}}"#;
        let object: KeyedObject = serde_json::from_str(text).unwrap();
        let shown = format!("{object:?}");
        assert!(
            !shown.contains("aHVu") && !shown.contains("c2hv"),
            "{shown}"
        );
        assert_eq!(object.meta().resource_version.as_deref(), Some("7"));
        assert_eq!(object.meta().namespace.as_deref(), Some("shop"));
        assert_eq!(
            object.into_keys(),
            ObjectKeys::whole("database", ["password", "user", "logo"].map(str::to_owned))
        );
        // a bookmark of a watch, and one that has nothing in it
        for text in [
            r#"{"metadata": {"resourceVersion": "8"}}"#,
            r#"{"metadata": {}, "data": null}"#,
        ] {
            let object: KeyedObject = serde_json::from_str(text).unwrap();
            assert_eq!(object.into_keys(), ObjectKeys::whole("", []));
        }
    }
}
