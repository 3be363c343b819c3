//! A finding: one thing that is wrong with one object, said so that the reader can mend it. Admission, controller and CLI print the same lines.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::policy::Action;

/// How sure a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Certainty {
    /// It is so.
    Sure,
    /// A fact is missing, so nobody can tell. Never silently a pass.
    Unknown,
}

/// One finding about one object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// Stable code, such as `SLU1001`; refusals of releases have codes too (`SLU0…`).
    pub code: String,
    /// Stable kebab name of the bad pattern, such as `cronjob-without-deadline`.
    pub rule: String,
    /// What it leads to, after the policy, the ratchet and dry-run were taken into account.
    pub action: Action,
    /// Whether it is so, or nobody can tell.
    pub certainty: Certainty,
    /// For an own rule, the policy that says it, as `namespace/name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// Path of the field in the object as the user wrote it, such as `spec.jobTemplate.spec.backoffLimit`; `-` when it is about the object as a whole.
    pub path: String,
    /// What was found there, such as `absent` or `6 (API default)`.
    pub found: String,
    /// What would pass, such as `at most 3`.
    pub passes: String,
    /// What else the reader may do, when mending the field is not the only way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub way_out: Option<String>,
    /// The exception that lets it pass for a while; the action is then at most a warning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excepted: Option<Excepted>,
}

/// What is told of an exception wherever it lets a finding pass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Excepted {
    /// The exception as `namespace/name`.
    pub by: String,
    /// Who answers for it.
    pub owner: String,
    /// Why it is let pass.
    pub reason: String,
    /// Until when; at this moment the finding is refused again.
    pub until: Timestamp,
}

impl Finding {
    /// The finding in one line, the same wherever it is printed:
    /// `SLU1001 cronjob-without-deadline at spec.startingDeadlineSeconds: absent; passes: 1s to 1h`.
    ///
    /// Control characters of the manifest become spaces: whoever reads a refusal or an audit of somebody else's object reads it on a terminal.
    #[must_use]
    pub fn line(&self) -> String {
        let mut line = format!(
            "{} {} at {}: {}; passes: {}",
            self.code, self.rule, self.path, self.found, self.passes
        );
        if self.certainty == Certainty::Unknown {
            line = format!(
                "{} {} at {}: cannot tell: {}; needs: {}",
                self.code, self.rule, self.path, self.found, self.passes
            );
        }
        if let Some(way_out) = &self.way_out {
            line.push_str("; or ");
            line.push_str(way_out);
        }
        if let Some(Excepted {
            by, owner, until, ..
        }) = &self.excepted
        {
            line.push_str(&format!(
                "; excepted until {until} by {by}, for which {owner} answers"
            ));
        }
        if line.contains(char::is_control) {
            line = line.replace(char::is_control, " ");
        }
        line
    }
}

/// How many findings one refusal prints; the rest is counted.
pub const PRINTED: usize = 10;
/// How long one refusal may be, in bytes.
pub const LONGEST: usize = 4096;

/// One message for everything that refuses an object: a summary line, at most ten findings and 4 KiB, the rest counted, then the way out. A first finding
/// that is longer than that is cut: a refusal names at least one.
///
/// `object` is what the reader calls it (`cronjob/reports in namespace shop`), `digest` names the policy set that judged.
#[must_use]
pub fn refusal(object: &str, findings: &[&Finding], digest: &str) -> String {
    let count = findings.len();
    let plural = if count == 1 { "finding" } else { "findings" };
    let mut text = format!(
        "{object}: {count} {plural} (policy set {})",
        digest.get(..12).unwrap_or(digest)
    );
    let tail =
        "\n  `sluice explain CODE` tells why a rule exists and shows a manifest that passes.";
    let mut printed = 0;
    for finding in findings.iter().take(PRINTED) {
        let mut line = format!("\n  {}. {}", printed + 1, finding.line());
        // room for the line that counts the rest and for the tail
        let room = LONGEST.saturating_sub(text.len() + 64 + tail.len());
        if line.len() > room {
            if printed > 0 {
                break;
            }
            let end = line.floor_char_boundary(room.saturating_sub("…".len()));
            line.truncate(end);
            line.push('…');
        }
        text.push_str(&line);
        printed += 1;
    }
    if printed < count {
        text.push_str(&format!(
            "\n  … and {} more: `sluice check` prints all of them.",
            count - printed
        ));
    }
    text.push_str(tail);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(found: &str) -> Finding {
        Finding {
            code: "SLU1001".into(),
            rule: "cronjob-without-deadline".into(),
            action: Action::Deny,
            certainty: Certainty::Sure,
            policy: None,
            path: "spec.startingDeadlineSeconds".into(),
            found: found.into(),
            passes: "1s to 1h".into(),
            way_out: None,
            excepted: None,
        }
    }

    #[test]
    fn a_refusal_stays_within_its_bounds_and_counts_the_rest() {
        let many: Vec<Finding> = (0..10_000).map(|i| finding(&"x".repeat(i % 700))).collect();
        let all: Vec<&Finding> = many.iter().collect();
        let text = refusal("cronjob/a in namespace b", &all, "0123456789abcdef");
        assert!(text.len() <= LONGEST, "{}", text.len());
        assert!(text.contains("10000 findings"));
        assert!(text.contains("more: `sluice check`"));
    }

    #[test]
    fn one_finding_that_is_too_long_is_cut_and_not_only_counted() {
        let long = finding(&"ü".repeat(5000));
        let text = refusal(
            "cronjob/a in namespace b",
            &[&long, &long],
            "0123456789abcdef",
        );
        assert!(text.len() <= LONGEST, "{}", text.len());
        assert!(
            text.contains("1. SLU1001 cronjob-without-deadline"),
            "{text}"
        );
        assert!(text.contains("and 1 more"), "{text}");
    }

    #[test]
    fn what_a_manifest_says_commands_no_terminal() {
        let line = finding("a\u{1b}[31m\nb\0").line();
        assert!(!line.contains(char::is_control), "{line:?}");
        assert!(line.contains("a [31m b "), "{line:?}");
    }
}
