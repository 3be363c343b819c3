//! The real kubectl, as one of the plane's users, with a home of its own.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, bail};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// What a program said and how it ended.
#[derive(Clone, Debug)]
pub struct Output {
    /// None when a signal ended it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Output {
    pub fn succeeded(&self) -> bool {
        self.code == Some(0)
    }

    /// stdout, when it succeeded.
    ///
    /// # Errors
    /// Both streams, when it did not.
    pub fn ok(self) -> anyhow::Result<String> {
        if !self.succeeded() {
            bail!(
                "it failed with code {:?}:\n{}{}",
                self.code,
                self.stdout,
                self.stderr
            );
        }
        Ok(self.stdout)
    }

    /// stderr, when it was refused.
    ///
    /// # Errors
    /// When it succeeded.
    pub fn refused(self) -> anyhow::Result<String> {
        if self.succeeded() {
            bail!("it should have been refused, but: {}", self.stdout);
        }
        Ok(self.stderr)
    }
}

/// A command whose environment holds nothing of ours but `PATH`; ends with the future that awaits it.
pub(crate) fn command(program: &Path, folder: &Path, kubeconfig: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .envs(environment(folder, kubeconfig))
        .kill_on_drop(true);
    command
}

pub(super) fn environment(folder: &Path, kubeconfig: &Path) -> Vec<(&'static str, PathBuf)> {
    let home = folder.join("home");
    vec![
        (
            "PATH",
            PathBuf::from(std::env::var_os("PATH").unwrap_or_default()),
        ),
        ("KUBECACHEDIR", home.join("cache")),
        ("HOME", home),
        ("KUBECONFIG", kubeconfig.to_owned()),
    ]
}

/// Runs the command to its end with `stdin` as its input.
///
/// # Errors
/// When it cannot be started or its output cannot be read; a failing program is an [`Output`].
pub async fn run(mut command: Command, stdin: Option<&str>) -> anyhow::Result<Output> {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.stdin(if stdin.is_some() {
        Stdio::piped()
    } else {
        Stdio::null()
    });
    let program = command.as_std().get_program().to_owned();
    let mut child = command
        .spawn()
        .with_context(|| format!("cannot start {}", Path::new(&program).display()))?;
    let input = child.stdin.take();
    let feed = async {
        if let (Some(mut input), Some(text)) = (input, stdin) {
            // a program that ends before it has read everything is judged by its exit code
            let _ = input.write_all(text.as_bytes()).await;
        }
    };
    let (output, ()) = tokio::join!(child.wait_with_output(), feed);
    let output = output.context("cannot read its output")?;
    Ok(Output {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// `kubectl` with `arguments`.
pub(super) async fn kubectl(
    program: &Path,
    folder: &Path,
    kubeconfig: &Path,
    arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
    stdin: Option<&str>,
) -> anyhow::Result<Output> {
    let mut command = command(program, folder, kubeconfig);
    command.args(arguments);
    run(command, stdin).await
}
