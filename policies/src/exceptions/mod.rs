//! Exceptions from policies: which findings they cover, and at which moments they count.
//!
//! Decides: whether an exception can work at all ([`Exceptions::check`]), whether it counts at a moment ([`Exceptions::standings`]), and which findings it
//! turns into warnings. Leaves to others: where exceptions come from, what time it is, and where the ones that do not count are told.
//!
//! Invariants: an exception never makes a finding stronger; at the second of `expires` it counts no more, whatever was compiled before; a broken one, and
//! one of which nobody can tell whether it applies, counts for nothing.
//!
//! An exception counts only in the last [`ExceptionBounds::longest`] before it expires. That bound needs no creation time, so a file in a repository
//! and the object in the cluster mean the same, and one that slipped in while nobody judged it does not last longer for it.

mod check;
mod cover;
mod glob;
#[cfg(test)]
mod tests;

use std::{fmt, time::Duration};

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use sluice_api::{
    Action, Finding, PolicyExceptionSpec, component::LabelSelector, finding::Excepted,
};

use crate::{Facts, Judgement, PolicySet, Subject, admission};

/// How long exceptions may last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExceptionBounds {
    /// An exception counts at most this long before it expires.
    pub longest: Duration,
    /// One that expires within this span is told of.
    pub warn_before: Duration,
}

impl Default for ExceptionBounds {
    fn default() -> Self {
        const DAY: u64 = 24 * 3600;
        Self {
            longest: Duration::from_secs(90 * DAY),
            warn_before: Duration::from_secs(7 * DAY),
        }
    }
}

/// One PolicyException object.
#[derive(Clone, Copy, Debug)]
pub struct ExceptionSource<'a> {
    /// The namespace it lies in.
    pub namespace: &'a str,
    /// Its name.
    pub name: &'a str,
    /// What it says.
    pub spec: &'a PolicyExceptionSpec,
    /// Whether it covers every namespace it matches (it lies in Sluice's own namespace) or only its own.
    pub cluster_wide: bool,
}

/// One thing that keeps an exception from working.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExceptionProblem {
    /// The exception as `namespace/name`; empty where the caller knows it anyway.
    pub exception: String,
    /// Path in the object, such as `spec.rule`.
    pub path: String,
    /// What was found there.
    pub found: String,
    /// What would pass.
    pub passes: String,
}

impl fmt::Display for ExceptionProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.exception.is_empty() {
            write!(f, "exception {}: ", self.exception)?;
        }
        write!(f, "{}: {}; passes: {}", self.path, self.found, self.passes)
    }
}

/// Whether an exception counts at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    /// It expires later than an exception may: it counts for nothing until then is near enough.
    TooFar,
    /// It counts.
    InForce,
    /// It counts, and not for long any more.
    ExpiresSoon,
    /// It counts no more.
    Expired,
}

impl Standing {
    /// Whether it counts.
    #[must_use]
    pub const fn counts(self) -> bool {
        matches!(self, Self::InForce | Self::ExpiresSoon)
    }

    /// The word in conditions and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TooFar => "TooFar",
            Self::InForce => "InForce",
            Self::ExpiresSoon => "ExpiresSoon",
            Self::Expired => "Expired",
        }
    }
}

/// One exception at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StandingException<'a> {
    /// As `namespace/name`.
    pub title: &'a str,
    /// The rule: the name of a built-in one, `policy/rule` for an own one.
    pub rule: &'a str,
    /// Who answers for it.
    pub owner: &'a str,
    /// When it counts no more.
    pub expires: Timestamp,
    /// Whether it counts.
    pub standing: Standing,
}

/// Exceptions, compiled. Cheap to share, never changes; whether one of them counts depends on the moment that is asked about.
#[derive(Debug, Default)]
pub struct Exceptions {
    entries: Vec<Entry>,
    bounds: ExceptionBounds,
    digest: String,
}

#[derive(Debug)]
struct Entry {
    title: String,
    /// The one namespace it covers; `None` for all.
    namespace: Option<String>,
    selector: Option<LabelSelector>,
    kind: String,
    name: String,
    container: Option<String>,
    path: Option<String>,
    rule: Broken,
    owner: String,
    reason: String,
    expires: Timestamp,
}

/// The rule that may be broken.
#[derive(Debug)]
enum Broken {
    /// A built-in one, by its name.
    BuiltIn(&'static str),
    /// An own one, as `policy/rule`.
    Own(String),
}

impl Broken {
    fn as_str(&self) -> &str {
        match self {
            Self::BuiltIn(name) => name,
            Self::Own(name) => name,
        }
    }

    /// Whether it found this.
    fn found(&self, finding: &Finding) -> bool {
        let own = finding.policy.as_deref();
        match self {
            Self::BuiltIn(name) => {
                own.is_none() && finding.code != admission::CODE && finding.rule == *name
            }
            Self::Own(name) => own.is_some_and(|title| {
                let policy = title.rsplit('/').next().unwrap_or(title);
                name.split_once('/') == Some((policy, &finding.rule))
            }),
        }
    }
}

impl Exceptions {
    /// Compiles exceptions. One with a problem is left out and every problem of it is reported; the others work.
    pub fn compile<'a>(
        sources: impl IntoIterator<Item = ExceptionSource<'a>>,
        bounds: ExceptionBounds,
    ) -> (Self, Vec<ExceptionProblem>) {
        let mut sources: Vec<ExceptionSource<'a>> = sources.into_iter().collect();
        // the order in which objects arrive must not show in anything
        sources.sort_by_key(|source| (source.namespace, source.name));
        let (mut entries, mut problems) = (Vec::new(), Vec::new());
        let mut hash = Sha256::new();
        hash.update("sluice-exceptions\n");
        for source in sources {
            let title = format!("{}/{}", source.namespace, source.name);
            match check::read(source.spec) {
                Ok(rule) => {
                    // serde writes the fields of a type in one order
                    let meaning = serde_json::to_string(source.spec).unwrap_or_default();
                    let reach = if source.cluster_wide { "*" } else { "" };
                    hash.update(format!("{reach}{title} {meaning}\n"));
                    let subject = &source.spec.subject;
                    entries.push(Entry {
                        title,
                        namespace: (!source.cluster_wide).then(|| source.namespace.to_owned()),
                        selector: subject
                            .namespaces
                            .clone()
                            .filter(|selector| *selector != LabelSelector::default()),
                        kind: subject.kind.clone(),
                        name: subject.name.clone(),
                        container: subject.container.clone(),
                        path: subject.path.clone(),
                        rule,
                        owner: source.spec.owner.trim().to_owned(),
                        reason: source.spec.reason.trim().to_owned(),
                        expires: source.spec.expires,
                    });
                }
                Err(found) => problems.extend(found.into_iter().map(|problem| ExceptionProblem {
                    exception: title.clone(),
                    ..problem
                })),
            }
        }
        let digest = hash
            .finalize()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let compiled = Self {
            entries,
            bounds,
            digest,
        };
        (compiled, problems)
    }

    /// What keeps an exception from working at this moment; empty when it works. For admission of the objects, for files and for their status.
    /// That it has expired is no problem: a repository may hold it a while longer.
    #[must_use]
    pub fn check(
        spec: &PolicyExceptionSpec,
        bounds: &ExceptionBounds,
        now: Timestamp,
    ) -> Vec<ExceptionProblem> {
        let mut problems = check::read(spec).err().unwrap_or_default();
        if bounds.standing(spec.expires, now) == Standing::TooFar {
            problems.push(check::too_far(spec.expires, bounds));
        }
        problems
    }

    /// What is odd about an exception that can work: it has expired, or will soon.
    #[must_use]
    pub fn odd(
        spec: &PolicyExceptionSpec,
        bounds: &ExceptionBounds,
        now: Timestamp,
    ) -> Option<String> {
        let expires = spec.expires;
        match bounds.standing(expires, now) {
            Standing::Expired => Some(format!(
                "spec.expires: the exception expired at {expires} and counts for nothing"
            )),
            Standing::ExpiresSoon => Some(format!(
                "spec.expires: the exception expires soon, at {expires}"
            )),
            Standing::InForce | Standing::TooFar => None,
        }
    }

    /// Every exception that can work, with its standing at this moment, by title.
    pub fn standings(&self, now: Timestamp) -> impl Iterator<Item = StandingException<'_>> {
        self.entries.iter().map(move |entry| StandingException {
            title: &entry.title,
            rule: entry.rule.as_str(),
            owner: &entry.owner,
            expires: entry.expires,
            standing: self.bounds.standing(entry.expires, now),
        })
    }

    /// SHA-256 over what the exceptions say, in hex. It is not part of the digest of the policies: they change at different times and for different reasons.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// How many can work.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none that can work.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Turns the findings that an exception covers at this moment into warnings that name it. Of several the one that lasts longest is named.
    pub(crate) fn except(
        &self,
        findings: &mut [Finding],
        subject: &Subject<'_>,
        facts: &Facts<'_>,
        now: Timestamp,
    ) {
        if self.is_empty() || findings.is_empty() {
            return;
        }
        let about = cover::About::new(subject, facts);
        for finding in findings {
            let covering = self
                .entries
                .iter()
                .filter(|entry| entry.rule.found(finding))
                .filter(|entry| self.bounds.standing(entry.expires, now).counts())
                .filter(|entry| about.covers(entry, finding))
                // entries are in order of their titles: of equals the first one
                .reduce(|best, next| {
                    if next.expires > best.expires {
                        next
                    } else {
                        best
                    }
                });
            if let Some(entry) = covering {
                finding.action = finding.action.min(Action::Warn);
                finding.excepted = Some(Excepted {
                    by: entry.title.clone(),
                    owner: entry.owner.clone(),
                    reason: entry.reason.clone(),
                    until: entry.expires,
                });
            }
        }
    }
}

impl ExceptionBounds {
    /// Whether an exception that expires then counts at this moment.
    #[must_use]
    pub fn standing(&self, expires: Timestamp, now: Timestamp) -> Standing {
        if now >= expires {
            return Standing::Expired;
        }
        // positive, since it lies ahead
        let left = now.duration_until(expires).unsigned_abs();
        if left > self.longest {
            Standing::TooFar
        } else if left <= self.warn_before {
            Standing::ExpiresSoon
        } else {
            Standing::InForce
        }
    }
}

impl PolicySet {
    /// Judges one object as [`PolicySet::judge`] does, then lets pass with a warning what an exception covers at this moment.
    #[must_use]
    pub fn judge_excepting(
        &self,
        subject: &Subject<'_>,
        facts: &Facts<'_>,
        exceptions: &Exceptions,
        now: Timestamp,
    ) -> Judgement {
        let mut judgement = self.judge(subject, facts);
        exceptions.except(&mut judgement.findings, subject, facts, now);
        judgement
    }
}
