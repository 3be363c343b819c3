//! A verdict for people: one line per finding, each beginning with its place as compilers write it, then a summary.

use sluice_api::{Action, Certainty};

use super::verdict::Verdict;
use crate::console::{Style, Tone, one_line};

/// The verdict as text.
#[must_use]
pub fn render(verdict: &Verdict, style: Style) -> String {
    let mut text = String::new();
    for problem in &verdict.problems {
        text.push_str(&format!(
            "{}\n",
            style.paint(Tone::Bad, &one_line(&problem.to_string()))
        ));
    }
    for object in &verdict.objects {
        if object.findings.is_empty() && object.problems.is_empty() {
            continue;
        }
        let place = format!("{}:{}:{}", object.file, object.line, object.column);
        text.push_str(&format!(
            "{place}: {}\n",
            style.paint(Tone::Strong, &one_line(&object.title()))
        ));
        for problem in &object.problems {
            let (line, column) = (
                problem.line.unwrap_or(object.line),
                problem.column.unwrap_or(object.column),
            );
            text.push_str(&format!(
                "{}:{line}:{column}: {}: {}\n",
                problem.file,
                style.paint(Tone::Bad, "deny"),
                one_line(&problem.message)
            ));
        }
        for placed in &object.findings {
            let (word, tone) = match (placed.finding.certainty, placed.finding.action) {
                (Certainty::Unknown, _) => ("unknown", Tone::Doubtful),
                (Certainty::Sure, Action::Deny) => ("deny", Tone::Bad),
                (Certainty::Sure, Action::Warn) => ("warn", Tone::Doubtful),
                (Certainty::Sure, Action::Audit) => ("audit", Tone::Quiet),
            };
            text.push_str(&format!(
                "{}:{}:{}: {}: {}\n",
                object.file,
                placed.line,
                placed.column,
                style.paint(tone, word),
                one_line(&placed.text)
            ));
        }
    }
    let summary = &verdict.summary;
    for over in &verdict.passed_over {
        text.push_str(&format!(
            "{}\n",
            style.paint(
                Tone::Quiet,
                &format!("passed over: {} ({})", one_line(&over.reason), over.count)
            )
        ));
    }
    let (icon, tone) = match (
        summary.problems + summary.refused,
        summary.warn + summary.unknown,
    ) {
        (0, 0) => ("✔", Tone::Good),
        (0, _) => ("⚠", Tone::Doubtful),
        _ => ("✖", Tone::Bad),
    };
    let passed_over: usize = verdict.passed_over.iter().map(|over| over.count).sum();
    let mut parts = vec![format!("{} judged", count(summary.judged, "object"))];
    for (number, words) in [
        (summary.refused, "would be refused"),
        (
            summary.deny,
            if summary.deny == 1 {
                "finding denies"
            } else {
                "findings deny"
            },
        ),
        (summary.warn, "warn"),
        (summary.unknown, "cannot be told"),
        (summary.audit, "only counted"),
        (passed_over, "passed over"),
        (summary.problems, "not readable"),
    ] {
        if number > 0 {
            parts.push(format!("{number} {words}"));
        }
    }
    text.push_str(&format!(
        "{}{} (policy set {})\n",
        style.icon(icon, tone),
        parts.join(", "),
        verdict.policy_set.get(..12).unwrap_or(&verdict.policy_set)
    ));
    text
}

fn count(number: usize, noun: &str) -> String {
    if number == 1 {
        format!("1 {noun}")
    } else {
        format!("{number} {noun}s")
    }
}
