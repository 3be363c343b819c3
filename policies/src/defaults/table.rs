//! One row per default of the API server.

use super::Constant::{Bool, EmptyObject, Int, Text};
use super::{
    Constant,
    row::{Filled, Part, Row, When},
};
use crate::view::Kind::{self, CronJob, DaemonSet, Deployment, Job, Pod, ReplicaSet, StatefulSet};

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
