//! Manifests, the whole way of `sluice check` but for files: any bytes give a verdict, the same one twice and for the same objects as JSON, with places inside
//! the text and bounded words; an update that changes nothing is refused by no rule.

use serde_json::Value;
use sluice_cli::{
    check::{
        excerpt::Excerpts,
        facts::{Known, Reach},
        old::Old,
        policies, raw,
        report::{self, Form as Report},
        verdict::{self, FailOn, Judges, Verdict},
    },
    console::Style,
    manifest::{
        document::{self, Manifests as Read},
        source::Source,
    },
};
use sluice_policies::{
    PolicySet,
    schema::{KubernetesVersion, Schemas},
};
use sluice_probes::validate::TargetRules;

use super::{
    chosen, holds,
    policy::{inside, told_well},
};
use crate::{
    corpus,
    target::{Fingerprint, Form, Seen, Target},
};

/// One text in so many is judged a second time, as an update of itself, and shown in every form.
const AGAIN: u64 = 8;
/// The longest text of one finding, and of one refusal.
const LONGEST: usize = 4096;

/// The target.
pub struct Manifests {
    policies: PolicySet,
    targets: TargetRules,
}

impl Manifests {
    /// With every shipped set in force.
    #[must_use]
    pub fn new() -> Self {
        let sources: Vec<Source> = sluice_policies::library()
            .iter()
            .map(|(name, text)| Source {
                name: (*name).to_owned(),
                text: (*text).to_owned(),
            })
            .collect();
        Self {
            policies: policies::of_sources(&sources, Vec::new()).set,
            targets: TargetRules::default(),
        }
    }
}

impl Default for Manifests {
    fn default() -> Self {
        Self::new()
    }
}

/// Every manifest in the project's documents, examples and tests, one document each.
pub(super) fn manifests() -> Vec<String> {
    let markdown = [
        corpus::texts("docs", "md"),
        corpus::texts("policies/src", "md"),
    ]
    .concat();
    let mut texts = corpus::blocks(&markdown, "yaml");
    texts.extend(corpus::texts("e2e", "yaml"));
    texts.extend(corpus::texts("policies/samples", "yaml"));
    texts.extend(
        sluice_policies::defaults_samples()
            .iter()
            .map(ToString::to_string),
    );
    texts
        .iter()
        .flat_map(|text| corpus::documents(text))
        .collect()
}

/// Words of manifests.
pub(super) fn words() -> Vec<String> {
    super::words_of(
        "apiVersion kind metadata name generateName namespace labels annotations ownerReferences spec status template jobTemplate \
         containers initContainers ephemeralContainers volumes resources requests limits cpu memory image ports containerPort env \
         envFrom valueFrom secretKeyRef configMapRef livenessProbe readinessProbe startupProbe httpGet periodSeconds \
         failureThreshold initialDelaySeconds securityContext privileged capabilities runAsNonRoot hostPath replicas selector \
         matchLabels matchExpressions strategy rollingUpdate maxSurge maxUnavailable minReadySeconds schedule timeZone \
         startingDeadlineSeconds concurrencyPolicy backoffLimit activeDeadlineSeconds ttlSecondsAfterFinished completions \
         parallelism restartPolicy terminationGracePeriodSeconds serviceName volumeClaimTemplates storageClassName hard scopes \
         scopeSelector defaultRequest minAvailable scaleTargetRef minReplicas maxReplicas rules tls backend items v1 apps/v1 \
         batch/v1 networking.k8s.io/v1 policy/v1 policy/v1beta1 extensions/v1beta1 autoscaling/v2 sluice.dev/v1alpha1 \
         apiextensions.k8s.io/v1 Pod Deployment StatefulSet DaemonSet ReplicaSet Job CronJob PodTemplate Service Ingress \
         ConfigMap Secret ResourceQuota LimitRange PodDisruptionBudget HorizontalPodAutoscaler Namespace List Policy PolicyTest \
         Probe Gate RolloutPlan CustomResourceDefinition 64Mi 500m 1e3 -1 25% 101% 99999999999% Always Never OnFailure Forbid \
         Recreate Europe/Berlin 0644 yes ~ null .inf 1h latest nginx registry.example.com/a:1@sha256:0 *a",
        &[
            "*/5 * * * *",
            "@every 1s",
            "&a ",
            "<<: *a",
            "!!str ",
            "!!binary ",
            "---\n",
            "--- x\n",
            "...\n",
            "%YAML 1.1\n",
            "? ",
            "# ",
            "|2-\n",
            ">\n",
        ],
    )
}

impl Target for Manifests {
    fn name(&self) -> &'static str {
        "manifest"
    }

    fn form(&self) -> Form {
        Form::Yaml
    }

    fn longest(&self) -> usize {
        4000
    }

    fn memory(&self) -> usize {
        64 << 20
    }

    fn seeds(&self) -> Vec<String> {
        manifests()
    }

    fn words(&self) -> Vec<String> {
        words()
    }

    fn check(&mut self, case: &[u8]) -> Result<Seen, String> {
        let mut print = Fingerprint::default();
        let source = match Source::of_bytes("x.yaml", case.to_vec()) {
            Ok(source) => source,
            Err(problem) => {
                let before = case.utf8_chunks().next().map_or("", |chunk| chunk.valid());
                let letters = before
                    .rsplit('\n')
                    .next()
                    .unwrap_or_default()
                    .chars()
                    .count() as u64;
                let ends = (
                    Some(before.matches('\n').count() as u64 + 1),
                    Some(letters + 1),
                );
                holds((problem.line, problem.column) == ends, || {
                    format!("{problem}, and what can be read ends at {ends:?}")
                })?;
                return Ok(print.seen("no text"));
            }
        };
        let text = &source.text.clone();
        let sources = [source];
        let read = document::objects(&sources);
        let verdict = self.judge(&read, &Old::default());
        self.well_told(&verdict, text, &mut print)?;
        if chosen(case, AGAIN) {
            let second = document::objects(&sources);
            same(&self.judge(&second, &Old::default()), &verdict)?;
            self.in_place_of_itself(&read, text, &mut print)?;
            self.as_json(&read, &verdict)?;
            shown(&verdict, &sources)?;
        }
        let depth = match (verdict.problems.is_empty(), verdict.objects.is_empty()) {
            (false, true) => "unreadable",
            (false, false) => "partly unreadable",
            (true, false) => "judged",
            (true, true) => "passed over",
        };
        Ok(print.seen(depth))
    }
}

impl Manifests {
    fn judge(&self, read: &Read, old: &Old<'_>) -> Verdict {
        let mut known = Known::default();
        known.learn(
            read.objects.iter().map(|object| &object.value),
            Reach::Facts,
            "default",
        );
        known.learn_manifests(&read.objects, "default");
        let mut schemas = Schemas::new(KubernetesVersion::newest());
        for object in &read.objects {
            schemas.learn(&object.value);
        }
        verdict::judge(
            read,
            Judges {
                exceptions: None,
                policies: &self.policies,
                schemas: Some(&schemas),
                old,
                known: &known,
                targets: &self.targets,
                namespace: "default",
            },
        )
    }

    /// An update that changes nothing is refused by no rule.
    fn in_place_of_itself(
        &self,
        read: &Read,
        text: &str,
        print: &mut Fingerprint,
    ) -> Result<(), String> {
        let old = Old::new(&read.objects, "default");
        let update = self.judge(read, &old);
        self.well_told(&update, text, print)?;
        // with another object of the same name it may be a change
        if read.objects.len() == 1 {
            for object in &update.objects {
                holds(object.refusal.is_none(), || {
                    format!("an update that changes nothing: {:?}", object.refusal)
                })?;
            }
        }
        Ok(())
    }

    /// The same objects written as JSON have the same findings, but for what only the text shows.
    fn as_json(&self, read: &Read, verdict: &Verdict) -> Result<(), String> {
        let texts: Vec<String> = read
            .objects
            .iter()
            .map(|object| object.value.to_string())
            .collect();
        let text = texts.join("\n---\n");
        // JSON lets such letters stand that YAML takes for the end of a line or for none
        let odd = |c: char| {
            matches!(
                c,
                '\u{7f}'
                    ..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'
            )
        };
        if text.chars().any(odd) || texts.is_empty() {
            return Ok(());
        }
        let source = Source {
            name: "x.yaml".to_owned(),
            text,
        };
        let again = document::objects(std::slice::from_ref(&source));
        holds(again.problems.is_empty(), || {
            format!("as JSON it is not readable: {}", again.problems[0])
        })?;
        for (one, other) in read.objects.iter().zip(&again.objects) {
            holds(one.value == other.value, || {
                format!("{} is read as {}", one.value, other.value)
            })?;
        }
        let told = |verdict: &Verdict| -> Vec<String> {
            let placed = verdict.objects.iter().flat_map(|object| &object.findings);
            placed
                .filter(|placed| !raw::is_raw(&placed.finding))
                .map(|placed| placed.text.clone())
                .collect()
        };
        let (yaml, json) = (told(verdict), told(&self.judge(&again, &Old::default())));
        holds(yaml == json, || {
            format!("judged in two ways:\n{yaml:?}\nand as JSON\n{json:?}")
        })
    }

    fn well_told(
        &self,
        verdict: &Verdict,
        text: &str,
        print: &mut Fingerprint,
    ) -> Result<(), String> {
        for problem in &verdict.problems {
            told_well(problem, text)?;
            print.words(&problem.message);
        }
        for object in &verdict.objects {
            inside(text, object.line, object.column)?;
            for problem in &object.problems {
                told_well(problem, text)?;
                print.words(&problem.message);
            }
            for placed in &object.findings {
                inside(text, placed.line, placed.column)
                    .map_err(|what| format!("{what}: {}", placed.text))?;
                holds(placed.text.len() <= LONGEST, || {
                    format!("a finding of {} bytes: {}", placed.text.len(), placed.text)
                })?;
                print.add(&placed.finding.code).add(placed.word());
            }
            if let Some(refusal) = &object.refusal {
                holds(refusal.len() <= LONGEST, || {
                    format!("a refusal of {} bytes", refusal.len())
                })?;
            }
        }
        let summary = verdict.summary;
        let found: usize = verdict
            .objects
            .iter()
            .map(|object| object.findings.len() + object.problems.len())
            .sum();
        let counted = summary.deny
            + summary.warn
            + summary.unknown
            + summary.audit
            + summary.excepted
            + summary.baselined;
        holds(
            counted == found && summary.problems == verdict.problems.len(),
            || format!("{summary:?} of {found} findings"),
        )?;
        Ok(())
    }
}

fn same(one: &Verdict, other: &Verdict) -> Result<(), String> {
    let text =
        |verdict: &Verdict| serde_json::to_string(verdict).map_err(|error| error.to_string());
    let (one, other) = (text(one)?, text(other)?);
    holds(one == other, || {
        format!("judged in two ways:\n{one}\n{other}")
    })
}

/// Every form can be written, and none of them lets control characters of a manifest through to a terminal.
fn shown(verdict: &Verdict, sources: &[Source]) -> Result<(), String> {
    let excerpts = Excerpts::new(sources);
    let fail_on = FailOn {
        deny: true,
        warn: true,
        unknown: true,
    };
    for form in [
        Report::Text,
        Report::Concise,
        Report::Json,
        Report::Yaml,
        Report::Sarif,
        Report::Junit,
        Report::Github,
        Report::Gitlab,
    ] {
        let text = report::render(verdict, form, fail_on, &excerpts, Style { terminal: false })
            .map_err(|error| format!("{form:?}: {error}"))?;
        let raw = text.chars().find(|c| c.is_control() && *c != '\n');
        holds(raw.is_none(), || format!("{raw:?} in {form:?}: {text:?}"))?;
        if matches!(form, Report::Json | Report::Sarif | Report::Gitlab) {
            serde_json::from_str::<Value>(&text)
                .map_err(|error| format!("{form:?} is no JSON: {error}"))?;
        }
    }
    Ok(())
}
