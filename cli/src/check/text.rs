//! A verdict for people: one line per finding, each beginning with its place as compilers write it, the line of the file below it, then a summary.

use std::collections::BTreeMap;

use sluice_api::{Action, Certainty};

use super::{
    excerpt::Excerpts,
    verdict::{Judged, Placed, Verdict},
};
use crate::{
    console::{Style, Tone, lines, one_line},
    manifest::{Position, Problem},
    outcome::Outcome,
};

/// How many entries of the baseline that can go are named.
const REMOVABLE: usize = 10;

/// How many objects of which the same cannot be told are named.
const NAMED: usize = 3;

/// The verdict as text, with the lines of the files when they are given.
#[must_use]
pub fn render(verdict: &Verdict, excerpts: Option<&Excerpts<'_>>, style: Style) -> String {
    let mut text = String::new();
    for problem in &verdict.problems {
        text.push_str(&format!(
            "{}\n",
            style.paint(Tone::Bad, &lines(&problem.to_string()))
        ));
        if let (Some(line), Some(column)) = (problem.line, problem.column) {
            let place = Position { line, column };
            text.push_str(&excerpt(
                excerpts,
                &problem.file,
                place,
                "",
                style,
                Tone::Bad,
            ));
        }
    }
    let shared = shared(verdict);
    for object in &verdict.objects {
        of_object(object, &shared, excerpts, style, &mut text);
    }
    for (line, objects) in &shared {
        text.push_str(&format!(
            "{}: {} ({})\n",
            style.paint(Tone::Doubtful, "unknown"),
            one_line(line),
            named(objects)
        ));
    }
    for over in &verdict.passed_over {
        let line = format!("passed over: {} ({})", one_line(&over.reason), over.count);
        text.push_str(&format!("{}\n", style.paint(Tone::Quiet, &line)));
    }
    for note in &verdict.notes {
        let line = format!("without effect: {}", one_line(note));
        text.push_str(&format!("{}\n", style.paint(Tone::Quiet, &line)));
    }
    for told in &verdict.exceptions {
        let Some(advice) = &told.advice else { continue };
        text.push_str(&format!(
            "{}:{}:{}: {}: exception {} ({}): {}\n",
            told.file,
            told.line,
            told.column,
            style.paint(Tone::Doubtful, "warn"),
            one_line(&told.name),
            told.rule,
            one_line(advice)
        ));
    }
    removable(verdict, style, &mut text);
    server(verdict, style, &mut text);
    let summary = &verdict.summary;
    let elsewhere = usize::from(
        (verdict.server.as_ref()).is_some_and(|server| server.outcome() != Outcome::Yes),
    );
    let (icon, tone) = match (
        summary.problems + summary.deny + elsewhere,
        summary.warn + summary.unknown,
    ) {
        (0, 0) => ("✔", Tone::Good),
        (0, _) => ("⚠", Tone::Doubtful),
        _ => ("✖", Tone::Bad),
    };
    text.push_str(&style.icon(icon, tone));
    text.push_str(&self::summary(verdict));
    text
}

/// What cannot be told of several objects alike, such as a quota that nobody gave: said once, with the objects.
fn shared(verdict: &Verdict) -> BTreeMap<&str, Vec<&Judged>> {
    let mut alike: BTreeMap<&str, Vec<&Judged>> = BTreeMap::new();
    for object in &verdict.objects {
        for placed in object.findings.iter().filter(|placed| unknown_of(placed)) {
            alike.entry(&placed.text).or_default().push(object);
        }
    }
    alike.retain(|_, objects| objects.len() > 1);
    alike
}

/// Whether a finding says of an object as a whole that something cannot be told.
fn unknown_of(placed: &Placed) -> bool {
    let finding = &placed.finding;
    !placed.baselined && finding.certainty == Certainty::Unknown && finding.path == "-"
}

/// `9 objects: deployment/a in namespace shop, … and 8 more`.
fn named(objects: &[&Judged]) -> String {
    let mut names: Vec<String> = objects
        .iter()
        .take(NAMED)
        .map(|object| one_line(&object.title()))
        .collect();
    if objects.len() > NAMED {
        names.push(format!("and {} more", objects.len() - NAMED));
    }
    format!("{}: {}", count(objects.len(), "object"), names.join(", "))
}

fn of_object(
    object: &Judged,
    shared: &BTreeMap<&str, Vec<&Judged>>,
    excerpts: Option<&Excerpts<'_>>,
    style: Style,
    text: &mut String,
) {
    let told: Vec<&Placed> = object
        .findings
        .iter()
        .filter(|placed| !placed.baselined)
        .filter(|placed| !(unknown_of(placed) && shared.contains_key(placed.text.as_str())))
        .collect();
    if told.is_empty() && object.problems.is_empty() {
        return;
    }
    text.push_str(&format!(
        "{}:{}:{}: {}\n",
        object.file,
        object.line,
        object.column,
        style.paint(Tone::Strong, &one_line(&object.title()))
    ));
    for problem in &object.problems {
        let Problem { line, column, .. } = problem;
        let place = Position {
            line: line.unwrap_or(object.line),
            column: column.unwrap_or(object.column),
        };
        text.push_str(&format!(
            "{}:{place}: {}: {}\n",
            problem.file,
            style.paint(Tone::Bad, "deny"),
            lines(&problem.message)
        ));
        text.push_str(&excerpt(
            excerpts,
            &problem.file,
            place,
            "",
            style,
            Tone::Bad,
        ));
    }
    for placed in told {
        let tone = match (placed.finding.certainty, placed.finding.action) {
            _ if placed.finding.excepted.is_some() => Tone::Quiet,
            (Certainty::Unknown, _) | (Certainty::Sure, Action::Warn) => Tone::Doubtful,
            (Certainty::Sure, Action::Deny) => Tone::Bad,
            (Certainty::Sure, Action::Audit) => Tone::Quiet,
        };
        let place = Position {
            line: placed.line,
            column: placed.column,
        };
        text.push_str(&format!(
            "{}:{place}: {}: {}\n",
            object.file,
            style.paint(tone, placed.word()),
            one_line(&placed.text)
        ));
        if placed.finding.path == "-" {
            // about the object as a whole: there is no spot
            continue;
        }
        let label = match (&placed.missing, &placed.was) {
            (_, Some(was)) => format!("the baseline has {}", one_line(was)),
            (Some(missing), None) => format!("no {} here", one_line(missing)),
            (None, None) => String::new(),
        };
        text.push_str(&excerpt(excerpts, &object.file, place, &label, style, tone));
    }
}

fn excerpt(
    excerpts: Option<&Excerpts<'_>>,
    file: &str,
    place: Position,
    label: &str,
    style: Style,
    tone: Tone,
) -> String {
    excerpts
        .map(|excerpts| excerpts.show(file, place, label, style, tone))
        .unwrap_or_default()
}

/// What the replicas of the webhook judge by.
fn server(verdict: &Verdict, style: Style, text: &mut String) {
    let Some(replicas) = &verdict.server else {
        return;
    };
    let differences = replicas.differences();
    for line in &differences {
        text.push_str(&format!(
            "{}: {}\n",
            style.paint(Tone::Bad, "server"),
            one_line(line)
        ));
    }
    if differences.is_empty() {
        let judging = match replicas.replicas.len() {
            1 => "1 ready replica of the webhook judges".to_owned(),
            many => format!("{many} ready replicas of the webhook judge"),
        };
        let line = format!("server: {judging} by this policy set");
        text.push_str(&format!("{}\n", style.paint(Tone::Good, &line)));
    }
}

fn removable(verdict: &Verdict, style: Style, text: &mut String) {
    for entry in verdict.removable.iter().take(REMOVABLE) {
        let line = format!(
            "no longer found, can go from the baseline: {}",
            entry.line()
        );
        text.push_str(&format!("{}\n", style.paint(Tone::Quiet, &one_line(&line))));
    }
    let rest = verdict.removable.len().saturating_sub(REMOVABLE);
    if rest > 0 {
        text.push_str(&format!("… and {rest} more\n"));
    }
    if !verdict.removable.is_empty() {
        text.push_str("--write-baseline with the same --baseline takes them out\n");
    }
}

/// The counts in one line.
#[must_use]
pub fn summary(verdict: &Verdict) -> String {
    let summary = &verdict.summary;
    let passed_over: usize = verdict.passed_over.iter().map(|over| over.count).sum();
    let denies = if summary.deny == 1 {
        "finding denies"
    } else {
        "findings deny"
    };
    let mut parts = vec![format!("{} judged", count(summary.judged, "object"))];
    for (number, words) in [
        (summary.refused, "would be refused"),
        (summary.deny, denies),
        (summary.warn, "warn"),
        (summary.unknown, "cannot be told"),
        (summary.audit, "only counted"),
        (summary.excepted, "excepted"),
        (summary.baselined, "in the baseline"),
        (passed_over, "passed over"),
        (summary.problems, "not readable"),
    ] {
        if number > 0 {
            parts.push(format!("{number} {words}"));
        }
    }
    format!(
        "{} (policy set {})\n",
        parts.join(", "),
        verdict.policy_set.get(..12).unwrap_or(&verdict.policy_set)
    )
}

fn count(number: usize, noun: &str) -> String {
    if number == 1 {
        format!("1 {noun}")
    } else {
        format!("{number} {noun}s")
    }
}
