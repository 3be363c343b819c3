//! What one pod is charged.
//!
//! In the order of the API server: a limit without a request becomes the request; pod-level requests are filled in; LimitRanges give the rest;
//! then containers and sidecars are summed, init containers raise the sum to their peak, pod-level amounts replace it, overhead is added.

use std::collections::BTreeMap;

use sluice_tree::Value;

use super::{Claim, ContainerDefaults, Quantity, claims::claims};
use crate::view::{Anchor, Container, Read, Role, View, join, lookup};

type Amounts = BTreeMap<String, Quantity>;

/// Requests and limits, of a container or a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Need {
    pub(crate) requests: Amounts,
    pub(crate) limits: Amounts,
}

/// What one pod of a workload is charged.
#[derive(Debug)]
pub(crate) struct PodNeed<'a> {
    /// The pod as a whole.
    pub(crate) pod: Need,
    /// The pod without its overhead, which LimitRanges leave aside.
    pub(crate) bare: Need,
    /// Each container.
    pub(crate) containers: Vec<(Container<'a>, Need)>,
    /// Whether the pod has requests or limits of its own.
    pub(crate) pod_level: bool,
    /// Whether no container asks for cpu or memory.
    pub(crate) best_effort: bool,
    /// The claims for storage that come with it.
    pub(crate) claims: Vec<Claim<'a>>,
    /// The RuntimeClass whose overhead is not known.
    pub(crate) unknown_overhead: Option<String>,
}

/// A field that holds no quantity.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unreadable {
    pub(crate) path: String,
    pub(crate) problem: String,
}

impl Need {
    /// What a container asks for in the object, a limit without a request counted as the request; `None` where an amount cannot be read.
    pub(crate) fn asked_by(container: &Container<'_>) -> Option<Self> {
        let own = |path: &str| amounts(container.get(path)).ok();
        let mut need = Self {
            requests: own("resources.requests")?,
            limits: own("resources.limits")?,
        };
        fill(&mut need.requests, &need.limits);
        Some(need)
    }
}

impl<'a> PodNeed<'a> {
    /// What a pod of this workload is charged in a namespace with these defaults.
    ///
    /// # Errors
    /// The first field that holds no quantity.
    pub(crate) fn of(view: &View<'a>, defaults: &ContainerDefaults) -> Result<Self, Unreadable> {
        let prefix = view.prefix(Anchor::Pod).unwrap_or_default();
        let read = |path: String, list: Option<&Value>| {
            amounts(list).map_err(|(resource, problem)| Unreadable {
                path: join(prefix, &format!("{path}.{resource}")),
                problem,
            })
        };
        let pod_list = |path: &'static str| read(path.to_owned(), view.written(Read::pod(path)));
        let mut containers = Vec::new();
        for container in view.containers() {
            let (list, index) = (container.list(), container.index);
            let own = |path: &str| read(format!("{list}[{index}].{path}"), container.get(path));
            // limits first: the API server makes requests of them, of odd ones too
            let limits = own("resources.limits")?;
            let mut need = Need {
                requests: own("resources.requests")?,
                limits,
            };
            fill(&mut need.requests, &need.limits);
            containers.push((container, need));
        }
        let mut own = Need {
            requests: pod_list("resources.requests")?,
            limits: pod_list("resources.limits")?,
        };
        own.requests.retain(|resource, _| of_pods(resource));
        own.limits.retain(|resource, _| of_pods(resource));
        let pod_level = !own.requests.is_empty() || !own.limits.is_empty();
        if !own.limits.is_empty() {
            let mut aggregated = aggregate(&containers, |need| &need.requests);
            aggregated.retain(|resource, _| matches!(resource.as_str(), "cpu" | "memory"));
            fill(&mut own.requests, &aggregated);
            fill(&mut own.requests, &own.limits.clone());
        }
        for (_, need) in &mut containers {
            fill(&mut need.limits, &defaults.limits);
            fill(&mut need.requests, &defaults.requests);
        }
        let best_effort = !pod_level
            && containers.iter().all(|(_, need)| {
                let none = |list: &Amounts, name: &str| list.get(name).is_none_or(|q| q.is_zero());
                ["cpu", "memory"]
                    .iter()
                    .all(|name| none(&need.requests, name) && none(&need.limits, name))
            });
        let mut pod = Need {
            requests: aggregate(&containers, |need| &need.requests),
            limits: aggregate(&containers, |need| &need.limits),
        };
        pod.requests.extend(own.requests);
        pod.limits.extend(own.limits);
        let bare = pod.clone();
        let overhead = pod_list("overhead")?;
        for (resource, amount) in &overhead {
            let request = pod
                .requests
                .entry(resource.clone())
                .or_insert(Quantity::ZERO);
            *request = request.plus(*amount);
            if let Some(limit) = pod
                .limits
                .get_mut(resource)
                .filter(|limit| !limit.is_zero())
            {
                *limit = limit.plus(*amount);
            }
        }
        let class = view
            .written(Read::pod("runtimeClassName"))
            .and_then(Value::as_str)
            .filter(|_| overhead.is_empty());
        Ok(Self {
            pod,
            bare,
            containers,
            pod_level,
            best_effort,
            claims: claims(view)?,
            unknown_overhead: class.map(|class| class.chars().take(80).collect()),
        })
    }
}

/// Resources that a pod as a whole may ask for.
fn of_pods(resource: &str) -> bool {
    matches!(resource, "cpu" | "memory") || resource.starts_with("hugepages-")
}

/// Adds what is missing.
fn fill(amounts: &mut Amounts, more: &Amounts) {
    for (resource, amount) in more {
        if !amounts.contains_key(resource) {
            amounts.insert(resource.clone(), *amount);
        }
    }
}

/// The sum of containers and sidecars, raised to the peak of the init containers.
fn aggregate(containers: &[(Container<'_>, Need)], of: impl Fn(&Need) -> &Amounts) -> Amounts {
    let add = |sum: &mut Amounts, more: &Amounts| {
        for (resource, amount) in more {
            let entry = sum.entry(resource.clone()).or_insert(Quantity::ZERO);
            *entry = entry.plus(*amount);
        }
    };
    let (mut running, mut sidecars, mut peak) = (Amounts::new(), Amounts::new(), Amounts::new());
    for (container, need) in containers {
        let own = of(need);
        let during = match container.role {
            Role::Main => {
                add(&mut running, own);
                continue;
            }
            Role::Sidecar => {
                add(&mut running, own);
                add(&mut sidecars, own);
                sidecars.clone()
            }
            Role::Init => {
                let mut during = own.clone();
                add(&mut during, &sidecars);
                during
            }
        };
        for (resource, amount) in during {
            let entry = peak.entry(resource).or_insert(amount);
            *entry = (*entry).max(amount);
        }
    }
    for (resource, amount) in peak {
        let entry = running.entry(resource).or_insert(amount);
        *entry = (*entry).max(amount);
    }
    running
}

/// A list of amounts by resource, as the API server stores them; the error names the resource that holds no quantity.
pub(super) fn amounts(list: Option<&Value>) -> Result<Amounts, (String, String)> {
    let Some(list) = list else {
        return Ok(Amounts::new());
    };
    let Some(list) = list.as_object() else {
        let found = crate::view::field_text(list);
        return Err((
            "*".to_owned(),
            format!("{found} is not a list of amounts by resource"),
        ));
    };
    list.iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(resource, value)| match Quantity::of(value) {
            Ok(amount) => Ok((resource.as_str().to_owned(), amount.rounded_to_milli())),
            Err(error) => Err((resource.chars().take(80).collect(), error.to_string())),
        })
        .collect()
}

/// The amount at a path of a map that may not be there.
pub(super) fn amount_map(object: &Value, path: &str) -> Result<Option<Amounts>, String> {
    match lookup(object, path) {
        None => Ok(None),
        list => amounts(list)
            .map(Some)
            .map_err(|(resource, problem)| format!("{path}.{resource}: {problem}")),
    }
}

#[cfg(test)]
mod tests {
    use sluice_tree::json;

    use super::*;

    fn need(pod: Value, limit_ranges: &[Value]) -> Need {
        let object = json!({"apiVersion": "v1", "kind": "Pod", "spec": pod});
        let view = View::lift(&object).unwrap();
        let defaults = ContainerDefaults::of(limit_ranges).unwrap();
        PodNeed::of(&view, &defaults).unwrap().pod
    }

    fn container(requests: Value, limits: Value) -> Value {
        json!({"name": "a", "resources": {"requests": requests, "limits": limits}})
    }

    fn cpu(need: &Need) -> (String, String) {
        let text = |list: &Amounts| list.get("cpu").map_or("-".into(), ToString::to_string);
        (text(&need.requests), text(&need.limits))
    }

    #[test]
    fn pods_are_charged_as_the_api_server_charges_them() {
        let range = json!({"metadata": {"name": "a"}, "spec": {"limits": [{"type": "Container", "default": {"cpu": "800m"}, "defaultRequest": {"cpu": "700m"}}]}});
        let capped = json!({"metadata": {"name": "b"}, "spec": {"limits": [{"type": "Container", "max": {"cpu": "2"}, "min": {"cpu": "100m"}}]}});
        let floor = json!({"metadata": {"name": "c"}, "spec": {"limits": [{"type": "Container", "min": {"cpu": "150m"}}, {"type": "Pod", "max": {"cpu": "1"}}]}});
        let ranges = |ranges: &[&Value]| ranges.iter().map(|r| (*r).clone()).collect::<Vec<_>>();
        let sidecar = json!({"name": "s", "restartPolicy": "Always", "resources": {"requests": {"cpu": "100m"}}});
        for (what, pod, limit_ranges, requests, limits) in [
            (
                "nothing",
                json!({"containers": [{"name": "a"}]}),
                vec![],
                "-",
                "-",
            ),
            (
                "a limit alone",
                json!({"containers": [container(json!({}), json!({"cpu": "1"}))]}),
                vec![],
                "1",
                "1",
            ),
            (
                "a limit range",
                json!({"containers": [{"name": "a"}]}),
                ranges(&[&range]),
                "700m",
                "800m",
            ),
            (
                "never overridden",
                json!({"containers": [container(json!({"cpu": "1500m"}), json!({}))]}),
                ranges(&[&range]),
                "1500m",
                "800m",
            ),
            (
                "a maximum is the default",
                json!({"containers": [{"name": "a"}]}),
                ranges(&[&capped]),
                "2",
                "2",
            ),
            (
                "a minimum is the default request",
                json!({"containers": [{"name": "a"}]}),
                ranges(&[&floor]),
                "150m",
                "-",
            ),
            (
                "the first by name wins",
                json!({"containers": [{"name": "a"}]}),
                ranges(&[&capped, &range]),
                "700m",
                "800m",
            ),
            (
                // 700m beside a sidecar of 100m, against 600m at start beside the same
                "sidecars and init containers",
                json!({"initContainers": [sidecar, {"name": "i", "resources": {"requests": {"cpu": "600m"}}}], "containers": [container(json!({"cpu": "700m"}), json!({}))]}),
                vec![],
                "800m",
                "-",
            ),
            (
                "an init container that needs more",
                json!({"initContainers": [sidecar, {"name": "i", "resources": {"requests": {"cpu": "2"}}}, sidecar], "containers": [container(json!({"cpu": "700m"}), json!({}))]}),
                vec![],
                "2100m",
                "-",
            ),
            (
                "the pod as a whole",
                json!({"resources": {"requests": {"cpu": "3"}, "limits": {"cpu": "4"}}, "containers": [container(json!({"cpu": "700m"}), json!({}))]}),
                vec![],
                "3",
                "4",
            ),
            (
                "pod-level limits over containers that ask",
                json!({"resources": {"limits": {"cpu": "4"}}, "containers": [container(json!({"cpu": "700m"}), json!({}))]}),
                vec![],
                "700m",
                "4",
            ),
            (
                "pod-level limits over containers that ask for nothing",
                json!({"resources": {"limits": {"cpu": "4"}}, "containers": [{"name": "a"}]}),
                ranges(&[&range]),
                "4",
                "4",
            ),
            (
                "overhead",
                json!({"overhead": {"cpu": "250m"}, "containers": [container(json!({"cpu": "1"}), json!({"cpu": "2"}))]}),
                vec![],
                "1250m",
                "2250m",
            ),
        ] {
            let need = need(pod, &limit_ranges);
            assert_eq!(
                cpu(&need),
                (requests.to_owned(), limits.to_owned()),
                "{what}"
            );
        }
    }

    /// What a quota of a real API server (1.36) had as used after this pod, in a namespace with this LimitRange.
    #[test]
    fn a_pod_is_charged_what_a_real_quota_was_seen_to_charge() {
        let range = json!({"metadata": {"name": "r"}, "spec": {"limits": [{"type": "Container", "max": {"memory": "1Gi"}, "min": {"cpu": "50m"}, "defaultRequest": {"memory": "100Mi"}}]}});
        let pod = json!({
            "initContainers": [
                {"name": "s", "restartPolicy": "Always", "resources": {"requests": {"cpu": "100m"}}},
                {"name": "i", "resources": {"requests": {"cpu": "600m"}}},
            ],
            "containers": [{"name": "m", "resources": {"requests": {"cpu": "0.7"}}}, {"name": "w"}],
        });
        let need = need(pod, &[range]);
        assert_eq!(need.requests["cpu"].to_string(), "850m");
        assert_eq!(need.requests["memory"].to_string(), "300Mi");
        assert_eq!(need.limits["memory"].to_string(), "3Gi");
        let alone = super::super::ContainerDefaults::default();
        let object = json!({"apiVersion": "v1", "kind": "Pod", "spec": {
            "resources": {"limits": {"cpu": "1", "memory": "2Gi"}},
            "containers": [{"name": "m", "resources": {"requests": {"cpu": "300m"}}}],
        }});
        let pod = PodNeed::of(&View::lift(&object).unwrap(), &alone)
            .unwrap()
            .pod;
        assert_eq!(pod.requests["cpu"].to_string(), "300m");
        assert_eq!(pod.requests["memory"].to_string(), "2Gi");
        assert_eq!(pod.limits["memory"].to_string(), "2Gi");
    }

    #[test]
    fn what_is_no_quantity_is_named() {
        let object = json!({"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [container(json!({"cpu": "one"}), json!({}))]}});
        let error =
            PodNeed::of(&View::lift(&object).unwrap(), &ContainerDefaults::default()).unwrap_err();
        assert_eq!(error.path, "spec.containers[0].resources.requests.cpu");
        let range = json!({"metadata": {"name": "a"}, "spec": {"limits": [{"type": "Container", "default": {"cpu": []}}]}});
        assert!(
            ContainerDefaults::of(&[range])
                .unwrap_err()
                .starts_with("LimitRange a: default.cpu:")
        );
    }
}
