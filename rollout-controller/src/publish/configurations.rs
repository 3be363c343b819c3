//! The webhook configurations as they are applied, and whether what is stored says the same. Pure.

use k8s_openapi::ByteString;
use kube::Resource;
use serde::Serialize;
use serde_json::{Value, json};

/// A configuration as it is applied: owned by Sluice's Namespace, so that deleting the namespace lets go of the API server too.
///
/// # Errors
/// A configuration that cannot be written as JSON.
pub fn owned<K: Resource<DynamicType = ()> + Serialize>(
    configuration: &K,
    system_namespace: &str,
    namespace_uid: &str,
) -> Result<Value, serde_json::Error> {
    let mut object = serde_json::to_value(configuration)?;
    object["apiVersion"] = json!(K::api_version(&()));
    object["kind"] = json!(K::kind(&()));
    object["metadata"]["ownerReferences"] = json!([{
        "apiVersion": "v1", "kind": "Namespace", "name": system_namespace, "uid": namespace_uid,
    }]);
    Ok(object)
}

/// Whether everything that `wanted` says stands in `live`. What the API server adds (defaults, times) does not count; lists must have the same length.
#[must_use]
pub fn covers(live: &Value, wanted: &Value) -> bool {
    match (live, wanted) {
        (Value::Object(live), Value::Object(wanted)) => wanted.iter().all(|(key, wanted)| {
            match live.get(key) {
                Some(live) => covers(live, wanted),
                // an empty selector, label set or list is stored as nothing
                None => is_empty(wanted),
            }
        }),
        (Value::Array(live), Value::Array(wanted)) => {
            live.len() == wanted.len()
                && live
                    .iter()
                    .zip(wanted)
                    .all(|(live, wanted)| covers(live, wanted))
        }
        (live, wanted) => live == wanted,
    }
}

/// What each entry of a stored configuration tells the API server to trust. One that cannot be read trusts nothing.
pub fn bundles(live: &Value) -> Vec<String> {
    let entries = live["webhooks"].as_array();
    entries
        .into_iter()
        .flatten()
        .map(|entry| {
            let bundle = entry["clientConfig"]["caBundle"].clone();
            let bundle: Result<ByteString, _> = serde_json::from_value(bundle);
            bundle.map_or_else(
                |_| String::new(),
                |bundle| String::from_utf8_lossy(&bundle.0).into_owned(),
            )
        })
        .collect()
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(map) => map.is_empty(),
        Value::Array(list) => list.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use sluice_api::admission_table::{ClientConfigChoice, configurations};

    use super::*;

    #[test]
    fn a_configuration_is_written_again_only_when_something_of_ours_differs() {
        let choice = ClientConfigChoice::Url("https://127.0.0.1:9443".into());
        let (mutating, _) = configurations(&choice, b"one", "sluice-system", &[]);
        let wanted = owned(&mutating, "sluice-system", "u").unwrap();
        let mut live = wanted.clone();
        live["metadata"]["resourceVersion"] = json!("7");
        live["webhooks"][0]["objectSelector"] = json!({});
        assert!(
            covers(&live, &wanted),
            "what the server adds does not count"
        );
        for (what, change) in [
            ("/webhooks/0/failurePolicy", json!("Ignore")),
            ("/webhooks/0/clientConfig/caBundle", json!("b3RoZXI=")),
            ("/webhooks/0/rules", json!([])),
            ("/metadata/ownerReferences/0/uid", json!("old")),
        ] {
            let mut other = live.clone();
            *other.pointer_mut(what).unwrap() = change;
            assert!(!covers(&other, &wanted), "{what}");
        }
        assert_eq!(bundles(&live), ["one"]);
        let mut more = live.clone();
        let entry = more["webhooks"][0].clone();
        more["webhooks"].as_array_mut().unwrap().push(entry);
        assert!(!covers(&more, &wanted), "an entry somebody added");
    }
}
