//! Everything one pass needs to know about one Deployment, complete, so that nothing is looked up while deciding.
//!
//! I/O: a GET of the Deployment where the table does not keep it whole, and of the stable ReplicaSet when a release is about to be recorded.

use std::{sync::Arc, time::Duration};

use serde_json::Value;
use sluice_api::{
    PodSet, Release, RolloutPlan, Verdict, WorkloadKind,
    annotation::{self, Denied, Hold, Originals},
    gate::ProbeRef,
    label::Mode,
    release::{PlanRef, StableTemplate},
};
use sluice_planner::{
    release::observation::{self, Observation, ProbeAnswer},
    selection::{self, Workload},
    template::template_hash,
};
use sluice_probes::{Answer, Engine, RunId};

use crate::{
    cache::{
        Caches, is_finished,
        rows::{DeploymentRow, POD_TEMPLATE_HASH, ReplicaSetRow},
        table::Key,
    },
    choice::{baseline, condemned, pick},
    clock::Clock,
    execute::{ExecuteError, Executor},
    found::Found,
    probing::{
        desired::{pod_set, release_run, stable_run},
        judging::Judge,
        references::Referred,
    },
    validate,
};

/// Bounds of [`Found::sampling`].
const OFTEN: Duration = Duration::from_millis(100);
const SELDOM: Duration = Duration::from_secs(1);

/// Reads the tables, the probe engine and, where they do not suffice, the API server.
pub struct Gatherer {
    /// The tables.
    pub caches: Arc<Caches>,
    /// The probe engine.
    pub engine: Engine,
    /// What gates say.
    pub judge: Arc<Judge>,
    /// Sluice's own namespace.
    pub system: String,
    /// What time it is.
    pub clock: Arc<Clock>,
}

impl Gatherer {
    /// What is known about a Deployment; `None` when nothing is under way there.
    ///
    /// # Errors
    /// When the API server could not be asked for what is missing.
    pub async fn gather(
        &self,
        executor: &Executor,
        key: &Key,
    ) -> Result<Option<Found>, ExecuteError> {
        let Some(row) = self.caches.deployments.get(key) else {
            return Ok(None);
        };
        let releases = self.caches.releases.of(&row.uid);
        let waits = self.caches.is_active(&row) || retry_waits(&row, &releases) || row.garbled;
        if row.deleting || !waits {
            return Ok(None);
        }
        let deployment = match &row.whole {
            Some(whole) => Value::clone(whole),
            None => match executor.read(&self.caches.deployments, key).await? {
                Some(live) => live,
                None => return Ok(None),
            },
        };
        if deployment["metadata"]["uid"] != *row.uid {
            return Ok(None);
        }
        let annotations = &deployment["metadata"]["annotations"];
        let hold: Result<Option<Hold>, String> = read(annotations, annotation::HOLD);
        let originals: Result<Option<Originals>, String> = read(annotations, annotation::ORIGINALS);
        let denied: Vec<Denied> = read(annotations, annotation::DENIED)
            .ok()
            .flatten()
            .unwrap_or_default();
        let (release, others) = pick(
            &releases,
            hold.as_ref().ok().and_then(Option::as_ref),
            &denied,
        );

        let plan_object = self.plan(key, &row);
        let plan = self.usable(key, plan_object.as_deref());
        let sets = self.caches.replica_sets.of(&row.uid);
        let stable = match (&release, &hold) {
            (None, Ok(Some(hold))) => {
                self.stable(executor, key, &row, hold, &releases, &others, &sets)
                    .await?
            }
            _ => None,
        };
        let probes = self.judge.probes();
        let answers = |references: &[ProbeRef], run: fn(&Key, &Key) -> RunId| match (
            &plan_object,
            &release,
        ) {
            (Some(plan), Some(release)) => {
                let name = Key::new(
                    key.namespace.clone(),
                    release.metadata.name.clone().unwrap_or_default(),
                );
                let own = plan.metadata.namespace.as_deref().unwrap_or_default();
                let undoing = run(key, &name) == stable_run(key, &name);
                self.answers(
                    probes.resolve(references, own),
                    |probe| run(probe, &name),
                    |set| pods_to_ask(set, release, undoing, &sets),
                )
            }
            _ => Vec::new(),
        };
        let (during, after) = match &plan_object {
            Some(plan) => (
                plan.spec.during.probes.clone(),
                if plan.spec.after.probes.is_empty() {
                    plan.spec.during.probes.clone()
                } else {
                    plan.spec.after.probes.clone()
                },
            ),
            None => (Vec::new(), Vec::new()),
        };
        let mut proof = during.clone();
        proof.extend(
            after
                .iter()
                .filter(|reference| !during.contains(reference))
                .cloned(),
        );
        let own = plan_object
            .as_ref()
            .and_then(|plan| plan.metadata.namespace.as_deref())
            .unwrap_or_default();
        let sampling = probes
            .resolve(&proof, own)
            .iter()
            .filter_map(|referred| match referred {
                Referred::Found(_, probe) => Some(probe.spec.interval.get()),
                Referred::Missing { .. } => None,
            })
            .min()
            .unwrap_or(SELDOM)
            .clamp(OFTEN, SELDOM);
        let (now, leaps) = self.clock.now();
        let observation = Observation {
            now,
            leaps,
            replica_sets: {
                let mut sets: Vec<observation::ReplicaSet> =
                    sets.iter().map(|set| set.facts.clone()).collect();
                sets.sort_by(|one, other| one.name.cmp(&other.name));
                sets
            },
            hold,
            originals,
            condemned: condemned(&releases),
            stable,
            gates: self.judge.gates_of(workload(key, &row)),
            during: answers(&during, release_run),
            after: answers(&after, release_run),
            stable_proof: answers(&proof, stable_run),
            rehearsal: None,
            release: release.as_deref().cloned(),
            others: others
                .iter()
                .map(|release| Release::clone(release))
                .collect(),
            plan,
            deployment,
        };
        Ok(Some(Found {
            key: key.clone(),
            observation,
            sampling,
        }))
    }

    /// Whether a plan applies to a Deployment and may act there.
    #[must_use]
    pub fn governs(&self, key: &Key, row: &DeploymentRow) -> bool {
        row.controlled_by.is_none()
            && !row.deleting
            && row.rolling
            && matches!(
                self.usable(key, self.plan(key, row).as_deref()),
                observation::Plan::Active { .. }
            )
    }

    fn plan(&self, key: &Key, row: &DeploymentRow) -> Option<Arc<RolloutPlan>> {
        let plans = self.caches.plans.all();
        let chosen = selection::applicable_plan(
            workload(key, row),
            &self.system,
            plans.iter().map(|(_, plan)| plan.as_ref()),
        )?;
        plans
            .iter()
            .find(|(_, plan)| std::ptr::eq(plan.as_ref(), chosen))
            .map(|(_, plan)| plan.clone())
    }

    /// The plan as the planner sees it: a plan that cannot work, or may not act any more, is missing, and says why.
    fn usable(&self, key: &Key, plan: Option<&RolloutPlan>) -> observation::Plan {
        let missing = |why: String| observation::Plan::Missing { why };
        let mode = self.caches.mode(&key.namespace);
        if mode != Mode::Enforce {
            return missing(format!(
                "namespace {} is of mode {mode}: releases are stepped in mode enforce only",
                key.namespace
            ));
        }
        let Some(plan) = plan else {
            return missing(format!(
                "no rollout plan matches deployment/{} in namespace {}",
                key.name, key.namespace
            ));
        };
        let reference = PlanRef {
            namespace: plan.metadata.namespace.clone().unwrap_or_default(),
            name: plan.metadata.name.clone().unwrap_or_default(),
        };
        if plan.metadata.deletion_timestamp.is_some() {
            return missing(format!(
                "rollout plan {}/{} is being deleted",
                reference.namespace, reference.name
            ));
        }
        match validate::plan(&plan.spec) {
            Some(problem) => missing(format!(
                "rollout plan {}/{} cannot work: {problem}",
                reference.namespace, reference.name
            )),
            None => observation::Plan::Active {
                reference,
                spec: plan.spec.clone(),
            },
        }
    }

    /// What the engine says; `exist` counts the pods that a probe of pods must have asked. Pods and their ReplicaSets come by different watches: while the
    /// engine knows of fewer pods than there are, those it knows do not speak for the others.
    fn answers(
        &self,
        referred: Vec<Referred>,
        run: impl Fn(&Key) -> RunId,
        exist: impl Fn(PodSet) -> u32,
    ) -> Vec<ProbeAnswer> {
        let unknown = |probe: String, message: String| ProbeAnswer {
            probe,
            verdict: Verdict::Unknown,
            message,
            at: None,
            first_bad: None,
            detected: None,
        };
        referred
            .into_iter()
            .map(|referred| match referred {
                Referred::Missing { named, why } => unknown(named, why),
                Referred::Found(key, probe) => match self.judge.problem(&key, &probe) {
                    Some(why) => unknown(key.to_string(), why),
                    None => {
                        let answer = self.engine.answer(&run(&key));
                        let unasked = pod_set(&probe).and_then(|of| unasked(&answer, exist(of)));
                        if let Some(why) = unasked {
                            return unknown(key.to_string(), why);
                        }
                        ProbeAnswer {
                            probe: key.to_string(),
                            verdict: answer.verdict,
                            message: answer.message,
                            at: answer.at,
                            first_bad: answer.first_bad,
                            detected: answer.detected,
                        }
                    }
                },
            })
            .collect()
    }

    /// What a rollback would return to, for a release that is about to be recorded.
    #[allow(clippy::too_many_arguments)]
    async fn stable(
        &self,
        executor: &Executor,
        key: &Key,
        row: &DeploymentRow,
        hold: &Hold,
        releases: &[Arc<Release>],
        others: &[Arc<Release>],
        sets: &[Arc<ReplicaSetRow>],
    ) -> Result<Option<StableTemplate>, ExecuteError> {
        // what takes the place of an unfinished release returns to where that one would have returned
        if let Some(superseded) = others.iter().rfind(|release| !is_finished(release)) {
            return Ok(superseded.spec.stable.clone());
        }
        let Some(set) = baseline(&hold.target, hold.stable.as_deref(), releases, sets) else {
            return Ok(None);
        };
        let set_key = Key::new(key.namespace.clone(), set.facts.name.clone());
        let Some(live) = executor
            .read(&self.caches.replica_sets, &set_key)
            .await?
            .filter(|live| live["metadata"]["uid"] == *set.uid)
        else {
            return Err(ExecuteError::Stale {
                what: format!("replica set {set_key} of deployment {}", row.name),
            });
        };
        let mut template = live["spec"]["template"].clone();
        if let Some(labels) = template["metadata"]["labels"].as_object_mut() {
            labels.remove(POD_TEMPLATE_HASH);
        }
        Ok(Some(StableTemplate {
            hash: template_hash(&template),
            pod_template_hash: Some(set.facts.pod_template_hash.clone()),
            template,
        }))
    }
}

/// Why a pass of some pods is none of all that `exist`.
fn unasked(answer: &Answer, exist: u32) -> Option<String> {
    let asked = u32::try_from(answer.targets).unwrap_or(u32::MAX);
    (answer.verdict == Verdict::Pass && asked < exist)
        .then(|| format!("{asked} of {exist} pods are known to the prober"))
}

/// How many pods a probe of the pods `of` a release must have asked, as their ReplicaSets count them.
fn pods_to_ask(of: PodSet, release: &Release, undoing: bool, sets: &[Arc<ReplicaSetRow>]) -> u32 {
    let stable = release
        .spec
        .stable
        .as_ref()
        .map(|stable| stable.hash.as_str());
    let canary = if undoing {
        stable
    } else {
        Some(release.spec.target.hash.as_str())
    };
    sets.iter()
        .map(|set| &set.facts)
        .filter(|facts| {
            let template = Some(facts.template_hash.as_str());
            match of {
                PodSet::Canary => template == canary,
                PodSet::Stable => template == stable,
                PodSet::All => true,
            }
        })
        .map(|facts| facts.existing)
        .fold(0, u32::saturating_add)
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

fn read<T: serde::de::DeserializeOwned>(
    annotations: &Value,
    key: &'static str,
) -> Result<Option<T>, String> {
    let text = match annotations.get(key) {
        None => None,
        Some(Value::String(text)) => Some(text.as_str()),
        Some(_) => return Err(format!("annotation {key} is not a text")),
    };
    annotation::read(key, text).map_err(|error| format!("{error}: {}", error.source))
}

/// Whether a human asked to forget a template that this Deployment still denies.
fn retry_waits(row: &DeploymentRow, releases: &[Arc<Release>]) -> bool {
    row.denied
        && releases
            .iter()
            .any(|release| is_finished(release) && release.spec.retry.is_some())
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use sluice_planner::release::observation::ReplicaSet;

    use super::*;

    #[test]
    fn the_pods_a_probe_must_have_asked_are_counted_by_their_replica_sets() {
        let set = |template: &str, existing| {
            Arc::new(ReplicaSetRow {
                namespace: "shop".into(),
                uid: template.into(),
                owner: Some("u".into()),
                created: String::new(),
                facts: ReplicaSet {
                    name: template.into(),
                    pod_template_hash: template.into(),
                    template_hash: template.into(),
                    replicas: existing,
                    existing,
                    ready: existing,
                    available: 0,
                    observed: true,
                    failure: None,
                },
            })
        };
        let sets = [
            set("target0000", 2),
            set("stable0000", 18),
            set("older00000", 1),
        ];
        let release: Release = serde_json::from_value(json!({
            "apiVersion": "sluice.dev/v1alpha1", "kind": "Release", "metadata": {"name": "r"},
            "spec": {"workload": {"kind": "Deployment", "name": "checkout", "uid": "u"},
                "target": {"hash": "target0000"}, "stable": {"hash": "stable0000", "template": {}},
                "originals": {}, "plan": {"namespace": "shop", "name": "p"}},
        }))
        .unwrap();
        for (of, undoing, expected) in [
            (PodSet::Canary, false, 2),
            (PodSet::Stable, false, 18),
            (PodSet::All, false, 21),
            (PodSet::Canary, true, 18),
            (PodSet::Stable, true, 18),
            (PodSet::All, true, 21),
        ] {
            assert_eq!(
                pods_to_ask(of, &release, undoing, &sets),
                expected,
                "{of:?}, undoing: {undoing}"
            );
        }
    }

    #[test]
    fn pods_that_the_prober_does_not_know_are_not_spoken_for() {
        let passes = |targets| Answer {
            verdict: Verdict::Pass,
            targets,
            ..Answer::unknown("status 200")
        };
        assert_eq!(
            unasked(&passes(1), 2).as_deref(),
            Some("1 of 2 pods are known to the prober")
        );
        assert_eq!(unasked(&passes(2), 2), None);
        assert_eq!(unasked(&passes(3), 2), None, "one is on its way out");
        let fails = Answer {
            verdict: Verdict::Fail,
            ..passes(1)
        };
        assert_eq!(unasked(&fails, 2), None, "one bad pod is enough");
    }
}
