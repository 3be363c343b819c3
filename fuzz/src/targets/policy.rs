//! Policy files: they compile, or are refused with line and column inside the file, by check and by the webhook's folder alike and under one digest; what
//! they compile to judges objects of every kind, the same way twice.

use std::str;

use serde_json::{Value, json};
use sluice_cli::{
    check::policies::{self, Loaded},
    manifest::{Problem, source::Source},
};
use sluice_policies::{Facts, Operation, PolicySet, PolicySource, Subject, defaults_samples};
use sluice_runtime::policy_folder::{Content, read::Snapshot};

use super::{chosen, holds};
use crate::{
    corpus,
    random::Random,
    target::{Fingerprint, Form, Seen, Target},
};

/// One file in so many is read a second time, and as the webhook reads its folder.
const AGAIN: u64 = 8;
/// Sluice's own namespace.
const SYSTEM: &str = "sluice-system";

/// The target.
pub struct Policies {
    samples: Vec<sluice_tree::Value>,
}

impl Policies {
    /// With an object of every kind to judge.
    #[must_use]
    pub fn new() -> Self {
        Self {
            samples: defaults_samples(),
        }
    }
}

impl Default for Policies {
    fn default() -> Self {
        Self::new()
    }
}

impl Target for Policies {
    fn name(&self) -> &'static str {
        "policy"
    }

    fn form(&self) -> Form {
        Form::Yaml
    }

    fn longest(&self) -> usize {
        6000
    }

    fn memory(&self) -> usize {
        64 << 20
    }

    fn seeds(&self) -> Vec<String> {
        let mut files = corpus::texts("policies/samples", "yaml");
        files.extend(corpus::texts("e2e", "yaml"));
        let markdown = [
            corpus::texts("docs", "md"),
            corpus::texts("policies/src/rules", "md"),
        ]
        .concat();
        files.extend(corpus::blocks(&markdown, "yaml"));
        let mut seeds: Vec<String> = files
            .iter()
            .flat_map(|text| corpus::documents(text))
            .filter(|document| {
                document.contains("sluice.dev/v1alpha1") && document.contains("kind: Policy")
            })
            .collect();
        // each rule alone, with its parameters as they are shipped or by their defaults
        seeds.extend(sluice_policies::rules().iter().map(|rule| {
            let parameters: Vec<String> = rule
                .parameters()
                .iter()
                .map(|parameter| format!("{}: {}", parameter.name(), parameter.default()))
                .collect();
            file(&format!(
                "- use: {}\n    action: Deny\n    parameters: {{{}}}",
                rule.name(),
                parameters.join(", ")
            ))
        }));
        seeds.extend(OWN.iter().map(|rule| file(rule)));
        seeds.extend(admission_policies());
        seeds
    }

    fn words(&self) -> Vec<String> {
        let names = sluice_policies::rules().iter().map(|rule| rule.name());
        let parameters = sluice_policies::rules()
            .iter()
            .flat_map(|rule| rule.parameters())
            .map(sluice_policies::Parameter::name);
        let mut all: Vec<String> = names.chain(parameters).map(str::to_owned).collect();
        all.extend(super::words_of(
        "apiVersion sluice.dev/v1alpha1 sluice.dev/v1 kind Policy PolicyException PolicyTest List metadata name namespace \
         sluice-system spec match namespaces matchLabels matchExpressions operator In NotIn Exists values rules use action Deny \
         Warn Audit parameters params cel each container kinds Deployment CronJob Node Lease message messageExpression variables \
         expression onUnknown reason owner expires items 1h 1d 10m 1Gi 50% 1.5 &a *a !!binary --- ... true ~ 0644 \
         admissionregistration.k8s.io/v1 ValidatingAdmissionPolicy ValidatingAdmissionPolicyBinding policyName matchConstraints \
         resourceRules excludeResourceRules apiGroups apiVersions operations resources resourceNames scope matchPolicy \
         namespaceSelector objectSelector matchConditions validations auditAnnotations failurePolicy paramKind paramRef \
         parameterNotFoundAction validationActions matchResources",
        &["object.spec.replicas > 1", "{{ object.kind }}", "<<: *a", "# ", "|-\n", ">-\n"],
        ));
        all
    }

    fn generate(&self, random: &mut Random) -> Option<String> {
        if !random.once_in(3) {
            return None;
        }
        let rules: Vec<String> = (0..1 + random.below(3))
            .map(|_| random.pick(OWN).copied().unwrap_or_default().to_owned())
            .collect();
        Some(file(&rules.join("\n  ")))
    }

    fn check(&mut self, case: &[u8]) -> Result<Seen, String> {
        let mut print = Fingerprint::default();
        let Ok(text) = str::from_utf8(case) else {
            return Ok(print.seen("no text"));
        };
        let source = Source {
            name: "p.yaml".to_owned(),
            text: text.to_owned(),
        };
        let sources = [source];
        let loaded = policies::of_sources(&sources, Vec::new());
        for problem in &loaded.problems {
            told_well(problem, text)?;
            print.words(&problem.message);
        }
        holds(
            loaded.set.policies() > 0
                || !loaded.problems.is_empty()
                || !loaded.set.notes().is_empty(),
            || "neither a policy, nor a problem, nor a word of what has no effect".to_owned(),
        )?;
        let again = chosen(case, AGAIN);
        if again {
            let second = policies::of_sources(&sources, Vec::new());
            holds(
                second.problems == loaded.problems && second.set.digest() == loaded.set.digest(),
                || "read in two ways".to_owned(),
            )?;
            self.folder(text, &loaded, &mut print)?;
        }
        if loaded.set.policies() > 0 {
            self.judge(&loaded.set, again, &mut print)?;
        }
        Ok(print.seen(if loaded.problems.is_empty() {
            "compiled"
        } else {
            "refused"
        }))
    }
}

impl Policies {
    fn judge(&self, set: &PolicySet, again: bool, print: &mut Fingerprint) -> Result<(), String> {
        let facts = Facts::default();
        for (place, object) in self.samples.iter().enumerate() {
            let old = self
                .samples
                .get(place + 1)
                .filter(|old| old["kind"] == object["kind"]);
            let subject = Subject {
                operation: if old.is_some() {
                    Operation::Update
                } else {
                    Operation::Create
                },
                namespace: "shop",
                object,
                old,
                dry_run: false,
            };
            let judgement = set.judge(&subject, &facts);
            if again {
                let second = set.judge(&subject, &facts).findings;
                holds(second == judgement.findings, || {
                    format!("judged in two ways: {:?}, {second:?}", judgement.findings)
                })?;
            }
            for finding in &judgement.findings {
                let line = finding.line();
                holds(line.len() <= 4096, || {
                    format!("a finding of {} bytes: {line}", line.len())
                })?;
                print.add(&finding.code).add(finding.action as u8);
            }
        }
        Ok(())
    }

    /// The same file in the folder of the webhook: in force there when nothing is wrong with it here, and by the same digest.
    fn folder(&self, text: &str, loaded: &Loaded, print: &mut Fingerprint) -> Result<(), String> {
        let snapshot = Snapshot {
            files: vec![("p.yaml".to_owned(), Ok(text.to_owned()))],
            ..Snapshot::default()
        };
        let content = Content::next(None, &snapshot, SYSTEM);
        for quarantined in &content.quarantined {
            holds(!quarantined.problems.is_empty(), || {
                "quarantined without a reason".to_owned()
            })?;
            for problem in &quarantined.problems {
                print.words(problem);
            }
        }
        let sources = content.policies.iter().map(|policy| PolicySource {
            namespace: &policy.namespace,
            name: &policy.name,
            spec: &policy.spec,
            cluster_wide: policy.namespace == SYSTEM,
        });
        let documents = content.admission.iter().map(AsRef::as_ref);
        let (set, left_out) = PolicySet::compile_with(sources, documents);
        let told: Vec<String> = content
            .quarantined
            .iter()
            .flat_map(|quarantined| quarantined.problems.clone())
            .chain(left_out.iter().map(ToString::to_string))
            .collect();
        // exceptions are another matter for check, and a file of nothing is nothing to a folder
        if text.contains("PolicyException") || loaded.problems.iter().any(nothing_in_it) {
            return Ok(());
        }
        holds(told.is_empty() == loaded.problems.is_empty(), || {
            format!(
                "check says {:?}, the folder says {told:?}",
                loaded.problems.first().map(ToString::to_string)
            )
        })?;
        holds(
            !told.is_empty() || set.digest() == loaded.set.digest(),
            || "check and folder have two digests of it".to_owned(),
        )
    }
}

fn nothing_in_it(problem: &Problem) -> bool {
    problem.message.starts_with("no Policy of")
}

/// A problem has a place in the file and a bounded message.
pub(super) fn told_well(problem: &Problem, text: &str) -> Result<(), String> {
    holds(problem.message.len() <= 8192, || {
        format!("a message of {} bytes", problem.message.len())
    })?;
    match (problem.line, problem.column) {
        (Some(line), Some(column)) => {
            inside(text, line, column).map_err(|what| format!("{what}: {problem}"))
        }
        // of a file with nothing in it there is no place to tell
        _ => holds(nothing_in_it(problem), || {
            format!("without a place: {problem}")
        }),
    }
}

/// Whether a place is in a text, or right behind a line of it.
pub(super) fn inside(text: &str, line: u64, column: u64) -> Result<(), String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    // the parser takes a lone carriage return for the end of a line too
    let unified = text.replace("\r\n", "\n").replace('\r', "\n");
    let place = usize::try_from(line)
        .ok()
        .and_then(|line| line.checked_sub(1));
    let written = place.and_then(|place| unified.split('\n').nth(place));
    let length = written.map(|line| line.chars().count() as u64);
    // one behind the end of the line, and one more for the line end that was two characters
    holds(
        length.is_some_and(|length| (1..=length + 2).contains(&column)),
        || {
            format!(
                "the place {line}:{column} is outside of the text, whose line there has {length:?} letters"
            )
        },
    )
}

/// Policies of the API server, each with its bindings in one list.
fn admission_policies() -> Vec<String> {
    let texts = [
        corpus::texts("e2e", "yaml"),
        corpus::texts("manifests", "yaml"),
    ]
    .concat();
    let objects: Vec<Value> = texts
        .iter()
        .flat_map(|text| serde_saphyr::from_multiple::<Value>(text).unwrap_or_default())
        .collect();
    let policies = objects
        .iter()
        .filter(|object| object["kind"] == "ValidatingAdmissionPolicy");
    policies
        .map(|policy| {
            let name = &policy["metadata"]["name"];
            let bindings = objects
                .iter()
                .filter(|object| object["spec"]["policyName"] == *name && name.is_string());
            let items: Vec<&Value> = std::iter::once(policy).chain(bindings).collect();
            json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string()
        })
        .collect()
}

fn file(rules: &str) -> String {
    format!(
        "apiVersion: sluice.dev/v1alpha1\nkind: Policy\nmetadata: {{name: p, namespace: sluice-system}}\nspec:\n  params: {{most: 3, registries: [a/, b/]}}\n  rules:\n  {rules}\n"
    )
}

/// Own rules, good and bad.
const OWN: &[&str] = &[
    "- name: replicas\n    action: Deny\n    kinds: [Deployment, StatefulSet]\n    cel: object.spec.replicas <= params.most\n    message: \"{{ object.spec.replicas }} of {{ params.most }}\"",
    "- name: registry\n    action: Warn\n    kinds: [Pod, Job]\n    each: container\n    cel: params.registries.exists(r, container.image.startsWith(r))\n    messageExpression: '\"not \" + container.image'",
    "- name: twice\n    action: Audit\n    kinds: [CronJob]\n    variables:\n    - {name: a, expression: size(object.metadata.name)}\n    - {name: b, expression: variables.a * 2}\n    cel: variables.b < 100",
    "- name: quota\n    action: Deny\n    kinds: [Deployment]\n    cel: facts.quotas.size() > 0 || request.operation == 'UPDATE'",
    "- name: user\n    action: Warn\n    kinds: [Service]\n    cel: '!(\"admins\" in request.userInfo.groups)'",
    "- name: Bad_Name\n    kinds: [Node, Deploymnet]\n    cel: object.spec.repliacs == 'x' +",
    "- use: cronjob-without-deadline\n    action: Deny\n    parameters: {maxStartingDeadline: 1h}",
];
