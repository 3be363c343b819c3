//! The kinds that rules know, and where their parts lie.

use std::fmt;

use sluice_tree::Value;

use super::Anchor;

/// A kind that rules judge: a workload, or what stands beside workloads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `v1` Pod.
    Pod,
    /// `apps/v1` Deployment.
    Deployment,
    /// `apps/v1` StatefulSet.
    StatefulSet,
    /// `apps/v1` DaemonSet.
    DaemonSet,
    /// `apps/v1` ReplicaSet.
    ReplicaSet,
    /// `v1` ReplicationController.
    ReplicationController,
    /// `batch/v1` Job.
    Job,
    /// `batch/v1` CronJob.
    CronJob,
    /// `v1` PodTemplate.
    PodTemplate,
    /// `v1` Service.
    Service,
    /// `networking.k8s.io/v1` Ingress.
    Ingress,
    /// `autoscaling/v2` HorizontalPodAutoscaler; what is read of it means the same in `autoscaling/v1`.
    HorizontalPodAutoscaler,
    /// `policy/v1` PodDisruptionBudget.
    PodDisruptionBudget,
}

impl Kind {
    /// Every workload kind: what carries a pod or the template of one.
    pub const ALL: [Self; 9] = [
        Self::Pod,
        Self::Deployment,
        Self::StatefulSet,
        Self::DaemonSet,
        Self::ReplicaSet,
        Self::ReplicationController,
        Self::Job,
        Self::CronJob,
        Self::PodTemplate,
    ];

    /// Every kind that rules judge: workloads first.
    pub const JUDGED: [Self; 13] = [
        Self::Pod,
        Self::Deployment,
        Self::StatefulSet,
        Self::DaemonSet,
        Self::ReplicaSet,
        Self::ReplicationController,
        Self::Job,
        Self::CronJob,
        Self::PodTemplate,
        Self::Service,
        Self::Ingress,
        Self::HorizontalPodAutoscaler,
        Self::PodDisruptionBudget,
    ];

    /// The kind of an object by its `apiVersion` and `kind`.
    #[must_use]
    pub fn of(object: &Value) -> Option<Self> {
        let kind = object.get("kind")?.as_str()?;
        let version = object.get("apiVersion")?.as_str()?;
        Self::JUDGED.into_iter().find(|known| {
            known.as_str() == kind
                && (known.api_version() == version
                    || (*known == Self::HorizontalPodAutoscaler && version == "autoscaling/v1"))
        })
    }

    /// Whether it carries a pod or the template of one.
    #[must_use]
    pub const fn is_workload(self) -> bool {
        self.index() < Self::ALL.len()
    }

    /// The kind as written in manifests.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pod => "Pod",
            Self::Deployment => "Deployment",
            Self::StatefulSet => "StatefulSet",
            Self::DaemonSet => "DaemonSet",
            Self::ReplicaSet => "ReplicaSet",
            Self::ReplicationController => "ReplicationController",
            Self::Job => "Job",
            Self::CronJob => "CronJob",
            Self::PodTemplate => "PodTemplate",
            Self::Service => "Service",
            Self::Ingress => "Ingress",
            Self::HorizontalPodAutoscaler => "HorizontalPodAutoscaler",
            Self::PodDisruptionBudget => "PodDisruptionBudget",
        }
    }

    /// The API version as written in manifests.
    #[must_use]
    pub const fn api_version(self) -> &'static str {
        match self {
            Self::Pod | Self::ReplicationController | Self::PodTemplate | Self::Service => "v1",
            Self::Deployment | Self::StatefulSet | Self::DaemonSet | Self::ReplicaSet => "apps/v1",
            Self::Job | Self::CronJob => "batch/v1",
            Self::Ingress => "networking.k8s.io/v1",
            Self::HorizontalPodAutoscaler => "autoscaling/v2",
            Self::PodDisruptionBudget => "policy/v1",
        }
    }

    /// Where `anchor` lies in this kind.
    #[must_use]
    pub const fn prefix(self, anchor: Anchor) -> Option<&'static str> {
        match (anchor, self) {
            (Anchor::Object, _) => Some(""),
            (Anchor::Job, Self::Job) => Some("spec"),
            (Anchor::Job, Self::CronJob) => Some("spec.jobTemplate.spec"),
            (Anchor::Job, _) => None,
            (Anchor::Pod, Self::Pod) => Some("spec"),
            (Anchor::Pod, Self::CronJob) => Some("spec.jobTemplate.spec.template.spec"),
            (Anchor::Pod, Self::PodTemplate) => Some("template.spec"),
            (Anchor::Pod, kind) if kind.is_workload() => Some("spec.template.spec"),
            (Anchor::Pod, _) => None,
        }
    }

    /// Its place in [`Self::JUDGED`], and in [`Self::ALL`] if it is a workload.
    pub(crate) const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_place() {
        for (place, kind) in Kind::JUDGED.into_iter().enumerate() {
            assert_eq!(kind.index(), place);
            let object =
                sluice_tree::json!({"apiVersion": kind.api_version(), "kind": kind.as_str()});
            assert_eq!(Kind::of(&object), Some(kind));
            assert_eq!(kind.is_workload(), Kind::ALL.contains(&kind));
            assert_eq!(kind.is_workload(), kind.prefix(Anchor::Pod).is_some());
        }
        assert_eq!(Kind::JUDGED[..Kind::ALL.len()], Kind::ALL);
    }
}
