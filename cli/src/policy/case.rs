//! One case of a policy test: manifests, what is known beside them, and the findings they must give. Pure.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    check::verdict::{Placed, Verdict},
    console::one_line,
};

/// A test file: cases for policies that lie beside it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TestFile {
    #[expect(dead_code, reason = "read before, listed so that the rest is refused")]
    api_version: String,
    #[expect(dead_code, reason = "read before, listed so that the rest is refused")]
    kind: String,
    #[expect(dead_code, reason = "for whoever applies policies with other tools")]
    #[serde(default)]
    metadata: Value,
    /// The policies under test, relative to this file; without any, every policy of the folder that is tested.
    #[serde(default)]
    pub policies: Vec<String>,
    /// The cases.
    pub cases: Vec<Case>,
}

/// One case.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Case {
    /// What it shows, as a fact.
    pub name: String,
    /// What is judged: an object, a list of objects, or files relative to this one.
    pub manifest: Given,
    /// What it replaces, matched by kind, namespace and name.
    #[serde(default)]
    pub old: Option<Given>,
    /// What is known beside it. Without it: every namespace is there, without labels, quotas and limit ranges.
    #[serde(default)]
    pub facts: Option<Facts>,
    /// The exceptions that count, beside those of the command line.
    #[serde(default)]
    pub exceptions: Option<Given>,
    /// The moment at which it is judged: whether an exception counts depends on it. Without it, now.
    #[serde(default)]
    pub at: Option<Timestamp>,
    /// Exactly the findings that come out. Empty: it passes.
    pub expect: Vec<Expected>,
}

/// Objects, or where they are.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Given {
    /// One file or folder.
    File(String),
    /// Several.
    Files(Vec<String>),
    /// Written here: their places are read from the document.
    Here(#[expect(dead_code, reason = "read from the document, with places")] Value),
}

/// What is known.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Facts {
    /// Nothing: what a pipeline without `--facts` sees.
    Unknown(Unknown),
    /// These.
    Known(Given),
}

/// The word `unknown`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unknown {
    /// Nothing is known.
    Unknown,
}

/// A finding that must come out. What is not said may be anything.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    deny: Option<String>,
    warn: Option<String>,
    audit: Option<String>,
    unknown: Option<String>,
    excepted: Option<String>,
    /// The path of the field.
    at: Option<String>,
    /// What is found there.
    found: Option<String>,
    /// What would pass.
    passes: Option<String>,
    /// A part of the line.
    says: Option<String>,
    /// The object as `kind/name`, where a case has several.
    object: Option<String>,
}

impl Expected {
    /// What it leads to and the rule; `None` unless exactly one of them is said.
    pub fn rule(&self) -> Option<(&'static str, &str)> {
        let said: Vec<_> = [
            ("deny", &self.deny),
            ("warn", &self.warn),
            ("audit", &self.audit),
            ("unknown", &self.unknown),
            ("excepted", &self.excepted),
        ]
        .into_iter()
        .filter_map(|(word, rule)| Some((word, rule.as_deref()?)))
        .collect();
        match said.as_slice() {
            [one] => Some(*one),
            _ => None,
        }
    }

    /// How much it says: what says more chooses first.
    fn weight(&self) -> usize {
        [
            &self.at,
            &self.found,
            &self.passes,
            &self.says,
            &self.object,
        ]
        .into_iter()
        .flatten()
        .count()
    }

    fn fits(&self, found: &Found<'_>) -> bool {
        let finding = &found.placed.finding;
        let is =
            |wanted: &Option<String>, is: &str| wanted.as_deref().is_none_or(|text| text == is);
        self.rule().is_some_and(|(word, rule)| {
            word == found.placed.word() && (rule == finding.rule || rule == finding.code)
        }) && is(&self.at, &finding.path)
            && is(&self.found, &finding.found)
            && is(&self.passes, &finding.passes)
            && is(&self.object, &found.object)
            && self
                .says
                .as_deref()
                .is_none_or(|part| found.placed.text.contains(part))
    }

    /// In one line, like the line of a finding.
    fn line(&self) -> String {
        let (word, rule) = self.rule().unwrap_or(("?", "?"));
        let mut line = format!("{word}: {rule}");
        for (before, text) in [
            (" at ", &self.at),
            (": ", &self.found),
            ("; passes: ", &self.passes),
            (" … ", &self.says),
            (" of ", &self.object),
        ] {
            if let Some(text) = text {
                line.push_str(before);
                line.push_str(text);
            }
        }
        one_line(&line)
    }
}

struct Found<'a> {
    object: String,
    placed: &'a Placed,
}

/// What is not as the case says. Empty when it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Mismatch {
    /// Expected and not found.
    pub missing: Vec<String>,
    /// Found and not expected.
    pub unexpected: Vec<String>,
    /// Why nothing can be said.
    pub problems: Vec<String>,
}

impl Mismatch {
    /// Whether everything is as the case says.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.missing.is_empty() && self.unexpected.is_empty() && self.problems.is_empty()
    }
}

/// Compares what a case expects with what came out.
#[must_use]
pub fn compare(expected: &[Expected], verdict: &Verdict) -> Mismatch {
    let mut mismatch = Mismatch {
        problems: verdict.problems.iter().map(ToString::to_string).collect(),
        ..Mismatch::default()
    };
    for over in &verdict.passed_over {
        // a case that judges nothing would pass whatever the policies say
        mismatch.problems.push(over.reason.clone());
    }
    for object in &verdict.objects {
        let problems = object.problems.iter().map(ToString::to_string);
        mismatch.problems.extend(problems);
    }
    let mut left: Vec<Found<'_>> = verdict
        .objects
        .iter()
        .flat_map(|object| {
            object.findings.iter().map(|placed| Found {
                object: format!("{}/{}", object.kind.to_lowercase(), object.name),
                placed,
            })
        })
        .collect();
    let mut order: Vec<(usize, &Expected)> = expected.iter().enumerate().collect();
    order.sort_by_key(|(place, expected)| (std::cmp::Reverse(expected.weight()), *place));
    let mut missing = Vec::new();
    for (place, expected) in order {
        match left.iter().position(|found| expected.fits(found)) {
            Some(found) => drop(left.remove(found)),
            None => missing.push((place, expected.line())),
        }
    }
    missing.sort();
    mismatch.missing = missing.into_iter().map(|(_, line)| line).collect();
    mismatch.unexpected = left
        .iter()
        .map(|found| format!("{}: {}", found.placed.word(), one_line(&found.placed.text)))
        .collect();
    mismatch
}
