//! The workload kinds that rules know, and where their parts lie.

use std::fmt;

use serde_json::Value;

use super::Anchor;

/// A workload kind.
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
    /// `batch/v1` Job.
    Job,
    /// `batch/v1` CronJob.
    CronJob,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::Pod,
        Self::Deployment,
        Self::StatefulSet,
        Self::DaemonSet,
        Self::ReplicaSet,
        Self::Job,
        Self::CronJob,
    ];

    /// The kind of an object by its `apiVersion` and `kind`.
    #[must_use]
    pub fn of(object: &Value) -> Option<Self> {
        let kind = object.get("kind")?.as_str()?;
        let version = object.get("apiVersion")?.as_str()?;
        Self::ALL
            .into_iter()
            .find(|known| known.as_str() == kind && known.api_version() == version)
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
            Self::Job => "Job",
            Self::CronJob => "CronJob",
        }
    }

    /// The API version as written in manifests.
    #[must_use]
    pub const fn api_version(self) -> &'static str {
        match self {
            Self::Pod => "v1",
            Self::Deployment | Self::StatefulSet | Self::DaemonSet | Self::ReplicaSet => "apps/v1",
            Self::Job | Self::CronJob => "batch/v1",
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
            (Anchor::Pod, _) => Some("spec.template.spec"),
        }
    }

    /// Its place in [`Self::ALL`].
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
        for (place, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(kind.index(), place);
        }
    }
}
