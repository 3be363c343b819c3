//! Which API versions were deprecated and removed, and when. Data, not code.
//!
//! From the life cycle that k8s.io/api 0.37.0 declares on its types (`zz_generated.prerelease-lifecycle.go`), and, for what is no longer in there,
//! from the deprecated API migration guide of the Kubernetes documentation. All numbers are minors of Kubernetes 1.

/// One API version of some kinds.
#[derive(Debug)]
pub(super) struct Row {
    /// Group and version as manifests write them.
    pub(super) api_version: &'static str,
    /// The kinds it is about.
    pub(super) kinds: &'static [&'static str],
    /// The first minor in which it is deprecated.
    pub(super) deprecated: i64,
    /// The first minor that does not serve it; `None` where nobody said when.
    pub(super) removed: Option<i64>,
    /// What to write instead.
    pub(super) instead: Instead,
}

/// What to write instead of an API version.
#[derive(Clone, Copy, Debug)]
pub(super) enum Instead {
    /// The same kind in another version.
    Version(&'static str),
    /// Something else, or nothing.
    Words(&'static str),
}

/// The row for a kind in a version.
pub(super) fn row(api_version: &str, kind: &str) -> Option<&'static Row> {
    ROWS.iter()
        .find(|row| row.api_version == api_version && row.kinds.contains(&kind))
}

const fn gone(
    api_version: &'static str,
    kinds: &'static [&'static str],
    (deprecated, removed): (i64, i64),
    instead: &'static str,
) -> Row {
    Row {
        api_version,
        kinds,
        deprecated,
        removed: Some(removed),
        instead: Instead::Version(instead),
    }
}

const fn without_successor(
    api_version: &'static str,
    kinds: &'static [&'static str],
    (deprecated, removed): (i64, i64),
    instead: &'static str,
) -> Row {
    Row {
        api_version,
        kinds,
        deprecated,
        removed: Some(removed),
        instead: Instead::Words(instead),
    }
}

const ADMISSION: &str = "admissionregistration.k8s.io/v1";
const FLOW: &str = "flowcontrol.apiserver.k8s.io/v1";
const NETWORK: &str = "networking.k8s.io/v1";
const RBAC: &str = "rbac.authorization.k8s.io/v1";
const DEVICES: &str = "resource.k8s.io/v1";
const STORAGE: &str = "storage.k8s.io/v1";

const MUTATING: &[&str] = &["MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding"];
const VALIDATING: &[&str] = &[
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
];
const FLOWS: &[&str] = &["FlowSchema", "PriorityLevelConfiguration"];
const ROLES: &[&str] = &["ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"];
const CLAIMS: &[&str] = &[
    "DeviceClass",
    "ResourceClaim",
    "ResourceClaimTemplate",
    "ResourceSlice",
];

pub(super) static ROWS: &[Row] = &[
    // workloads
    gone(
        "apps/v1beta1",
        &["ControllerRevision", "Deployment", "StatefulSet"],
        (8, 16),
        "apps/v1",
    ),
    gone(
        "apps/v1beta2",
        &[
            "ControllerRevision",
            "DaemonSet",
            "Deployment",
            "ReplicaSet",
            "StatefulSet",
        ],
        (9, 16),
        "apps/v1",
    ),
    gone(
        "extensions/v1beta1",
        &["DaemonSet", "Deployment", "ReplicaSet"],
        (8, 16),
        "apps/v1",
    ),
    gone("batch/v1beta1", &["CronJob"], (21, 25), "batch/v1"),
    gone(
        "autoscaling/v2beta1",
        &["HorizontalPodAutoscaler"],
        (22, 25),
        "autoscaling/v2",
    ),
    gone(
        "autoscaling/v2beta2",
        &["HorizontalPodAutoscaler"],
        (23, 26),
        "autoscaling/v2",
    ),
    gone(
        "policy/v1beta1",
        &["PodDisruptionBudget"],
        (21, 25),
        "policy/v1",
    ),
    gone("policy/v1beta1", &["Eviction"], (22, 25), "policy/v1"),
    without_successor(
        "policy/v1beta1",
        &["PodSecurityPolicy"],
        (21, 25),
        "no such object: Pod Security admission took its place",
    ),
    without_successor(
        "extensions/v1beta1",
        &["PodSecurityPolicy"],
        (11, 16),
        "no such object: Pod Security admission took its place",
    ),
    // networking
    gone("extensions/v1beta1", &["Ingress"], (14, 22), NETWORK),
    gone("extensions/v1beta1", &["NetworkPolicy"], (9, 16), NETWORK),
    gone(
        "networking.k8s.io/v1beta1",
        &["Ingress", "IngressClass"],
        (19, 22),
        NETWORK,
    ),
    gone(
        "networking.k8s.io/v1beta1",
        &["IPAddress", "ServiceCIDR"],
        (34, 37),
        NETWORK,
    ),
    gone(
        "discovery.k8s.io/v1beta1",
        &["EndpointSlice"],
        (21, 25),
        "discovery.k8s.io/v1",
    ),
    Row {
        api_version: "v1",
        kinds: &["Endpoints"],
        deprecated: 33,
        removed: None,
        instead: Instead::Words("an EndpointSlice of discovery.k8s.io/v1"),
    },
    Row {
        api_version: "v1",
        kinds: &["ComponentStatus"],
        deprecated: 19,
        removed: None,
        instead: Instead::Words("no such object: ask the components themselves"),
    },
    // access
    gone("rbac.authorization.k8s.io/v1alpha1", ROLES, (17, 23), RBAC),
    gone("rbac.authorization.k8s.io/v1beta1", ROLES, (17, 22), RBAC),
    gone(
        "authentication.k8s.io/v1beta1",
        &["TokenReview"],
        (19, 22),
        "authentication.k8s.io/v1",
    ),
    gone(
        "authentication.k8s.io/v1alpha1",
        &["SelfSubjectReview"],
        (29, 32),
        "authentication.k8s.io/v1",
    ),
    gone(
        "authentication.k8s.io/v1beta1",
        &["SelfSubjectReview"],
        (30, 33),
        "authentication.k8s.io/v1",
    ),
    gone(
        "authorization.k8s.io/v1beta1",
        &[
            "LocalSubjectAccessReview",
            "SelfSubjectAccessReview",
            "SelfSubjectRulesReview",
            "SubjectAccessReview",
        ],
        (19, 22),
        "authorization.k8s.io/v1",
    ),
    gone(
        "certificates.k8s.io/v1beta1",
        &["CertificateSigningRequest"],
        (19, 22),
        "certificates.k8s.io/v1",
    ),
    gone(
        "certificates.k8s.io/v1alpha1",
        &["ClusterTrustBundle"],
        (34, 37),
        "certificates.k8s.io/v1beta1",
    ),
    gone(
        "certificates.k8s.io/v1beta1",
        &["ClusterTrustBundle", "PodCertificateRequest"],
        (37, 40),
        "certificates.k8s.io/v1",
    ),
    // admission and the API itself
    gone(
        "admissionregistration.k8s.io/v1beta1",
        &[
            "MutatingWebhookConfiguration",
            "ValidatingWebhookConfiguration",
        ],
        (16, 22),
        ADMISSION,
    ),
    gone(
        "admissionregistration.k8s.io/v1alpha1",
        VALIDATING,
        (29, 32),
        ADMISSION,
    ),
    gone(
        "admissionregistration.k8s.io/v1beta1",
        VALIDATING,
        (31, 34),
        ADMISSION,
    ),
    gone(
        "admissionregistration.k8s.io/v1alpha1",
        MUTATING,
        (35, 38),
        ADMISSION,
    ),
    gone(
        "admissionregistration.k8s.io/v1beta1",
        MUTATING,
        (37, 40),
        ADMISSION,
    ),
    gone(
        "apiextensions.k8s.io/v1beta1",
        &["CustomResourceDefinition"],
        (16, 22),
        "apiextensions.k8s.io/v1",
    ),
    gone(
        "apiregistration.k8s.io/v1beta1",
        &["APIService"],
        (19, 22),
        "apiregistration.k8s.io/v1",
    ),
    gone(
        "flowcontrol.apiserver.k8s.io/v1beta1",
        FLOWS,
        (23, 26),
        FLOW,
    ),
    gone(
        "flowcontrol.apiserver.k8s.io/v1beta2",
        FLOWS,
        (26, 29),
        FLOW,
    ),
    gone(
        "flowcontrol.apiserver.k8s.io/v1beta3",
        FLOWS,
        (29, 32),
        FLOW,
    ),
    gone(
        "coordination.k8s.io/v1beta1",
        &["Lease"],
        (19, 22),
        "coordination.k8s.io/v1",
    ),
    gone(
        "coordination.k8s.io/v1alpha2",
        &["LeaseCandidate"],
        (35, 38),
        "coordination.k8s.io/v1beta1",
    ),
    gone(
        "events.k8s.io/v1beta1",
        &["Event"],
        (22, 25),
        "events.k8s.io/v1",
    ),
    gone(
        "storagemigration.k8s.io/v1beta1",
        &["StorageVersionMigration"],
        (37, 40),
        "storagemigration.k8s.io/v1",
    ),
    // nodes, scheduling, devices
    gone(
        "node.k8s.io/v1beta1",
        &["RuntimeClass"],
        (22, 25),
        "node.k8s.io/v1",
    ),
    gone(
        "scheduling.k8s.io/v1alpha1",
        &["PriorityClass"],
        (14, 23),
        "scheduling.k8s.io/v1",
    ),
    gone(
        "scheduling.k8s.io/v1beta1",
        &["PriorityClass"],
        (14, 22),
        "scheduling.k8s.io/v1",
    ),
    gone("resource.k8s.io/v1beta1", CLAIMS, (35, 38), DEVICES),
    gone("resource.k8s.io/v1beta2", CLAIMS, (36, 39), DEVICES),
    gone(
        "resource.k8s.io/v1alpha3",
        &["DeviceTaintRule"],
        (36, 39),
        DEVICES,
    ),
    gone(
        "resource.k8s.io/v1beta2",
        &["DeviceTaintRule"],
        (39, 42),
        DEVICES,
    ),
    // storage
    gone("storage.k8s.io/v1beta1", &["CSINode"], (17, 22), STORAGE),
    gone(
        "storage.k8s.io/v1beta1",
        &["CSIDriver", "StorageClass", "VolumeAttachment"],
        (19, 22),
        STORAGE,
    ),
    gone(
        "storage.k8s.io/v1alpha1",
        &["CSIStorageCapacity", "VolumeAttachment"],
        (21, 24),
        STORAGE,
    ),
    gone(
        "storage.k8s.io/v1beta1",
        &["CSIStorageCapacity"],
        (24, 27),
        STORAGE,
    ),
    gone(
        "storage.k8s.io/v1alpha1",
        &["VolumeAttributesClass"],
        (32, 35),
        STORAGE,
    ),
    gone(
        "storage.k8s.io/v1beta1",
        &["VolumeAttributesClass"],
        (34, 37),
        STORAGE,
    ),
];

impl Row {
    /// What to write, for a finding.
    pub(super) fn passes(&self) -> String {
        match self.instead {
            Instead::Version(version) => version.to_owned(),
            Instead::Words(words) => words.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_reached_and_makes_sense() {
        for wanted in ROWS {
            assert!(!wanted.kinds.is_empty());
            for kind in wanted.kinds {
                let found = row(wanted.api_version, kind).unwrap();
                assert!(
                    std::ptr::eq(found, wanted),
                    "{} {kind} stands twice",
                    wanted.api_version
                );
                if let Instead::Version(version) = wanted.instead {
                    assert_ne!(version, wanted.api_version);
                    // what to write instead must not be gone as well by then
                    let next = row(version, kind).and_then(|next| next.removed);
                    assert!(
                        next.is_none_or(|next| Some(next) > wanted.removed),
                        "{} {kind}",
                        wanted.api_version
                    );
                }
            }
            assert!(
                wanted
                    .removed
                    .is_none_or(|removed| removed > wanted.deprecated)
            );
        }
        assert!(row("apps/v1", "Deployment").is_none());
        assert!(row("", "").is_none());
    }
}
