//! Findings that were there when checking began: an old repository is adopted without mending all of it first, and nothing new gets in.
//!
//! An entry stands for a rule at a field of an object, wherever the object lies in the files. What was found there counts too, unless the rule judges by
//! facts from outside, whose numbers change by themselves: a value that got worse is a new decision of somebody, not an old sin.
//! Only findings can be in a baseline; what cannot be read or could not work never is.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sluice_api::Certainty;

use super::{
    raw,
    verdict::{Judged, Placed, Verdict},
};
use crate::generate::yaml::{self, YamlError};

/// The form of the file.
const VERSION: u32 = 1;
const HEADER: &str = "# Findings that were there when `sluice check` began, see its flag --baseline. They do not count; what is mended can go.\n";

/// A baseline file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    version: u32,
    findings: Vec<Entry>,
}

/// One finding, or several that read alike.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The object as messages call it.
    object: String,
    /// Code and name of the rule.
    rule: String,
    /// The field, items of lists called by their names.
    at: String,
    /// What was found there; absent where it may change by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    found: Option<String>,
    /// Nobody could tell.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    unknown: bool,
    /// The file, for the reader.
    file: String,
    /// How often.
    #[serde(default = "once", skip_serializing_if = "is_once")]
    count: usize,
}

/// What identifies a finding beside what was found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    object: String,
    rule: String,
    at: String,
    unknown: bool,
}

const fn once() -> usize {
    1
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks for a reference"
)]
const fn is_once(count: &usize) -> bool {
    *count == 1
}

/// Why a baseline file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BaselineError {
    /// It is no baseline.
    #[error("not a baseline as --write-baseline writes it")]
    Shape(#[source] Box<serde_saphyr::Error>),
    /// It is one of another version of this program.
    #[error("version {found}; passes: {VERSION}, as --write-baseline of this sluice writes it")]
    Version {
        /// What it says.
        found: u32,
    },
}

impl Entry {
    fn of(object: &Judged, placed: &Placed) -> Self {
        let finding = &placed.finding;
        let unknown = finding.certainty == Certainty::Unknown;
        let by_facts = sluice_policies::rule_by_code(&finding.code)
            .is_some_and(|rule| !rule.facts().is_empty())
            // and what a file shows may be told with the numbers of its lines
            || raw::is_raw(finding);
        Self {
            object: object.title(),
            rule: format!("{} {}", finding.code, finding.rule),
            at: placed.anchor.clone(),
            found: (!unknown && !by_facts).then(|| finding.found.clone()),
            unknown,
            file: object.file.clone(),
            count: 1,
        }
    }

    fn key(&self) -> Key {
        Key {
            object: self.object.clone(),
            rule: self.rule.clone(),
            at: self.at.clone(),
            unknown: self.unknown,
        }
    }

    /// The entry in one line.
    #[must_use]
    pub fn line(&self) -> String {
        let times = if self.count == 1 {
            String::new()
        } else {
            format!(" ({} times)", self.count)
        };
        format!(
            "{}: {}: {} at {}{times}",
            self.file, self.object, self.rule, self.at
        )
    }
}

impl Baseline {
    /// Reads a baseline.
    ///
    /// # Errors
    /// When the text is not what [`Baseline::text`] writes.
    pub fn parse(text: &str) -> Result<Self, BaselineError> {
        let baseline: Self =
            serde_saphyr::from_str(text).map_err(|error| BaselineError::Shape(Box::new(error)))?;
        if baseline.version == VERSION {
            Ok(baseline)
        } else {
            Err(BaselineError::Version {
                found: baseline.version,
            })
        }
    }

    /// The file.
    ///
    /// # Errors
    /// When it cannot be written as YAML.
    pub fn text(&self) -> Result<String, YamlError> {
        Ok(format!("{HEADER}{}", yaml::document(self)?))
    }

    /// How many findings it stands for.
    #[must_use]
    pub fn len(&self) -> usize {
        self.findings.iter().map(|entry| entry.count).sum()
    }

    /// Whether it stands for none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.findings.is_empty()
    }

    /// The findings of a verdict that `wanted` wants.
    #[must_use]
    pub fn of(verdict: &Verdict, wanted: impl Fn(&Placed) -> bool) -> Self {
        let mut findings: BTreeMap<Entry, usize> = BTreeMap::new();
        for object in &verdict.objects {
            for placed in object.findings.iter().filter(|placed| wanted(placed)) {
                *findings.entry(Entry::of(object, placed)).or_default() += 1;
            }
        }
        Self {
            version: VERSION,
            findings: findings
                .into_iter()
                .map(|(entry, count)| Entry { count, ..entry })
                .collect(),
        }
    }

    /// Marks the findings that are in the baseline, and counts anew. What no longer occurs can go: of the objects that were judged, and of those whose
    /// file was read and that are not in it any more.
    pub fn lay_over(&self, verdict: &mut Verdict, files: &BTreeSet<&str>) {
        let mut left: BTreeMap<Key, Vec<Entry>> = BTreeMap::new();
        for entry in &self.findings {
            left.entry(entry.key()).or_default().push(entry.clone());
        }
        let mut judged = BTreeSet::new();
        for object in &mut verdict.objects {
            judged.insert(object.title());
            for place in 0..object.findings.len() {
                let now = Entry::of(object, &object.findings[place]);
                let Some(entries) = left.get_mut(&now.key()) else {
                    continue;
                };
                let placed = &mut object.findings[place];
                let same = |entry: &&mut Entry| {
                    entry.count > 0 && (entry.found.is_none() || entry.found == now.found)
                };
                if let Some(entry) = entries.iter_mut().find(same) {
                    entry.count -= 1;
                    placed.baselined = true;
                } else {
                    placed.was = entries
                        .iter()
                        .find(|entry| entry.count > 0)
                        .and_then(|entry| entry.found.clone());
                }
            }
        }
        verdict.count();
        verdict.removable = left
            .into_values()
            .flatten()
            .filter(|entry| {
                entry.count > 0
                    && (judged.contains(&entry.object) || files.contains(entry.file.as_str()))
            })
            .collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        check::{
            facts::{Known, Reach},
            old::Old,
            policies,
            verdict::{self, Judges},
        },
        manifest::{document, source::Source},
    };

    fn verdict(files: &[(&str, &str)]) -> Verdict {
        let sources: Vec<Source> = files
            .iter()
            .map(|(name, text)| Source {
                name: (*name).to_owned(),
                text: (*text).to_owned(),
            })
            .collect();
        let mut known = Known::default();
        let namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: default}\n";
        let namespace: sluice_tree::Value = serde_saphyr::from_str(namespace).unwrap();
        known.learn([&namespace], Reach::Facts, "default");
        let targets = sluice_probes::validate::TargetRules::default();
        let policy = Source {
            name: "p.yaml".to_owned(),
            text: "apiVersion: sluice.dev/v1alpha1\nkind: Policy\nmetadata: {name: p}\nspec: {rules: [{use: job-backoff-too-high}]}\n".to_owned(),
        };
        verdict::judge(
            &document::objects(&sources),
            Judges {
                schemas: None,
                policies: &policies::of_sources(&[policy], Vec::new()).set,
                exceptions: None,
                old: &Old::default(),
                known: &known,
                targets: &targets,
                namespace: "default",
            },
        )
    }

    fn job(backoff: u32) -> String {
        format!(
            "apiVersion: batch/v1\nkind: Job\nmetadata: {{name: a}}\nspec:\n  backoffLimit: {backoff}\n  activeDeadlineSeconds: 60\n  template:\n    spec:\n      restartPolicy: Never\n      containers:\n      - name: a\n        image: a\n        resources: {{requests: {{cpu: 1, memory: 1Mi}}, limits: {{memory: 1Mi}}}}\n"
        )
    }

    fn laid(baseline: &Baseline, files: &[(&str, &str)]) -> (usize, usize, Vec<String>, Verdict) {
        let mut verdict = verdict(files);
        let names = files.iter().map(|(name, _)| *name).collect();
        baseline.lay_over(&mut verdict, &names);
        let gone = verdict.removable.iter().map(Entry::line).collect();
        (
            verdict.summary.deny,
            verdict.summary.baselined,
            gone,
            verdict,
        )
    }

    #[test]
    fn what_was_there_does_not_count_and_what_is_new_does() {
        let old = job(5);
        let baseline = Baseline::of(&verdict(&[("x.yaml", &old)]), |_| true);
        let baseline = Baseline::parse(&baseline.text().unwrap()).unwrap();
        assert_eq!(baseline.len(), 1, "{baseline:?}");

        let moved = format!("# a comment\n\n{old}");
        let twice = format!("{old}---\n{old}");
        let other = format!("{old}---\n{}", old.replace("name: a}", "name: b}"));
        for (what, file, text, deny, baselined) in [
            ("as it was", "x.yaml", &old, 0, 1),
            ("lines moved", "x.yaml", &moved, 0, 1),
            ("in another file", "y.yaml", &old, 0, 1),
            ("worse", "x.yaml", &job(9), 1, 0),
            ("a second time", "x.yaml", &twice, 1, 1),
            ("another object", "x.yaml", &other, 1, 1),
        ] {
            let (found, covered, _, verdict) = laid(&baseline, &[(file, text)]);
            assert_eq!((found, covered), (deny, baselined), "{what}: {verdict:?}");
            assert_eq!(verdict.summary.refused, deny, "{what}");
        }
        let worse = laid(&baseline, &[("x.yaml", &job(9))]).3;
        assert_eq!(worse.objects[0].findings[0].was.as_deref(), Some("5"));
    }

    #[test]
    fn what_is_mended_can_go_and_what_was_not_looked_at_stays() {
        let baseline = Baseline::of(&verdict(&[("x.yaml", &job(5))]), |_| true);
        let line =
            "x.yaml: job/a in namespace default: SLU1005 job-backoff-too-high at spec.backoffLimit";
        for (what, files, gone) in [
            ("mended", [("x.yaml", job(1))], vec![line]),
            ("mended elsewhere", [("y.yaml", job(1))], vec![line]),
            ("object gone", [("x.yaml", String::new())], vec![line]),
            ("not looked at", [("y.yaml", String::new())], vec![]),
            ("worse", [("x.yaml", job(9))], vec![line]),
        ] {
            let files: Vec<(&str, &str)> = files
                .iter()
                .map(|(name, text)| (*name, text.as_str()))
                .collect();
            assert_eq!(laid(&baseline, &files).2, gone, "{what}");
        }
    }

    #[test]
    fn another_file_is_no_baseline() {
        for text in [
            "",
            "version: 2\nfindings: []\n",
            "version: 1\n",
            "findings: []\n",
            "a: [",
            "version: 1\nfindings: []\nmore: 1\n",
        ] {
            assert!(Baseline::parse(text).is_err(), "{text:?}");
        }
        assert!(
            Baseline::parse("version: 1\nfindings: []\n")
                .unwrap()
                .is_empty()
        );
    }
}
