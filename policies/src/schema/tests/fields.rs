//! Which fields there are, in which version.

use sluice_tree::json;

use super::{custom::definition, newest, told};
use crate::schema::{KubernetesVersion, Schemas, Shape, Type, table::Table};

#[test]
fn a_field_of_another_version_is_said_so() {
    let pick = |from: &str, than: &str| {
        let (old, new) = (
            Schemas::new(from.parse().unwrap()),
            Schemas::new(than.parse().unwrap()),
        );
        let (table, release) = (Table::shipped(), new.version().release().unwrap());
        // any field that only the newer version knows
        table
            .kinds(release)
            .filter(|(api_version, kind)| old.kind(api_version, kind).is_some())
            .find_map(|(api_version, kind)| {
                let Shape::Object(object) = new.kind(&api_version, kind)?.shape() else {
                    return None;
                };
                let Shape::Object(spec) = object.field("spec")?.shape() else {
                    return None;
                };
                let name = spec
                    .fields()
                    .into_iter()
                    .map(|(name, _)| name)
                    .find(|name| {
                        old.field_exists(&api_version, kind, &format!("spec.{name}")) == Some(false)
                    })?;
                Some((api_version, kind.to_owned(), name.to_owned()))
            })
    };
    let (api_version, kind, name) =
        pick("1.33", "1.37").expect("four minors add a field to some spec");
    let object = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": "a"}, "spec": {name.as_str(): null}});
    assert_eq!(told(&newest(), &object), Vec::<String>::new());
    let found = told(&Schemas::new("1.33".parse().unwrap()), &object);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].contains("or newer; 1.33 is asked for"),
        "{found:?}"
    );
}

#[test]
fn fields_can_be_asked_for() {
    let mut schemas = newest();
    schemas.learn(&definition());
    for (api_version, kind, path, exists) in [
        ("apps/v1", "Deployment", "spec.replicas", Some(true)),
        ("apps/v1", "Deployment", "spec.replica", Some(false)),
        (
            "apps/v1",
            "Deployment",
            "spec.template.spec.containers[0].image",
            Some(true),
        ),
        (
            "apps/v1",
            "Deployment",
            "spec.template.spec.containers[*].imag",
            Some(false),
        ),
        (
            "apps/v1",
            "Deployment",
            "spec.template.spec.containers.image",
            Some(false),
        ),
        ("apps/v1", "Deployment", "spec.replicas.x", Some(false)),
        (
            "apps/v1",
            "Deployment",
            "metadata.labels[\"a/b\"]",
            Some(true),
        ),
        ("apps/v1", "Deployment", "metadata.labels.a.b", Some(false)),
        ("apps/v1", "Deployment", "", Some(true)),
        (
            "v1",
            "Pod",
            "spec.containers[0].resources.limits.cpu",
            Some(true),
        ),
        (
            "batch/v1",
            "CronJob",
            "spec.jobTemplate.spec.template.spec.concurrencyPolicy",
            Some(false),
        ),
        ("apps/v1", "Deployments", "spec", None),
        ("apps/v7", "Deployment", "spec", None),
        ("example.org/v1", "Thing", "spec.size", Some(true)),
        ("example.org/v1", "Thing", "spec.sise", Some(false)),
        ("example.org/v1", "Thing", "spec.open.whatever", None),
        ("example.org/v1", "Thing", "metadata.name", Some(true)),
        ("example.org/v2", "Thing", "metadata.name", None),
    ] {
        assert_eq!(
            schemas.field_exists(api_version, kind, path),
            exists,
            "{kind} {path}"
        );
    }
}

#[test]
fn every_shipped_version_knows_the_kinds_that_people_use() {
    for version in KubernetesVersion::shipped() {
        let schemas = Schemas::new(version);
        let release = version.release().unwrap();
        assert!(Table::shipped().kinds(release).count() > 60, "{version}");
        for (api_version, kind) in [
            ("v1", "Pod"),
            ("v1", "Service"),
            ("v1", "ConfigMap"),
            ("v1", "Secret"),
            ("v1", "Namespace"),
            ("v1", "PersistentVolumeClaim"),
            ("v1", "ServiceAccount"),
            ("v1", "ReplicationController"),
            ("v1", "PodTemplate"),
            ("apps/v1", "Deployment"),
            ("apps/v1", "StatefulSet"),
            ("apps/v1", "DaemonSet"),
            ("apps/v1", "ReplicaSet"),
            ("batch/v1", "Job"),
            ("batch/v1", "CronJob"),
            ("autoscaling/v2", "HorizontalPodAutoscaler"),
            ("policy/v1", "PodDisruptionBudget"),
            ("networking.k8s.io/v1", "Ingress"),
            ("networking.k8s.io/v1", "NetworkPolicy"),
            ("rbac.authorization.k8s.io/v1", "ClusterRole"),
            (
                "admissionregistration.k8s.io/v1",
                "ValidatingWebhookConfiguration",
            ),
            ("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
            ("apiregistration.k8s.io/v1", "APIService"),
            ("storage.k8s.io/v1", "StorageClass"),
        ] {
            let empty = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": "a"}});
            assert_eq!(
                schemas.check(&empty),
                Some(Vec::new()),
                "{kind} in {version}"
            );
            assert_eq!(
                schemas.field_exists(api_version, kind, "metadata.labels.a"),
                Some(true)
            );
        }
    }
}

/// Every type that a kind leads to says something: a table that is cut or shifted would not.
#[test]
fn every_definition_of_the_table_can_be_walked() {
    fn walk(
        typ: Type<'_>,
        seen: &mut std::collections::BTreeSet<(bool, usize)>,
        fields: &mut usize,
    ) {
        match typ.shape() {
            Shape::List(inner) | Shape::Map(inner) => walk(inner, seen, fields),
            Shape::Object(object) | Shape::Loose(object) => {
                if !seen.insert(object.identity()) {
                    return;
                }
                let name = object.name().unwrap();
                assert!(
                    name.starts_with(|one: char| one.is_ascii_uppercase()),
                    "{name}"
                );
                for (field, typ) in object.fields() {
                    assert!(!field.is_empty(), "{name}");
                    assert!(
                        object.field(field).is_some(),
                        "{name}.{field} is not found by its name"
                    );
                    *fields += 1;
                    walk(typ, seen, fields);
                }
            }
            _ => {}
        }
    }
    for version in KubernetesVersion::shipped() {
        let (mut seen, mut fields) = (Default::default(), 0);
        for (api_version, kind) in Table::shipped().kinds(version.release().unwrap()) {
            let schemas = Schemas::new(version);
            walk(
                schemas.kind(&api_version, kind).unwrap(),
                &mut seen,
                &mut fields,
            );
        }
        assert!(
            seen.len() > 450 && fields > 2400,
            "{version}: {} definitions, {fields} fields",
            seen.len()
        );
    }
}
