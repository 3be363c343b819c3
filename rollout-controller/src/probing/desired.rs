//! Which probe runs must exist. Pure: everything comes in as arguments, and the same state of the cluster gives the same runs.
//!
//! A run has a context, so that the same probe asked for different things never mixes its rows of samples:
//!
//! | context | asked for | targets |
//! |---|---|---|
//! | (empty) | gates, and the probe's own status | the URL or query as written |
//! | `deployment NS/NAME` | gates of that component, for probes of pods | `All` and `Stable`: its pods; `Canary`: none outside a release |
//! | `statefulset NS/NAME`, `daemonset NS/NAME` | the same | the same; these are never stepped, so every pod of theirs is a stable one |
//! | `release NS/NAME` | `during` and `after` of the plan, from the hold on | canary: pods of the target; stable: pods of the stable version |
//! | `stable NS/NAME` | the proof of a rollback | the stable pods, asked as if they were the canary |

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use sluice_api::{
    Gate, PodSet, Probe, Release, ReleasePhase, RolloutPlan, WorkloadKind, probe::Trigger,
};
use sluice_planner::selection::{self, Workload};
use sluice_probes::{Check, PodTarget, Run, RunId, Targets};

use super::references::{Probes, Referred};
use crate::cache::{
    is_finished,
    rows::{DeploymentRow, GatedFacts, PodRow, ReplicaSetRow},
    table::Key,
};

/// Everything that decides which runs exist.
pub struct Scene<'a> {
    /// Sluice's own namespace.
    pub system: &'a str,
    /// Every probe.
    pub probes: &'a Probes,
    /// Why a probe cannot work; `None` when it can.
    pub refused: &'a dyn Fn(&Key, &Probe) -> Option<String>,
    /// Every gate.
    pub gates: &'a [(Key, Arc<Gate>)],
    /// Every plan.
    pub plans: &'a [(Key, Arc<RolloutPlan>)],
    /// Every Deployment.
    pub deployments: &'a [(Key, Arc<DeploymentRow>)],
    /// Every workload of the kinds that are gated and never stepped.
    pub gated: &'a [(WorkloadKind, Key, Arc<GatedFacts>)],
    /// Releases by the uid of the workload.
    pub releases: &'a dyn Fn(&str) -> Vec<Arc<Release>>,
    /// ReplicaSets by the uid of the Deployment.
    pub replica_sets: &'a dyn Fn(&str) -> Vec<Arc<ReplicaSetRow>>,
    /// Pods by the uid of what controls them.
    pub pods: &'a dyn Fn(&str) -> Vec<Arc<PodRow>>,
    /// Whether a gate refused a release a moment ago.
    pub attempted: &'a dyn Fn(&Key) -> bool,
}

/// One probe that a gate requires.
#[derive(Clone, Debug, PartialEq)]
pub struct Requirement {
    /// `namespace/name`, or the selector in words.
    pub probe: String,
    /// What is wrong before any sample: it does not exist, or it cannot work.
    pub problem: Option<Problem>,
    /// The runs that must all pass. None without a problem: there is nobody to ask, or nothing to ask for yet.
    pub runs: Vec<RunId>,
    /// The probe runs for releases only, and none is tried or under way.
    pub idle: bool,
}

/// Why a requirement has no run.
#[derive(Clone, Debug, PartialEq)]
pub enum Problem {
    /// The probe does not exist.
    Missing(String),
    /// The probe cannot work.
    NotAccepted(String),
}

/// Who wants to know about a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Readers {
    /// Gates that require it.
    pub gates: BTreeSet<Key>,
    /// The Deployment whose release it judges.
    pub deployment: Option<Key>,
    /// Whether it is part of the probe's own status.
    pub own: bool,
}

/// The runs, and what they are for.
#[derive(Default)]
pub struct Desired {
    /// Every run, once.
    pub runs: Vec<Run>,
    /// What each gate requires.
    pub gates: BTreeMap<Key, Vec<Requirement>>,
    /// Which form of each gate that was worked out from: uid and generation.
    pub forms: BTreeMap<Key, (Option<String>, Option<i64>)>,
    /// The runs of each probe on its own schedule.
    pub probes: BTreeMap<Key, Vec<RunId>>,
    /// Who wants to know about a run.
    pub readers: HashMap<RunId, Readers>,
    /// The uids of workloads whose pods are asked by address.
    pub asked: HashSet<String>,
    /// The probes all of this was worked out from.
    pub known: Arc<Probes>,
}

/// The run of a release for `probe`.
#[must_use]
pub fn release_run(probe: &Key, release: &Key) -> RunId {
    RunId {
        probe: probe.to_string(),
        context: format!("release {release}"),
    }
}

/// The run that asks the stable version after a rollback.
#[must_use]
pub fn stable_run(probe: &Key, release: &Key) -> RunId {
    RunId {
        probe: probe.to_string(),
        context: format!("stable {release}"),
    }
}

fn own_run(probe: &Key) -> RunId {
    RunId {
        probe: probe.to_string(),
        context: String::new(),
    }
}

fn component_run(probe: &Key, component: &Component) -> RunId {
    let kind = component.workload.kind.as_str().to_lowercase();
    RunId {
        probe: probe.to_string(),
        context: format!("{kind} {}", component.key),
    }
}

/// A workload that gates may guard, and its releases that have not ended.
struct Component<'a> {
    key: &'a Key,
    uid: &'a str,
    workload: Workload<'a>,
    controlled: bool,
    /// The Deployment, if it is one: only that has releases, and its pods belong to ReplicaSets.
    deployment: Option<&'a DeploymentRow>,
    open: Vec<Arc<Release>>,
}

impl<'a> Component<'a> {
    fn of_deployment(scene: &Scene<'a>, key: &'a Key, row: &'a DeploymentRow) -> Self {
        Self {
            key,
            uid: &row.uid,
            workload: workload(key, row),
            controlled: row.controlled_by.is_some(),
            deployment: Some(row),
            open: (scene.releases)(&row.uid)
                .into_iter()
                .filter(|release| !is_finished(release))
                .collect(),
        }
    }

    fn of_gated(kind: WorkloadKind, key: &'a Key, facts: &'a GatedFacts) -> Self {
        Self {
            key,
            uid: &facts.uid,
            workload: Workload {
                namespace: &key.namespace,
                kind,
                name: &key.name,
                labels: &facts.labels,
            },
            controlled: facts.controlled,
            deployment: None,
            open: Vec::new(),
        }
    }

    /// The pods that a probe of its gate asks.
    fn pods(&self, scene: &Scene<'_>, set: Option<PodSet>) -> Vec<PodTarget> {
        let Some(row) = self.deployment else {
            return match set {
                Some(PodSet::Canary) => Vec::new(),
                _ => targets((scene.pods)(self.uid)),
            };
        };
        match set {
            Some(PodSet::Canary) => Vec::new(),
            Some(PodSet::Stable) => {
                let released: Vec<_> = self
                    .open
                    .iter()
                    .map(|release| release.spec.target.hash.as_str())
                    .collect();
                pods_of(scene, row, |set| {
                    !released.contains(&set.facts.template_hash.as_str())
                })
            }
            _ => pods_of(scene, row, |_| true),
        }
    }
}

/// The runs that must exist now.
#[must_use]
pub fn desired(scene: &Scene<'_>) -> Desired {
    let mut desired = Desired::default();
    for (key, probe) in scene.probes.iter() {
        if runs_always(probe)
            && (scene.refused)(&key, probe).is_none()
            && !asks_pods(probe)
            && let Some(run) = run(probe, own_run(&key), url_or_query(probe))
        {
            desired.want(run, |readers| readers.own = true);
            desired
                .probes
                .entry(key.clone())
                .or_default()
                .push(own_run(&key));
        }
    }
    let deployments = scene.deployments.iter();
    let gated = scene.gated.iter();
    let components: Vec<Component> = deployments
        .map(|(key, row)| Component::of_deployment(scene, key, row))
        .chain(gated.map(|(kind, key, facts)| Component::of_gated(*kind, key, facts)))
        .collect();
    for (key, gate) in scene.gates {
        let requirements = gate_requirements(scene, &mut desired, key, gate, &components);
        desired.gates.insert(key.clone(), requirements);
        let form = (gate.metadata.uid.clone(), gate.metadata.generation);
        desired.forms.insert(key.clone(), form);
    }
    for component in &components {
        for release in &component.open {
            if let Some(row) = component.deployment {
                release_runs(scene, &mut desired, component.key, row, release);
            }
        }
    }
    desired
}

impl Desired {
    fn want(&mut self, run: Run, read_by: impl FnOnce(&mut Readers)) {
        let readers = self.readers.entry(run.id.clone()).or_insert_with(|| {
            self.runs.push(run);
            Readers::default()
        });
        read_by(readers);
    }
}

fn gate_requirements(
    scene: &Scene<'_>,
    desired: &mut Desired,
    key: &Key,
    gate: &Gate,
    components: &[Component],
) -> Vec<Requirement> {
    let components: Vec<_> = components
        .iter()
        .filter(|component| {
            !component.controlled && selection::selects(gate, component.workload, scene.system)
        })
        .collect();
    let released = components
        .iter()
        .any(|component| !component.open.is_empty());
    let mut requirements = Vec::new();
    for referred in scene
        .probes
        .resolve(&gate.spec.before.probes, &key.namespace)
    {
        let (name, probe) = match referred {
            Referred::Missing { named, why } => {
                requirements.push(Requirement {
                    probe: named,
                    problem: Some(Problem::Missing(why)),
                    runs: Vec::new(),
                    idle: false,
                });
                continue;
            }
            Referred::Found(name, probe) => (name, probe),
        };
        if let Some(why) = (scene.refused)(&name, &probe) {
            requirements.push(Requirement {
                probe: name.to_string(),
                problem: Some(Problem::NotAccepted(why)),
                runs: Vec::new(),
                idle: false,
            });
            continue;
        }
        let mut runs = Vec::new();
        // a probe that runs for releases only proves a gate while one waits there, or was refused there a moment ago
        let idle = !(runs_always(&probe) || released || (scene.attempted)(key));
        if !idle {
            if asks_pods(&probe) {
                for component in &components {
                    let id = component_run(&name, component);
                    desired.asked.insert(component.uid.to_owned());
                    let targets = component.pods(scene, pod_set(&probe));
                    if let Some(run) = run(&probe, id.clone(), Some(Targets::Pods(targets))) {
                        desired.want(run, |readers| {
                            readers.gates.insert(key.clone());
                            readers.own = true;
                        });
                        let own = desired.probes.entry(name.clone()).or_default();
                        if !own.contains(&id) {
                            own.push(id.clone());
                        }
                        runs.push(id);
                    }
                }
            } else if let Some(run) = run(&probe, own_run(&name), url_or_query(&probe)) {
                runs.push(run.id.clone());
                desired.want(run, |readers| {
                    readers.gates.insert(key.clone());
                });
            }
        }
        requirements.push(Requirement {
            probe: name.to_string(),
            problem: None,
            runs,
            idle,
        });
    }
    requirements
}

fn release_runs(
    scene: &Scene<'_>,
    desired: &mut Desired,
    key: &Key,
    row: &DeploymentRow,
    release: &Release,
) {
    let phase = release
        .status
        .as_ref()
        .map(|status| status.phase)
        .unwrap_or_default();
    let undoing = phase == ReleasePhase::Aborting;
    let Some(plan) = selection::applicable_plan(
        workload(key, row),
        scene.system,
        scene.plans.iter().map(|(_, plan)| plan.as_ref()),
    ) else {
        return;
    };
    let own = plan.metadata.namespace.as_deref().unwrap_or_default();
    let name = Key::new(
        key.namespace.clone(),
        release.metadata.name.clone().unwrap_or_default(),
    );
    let sets = (scene.replica_sets)(&row.uid);
    let hash_of = |template: &str| {
        sets.iter()
            .find(|set| set.facts.template_hash == template)
            .map(|set| set.facts.pod_template_hash.clone())
    };
    let target = release.spec.target.hash.as_str();
    let stable = release
        .spec
        .stable
        .as_ref()
        .map(|stable| stable.hash.as_str());
    let stable_hash = stable.and_then(hash_of).or_else(|| {
        release
            .spec
            .stable
            .as_ref()
            .and_then(|stable| stable.pod_template_hash.clone())
    });
    let references = plan
        .spec
        .during
        .probes
        .iter()
        .chain(&plan.spec.after.probes)
        .cloned()
        .collect::<Vec<_>>();
    for referred in scene.probes.resolve(&references, own) {
        let Referred::Found(probe_key, probe) = referred else {
            continue;
        };
        if (scene.refused)(&probe_key, &probe).is_some() {
            continue;
        }
        let (id, canary, canary_hash) = if undoing {
            (stable_run(&probe_key, &name), stable, stable_hash.clone())
        } else {
            (
                release_run(&probe_key, &name),
                Some(target),
                hash_of(target),
            )
        };
        let of = |template: Option<&str>| {
            pods_of(scene, row, |set| {
                Some(set.facts.template_hash.as_str()) == template
            })
        };
        let targets = if asks_pods(&probe) {
            desired.asked.insert(row.uid.clone());
            Some(Targets::Pods(match pod_set(&probe) {
                Some(PodSet::Canary) => of(canary),
                Some(PodSet::Stable) => of(stable),
                _ => pods_of(scene, row, |_| true),
            }))
        } else {
            match url_or_query(&probe) {
                Some(Targets::Query { .. }) => Some(Targets::Query {
                    canary_hash,
                    stable_hash: stable_hash.clone(),
                }),
                other => other,
            }
        };
        if let Some(run) = run(&probe, id, targets) {
            desired.want(run, |readers| readers.deployment = Some(key.clone()));
        }
    }
}

/// The Deployment as selectors see it.
fn workload<'a>(key: &'a Key, row: &'a DeploymentRow) -> Workload<'a> {
    Workload {
        namespace: &key.namespace,
        kind: WorkloadKind::Deployment,
        name: &key.name,
        labels: &row.labels,
    }
}

/// The pods of those ReplicaSets of the Deployment that `of` picks.
fn pods_of(
    scene: &Scene<'_>,
    row: &DeploymentRow,
    of: impl Fn(&ReplicaSetRow) -> bool,
) -> Vec<PodTarget> {
    let sets = (scene.replica_sets)(&row.uid);
    let picked = sets.iter().filter(|set| of(set));
    targets(picked.flat_map(|set| (scene.pods)(&set.uid)))
}

/// The pods that can be asked: those on their way out are left aside. In the order of their names.
fn targets(pods: impl IntoIterator<Item = Arc<PodRow>>) -> Vec<PodTarget> {
    let mut pods: Vec<PodTarget> = pods
        .into_iter()
        .filter(|pod| !pod.ending)
        .map(|pod| PodTarget {
            name: pod.name.clone(),
            ip: pod.ip,
            // a pod that was never ready is not asked; one that crashes must be, or it would look like one that starts slowly
            ready: pod.ready || pod.crashing,
            started: pod.started,
        })
        .collect();
    pods.sort_by(|one, other| one.name.cmp(&other.name));
    pods
}

fn run(probe: &Probe, id: RunId, targets: Option<Targets>) -> Option<Run> {
    Some(Run {
        id,
        check: Check::of(&probe.spec)?,
        interval: probe.spec.interval.get(),
        timeout: probe.spec.timeout.get(),
        rule: probe.spec.verdict,
        targets: targets?,
    })
}

fn runs_always(probe: &Probe) -> bool {
    probe.spec.triggers.contains(&Trigger::Interval)
}

/// Which pods a probe asks by address, if it does.
#[must_use]
pub fn pod_set(probe: &Probe) -> Option<PodSet> {
    probe.spec.http.as_ref().and_then(|http| http.target.pods)
}

fn asks_pods(probe: &Probe) -> bool {
    pod_set(probe).is_some()
}

fn url_or_query(probe: &Probe) -> Option<Targets> {
    match (&probe.spec.http, &probe.spec.prometheus) {
        (Some(http), None) => http.target.url.clone().map(Targets::Url),
        (None, Some(_)) => Some(Targets::Query {
            canary_hash: None,
            stable_hash: None,
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
