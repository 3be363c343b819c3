//! A pod that no node of the cluster is large enough for.

use sluice_api::{Action, Certainty};

use crate::{
    capacity::{ContainerDefaults, PodNeed, Quantity},
    facts::{FactKind, Node},
    rule::{Case, Category, RawFinding, Report, Rule, RuleInfo},
    view::{Anchor, Kind, Read},
};

static INFO: RuleInfo = RuleInfo {
    code: "SLU2101",
    name: "requests-above-every-node",
    title: "a pod asks for more than any node of the cluster has",
    category: Category::Capacity,
    severity: Action::Warn,
    kinds: &Kind::ALL,
    parameters: &[],
    ordered: &[],
    facts: &[FactKind::Nodes],
    reads: &[
        Read::pod("containers[*].resources"),
        Read::pod("initContainers[*].resources"),
        Read::pod("initContainers[*].restartPolicy"),
        Read::pod("resources"),
        Read::pod("overhead"),
    ],
    document: include_str!("requests_above_every_node.md"),
};

struct RequestsAboveEveryNode;

pub(in crate::rules) const RULE: &dyn Rule = &RequestsAboveEveryNode;

impl Rule for RequestsAboveEveryNode {
    fn info(&self) -> &'static RuleInfo {
        &INFO
    }

    fn judge(&self, case: &Case<'_>, report: &mut Report) {
        let pod = case.view.prefix(Anchor::Pod).unwrap_or_default();
        let need = match PodNeed::of(case.view, &ContainerDefaults::default()) {
            Ok(need) => need.pod.requests,
            Err(unreadable) => {
                report.add(RawFinding {
                    certainty: Certainty::Unknown,
                    ..RawFinding::at(
                        pod.to_owned(),
                        format!("whether a node is large enough: {}", unreadable.problem),
                        "quantities, such as 500m or 1Gi",
                    )
                });
                return;
            }
        };
        let asked: Vec<(&String, Quantity)> = need
            .iter()
            .filter(|(_, amount)| **amount > Quantity::ZERO)
            .map(|(resource, amount)| (resource, *amount))
            .collect();
        let nodes = case.facts.nodes;
        let has = |node: &Node, resource: &str| {
            node.allocatable
                .get(resource)
                .copied()
                .unwrap_or(Quantity::ZERO)
        };
        let fits = |node: &Node| {
            asked
                .iter()
                .all(|(resource, amount)| *amount <= has(node, resource))
        };
        if asked.is_empty() || nodes.any(fits) == Some(true) {
            return;
        }
        if !nodes.is_whole() || nodes.items().is_empty() {
            let found = if nodes.is_whole() {
                "the cluster has no node yet, so whether a pod fits on one"
            } else {
                "whether a node is large enough"
            };
            report.add(RawFinding {
                certainty: Certainty::Unknown,
                ..RawFinding::at(
                    pod.to_owned(),
                    found,
                    "the nodes, from the cluster or a file of facts",
                )
            });
            return;
        }
        let before = report.findings.len();
        for (resource, amount) in &asked {
            let most = nodes.items().iter().map(|node| has(node, resource)).max();
            let most = most.unwrap_or(Quantity::ZERO);
            if *amount > most {
                let short: String = resource.chars().take(80).collect();
                report.add(RawFinding {
                    identity: format!("node/{resource}"),
                    measure: Some(amount.nanos()),
                    ..if most.is_zero() {
                        RawFinding::at(
                            pod.to_owned(),
                            format!("asks for {amount} of {short}, which no node has"),
                            format!("no {short}, or a node that has it"),
                        )
                    } else {
                        RawFinding::at(
                            pod.to_owned(),
                            format!("asks for {amount} of {short}, the largest node has {most}"),
                            format!("at most {most} of {short}"),
                        )
                    }
                });
            }
        }
        if report.findings.len() == before {
            let all: Vec<String> = asked
                .iter()
                .take(10)
                .map(|(resource, amount)| {
                    format!(
                        "{amount} of {}",
                        resource.chars().take(80).collect::<String>()
                    )
                })
                .collect();
            report.add(RawFinding {
                identity: "node/together".to_owned(),
                ..RawFinding::at(
                    pod.to_owned(),
                    format!(
                        "asks for {}: some node has each, no node has all",
                        all.join(" and ")
                    ),
                    "requests that one node can hold",
                )
            });
        }
    }
}
