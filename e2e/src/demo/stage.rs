//! Where the story is played: runs commands for real, shows them with their answers, checks them.

use std::{
    io::{IsTerminal, Write},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use serde_json::Value;
use tokio::process::Command;

use crate::{
    User,
    demo::ground::Ground,
    plane::{self, Access, Output},
    programs::own,
};

/// How many lines of an answer are shown; the rest is counted.
const SHOWN_LINES: usize = 24;

/// Where it is played, and the terminal.
pub struct Stage {
    pub(super) ground: Ground,
    manifests: PathBuf,
    colour: bool,
    step: u32,
    began: Instant,
}

/// What a command should lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// Exit code 0.
    Success,
    /// Any other exit code.
    Refusal,
    /// Exactly this exit code.
    Code(i32),
}

impl Stage {
    /// A stage whose commands run in the folder of the manifests.
    ///
    /// # Errors
    /// When that folder is not there.
    pub fn new(ground: Ground, manifests: PathBuf) -> anyhow::Result<Self> {
        ensure!(
            manifests.is_dir(),
            "the manifests of the demo are not at {}",
            manifests.display()
        );
        Ok(Self {
            ground,
            manifests,
            colour: std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
            step: 0,
            began: Instant::now(),
        })
    }

    /// The API server and its users.
    #[must_use]
    pub fn access(&self) -> &Access {
        &self.ground
    }

    /// A new step of the story.
    pub fn step(&mut self, title: &str) {
        self.step += 1;
        let at = self.began.elapsed().as_secs();
        let title = self.paint("1;36", &format!("{}. {title}", self.step));
        self.print(&format!(
            "\n{title}  {}",
            self.paint("2", &format!("[{at} s]"))
        ));
    }

    /// A sentence that says what happens.
    pub fn say(&self, text: &str) {
        self.print(&format!("   {text}"));
    }

    /// Something that was checked and holds.
    pub fn holds(&self, what: &str) {
        self.print(&format!("   {} {what}", self.paint("32", "✔")));
    }

    /// Something that should hold.
    ///
    /// # Errors
    /// When it does not: the story ends.
    pub fn check(
        &self,
        what: &str,
        holds: bool,
        seen: impl std::fmt::Display,
    ) -> anyhow::Result<()> {
        ensure!(holds, "not as told: {what}; seen: {seen}");
        self.holds(what);
        Ok(())
    }

    /// Shows and runs `kubectl`, as the cluster's administrator.
    ///
    /// # Errors
    /// When the answer is not as expected or lacks one of `texts`.
    pub async fn kubectl(
        &self,
        line: &str,
        expect: Expect,
        texts: &[&str],
    ) -> anyhow::Result<Output> {
        let mut command = self.access().kubectl_command(User::Admin);
        command.args(words(line));
        self.run("kubectl", line, command, expect, texts).await
    }

    /// Runs `kubectl` without showing it.
    ///
    /// # Errors
    /// When it fails.
    pub async fn quiet(&self, line: &str) -> anyhow::Result<String> {
        let mut command = self.access().kubectl_command(User::Admin);
        command.args(words(line)).current_dir(&self.manifests);
        plane::run(command, None)
            .await?
            .ok()
            .with_context(|| format!("kubectl {line}"))
    }

    /// An object as JSON, without showing the command.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn object(&self, what: &str) -> anyhow::Result<Value> {
        Ok(serde_json::from_str(
            &self.quiet(&format!("get {what} -o json")).await?,
        )?)
    }

    /// Shows and runs `sluice`.
    ///
    /// # Errors
    /// When the answer is not as expected or lacks one of `texts`.
    pub async fn sluice(
        &self,
        line: &str,
        expect: Expect,
        texts: &[&str],
    ) -> anyhow::Result<Output> {
        let mut command = Command::new(own("sluice")?);
        command
            .args(words(line))
            .env("KUBECONFIG", self.access().kubeconfig(User::Admin))
            .kill_on_drop(true);
        self.run("sluice", line, command, expect, texts).await
    }

    /// Waits until `holds` answers true, at most `limit`.
    ///
    /// # Errors
    /// When the time is up, with what was seen last.
    pub async fn until<F, Fut>(
        &self,
        what: &str,
        limit: Duration,
        mut holds: F,
    ) -> anyhow::Result<()>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = anyhow::Result<(bool, String)>>,
    {
        let until = Instant::now() + limit;
        loop {
            let (done, seen) = holds().await?;
            if done {
                self.holds(what);
                return Ok(());
            }
            if Instant::now() > until {
                bail!("not as told within {limit:?}: {what}; seen last: {seen}");
            }
            // each look is a kubectl, and takes the processor from what is waited for
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }

    /// Why the story ended early.
    pub fn failed(&self, error: &anyhow::Error) {
        self.print(&format!(
            "\n{} {error:#}",
            self.paint("1;31", "✖ the demo stops here:")
        ));
    }

    /// One or more lines on the terminal.
    pub fn print(&self, text: &str) {
        let mut out = std::io::stdout().lock();
        // a closed pipe on the other side is the reader's decision
        let _ = writeln!(out, "{text}");
        let _ = out.flush();
    }

    async fn run(
        &self,
        program: &str,
        line: &str,
        mut command: Command,
        expect: Expect,
        texts: &[&str],
    ) -> anyhow::Result<Output> {
        command.current_dir(&self.manifests);
        self.print(&format!(
            "   {}",
            self.paint("1", &format!("$ {program} {line}"))
        ));
        let output = plane::run(command, None).await?;
        let answer = format!("{}{}", output.stdout, output.stderr);
        let lines: Vec<&str> = answer.lines().collect();
        for line in lines.iter().take(SHOWN_LINES) {
            self.print(&format!("     {}", self.paint("2", line)));
        }
        if lines.len() > SHOWN_LINES {
            self.print(&format!("     … {} more lines", lines.len() - SHOWN_LINES));
        }
        let as_expected = match expect {
            Expect::Success => output.code == Some(0),
            Expect::Refusal => output.code.is_some_and(|code| code != 0),
            Expect::Code(code) => output.code == Some(code),
        };
        ensure!(
            as_expected,
            "`{program} {line}` ended with {:?}, expected {expect:?}",
            output.code
        );
        for text in texts {
            ensure!(
                answer.contains(text),
                "`{program} {line}` should have said `{text}`"
            );
        }
        Ok(output)
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colour {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }

    /// The folder with the manifests.
    #[must_use]
    pub fn manifests(&self) -> &Path {
        &self.manifests
    }
}

/// Splits a command line as a shell would, as far as the story needs it: blanks, and double or single quotes around words.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quote = None;
    let mut open = false;
    for c in line.chars() {
        match quote {
            Some(q) if c == q => quote = None,
            Some(_) => word.push(c),
            None if c == '"' || c == '\'' => {
                quote = Some(c);
                open = true;
            }
            None if c == ' ' => {
                if open || !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                open = false;
            }
            None => word.push(c),
        }
    }
    if open || !word.is_empty() {
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests {
    #[test]
    fn splits_a_line_as_a_shell_does() {
        assert_eq!(
            super::words("a 'b c' -o \"d e\" ''"),
            ["a", "b c", "-o", "d e", ""]
        );
    }
}
