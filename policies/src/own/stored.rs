//! The object as the API server would store it.

use serde_json::{Map, Value};

use crate::{
    view::{Anchor, Kind, lookup},
    with_defaults,
};

/// Defaults filled in, quantities of resources in canonical form, the namespace said. Idempotent. Of a kind that the view does not know, only the last.
pub(crate) fn stored(object: &Value, kind: Option<Kind>, namespace: &str) -> Value {
    let mut object = with_defaults(object).into_owned();
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut)
        && !metadata.contains_key("namespace")
        && !namespace.is_empty()
    {
        metadata.insert("namespace".to_owned(), namespace.into());
    }
    if let Some(path) = kind.and_then(|kind| kind.prefix(Anchor::Pod))
        && let Some(pod) = at_mut(&mut object, path)
    {
        resources(pod);
        for list in ["initContainers", "containers", "ephemeralContainers"] {
            let containers = pod.get_mut(list).and_then(Value::as_array_mut);
            containers.into_iter().flatten().for_each(resources);
        }
    }
    let claims = at_mut(&mut object, "spec")
        .and_then(|spec| spec.get_mut("volumeClaimTemplates"))
        .and_then(Value::as_array_mut);
    for claim in claims.into_iter().flatten() {
        claim.get_mut("spec").into_iter().for_each(resources);
    }
    object
}

/// The quantities under `resources`: numbers become texts, texts their canonical form. What is no quantity stays for others to refuse.
fn resources(holder: &mut Value) {
    for list in ["limits", "requests"] {
        let quantities = holder
            .get_mut("resources")
            .and_then(|resources| resources.get_mut(list))
            .and_then(Value::as_object_mut);
        for value in quantities.into_iter().flat_map(Map::values_mut) {
            let text = match &*value {
                Value::String(text) => text.clone(),
                Value::Number(number) => number.to_string(),
                _ => continue,
            };
            if let Some(canonical) = sluice_cel::canonical_quantity(&text) {
                *value = canonical.into();
            }
        }
    }
}

fn at_mut<'a>(value: &'a mut Value, path: &str) -> Option<&'a mut Value> {
    let mut at = value;
    for name in path.split('.').filter(|name| !name.is_empty()) {
        at = at.as_object_mut()?.get_mut(name)?;
    }
    Some(at)
}

/// The pod template: what `pod` reads, and where it lies. A Pod is its own template.
pub(super) fn template(object: &Value, kind: Kind) -> Option<(&Value, &'static str)> {
    let path = kind.prefix(Anchor::Pod)?;
    let path = path.strip_suffix(".spec").unwrap_or("");
    lookup(object, path).map(|template| (template, path))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_object_is_stored_the_same_from_a_file_and_from_a_request() {
        let file = json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "db"}, "spec": {
            "template": {"spec": {
                "initContainers": [{"name": "init", "image": "i", "resources": {"limits": {"cpu": 0.5}}}],
                "containers": [{"name": "db", "image": "d", "resources": {"limits": {"cpu": 2, "memory": "2048Mi"}, "requests": {"cpu": "1000m", "odd": true, "bad": "1GiB"}}}]}},
            "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {"resources": {"requests": {"storage": "10240Mi"}}}}]}});
        let stored_once = stored(&file, Some(Kind::StatefulSet), "shop");
        let pod = &stored_once["spec"]["template"]["spec"];
        assert_eq!(
            pod["containers"][0]["resources"]["limits"],
            json!({"cpu": "2", "memory": "2Gi"})
        );
        assert_eq!(
            pod["containers"][0]["resources"]["requests"],
            json!({"cpu": "1", "odd": true, "bad": "1GiB"})
        );
        assert_eq!(
            pod["initContainers"][0]["resources"]["limits"]["cpu"],
            "500m"
        );
        assert_eq!(
            stored_once["spec"]["volumeClaimTemplates"][0]["spec"]["resources"]["requests"]["storage"],
            "10Gi"
        );
        assert_eq!(stored_once["metadata"]["namespace"], "shop");
        assert_eq!(stored_once["spec"]["replicas"], 1);
        assert_eq!(
            stored(&stored_once, Some(Kind::StatefulSet), "shop"),
            stored_once
        );
        assert_eq!(
            template(&stored_once, Kind::StatefulSet).unwrap().1,
            "spec.template"
        );
    }

    #[test]
    fn objects_of_any_shape_are_stored_as_they_are() {
        for odd in [
            json!(null),
            json!({"metadata": 3, "spec": []}),
            json!({"spec": {"template": {"spec": {"containers": {"a": 1}}}}}),
        ] {
            assert_eq!(stored(&odd, Some(Kind::Deployment), "shop"), odd);
        }
    }
}
