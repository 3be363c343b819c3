//! What a check came to, and how it is shown. Pure.

use serde::Serialize;

use crate::console::{Style, Tone, one_line};

/// Whether something is well. The order is that of urgency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Health {
    /// It is well.
    #[default]
    Ok,
    /// It could not be read.
    CannotTell,
    /// It is broken.
    Broken,
}

/// One thing that was seen. The JSON form is stable: fields may be added, never renamed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// Whether it is well.
    pub result: Health,
    /// What was seen.
    pub seen: String,
    /// What mends it: a command, or what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repair: Option<String>,
}

/// What one check came to. The JSON form is stable: fields may be added, never renamed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// The name of the check; never renamed.
    pub check: &'static str,
    /// What it asks.
    pub asks: &'static str,
    /// The most urgent of its findings.
    pub result: Health,
    /// Everything it saw.
    pub findings: Vec<Finding>,
}

/// Collects what a check sees.
#[derive(Debug, Default)]
pub struct Findings(pub Vec<Finding>);

impl Findings {
    /// It is well.
    pub fn fine(&mut self, seen: impl Into<String>) {
        self.add(Health::Ok, seen, None);
    }

    /// It is broken, and this mends it.
    pub fn broken(&mut self, seen: impl Into<String>, repair: impl Into<String>) {
        self.add(Health::Broken, seen, Some(repair.into()));
    }

    /// It could not be told, and this would help.
    pub fn unknown(&mut self, seen: impl Into<String>, repair: impl Into<String>) {
        self.add(Health::CannotTell, seen, Some(repair.into()));
    }

    fn add(&mut self, result: Health, seen: impl Into<String>, repair: Option<String>) {
        self.0.push(Finding {
            result,
            seen: seen.into(),
            repair,
        });
    }

    /// The most urgent of them.
    #[must_use]
    pub fn result(&self) -> Health {
        self.0
            .iter()
            .map(|finding| finding.result)
            .max()
            .unwrap_or_default()
    }
}

/// The answers for people: a line per finding, and below it what mends it.
#[must_use]
pub fn text(answers: &[Answer], style: Style) -> String {
    let mut text = String::new();
    let width = answers.iter().map(|answer| answer.check.len()).max();
    let width = width.unwrap_or_default();
    for answer in answers {
        let mut name = answer.check;
        for finding in &answer.findings {
            let (word, tone) = match finding.result {
                Health::Ok => ("ok     ", Tone::Good),
                Health::CannotTell => ("unknown", Tone::Doubtful),
                Health::Broken => ("BROKEN ", Tone::Bad),
            };
            let word = style.paint(tone, word);
            let seen = one_line(&finding.seen);
            text.push_str(&format!("{word}  {name:width$}  {seen}\n"));
            if let Some(repair) = &finding.repair {
                text.push_str(&format!("         {:width$}  → {}\n", "", one_line(repair)));
            }
            name = "";
        }
    }
    let count = |health| {
        let findings = answers.iter().flat_map(|answer| &answer.findings);
        findings.filter(|finding| finding.result == health).count()
    };
    let last = match (count(Health::Broken), count(Health::CannotTell)) {
        (0, 0) => "all is well\n".to_owned(),
        (0, unknown) => format!("nothing is known to be broken, {unknown} could not be told\n"),
        (broken, 0) => format!("{broken} broken\n"),
        (broken, unknown) => format!("{broken} broken, {unknown} could not be told\n"),
    };
    text.push_str(&last);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_says_what_was_seen_and_what_mends_it() {
        let mut findings = Findings::default();
        findings.fine("two replicas");
        findings.broken("one is old\u{1b}[2J", "kubectl rollout restart");
        assert_eq!(findings.result(), Health::Broken);
        let answers = [
            Answer {
                check: "versions",
                asks: "?",
                result: findings.result(),
                findings: findings.0,
            },
            Answer {
                check: "rights",
                asks: "?",
                result: Health::CannotTell,
                findings: vec![Finding {
                    result: Health::CannotTell,
                    seen: "forbidden".to_owned(),
                    repair: None,
                }],
            },
        ];
        assert_eq!(
            text(&answers, Style { terminal: false }),
            "ok       versions  two replicas\n\
             BROKEN             one is old [2J\n         \u{20}         → kubectl rollout restart\n\
             unknown  rights    forbidden\n\
             1 broken, 1 could not be told\n"
        );
    }
}
