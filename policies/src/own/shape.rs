//! The fields that the parts of an object have, so that a rule which names one that does not exist is refused. As of Kubernetes 1.36; deeper fields are not checked.

use crate::view::Kind;

/// Fields of `metadata`.
pub(super) const METADATA: &[&str] = &[
    "name",
    "generateName",
    "namespace",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "labels",
    "annotations",
    "ownerReferences",
    "finalizers",
];

/// Fields of a container.
pub(super) const CONTAINER: &[&str] = &[
    "name",
    "image",
    "command",
    "args",
    "workingDir",
    "ports",
    "envFrom",
    "env",
    "resources",
    "resizePolicy",
    "restartPolicy",
    "restartPolicyRules",
    "volumeMounts",
    "volumeDevices",
    "livenessProbe",
    "readinessProbe",
    "startupProbe",
    "lifecycle",
    "terminationMessagePath",
    "terminationMessagePolicy",
    "imagePullPolicy",
    "securityContext",
    "stdin",
    "stdinOnce",
    "tty",
];

/// Fields of a pod's `spec`.
pub(super) const POD_SPEC: &[&str] = &[
    "volumes",
    "initContainers",
    "containers",
    "ephemeralContainers",
    "restartPolicy",
    "terminationGracePeriodSeconds",
    "activeDeadlineSeconds",
    "dnsPolicy",
    "nodeSelector",
    "serviceAccountName",
    "serviceAccount",
    "automountServiceAccountToken",
    "nodeName",
    "hostNetwork",
    "hostPID",
    "hostIPC",
    "shareProcessNamespace",
    "securityContext",
    "imagePullSecrets",
    "hostname",
    "subdomain",
    "affinity",
    "schedulerName",
    "tolerations",
    "hostAliases",
    "priorityClassName",
    "priority",
    "dnsConfig",
    "readinessGates",
    "runtimeClassName",
    "enableServiceLinks",
    "preemptionPolicy",
    "overhead",
    "topologySpreadConstraints",
    "setHostnameAsFQDN",
    "os",
    "hostUsers",
    "schedulingGates",
    "resourceClaims",
    "resources",
    "hostnameOverride",
    "workloadRef",
];

/// Fields at the top of the objects of these kinds.
pub(super) fn top(kinds: &[Kind]) -> Vec<&'static str> {
    let mut fields = vec!["apiVersion", "kind", "metadata"];
    if kinds.iter().any(|kind| *kind != Kind::PodTemplate) {
        fields.extend(["spec", "status"]);
    }
    if kinds.contains(&Kind::PodTemplate) {
        fields.push("template");
    }
    fields
}

/// Fields of `spec` of the objects of these kinds; `None` when one of them is not told here.
pub(super) fn spec(kinds: &[Kind]) -> Option<Vec<&'static str>> {
    let mut fields = Vec::new();
    for kind in kinds {
        fields.extend_from_slice(match kind {
            Kind::Pod => POD_SPEC,
            Kind::Deployment => &[
                "replicas",
                "selector",
                "template",
                "strategy",
                "minReadySeconds",
                "revisionHistoryLimit",
                "paused",
                "progressDeadlineSeconds",
            ],
            Kind::StatefulSet => &[
                "replicas",
                "selector",
                "template",
                "volumeClaimTemplates",
                "serviceName",
                "podManagementPolicy",
                "updateStrategy",
                "revisionHistoryLimit",
                "minReadySeconds",
                "persistentVolumeClaimRetentionPolicy",
                "ordinals",
            ],
            Kind::DaemonSet => &[
                "selector",
                "template",
                "updateStrategy",
                "minReadySeconds",
                "revisionHistoryLimit",
            ],
            Kind::ReplicaSet | Kind::ReplicationController => {
                &["replicas", "minReadySeconds", "selector", "template"]
            }
            Kind::Job => &[
                "parallelism",
                "completions",
                "activeDeadlineSeconds",
                "podFailurePolicy",
                "successPolicy",
                "backoffLimit",
                "backoffLimitPerIndex",
                "maxFailedIndexes",
                "selector",
                "manualSelector",
                "template",
                "ttlSecondsAfterFinished",
                "completionMode",
                "suspend",
                "podReplacementPolicy",
                "managedBy",
            ],
            Kind::CronJob => &[
                "schedule",
                "timeZone",
                "startingDeadlineSeconds",
                "concurrencyPolicy",
                "suspend",
                "jobTemplate",
                "successfulJobsHistoryLimit",
                "failedJobsHistoryLimit",
            ],
            Kind::PodTemplate => &[],
            Kind::PodDisruptionBudget => &[
                "minAvailable",
                "selector",
                "maxUnavailable",
                "unhealthyPodEvictionPolicy",
            ],
            Kind::Ingress => &["ingressClassName", "defaultBackend", "tls", "rules"],
            Kind::HorizontalPodAutoscaler => &[
                "scaleTargetRef",
                "minReplicas",
                "maxReplicas",
                "metrics",
                "behavior",
                "targetCPUUtilizationPercentage",
            ],
            Kind::Service => return None,
        });
    }
    Some(fields)
}
