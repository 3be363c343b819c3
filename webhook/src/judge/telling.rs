//! How findings are told: one message for all that refuse, a warning for each that warns, a line for the audit log.

use std::collections::BTreeMap;

use sluice_api::{Action, Finding, finding};

use crate::{envelope::Reply, judge::Outcome};

/// How many warnings one answer carries; the rest is counted.
const WARNINGS: usize = 20;
/// Above this many characters in all, the API server cuts every warning to 256.
const WARNING_CHARACTERS: usize = 4096;
/// How long one warning may be so that even then nothing of it is lost.
const WARNING_LENGTH: usize = 256;
/// How long the line for the audit log may be.
const AUDIT_LENGTH: usize = 1024;

/// The answer that findings lead to. `object` is what people call it, `digest` names the policy set.
pub(super) fn tell(object: &str, findings: &[Finding], digest: &str) -> (Reply, Outcome) {
    let denying: Vec<&Finding> = findings
        .iter()
        .filter(|finding| finding.action == Action::Deny)
        .collect();
    let refused = (!denying.is_empty()).then(|| finding::refusal(object, &denying, digest));
    let warnings = warnings(
        findings
            .iter()
            .filter(|finding| finding.action == Action::Warn),
    );
    let outcome = match findings.iter().map(|finding| finding.action).max() {
        None => Outcome::Allowed,
        Some(Action::Audit) => Outcome::Audited,
        Some(Action::Warn) => Outcome::Warned,
        Some(Action::Deny) => Outcome::Denied,
    };
    let reply = Reply {
        refused,
        warnings,
        patch: Vec::new(),
        audit: audit(findings, digest),
    };
    (reply, outcome)
}

/// One warning per finding, in the words of [`Finding::line`]. A longer one goes on in further warnings, each naming the rule: kubectl prints
/// equal warnings only once.
fn warnings<'f>(findings: impl Iterator<Item = &'f Finding>) -> Vec<String> {
    let mut told: Vec<String> = Vec::new();
    let mut characters = 0;
    let mut left_out = 0;
    for finding in findings {
        let pieces = pieces(finding);
        let length: usize = pieces.iter().map(|piece| piece.chars().count()).sum();
        // one place and 80 characters are kept for the line that counts the rest
        if left_out > 0
            || told.len() + pieces.len() >= WARNINGS
            || characters + length > WARNING_CHARACTERS - 80
        {
            left_out += 1;
            continue;
        }
        characters += length;
        told.extend(pieces);
    }
    if left_out > 0 {
        told.push(format!(
            "… and {left_out} more: `sluice check` prints all of them."
        ));
    }
    told
}

fn pieces(finding: &Finding) -> Vec<String> {
    let line = finding.line();
    let mut rest = line.as_str();
    let mut pieces = Vec::new();
    loop {
        let head = if pieces.is_empty() {
            String::new()
        } else {
            format!("{} … ", finding.code)
        };
        let room = WARNING_LENGTH - head.chars().count();
        let Some((end, _)) = rest.char_indices().nth(room) else {
            pieces.push(head + rest);
            return pieces;
        };
        // between two parts of the sentence, else between two words, else anywhere
        let within = &rest[..end];
        let cut = within
            .rfind("; ")
            .filter(|at| *at > end / 2)
            .map(|at| at + 2)
            .or_else(|| within.rfind(' ').map(|at| at + 1))
            .filter(|at| *at > 0)
            .unwrap_or(end);
        pieces.push(head + rest[..cut].trim_end());
        rest = &rest[cut..];
    }
}

/// Which rules found something, for the audit log; in mode `audit` this and the metrics are all that is said.
fn audit(findings: &[Finding], digest: &str) -> BTreeMap<&'static str, String> {
    if findings.is_empty() {
        return BTreeMap::new();
    }
    let mut line = String::new();
    for finding in findings {
        let next = format!(
            "{}{} {:?} at {}",
            if line.is_empty() { "" } else { "; " },
            finding.code,
            finding.action,
            finding.path
        );
        if line.len() + next.len() > AUDIT_LENGTH {
            line.push_str("; …");
            break;
        }
        line.push_str(&next);
    }
    BTreeMap::from([
        ("findings", line),
        ("policy-set", digest.get(..12).unwrap_or(digest).to_owned()),
    ])
}

#[cfg(test)]
mod tests {
    use sluice_api::Certainty;

    use super::*;

    fn finding(action: Action, found: &str) -> Finding {
        Finding {
            code: "SLU1001".into(),
            rule: "cronjob-without-deadline".into(),
            action,
            certainty: Certainty::Sure,
            path: "spec.startingDeadlineSeconds".into(),
            found: found.into(),
            passes: "1s to 1h".into(),
            way_out: None,
            excepted: None,
            policy: None,
        }
    }

    #[test]
    fn a_refusal_holds_what_denies_and_warnings_hold_the_rest() {
        let findings = [
            finding(Action::Deny, "absent"),
            finding(Action::Warn, "odd"),
            finding(Action::Audit, "counted"),
        ];
        let (reply, outcome) = tell("cronjob/a in namespace b", &findings, "0123456789abcdef");
        let refused = reply.refused.unwrap();
        assert!(
            refused.starts_with("cronjob/a in namespace b: 1 finding (policy set 0123456789ab)"),
            "{refused}"
        );
        assert!(refused.contains("absent") && !refused.contains("odd"));
        assert_eq!(reply.warnings, [findings[1].line()]);
        assert_eq!(outcome, Outcome::Denied);
        assert_eq!(reply.audit["policy-set"], "0123456789ab");
        assert_eq!(tell("x", &findings[1..], "d").1, Outcome::Warned);
        assert_eq!(tell("x", &findings[2..], "d").1, Outcome::Audited);
        assert_eq!(tell("x", &[], "d"), (Reply::default(), Outcome::Allowed));
    }

    #[test]
    fn warnings_stay_within_what_the_api_server_passes_on_whole() {
        let many: Vec<Finding> = (0..200)
            .map(|i| finding(Action::Warn, &format!("{i} {}", "überlang ".repeat(i % 90))))
            .collect();
        let (reply, _) = tell("x", &many, "d");
        assert!(reply.warnings.len() <= WARNINGS);
        let total: usize = reply
            .warnings
            .iter()
            .map(|warning| warning.chars().count())
            .sum();
        assert!(total <= WARNING_CHARACTERS, "{total}");
        assert!(
            reply
                .warnings
                .last()
                .unwrap()
                .contains("more: `sluice check`")
        );
        let mut seen = std::collections::BTreeSet::new();
        for warning in &reply.warnings {
            assert!(warning.chars().count() <= WARNING_LENGTH, "{warning}");
            assert!(
                seen.insert(warning),
                "kubectl would print this once: {warning}"
            );
        }
    }

    #[test]
    fn a_long_warning_goes_on_without_losing_a_word() {
        let long = finding(Action::Warn, &"word ".repeat(200));
        let pieces = pieces(&long);
        assert!(pieces.len() > 2);
        let words = |text: &str| {
            text.split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        let joined: Vec<String> = pieces
            .iter()
            .flat_map(|piece| words(piece.strip_prefix("SLU1001 … ").unwrap_or(piece)))
            .collect();
        assert_eq!(joined, words(&long.line()));
        let unbroken = finding(Action::Warn, &"x".repeat(3000));
        assert!(
            super::pieces(&unbroken)
                .iter()
                .all(|piece| piece.chars().count() <= WARNING_LENGTH)
        );
    }
}
