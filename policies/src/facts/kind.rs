//! The kinds of facts, and the kinds of objects they are taken from.

use sluice_api::WorkloadKind;

/// Kinds of which rules read nothing but the names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Named {
    /// `v1` ConfigMap.
    ConfigMap,
    /// `v1` Secret.
    Secret,
    /// `v1` ServiceAccount.
    ServiceAccount,
    /// `v1` PersistentVolumeClaim.
    PersistentVolumeClaim,
    /// `scheduling.k8s.io/v1` PriorityClass.
    PriorityClass,
    /// `node.k8s.io/v1` RuntimeClass.
    RuntimeClass,
    /// `storage.k8s.io/v1` StorageClass.
    StorageClass,
}

impl Named {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::ConfigMap,
        Self::Secret,
        Self::ServiceAccount,
        Self::PersistentVolumeClaim,
        Self::PriorityClass,
        Self::RuntimeClass,
        Self::StorageClass,
    ];

    /// The kind as written in manifests.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ConfigMap => "ConfigMap",
            Self::Secret => "Secret",
            Self::ServiceAccount => "ServiceAccount",
            Self::PersistentVolumeClaim => "PersistentVolumeClaim",
            Self::PriorityClass => "PriorityClass",
            Self::RuntimeClass => "RuntimeClass",
            Self::StorageClass => "StorageClass",
        }
    }

    /// What several of them are called.
    #[must_use]
    pub const fn plural(self) -> &'static str {
        match self {
            Self::ConfigMap => "ConfigMaps",
            Self::Secret => "Secrets",
            Self::ServiceAccount => "ServiceAccounts",
            Self::PersistentVolumeClaim => "PersistentVolumeClaims",
            Self::PriorityClass => "PriorityClasses",
            Self::RuntimeClass => "RuntimeClasses",
            Self::StorageClass => "StorageClasses",
        }
    }

    /// The API version as written in manifests.
    #[must_use]
    pub const fn api_version(self) -> &'static str {
        match self {
            Self::ConfigMap | Self::Secret | Self::ServiceAccount | Self::PersistentVolumeClaim => {
                "v1"
            }
            Self::PriorityClass => "scheduling.k8s.io/v1",
            Self::RuntimeClass => "node.k8s.io/v1",
            Self::StorageClass => "storage.k8s.io/v1",
        }
    }

    /// Whether its objects lie in namespaces.
    #[must_use]
    pub const fn is_namespaced(self) -> bool {
        match self {
            Self::ConfigMap | Self::Secret | Self::ServiceAccount | Self::PersistentVolumeClaim => {
                true
            }
            Self::PriorityClass | Self::RuntimeClass | Self::StorageClass => false,
        }
    }

    /// Its place in [`Self::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// Kinds of whose objects a policy may ask for the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Keyed {
    /// `v1` ConfigMap.
    ConfigMap,
    /// `v1` Secret.
    Secret,
}

impl Keyed {
    /// Every kind.
    pub const ALL: [Self; 2] = [Self::ConfigMap, Self::Secret];

    /// The same kind among those with names.
    #[must_use]
    pub const fn named(self) -> Named {
        match self {
            Self::ConfigMap => Named::ConfigMap,
            Self::Secret => Named::Secret,
        }
    }

    /// The kind of those with names, if its objects have keys.
    #[must_use]
    pub fn of(named: Named) -> Option<Self> {
        Self::ALL.into_iter().find(|keyed| keyed.named() == named)
    }

    /// Its place in [`Self::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// What a rule must know beside the object: one kind of objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FactKind {
    /// The `ResourceQuota` objects of the namespace.
    Quotas,
    /// The `LimitRange` objects of the namespace.
    LimitRanges,
    /// The names of objects of a kind.
    Names(Named),
    /// The keys of objects of a kind: only where a policy asks for them.
    Keys(Keyed),
    /// The Services of the namespace.
    Services,
    /// The pod templates of one kind of workloads of the namespace.
    PodTemplates(WorkloadKind),
    /// The PodDisruptionBudgets of the namespace.
    DisruptionBudgets,
    /// The HorizontalPodAutoscalers of the namespace.
    Autoscalers,
    /// What the nodes of the cluster have to give.
    Nodes,
    /// The most memory that containers of the namespace were seen to use. No cluster has objects of it: a Prometheus server, or a file of facts, does.
    ObservedPeaks,
}

impl FactKind {
    /// Every kind that objects are of. Keys are of objects whose names are facts already.
    pub const ALL: [Self; 17] = [
        Self::Quotas,
        Self::LimitRanges,
        Self::Names(Named::ConfigMap),
        Self::Names(Named::Secret),
        Self::Names(Named::ServiceAccount),
        Self::Names(Named::PersistentVolumeClaim),
        Self::Names(Named::PriorityClass),
        Self::Names(Named::RuntimeClass),
        Self::Names(Named::StorageClass),
        Self::Services,
        Self::PodTemplates(WorkloadKind::Deployment),
        Self::PodTemplates(WorkloadKind::StatefulSet),
        Self::PodTemplates(WorkloadKind::DaemonSet),
        Self::DisruptionBudgets,
        Self::Autoscalers,
        Self::Nodes,
        Self::ObservedPeaks,
    ];

    /// The kind as its objects are: of keys that of the names.
    #[must_use]
    pub const fn of_objects(self) -> Self {
        match self {
            Self::Keys(keyed) => Self::Names(keyed.named()),
            other => other,
        }
    }

    /// The kind of the objects as written in manifests.
    #[must_use]
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Quotas => "ResourceQuota",
            Self::LimitRanges => "LimitRange",
            Self::Names(named) => named.as_str(),
            Self::Keys(keyed) => keyed.named().as_str(),
            Self::Services => "Service",
            Self::PodTemplates(kind) => kind.as_str(),
            Self::DisruptionBudgets => "PodDisruptionBudget",
            Self::Autoscalers => "HorizontalPodAutoscaler",
            Self::Nodes => "Node",
            Self::ObservedPeaks => "ObservedPeaks",
        }
    }

    /// What several of the objects are called.
    #[must_use]
    pub const fn plural(self) -> &'static str {
        match self {
            Self::Quotas => "ResourceQuotas",
            Self::LimitRanges => "LimitRanges",
            Self::Names(named) => named.plural(),
            Self::Keys(Keyed::ConfigMap) => "keys of ConfigMaps",
            Self::Keys(Keyed::Secret) => "keys of Secrets",
            Self::Services => "Services",
            Self::PodTemplates(WorkloadKind::Deployment) => "Deployments",
            Self::PodTemplates(WorkloadKind::StatefulSet) => "StatefulSets",
            Self::PodTemplates(WorkloadKind::DaemonSet) => "DaemonSets",
            Self::DisruptionBudgets => "PodDisruptionBudgets",
            Self::Autoscalers => "HorizontalPodAutoscalers",
            Self::Nodes => "nodes",
            Self::ObservedPeaks => "observed peaks",
        }
    }

    /// The API version of the objects.
    #[must_use]
    pub const fn api_version(self) -> &'static str {
        match self {
            Self::Quotas | Self::LimitRanges | Self::Services | Self::Nodes => "v1",
            Self::Names(named) => named.api_version(),
            Self::Keys(keyed) => keyed.named().api_version(),
            Self::PodTemplates(_) => "apps/v1",
            Self::DisruptionBudgets => "policy/v1",
            Self::Autoscalers => "autoscaling/v2",
            Self::ObservedPeaks => "sluice.dev/v1alpha1",
        }
    }

    /// Whether an API server has objects of it.
    #[must_use]
    pub const fn in_clusters(self) -> bool {
        !matches!(self, Self::ObservedPeaks)
    }

    /// Whether the objects lie in namespaces.
    #[must_use]
    pub const fn is_namespaced(self) -> bool {
        match self {
            Self::Names(named) => named.is_namespaced(),
            Self::Nodes => false,
            _ => true,
        }
    }

    /// The kind of facts that objects of this kind are.
    #[must_use]
    pub fn of(api_version: &str, kind: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|fact| {
            fact.kind() == kind
                && (fact.api_version() == api_version
                    || (*fact == Self::Autoscalers && api_version == "autoscaling/v1"))
        })
    }
}

impl std::fmt::Display for FactKind {
    /// What people call it, such as `ConfigMaps of the namespace`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let of = match self {
            _ if self.is_namespaced() => "namespace",
            _ => "cluster",
        };
        write!(f, "{} of the {of}", self.plural())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_found_by_its_objects() {
        for (place, named) in Named::ALL.into_iter().enumerate() {
            assert_eq!(named.index(), place);
            assert!(FactKind::ALL.contains(&FactKind::Names(named)));
        }
        for fact in FactKind::ALL {
            assert_eq!(FactKind::of(fact.api_version(), fact.kind()), Some(fact));
        }
        for keyed in Keyed::ALL {
            let keys = FactKind::Keys(keyed);
            assert_eq!(Keyed::of(keyed.named()), Some(keyed));
            assert_eq!(
                (keys.kind(), keys.api_version()),
                (keyed.named().as_str(), "v1")
            );
            assert_eq!(keys.of_objects(), FactKind::Names(keyed.named()));
            assert!(keys.is_namespaced());
        }
        assert_eq!(Keyed::of(Named::ServiceAccount), None);
        assert!(FactKind::ALL.is_sorted());
        assert_eq!(FactKind::of("v1", "StorageClass"), None);
        assert_eq!(
            FactKind::Quotas.to_string(),
            "ResourceQuotas of the namespace"
        );
        assert_eq!(FactKind::Nodes.to_string(), "nodes of the cluster");
    }
}
