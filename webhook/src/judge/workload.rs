//! The validating webhook for workloads: what policies find in the manifest and what the planner finds in the release, in one answer.

use std::borrow::Cow;

use serde_json::value::RawValue;
use sluice_api::{Mode, WorkloadKind};
use sluice_planner::admission::{self, Hashes, Request};
use sluice_policies::{Facts, Operation, Subject, cap};
use sluice_tree::Value;

use super::{JudgeError, Judged, Knowledge, Now, Outcome, facts, manifest::Manifest, telling};
use crate::envelope::Review;

pub(super) fn judge(
    knowledge: &Knowledge,
    review: &Review<'_>,
    mode: Mode,
    now: Now,
) -> Result<Judged, JudgeError> {
    if mode == Mode::Off {
        return Ok(Judged::nothing(Outcome::NotJudged));
    }
    let new = new_object(review)?;
    let old = old_object(review)?;
    let indexes = &knowledge.indexes;
    let namespace = review.namespace.as_deref().unwrap_or_default();
    let name = name(review, &new.tree);

    let mut findings = Vec::new();
    let mut starts_release = false;
    let mut stopped_at = Vec::new();
    if let Some(kind) = WorkloadKind::of(&review.kind.kind) {
        let objects = Objects {
            old: old.as_ref(),
            new: &new,
        };
        let request = request(review, kind, &objects);
        let facts = facts::gather(indexes, &request, mode, now.instant);
        let answer = admission::validate(&request, &facts);
        findings = answer.findings;
        starts_release = answer.starts_release && !review.is_dry_run();
        if starts_release && mode == Mode::Enforce {
            stopped_at = facts::refusing(facts.gates);
        }
    }

    let rulebook = indexes.rulebook();
    // read only for rules that ask: no rule that ships does
    let user = match review.user_info {
        Some(user) if rulebook.policies.asks_user() => read(Some(user), "userInfo")?,
        _ => None,
    };
    let labels = indexes.namespace_labels(namespace);
    let quotas = indexes.quotas.bucket(namespace);
    let limit_ranges = indexes.limit_ranges.bucket(namespace);
    let around = indexes.beside.around(namespace, rulebook.policies.needs());
    let mut facts = Facts {
        namespace_labels: labels.as_deref(),
        // the lists are complete, or nothing would be answered: none here is none
        quotas: Some(quotas.as_deref().map_or(&[], |bucket| bucket.values())),
        limit_ranges: Some(
            limit_ranges
                .as_deref()
                .map_or(&[], |bucket| bucket.values()),
        ),
        user: user.as_ref().map(|user| &user.tree),
        ..Facts::default()
    };
    around.lend(&mut facts);
    let judgement = rulebook.policies.judge_excepting(
        &Subject {
            operation: if old.is_some() {
                Operation::Update
            } else {
                Operation::Create
            },
            namespace,
            object: &new.tree,
            old: old.as_ref().map(|old| &old.tree),
            dry_run: review.is_dry_run(),
        },
        &facts,
        &rulebook.exceptions,
        now.time,
    );
    let not_judged = judgement.not_judged.is_some() && findings.is_empty();
    findings.extend(judgement.findings);
    for finding in &mut findings {
        finding.action = cap(finding.action, mode);
    }

    let (reply, outcome) = telling::tell(
        &title(&review.kind.kind, &name, namespace),
        &findings,
        rulebook.policies.digest(),
    );
    Ok(Judged {
        reply,
        outcome: if not_judged {
            Outcome::NotJudged
        } else {
            outcome
        },
        findings,
        starts_release,
        stopped_at,
    })
}

/// What the planner is asked.
pub(super) fn request<'a>(
    review: &'a Review<'_>,
    kind: WorkloadKind,
    objects: &'a Objects<'a>,
) -> Request<'a> {
    Request {
        kind,
        namespace: review.namespace.as_deref().unwrap_or_default(),
        name: given_name(review),
        old: objects.old.map(Manifest::object),
        new: objects.new.object(),
        hashes: Some(objects),
        dry_run: review.is_dry_run(),
    }
}

/// The objects of a review. Their templates are hashed when the planner asks.
#[derive(Debug)]
pub(super) struct Objects<'a> {
    pub old: Option<&'a Manifest>,
    pub new: &'a Manifest,
}

impl Hashes for Objects<'_> {
    fn before(&self) -> Option<&str> {
        self.old.map(Manifest::hash)
    }

    fn after(&self) -> &str {
        self.old
            .map_or_else(|| self.new.hash(), |old| self.new.hash_after(old))
    }
}

/// The object as it shall be.
pub(super) fn new_object(review: &Review<'_>) -> Result<Manifest, JudgeError> {
    read(review.object, "object").map(Option::unwrap_or_default)
}

/// The object as it is; `None` on a create.
pub(super) fn old_object(review: &Review<'_>) -> Result<Option<Manifest>, JudgeError> {
    match review.operation.as_ref() {
        "UPDATE" => read(review.old_object, "oldObject"),
        _ => Ok(None),
    }
}

fn read(raw: Option<&RawValue>, what: &'static str) -> Result<Option<Manifest>, JudgeError> {
    raw.map(|raw| Manifest::read(raw.get()).map_err(|source| JudgeError::Object { what, source }))
        .transpose()
}

/// The name the object will have; empty on a create that lets the server choose, which it does only after the mutating webhook was asked.
fn given_name<'r>(review: &'r Review<'_>) -> &'r str {
    review.name.as_deref().unwrap_or_default()
}

/// What people call the object; on a create that lets the server choose, the prefix of the name with a star.
pub(super) fn name<'r>(review: &'r Review<'_>, object: &Value) -> Cow<'r, str> {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
    match review.name.as_deref() {
        Some(name) if !name.is_empty() => Cow::Borrowed(name),
        _ => match (text("/metadata/name"), text("/metadata/generateName")) {
            (Some(name), _) if !name.is_empty() => Cow::Owned(name.to_owned()),
            (_, Some(prefix)) => Cow::Owned(format!("{prefix}*")),
            _ => Cow::Borrowed("without a name"),
        },
    }
}

/// What people call an object, as every refusal begins.
pub(super) fn title(kind: &str, name: &str, namespace: &str) -> String {
    format!("{}/{name} in namespace {namespace}", kind.to_lowercase())
}
