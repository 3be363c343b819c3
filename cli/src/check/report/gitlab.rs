//! GitLab's code quality report: a list of findings that merge requests compare by their fingerprints.

use serde_json::{Value, json};

use super::{Level, entries};
use crate::check::verdict::Verdict;

/// The report.
pub(super) fn report(verdict: &Verdict) -> Value {
    entries(verdict)
        .iter()
        .filter(|entry| !entry.baselined)
        .map(|entry| {
            json!({
                "description": entry.message(),
                "check_name": entry.name,
                "fingerprint": entry.fingerprint,
                "severity": severity(entry.level),
                "location": {
                    "path": entry.relative_file(),
                    // GitLab takes no finding without a line
                    "lines": {"begin": entry.line.unwrap_or(1)},
                },
            })
        })
        .collect()
}

const fn severity(level: Level) -> &'static str {
    match level {
        Level::Unreadable => "blocker",
        Level::Deny => "major",
        Level::Warn => "minor",
        Level::Unknown | Level::Audit => "info",
    }
}
