//! Runs and targets as the engine holds them. No I/O and no clock: moments are arguments.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap, HashSet},
    mem,
    net::IpAddr,
    sync::Arc,
    time::Duration,
};

use sluice_api::Verdict;
use tokio::time::Instant;

use super::{Counts, schedule};
use crate::{
    answer::{self, Answer, TargetView},
    moment::Moment,
    outcome::{Blindness, Outcome},
    run::{DesiredRuns, PodTarget, Run, RunId, Targets},
    sample::{Plan, Prober},
    tally::{Patience, Tally},
    validate::SHORTEST_INTERVAL,
};

/// Between the first samples of two targets that are new at once: 10,000 of them take ten seconds, a few take no time.
const FIRST_SAMPLES_APART: Duration = Duration::from_millis(1);

pub(super) struct State {
    epoch: Instant,
    runs: HashMap<Arc<RunId>, RunEntry>,
    targets: HashMap<u64, TargetEntry>,
    /// When which target is due. Entries that do not agree with the target's own `due` are left-overs.
    timers: BinaryHeap<Reverse<(Instant, u64)>>,
    next_key: u64,
    counts: Counts,
}

struct RunEntry {
    run: Run,
    patience: Patience,
    targets: Vec<u64>,
    /// The verdict that was last announced.
    announced: Verdict,
}

struct TargetEntry {
    run: Arc<RunId>,
    /// What it is called in messages.
    name: String,
    /// The address it is asked at, for pods; with the name it tells pods apart.
    address: Option<IpAddr>,
    /// Why it is not asked.
    idle: Option<&'static str>,
    plan: Arc<Plan>,
    interval: Duration,
    timeout: Duration,
    phase: Duration,
    tally: Tally,
    /// When its next sample should start; `None` while one is on its way or it is not asked.
    due: Option<Instant>,
    in_flight: bool,
    /// Whether a sample was asked for while one was on its way.
    again: bool,
}

/// One sample to take now.
pub(super) struct Start {
    pub(super) key: u64,
    pub(super) plan: Arc<Plan>,
    pub(super) timeout: Duration,
}

/// What is due.
#[derive(Default)]
pub(super) struct Due {
    pub(super) starts: Vec<Start>,
    /// Runs whose verdict changed because samples were missed.
    pub(super) changed: Vec<RunId>,
    /// When to look again.
    pub(super) next: Option<Instant>,
}

impl State {
    pub(super) fn new(epoch: Instant) -> Self {
        Self {
            epoch,
            runs: HashMap::new(),
            targets: HashMap::new(),
            timers: BinaryHeap::new(),
            next_key: 0,
            counts: Counts::default(),
        }
    }

    /// Returns the runs whose verdict changed.
    pub(super) fn apply(
        &mut self,
        desired: DesiredRuns,
        prober: &Prober,
        now: Moment,
    ) -> Vec<RunId> {
        let last: HashMap<&RunId, usize> = desired
            .runs
            .iter()
            .enumerate()
            .map(|(at, run)| (&run.id, at))
            .collect();
        let gone: Vec<Arc<RunId>> = self
            .runs
            .keys()
            .filter(|id| !last.contains_key(id.as_ref()))
            .cloned()
            .collect();
        // of two runs with the same id the last one counts
        let repeated: HashSet<usize> = if last.len() < desired.runs.len() {
            let kept: HashSet<usize> = last.into_values().collect();
            (0..desired.runs.len())
                .filter(|at| !kept.contains(at))
                .collect()
        } else {
            HashSet::new()
        };
        for id in gone {
            self.remove(&id);
        }
        let mut changed = Vec::new();
        let mut new = 0u32;
        for (at, run) in desired.runs.into_iter().enumerate() {
            if repeated.contains(&at) {
                continue;
            }
            match self.runs.get(&run.id) {
                Some(entry) if entry.run == run => continue,
                Some(entry) if only_pods_differ(&entry.run, &run) => {
                    self.replace_pods(run, prober, now, &mut new, &mut changed);
                }
                Some(entry) => {
                    let was = entry.announced;
                    let id = Arc::new(run.id.clone());
                    self.remove(&id);
                    if was != Verdict::Unknown {
                        changed.push(run.id.clone());
                    }
                    self.insert(id, run, prober, now, &mut new);
                }
                None => self.insert(Arc::new(run.id.clone()), run, prober, now, &mut new),
            }
        }
        changed
    }

    fn insert(&mut self, id: Arc<RunId>, run: Run, prober: &Prober, now: Moment, new: &mut u32) {
        let patience = Patience::of(run.rule, interval(&run), run.timeout);
        let targets = match &run.targets {
            Targets::Pods(pods) => {
                let mut known = HashSet::new();
                pods.iter()
                    .filter(|pod| known.insert((&pod.name, pod.ip)))
                    .map(|pod| self.pod(&id, &run, pod, prober, now, new))
                    .collect()
            }
            Targets::Url(_) | Targets::Query { .. } => {
                let plan = prober.plan(&run, None);
                vec![self.target(&id, &run, plan.name(), None, None, plan, now, new)]
            }
        };
        self.runs.insert(
            id,
            RunEntry {
                run,
                patience,
                targets,
                announced: Verdict::Unknown,
            },
        );
    }

    fn pod(
        &mut self,
        id: &Arc<RunId>,
        run: &Run,
        pod: &PodTarget,
        prober: &Prober,
        now: Moment,
        new: &mut u32,
    ) -> u64 {
        let plan = prober.plan(run, Some(pod));
        self.target(id, run, pod.name.clone(), pod.ip, idle(pod), plan, now, new)
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the parts of one target, used twice"
    )]
    fn target(
        &mut self,
        id: &Arc<RunId>,
        run: &Run,
        name: String,
        address: Option<IpAddr>,
        idle: Option<&'static str>,
        plan: Plan,
        now: Moment,
        new: &mut u32,
    ) -> u64 {
        let key = self.next_key;
        self.next_key += 1;
        self.targets.insert(
            key,
            TargetEntry {
                run: Arc::clone(id),
                phase: schedule::phase((&id.probe, &id.context, &name), interval(run)),
                name,
                address,
                idle,
                plan: Arc::new(plan),
                interval: interval(run),
                timeout: run.timeout,
                tally: Tally::default(),
                due: None,
                in_flight: false,
                again: false,
            },
        );
        if idle.is_none() {
            self.first_sample(key, interval(run), now, new);
        }
        key
    }

    fn first_sample(&mut self, key: u64, interval: Duration, now: Moment, new: &mut u32) {
        let after = FIRST_SAMPLES_APART.saturating_mul(*new).min(interval);
        *new = new.saturating_add(1);
        self.due_at(key, now.monotonic + after);
    }

    fn due_at(&mut self, key: u64, at: Instant) {
        if let Some(target) = self.targets.get_mut(&key) {
            target.due = Some(at);
            self.timers.push(Reverse((at, key)));
        }
    }

    fn remove(&mut self, id: &RunId) {
        if let Some(entry) = self.runs.remove(id) {
            for key in entry.targets {
                self.targets.remove(&key);
            }
        }
    }

    /// Takes the new pods of a run in; pods that stay keep what they proved.
    fn replace_pods(
        &mut self,
        run: Run,
        prober: &Prober,
        now: Moment,
        new: &mut u32,
        changed: &mut Vec<RunId>,
    ) {
        let Some((id, _)) = self.runs.get_key_value(&run.id) else {
            return;
        };
        let id = Arc::clone(id);
        let Targets::Pods(pods) = &run.targets else {
            return;
        };
        let old = self
            .runs
            .get_mut(&id)
            .map(|entry| mem::take(&mut entry.targets))
            .unwrap_or_default();
        let mut staying: HashMap<(String, Option<IpAddr>), u64> = old
            .iter()
            .filter_map(|key| {
                let target = self.targets.get(key)?;
                Some(((target.name.clone(), target.address), *key))
            })
            .collect();
        let mut known = HashSet::new();
        let mut targets = Vec::with_capacity(pods.len());
        for pod in pods {
            if !known.insert((&pod.name, pod.ip)) {
                continue;
            }
            let Some(key) = staying.remove(&(pod.name.clone(), pod.ip)) else {
                targets.push(self.pod(&id, &run, pod, prober, now, new));
                continue;
            };
            targets.push(key);
            let wakes = self.targets.get_mut(&key).is_some_and(|target| {
                // once asked, a pod is asked for as long as it exists, ready or not
                let wakes = target.idle.is_some() && idle(pod).is_none();
                if target.idle.is_some() {
                    target.idle = idle(pod);
                }
                wakes
            });
            if wakes {
                self.first_sample(key, interval(&run), now, new);
            }
        }
        for key in staying.into_values() {
            self.targets.remove(&key);
        }
        if let Some(entry) = self.runs.get_mut(&id) {
            entry.run = run;
            entry.targets = targets;
        }
        changed.extend(self.changed_verdict(&id, now));
    }

    /// The run's id if its verdict is not the one last announced, which it is from now on.
    fn changed_verdict(&mut self, id: &RunId, now: Moment) -> Option<RunId> {
        let entry = self.runs.get(id)?;
        let verdict = answer::verdict(self.views(entry), &entry.patience, now);
        let entry = self.runs.get_mut(id)?;
        (mem::replace(&mut entry.announced, verdict) != verdict).then(|| id.clone())
    }

    fn views<'a>(&'a self, entry: &'a RunEntry) -> impl Iterator<Item = TargetView<'a>> {
        entry.targets.iter().filter_map(|key| {
            let target = self.targets.get(key)?;
            Some(TargetView {
                name: &target.name,
                idle: target.idle,
                tally: &target.tally,
            })
        })
    }

    pub(super) fn answer(&self, id: &RunId, now: Moment) -> Answer {
        match self.runs.get(id) {
            Some(entry) => answer::join(self.views(entry), &entry.patience, now),
            None => Answer::unknown(format!("{id} is not being run")),
        }
    }

    /// Returns whether anything became due.
    pub(super) fn trigger(&mut self, id: &RunId, now: Instant) -> bool {
        let keys = match self.runs.get(id) {
            Some(entry) => entry.targets.clone(),
            None => return false,
        };
        let mut due = false;
        for key in keys {
            let Some(target) = self.targets.get_mut(&key) else {
                continue;
            };
            if target.in_flight {
                target.again = true;
            } else if target.idle.is_none() && target.due.is_none_or(|at| at > now) {
                self.due_at(key, now);
                due = true;
            }
        }
        due
    }

    /// Takes out at most `room` samples that are due at `now`, and writes those off that could not start before their next slot.
    pub(super) fn take_due(&mut self, now: Moment, mut room: usize) -> Due {
        let mut result = Due::default();
        while let Some(Reverse((at, key))) = self.timers.peek().copied() {
            let Some(target) = self
                .targets
                .get_mut(&key)
                .filter(|target| target.due == Some(at))
            else {
                self.timers.pop();
                continue;
            };
            if at > now.monotonic {
                result.next = Some(at);
                break;
            }
            let late = now.monotonic.duration_since(at);
            if late >= target.interval {
                self.timers.pop();
                target.due = None;
                let outcome = Outcome::blind(
                    Blindness::Late,
                    format!(
                        "the prober is overloaded: a sample was not started for {} ms",
                        late.as_millis()
                    ),
                );
                result.changed.extend(self.record(key, &outcome, now, now));
                self.schedule_next(key, at, now.monotonic);
                continue;
            }
            if room == 0 {
                break;
            }
            self.timers.pop();
            room -= 1;
            target.due = None;
            target.in_flight = true;
            self.counts.in_flight += 1;
            result.starts.push(Start {
                key,
                plan: Arc::clone(&target.plan),
                timeout: target.timeout,
            });
        }
        result
    }

    /// Takes the result of a sample in. Returns the run if its verdict changed.
    pub(super) fn finish(
        &mut self,
        key: u64,
        outcome: &Outcome,
        started: Moment,
        ended: Moment,
        now: Instant,
    ) -> Option<RunId> {
        self.counts.in_flight = self.counts.in_flight.saturating_sub(1);
        // a target that was taken away meanwhile
        let target = self.targets.get_mut(&key)?;
        target.in_flight = false;
        let again = mem::take(&mut target.again);
        let changed = self.record(key, outcome, started, ended);
        if again {
            self.due_at(key, now);
        } else {
            self.schedule_next(key, started.monotonic, now);
        }
        changed
    }

    fn schedule_next(&mut self, key: u64, last_start: Instant, now: Instant) {
        if let Some(target) = self.targets.get(&key) {
            let at = schedule::next(self.epoch, target.phase, target.interval, last_start, now);
            self.due_at(key, at);
        }
    }

    fn record(
        &mut self,
        key: u64,
        outcome: &Outcome,
        started: Moment,
        ended: Moment,
    ) -> Option<RunId> {
        match outcome {
            Outcome::Good { .. } => self.counts.good += 1,
            Outcome::Bad { .. } => self.counts.bad += 1,
            Outcome::Blind { why, .. } => *self.counts.blind.entry(*why).or_default() += 1,
        }
        let target = self.targets.get_mut(&key)?;
        let run = Arc::clone(&target.run);
        let patience = self.runs.get(&run)?.patience;
        target.tally.record(&patience, outcome, started, ended);
        self.changed_verdict(&run, ended)
    }

    pub(super) fn counts(&self) -> Counts {
        Counts {
            runs: self.runs.len(),
            targets: self.targets.len(),
            ..self.counts.clone()
        }
    }
}

/// The run's interval; one that validation refuses must not make the loop spin.
fn interval(run: &Run) -> Duration {
    run.interval.max(SHORTEST_INTERVAL)
}

fn only_pods_differ(old: &Run, new: &Run) -> bool {
    matches!(
        (&old.targets, &new.targets),
        (Targets::Pods(_), Targets::Pods(_))
    ) && (&old.check, old.interval, old.timeout, old.rule)
        == (&new.check, new.interval, new.timeout, new.rule)
}

/// Why a pod that was not asked before is not asked now.
fn idle(pod: &PodTarget) -> Option<&'static str> {
    if pod.ip.is_none() {
        Some("has no address yet")
    } else if pod.ready {
        None
    } else if pod.started.is_none() {
        Some("has not started yet")
    } else {
        Some("is not ready yet")
    }
}
