//! A verdict in the forms that other programs show: code scanning, merge requests, test reports.
//!
//! Every form is made from the same [`Entry`] list, in the order of the files and of the objects in them. What the baseline has is left out of all of them
//! but SARIF, which has a word for it. Pure: from a verdict to text.

mod github;
mod gitlab;
mod junit;
mod sarif;

use std::fmt::Write as _;

use clap::ValueEnum;
use sluice_api::{Action, Certainty, finding::Excepted};

use super::{
    excerpt::Excerpts,
    fingerprint::Fingerprints,
    text,
    verdict::{FailOn, Judged, Placed, Verdict},
};
use crate::{console::Style, generate::yaml, manifest::Problem};

/// The forms of a verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// For people: a line for each finding, and the place in the file
    #[default]
    Text,
    /// For people and grep: a line for each finding
    Concise,
    /// The whole verdict; fields may be added, never renamed
    Json,
    /// The same as YAML
    Yaml,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// JUnit XML, for test reports
    Junit,
    /// Workflow commands that GitHub shows in the changed files
    Github,
    /// GitLab's code quality report
    Gitlab,
}

/// Why a verdict could not be written in a form.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// As JSON.
    #[error("the verdict cannot be written as JSON")]
    Json(#[from] serde_json::Error),
    /// As YAML.
    #[error("the verdict cannot be written as YAML")]
    Yaml(#[from] yaml::YamlError),
}

/// The verdict in a form.
///
/// # Errors
/// When it cannot be written so.
pub fn render(
    verdict: &Verdict,
    form: Form,
    fail_on: FailOn,
    excerpts: &Excerpts<'_>,
    style: Style,
) -> Result<String, ReportError> {
    Ok(match form {
        Form::Text => text::render(verdict, Some(excerpts), style),
        Form::Concise => text::render(verdict, None, style),
        Form::Json => format!("{}\n", serde_json::to_string_pretty(verdict)?),
        Form::Yaml => yaml::document(verdict)?,
        Form::Sarif => format!("{}\n", serde_json::to_string_pretty(&sarif::log(verdict))?),
        Form::Junit => junit::document(verdict, fail_on),
        Form::Github => github::commands(verdict),
        Form::Gitlab => format!(
            "{}\n",
            serde_json::to_string_pretty(&gitlab::report(verdict))?
        ),
    })
}

/// How bad an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    /// The text cannot be read, or a policy cannot work: nobody knows what else is wrong.
    Unreadable,
    /// It would be refused.
    Deny,
    /// It would be warned of.
    Warn,
    /// Nobody can tell.
    Unknown,
    /// It would be counted.
    Audit,
}

/// What cannot be read, under a name of its own.
const UNREADABLE: &str = "not-readable";
/// What the API server or the webhook would not take whatever the policies say, under a name of its own.
const NOT_ACCEPTED: &str = "not-accepted";

/// One thing to tell.
#[derive(Clone, Debug)]
struct Entry<'a> {
    level: Level,
    /// The code of the rule, or one of the two names above.
    id: &'a str,
    /// The kebab name of the rule, or the same.
    name: &'a str,
    file: &'a str,
    line: Option<u64>,
    column: Option<u64>,
    /// The object, as messages call it.
    object: Option<String>,
    /// The field; empty where none is known.
    path: &'a str,
    text: &'a str,
    fingerprint: String,
    baselined: bool,
    /// The exception that lets it pass.
    excepted: Option<&'a Excepted>,
}

/// Everything a verdict tells.
fn entries(verdict: &Verdict) -> Vec<Entry<'_>> {
    let mut fingerprints = Fingerprints::default();
    let mut entries: Vec<Entry<'_>> = verdict
        .problems
        .iter()
        .map(|problem| of_problem(problem, None, Level::Unreadable, &mut fingerprints))
        .collect();
    for object in &verdict.objects {
        for problem in &object.problems {
            entries.push(of_problem(
                problem,
                Some(object),
                Level::Deny,
                &mut fingerprints,
            ));
        }
        entries.extend(
            object
                .findings
                .iter()
                .map(|placed| of_finding(object, placed)),
        );
    }
    entries
}

fn of_problem<'a>(
    problem: &'a Problem,
    object: Option<&'a Judged>,
    level: Level,
    fingerprints: &mut Fingerprints,
) -> Entry<'a> {
    let name = match object {
        Some(_) => NOT_ACCEPTED,
        None => UNREADABLE,
    };
    let title = object.map(Judged::title);
    Entry {
        level,
        id: name,
        name,
        file: &problem.file,
        line: problem.line.or(object.map(|object| object.line)),
        column: problem.column.or(object.map(|object| object.column)),
        path: "",
        text: &problem.message,
        fingerprint: fingerprints.over(&[
            name,
            &problem.file,
            title.as_deref().unwrap_or_default(),
            &problem.message,
        ]),
        object: title,
        baselined: false,
        excepted: None,
    }
}

fn of_finding<'a>(object: &'a Judged, placed: &'a Placed) -> Entry<'a> {
    let finding = &placed.finding;
    Entry {
        level: match (finding.certainty, finding.action) {
            // somebody answers for it until its end: it fails no run
            _ if finding.excepted.is_some() => Level::Audit,
            (Certainty::Unknown, _) => Level::Unknown,
            (Certainty::Sure, Action::Deny) => Level::Deny,
            (Certainty::Sure, Action::Warn) => Level::Warn,
            (Certainty::Sure, Action::Audit) => Level::Audit,
        },
        id: &finding.code,
        name: &finding.rule,
        file: &object.file,
        line: Some(placed.line),
        column: Some(placed.column),
        object: Some(object.title()),
        path: if finding.path == "-" {
            ""
        } else {
            &finding.path
        },
        text: &placed.text,
        fingerprint: placed.fingerprint.clone(),
        baselined: placed.baselined,
        excepted: finding.excepted.as_ref(),
    }
}

impl Entry<'_> {
    /// The object and the text in one line.
    fn message(&self) -> String {
        match &self.object {
            Some(object) => format!("{object}: {}", self.text),
            None => self.text.to_owned(),
        }
    }

    /// The path as other programs want it: relative, with slashes, without `./`.
    fn relative_file(&self) -> &str {
        self.file.strip_prefix("./").unwrap_or(self.file)
    }

    fn fails(&self, fail_on: FailOn) -> bool {
        match self.level {
            Level::Unreadable => true,
            Level::Deny => fail_on.deny,
            Level::Warn => fail_on.warn,
            Level::Unknown => fail_on.unknown,
            Level::Audit => false,
        }
    }
}

/// A path as a relative reference of RFC 3986, as SARIF wants it.
fn uri(path: &str) -> String {
    let mut uri = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                uri.push(char::from(byte));
            }
            other => {
                // writing to a String cannot fail
                let _ = write!(uri, "%{other:02X}");
            }
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_references() {
        for (path, reference) in [
            ("manifests/a.yaml", "manifests/a.yaml"),
            ("a b/ü:%.yaml", "a%20b/%C3%BC%3A%25.yaml"),
            ("-", "-"),
        ] {
            assert_eq!(uri(path), reference);
        }
    }
}
