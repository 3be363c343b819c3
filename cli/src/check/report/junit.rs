//! JUnit XML: a suite for each file, a case for each object that passes and for each entry of one that does not.
//!
//! What fails the run is a failure, what cannot be read an error, what nobody can tell is skipped, what only warns passes and says so in its output.

use std::collections::{BTreeMap, BTreeSet};

use super::{Entry, Level, entries};
use crate::check::verdict::{FailOn, Verdict};

#[derive(Default)]
struct Suite {
    cases: String,
    tests: usize,
    failures: usize,
    errors: usize,
    skipped: usize,
}

/// The document.
pub(super) fn document(verdict: &Verdict, fail_on: FailOn) -> String {
    // in the order in which files are first spoken of
    let (mut order, mut seen) = (Vec::new(), BTreeSet::new());
    let mut suites: BTreeMap<&str, Suite> = BTreeMap::new();
    let told = entries(verdict);
    let told: Vec<&Entry<'_>> = told.iter().filter(|entry| !entry.baselined).collect();
    let passing: Vec<_> = verdict
        .objects
        .iter()
        .filter(|object| {
            object.problems.is_empty() && object.findings.iter().all(|placed| placed.baselined)
        })
        .collect();
    for file in told
        .iter()
        .map(|entry| entry.file)
        .chain(verdict.objects.iter().map(|object| object.file.as_str()))
    {
        if seen.insert(file) {
            order.push(file);
        }
    }
    for entry in told {
        suites.entry(entry.file).or_default().add(entry, fail_on);
    }
    for object in passing {
        suites
            .entry(&object.file)
            .or_default()
            .add_passed(&object.title());
    }

    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let sum = |of: fn(&Suite) -> usize| suites.values().map(of).sum::<usize>();
    text.push_str(&format!(
        "<testsuites name=\"sluice check\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\">\n",
        sum(|suite| suite.tests),
        sum(|suite| suite.failures),
        sum(|suite| suite.errors),
        sum(|suite| suite.skipped),
    ));
    for file in order {
        let Some(suite) = suites.get(file) else {
            continue;
        };
        text.push_str(&format!(
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\">\n{}  </testsuite>\n",
            escaped(file),
            suite.tests,
            suite.failures,
            suite.errors,
            suite.skipped,
            suite.cases
        ));
    }
    text.push_str("</testsuites>\n");
    text
}

impl Suite {
    fn add_passed(&mut self, object: &str) {
        self.tests += 1;
        self.cases.push_str(&format!(
            "    <testcase classname=\"{}\" name=\"no finding\"/>\n",
            escaped(object)
        ));
    }

    fn add(&mut self, entry: &Entry<'_>, fail_on: FailOn) {
        self.tests += 1;
        let class = entry.object.as_deref().unwrap_or(entry.file);
        let name = match (entry.id == entry.name, entry.path) {
            (true, _) => entry.id.to_owned(),
            (false, "") => format!("{} {}", entry.id, entry.name),
            (false, path) => format!("{} {} at {path}", entry.id, entry.name),
        };
        let place = match (entry.line, entry.column) {
            (Some(line), Some(column)) => format!("{}:{line}:{column}", entry.file),
            (Some(line), None) => format!("{}:{line}", entry.file),
            _ => entry.file.to_owned(),
        };
        let message = escaped(entry.text);
        let whole = escaped(&format!("{place}: {}", entry.message()));
        let outcome = if entry.level == Level::Unreadable {
            self.errors += 1;
            format!(
                "<error type=\"{}\" message=\"{message}\">{whole}</error>",
                escaped(entry.name)
            )
        } else if entry.fails(fail_on) {
            self.failures += 1;
            format!(
                "<failure type=\"{}\" message=\"{message}\">{whole}</failure>",
                escaped(entry.name)
            )
        } else if entry.level == Level::Unknown {
            self.skipped += 1;
            format!("<skipped message=\"{message}\"/>")
        } else {
            format!("<system-out>{whole}</system-out>")
        };
        let line = entry
            .line
            .map(|line| format!(" line=\"{line}\""))
            .unwrap_or_default();
        self.cases.push_str(&format!(
            "    <testcase classname=\"{}\" name=\"{}\" file=\"{}\"{line}>\n      {outcome}\n    </testcase>\n",
            escaped(class),
            escaped(&name),
            escaped(entry.file)
        ));
    }
}

/// Text for attributes and content. Characters that no XML document may hold, not even escaped, become U+FFFD.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            '\t' => escaped.push_str("&#9;"),
            '\n' => escaped.push_str("&#10;"),
            '\r' => escaped.push_str("&#13;"),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_breaks_the_document() {
        assert_eq!(
            escaped("a<b>&\"c\"'d'\n\u{1b}[31m\0]]>"),
            "a&lt;b&gt;&amp;&quot;c&quot;&apos;d&apos;&#10;\u{fffd}[31m\u{fffd}]]&gt;"
        );
    }
}
