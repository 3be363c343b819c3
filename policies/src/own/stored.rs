//! The object as the API server would store it.

use sluice_tree::{Map, Value};

use crate::{
    view::{Anchor, Kind, lookup},
    with_defaults,
};

/// Defaults filled in, quantities of resources in canonical form, the namespace said. Idempotent. Of a kind that the view does not know, only the last.
pub(crate) fn stored(object: &Value, kind: Option<Kind>, namespace: &str) -> Value {
    let mut object = with_defaults(object).into_owned();
    let unsaid = lookup(&object, "metadata")
        .and_then(Value::as_object)
        .is_some_and(|metadata| !metadata.contains_key("namespace"));
    if unsaid
        && !namespace.is_empty()
        && let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut)
    {
        metadata.insert("namespace".to_owned(), namespace.into());
    }
    // looked at before it is touched: what the API server sends is canonical, and a touch copies the way there
    let pod = kind.and_then(|kind| kind.prefix(Anchor::Pod));
    if let Some(path) = pod
        && let Some(pod) = lookup(&object, path)
    {
        let odd_containers =
            CONTAINERS.map(|list| items(pod.get(list)).iter().any(is_odd).then_some(list));
        if is_odd(pod) {
            at_mut(&mut object, path).into_iter().for_each(resources);
        }
        for list in odd_containers.into_iter().flatten() {
            let containers = at_mut(&mut object, path)
                .and_then(|pod| pod.get_mut(list))
                .and_then(Value::as_array_mut);
            containers.into_iter().flatten().for_each(resources);
        }
    }
    let claims = items(lookup(&object, "spec.volumeClaimTemplates"));
    if claims
        .iter()
        .filter_map(|claim| claim.get("spec"))
        .any(is_odd)
    {
        let claims = at_mut(&mut object, "spec.volumeClaimTemplates").and_then(Value::as_array_mut);
        for claim in claims.into_iter().flatten() {
            claim.get_mut("spec").into_iter().for_each(resources);
        }
    }
    object
}

const CONTAINERS: [&str; 3] = ["initContainers", "containers", "ephemeralContainers"];
const AMOUNTS: [&str; 2] = ["limits", "requests"];

fn items(list: Option<&Value>) -> &[Value] {
    list.and_then(Value::as_array).unwrap_or_default()
}

/// Whether a quantity under `resources` is not in canonical form.
fn is_odd(holder: &Value) -> bool {
    AMOUNTS.iter().any(|list| {
        let quantities = holder
            .get("resources")
            .and_then(|resources| resources.get(list))
            .and_then(Value::as_object);
        quantities
            .into_iter()
            .flat_map(Map::values)
            .any(|value| canonical(value).is_some())
    })
}

/// The quantities under `resources`: numbers become texts, texts their canonical form. What is no quantity stays for others to refuse.
fn resources(holder: &mut Value) {
    for list in AMOUNTS {
        let quantities = holder
            .get_mut("resources")
            .and_then(|resources| resources.get_mut(list))
            .and_then(Value::as_object_mut);
        for value in quantities.into_iter().flat_map(Map::values_mut) {
            if let Some(canonical) = canonical(value) {
                *value = canonical;
            }
        }
    }
}

/// The canonical form of a quantity that has another.
fn canonical(value: &Value) -> Option<Value> {
    let canonical = match value {
        Value::String(text) => sluice_cel::canonical_quantity(text),
        Value::Number(number) => sluice_cel::canonical_quantity(&number.to_string()),
        _ => None,
    }?;
    (value != canonical.as_str()).then(|| canonical.into())
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
    use sluice_tree::json;

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
