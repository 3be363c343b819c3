//! Who there is on a plane, and as whom each certificate speaks.

/// A client certificate that the plane hands out, with a kubeconfig of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum User {
    /// `system:masters`: no authorizer is asked.
    Admin,
    /// An ordinary developer: ClusterRole `edit` in every namespace made by [`crate::Plane::namespace`], nothing else.
    Developer,
    /// On call: as the developer, and `view` everywhere. Further verbs come from the roles under test.
    OnCall,
    /// A GitOps controller: ClusterRole `cluster-admin` through RBAC, so not `system:masters`.
    GitOps,
    ControllerManager,
    Scheduler,
    /// All fake kubelets share it: `system:node:fake` in `system:nodes`.
    Kubelet,
    /// The data plane, which watches Services and EndpointSlices as kube-proxy does.
    KubeProxy,
}

impl User {
    pub const ALL: [Self; 8] = [
        Self::Admin,
        Self::Developer,
        Self::OnCall,
        Self::GitOps,
        Self::ControllerManager,
        Self::Scheduler,
        Self::Kubelet,
        Self::KubeProxy,
    ];

    /// The user name the API server sees.
    pub fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Developer => "developer",
            Self::OnCall => "oncall",
            Self::GitOps => "gitops",
            Self::ControllerManager => "system:kube-controller-manager",
            Self::Scheduler => "system:kube-scheduler",
            Self::Kubelet => "system:node:fake",
            Self::KubeProxy => "system:kube-proxy",
        }
    }

    pub(super) fn group(self) -> Option<&'static str> {
        match self {
            Self::Admin => Some("system:masters"),
            Self::Kubelet => Some("system:nodes"),
            _ => None,
        }
    }

    pub(super) fn file(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Developer => "developer",
            Self::OnCall => "oncall",
            Self::GitOps => "gitops",
            Self::ControllerManager => "controller-manager",
            Self::Scheduler => "scheduler",
            Self::Kubelet => "kubelet",
            Self::KubeProxy => "kube-proxy",
        }
    }
}
