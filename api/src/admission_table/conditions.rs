//! The conditions under which a request is sent, in CEL. Reads of fields that may be absent are optional: in CEL such a read is an error, and an error
//! refuses the request where the failure policy is `Fail`.

use super::Condition;
use crate::{access::controller_user, annotation};

/// Users of the control plane that write workloads on behalf of objects that were judged already.
pub const NATIVE_USERS: [&str; 11] = [
    "system:kube-controller-manager",
    "system:serviceaccount:kube-system:cronjob-controller",
    "system:serviceaccount:kube-system:daemon-set-controller",
    "system:serviceaccount:kube-system:deployment-controller",
    "system:serviceaccount:kube-system:generic-garbage-collector",
    "system:serviceaccount:kube-system:horizontal-pod-autoscaler",
    "system:serviceaccount:kube-system:job-controller",
    "system:serviceaccount:kube-system:namespace-controller",
    "system:serviceaccount:kube-system:replicaset-controller",
    "system:serviceaccount:kube-system:statefulset-controller",
    "system:serviceaccount:kube-system:ttl-after-finished-controller",
];

pub(super) const NOT_SLUICE: Condition = Condition {
    name: "not-sluice-itself",
    reason: "writes of Sluice's controller: a dead webhook must not stop a rollback",
    expression: |system| format!("request.userInfo.username != '{}'", controller_user(system)),
};

pub(super) const NOT_NATIVE: Condition = Condition {
    name: "not-the-control-plane",
    reason: "writes of the native controllers, by exact user name: Jobs of CronJobs are created and workloads are kept up with Sluice dead",
    expression: |_| {
        format!(
            "!(request.userInfo.username in [{}])",
            NATIVE_USERS.map(|user| format!("'{user}'")).join(", ")
        )
    },
};

/// Whether a controller owns an object.
fn owned(object: &str) -> String {
    format!(
        "{object}.metadata.?ownerReferences.orValue([]).exists(owner, owner.?controller.orValue(false))"
    )
}

pub(super) const NOT_OWNED: Condition = Condition {
    name: "not-owned-by-a-controller",
    reason: "objects that a controller owns: their owner is judged. An update must find the owner in the old object too, so nobody steps aside by naming one",
    expression: |_| {
        format!(
            "!({} && (request.operation == 'CREATE' || {}))",
            owned("object"),
            owned("oldObject")
        )
    },
};

pub(super) const NOT_GOING: Condition = Condition {
    name: "not-being-deleted",
    reason: "objects that are being deleted",
    expression: |_| "!has(object.metadata.deletionTimestamp)".to_owned(),
};

/// Whether one of our annotations differs between the two objects.
fn own_annotation_differs() -> String {
    annotation::OWN
        .map(|key| {
            let value =
                |object: &str| format!("{object}.metadata.?annotations[?'{key}'].orValue('')");
            format!("{} != {}", value("object"), value("oldObject"))
        })
        .join(" || ")
}

/// Fields of a Deployment's spec that a release reads or sets. The selector cannot change, replicas alone are no release.
const DEPLOYMENT_FIELDS: [(&str, &str); 6] = [
    ("template", "{}"),
    ("strategy", "{}"),
    ("minReadySeconds", "0"),
    ("paused", "false"),
    ("progressDeadlineSeconds", "0"),
    ("revisionHistoryLimit", "0"),
];

pub(super) const RELEASE_READS: Condition = Condition {
    name: "a-release-reads-it",
    reason: "updates that change neither the spec (other than only the replicas) nor an annotation that only Sluice writes",
    expression: |_| {
        let fields = DEPLOYMENT_FIELDS
            .map(|(field, absent)| {
                format!(
                    "object.spec.?{field}.orValue({absent}) != oldObject.spec.?{field}.orValue({absent})"
                )
            })
            .join(" || ");
        format!(
            "request.operation == 'CREATE' || {fields} || {}",
            own_annotation_differs()
        )
    },
};

pub(super) const JUDGING_READS: Condition = Condition {
    name: "a-rule-reads-it",
    reason: "updates that change neither the spec nor an annotation that only Sluice writes, and bring no controller as owner, whose objects are not judged from then on",
    expression: |_| {
        format!(
            "request.operation == 'CREATE' || object.spec != oldObject.spec || {} || ({} && !{})",
            own_annotation_differs(),
            owned("object"),
            owned("oldObject"),
        )
    },
};

pub(super) const SPEC_CHANGED: Condition = Condition {
    name: "its-spec-changed",
    reason: "updates that do not change the spec",
    expression: |_| {
        "request.operation == 'CREATE' || object.?spec.orValue({}) != oldObject.?spec.orValue({})"
            .to_owned()
    },
};

/// The API server leaves a zero out.
pub(super) const GROWS: Condition = Condition {
    name: "it-grows",
    reason: "fewer pods, or as many as before",
    expression: |_| {
        "object.?spec.?replicas.orValue(0) > oldObject.?spec.?replicas.orValue(0)".to_owned()
    },
};
