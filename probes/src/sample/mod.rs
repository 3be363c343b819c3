//! Taking one sample of one target: the only place that does I/O.

mod bearer;
mod http;
mod prometheus;
mod tls;
mod transport;

use std::time::Duration;

use crate::{
    allow_list::TargetAllowList,
    engine::{EngineError, EngineOptions, excusable},
    moment::Moment,
    outcome::{Blindness, Outcome},
    run::{Check, PodTarget, Run, Targets},
};

pub use self::prometheus::{PrometheusServer, Series};
use self::{http::HttpPlan, prometheus::QueryPlan, transport::Transport};

/// Takes samples.
pub(crate) struct Prober {
    allow: TargetAllowList,
    transport: Transport,
    sources: prometheus::Sources,
}

/// How one target is asked, made once and used for every sample.
pub(crate) enum Plan {
    Http(Box<HttpPlan>),
    Query(Box<QueryPlan>),
    /// Every sample is blind for the same reason.
    Blind {
        name: String,
        outcome: Outcome,
    },
}

/// A sample that was taken.
pub(crate) struct Sampled {
    pub(crate) outcome: Outcome,
    pub(crate) started: Moment,
    pub(crate) ended: Moment,
    /// The time limit that made it bad, if one did: it counts only if the prober itself was in time.
    pub(crate) limit: Option<Duration>,
}

/// What was seen, and the time limit that decided it, if one did.
struct Judged {
    outcome: Outcome,
    limit: Option<Duration>,
}

impl From<Outcome> for Judged {
    fn from(outcome: Outcome) -> Self {
        Self {
            outcome,
            limit: None,
        }
    }
}

impl Plan {
    /// What the target is called.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Http(plan) => plan.name.clone(),
            Self::Query(plan) => plan.name.clone(),
            Self::Blind { name, .. } => name.clone(),
        }
    }

    fn blind(name: impl Into<String>, why: Blindness, saw: impl Into<String>) -> Self {
        Self::Blind {
            name: name.into(),
            outcome: Outcome::blind(why, saw),
        }
    }
}

impl Prober {
    pub(crate) fn new(options: EngineOptions) -> Result<Self, EngineError> {
        Ok(Self {
            transport: Transport::new(options.http_proxy.as_deref(), options.allow.clone())?,
            allow: options.allow,
            sources: prometheus::Sources::new(options.prometheus)?,
        })
    }

    /// How to ask the run's one target, or `pod`. What cannot be asked is a plan too: its samples say why.
    pub(crate) fn plan(&self, run: &Run, pod: Option<&PodTarget>) -> Plan {
        match (&run.check, &run.targets, pod) {
            (Check::Http(check), Targets::Url(url), None) => {
                HttpPlan::of_url(check, url, &self.allow)
            }
            (Check::Http(check), Targets::Pods(_), Some(pod)) => {
                HttpPlan::of_pod(check, pod, &self.allow)
            }
            (
                Check::Prometheus(check),
                Targets::Query {
                    canary_hash,
                    stable_hash,
                },
                None,
            ) => self
                .sources
                .plan(check, canary_hash.as_deref(), stable_hash.as_deref()),
            _ => Plan::blind(
                pod.map_or_else(|| run.id.probe.clone(), |pod| pod.name.clone()),
                Blindness::Misconfigured,
                "the check does not fit its targets",
            ),
        }
    }

    /// Takes one sample.
    pub(crate) async fn sample(&self, plan: &Plan, timeout: Duration) -> Sampled {
        let started = Moment::now();
        let judged = match plan {
            Plan::Http(plan) => plan.sample(&self.transport, timeout).await,
            Plan::Query(plan) => plan.sample(timeout).await.into(),
            Plan::Blind { outcome, .. } => outcome.clone().into(),
        };
        Sampled {
            outcome: judged.outcome,
            started,
            ended: Moment::now(),
            limit: judged.limit,
        }
    }
}

/// Whether a time limit that ran out did so because this process looked too late.
fn looked_late(elapsed: Duration, limit: Duration) -> bool {
    elapsed.saturating_sub(limit) > excusable(limit)
}
