//! A page of the documentation as steps to carry out: files to write and commands with what they print. Also compiled into the tests on a real cluster.
//!
//! A `yaml` block whose first line is a comment with a path is that file. In a `console` block a line that begins with `$ ` is a command, the lines up to the
//! next one are what it prints on both streams. `…` stands for any text of a line, and alone in a line for any lines.

use std::{
    path::Path,
    process::{Command, Stdio},
};

/// One step.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// A file to write.
    File { path: String, text: String },
    /// A command to run.
    Run { command: String, prints: String },
}

/// The steps of each section of the second level, in the order of the page.
pub fn sections(page: &str) -> Vec<(String, Vec<Step>)> {
    let mut sections = vec![(String::new(), Vec::new())];
    let mut block: Option<(&str, String)> = None;
    for line in page.lines() {
        match &mut block {
            Some((language, text)) if line == "```" => {
                let steps = &mut sections.last_mut().unwrap().1;
                match *language {
                    "yaml" => steps.extend(file(text)),
                    "console" => steps.extend(commands(text)),
                    _ => {}
                }
                block = None;
            }
            Some((_, text)) => {
                text.push_str(line);
                text.push('\n');
            }
            None if line.starts_with("```") => block = Some((&line[3..], String::new())),
            None => {
                if let Some(heading) = line.strip_prefix("## ") {
                    sections.push((heading.to_owned(), Vec::new()));
                }
            }
        }
    }
    assert!(block.is_none(), "a block is not closed");
    sections
}

fn file(text: &str) -> Option<Step> {
    let path = text.lines().next()?.strip_prefix("# ")?;
    let is_path = path.contains('.') && !path.contains(char::is_whitespace);
    is_path.then(|| Step::File {
        path: path.to_owned(),
        text: text.to_owned(),
    })
}

fn commands(text: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    for line in text.lines() {
        match (line.strip_prefix("$ "), steps.last_mut()) {
            (Some(command), _) => steps.push(Step::Run {
                command: command.to_owned(),
                prints: String::new(),
            }),
            (None, Some(Step::Run { prints, .. })) => {
                prints.push_str(line);
                prints.push('\n');
            }
            (None, _) => panic!("no command before {line:?}"),
        }
    }
    steps
}

/// Carries a step out in a folder, with these programs first and this environment; what is not as the page says.
pub fn carry_out(
    step: &Step,
    folder: &Path,
    programs: &Path,
    more: &[(&str, &Path)],
    last: &mut i32,
) -> Result<(), String> {
    match step {
        Step::File { path, text } => {
            let path = folder.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
            Ok(())
        }
        Step::Run { command, prints } => {
            let path = std::env::var("PATH").unwrap();
            let mut shell = Command::new("sh");
            shell
                // the exit code that the page asks for is that of the command before
                .args(["-c", &format!("exec 2>&1; (exit {last}); {command}")])
                .current_dir(folder)
                .env("PATH", format!("{}:{path}", programs.display()))
                .env_remove("SLUICE_CONFIG")
                .stdin(Stdio::null());
            for (name, value) in more {
                shell.env(name, value);
            }
            let output = shell.output().unwrap();
            *last = output.status.code().unwrap_or(-1);
            let printed = String::from_utf8(output.stdout).unwrap();
            if fits(prints, &printed) {
                Ok(())
            } else {
                Err(format!(
                    "$ {command}\n--- the page says\n{prints}--- it prints (exit code {last})\n{printed}"
                ))
            }
        }
    }
}

/// Whether a text is what the page says.
fn fits(says: &str, printed: &str) -> bool {
    let says: Vec<&str> = says.lines().collect();
    let printed: Vec<&str> = printed.lines().collect();
    lines_fit(&says, &printed)
}

fn lines_fit(says: &[&str], printed: &[&str]) -> bool {
    match says {
        [] => printed.is_empty(),
        ["…", rest @ ..] => (0..=printed.len()).any(|skip| lines_fit(rest, &printed[skip..])),
        [first, rest @ ..] => printed
            .split_first()
            .is_some_and(|(line, others)| line_fits(first, line) && lines_fit(rest, others)),
    }
}

fn line_fits(says: &str, mut printed: &str) -> bool {
    let parts: Vec<&str> = says.split('…').collect();
    let Some((first, rest)) = parts.split_first() else {
        return false;
    };
    let Some(after) = printed.strip_prefix(first) else {
        return false;
    };
    printed = after;
    let Some((last, middle)) = rest.split_last() else {
        return printed.is_empty();
    };
    for part in middle {
        let Some(at) = printed.find(part) else {
            return false;
        };
        printed = &printed[at + part.len()..];
    }
    printed.ends_with(last)
}

#[test]
fn a_page_says_exactly_what_is_printed_but_for_its_gaps() {
    for (says, printed, expected) in [
        ("a\nb\n", "a\nb\n", true),
        ("a\n", "a\nb\n", false),
        ("a\nb\n", "a\n", false),
        ("a …\n", "a 12\n", true),
        ("a … c\n", "a b c\n", true),
        ("a … c\n", "a b d\n", false),
        ("a…b…c\n", "a1b2c\n", true),
        ("a…b…c\n", "a1c\n", false),
        ("a\n…\nz\n", "a\nb\nc\nz\n", true),
        ("a\n…\n", "b\n", false),
        ("", "", true),
        ("", "a\n", false),
    ] {
        assert_eq!(fits(says, printed), expected, "{says:?} {printed:?}");
    }
}

#[test]
fn files_and_commands_are_taken_from_their_sections() {
    let page = "# T\n```yaml\n# a/b.yaml\nx: 1\n```\n## One\n```console\n$ ls\nb.yaml\n$ true\n```\n```yaml\n# a comment\nx: 2\n```\n```text\n$ no\n```\n";
    let run = |command: &str, prints: &str| Step::Run {
        command: command.into(),
        prints: prints.into(),
    };
    let file = Step::File {
        path: "a/b.yaml".into(),
        text: "# a/b.yaml\nx: 1\n".into(),
    };
    assert_eq!(
        sections(page),
        [
            (String::new(), vec![file]),
            (
                "One".to_owned(),
                vec![run("ls", "b.yaml\n"), run("true", "")]
            )
        ]
    );
}
