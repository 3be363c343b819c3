//! Everything one pass needs to know about one Deployment, complete, so that nothing is looked up while deciding.
//!
//! I/O: a GET of the Deployment where the table does not keep it whole, and of the stable ReplicaSet when a release is about to be recorded.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use serde_json::Value;
use sluice_api::{
    Release, RolloutPlan, Verdict, WorkloadKind,
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
use sluice_probes::{Engine, RunId};

use crate::{
    cache::{
        Caches, is_finished,
        rows::{DeploymentRow, POD_TEMPLATE_HASH, ReplicaSetRow},
        table::Key,
    },
    choice::{baseline, pick},
    execute::{ExecuteError, Executor},
    probing::{
        desired::{release_run, stable_run},
        judging::Judge,
        references::Referred,
    },
    validate,
};

/// Bounds of [`Found::sampling`].
const OFTEN: Duration = Duration::from_millis(100);
const SELDOM: Duration = Duration::from_secs(1);

/// A Deployment with something under way, and all that is known about it.
pub struct Found {
    /// Which Deployment.
    pub key: Key,
    /// What the planner sees; the answer to a rehearsal is added by whoever asked.
    pub observation: Observation,
    /// The shortest interval of the probes that this release waits for: whoever waits for a fresh sample looks again after it.
    pub sampling: Duration,
}

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
        if row.deleting || !(self.caches.is_active(&row) || retry_waits(&row, &releases)) {
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
                self.answers(probes.resolve(references, own), |probe| run(probe, &name))
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
        let observation = Observation {
            now: Timestamp::now(),
            replica_sets: {
                let mut sets: Vec<observation::ReplicaSet> =
                    sets.iter().map(|set| set.facts.clone()).collect();
                sets.sort_by(|one, other| one.name.cmp(&other.name));
                sets
            },
            hold,
            originals,
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

    fn answers(&self, referred: Vec<Referred>, run: impl Fn(&Key) -> RunId) -> Vec<ProbeAnswer> {
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
