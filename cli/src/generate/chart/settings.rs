//! The values of the chart: one table of settings, from which `values.yaml`, its schema and the page about them are made. What an object of the plain
//! manifests says is not said again here: such a default is lifted from the object.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::alerts;
use crate::generate::{GenerateError, HEADER, document};

/// One setting.
#[derive(Clone, Debug)]
pub struct Setting {
    /// Its path, such as `webhook.replicas`.
    pub path: &'static str,
    /// What it is when nobody says otherwise.
    pub default: Value,
    /// What may be given, as JSON schema.
    pub schema: Value,
    /// What it means.
    pub about: String,
}

fn setting(path: &'static str, default: Value, schema: Value, about: &str) -> Setting {
    Setting {
        path,
        default,
        schema,
        about: about.to_owned(),
    }
}

/// What a group of settings is about.
const GROUPS: &[(&str, &str)] = &[
    ("images", "Where the programs come from."),
    ("images.webhook", "The image of the webhook."),
    ("images.controller", "The image of the controller."),
    (
        "images.cli",
        "The image of the command line; it runs once, before the chart is uninstalled.",
    ),
    ("logging", "What the programs log, to standard error."),
    ("webhook", "The Deployment of the webhook."),
    ("controller", "The Deployment of the controller."),
    ("access", "Access rights that may be left out."),
    ("policies", "The policies that come with Sluice."),
    (
        "networkPolicy",
        "NetworkPolicies for Sluice's pods. Only what comes in is limited: probes must be able to ask every pod.",
    ),
    (
        "serviceMonitor",
        "How the Prometheus operator finds the metrics.",
    ),
    (
        "prometheusRule",
        "Alerts for the Prometheus operator; without it, take manifests/alerts.yaml. docs/alerts.md tells what to do about each.",
    ),
    ("prometheusRule.thresholds", "When the alerts fire."),
    (
        "uninstall",
        "What `helm uninstall` does before anything is removed.",
    ),
];

fn text() -> Value {
    json!({"type": "string"})
}

fn flag() -> Value {
    json!({"type": "boolean"})
}

fn texts() -> Value {
    json!({"type": "object", "additionalProperties": {"type": "string"}})
}

/// Labels of everybody's; those by which Sluice finds its own are taken.
fn labels() -> Value {
    let taken = ["app.kubernetes.io/part-of", "app.kubernetes.io/name"];
    let mut labels = texts();
    labels["propertyNames"] = json!({"not": {"enum": taken}});
    labels
}

fn objects() -> Value {
    json!({"type": "array", "items": {"type": "object"}})
}

fn resources() -> Value {
    let amounts = json!({"type": "object", "additionalProperties": {"type": ["string", "number"]}});
    json!({
        "type": "object", "additionalProperties": false,
        "properties": {
            "requests": amounts, "limits": amounts,
            "claims": {"type": "array", "items": {"type": "object"}},
        },
    })
}

/// The settings of one program, with the defaults of its Deployment in the plain manifests.
fn program(
    paths: &[&'static str; 11],
    deployment: &Value,
    what: &str,
    settings: &mut Vec<Setting>,
) {
    let spec = &deployment["spec"];
    let pod = &spec["template"]["spec"];
    let [
        replicas,
        resources_at,
        spread,
        affinity,
        nodes,
        tolerations,
        priority,
        labels_at,
        annotations,
        volumes,
        mounts,
    ] = paths;
    settings.extend([
        setting(replicas, spec["replicas"].clone(), json!({"type": "integer", "minimum": 1, "maximum": 16}), &format!("How many pods of {what}. With a single one there is no PodDisruptionBudget, and its node's drain is felt.")),
        setting(resources_at, pod["containers"][0]["resources"].clone(), resources(), "Requests and limits of its container; docs/numbers.md has what was measured."),
        setting(spread, pod["topologySpreadConstraints"].clone(), objects(), "How its pods spread; the default keeps them on different nodes where it can."),
        setting(affinity, json!({}), json!({"type": "object"}), "Affinity of its pods."),
        setting(nodes, json!({}), texts(), "Labels of the nodes it may run on."),
        setting(tolerations, json!([]), objects(), "Taints its pods tolerate."),
        setting(priority, pod["priorityClassName"].clone(), text(), "Its priority class. A cluster that is short of room should not lose its gate first."),
        setting(labels_at, json!({}), labels(), "Further labels of its pods."),
        setting(annotations, json!({}), texts(), "Further annotations of its pods."),
        setting(volumes, json!([]), objects(), "Further volumes, for example for `config.policies.folder` or a token for Prometheus."),
        setting(mounts, json!([]), objects(), "Where they are mounted."),
    ]);
}

macro_rules! of_program {
    ($name:literal) => {
        &[
            concat!($name, ".replicas"),
            concat!($name, ".resources"),
            concat!($name, ".topologySpreadConstraints"),
            concat!($name, ".affinity"),
            concat!($name, ".nodeSelector"),
            concat!($name, ".tolerations"),
            concat!($name, ".priorityClassName"),
            concat!($name, ".podLabels"),
            concat!($name, ".podAnnotations"),
            concat!($name, ".extraVolumes"),
            concat!($name, ".extraVolumeMounts"),
        ]
    };
}

macro_rules! of_image {
    ($name:literal) => {
        [
            concat!("images.", $name, ".repository"),
            concat!("images.", $name, ".tag"),
            concat!("images.", $name, ".digest"),
        ]
    };
}

/// Every setting, in the order of `values.yaml`. `config` is the shipped configuration file.
#[must_use]
pub fn settings(webhook: &Value, controller: &Value, config: &Value) -> Vec<Setting> {
    let repository = |deployment: &Value| {
        let image = deployment["spec"]["template"]["spec"]["containers"][0]["image"].as_str();
        let repository = image
            .unwrap_or_default()
            .rsplit_once(':')
            .map(|(name, _)| name);
        repository.unwrap_or_default().to_owned()
    };
    let mut settings = Vec::new();
    for ([repository_at, tag, digest], default) in [
        (of_image!("webhook"), repository(webhook)),
        (of_image!("controller"), repository(controller)),
        (
            of_image!("cli"),
            repository(webhook).replace("webhook", "cli"),
        ),
    ] {
        settings.extend([
            setting(
                repository_at,
                json!(default),
                json!({"type": "string", "minLength": 1}),
                "Registry and name.",
            ),
            setting(
                tag,
                json!(""),
                text(),
                "Its tag; the version of the chart when empty.",
            ),
            setting(
                digest,
                json!(""),
                json!({"type": "string", "pattern": "^(sha256:[0-9a-f]{64})?$"}),
                "Its digest, `sha256:…`; stands instead of the tag.",
            ),
        ]);
    }
    settings.extend([
        setting("images.pullPolicy", json!(""), json!({"type": "string", "enum": ["", "Always", "IfNotPresent", "Never"]}), "When they are pulled; empty leaves it to Kubernetes."),
        setting("images.pullSecrets", json!([]), json!({"type": "array", "items": {"type": "object", "required": ["name"], "additionalProperties": false, "properties": {"name": text()}}}), "Secrets in sluice-system with the credentials for the registry, as `{name: …}`."),
        setting("logging.format", json!("json"), json!({"type": "string", "enum": ["json", "text"]}), "`json` for machines, `text` for people."),
        setting("logging.level", json!(""), text(), "A level, or directives such as `info,sluice_webhook=debug`; `info` when empty."),
        setting("config", config.clone(), config_schema(), "The one configuration file of both programs, docs/configuration.md. A change of it rolls their pods. Where Prometheus is: `config.prometheus.main.url`. Write `\"off\"` below `namespaces` in quotes, or Helm reads it as false."),
    ]);
    program(
        of_program!("webhook"),
        webhook,
        "the webhook",
        &mut settings,
    );
    program(
        of_program!("controller"),
        controller,
        "the controller; one leads, the others wait",
        &mut settings,
    );
    settings.extend([
        setting("access.secretNames", json!(true), flag(), "Whether the webhook may list Secrets, of which it asks the names only unless a policy asks for keys. Without it, rules about such names answer Unknown."),
        setting("policies.shipped", json!(true), flag(), "Whether the default policy set is installed. Without it, nothing is judged until you apply policies of your own."),
        setting("labels", json!({}), labels(), "Further labels of every object."),
        setting("annotations", json!({}), texts(), "Further annotations of every object."),
        setting("networkPolicy.enabled", json!(false), flag(), "Whether there are NetworkPolicies."),
        setting("networkPolicy.apiServer", json!([]), objects(), "Where the API server calls the webhook from, as NetworkPolicy peers such as `{ipBlock: {cidr: 10.0.0.0/24}}`; from anywhere when empty."),
        setting("networkPolicy.monitoring", json!([]), objects(), "Who may read metrics, as NetworkPolicy peers; nobody but the nodes when empty."),
        setting("serviceMonitor.enabled", json!(false), flag(), "Whether there is a ServiceMonitor, with a headless Service for it. Needs the definitions of the Prometheus operator."),
        setting("serviceMonitor.interval", json!("30s"), duration(), "How often the metrics are read."),
        setting("serviceMonitor.labels", json!({}), labels(), "Labels by which your Prometheus selects it."),
        setting("prometheusRule.enabled", json!(false), flag(), "Whether there is a PrometheusRule. Needs the definitions of the Prometheus operator."),
        setting("prometheusRule.labels", json!({}), labels(), "Labels by which your Prometheus selects it."),
    ]);
    for threshold in alerts::THRESHOLDS {
        let schema = if threshold.default.parse::<u32>().is_ok() {
            json!({"type": "integer", "minimum": 1})
        } else {
            duration()
        };
        let default = match threshold.default.parse::<u32>() {
            Ok(number) => json!(number),
            Err(_) => json!(threshold.default),
        };
        settings.push(setting(threshold.path, default, schema, threshold.about));
    }
    settings.push(setting("uninstall.abandonReleases", json!(false), flag(), "Whether it goes on although releases are under way: each workload gets its own rollout settings back, and Kubernetes finishes what it has. Otherwise it refuses."));
    settings
}

/// A duration as Prometheus reads it.
fn duration() -> Value {
    json!({"type": "string", "pattern": "^([0-9]+(ms|s|m|h|d|w))+$"})
}

/// The schema of the configuration file, from the table behind its page.
fn config_schema() -> Value {
    let mut root = group();
    for (path, kind, _, about) in sluice_runtime::config::fields() {
        let leaf = match *kind {
            "list" | "list of names" => json!({"type": "array", "items": {"type": "string"}}),
            kind => match kind.split_once(" to ") {
                Some((least, most)) => json!({
                    "type": "integer",
                    "minimum": least.parse::<u32>().unwrap_or_default(),
                    "maximum": most.parse::<u32>().unwrap_or(u32::MAX),
                }),
                None => text(),
            },
        };
        let mut leaf = leaf;
        leaf["description"] = json!(about);
        let steps: Vec<&str> = path.split('.').collect();
        let mut at = &mut root;
        for (depth, step) in steps.iter().enumerate() {
            let last = depth + 1 == steps.len();
            at = if *step == "NAME" {
                let named = &mut at["additionalProperties"];
                if !named.is_object() {
                    *named = group();
                }
                named
            } else {
                let properties = &mut at["properties"];
                if properties[*step].is_null() {
                    properties[*step] = if last { leaf.clone() } else { group() };
                }
                &mut properties[*step]
            };
        }
    }
    root
}

fn group() -> Value {
    json!({"type": "object", "additionalProperties": false, "properties": {}})
}

/// `values.schema.json`: what is not in it is refused by Helm, so that a typo is no setting that does nothing.
///
/// # Errors
/// When it cannot be written as JSON.
pub fn schema(settings: &[Setting]) -> Result<String, GenerateError> {
    let mut root = group();
    for setting in settings {
        let mut at = &mut root;
        let mut path = String::new();
        for step in setting.path.split('.') {
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(step);
            let next = &mut at["properties"][step];
            if next.is_null() {
                *next = if path == setting.path {
                    setting.schema.clone()
                } else {
                    group()
                };
                let about = GROUPS
                    .iter()
                    .find(|(group, _)| *group == path)
                    .map_or(setting.about.as_str(), |(_, about)| about);
                next["description"] = json!(about);
            }
            at = next;
        }
        at["default"] = setting.default.clone();
    }
    // Helm hands a chart below another one these
    root["properties"]["global"] =
        json!({"type": "object", "description": "Helm's own; nothing here reads it."});
    root["$schema"] = json!("http://json-schema.org/draft-07/schema#");
    root["title"] = json!("Values of the chart sluice");
    let text = serde_json::to_string_pretty(&root).map_err(GenerateError::Schema)?;
    Ok(format!("{text}\n"))
}

/// `values.yaml`: every setting with its default and what it means.
///
/// # Errors
/// When a default cannot be written as YAML.
pub fn values(settings: &[Setting]) -> Result<String, GenerateError> {
    let mut page = format!("{HEADER}# What is not among these is refused: values.schema.json.\n");
    let mut before: Vec<&str> = Vec::new();
    for setting in settings {
        let steps: Vec<&str> = setting.path.split('.').collect();
        let (leaf, groups) = steps.split_last().unwrap_or((&"", &[]));
        let shared = before
            .iter()
            .zip(groups)
            .take_while(|(a, b)| a == b)
            .count();
        if groups.is_empty() || shared == 0 {
            page.push('\n');
        }
        for (depth, group) in groups.iter().enumerate().skip(shared) {
            let indent = "  ".repeat(depth);
            let path = steps[..=depth].join(".");
            if let Some((_, about)) = GROUPS.iter().find(|(group, _)| *group == path) {
                // writing to a String cannot fail
                let _ = writeln!(page, "{indent}# {about}");
            }
            let _ = writeln!(page, "{indent}{group}:");
        }
        let indent = "  ".repeat(groups.len());
        let _ = writeln!(page, "{indent}# {}", setting.about);
        let mut entry = Map::new();
        entry.insert((*leaf).to_owned(), setting.default.clone());
        for line in document(setting.path, &Value::Object(entry))?.lines() {
            let _ = writeln!(page, "{indent}{line}");
        }
        before = groups.to_vec();
    }
    Ok(page)
}

/// The table of settings for the page about installing.
#[must_use]
pub fn table(settings: &[Setting]) -> String {
    let mut text = String::from("| value | default | meaning |\n|---|---|---|\n");
    for setting in settings {
        let default = match &setting.default {
            Value::Object(map) if !map.is_empty() => "see values.yaml".to_owned(),
            Value::Array(list) if !list.is_empty() => "see values.yaml".to_owned(),
            other => format!("`{other}`"),
        };
        let _ = writeln!(
            text,
            "| `{}` | {default} | {} |",
            setting.path,
            setting.about.replace('|', "\\|")
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Vec<Setting> {
        let deployment = json!({"spec": {"replicas": 2, "template": {"spec": {
            "priorityClassName": "high", "topologySpreadConstraints": [{"maxSkew": 1}],
            "containers": [{"image": "sluice.dev/webhook:1", "resources": {"limits": {"memory": "1Gi"}}}],
        }}}});
        settings(
            &deployment,
            &deployment,
            &json!({"probes": {"allowTargets": ["*.svc"]}}),
        )
    }

    /// Every property with its path, groups included.
    fn properties(schema: &Value, path: &str, found: &mut Vec<(String, Value)>) {
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            let path = format!("{path}.{name}");
            found.push((path.clone(), property.clone()));
            properties(property, &path, found);
        }
    }

    #[test]
    fn the_schema_describes_everything_and_takes_nothing_else() {
        let schema: Value = serde_json::from_str(&schema(&all()).unwrap()).unwrap();
        assert_eq!(schema["additionalProperties"], false);
        let mut found = Vec::new();
        properties(&schema, "", &mut found);
        for setting in all() {
            let path = format!(".{}", setting.path);
            assert!(found.iter().any(|(name, _)| *name == path), "{path}");
        }
        for (path, property) in &found {
            // amounts and addresses are Kubernetes' own
            let foreign = path.contains(".resources.") || path.contains(".pullSecrets");
            let named = ["requests", "limits", "claims"]
                .iter()
                .any(|end| path.ends_with(end));
            if !foreign && !named {
                let about = property["description"].as_str().unwrap_or_default();
                assert!(
                    about.len() > 10 || path.starts_with(".config."),
                    "{path}: {about:?}"
                );
            }
            if property["properties"].is_object() {
                // other names are let in only where each has a closed schema of its own, as sources of Prometheus do
                let others = &property["additionalProperties"];
                let closed = *others == false || others["additionalProperties"] == false;
                assert!(closed, "{path}: {others}");
            }
        }
    }

    #[test]
    fn values_read_back_as_the_defaults() {
        let text = values(&all()).unwrap();
        let read: Value = serde_saphyr::from_str(&text).unwrap();
        for setting in all() {
            let pointer = format!("/{}", setting.path.replace('.', "/"));
            assert_eq!(
                read.pointer(&pointer),
                Some(&setting.default),
                "{pointer}\n{text}"
            );
        }
    }
}
