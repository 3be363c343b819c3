//! Requests that the API server asks Sluice about, at a rate of so many a second, half of which must be let in and half refused; and what came of them.
//!
//! A request that gets no turn in time is not made up for later: the rate that was reached is part of the outcome.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use k8s_openapi::api::batch::v1::CronJob;
use kube::{
    Api, Client,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::json;

/// What words a right refusal holds.
const REFUSAL: &str = "SLU1001";
/// How many requests may be under way at once.
const WORKERS: u32 = 16;
/// The CronJob that is really written to, again and again.
const WRITTEN: &str = "written";

/// How much is asked.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Server-side dry-runs a second, half of them of a manifest that must be refused.
    pub dry_runs: u32,
    /// Real writes a second, every fifth of them one that must be refused.
    pub writes: u32,
}

/// One answer that was not the right one.
#[derive(Clone, Debug)]
pub struct Failure {
    /// When it came, from the start of the load.
    pub at: Duration,
    /// What was said.
    pub text: String,
}

/// What came of a load.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Let in, rightly.
    pub accepted: u64,
    /// Refused, rightly and in the right words.
    pub refused: u64,
    /// Real writes among them.
    pub written: u64,
    /// Dry-runs that were answered, whatever the answer.
    pub dry_runs: u64,
    /// Let in though they had to be refused.
    pub unchecked: u64,
    /// Refused or lost for another reason than what they say.
    pub failures: Vec<Failure>,
    /// How long it went on.
    pub took: Duration,
    /// The longest wait for an answer.
    pub slowest: Duration,
}

impl Outcome {
    /// Requests answered a second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        let all = self.accepted + self.refused + self.failures.len() as u64;
        all as f64 / self.took.as_secs_f64().max(0.001)
    }

    /// Dry-runs and right writes a second.
    #[must_use]
    pub fn pace(&self) -> [f64; 2] {
        let took = self.took.as_secs_f64().max(0.001);
        [self.dry_runs, self.written].map(|count| count as f64 / took)
    }

    /// From the first wrong answer to the last.
    #[must_use]
    pub fn failing(&self) -> Duration {
        match (self.failures.first(), self.failures.last()) {
            (Some(first), Some(last)) => last.at.saturating_sub(first.at),
            _ => Duration::ZERO,
        }
    }

    /// In one line.
    #[must_use]
    pub fn text(&self) -> String {
        let [dry_runs, writes] = self.pace();
        format!(
            "{dry_runs:.0} dry-runs and {writes:.1} writes a second for {:.1} s: {} let in, {} refused ({} really written), {} wrong answers over {:.2} s, {} unchecked, slowest {:.2} s",
            self.took.as_secs_f64(),
            self.accepted,
            self.refused,
            self.written,
            self.failures.len(),
            self.failing().as_secs_f64(),
            self.unchecked,
            self.slowest.as_secs_f64(),
        )
    }

    /// Every answer was the right one.
    ///
    /// # Errors
    /// With the first wrong answers.
    pub fn is_right(&self) -> anyhow::Result<()> {
        self.is_checked()?;
        let first: Vec<_> = self.failures.iter().take(3).collect();
        ensure!(first.is_empty(), "{}; {first:?}", self.text());
        Ok(())
    }

    /// There was at least so much of either row: fewer requests tell nothing.
    ///
    /// # Errors
    /// When there was not.
    pub fn kept_pace(&self, at_least: Pace) -> anyhow::Result<()> {
        let wanted = [at_least.dry_runs, at_least.writes].map(f64::from);
        let reached = self.pace();
        ensure!(
            reached
                .iter()
                .zip(wanted)
                .all(|(reached, wanted)| *reached >= wanted),
            "too few to tell, {at_least:?} were wanted: {}",
            self.text()
        );
        Ok(())
    }

    /// Nothing that had to be refused was let in.
    ///
    /// # Errors
    /// When something was, or one of the rows was not asked at all.
    pub fn is_checked(&self) -> anyhow::Result<()> {
        ensure!(
            self.unchecked == 0,
            "let in unchecked: {}; {:?}",
            self.text(),
            self.failures
        );
        ensure!(
            self.accepted > 0 && self.refused > 0 && self.dry_runs > 0 && self.written > 0,
            "not everything was asked: {}",
            self.text()
        );
        Ok(())
    }
}

/// A load under way.
#[derive(Debug)]
pub struct Load {
    shared: Arc<Shared>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    began: Instant,
    stop: AtomicBool,
    turns: AtomicU64,
    writes: AtomicU64,
    outcome: Mutex<Outcome>,
}

struct Worker {
    shared: Arc<Shared>,
    jobs: Api<CronJob>,
    good: CronJob,
    bad: CronJob,
}

impl Load {
    /// Starts to ask, in a namespace of mode `enforce` in which nothing else is.
    ///
    /// # Errors
    /// When the CronJob to be written to does not go in.
    pub async fn start(client: &Client, namespace: &str, pace: Pace) -> anyhow::Result<Self> {
        let read = |text: &str| -> anyhow::Result<CronJob> {
            let mut job: CronJob = serde_saphyr::from_str(text)?;
            job.metadata.namespace = Some(namespace.to_owned());
            Ok(job)
        };
        let good = read(include_str!("../../demo/cronjob-bounded.yaml"))?;
        let bad = read(include_str!("../../demo/cronjob-unbounded.yaml"))?;
        let jobs: Api<CronJob> = Api::namespaced(client.clone(), namespace);
        let mut written = good.clone();
        written.metadata.name = Some(WRITTEN.to_owned());
        if let Some(spec) = &mut written.spec {
            spec.suspend = Some(true);
        }
        if jobs.get_opt(WRITTEN).await?.is_none() {
            jobs.create(&PostParams::default(), &written)
                .await
                .context("the CronJob to be written to")?;
        }
        let shared = Arc::new(Shared {
            began: Instant::now(),
            stop: AtomicBool::new(false),
            turns: AtomicU64::new(0),
            writes: AtomicU64::new(0),
            outcome: Mutex::default(),
        });
        let worker = || Worker {
            shared: shared.clone(),
            jobs: jobs.clone(),
            good: good.clone(),
            bad: bad.clone(),
        };
        let mut tasks = Vec::new();
        for _ in 0..WORKERS {
            tasks.push(tokio::spawn(worker().dry_runs(pace.dry_runs)));
        }
        tasks.push(tokio::spawn(worker().writes(pace.writes)));
        Ok(Self { shared, tasks })
    }

    /// How many requests have been answered.
    #[must_use]
    pub fn answered(&self) -> u64 {
        let outcome = self.shared.outcome();
        outcome.accepted + outcome.refused
    }

    /// The clock of [`Failure::at`].
    #[must_use]
    pub fn clock(&self) -> Duration {
        self.shared.began.elapsed()
    }

    /// Stops to ask, and says what came of it.
    pub async fn stop(self) -> Outcome {
        self.shared.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            // a worker that panicked has said so itself
            let _ = task.await;
        }
        let mut outcome = self.shared.outcome().clone();
        outcome.took = self.shared.began.elapsed();
        outcome.failures.sort_by_key(|failure| failure.at);
        outcome
    }
}

impl Shared {
    fn outcome(&self) -> std::sync::MutexGuard<'_, Outcome> {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the next turn of a row that runs at `rate` a second; `None` when it is over.
    async fn turn(&self, row: &AtomicU64, rate: u32) -> Option<u64> {
        let mut turn = row.fetch_add(1, Ordering::Relaxed);
        let due = |turn: u64| Duration::from_secs_f64(turn as f64 / f64::from(rate.max(1)));
        let late = self.began.elapsed();
        if due(turn) + Duration::from_secs(1) < late {
            // not made up for
            turn = (late.as_secs_f64() * f64::from(rate)) as u64;
            row.fetch_max(turn + 1, Ordering::Relaxed);
        }
        tokio::time::sleep_until((self.began + due(turn)).into()).await;
        (!self.stop.load(Ordering::Relaxed)).then_some(turn)
    }

    fn note(&self, asked: Instant, good: bool, answer: Result<(), kube::Error>) -> bool {
        let at = self.began.elapsed();
        let mut outcome = self.outcome();
        outcome.slowest = outcome.slowest.max(asked.elapsed());
        match (good, answer) {
            (true, Ok(())) => outcome.accepted += 1,
            (false, Ok(())) => outcome.unchecked += 1,
            (false, Err(error)) if error.to_string().contains(REFUSAL) => outcome.refused += 1,
            (_, Err(error)) => {
                let text = error.to_string();
                outcome.failures.push(Failure { at, text });
                return false;
            }
        }
        true
    }
}

impl Worker {
    async fn dry_runs(self, rate: u32) {
        let dry_run = PostParams {
            dry_run: true,
            ..PostParams::default()
        };
        while let Some(turn) = self.shared.turn(&self.shared.turns, rate).await {
            let good = turn % 2 == 0;
            let object = if good { &self.good } else { &self.bad };
            let asked = Instant::now();
            let answer = self.jobs.create(&dry_run, object).await.map(drop);
            self.shared.note(asked, good, answer);
            self.shared.outcome().dry_runs += 1;
        }
    }

    async fn writes(self, rate: u32) {
        while let Some(turn) = self.shared.turn(&self.shared.writes, rate).await {
            let good = turn % 5 != 4;
            let asked = Instant::now();
            let answer = if good {
                let change = json!({"spec": {"startingDeadlineSeconds": 100 + turn % 100}});
                let patch = Patch::Merge(&change);
                self.jobs
                    .patch(WRITTEN, &PatchParams::default(), &patch)
                    .await
                    .map(drop)
            } else {
                self.jobs
                    .create(&PostParams::default(), &self.bad)
                    .await
                    .map(drop)
            };
            if self.shared.note(asked, good, answer) {
                self.shared.outcome().written += 1;
            }
        }
    }
}
