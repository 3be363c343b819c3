//! The verdict that text, JSON and reports show, and what judging needs for it.

use jiff::Timestamp;
use serde::Serialize;
use sluice_api::{Action, Certainty, Finding};
use sluice_policies::{PolicySet, schema::Schemas};
use sluice_probes::validate::TargetRules;

use super::{
    baseline,
    exceptions::{self, Loaded},
    facts::Known,
    old::Old,
    raw,
};
use crate::{
    cluster::replicas::Replicas,
    manifest::{Position, Problem},
    outcome::Outcome,
};

pub use super::judge::judge;

/// The verdict on everything that was given. Its JSON form is stable: fields may be added, never renamed.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    /// The digest of the policy set that judged; the webhook names the same.
    pub policy_set: String,
    /// The exceptions that were given: whether each counted, and for how many findings.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exceptions: Vec<exceptions::Told>,
    /// The objects that were judged, or would not be taken, in the order of the files.
    pub objects: Vec<Judged>,
    /// What was passed over, with the reason and how often.
    pub passed_over: Vec<PassedOver>,
    /// What of the policies has no effect, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// What could not be read at all.
    pub problems: Vec<Problem>,
    /// Entries of the baseline that are no longer found and can go.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub removable: Vec<baseline::Entry>,
    /// What the replicas of the webhook judge by, when they were asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<Replicas>,
    /// Counts.
    pub summary: Summary,
}

/// One object.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Judged {
    /// Its place among all objects that were read.
    #[serde(skip)]
    pub index: usize,
    /// Its file.
    pub file: String,
    /// Where it starts.
    pub line: u64,
    /// Where it starts.
    pub column: u64,
    /// Its `apiVersion`.
    pub api_version: String,
    /// Its kind.
    pub kind: String,
    /// The namespace it would go to.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// What rules found.
    pub findings: Vec<Placed>,
    /// For Sluice's own kinds: why it would be refused or could not work.
    pub problems: Vec<Problem>,
    /// What an `enforce` namespace answers to it, to the byte; absent when it goes in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<String>,
}

/// A finding with its place.
#[derive(Clone, Debug, Serialize)]
pub struct Placed {
    /// The finding.
    #[serde(flatten)]
    pub finding: Finding,
    /// Where the field is, or would be.
    pub line: u64,
    /// Where the field is, or would be.
    pub column: u64,
    /// The finding in one line, as every door of Sluice prints it.
    pub text: String,
    /// The same as long as the rule, the object and the field are: lines and items of lists may move.
    pub fingerprint: String,
    /// It was there when checking began, says the baseline: it does not count.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub baselined: bool,
    /// What the baseline has in its place, when that is something else: then it counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub was: Option<String>,
    /// The end of the path that is not there.
    #[serde(skip)]
    pub missing: Option<String>,
    /// The path with items of lists called by their names.
    #[serde(skip)]
    pub anchor: String,
}

impl Placed {
    /// What it leads to in one word, as every text of this program says it.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        word(&self.finding)
    }
}

/// What a finding leads to in one word.
#[must_use]
pub const fn word(finding: &Finding) -> &'static str {
    if finding.excepted.is_some() {
        return "excepted";
    }
    match (finding.certainty, finding.action) {
        (Certainty::Unknown, _) => "unknown",
        (Certainty::Sure, Action::Deny) => "deny",
        (Certainty::Sure, Action::Warn) => "warn",
        (Certainty::Sure, Action::Audit) => "audit",
    }
}

/// Objects that are not judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PassedOver {
    /// Why.
    pub reason: String,
    /// How many.
    pub count: usize,
}

/// Counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Files read.
    pub files: usize,
    /// Objects judged.
    pub judged: usize,
    /// Objects that would be refused.
    pub refused: usize,
    /// Findings that deny.
    pub deny: usize,
    /// Findings that warn.
    pub warn: usize,
    /// Findings of which nobody can tell.
    pub unknown: usize,
    /// Findings that are only counted.
    pub audit: usize,
    /// Findings that an exception lets pass: they are in no other count.
    #[serde(skip_serializing_if = "is_zero")]
    pub excepted: usize,
    /// Findings that the baseline has: they are in no other count.
    #[serde(skip_serializing_if = "is_zero")]
    pub baselined: usize,
    /// Things that could not be read.
    pub problems: usize,
}

/// What makes a run fail, beside input that cannot be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FailOn {
    /// An object that would be refused fails the run.
    pub deny: bool,
    /// A finding that warns fails the run.
    pub warn: bool,
    /// A finding of which nobody can tell fails the run.
    pub unknown: bool,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks for a reference"
)]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

impl Verdict {
    /// Counts anew what there is, after a baseline was laid over it.
    pub fn count(&mut self) {
        let mut summary = Summary {
            files: self.summary.files,
            judged: self.objects.len(),
            problems: self.problems.len(),
            ..Summary::default()
        };
        for object in &self.objects {
            // what only a file shows is refused by no cluster, and what nobody can tell here, the cluster may be able to
            let denies = |placed: &Placed| {
                placed.finding.action == Action::Deny
                    && placed.finding.certainty == Certainty::Sure
                    && !placed.baselined
                    && !raw::is_raw(&placed.finding)
            };
            summary.refused +=
                usize::from(!object.problems.is_empty() || object.findings.iter().any(denies));
            summary.deny += object.problems.len();
            for placed in &object.findings {
                let count = match (placed.finding.certainty, placed.finding.action) {
                    _ if placed.baselined => &mut summary.baselined,
                    _ if placed.finding.excepted.is_some() => &mut summary.excepted,
                    (Certainty::Unknown, _) => &mut summary.unknown,
                    (Certainty::Sure, Action::Deny) => &mut summary.deny,
                    (Certainty::Sure, Action::Warn) => &mut summary.warn,
                    (Certainty::Sure, Action::Audit) => &mut summary.audit,
                };
                *count += 1;
            }
        }
        self.summary = summary;
    }

    /// Where a rule found something, in which file.
    pub fn places_of(&self, rule: &str) -> impl Iterator<Item = (&str, Position)> {
        self.objects.iter().flat_map(move |object| {
            object
                .findings
                .iter()
                .filter(move |placed| placed.finding.rule == rule)
                .map(move |placed| {
                    let place = Position {
                        line: placed.line,
                        column: placed.column,
                    };
                    (object.file.as_str(), place)
                })
        })
    }

    /// The exit code: 2 when something could not be read or a replica of the webhook could not be heard, else 1 when something would be refused (or fails by
    /// `--fail-on`) or a replica judges by other policies, else 0.
    #[must_use]
    pub fn outcome(&self, fail_on: FailOn) -> Outcome {
        let Summary {
            refused,
            deny,
            warn,
            unknown,
            problems,
            ..
        } = self.summary;
        let server = self.server.as_ref().map_or(Outcome::Yes, Replicas::outcome);
        if problems > 0 || server == Outcome::CannotTell {
            Outcome::CannotTell
        } else if server == Outcome::No
            || (fail_on.deny && (refused > 0 || deny > 0))
            || (fail_on.warn && warn > 0)
            || (fail_on.unknown && unknown > 0)
        {
            Outcome::No
        } else {
            Outcome::Yes
        }
    }
}

/// What judging needs beside the objects.
#[derive(Clone, Copy, Debug)]
pub struct Judges<'a> {
    /// The policies.
    pub policies: &'a PolicySet,
    /// The exceptions, and the moment that decides which of them count.
    pub exceptions: Option<(&'a Loaded, Timestamp)>,
    /// The objects that are replaced; what is not among them is new.
    pub old: &'a Old<'a>,
    /// What is known about namespaces.
    pub known: &'a Known,
    /// The fields of the kinds; without them only what policies say is judged, and not how the file is written.
    pub schemas: Option<&'a Schemas>,
    /// The bounds of probe targets.
    pub targets: &'a TargetRules,
    /// Where objects go that name no namespace.
    pub namespace: &'a str,
}

impl Judged {
    /// What people call it, as every refusal begins.
    #[must_use]
    pub fn title(&self) -> String {
        let name = if self.name.is_empty() {
            "without a name"
        } else {
            &self.name
        };
        format!(
            "{}/{name} in namespace {}",
            self.kind.to_lowercase(),
            self.namespace
        )
    }
}
