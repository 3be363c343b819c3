//! The judgement of manifests: pure, from objects, facts and policies to a verdict that text and JSON show.

use std::collections::BTreeMap;

use serde::Serialize;
use sluice_api::{Action, Certainty, Finding, finding};
use sluice_policies::{NotJudged, Operation, PolicySet, Subject};
use sluice_probes::validate::TargetRules;

use super::facts::Known;
use crate::{
    manifest::{
        Position, Problem,
        document::{Manifests, Object},
    },
    outcome::Outcome,
    own,
};

/// The verdict on everything that was given. Its JSON form is stable: fields may be added, never renamed.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    /// The digest of the policy set that judged; the webhook names the same.
    pub policy_set: String,
    /// The objects that were judged, or would not be taken, in the order of the files.
    pub objects: Vec<Judged>,
    /// What was passed over, with the reason and how often.
    pub passed_over: Vec<PassedOver>,
    /// What could not be read at all.
    pub problems: Vec<Problem>,
    /// Counts.
    pub summary: Summary,
}

/// One object.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Judged {
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
    /// Things that could not be read.
    pub problems: usize,
}

/// What makes a run fail, beside input that cannot be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FailOn {
    /// A finding that warns fails the run.
    pub warn: bool,
    /// A finding of which nobody can tell fails the run.
    pub unknown: bool,
}

impl Verdict {
    /// The exit code: 2 when something could not be read, else 1 when something would be refused (or fails by `--fail-on`), else 0.
    #[must_use]
    pub fn outcome(&self, fail_on: FailOn) -> Outcome {
        let Summary {
            refused,
            warn,
            unknown,
            problems,
            ..
        } = self.summary;
        if problems > 0 {
            Outcome::CannotTell
        } else if refused > 0 || (fail_on.warn && warn > 0) || (fail_on.unknown && unknown > 0) {
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
    /// What is known about namespaces.
    pub known: &'a Known,
    /// The bounds of probe targets.
    pub targets: &'a TargetRules,
    /// Where objects go that name no namespace.
    pub namespace: &'a str,
}

/// Judges every object as if it were applied to an `enforce` namespace in which it does not exist yet.
#[must_use]
pub fn judge(manifests: Manifests, judges: Judges<'_>) -> Verdict {
    let mut passed_over: BTreeMap<String, usize> = BTreeMap::new();
    let mut objects = Vec::new();
    for object in &manifests.objects {
        let own = own::is_own(object);
        let mut judged = blank(object, judges.namespace);
        if own {
            judged.problems = own::problems(object, judges.targets);
            objects.push(judged);
            continue;
        }
        let judgement = judges.policies.judge(
            &Subject {
                operation: Operation::Create,
                namespace: &judged.namespace,
                object: &object.value,
                old: None,
                dry_run: false,
            },
            &judges.known.of(&judged.namespace),
        );
        if let Some(reason) = judgement.not_judged {
            let reason = match reason {
                // counted by kind, not by object
                NotJudged::UnknownKind { api_version, kind } => {
                    format!("no rule knows {kind} of {api_version}")
                }
                other => other.to_string(),
            };
            *passed_over.entry(reason).or_default() += 1;
            continue;
        }
        let denying: Vec<&Finding> = judgement
            .findings
            .iter()
            .filter(|finding| finding.action == Action::Deny)
            .collect();
        judged.refusal = (!denying.is_empty())
            .then(|| finding::refusal(&judged.title(), &denying, judges.policies.digest()));
        judged.findings = judgement
            .findings
            .into_iter()
            .map(|finding| placed(object, finding))
            .collect();
        objects.push(judged);
    }
    let mut summary = Summary {
        files: manifests.files,
        judged: objects.len(),
        problems: manifests.problems.len(),
        ..Summary::default()
    };
    for object in &objects {
        summary.refused += usize::from(object.refusal.is_some() || !object.problems.is_empty());
        summary.deny += object.problems.len();
        for placed in &object.findings {
            let count = match (placed.finding.certainty, placed.finding.action) {
                (Certainty::Unknown, _) => &mut summary.unknown,
                (Certainty::Sure, Action::Deny) => &mut summary.deny,
                (Certainty::Sure, Action::Warn) => &mut summary.warn,
                (Certainty::Sure, Action::Audit) => &mut summary.audit,
            };
            *count += 1;
        }
    }
    let mut passed_over: Vec<PassedOver> = passed_over
        .into_iter()
        .map(|(reason, count)| PassedOver { reason, count })
        .collect();
    passed_over.extend(manifests.empty.into_iter().map(|file| PassedOver {
        reason: format!("{file} holds no document"),
        count: 1,
    }));
    Verdict {
        policy_set: judges.policies.digest().to_owned(),
        objects,
        passed_over,
        problems: manifests.problems,
        summary,
    }
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

fn blank(object: &Object, namespace: &str) -> Judged {
    let Position { line, column } = object.position();
    Judged {
        file: object.file.clone(),
        line,
        column,
        api_version: object.api_version().to_owned(),
        kind: object.kind().to_owned(),
        namespace: object.namespace().unwrap_or(namespace).to_owned(),
        name: object.name(),
        findings: Vec::new(),
        problems: Vec::new(),
        refusal: None,
    }
}

fn placed(object: &Object, finding: Finding) -> Placed {
    let Position { line, column } = object.locate(&finding.path);
    Placed {
        text: finding.line(),
        finding,
        line,
        column,
    }
}
