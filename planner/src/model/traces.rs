//! The model against the real controllers: every recorded trace is replayed, and the model must settle in exactly the recorded states.
//!
//! The real controllers are quick or slow as they please, so each trace is replayed under many orders of syncs and of pods becoming ready. Under every
//! order the model settles where the real ones did; what the real ones wanted in between lies within what the model wanted under some order.
//! A trace is recorded by the end-to-end tests, which also check that the present controllers still settle as it says.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Value, json};

use super::native::{ReplicaSet, Sets, Spec, Strategy};
use super::random::Random;
use crate::share::Share;

const ORDERS: u64 = 40;

#[derive(Deserialize)]
struct Trace {
    story: String,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
struct Step {
    tells: String,
    #[serde(flatten)]
    act: Act,
    settled: Vec<Set>,
    extremes: Extremes,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Act {
    Write(Value),
    Sicken(Pods),
    Delete(Pods),
}

#[derive(Deserialize)]
struct Pods {
    image: String,
    pods: usize,
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Set {
    image: String,
    replicas: u32,
    min_ready_seconds: i64,
    desired: u32,
    most: u32,
}

/// `[least, most]` wanted pods.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
struct Extremes {
    images: BTreeMap<String, [u32; 2]>,
    total: [u32; 2],
}

/// One Deployment on the model.
struct Stage {
    now: u64,
    spec: Value,
    sets: Sets,
    sick: BTreeSet<u64>,
    /// What was wanted since the last act.
    seen: Extremes,
    order: Random,
}

impl Stage {
    fn new(seed: u64) -> Self {
        // what the API server makes of fields that are not written
        let spec = json!({"paused": false, "minReadySeconds": 0, "revisionHistoryLimit": 10});
        Self {
            now: 0,
            spec,
            sets: Sets::default(),
            sick: BTreeSet::new(),
            seen: Extremes::default(),
            order: Random::new(seed),
        }
    }

    fn play(&mut self, act: &Act) {
        self.seen = Extremes::of(&self.sets);
        match act {
            Act::Write(patch) => json_patch::merge(&mut self.spec, patch),
            Act::Sicken(pods) => {
                for id in self.healthy(pods) {
                    self.sick.insert(id);
                }
                for pod in self.sets.all.iter_mut().flat_map(|set| &mut set.pods) {
                    if self.sick.contains(&pod.id) {
                        pod.ready = None;
                    }
                }
            }
            Act::Delete(pods) => {
                let gone = self.healthy(pods);
                for set in &mut self.sets.all {
                    set.pods.retain(|pod| !gone.contains(&pod.id));
                }
            }
        }
        self.settle();
    }

    fn healthy(&self, which: &Pods) -> Vec<u64> {
        let sets = self.sets.all.iter();
        sets.filter(|set| set.version == which.image)
            .flat_map(|set| &set.pods)
            .map(|pod| pod.id)
            .filter(|id| !self.sick.contains(id))
            .take(which.pods)
            .collect()
    }

    fn settle(&mut self) {
        for _ in 0..2000 {
            let _: bool = match self.order.below(4) {
                0 | 1 => self.sync(),
                2 => self.sets.sync_pods(),
                _ => self.pods_become_ready(50),
            };
            self.now += u64::from(self.order.below(400));
            // nothing moves any more, however long anybody waits
            let rested = self.sets.clone();
            let now = self.now;
            self.now += 60_000;
            if !self.sync() && !self.sets.sync_pods() && !self.pods_become_ready(100) {
                return;
            }
            self.sets = rested;
            self.now = now;
        }
        panic!("no rest: {:?}", self.sets);
    }

    fn sync(&mut self) -> bool {
        let spec = spec(&self.spec);
        let scales = self.sets.is_scaling_event(&spec);
        let before = self.sets.clone();
        let changed = self.sets.sync(&spec, self.now);
        self.seen.widen(&self.sets);
        self.seen.widen_within_a_sync(&before, &self.sets);
        if scales {
            // the real controller refuses to go on while ReplicaSets report more available pods than they want
            self.sets.sync_pods();
        }
        changed
    }

    /// Each pod that can becomes ready, or not yet.
    fn pods_become_ready(&mut self, percent: u32) -> bool {
        let mut changed = false;
        for set in &mut self.sets.all {
            // words behind the version say how it is broken
            if set.version.contains("--") {
                continue;
            }
            for pod in &mut set.pods {
                let comes = pod.ready.is_none() && !self.sick.contains(&pod.id);
                if comes && self.order.chance(percent) {
                    pod.ready = Some(self.now);
                    changed = true;
                }
            }
        }
        changed
    }

    fn settled(&self) -> Vec<Set> {
        self.sets.all.iter().map(Set::of).collect()
    }
}

impl Set {
    fn of(set: &ReplicaSet) -> Self {
        Self {
            image: set.version.clone(),
            replicas: set.replicas,
            min_ready_seconds: set.min_ready_seconds,
            desired: set.desired,
            most: set.most,
        }
    }
}

impl Extremes {
    fn of(sets: &Sets) -> Self {
        let images = sets
            .all
            .iter()
            .map(|set| (set.version.clone(), [set.replicas; 2]));
        Self {
            images: images.collect(),
            total: [sets.replicas(); 2],
        }
    }

    fn widen(&mut self, sets: &Sets) {
        let gone: Vec<String> = self.images.keys().cloned().collect();
        for image in gone.iter().chain(sets.all.iter().map(|set| &set.version)) {
            let size = sets.of(image).map_or(0, |set| set.replicas);
            // a version that was not there had no pods
            let known = self.images.entry(image.clone()).or_default();
            *known = wider(*known, [size; 2]);
        }
        self.total = wider(self.total, [sets.replicas(); 2]);
    }

    /// The sizes that one sync changes are written one after the other.
    fn widen_within_a_sync(&mut self, before: &Sets, after: &Sets) {
        let size = |sets: &Sets, image: &str| sets.of(image).map_or(0, |set| set.replicas);
        let images: BTreeSet<&str> = before
            .all
            .iter()
            .chain(&after.all)
            .map(|set| set.version.as_str())
            .collect();
        let (mut least, mut most) = (before.replicas(), before.replicas());
        for image in images {
            let (was, is) = (size(before, image), size(after, image));
            most += is.saturating_sub(was);
            least -= was.saturating_sub(is);
        }
        self.total = wider(self.total, [least, most]);
    }

    fn join(&mut self, other: &Self) {
        for (image, range) in &other.images {
            let known = self.images.entry(image.clone()).or_insert(*range);
            *known = wider(*known, *range);
        }
        self.total = wider(self.total, other.total);
    }

    /// What lies outside; empty when everything of `real` is within.
    fn misses(&self, real: &Self) -> Vec<String> {
        let mut missed = Vec::new();
        for (image, range) in &real.images {
            let own = self.images.get(image).copied().unwrap_or_default();
            if wider(own, *range) != own {
                missed.push(format!("{image} had {range:?}, the model allows {own:?}"));
            }
        }
        if wider(self.total, real.total) != self.total {
            let (own, real) = (self.total, real.total);
            missed.push(format!("all had {real:?}, the model allows {own:?}"));
        }
        missed
    }
}

fn wider(one: [u32; 2], other: [u32; 2]) -> [u32; 2] {
    [one[0].min(other[0]), one[1].max(other[1])]
}

/// The fields that the model reads.
fn spec(spec: &Value) -> Spec {
    let limit = |name: &str| Share::of(&spec["strategy"]["rollingUpdate"][name]).unwrap();
    let image = &spec["template"]["spec"]["containers"][0]["image"];
    Spec {
        replicas: number(&spec["replicas"]),
        paused: spec["paused"].as_bool().unwrap(),
        strategy: match spec["strategy"]["type"].as_str().unwrap() {
            "Recreate" => Strategy::Recreate,
            _ => Strategy::RollingUpdate {
                surge: limit("maxSurge"),
                unavailable: limit("maxUnavailable"),
            },
        },
        min_ready_seconds: spec["minReadySeconds"].as_i64().unwrap(),
        history: number(&spec["revisionHistoryLimit"]).try_into().unwrap(),
        version: image.as_str().unwrap().to_owned(),
    }
}

fn number(value: &Value) -> u32 {
    value.as_u64().unwrap().try_into().unwrap()
}

fn traces() -> Vec<Trace> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/traces");
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    let read = |path: &std::path::PathBuf| {
        let text = std::fs::read_to_string(path).unwrap();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    paths.iter().map(read).collect()
}

/// Where the model settles elsewhere under some order, and where it never wants what the real controllers wanted.
fn differences(trace: &Trace) -> Vec<String> {
    let mut differ = BTreeMap::new();
    let mut allowed: Vec<Extremes> = vec![Extremes::default(); trace.steps.len()];
    for seed in 0..ORDERS {
        let mut stage = Stage::new(seed);
        for (number, step) in trace.steps.iter().enumerate() {
            stage.play(&step.act);
            match seed {
                0 => allowed[number] = stage.seen.clone(),
                _ => allowed[number].join(&stage.seen),
            }
            let settled = stage.settled();
            if settled != step.settled {
                let real = &step.settled;
                differ.entry(number).or_insert_with(|| {
                    format!("order {seed} settles in {settled:?}, the real controllers in {real:?}")
                });
                // what follows from another state says nothing
                break;
            }
        }
    }
    if differ.is_empty() {
        for (number, (step, allowed)) in trace.steps.iter().zip(&allowed).enumerate() {
            let missed = allowed.misses(&step.extremes);
            if !missed.is_empty() {
                differ.insert(number, missed.join("; "));
            }
        }
    }
    differ
        .into_iter()
        .map(|(number, what)| {
            let tells = &trace.steps[number].tells;
            format!("{} step {} ({tells}): {what}", trace.story, number + 1)
        })
        .collect()
}

#[test]
fn the_model_settles_where_the_real_controllers_did_under_every_order() {
    let traces = traces();
    assert!(traces.len() > 20, "only {} traces", traces.len());
    let differ: Vec<String> = traces.iter().flat_map(differences).collect();
    assert!(differ.is_empty(), "{}", differ.join("\n"));
}

#[test]
fn a_trace_that_the_model_cannot_have_made_is_noticed() {
    let mut traces = traces();
    let trace = &mut traces[0];
    let last = trace.steps.last_mut().unwrap();
    last.settled[0].replicas += 1;
    assert_eq!(differences(trace).len(), 1);
    let last = trace.steps.last_mut().unwrap();
    last.settled[0].replicas -= 1;
    last.extremes.total[1] += 1;
    assert_eq!(differences(trace).len(), 1);
}

/// Seen of the real controllers in two runs: the old version came back under the pin with half of the pods, and the Deployment controller decided by the
/// available pods that a status had counted before, or by the ones after.
#[test]
fn both_real_outcomes_of_a_race_with_the_status_are_in_the_model() {
    let limits = |surge: Value, unavailable: Value| {
        let limits = json!({"maxSurge": surge, "maxUnavailable": unavailable});
        json!({"type": "RollingUpdate", "rollingUpdate": limits})
    };
    let template = |image: &str| json!({"spec": {"containers": [{"image": image}]}});
    let writes = [
        json!({"replicas": 10, "template": template("a:v1"), "strategy": limits(json!("25%"), json!("25%"))}),
        json!({"paused": true, "template": template("a:v2")}),
        json!({"paused": false, "minReadySeconds": 2_147_483_646, "strategy": limits(json!(0), json!("50%"))}),
        json!({"template": template("a:v1")}),
    ];
    let mut outcomes = BTreeSet::new();
    for seed in 0..ORDERS {
        let mut stage = Stage::new(seed);
        for write in &writes {
            stage.play(&Act::Write(write.clone()));
        }
        outcomes.insert(
            stage
                .sets
                .all
                .iter()
                .map(|set| set.replicas)
                .collect::<Vec<_>>(),
        );
    }
    assert!(
        outcomes.contains(&vec![5, 5]) && outcomes.contains(&vec![10, 0]),
        "{outcomes:?}"
    );
}
