//! What rules read of a Service.

use std::collections::BTreeMap;

use sluice_tree::Value;

use super::{items, name, text, texts};
use crate::view::lookup;

/// A Service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// The labels of the pods behind it; without any, nobody selects pods for it.
    pub selector: BTreeMap<String, String>,
    /// Whether `clusterIP` is `None`.
    pub headless: bool,
    /// Whether it is only a name for something outside.
    pub external: bool,
    /// Its ports.
    pub ports: Vec<ServicePort>,
}

/// A port of a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServicePort {
    /// Its name; empty when it has none.
    pub name: String,
    /// The port it listens on; zero when that cannot be read.
    pub port: i64,
    /// Where it leads in the pods.
    pub target: Target,
}

/// A port of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// By number.
    Number(i64),
    /// By the name that a container gives it.
    Name(String),
}

impl Service {
    /// What is kept of the object.
    #[must_use]
    pub fn of(object: &Value) -> Self {
        Self {
            name: name(object),
            selector: texts(object, "spec.selector"),
            headless: lookup(object, "spec.clusterIP").and_then(Value::as_str) == Some("None"),
            external: lookup(object, "spec.type").and_then(Value::as_str) == Some("ExternalName"),
            ports: items(object, "spec.ports")
                .iter()
                .map(ServicePort::of)
                .collect(),
        }
    }

    /// Whether pods with these labels are behind it.
    #[must_use]
    pub fn selects(&self, labels: &BTreeMap<String, String>) -> bool {
        !self.selector.is_empty()
            && !self.external
            && self
                .selector
                .iter()
                .all(|(key, value)| labels.get(key) == Some(value))
    }
}

impl ServicePort {
    fn of(port: &Value) -> Self {
        let number = port.get("port").and_then(Value::as_i64).unwrap_or(0);
        let target = match port.get("targetPort") {
            // the API server fills the port in for an empty target
            Some(Value::String(name)) if !name.is_empty() => Target::Name(name.as_str().to_owned()),
            Some(Value::Number(target)) if target.as_i64() != Some(0) => {
                Target::Number(target.as_i64().unwrap_or(0))
            }
            _ => Target::Number(number),
        };
        Self {
            name: text(port, "name"),
            port: number,
            target,
        }
    }
}

#[cfg(test)]
mod tests {
    use sluice_tree::json;

    use super::*;

    #[test]
    fn a_service_is_kept_as_rules_read_it() {
        let service = Service::of(&json!({
            "metadata": {"name": "checkout"},
            "spec": {"clusterIP": "None", "selector": {"app": "checkout"}, "ports": [
                {"name": "http", "port": 80, "targetPort": "web"}, {"port": 8080}, {"port": 9, "targetPort": 90}
            ]},
        }));
        assert!(service.headless && !service.external);
        let targets: Vec<_> = service.ports.iter().map(|port| &port.target).collect();
        assert_eq!(
            targets,
            [
                &Target::Name("web".into()),
                &Target::Number(8080),
                &Target::Number(90)
            ]
        );
        let labels = |app: &str| [("app".to_owned(), app.to_owned())].into();
        assert!(service.selects(&labels("checkout")) && !service.selects(&labels("cart")));
        let none = Service::of(&json!({"spec": {"selector": {}, "ports": 3}}));
        assert!(!none.selects(&labels("checkout")), "no selector, no pods");
        let external = Service::of(
            &json!({"spec": {"type": "ExternalName", "selector": {"app": "checkout"}}}),
        );
        assert!(!external.selects(&labels("checkout")));
    }
}
