//! Workflow commands: GitHub shows them beside the lines of a pull request, ten errors and ten warnings of a step.

use super::{Entry, Level, entries, text};
use crate::check::verdict::Verdict;

/// A command for each entry, then the summary as an ordinary line of the log.
pub(super) fn commands(verdict: &Verdict) -> String {
    let mut commands = String::new();
    // what is shown first is what refuses: GitHub stops showing after a few
    let shown = entries(verdict);
    for wanted in ["error", "warning", "notice"] {
        for entry in shown.iter().filter(|entry| !entry.baselined) {
            if word(entry.level) == wanted {
                commands.push_str(&command(entry));
            }
        }
    }
    commands.push_str(&text::summary(verdict));
    commands
}

const fn word(level: Level) -> &'static str {
    match level {
        Level::Unreadable | Level::Deny => "error",
        Level::Warn | Level::Unknown => "warning",
        Level::Audit => "notice",
    }
}

fn command(entry: &Entry<'_>) -> String {
    let mut properties = format!("file={}", property(entry.relative_file()));
    for (name, number) in [("line", entry.line), ("col", entry.column)] {
        if let Some(number) = number {
            properties.push_str(&format!(",{name}={number}"));
        }
    }
    let title = if entry.id == entry.name {
        entry.id.to_owned()
    } else {
        format!("{} {}", entry.id, entry.name)
    };
    properties.push_str(&format!(",title={}", property(&title)));
    format!(
        "::{} {properties}::{}\n",
        word(entry.level),
        data(&entry.message())
    )
}

/// What a command may say; other control characters than the ends of lines, which the log would obey, become spaces.
fn data(text: &str) -> String {
    let mut said = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '%' => said.push_str("%25"),
            '\r' => said.push_str("%0D"),
            '\n' => said.push_str("%0A"),
            c if c.is_control() => said.push(' '),
            c => said.push(c),
        }
    }
    said
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_ends_a_command_or_starts_one() {
        let entry = Entry {
            level: Level::Deny,
            id: "SLU1001",
            name: "a-name",
            file: "./a,b:c\n::error::x/100%.yaml",
            line: Some(4),
            column: None,
            object: Some("job/a in namespace b".to_owned()),
            path: "",
            text: "50%\r\n::stop-commands::x\u{1b}[2J\0",
            fingerprint: String::new(),
            baselined: false,
            excepted: None,
        };
        assert_eq!(
            command(&entry),
            "::error file=a%2Cb%3Ac%0A%3A%3Aerror%3A%3Ax/100%25.yaml,line=4,title=SLU1001 a-name::job/a in namespace b: 50%25%0D%0A::stop-commands::x [2J \n"
        );
    }
}
