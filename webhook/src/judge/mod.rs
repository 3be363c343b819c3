//! From a review and what is known to an answer. No I/O and no waiting: everything is in memory.
//!
//! Decides: which functions judge which request, how the mode of a namespace weakens findings, and how findings are told.
//! Leaves to others: what is wrong with a manifest (`sluice-policies`), with a release (`sluice-planner`) or with an object of ours.
//!
//! The mutating webhook never refuses, the validating one never changes anything.

mod facts;
mod manifest;
mod object;
mod release;
mod scale;
mod telling;
mod workload;

use std::time::Instant;

use jiff::Timestamp;
use sluice_api::{Finding, Mode, admission_table};
use sluice_probes::TargetRules;

use crate::{
    envelope::{Reply, Review},
    index::Indexes,
};

/// Which webhook a review came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Hook {
    /// The mutating webhook.
    Release,
    /// Workloads of namespaces of mode `enforce`: that the API server asks here is the proof of the mode.
    Workload,
    /// Workloads of all other namespaces: nothing is refused.
    Observe,
    /// Objects of sluice.dev.
    Object,
}

impl Hook {
    /// Every hook.
    pub const ALL: [Self; 4] = [Self::Release, Self::Workload, Self::Observe, Self::Object];

    /// Where it is served.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::Release => admission_table::RELEASE_PATH,
            Self::Workload => admission_table::WORKLOAD_PATH,
            Self::Observe => admission_table::OBSERVE_PATH,
            Self::Object => admission_table::OBJECT_PATH,
        }
    }

    /// Its name in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Workload => "workload",
            Self::Observe => "observe",
            Self::Object => "object",
        }
    }
}

/// What the answers are made from.
#[derive(Debug)]
pub struct Knowledge {
    /// The cluster.
    pub indexes: Indexes,
    /// What probes may ask, from the configuration file.
    pub targets: TargetRules,
}

/// What a review came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing to say.
    Allowed,
    /// Let in and changed.
    Patched,
    /// Let in with warnings.
    Warned,
    /// Let in; what was found is only counted.
    Audited,
    /// Refused.
    Denied,
    /// Not for Sluice to judge.
    NotJudged,
    /// Could not be read, and somebody else refuses it.
    Unreadable,
}

impl Outcome {
    /// Its name in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Patched => "patched",
            Self::Warned => "warned",
            Self::Audited => "audited",
            Self::Denied => "denied",
            Self::NotJudged => "not_judged",
            Self::Unreadable => "unreadable",
        }
    }
}

/// An answer, and what is counted of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// The answer.
    pub reply: Reply,
    /// What it came to.
    pub outcome: Outcome,
    /// What was found, after everything that may weaken it.
    pub findings: Vec<Finding>,
    /// Whether the request would start a release.
    pub starts_release: bool,
    /// The gates that refused it, as `namespace/name`. None on dry-run.
    pub stopped_at: Vec<String>,
}

impl Judged {
    fn nothing(outcome: Outcome) -> Self {
        Self {
            reply: Reply::default(),
            outcome,
            findings: Vec::new(),
            starts_release: false,
            stopped_at: Vec::new(),
        }
    }
}

/// Why a review cannot be judged: the API server then does as its failure policy says.
#[derive(Debug, thiserror::Error)]
pub enum JudgeError {
    /// An object inside the review is no JSON object that can be read.
    #[error("{what} of the review is not readable")]
    Object {
        /// Which object.
        what: &'static str,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// The patch cannot be written.
    #[error("the patch cannot be written")]
    Patch(#[source] serde_json::Error),
}

/// When a review is judged.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// On the clock that only goes forward: the age of the heartbeat.
    pub instant: Instant,
    /// On the clock that people write into manifests: the end of exceptions.
    pub time: Timestamp,
}

impl Now {
    /// This moment.
    #[must_use]
    pub fn read() -> Self {
        Self {
            instant: Instant::now(),
            time: Timestamp::now(),
        }
    }
}

/// Judges one review.
///
/// # Errors
/// When an object inside the review cannot be read; never for what the object says.
pub fn judge(
    knowledge: &Knowledge,
    hook: Hook,
    review: &Review<'_>,
    now: Now,
) -> Result<Judged, JudgeError> {
    let by_mode = |mode| match review.sub_resource.as_deref() {
        Some("scale") => scale::judge(knowledge, review, mode, now),
        _ => workload::judge(knowledge, review, mode, now),
    };
    let scales = matches!(hook, Hook::Workload | Hook::Observe).then_some("scale");
    let sub_resource = review.sub_resource.as_deref().filter(|sub| !sub.is_empty());
    // the admission table sends no other; were it ever different, a refusal here could lock people out
    if (sub_resource.is_some() && sub_resource != scales)
        || !matches!(review.operation.as_ref(), "CREATE" | "UPDATE")
    {
        return Ok(Judged::nothing(Outcome::NotJudged));
    }
    match hook {
        Hook::Release => release::judge(knowledge, review, now.instant),
        Hook::Workload => by_mode(Mode::Enforce),
        Hook::Observe => {
            let namespace = review.namespace.as_deref().unwrap_or_default();
            let labels = knowledge.indexes.namespace_labels(namespace);
            // a label that has just become `enforce` is enforced once the API server sees it and asks the other entry
            by_mode(match Indexes::mode(labels.as_deref()) {
                Mode::Enforce => Mode::Warn,
                mode => mode,
            })
        }
        Hook::Object => object::judge(knowledge, review, now.time),
    }
}

#[cfg(test)]
mod tests;
