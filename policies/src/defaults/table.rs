//! One row per default of the API server.

use serde_json::{Map, Value};

use super::Constant::{self, Bool, EmptyObject, Int, Text};
use crate::view::Kind::{self, CronJob, DaemonSet, Deployment, Job, Pod, ReplicaSet, StatefulSet};

/// A part of an object that has defaults of its own, wherever it lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Object,
    PodSpec,
    Container,
    Probe,
    HttpGet,
    Grpc,
    Port,
    FieldRef,
    FileKeyRef,
    Volume,
    Claim,
}

/// Where a part lies in its parent; `[*]` goes through a list. Parents come first.
pub(super) const PLACES: &[(Part, Part, &str)] = &[
    (Part::PodSpec, Part::Container, "containers[*]"),
    (Part::PodSpec, Part::Container, "initContainers[*]"),
    (Part::PodSpec, Part::Container, "ephemeralContainers[*]"),
    (Part::PodSpec, Part::Volume, "volumes[*]"),
    (
        Part::PodSpec,
        Part::FieldRef,
        "volumes[*].downwardAPI.items[*].fieldRef",
    ),
    (
        Part::PodSpec,
        Part::FieldRef,
        "volumes[*].projected.sources[*].downwardAPI.items[*].fieldRef",
    ),
    (Part::Container, Part::Probe, "livenessProbe"),
    (Part::Container, Part::Probe, "readinessProbe"),
    (Part::Container, Part::Probe, "startupProbe"),
    (
        Part::Container,
        Part::HttpGet,
        "lifecycle.postStart.httpGet",
    ),
    (Part::Container, Part::HttpGet, "lifecycle.preStop.httpGet"),
    (Part::Container, Part::Port, "ports[*]"),
    (Part::Container, Part::FieldRef, "env[*].valueFrom.fieldRef"),
    (
        Part::Container,
        Part::FileKeyRef,
        "env[*].valueFrom.fileKeyRef",
    ),
    (Part::Probe, Part::HttpGet, "httpGet"),
    (Part::Probe, Part::Grpc, "grpc"),
    (Part::Object, Part::Claim, "spec.volumeClaimTemplates[*]"),
];

/// What a row fills in.
#[derive(Clone, Copy)]
pub(super) enum Filled {
    /// Always the same.
    Constant(Constant),
    /// The value of another field of the same part, when there is one.
    Copy(&'static str),
    /// `Always` for the tag `latest`, `IfNotPresent` otherwise; the text is the path of the image.
    PullPolicy(&'static str),
    /// The limits that have no request.
    RequestsOfLimits,
}

/// How a row reads the part it belongs to.
pub(super) type Get<'g, 'v> = dyn Fn(&str) -> Option<&'v Value> + 'g;

/// One default.
pub(super) struct Row {
    /// The kinds of objects that have it.
    pub(super) kinds: &'static [Kind],
    /// The part it belongs to.
    pub(super) part: Part,
    /// The path in that part.
    pub(super) path: &'static str,
    /// What is filled in.
    pub(super) filled: Filled,
    /// Whether it applies.
    pub(super) when: When,
}

/// When a row applies.
#[derive(Clone, Copy)]
pub(super) enum When {
    /// Whenever the field is absent.
    Always,
    /// When something else is there.
    Present(&'static str),
    /// When another field is absent or has this text.
    Unless(&'static str, &'static str),
    /// When both are absent.
    Absent(&'static str),
    /// When nothing but the name is there.
    OnlyName,
    /// A `StatefulSet` that rolls: no type at all, or the type with its parameters.
    StatefulSetRolls,
}

impl When {
    pub(super) fn holds<'v>(self, get: impl Fn(&str) -> Option<&'v Value>) -> bool {
        let get: &Get<'_, 'v> = &get;
        match self {
            Self::Always => true,
            Self::Present(path) => get(path).is_some(),
            Self::Unless(path, text) => get(path).is_none_or(|value| value.as_str() == Some(text)),
            Self::Absent(path) => get(path).is_none(),
            Self::OnlyName => get("").and_then(Value::as_object).is_some_and(|object| {
                object
                    .iter()
                    .all(|(name, value)| name == "name" || value.is_null())
            }),
            Self::StatefulSetRolls => match get("spec.updateStrategy.type") {
                None => true,
                Some(kind) => {
                    kind.as_str() == Some("RollingUpdate")
                        && get("spec.updateStrategy.rollingUpdate").is_some()
                }
            },
        }
    }
}

impl Row {
    pub(super) const fn constant(&self) -> Option<Constant> {
        match self.filled {
            Filled::Constant(constant) => Some(constant),
            _ => None,
        }
    }

    /// The value for a part that lacks the field; `None` when there is nothing to fill in.
    pub(super) fn value(&self, part: &Value) -> Option<Value> {
        match self.filled {
            Filled::Constant(constant) => Some(constant.value()),
            Filled::Copy(path) => crate::view::lookup(part, path).cloned(),
            Filled::PullPolicy(image) => {
                let image = crate::view::lookup(part, image)
                    .and_then(Value::as_str)
                    .unwrap_or_default();
                Some(Value::from(pull_policy(image)))
            }
            Filled::RequestsOfLimits => {
                let limits = crate::view::lookup(part, "resources.limits")?.as_object()?;
                let mut requests = match crate::view::lookup(part, "resources.requests") {
                    None => Map::new(),
                    Some(requests) => requests.as_object()?.clone(),
                };
                let before = requests.len();
                for (resource, limit) in limits {
                    if !requests.contains_key(resource) {
                        requests.insert(resource.clone(), limit.clone());
                    }
                }
                (requests.len() > before).then_some(Value::Object(requests))
            }
        }
    }

    /// Whether the row adds to a field that is there already.
    pub(super) const fn merges(&self) -> bool {
        matches!(self.filled, Filled::RequestsOfLimits)
    }
}

/// The pull policy of an image: by its tag, where a reference that does not parse has none.
fn pull_policy(image: &str) -> &'static str {
    let (name, digest) = image
        .split_once('@')
        .map_or((image, false), |(name, _)| (name, true));
    let start = name.rfind('/').map_or(0, |slash| slash + 1);
    let (repository, tag) = match name[start..].split_once(':') {
        Some((_, tag)) => (&name[..name.len() - tag.len() - 1], Some(tag)),
        None => (name, None),
    };
    // the registry may be written in capitals, the repository may not
    let path = match repository.split_once('/') {
        Some((host, path))
            if host.contains(['.', ':']) || host == "localhost" || host.to_lowercase() != host =>
        {
            path
        }
        _ => repository,
    };
    let parses = !path.is_empty()
        && path
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-/".contains(&b));
    let latest = match tag {
        Some(tag) => tag == "latest",
        None => !digest,
    };
    if parses && latest {
        "Always"
    } else {
        "IfNotPresent"
    }
}

const fn row(
    kinds: &'static [Kind],
    part: Part,
    path: &'static str,
    filled: Constant,
    when: When,
) -> Row {
    Row {
        kinds,
        part,
        path,
        filled: Filled::Constant(filled),
        when,
    }
}

/// A default of every pod, however it is made.
const fn pod(part: Part, path: &'static str, filled: Constant, when: When) -> Row {
    row(&Kind::ALL, part, path, filled, when)
}

const fn computed(
    kinds: &'static [Kind],
    part: Part,
    path: &'static str,
    filled: Filled,
    when: When,
) -> Row {
    Row {
        kinds,
        part,
        path,
        filled,
        when,
    }
}

/// The table. Rows are applied in order: a row that looks at another field stands before the row that fills it where that matters.
pub(super) static ROWS: &[Row] = &[
    // apps/v1
    row(
        &[Deployment, StatefulSet, ReplicaSet],
        Part::Object,
        "spec.replicas",
        Int(1),
        When::Always,
    ),
    row(
        &[Deployment, StatefulSet, DaemonSet],
        Part::Object,
        "spec.revisionHistoryLimit",
        Int(10),
        When::Always,
    ),
    row(
        &[Deployment],
        Part::Object,
        "spec.strategy.type",
        Text("RollingUpdate"),
        When::Always,
    ),
    row(
        &[Deployment],
        Part::Object,
        "spec.strategy.rollingUpdate.maxUnavailable",
        Text("25%"),
        When::Unless("spec.strategy.type", "RollingUpdate"),
    ),
    row(
        &[Deployment],
        Part::Object,
        "spec.strategy.rollingUpdate.maxSurge",
        Text("25%"),
        When::Unless("spec.strategy.type", "RollingUpdate"),
    ),
    row(
        &[Deployment],
        Part::Object,
        "spec.progressDeadlineSeconds",
        Int(600),
        When::Always,
    ),
    row(
        &[DaemonSet],
        Part::Object,
        "spec.updateStrategy.type",
        Text("RollingUpdate"),
        When::Always,
    ),
    row(
        &[DaemonSet],
        Part::Object,
        "spec.updateStrategy.rollingUpdate.maxUnavailable",
        Int(1),
        When::Unless("spec.updateStrategy.type", "RollingUpdate"),
    ),
    row(
        &[DaemonSet],
        Part::Object,
        "spec.updateStrategy.rollingUpdate.maxSurge",
        Int(0),
        When::Unless("spec.updateStrategy.type", "RollingUpdate"),
    ),
    row(
        &[StatefulSet],
        Part::Object,
        "spec.podManagementPolicy",
        Text("OrderedReady"),
        When::Always,
    ),
    row(
        &[StatefulSet],
        Part::Object,
        "spec.updateStrategy.rollingUpdate.partition",
        Int(0),
        When::StatefulSetRolls,
    ),
    row(
        &[StatefulSet],
        Part::Object,
        "spec.updateStrategy.type",
        Text("RollingUpdate"),
        When::Always,
    ),
    row(
        &[StatefulSet],
        Part::Object,
        "spec.persistentVolumeClaimRetentionPolicy.whenDeleted",
        Text("Retain"),
        When::Always,
    ),
    row(
        &[StatefulSet],
        Part::Object,
        "spec.persistentVolumeClaimRetentionPolicy.whenScaled",
        Text("Retain"),
        When::Always,
    ),
    row(
        &[StatefulSet],
        Part::Claim,
        "apiVersion",
        Text("v1"),
        When::Always,
    ),
    row(
        &[StatefulSet],
        Part::Claim,
        "kind",
        Text("PersistentVolumeClaim"),
        When::Always,
    ),
    row(
        &[StatefulSet],
        Part::Claim,
        "spec.volumeMode",
        Text("Filesystem"),
        When::Always,
    ),
    row(
        &[StatefulSet],
        Part::Claim,
        "status.phase",
        Text("Pending"),
        When::Always,
    ),
    // batch/v1
    row(
        &[Job],
        Part::Object,
        "spec.completions",
        Int(1),
        When::Absent("spec.parallelism"),
    ),
    row(
        &[Job],
        Part::Object,
        "spec.parallelism",
        Int(1),
        When::Always,
    ),
    row(
        &[Job],
        Part::Object,
        "spec.backoffLimit",
        Int(i32::MAX as i64),
        When::Present("spec.backoffLimitPerIndex"),
    ),
    row(
        &[Job],
        Part::Object,
        "spec.backoffLimit",
        Int(6),
        When::Absent("spec.backoffLimitPerIndex"),
    ),
    row(
        &[Job],
        Part::Object,
        "spec.completionMode",
        Text("NonIndexed"),
        When::Always,
    ),
    row(
        &[Job],
        Part::Object,
        "spec.suspend",
        Bool(false),
        When::Always,
    ),
    row(
        &[Job],
        Part::Object,
        "spec.manualSelector",
        Bool(false),
        When::Always,
    ),
    row(
        &[Job],
        Part::Object,
        "spec.podReplacementPolicy",
        Text("Failed"),
        When::Present("spec.podFailurePolicy"),
    ),
    row(
        &[Job],
        Part::Object,
        "spec.podReplacementPolicy",
        Text("TerminatingOrFailed"),
        When::Absent("spec.podFailurePolicy"),
    ),
    computed(
        &[Job],
        Part::Object,
        "metadata.labels",
        Filled::Copy("spec.template.metadata.labels"),
        When::Always,
    ),
    row(
        &[CronJob],
        Part::Object,
        "spec.concurrencyPolicy",
        Text("Allow"),
        When::Always,
    ),
    row(
        &[CronJob],
        Part::Object,
        "spec.suspend",
        Bool(false),
        When::Always,
    ),
    row(
        &[CronJob],
        Part::Object,
        "spec.successfulJobsHistoryLimit",
        Int(3),
        When::Always,
    ),
    row(
        &[CronJob],
        Part::Object,
        "spec.failedJobsHistoryLimit",
        Int(1),
        When::Always,
    ),
    // every PodSpec
    pod(Part::PodSpec, "restartPolicy", Text("Always"), When::Always),
    pod(
        Part::PodSpec,
        "dnsPolicy",
        Text("ClusterFirst"),
        When::Always,
    ),
    pod(
        Part::PodSpec,
        "schedulerName",
        Text("default-scheduler"),
        When::Always,
    ),
    pod(Part::PodSpec, "securityContext", EmptyObject, When::Always),
    pod(
        Part::PodSpec,
        "terminationGracePeriodSeconds",
        Int(30),
        When::Always,
    ),
    computed(
        &Kind::ALL,
        Part::PodSpec,
        "serviceAccountName",
        Filled::Copy("serviceAccount"),
        When::Always,
    ),
    computed(
        &Kind::ALL,
        Part::PodSpec,
        "serviceAccount",
        Filled::Copy("serviceAccountName"),
        When::Always,
    ),
    pod(
        Part::Container,
        "terminationMessagePath",
        Text("/dev/termination-log"),
        When::Always,
    ),
    pod(
        Part::Container,
        "terminationMessagePolicy",
        Text("File"),
        When::Always,
    ),
    computed(
        &Kind::ALL,
        Part::Container,
        "imagePullPolicy",
        Filled::PullPolicy("image"),
        When::Always,
    ),
    pod(Part::Container, "resources", EmptyObject, When::Always),
    pod(Part::Probe, "timeoutSeconds", Int(1), When::Always),
    pod(Part::Probe, "periodSeconds", Int(10), When::Always),
    pod(Part::Probe, "successThreshold", Int(1), When::Always),
    pod(Part::Probe, "failureThreshold", Int(3), When::Always),
    pod(Part::HttpGet, "path", Text("/"), When::Always),
    pod(Part::HttpGet, "scheme", Text("HTTP"), When::Always),
    pod(Part::Grpc, "service", Text(""), When::Always),
    pod(Part::Port, "protocol", Text("TCP"), When::Always),
    pod(Part::FieldRef, "apiVersion", Text("v1"), When::Always),
    pod(Part::FileKeyRef, "optional", Bool(false), When::Always),
    // volumes
    pod(Part::Volume, "emptyDir", EmptyObject, When::OnlyName),
    pod(
        Part::Volume,
        "secret.defaultMode",
        Int(0o644),
        When::Present("secret"),
    ),
    pod(
        Part::Volume,
        "configMap.defaultMode",
        Int(0o644),
        When::Present("configMap"),
    ),
    pod(
        Part::Volume,
        "downwardAPI.defaultMode",
        Int(0o644),
        When::Present("downwardAPI"),
    ),
    pod(
        Part::Volume,
        "projected.defaultMode",
        Int(0o644),
        When::Present("projected"),
    ),
    pod(
        Part::Volume,
        "hostPath.type",
        Text(""),
        When::Present("hostPath"),
    ),
    pod(
        Part::Volume,
        "ephemeral.volumeClaimTemplate.spec.volumeMode",
        Text("Filesystem"),
        When::Present("ephemeral.volumeClaimTemplate.spec"),
    ),
    computed(
        &Kind::ALL,
        Part::Volume,
        "image.pullPolicy",
        Filled::PullPolicy("image.reference"),
        When::Present("image"),
    ),
    pod(
        Part::Volume,
        "iscsi.iscsiInterface",
        Text("default"),
        When::Present("iscsi"),
    ),
    pod(Part::Volume, "rbd.pool", Text("rbd"), When::Present("rbd")),
    pod(
        Part::Volume,
        "rbd.user",
        Text("admin"),
        When::Present("rbd"),
    ),
    pod(
        Part::Volume,
        "rbd.keyring",
        Text("/etc/ceph/keyring"),
        When::Present("rbd"),
    ),
    pod(
        Part::Volume,
        "azureDisk.cachingMode",
        Text("ReadWrite"),
        When::Present("azureDisk"),
    ),
    pod(
        Part::Volume,
        "azureDisk.fsType",
        Text("ext4"),
        When::Present("azureDisk"),
    ),
    pod(
        Part::Volume,
        "azureDisk.readOnly",
        Bool(false),
        When::Present("azureDisk"),
    ),
    pod(
        Part::Volume,
        "azureDisk.kind",
        Text("Shared"),
        When::Present("azureDisk"),
    ),
    pod(
        Part::Volume,
        "scaleIO.fsType",
        Text("xfs"),
        When::Present("scaleIO"),
    ),
    pod(
        Part::Volume,
        "scaleIO.storageMode",
        Text("ThinProvisioned"),
        When::Present("scaleIO"),
    ),
    // a Pod itself, not a template of it
    row(
        &[Pod],
        Part::PodSpec,
        "enableServiceLinks",
        Bool(true),
        When::Always,
    ),
    computed(
        &[Pod],
        Part::Container,
        "resources.requests",
        Filled::RequestsOfLimits,
        When::Always,
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pull_policy_goes_by_the_tag() {
        for (image, policy) in [
            ("nginx", "Always"),
            ("nginx:latest", "Always"),
            ("nginx:1.29", "IfNotPresent"),
            ("registry.example.org:5000/team/app", "Always"),
            ("registry.example.org:5000/team/app:2", "IfNotPresent"),
            (
                "nginx@sha256:0000000000000000000000000000000000000000000000000000000000000000",
                "IfNotPresent",
            ),
            ("Registry.example.org/app", "Always"),
            ("app/NotLower", "IfNotPresent"),
            ("", "IfNotPresent"),
            ("two words", "IfNotPresent"),
            ("ä:é", "IfNotPresent"),
        ] {
            assert_eq!(pull_policy(image), policy, "{image}");
        }
    }
}
