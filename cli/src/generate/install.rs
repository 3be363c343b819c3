//! The manifests of an installation, in the order in which they are applied. `sluice install` applies exactly these, and `manifests/install.yaml` holds them.

use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sluice_api::access;

use super::{GenerateError, document};

/// One file below `manifests/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Its path below `manifests/`.
    pub path: String,
    /// Its documents.
    pub text: String,
    /// Whether it is made from code; the others are written by hand.
    pub generated: bool,
    /// What it is part of.
    pub part: Part,
}

/// What a manifest is for, in the order of an installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The namespace.
    Namespace,
    /// The definitions.
    Definitions,
    /// Access rights.
    Access,
    /// Guards inside the API server, and the share of its attention.
    Guards,
    /// The configuration file.
    Configuration,
    /// The shipped policies.
    Policies,
    /// The programs.
    Workloads,
}

/// On each definition: what it says, in short, so that a chart can tell whether the cluster has the definitions it was made with.
pub const DEFINITION_DIGEST: &str = "sluice.dev/definition-digest";

/// A definition that tells what it says.
fn with_digest(crd: &impl Serialize) -> Result<Value, GenerateError> {
    let mut object = serde_json::to_value(crd).map_err(|source| GenerateError::Yaml {
        what: "a definition".to_owned(),
        source: super::yaml::YamlError::Object(source),
    })?;
    // the written form has its keys in order, whatever map the values are kept in
    let text = document("a definition", &object["spec"])?;
    let digest: String = Sha256::digest(text.as_bytes())
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    object["metadata"]["annotations"][DEFINITION_DIGEST] = json!(digest);
    Ok(object)
}

fn written(path: &str, part: Part, text: &str) -> Manifest {
    Manifest {
        path: path.to_owned(),
        text: text.to_owned(),
        generated: false,
        part,
    }
}

fn generated<T: Serialize>(
    path: &str,
    part: Part,
    objects: &[T],
) -> Result<Manifest, GenerateError> {
    let documents: Vec<String> = objects
        .iter()
        .map(|object| document(path, object))
        .collect::<Result<_, _>>()?;
    let text = format!("{}{}", super::HEADER, documents.join("---\n"));
    Ok(Manifest {
        path: path.to_owned(),
        text,
        generated: true,
        part,
    })
}

/// Every manifest, in the order in which they are applied.
///
/// # Errors
/// When an object cannot be written as YAML.
pub fn manifests() -> Result<Vec<Manifest>, GenerateError> {
    let mut all = vec![written(
        "namespace.yaml",
        Part::Namespace,
        include_str!("../../../manifests/namespace.yaml"),
    )];
    for crd in sluice_api::crd::all() {
        let name = crd.metadata.name.clone().unwrap_or_default();
        all.push(generated(
            &format!("crds/{name}.yaml"),
            Part::Definitions,
            &[with_digest(&crd)?],
        )?);
    }
    all.push(generated("rbac.yaml", Part::Access, &access::objects())?);
    all.push(written(
        "replicas.yaml",
        Part::Access,
        include_str!("../../../manifests/replicas.yaml"),
    ));
    all.push(written(
        "guards.yaml",
        Part::Guards,
        include_str!("../../../manifests/guards.yaml"),
    ));
    all.push(written(
        "flowschema.yaml",
        Part::Guards,
        include_str!("../../../manifests/flowschema.yaml"),
    ));
    all.push(written(
        "config.yaml",
        Part::Configuration,
        include_str!("../../../manifests/config.yaml"),
    ));
    let mut policies = super::HEADER.to_owned();
    // the other sets are a team's choice
    for (_, text) in sluice_policies::library()
        .iter()
        .filter(|(file, _)| *file == sluice_policies::DEFAULT_SET)
    {
        policies.push_str("---\n");
        policies.push_str(text.trim_end());
        policies.push('\n');
    }
    all.push(Manifest {
        path: "policies.yaml".to_owned(),
        text: policies,
        generated: true,
        part: Part::Policies,
    });
    all.push(written(
        "workloads.yaml",
        Part::Workloads,
        include_str!("../../../manifests/workloads.yaml"),
    ));
    Ok(all)
}

/// One file that installs everything: `kubectl apply --server-side -f manifests/install.yaml`.
#[must_use]
pub fn combined(manifests: &[Manifest]) -> String {
    let mut text = format!(
        "{}# kubectl apply --server-side -f manifests/install.yaml\n",
        super::HEADER
    );
    for manifest in manifests {
        let body = manifest
            .text
            .strip_prefix(super::HEADER)
            .unwrap_or(&manifest.text);
        if !body.starts_with("---") {
            text.push_str("---\n");
        }
        text.push_str(body);
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use sluice_api::SYSTEM_NAMESPACE;
    use sluice_policies::{
        FactKind,
        schema::{KubernetesVersion, Schemas},
    };

    use super::*;
    use crate::{
        check::{
            facts::Known,
            policies,
            verdict::{self, FailOn, Judges},
        },
        manifest::{document, source::Source},
        outcome::Outcome,
    };

    fn objects() -> document::Manifests {
        let text = combined(&manifests().unwrap());
        document::strict_objects(&[Source {
            name: "install.yaml".into(),
            text,
        }])
    }

    #[test]
    fn every_object_of_an_installation_is_marked_and_named_once() {
        let read = objects();
        assert_eq!(read.problems, []);
        let mut names = BTreeSet::new();
        for object in &read.objects {
            let kind = object.kind().to_owned();
            assert!(
                names.insert((
                    kind.clone(),
                    object.namespace().map(str::to_owned),
                    object.name()
                )),
                "{kind} {}",
                object.name()
            );
            if kind != "Policy" {
                assert_eq!(
                    object.value["metadata"]["labels"][access::PART_OF],
                    "sluice",
                    "{kind} {}",
                    object.name()
                );
            }
            assert!(
                object
                    .namespace()
                    .is_none_or(|namespace| namespace == SYSTEM_NAMESPACE),
                "{kind} {}",
                object.name()
            );
        }
        for role in access::ROLES {
            let kinds = ["ClusterRole", "Role"].map(|kind| (kind.to_owned(), role.name.to_owned()));
            assert!(
                names
                    .iter()
                    .any(|(kind, _, name)| kinds.contains(&(kind.clone(), name.clone()))),
                "{}",
                role.name
            );
        }
    }

    #[test]
    fn the_namespace_says_the_version_of_these_programs() {
        let read = objects();
        let namespace = &read.objects[0].value;
        assert_eq!(namespace["metadata"]["name"], SYSTEM_NAMESPACE);
        assert_eq!(
            namespace["metadata"]["labels"][access::VERSION_LABEL],
            env!("CARGO_PKG_VERSION")
        );
    }

    #[test]
    fn sluice_passes_its_own_rules() {
        let read = objects();
        let mut known = Known::default();
        known.learn_manifests(&read.objects, SYSTEM_NAMESPACE);
        // an empty cluster
        FactKind::ALL
            .into_iter()
            .filter(|kind| *kind != FactKind::Nodes)
            .for_each(|kind| known.read_whole(kind));
        let loaded = policies::load(&[]);
        assert_eq!(loaded.problems, []);
        let targets = sluice_probes::validate::TargetRules::default();
        let schemas = Schemas::new(KubernetesVersion::newest());
        let judges = Judges {
            old: &crate::check::old::Old::default(),
            schemas: Some(&schemas),
            policies: &loaded.set,
            exceptions: None,
            known: &known,
            targets: &targets,
            namespace: SYSTEM_NAMESPACE,
        };
        let verdict = verdict::judge(&read, judges);
        let fail_on = FailOn {
            deny: true,
            warn: true,
            unknown: true,
        };
        assert_eq!(
            verdict.outcome(fail_on),
            Outcome::Yes,
            "{}",
            crate::check::text::render(&verdict, None, crate::console::Style { terminal: false })
        );
    }

    #[test]
    fn the_shipped_configuration_is_one() {
        let read = objects();
        let config = read
            .objects
            .iter()
            .find(|object| object.kind() == "ConfigMap")
            .unwrap();
        let text = config.value["data"]["config.yaml"].as_str().unwrap();
        assert_eq!(
            sluice_runtime::config::parse("config.yaml", text).unwrap(),
            sluice_runtime::config::Config::default()
        );
    }

    #[test]
    fn the_programs_run_as_the_accounts_that_have_the_rights() {
        let read = objects();
        for (name, account) in [
            ("sluice-webhook", access::WEBHOOK_ACCOUNT),
            ("sluice-controller", access::CONTROLLER_ACCOUNT),
        ] {
            let deployment = read
                .objects
                .iter()
                .find(|object| object.kind() == "Deployment" && object.name() == name)
                .unwrap();
            assert_eq!(
                deployment.value["spec"]["template"]["spec"]["serviceAccountName"],
                account
            );
        }
        let guards = include_str!("../../../manifests/guards.yaml");
        let user = format!(
            "system:serviceaccount:{SYSTEM_NAMESPACE}:{}",
            access::CONTROLLER_ACCOUNT
        );
        assert_eq!(guards.matches(&user).count(), 2);
    }
}
