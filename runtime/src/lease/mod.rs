//! Leader election on a Lease: at most one process acts at a time, and it stops well before another may begin.
//!
//! - The holder renews every three tenths of the duration (jittered) and acts until `renewal sent + duration - margin` on its own
//!   monotonic clock; [`Leadership::held`] compares with that instant, so a process that was stopped does not act when it wakes up.
//! - The others watch the record *change*: they take over when it has not changed for the whole duration on *their* monotonic clock. No
//!   clock of another machine is read. They cannot have seen a renewal before it was sent, so the two intervals never overlap while
//!   both clocks run at nearly the same rate; the margin (a fifth) is for that and for a write that is under way.
//! - Every write of the record carries its resourceVersion; a lost answer is settled by reading.
//! - A record that disappears is treated as one that no longer changes. Only who never saw one creates it at once.
//! - Retries never end; on a drain the record is released so that the next leader need not wait.
//!
//! The monotonic clock of Linux stands still while a machine is suspended. A leader on a suspended machine may take itself for one for the
//! margin after it resumes; every write it does carries a precondition for that reason.
//!
//! API cost: a holder writes once per `renew` (0.33 a second by default), a standby reads once per `renew`.

mod record;

use std::{collections::BTreeMap, error::Error, pin::pin, time::Duration};

use jiff::Timestamp;
use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::MicroTime,
};
use kube::{Api, Client, api::PostParams};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use record::{Observed, Turn};

/// How a Lease is competed for.
#[derive(Clone, Debug)]
pub struct ElectorOptions {
    /// Namespace of the Lease.
    pub namespace: String,
    /// Name of the Lease.
    pub name: String,
    /// This process, unique among all that compete: a restarted one is another.
    pub identity: String,
    /// Time without change after which another takes over. Whole seconds, at least 2.
    pub duration: Duration,
    /// Time between renewals, and between the looks of a standby.
    pub renew: Duration,
    /// Time between tries after a failure.
    pub retry: Duration,
    /// Labels that the holder puts on the Lease: what others are to know of it.
    pub labels: BTreeMap<String, String>,
}

impl ElectorOptions {
    /// Options with a duration of 10 s, renewed every 3 s, retried every second.
    #[must_use]
    pub fn new(namespace: &str, name: &str, identity: &str) -> Self {
        Self::with_duration(namespace, name, identity, Duration::from_secs(10))
    }

    /// Options whose other times follow from the duration, which is rounded up to whole seconds of at least 2.
    #[must_use]
    pub fn with_duration(namespace: &str, name: &str, identity: &str, duration: Duration) -> Self {
        let duration = Duration::from_secs(duration.as_millis().div_ceil(1000).max(2) as u64);
        Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            identity: identity.to_owned(),
            duration,
            renew: duration * 3 / 10,
            retry: duration / 10,
            labels: BTreeMap::new(),
        }
    }

    /// How long before the end of the duration the holder stops acting.
    fn margin(&self) -> Duration {
        self.duration / 5
    }

    /// A try that takes longer than this is given up, so that another fits before the deadline.
    fn try_limit(&self) -> Duration {
        self.renew
    }
}

/// An identity for this process: the pod's or host's name, and a part that no other process has.
#[must_use]
pub fn identity() -> String {
    let host = ["POD_NAME", "HOSTNAME"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
        .or_else(|| std::fs::read_to_string("/etc/hostname").ok())
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "sluice".to_owned());
    format!(
        "{host}_{:x}_{:x}",
        std::process::id(),
        Timestamp::now().as_nanosecond()
    )
}

/// Whether this process leads, until when, and which of its terms this is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Leadership {
    until: Option<Instant>,
    term: u64,
}

impl Leadership {
    /// Whether this process may act now. Ask right before every write.
    #[must_use]
    pub fn held(&self) -> bool {
        self.until.is_some_and(|until| Instant::now() < until)
    }

    /// How long this process may act from now on without another renewal.
    #[must_use]
    pub fn remaining(&self) -> Duration {
        self.until.map_or(Duration::ZERO, |until| {
            until.saturating_duration_since(Instant::now())
        })
    }

    /// Counts this process's terms from 1; 0 before the first. What belongs to one term (a heartbeat) is made anew for the next.
    #[must_use]
    pub fn term(&self) -> u64 {
        self.term
    }
}

/// Why a try to get or keep the Lease failed. It is tried again.
#[derive(Debug, thiserror::Error)]
enum TryError {
    #[error("lease {namespace}/{name}: the API server refused or could not be asked")]
    Api {
        namespace: String,
        name: String,
        #[source]
        source: kube::Error,
    },
    #[error("lease {namespace}/{name}: no answer within {limit:?}")]
    Timeout {
        namespace: String,
        name: String,
        limit: Duration,
    },
}

/// Competes for one Lease. See the module's page.
#[derive(Debug)]
pub struct Elector {
    leases: Api<Lease>,
    options: ElectorOptions,
    leadership: watch::Sender<Leadership>,
    observed: Observed,
    jitter: u64,
}

impl Elector {
    /// An elector that does nothing until [`Elector::run`]. The receiver is woken when leadership begins and ends, not at each renewal.
    #[must_use]
    pub fn new(client: Client, options: ElectorOptions) -> (Self, watch::Receiver<Leadership>) {
        let (leadership, receiver) = watch::channel(Leadership::default());
        let jitter = options
            .identity
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
            });
        let elector = Self {
            leases: Api::namespaced(client, &options.namespace),
            observed: Observed::new(options.identity.clone(), options.duration),
            options,
            leadership,
            jitter: jitter | 1,
        };
        (elector, receiver)
    }

    /// Competes until `drain` is cancelled, then releases the Lease. Cancel it only when everything that acts as leader has stopped.
    ///
    /// # Errors
    /// None: failures are logged and tried again. The type is what [`crate::drain::Tasks::spawn`] takes.
    pub async fn run(mut self, drain: CancellationToken) -> Result<(), std::convert::Infallible> {
        while !drain.is_cancelled() {
            let pause = self.try_once().await;
            // nobody may believe in a term that is over, even if the next try hangs
            let over = self.leadership.borrow().until;
            tokio::select! {
                () = drain.cancelled() => break,
                () = sleep(pause) => {}
                () = wait_until(over) => self.lose("not renewed in time"),
            }
        }
        self.release().await;
        Ok(())
    }

    /// One try; how long to pause until the next. A term that ends meanwhile ends at its time, not with the try.
    async fn try_once(&mut self) -> Duration {
        let sent = Instant::now();
        let limit = self.options.try_limit();
        let outcome = {
            let mut over = self.leadership.borrow().until;
            let mut attempt = pin!(timeout(
                limit,
                attempt(&self.leases, &self.options, &mut self.observed)
            ));
            loop {
                tokio::select! {
                    biased;
                    outcome = attempt.as_mut() => break outcome,
                    () = wait_until(over) => {
                        over = None;
                        end_term(&self.leadership, &self.options, "not renewed in time");
                    }
                }
            }
        };
        match outcome {
            Ok(Ok(Standing::Held)) => {
                self.extend(sent);
                self.jittered(self.options.renew)
            }
            Ok(Ok(Standing::Other(holder))) => {
                if self.leadership.borrow().until.is_some() {
                    self.lose(&format!("taken by {holder}"));
                }
                let expires = self.observed.remaining(Instant::now());
                self.jittered(self.options.renew)
                    .min(expires.max(Duration::from_millis(10)))
            }
            Ok(Ok(Standing::Raced)) => self.jittered(self.options.retry) / 4,
            Ok(Err(source)) => {
                self.failed(&TryError::Api {
                    namespace: self.options.namespace.clone(),
                    name: self.options.name.clone(),
                    source,
                });
                self.jittered(self.options.retry)
            }
            Err(_) => {
                self.failed(&TryError::Timeout {
                    namespace: self.options.namespace.clone(),
                    name: self.options.name.clone(),
                    limit,
                });
                self.jittered(self.options.retry)
            }
        }
    }

    fn failed(&mut self, error: &TryError) {
        self.observed.answer_lost();
        tracing::warn!(
            error = error as &dyn Error,
            "lease try failed, trying again"
        );
        let over = self.leadership.borrow().until;
        if over.is_some_and(|until| Instant::now() >= until) {
            self.lose("not renewed in time");
        }
    }

    fn extend(&self, sent: Instant) {
        let until = sent + self.options.duration - self.options.margin();
        self.leadership.send_if_modified(|leadership| {
            let begins = leadership.until.is_none();
            if begins {
                leadership.term += 1;
                tracing::info!(
                    lease = self.options.name,
                    identity = self.options.identity,
                    term = leadership.term,
                    "leading"
                );
            }
            leadership.until = Some(until);
            begins
        });
    }

    fn lose(&self, reason: &str) {
        end_term(&self.leadership, &self.options, reason);
    }

    /// Gives the Lease up if we hold it. A failure costs the next leader the duration, nothing else.
    async fn release(&mut self) {
        let held = self.leadership.borrow().until.is_some();
        self.lose("draining");
        let Some(mut lease) = self.observed.ours().filter(|_| held) else {
            return;
        };
        if let Some(spec) = lease.spec.as_mut() {
            spec.holder_identity = Some(String::new());
            spec.lease_duration_seconds = Some(1);
            spec.renew_time = Some(MicroTime(Timestamp::now()));
        }
        let written = timeout(
            self.options.try_limit(),
            self.leases
                .replace(&self.options.name, &PostParams::default(), &lease),
        )
        .await;
        match written {
            Ok(Ok(_)) => tracing::info!(lease = self.options.name, "released"),
            Ok(Err(error)) => {
                tracing::warn!(error = &error as &dyn Error, "lease not released");
            }
            Err(_) => tracing::warn!("lease not released in time"),
        }
    }

    /// `span` shortened by up to a tenth, so that replicas started together do not ask together. A xorshift: spread matters, secrecy does not.
    fn jittered(&mut self, span: Duration) -> Duration {
        self.jitter ^= self.jitter << 13;
        self.jitter ^= self.jitter >> 7;
        self.jitter ^= self.jitter << 17;
        let permille = u32::try_from(self.jitter % 100).unwrap_or(0);
        span * (1000 - permille) / 1000
    }
}

fn end_term(leadership: &watch::Sender<Leadership>, options: &ElectorOptions, reason: &str) {
    leadership.send_if_modified(|leadership| {
        let ends = leadership.until.take().is_some();
        if ends {
            tracing::warn!(lease = options.name, reason, "no longer leading");
        }
        ends
    });
}

async fn wait_until(instant: Option<Instant>) {
    match instant {
        Some(instant) => tokio::time::sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

enum Standing {
    Held,
    Other(String),
    /// Someone wrote in between: look again soon.
    Raced,
}

async fn attempt(
    leases: &Api<Lease>,
    options: &ElectorOptions,
    observed: &mut Observed,
) -> Result<Standing, kube::Error> {
    // the fast way of a holder: one write against the version we wrote last
    if let Some(ours) = observed.ours() {
        let lease = claim(&ours, options);
        match leases
            .replace(&options.name, &PostParams::default(), &lease)
            .await
        {
            Ok(stored) => {
                observed.see(Some(&stored), Instant::now());
                return Ok(Standing::Held);
            }
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => {
                observed.answer_lost();
            }
            Err(error) => return Err(error),
        }
    }
    let found = leases.get_opt(&options.name).await?;
    let written = match observed.see(found.as_ref(), Instant::now()) {
        Turn::Other(holder) => return Ok(Standing::Other(holder)),
        Turn::Claim => match &found {
            Some(found) => {
                leases
                    .replace(
                        &options.name,
                        &PostParams::default(),
                        &claim(found, options),
                    )
                    .await
            }
            None => {
                leases
                    .create(&PostParams::default(), &claim(&Lease::default(), options))
                    .await
            }
        },
    };
    match written {
        Ok(stored) => {
            observed.see(Some(&stored), Instant::now());
            Ok(Standing::Held)
        }
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(Standing::Raced),
        Err(error) => Err(error),
    }
}

/// The record as we write it over `found`, guarded by the resourceVersion in it.
fn claim(found: &Lease, options: &ElectorOptions) -> Lease {
    let now = MicroTime(Timestamp::now());
    let before = found.spec.clone().unwrap_or_default();
    let ours = before.holder_identity.as_deref() == Some(options.identity.as_str());
    let mut lease = found.clone();
    lease.metadata.name = Some(options.name.clone());
    lease.metadata.managed_fields = None;
    if !options.labels.is_empty() {
        let labels = lease.metadata.labels.get_or_insert_default();
        labels.extend(options.labels.clone());
    }
    lease.spec = Some(LeaseSpec {
        holder_identity: Some(options.identity.clone()),
        lease_duration_seconds: i32::try_from(options.duration.as_secs()).ok(),
        renew_time: Some(now.clone()),
        acquire_time: if ours { before.acquire_time } else { Some(now) },
        lease_transitions: Some(
            before.lease_transitions.unwrap_or(0) + i32::from(!ours && found.spec.is_some()),
        ),
        ..LeaseSpec::default()
    });
    lease
}
