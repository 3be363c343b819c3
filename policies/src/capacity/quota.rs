//! Which quotas apply to the pods of a workload, and what they allow.

use std::collections::BTreeMap;

use sluice_tree::Value;

use super::{Need, PodNeed, Quantity, need::amount_map};
use crate::view::{Read, View, field_text, lookup};

/// A `ResourceQuota`.
#[derive(Debug)]
pub(crate) struct Quota<'a> {
    pub(crate) name: &'a str,
    /// What it allows in all.
    pub(crate) hard: BTreeMap<String, Quantity>,
    /// What is charged now; `None` where nobody has counted yet.
    pub(crate) used: Option<BTreeMap<String, Quantity>>,
    scopes: Vec<Scope<'a>>,
}

#[derive(Debug)]
struct Scope<'a> {
    name: &'a str,
    operator: &'a str,
    values: Vec<&'a str>,
}

/// Whether a quota applies to pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ScopeMatch {
    Yes,
    No,
    /// It depends on what is not known, in words.
    Perhaps(&'static str),
}

impl<'a> Quota<'a> {
    /// Reads a `ResourceQuota`.
    ///
    /// # Errors
    /// Names the quota and what could not be read.
    pub(crate) fn of(object: &'a Value) -> Result<Self, String> {
        let name = lookup(object, "metadata.name")
            .and_then(Value::as_str)
            .unwrap_or("-");
        let read = |path: &str| {
            amount_map(object, path).map_err(|problem| format!("ResourceQuota {name}: {problem}"))
        };
        let hard = match read("spec.hard")? {
            Some(hard) => hard,
            None => read("status.hard")?.unwrap_or_default(),
        };
        let mut scopes: Vec<Scope<'a>> = Vec::new();
        for scope in list(object, "spec.scopes") {
            scopes.push(Scope {
                name: scope.as_str().unwrap_or_default(),
                operator: "Exists",
                values: Vec::new(),
            });
        }
        for scope in list(object, "spec.scopeSelector.matchExpressions") {
            let text = |name: &str| scope.get(name).and_then(Value::as_str).unwrap_or_default();
            scopes.push(Scope {
                name: text("scopeName"),
                operator: text("operator"),
                values: list(scope, "values")
                    .iter()
                    .filter_map(Value::as_str)
                    .collect(),
            });
        }
        if let Some(odd) = scopes.iter().find(|scope| scope.name.is_empty()) {
            let found = field_text(&Value::from(odd.operator));
            return Err(format!(
                "ResourceQuota {name}: a scope without a name ({found})"
            ));
        }
        Ok(Self {
            name,
            hard,
            used: read("status.used")?,
            scopes,
        })
    }

    /// Whether it limits anything that pods are charged for.
    pub(crate) fn limits_pods(&self) -> bool {
        self.hard
            .keys()
            .any(|resource| Charge::of(resource).is_some())
    }

    /// Whether it is only for some pods.
    pub(crate) fn is_scoped(&self) -> bool {
        !self.scopes.is_empty()
    }

    /// Whether it applies to the pods of this workload.
    pub(crate) fn applies(&self, view: &View<'_>, need: &PodNeed<'_>) -> ScopeMatch {
        let mut all = ScopeMatch::Yes;
        for scope in &self.scopes {
            match scope.matches(view, need) {
                ScopeMatch::Yes => {}
                ScopeMatch::No => return ScopeMatch::No,
                perhaps @ ScopeMatch::Perhaps(_) => all = perhaps,
            }
        }
        all
    }
}

impl Scope<'_> {
    fn matches(&self, view: &View<'_>, need: &PodNeed<'_>) -> ScopeMatch {
        let terminating = || {
            view.written(Read::pod("activeDeadlineSeconds"))
                .and_then(Value::as_i64)
                .is_some_and(|seconds| seconds >= 0)
        };
        let holds = match self.name {
            "Terminating" => terminating(),
            "NotTerminating" => !terminating(),
            "BestEffort" => need.best_effort,
            "NotBestEffort" => !need.best_effort,
            "CrossNamespacePodAffinity" => crosses_namespaces(view),
            "PriorityClass" => {
                let class = view
                    .written(Read::pod("priorityClassName"))
                    .and_then(Value::as_str)
                    .filter(|class| !class.is_empty());
                let Some(class) = class else {
                    return ScopeMatch::Perhaps(
                        "whether the cluster has a default PriorityClass, which pods without one get",
                    );
                };
                match self.operator {
                    "In" => self.values.contains(&class),
                    "NotIn" => !self.values.contains(&class),
                    "Exists" => true,
                    _ => false,
                }
            }
            // scopes of other objects
            _ => false,
        };
        if holds {
            ScopeMatch::Yes
        } else {
            ScopeMatch::No
        }
    }
}

fn crosses_namespaces(view: &View<'_>) -> bool {
    const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
    const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";
    let crosses = |term: &Value| {
        !list(term, "namespaces").is_empty() || lookup(term, "namespaceSelector").is_some()
    };
    [
        Read::pod("affinity.podAffinity"),
        Read::pod("affinity.podAntiAffinity"),
    ]
    .into_iter()
    .filter_map(|read| view.written(read))
    .any(|affinity| {
        list(affinity, REQUIRED).iter().any(crosses)
            || list(affinity, PREFERRED)
                .iter()
                .filter_map(|weighted| lookup(weighted, "podAffinityTerm"))
                .any(crosses)
    })
}

fn list<'a>(object: &'a Value, path: &str) -> &'a [Value] {
    lookup(object, path)
        .and_then(Value::as_array)
        .unwrap_or_default()
}

/// What a resource of a quota charges a pod for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Charge<'a> {
    /// One for each pod.
    Pods,
    /// The request of a resource.
    Request(&'a str),
    /// The limit of a resource.
    Limit(&'a str),
    /// One for each claim: of all, or of a storage class.
    Claims(Option<&'a str>),
    /// The storage of the claims: of all, or of a storage class.
    Storage(Option<&'a str>),
}

impl<'a> Charge<'a> {
    /// `None` for a resource that pods are not charged for.
    pub(crate) fn of(resource: &'a str) -> Option<Self> {
        const COMPUTE: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];
        match resource {
            "pods" | "count/pods" => return Some(Self::Pods),
            "persistentvolumeclaims" | "count/persistentvolumeclaims" => {
                return Some(Self::Claims(None));
            }
            "requests.storage" => return Some(Self::Storage(None)),
            _ => {}
        }
        if let Some((class, what)) = resource.split_once(".storageclass.storage.k8s.io/") {
            return match what {
                "persistentvolumeclaims" => Some(Self::Claims(Some(class))),
                "requests.storage" => Some(Self::Storage(Some(class))),
                _ => None,
            };
        }
        if let Some(limited) = resource.strip_prefix("limits.") {
            return COMPUTE.contains(&limited).then_some(Self::Limit(limited));
        }
        if let Some(requested) = resource.strip_prefix("requests.") {
            let of_pods = COMPUTE.contains(&requested)
                || requested.starts_with("hugepages-")
                // an extended resource
                || requested.contains('/');
            return of_pods.then_some(Self::Request(requested));
        }
        (COMPUTE.contains(&resource) || resource.starts_with("hugepages-"))
            .then_some(Self::Request(resource))
    }

    /// What one pod is charged.
    pub(crate) fn pod(self, need: &PodNeed<'_>) -> Quantity {
        let amount = match self {
            Self::Pods => return Quantity::units(1),
            Self::Request(resource) => need.pod.requests.get(resource),
            Self::Limit(resource) => need.pod.limits.get(resource),
            Self::Claims(class) | Self::Storage(class) => {
                return self.sum(need, |of| class.is_none() || of == class);
            }
        };
        amount.copied().unwrap_or(Quantity::ZERO)
    }

    /// What one pod is charged besides where the default class of the cluster is the one that is limited.
    pub(crate) fn by_default_class(self, need: &PodNeed<'_>) -> Quantity {
        match self {
            Self::Claims(Some(_)) | Self::Storage(Some(_)) => self.sum(need, |of| of.is_none()),
            _ => Quantity::ZERO,
        }
    }

    fn sum(self, need: &PodNeed<'_>, counts: impl Fn(Option<&str>) -> bool) -> Quantity {
        need.claims
            .iter()
            .filter(|claim| counts(claim.class))
            .map(|claim| match self {
                Self::Storage(_) => claim.storage,
                _ => Quantity::units(1),
            })
            .fold(Quantity::ZERO, Quantity::plus)
    }

    /// Whether it is for claims, which quotas of some pods only do not count.
    pub(crate) fn of_claims(self) -> bool {
        matches!(self, Self::Claims(_) | Self::Storage(_))
    }

    /// Whether every container must set it once a quota names it.
    pub(crate) fn required(self) -> bool {
        matches!(
            self,
            Self::Request("cpu" | "memory") | Self::Limit("cpu" | "memory")
        )
    }

    /// Whether a container sets it.
    pub(crate) fn set_by(self, need: &Need) -> bool {
        match self {
            Self::Request(resource) => need.requests.contains_key(resource),
            Self::Limit(resource) => need.limits.contains_key(resource),
            Self::Pods | Self::Claims(_) | Self::Storage(_) => true,
        }
    }

    /// Where a container sets it.
    pub(crate) fn path(self) -> String {
        match self {
            Self::Request(resource) => format!("resources.requests.{resource}"),
            Self::Limit(resource) => format!("resources.limits.{resource}"),
            Self::Pods | Self::Claims(_) | Self::Storage(_) => String::new(),
        }
    }
}
