//! Runs of one small world: a Deployment with two versions, and probes of every shape.

use serde_json::{Value, json};
use sluice_planner::template::template_hash;

use super::*;
use crate::cache::table::Table;

struct World {
    probes: Vec<(Key, Arc<Probe>)>,
    gates: Vec<(Key, Arc<Gate>)>,
    plans: Vec<(Key, Arc<RolloutPlan>)>,
    deployments: Table<DeploymentRow>,
    gated: Vec<(WorkloadKind, Key, Arc<GatedFacts>)>,
    releases: Table<Release>,
    sets: Table<ReplicaSetRow>,
    pods: Table<PodRow>,
    attempted: bool,
}

fn ours<T: serde::de::DeserializeOwned>(kind: &str, name: &str, spec: Value) -> (Key, Arc<T>) {
    let object = json!({"apiVersion": "sluice.dev/v1alpha1", "kind": kind,
        "metadata": {"name": name, "namespace": "shop"}, "spec": spec});
    (
        Key::new("shop", name),
        Arc::new(serde_json::from_value(object).unwrap()),
    )
}

fn template(image: &str) -> Value {
    json!({"metadata": {"labels": {"app": "checkout"}}, "spec": {"containers": [{"name": "app", "image": image}]}})
}

impl World {
    /// A Deployment with two pods of v1 and one of v2, and probes of every shape.
    fn new() -> Self {
        let world = Self {
            probes: vec![
                ours(
                    "Probe",
                    "url",
                    json!({"http": {"target": {"url": "http://checkout.shop.svc/"}}}),
                ),
                ours(
                    "Probe",
                    "query",
                    json!({"prometheus": {"query": "up", "condition": "> 0"}}),
                ),
                ours(
                    "Probe",
                    "canary",
                    json!({"http": {"target": {"pods": "Canary", "port": 80}}}),
                ),
                ours(
                    "Probe",
                    "stable",
                    json!({"http": {"target": {"pods": "Stable", "port": 80}}}),
                ),
                ours(
                    "Probe",
                    "all",
                    json!({"http": {"target": {"pods": "All", "port": 80}}}),
                ),
                ours(
                    "Probe",
                    "late",
                    json!({"http": {"target": {"url": "http://late.svc/"}}, "triggers": ["Release"]}),
                ),
                ours(
                    "Probe",
                    "broken",
                    json!({"http": {"target": {"url": "http:///"}}}),
                ),
            ],
            gates: vec![],
            plans: vec![],
            deployments: Table::default(),
            gated: vec![],
            releases: Table::default(),
            sets: Table::default(),
            pods: Table::default(),
            attempted: false,
        };
        world.deployments.apply(json!({
            "metadata": {"name": "checkout", "namespace": "shop", "uid": "d", "labels": {"app": "checkout"}},
            "spec": {"template": template("v2")},
        }));
        for (version, pods) in [("v1", vec!["a", "b"]), ("v2", vec!["c"])] {
            let owner = |kind: &str, uid: &str| json!([{"kind": kind, "name": "x", "uid": uid, "controller": true}]);
            let mut labelled = template(version);
            labelled["metadata"]["labels"]["pod-template-hash"] = json!(version);
            world.sets.apply(json!({
                "metadata": {"name": version, "namespace": "shop", "uid": version, "labels": {"pod-template-hash": version},
                    "ownerReferences": owner("Deployment", "d")},
                "spec": {"template": labelled},
            }));
            for pod in pods {
                world.pods.apply(json!({
                    "metadata": {"name": pod, "namespace": "shop", "ownerReferences": owner("ReplicaSet", version)},
                    "status": {"podIP": "10.244.0.1", "conditions": [{"type": "Ready", "status": "True"}]},
                }));
            }
        }
        world
    }

    fn release(&self, phase: &str) {
        self.releases.apply(json!({
            "apiVersion": "sluice.dev/v1alpha1", "kind": "Release",
            "metadata": {"name": "r", "namespace": "shop"},
            "spec": {"workload": {"kind": "Deployment", "name": "checkout", "uid": "d"},
                "target": {"hash": template_hash(&template("v2"))},
                "stable": {"hash": template_hash(&template("v1")), "template": template("v1")},
                "originals": {}, "plan": {"namespace": "shop", "name": "p"}},
            "status": {"phase": phase},
        }));
    }

    fn gate(&mut self, probes: &[&str]) {
        let probes: Vec<Value> = probes.iter().map(|name| json!({"name": name})).collect();
        self.gates = vec![ours(
            "Gate",
            "g",
            json!({"components": {}, "before": {"probes": probes}}),
        )];
    }

    fn plan(&mut self, probes: &[&str]) {
        let probes: Vec<Value> = probes.iter().map(|name| json!({"name": name})).collect();
        self.plans = vec![ours(
            "RolloutPlan",
            "p",
            json!({"components": {}, "during": {"probes": probes}}),
        )];
    }

    fn desired(&self) -> Desired {
        let probes = Probes::new(self.probes.clone(), "sluice-system");
        let rules = sluice_probes::TargetRules::default();
        desired(&Scene {
            system: "sluice-system",
            probes: &probes,
            refused: &|_, probe| crate::validate::probe(&probe.spec, &rules),
            gates: &self.gates,
            plans: &self.plans,
            deployments: &self.deployments.all(),
            gated: &self.gated,
            releases: &|uid| self.releases.of(uid),
            replica_sets: &|uid| self.sets.of(uid),
            pods: &|uid| self.pods.of(uid),
            attempted: &|_| self.attempted,
        })
    }
}

/// `probe|context: whom`, sorted.
fn shown(desired: &Desired) -> Vec<String> {
    let mut shown: Vec<String> = desired
        .runs
        .iter()
        .map(|run| {
            let whom = match &run.targets {
                Targets::Url(_) => "url".to_owned(),
                Targets::Pods(pods) => pods
                    .iter()
                    .map(|pod| pod.name.as_str())
                    .collect::<Vec<_>>()
                    .join(","),
                Targets::Query {
                    canary_hash,
                    stable_hash,
                } => format!("{canary_hash:?} {stable_hash:?}"),
            };
            format!("{}|{}: {whom}", run.id.probe, run.id.context)
        })
        .collect();
    shown.sort();
    shown
}

#[test]
fn at_rest_only_urls_and_queries_run() {
    let world = World::new();
    assert_eq!(
        shown(&world.desired()),
        ["shop/query|: None None", "shop/url|: url"]
    );
}

#[test]
fn a_gate_asks_pods_per_component_and_names_what_it_cannot_ask() {
    let mut world = World::new();
    world.gate(&["url", "all", "stable", "canary", "late", "broken", "absent"]);
    let desired = world.desired();
    assert_eq!(
        shown(&desired),
        [
            "shop/all|deployment shop/checkout: a,b,c",
            "shop/canary|deployment shop/checkout: ",
            "shop/query|: None None",
            "shop/stable|deployment shop/checkout: a,b,c",
            "shop/url|: url",
        ]
    );
    let requirements = &desired.gates[&Key::new("shop", "g")];
    let without_run: Vec<_> = requirements
        .iter()
        .filter(|requirement| requirement.runs.is_empty())
        .map(|requirement| (requirement.probe.as_str(), requirement.problem.is_some()))
        .collect();
    assert_eq!(
        without_run,
        [
            ("shop/late", false),
            ("shop/broken", true),
            ("shop/absent", true)
        ],
        "each of these is unknown or worse, never a pass"
    );
}

#[test]
fn pods_of_workloads_that_are_never_stepped_are_asked_too() {
    let mut world = World::new();
    for (kind, uid, controlled) in [
        (WorkloadKind::StatefulSet, "s", false),
        (WorkloadKind::DaemonSet, "e", false),
        (WorkloadKind::StatefulSet, "operated", true),
    ] {
        let facts = GatedFacts {
            uid: uid.into(),
            labels: BTreeMap::new(),
            controlled,
        };
        world
            .gated
            .push((kind, Key::new("shop", uid), Arc::new(facts)));
        world.pods.apply(json!({
            "metadata": {"name": format!("{uid}-0"), "namespace": "shop",
                "ownerReferences": [{"kind": kind.as_str(), "name": uid, "uid": uid, "controller": true}]},
            "status": {"podIP": "10.244.0.1", "conditions": [{"type": "Ready", "status": "True"}]},
        }));
    }
    world.gate(&["all", "stable", "canary"]);
    let desired = world.desired();
    let asked: Vec<_> = shown(&desired)
        .into_iter()
        .filter(|run| run.contains("set shop"))
        .collect();
    assert_eq!(
        asked,
        [
            "shop/all|daemonset shop/e: e-0",
            "shop/all|statefulset shop/s: s-0",
            "shop/canary|daemonset shop/e: ",
            "shop/canary|statefulset shop/s: ",
            "shop/stable|daemonset shop/e: e-0",
            "shop/stable|statefulset shop/s: s-0",
        ]
    );
    assert_eq!(
        desired.asked,
        ["d", "s", "e"].map(str::to_owned).into(),
        "a change of their pods is heard of"
    );
}

#[test]
fn a_waiting_release_makes_release_probes_of_its_gate_run() {
    let mut world = World::new();
    world.gate(&["late"]);
    world.release("Held");
    assert!(shown(&world.desired()).contains(&"shop/late|: url".to_owned()));
}

#[test]
fn a_release_that_its_gate_refused_makes_them_run_too() {
    let mut world = World::new();
    world.gate(&["late"]);
    let idle = |desired: &Desired| desired.gates[&Key::new("shop", "g")][0].idle;
    assert!(idle(&world.desired()));
    world.attempted = true;
    let desired = world.desired();
    assert!(!idle(&desired));
    assert!(shown(&desired).contains(&"shop/late|: url".to_owned()));
}

#[test]
fn a_release_asks_both_versions_apart_and_its_undoing_asks_the_stable_one() {
    let mut world = World::new();
    world.plan(&["url", "query", "canary", "stable", "all"]);
    let of_release = |world: &World| -> Vec<String> {
        shown(&world.desired())
            .into_iter()
            .filter(|run| !run.contains("|:"))
            .collect()
    };
    world.release("Baking");
    assert_eq!(
        of_release(&world),
        [
            "shop/all|release shop/r: a,b,c",
            "shop/canary|release shop/r: c",
            "shop/query|release shop/r: Some(\"v2\") Some(\"v1\")",
            "shop/stable|release shop/r: a,b",
            "shop/url|release shop/r: url",
        ]
    );
    world.release("Aborting");
    assert_eq!(
        of_release(&world),
        [
            "shop/all|stable shop/r: a,b,c",
            "shop/canary|stable shop/r: a,b",
            "shop/query|stable shop/r: Some(\"v1\") Some(\"v1\")",
            "shop/stable|stable shop/r: a,b",
            "shop/url|stable shop/r: url",
        ]
    );
    world.release("RolledBack");
    assert_eq!(of_release(&world), Vec::<String>::new());
}
