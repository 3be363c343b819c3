//! The judgement of manifests: from objects, facts and policies to a verdict. Pure.
//!
//! Objects are judged on several threads when there are many. Each is judged by itself; what they share (fingerprints that must be unique, counts) is settled
//! afterwards in their order, so that the verdict is the same whatever the threads do.

use std::{collections::BTreeMap, panic, thread};

use sluice_api::{Action, Certainty, Finding, finding};
use sluice_policies::{
    NotJudged, Operation, Subject,
    schema::{KubernetesVersion, Schemas},
};

use super::{
    fingerprint::{self, Fingerprints},
    raw::{self, Raw},
    verdict::{Judged, Judges, PassedOver, Placed, Summary, Verdict},
};
use crate::{
    manifest::{
        Position,
        document::{Manifests, Object, threads},
    },
    own,
};

/// How many objects are worth another thread.
const SHARE: usize = 64;
/// The stack of a judging thread: that of a main thread, for objects nested as deeply as a file may nest them.
const STACK: usize = 8 << 20;

/// What became of one object.
#[derive(Default)]
struct Became {
    judged: Option<Judged>,
    passed_over: Option<String>,
}

/// Judges every object as if it were applied to an `enforce` namespace, in place of its older self when there is one.
#[must_use]
pub fn judge(manifests: &Manifests, judges: Judges<'_>) -> Verdict {
    let threads = threads(manifests.objects.len().div_ceil(SHARE));
    judge_on(threads, manifests, judges)
}

fn judge_on(threads: usize, manifests: &Manifests, judges: Judges<'_>) -> Verdict {
    let mut passed_over: BTreeMap<String, usize> = BTreeMap::new();
    let mut objects = Vec::with_capacity(manifests.objects.len());
    let mut fingerprints = Fingerprints::default();
    for became in all(threads, &manifests.objects, judges) {
        if let Some(reason) = became.passed_over {
            *passed_over.entry(reason).or_default() += 1;
        }
        objects.extend(became.judged.map(|mut judged| {
            for placed in &mut judged.findings {
                let fingerprint = std::mem::take(&mut placed.fingerprint);
                placed.fingerprint = fingerprints.unique(fingerprint);
            }
            judged
        }));
    }
    let mut passed_over: Vec<PassedOver> = passed_over
        .into_iter()
        .map(|(reason, count)| PassedOver { reason, count })
        .collect();
    passed_over.extend(manifests.empty.iter().map(|file| PassedOver {
        reason: format!("{file} holds no document"),
        count: 1,
    }));
    let mut used: BTreeMap<String, usize> = BTreeMap::new();
    let findings = objects.iter().flat_map(|object: &Judged| &object.findings);
    for by in findings.filter_map(|placed| placed.finding.excepted.as_ref()) {
        *used.entry(by.by.clone()).or_default() += 1;
    }
    let mut verdict = Verdict {
        policy_set: judges.policies.digest().to_owned(),
        exceptions: judges
            .exceptions
            .map(|(loaded, now)| loaded.told(&used, now))
            .unwrap_or_default(),
        objects,
        passed_over,
        notes: judges.policies.notes().to_vec(),
        problems: manifests.problems.clone(),
        removable: Vec::new(),
        server: None,
        summary: Summary {
            files: manifests.files,
            ..Summary::default()
        },
    };
    verdict.count();
    verdict
}

/// What became of the objects, in their order.
fn all(threads: usize, objects: &[Object], judges: Judges<'_>) -> Vec<Became> {
    let size = objects.len().div_ceil(threads).max(1);
    let share = |first: usize, objects: &[Object]| -> Vec<Became> {
        (first..)
            .zip(objects)
            .map(|(index, object)| one(index, object, judges))
            .collect()
    };
    let mut shares = (0..).step_by(size).zip(objects.chunks(size));
    let own = shares.next();
    thread::scope(|scope| {
        let workers: Vec<_> = shares
            .map(|(first, objects)| {
                let builder = thread::Builder::new().stack_size(STACK);
                let worker = builder.spawn_scoped(scope, move || share(first, objects));
                (first, objects, worker)
            })
            .collect();
        let mut all = own.map_or_else(Vec::new, |(first, objects)| share(first, objects));
        for (first, objects, worker) in workers {
            all.extend(match worker.map(|worker| worker.join()) {
                Ok(Ok(became)) => became,
                Ok(Err(bug)) => panic::resume_unwind(bug),
                // no thread to be had
                Err(_) => share(first, objects),
            });
        }
        all
    })
}

fn one(index: usize, object: &Object, judges: Judges<'_>) -> Became {
    if own::is_test(object) {
        return Became {
            passed_over: Some("a PolicyTest is for `sluice policy test`".to_owned()),
            ..Became::default()
        };
    }
    let own = own::is_own(object);
    let mut judged = blank(index, object, judges.namespace);
    let old = judges.old.of(&judged);
    let raw = judges.schemas.map_or_else(Raw::default, |schemas| {
        raw::findings(object, old, schemas, own)
    });
    let subject = Subject {
        operation: if old.is_some() {
            Operation::Update
        } else {
            Operation::Create
        },
        namespace: &judged.namespace,
        object: &object.value,
        old,
        dry_run: false,
    };
    let facts = judges.known.of(&judged.namespace);
    let judgement = match judges.exceptions {
        Some((loaded, now)) => {
            let exceptions = &loaded.exceptions;
            (judges.policies).judge_excepting(&subject, &facts, exceptions, now)
        }
        None => judges.policies.judge(&subject, &facts),
    };
    if own {
        // no rule is about Sluice's own kinds; a ValidatingAdmissionPolicy may be
        judged.problems = own::problems(object, judges.targets);
        let all = raw::joined(raw.findings, judgement.findings);
        judged.place(object, all);
        return Became {
            judged: Some(judged),
            ..Became::default()
        };
    }
    if let Some(reason) = judgement.not_judged {
        let passed_over = Some(passed_over(reason, raw.unheard_of, judges.schemas));
        if raw.findings.is_empty() {
            return Became {
                passed_over,
                ..Became::default()
            };
        }
        judged.place(object, raw.findings);
        return Became {
            judged: Some(judged),
            passed_over,
        };
    }
    let denying: Vec<&Finding> = judgement
        .findings
        .iter()
        // what nobody can tell here, the cluster may be able to
        .filter(|finding| finding.action == Action::Deny && finding.certainty == Certainty::Sure)
        .collect();
    judged.refusal = (!denying.is_empty())
        .then(|| finding::refusal(&judged.title(), &denying, judges.policies.digest()));
    let all = raw::joined(raw.findings, judgement.findings);
    judged.place(object, all);
    Became {
        judged: Some(judged),
        ..Became::default()
    }
}

/// Why an object is not judged; unknown kinds are counted by kind, not by object.
fn passed_over(reason: NotJudged, unheard_of: bool, schemas: Option<&Schemas>) -> String {
    match reason {
        NotJudged::UnknownKind { api_version, kind } if !unheard_of => {
            format!("no rule knows {kind} of {api_version}")
        }
        NotJudged::UnknownKind { api_version, kind } => {
            let version = schemas.map(Schemas::version);
            format!(
                "no rule knows {kind} of {api_version}, nor Kubernetes {} or a definition among the files its fields",
                version.unwrap_or_else(KubernetesVersion::newest)
            )
        }
        other => other.to_string(),
    }
}

impl Judged {
    /// Takes findings in, each with its place and a fingerprint that is yet to be made unique.
    fn place(&mut self, object: &Object, findings: Vec<Finding>) {
        self.findings = findings
            .into_iter()
            .map(|finding| {
                let mut placed = placed(object, finding);
                placed.fingerprint =
                    fingerprint::of(&self.kind, &self.namespace, &self.name, &placed);
                placed
            })
            .collect();
    }
}

fn blank(index: usize, object: &Object, namespace: &str) -> Judged {
    let Position { line, column } = object.position();
    Judged {
        index,
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
    let place = object.place(&finding.path);
    Placed {
        text: finding.line(),
        finding,
        line: place.position.line,
        column: place.position.column,
        fingerprint: String::new(),
        baselined: false,
        was: None,
        missing: place.missing,
        anchor: place.anchor,
    }
}

#[cfg(test)]
mod tests {
    use sluice_probes::validate::TargetRules;

    use super::*;
    use crate::{
        check::{facts::Known, old::Old, policies},
        manifest::{document, source::Source},
    };

    #[test]
    fn the_verdict_is_the_same_on_any_number_of_threads() {
        let job = |name: usize, more: &str| {
            format!(
                "apiVersion: batch/v1\nkind: Job\nmetadata: {{name: j{name}}}\nspec:\n  backoffLimit: {name}\n{more}  template: {{spec: {{restartPolicy: Never, containers: [{{name: a, image: a}}]}}}}\n"
            )
        };
        let sources: Vec<Source> = (0..40)
            .map(|file| Source {
                name: format!("{file}.yaml"),
                // every third object a second time, kinds that nobody knows, fields that nobody knows, and documents that are none
                text: [
                    job(file, ""),
                    job(file - file % 3, "  parallelsim: 2\n"),
                    format!(
                        "apiVersion: a.b/v1\nkind: K{}\nmetadata: {{name: k}}\n",
                        file % 4
                    ),
                    "apiVersion: sluice.dev/v1alpha1\nkind: Gate\nmetadata: {name: g}\nspec: {}\n"
                        .to_owned(),
                    "just text\n".to_owned(),
                ]
                .join("---\n"),
            })
            .collect();
        let manifests = document::objects(&sources);
        let loaded = policies::load(&[]);
        let schemas = Schemas::new(KubernetesVersion::newest());
        let judges = Judges {
            policies: &loaded.set,
            exceptions: None,
            old: &Old::default(),
            known: &Known::default(),
            schemas: Some(&schemas),
            targets: &TargetRules::default(),
            namespace: "default",
        };
        let one = judge_on(1, &manifests, judges);
        let findings = || one.objects.iter().flat_map(|object| &object.findings);
        assert!(one.objects.len() >= 120 && one.passed_over.len() >= 4 && findings().count() > 200);
        assert!(findings().any(|placed| placed.fingerprint.ends_with("-2")));
        for threads in [2, 3, 7, 1000] {
            let many = judge_on(threads, &manifests, judges);
            assert_eq!(format!("{many:?}"), format!("{one:?}"), "{threads} threads");
        }
    }
}
