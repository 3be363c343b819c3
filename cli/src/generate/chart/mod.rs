//! The Helm chart, made from the same objects as the plain manifests: each object with holes where a setting goes, and the settings with what the object
//! says as their defaults. So a chart with default values says what `manifests/install.yaml` says; a test asks Helm itself.
//!
//! Decides: which fields can be set, and what the chart's values are. Leaves to hand-written templates what the plain manifests do not have: the checks
//! before anything is applied, what runs before an uninstall, NetworkPolicies and the objects of the Prometheus operator.
//!
//! The definitions lie in `crds/`: Helm installs them first, which the shipped policies need, and never deletes them, so that no uninstall takes the
//! records away. It does not upgrade them either, so each carries the digest of its content, and the chart refuses to be installed over others.

pub mod alerts;
mod settings;
mod template;

use serde_json::{Value, json};
use sluice_api::{SYSTEM_NAMESPACE, access};

use self::{
    settings::Setting,
    template::{Hole, Template},
};
use super::{
    File, GenerateError, HEADER, document,
    install::{DEFINITION_DIGEST, Manifest, Part},
};
use crate::manifest::{document as documents, source::Source};

/// Where the chart lies.
const FOLDER: &str = "manifests/chart";
/// The oldest Kubernetes that Sluice supports.
const KUBERNETES: &str = ">=1.33.0-0";

/// Why the plain manifests cannot be made a chart.
#[derive(Debug, thiserror::Error)]
pub enum ChartError {
    /// A manifest is no list of objects.
    #[error("{path} is broken: {problem}")]
    Manifest {
        /// Which.
        path: String,
        /// What is wrong.
        problem: String,
    },
    /// An object that the chart is made around is not among the manifests.
    #[error("no {kind} {name} among the manifests")]
    Missing {
        /// Its kind.
        kind: &'static str,
        /// Its name.
        name: &'static str,
    },
}

/// The objects of one manifest.
fn objects(manifest: &Manifest) -> Result<Vec<Value>, GenerateError> {
    let read = documents::strict_objects(&[Source {
        name: manifest.path.clone(),
        text: manifest.text.clone(),
    }]);
    match read.problems.first() {
        Some(problem) => Err(GenerateError::Chart(ChartError::Manifest {
            path: manifest.path.clone(),
            problem: problem.to_string(),
        })),
        None => Ok(read
            .objects
            .into_iter()
            .map(|object| object.value.into())
            .collect()),
    }
}

/// What the chart is made around.
struct Plain {
    /// Every object with its part, in the order of the manifests.
    objects: Vec<(Part, Value)>,
    settings: Vec<Setting>,
}

impl Plain {
    fn read(manifests: &[Manifest]) -> Result<Self, GenerateError> {
        let mut all = Vec::new();
        for manifest in manifests {
            all.extend(
                objects(manifest)?
                    .into_iter()
                    .map(|object| (manifest.part, object)),
            );
        }
        let find = |kind: &'static str, name: &'static str| {
            all.iter()
                .map(|(_, object)| object)
                .find(|object| object["kind"] == kind && object["metadata"]["name"] == name)
                .ok_or(GenerateError::Chart(ChartError::Missing { kind, name }))
        };
        let text = find("ConfigMap", "sluice-config")?["data"]["config.yaml"]
            .as_str()
            .unwrap_or_default();
        let config: Value = serde_saphyr::from_str(text).map_err(|error| {
            GenerateError::Chart(ChartError::Manifest {
                path: "config.yaml".to_owned(),
                problem: error.to_string(),
            })
        })?;
        let settings = settings::settings(
            find("Deployment", access::WEBHOOK_ACCOUNT)?,
            find("Deployment", access::CONTROLLER_ACCOUNT)?,
            &config,
        );
        Ok(Self {
            objects: all,
            settings,
        })
    }
}

/// Every generated file of the chart, and the plain rule file with the same alerts.
///
/// # Errors
/// When the manifests are broken, or something cannot be written as YAML.
pub fn files(manifests: &[Manifest]) -> Result<Vec<File>, GenerateError> {
    let plain = Plain::read(manifests)?;
    let version = env!("CARGO_PKG_VERSION");
    let chart = json!({
        "apiVersion": "v2",
        "type": "application",
        "name": "sluice",
        "description": "A gate in front of every release: what goes in is checked, how it spreads is stepped, what goes wrong is undone.",
        "version": version,
        "appVersion": version,
        "kubeVersion": KUBERNETES,
    });
    let mut files = vec![
        file(
            "Chart.yaml",
            format!("{HEADER}{}", document("Chart.yaml", &chart)?),
        ),
        file("values.yaml", settings::values(&plain.settings)?),
        file("values.schema.json", settings::schema(&plain.settings)?),
        file("templates/_definitions.tpl", definitions(&plain)),
        file("templates/prometheus-rule.yaml", prometheus_rule()?),
        file("templates/uninstall-access.yaml", uninstall_access()?),
        File {
            path: "manifests/alerts.yaml".to_owned(),
            text: format!(
                "{HEADER}{}",
                document(
                    "alerts.yaml",
                    &json!({"groups": alerts::groups(|threshold| threshold.default.to_owned())})
                )?
            ),
        },
    ];
    for manifest in manifests
        .iter()
        .filter(|manifest| manifest.part == Part::Definitions)
    {
        files.push(file(&manifest.path, manifest.text.clone()));
    }
    for (path, parts) in [
        ("namespace.yaml", &[Part::Namespace][..]),
        ("access.yaml", &[Part::Access]),
        ("guards.yaml", &[Part::Guards]),
        ("config.yaml", &[Part::Configuration]),
        ("policies.yaml", &[Part::Policies]),
        ("workloads.yaml", &[Part::Workloads]),
    ] {
        let mut text = HEADER.to_owned();
        for (part, object) in &plain.objects {
            if parts.contains(part) {
                text.push_str(&templated(*part, object).render(path)?);
            }
        }
        files.push(file(&format!("templates/{path}"), text));
    }
    Ok(files)
}

/// The table of settings, for the page about installing.
///
/// # Errors
/// As [`files`].
pub fn values_table(manifests: &[Manifest]) -> Result<String, GenerateError> {
    Ok(settings::table(&Plain::read(manifests)?.settings))
}

fn file(path: &str, text: String) -> File {
    File {
        path: format!("{FOLDER}/{path}"),
        text,
    }
}

/// An object of the plain manifests, with a hole for everything that can be set about it.
fn templated(part: Part, object: &Value) -> Template {
    let plain = Template::new(object.clone());
    let labelled = if object["metadata"]["labels"].is_object() {
        plain.entries("/metadata/labels", "labels")
    } else {
        plain.hole("/metadata", "labels", Hole::Optional("labels"))
    };
    let template = labelled.hole("/metadata", "annotations", Hole::Optional("annotations"));
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    match (part, object["kind"].as_str().unwrap_or_default()) {
        (Part::Access, "ClusterRole" | "ClusterRoleBinding")
            if name == access::SECRET_NAMES_ROLE =>
        {
            template.when(".Values.access.secretNames")
        }
        (Part::Configuration, _) => template.hole(
            "/data",
            "config.yaml",
            Hole::Lines(
                " |",
                vec!["  {{- include \"sluice.config\" . | nindent 4 }}".to_owned()],
            ),
        ),
        (Part::Policies, _) => template.when(".Values.policies.shipped"),
        (Part::Workloads, "PodDisruptionBudget") => {
            let program = program(name);
            // a budget for a single pod would stop every drain of its node
            template.when(format!("gt (int .Values.{program}.replicas) 1"))
        }
        (Part::Workloads, "Deployment") if name == access::WEBHOOK_ACCOUNT => deployment(
            template,
            "webhook",
            [
                "webhook.resources",
                "webhook.topologySpreadConstraints",
                "webhook.affinity",
                "webhook.nodeSelector",
                "webhook.tolerations",
                "webhook.priorityClassName",
                "webhook.podLabels",
                "webhook.podAnnotations",
                "webhook.extraVolumes",
                "webhook.extraVolumeMounts",
            ],
        ),
        (Part::Workloads, "Deployment") => deployment(
            template,
            "controller",
            [
                "controller.resources",
                "controller.topologySpreadConstraints",
                "controller.affinity",
                "controller.nodeSelector",
                "controller.tolerations",
                "controller.priorityClassName",
                "controller.podLabels",
                "controller.podAnnotations",
                "controller.extraVolumes",
                "controller.extraVolumeMounts",
            ],
        ),
        _ => template,
    }
}

/// `sluice-webhook` without `sluice-`.
fn program(name: &str) -> &str {
    name.strip_prefix("sluice-").unwrap_or(name)
}

fn deployment(template: Template, program: &str, settings: [&'static str; 10]) -> Template {
    let [
        resources,
        spread,
        affinity,
        nodes,
        tolerations,
        priority,
        labels,
        annotations,
        volumes,
        mounts,
    ] = settings;
    let pod = "/spec/template/spec";
    let container = "/spec/template/spec/containers/0";
    let arguments = [
        "- --config=/etc/sluice/config.yaml",
        "- --log-format={{ .Values.logging.format }}",
        "{{- with .Values.logging.level }}",
        "- {{ printf \"--log-level=%s\" . | quote }}",
        "{{- end }}",
    ];
    let listed = |plain: &[&str], setting: &str| {
        let mut lines: Vec<String> = plain.iter().map(|line| (*line).to_owned()).collect();
        lines.push(format!("{{{{- with .Values.{setting} }}}}"));
        lines.push("{{- toYaml . | nindent INDENT }}".to_owned());
        lines.push("{{- end }}".to_owned());
        lines
    };
    let indented = |lines: Vec<String>, indent: usize| {
        lines
            .into_iter()
            .map(|line| line.replace("INDENT", &indent.to_string()))
            .collect::<Vec<String>>()
    };
    template
        .hole(
            "/spec",
            "replicas",
            Hole::Text(format!("{{{{ .Values.{program}.replicas }}}}")),
        )
        .hole(
            "/spec/template/metadata",
            "annotations",
            Hole::Lines(
                "",
                vec![
                    // programs read their file once: another file, other pods
                    "  checksum/config: {{ include \"sluice.config\" . | sha256sum | quote }}".to_owned(),
                    format!("  {{{{- with .Values.{annotations} }}}}"),
                    "  {{- toYaml . | nindent 8 }}".to_owned(),
                    "  {{- end }}".to_owned(),
                ],
            ),
        )
        .entries("/spec/template/metadata/labels", labels)
        .hole(pod, "imagePullSecrets", Hole::Optional("images.pullSecrets"))
        .hole(pod, "affinity", Hole::Optional(affinity))
        .hole(pod, "nodeSelector", Hole::Optional(nodes))
        .hole(pod, "tolerations", Hole::Optional(tolerations))
        .hole(pod, "priorityClassName", Hole::OptionalText(priority))
        .hole(pod, "topologySpreadConstraints", Hole::Optional(spread))
        .hole(
            pod,
            "volumes",
            Hole::Lines(
                "",
                indented(
                    listed(
                        &["- configMap:", "    name: sluice-config", "  name: config"],
                        volumes,
                    ),
                    6,
                ),
            ),
        )
        .hole(
            container,
            "image",
            Hole::Text(format!(
                "{{{{ include \"sluice.image\" (dict \"root\" . \"name\" \"{program}\") | quote }}}}"
            )),
        )
        .hole(
            container,
            "imagePullPolicy",
            Hole::OptionalText("images.pullPolicy"),
        )
        .hole(
            container,
            "args",
            Hole::Lines("", arguments.map(str::to_owned).to_vec()),
        )
        .hole(container, "resources", Hole::Block(resources))
        .hole(
            container,
            "volumeMounts",
            Hole::Lines(
                "",
                indented(
                    listed(
                        &[
                            "- mountPath: /etc/sluice",
                            "  name: config",
                            "  readOnly: true",
                        ],
                        mounts,
                    ),
                    8,
                ),
            ),
        )
}

/// Which definitions this version needs.
fn definitions(plain: &Plain) -> String {
    let mut text =
        format!("{{{{- /*\n{HEADER}*/ -}}}}\n{{{{- define \"sluice.definitions\" -}}}}\n");
    for (part, object) in &plain.objects {
        if *part == Part::Definitions {
            text.push_str(&format!(
                "{}: {}\n",
                object["metadata"]["name"].as_str().unwrap_or_default(),
                object["metadata"]["annotations"][DEFINITION_DIGEST]
            ));
        }
    }
    text.push_str("{{- end }}\n");
    text
}

fn prometheus_rule() -> Result<String, GenerateError> {
    let rule = json!({
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {
            "name": "sluice",
            "namespace": SYSTEM_NAMESPACE,
            "labels": {access::PART_OF: "sluice"},
        },
        "spec": {"groups": alerts::groups(|threshold| format!("${}$", threshold.path))},
    });
    let template = Template::new(rule)
        .when(".Values.prometheusRule.enabled")
        .entries("/metadata/labels", "labels")
        .entries("/metadata/labels", "prometheusRule.labels")
        .hole("/metadata", "annotations", Hole::Optional("annotations"));
    let mut text = template.render("prometheus-rule.yaml")?;
    for threshold in alerts::THRESHOLDS {
        text = text.replace(
            &format!("${}$", threshold.path),
            &format!("{{{{ .Values.{} }}}}", threshold.path),
        );
    }
    Ok(format!("{HEADER}{text}"))
}

/// What may be done before an uninstall: there while it runs, and no longer.
fn uninstall_access() -> Result<String, GenerateError> {
    let mut text = HEADER.to_owned();
    for mut object in access::uninstall::objects() {
        object["metadata"]["annotations"] = json!({
            "helm.sh/hook": "pre-delete",
            "helm.sh/hook-weight": "-5",
            "helm.sh/hook-delete-policy": "before-hook-creation,hook-succeeded",
        });
        let template = Template::new(object).entries("/metadata/labels", "labels");
        text.push_str(&template.render("uninstall-access.yaml")?);
    }
    Ok(text)
}

/// A page with a generated part: what stands between the two marks is replaced.
///
/// `None` when the page has no such marks.
#[must_use]
pub fn spliced(page: &str, table: &str) -> Option<String> {
    let (head, rest) = page.split_once(BEGIN)?;
    let (_, tail) = rest.split_once(END)?;
    Some(format!("{head}{BEGIN}\n{table}{END}{tail}"))
}

const BEGIN: &str = "<!-- values: generated from the chart's settings -->";
const END: &str = "<!-- end of values -->";

#[cfg(test)]
mod tests {
    use super::{template::literal, *};

    #[test]
    fn every_setting_is_used_by_a_template() {
        let manifests = super::super::install::manifests().unwrap();
        let plain = Plain::read(&manifests).unwrap();
        let mut templates = String::new();
        for file in files(&manifests).unwrap() {
            if file.path.contains("/templates/") {
                templates.push_str(&file.text);
            }
        }
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../manifests/chart/templates");
        for entry in std::fs::read_dir(folder).unwrap() {
            templates.push_str(&std::fs::read_to_string(entry.unwrap().path()).unwrap());
        }
        for setting in &plain.settings {
            let used = templates.contains(&format!(".Values.{}", setting.path))
                // read by the helper for images, by their name
                || setting.path.starts_with("images.");
            assert!(used, "{}", setting.path);
        }
    }

    #[test]
    fn a_text_of_a_manifest_is_never_an_action() {
        assert_eq!(literal("a {{ b }}"), "a {{ \"{{\" }} b }}");
        assert!(
            !alerts::ALERTS
                .iter()
                .any(|alert| alert.expression.contains("HOLE"))
        );
    }

    #[test]
    fn the_generated_part_of_a_page_is_replaced_and_nothing_else() {
        let page = format!("a\n{BEGIN}\nold\n{END}\nb\n");
        let new = spliced(&page, "new\n").unwrap();
        assert_eq!(new, format!("a\n{BEGIN}\nnew\n{END}\nb\n"));
        assert_eq!(spliced(&new, "new\n").unwrap(), new);
        assert_eq!(spliced("a", "b"), None);
    }
}
