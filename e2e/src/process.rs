//! Child processes that never outlive this one.
//!
//! A child is started through `setpriv --pdeathsig KILL`, so the kernel ends it when the thread that started it ends.
//! That thread is one of our own that lives as long as the process: on a worker thread of a runtime the child would
//! die with the runtime. A shell in between checks that the parent is still us, which closes the gap between fork and
//! the moment the death signal is set. Each child is a process group of its own: Ctrl-C reaches it through us only.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, mpsc};
use std::time::Duration;

use anyhow::{Context, bail};

/// What to start, with which arguments, and where its output goes.
#[derive(Clone, Debug)]
pub struct Launch {
    name: String,
    program: PathBuf,
    arguments: Vec<OsString>,
    environment: BTreeMap<OsString, OsString>,
    input: Option<Arc<TcpListener>>,
    log: PathBuf,
}

impl Launch {
    /// A launch without arguments; `log` gets stdout and stderr, appended.
    pub fn new(name: &str, program: &Path, log: &Path) -> Self {
        Self {
            name: name.to_owned(),
            program: program.to_owned(),
            arguments: Vec::new(),
            environment: BTreeMap::new(),
            input: None,
            log: log.to_owned(),
        }
    }

    #[must_use]
    pub fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    #[must_use]
    pub fn args(mut self, arguments: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Sets one variable; the rest of our environment is handed on.
    #[must_use]
    pub fn env(mut self, key: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.environment.insert(key.into(), value.into());
        self
    }

    /// The program gets this socket as its standard input.
    #[must_use]
    pub fn listener(mut self, listener: Arc<TcpListener>) -> Self {
        self.input = Some(listener);
        self
    }

    /// The same, run by another program that puts itself in its place: `nsenter`, for one.
    #[must_use]
    pub fn under<A: Into<OsString>>(
        mut self,
        program: &str,
        arguments: impl IntoIterator<Item = A>,
    ) -> Self {
        let inner = std::mem::replace(&mut self.program, PathBuf::from(program));
        let arguments = arguments.into_iter().map(Into::into);
        self.arguments = arguments
            .chain([inner.into_os_string()])
            .chain(std::mem::take(&mut self.arguments))
            .collect();
        self
    }

    pub fn log(&self) -> &Path {
        &self.log
    }
}

/// A running child. Killed and reaped on drop.
#[derive(Debug)]
pub struct Process {
    name: String,
    pid: u32,
    log: PathBuf,
    child: Mutex<Child>,
}

impl Process {
    /// Starts the program; it has not proved anything yet when this returns.
    ///
    /// # Errors
    /// When the log cannot be opened or `setpriv` (util-linux) is missing. A missing program shows as an early end.
    pub fn start(launch: &Launch) -> anyhow::Result<Self> {
        let output = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&launch.log)
            .with_context(|| format!("cannot open the log {}", launch.log.display()))?;
        let input = match &launch.input {
            Some(listener) => Stdio::from(OwnedFd::from(
                listener.try_clone().context("cannot share the socket")?,
            )),
            None => Stdio::null(),
        };
        let mut command = Command::new("setpriv");
        command
            .args([
                "--pdeathsig",
                "KILL",
                "--",
                "/bin/sh",
                "-c",
                r#"[ "$PPID" = "$0" ] && exec "$@""#,
            ])
            .arg(std::process::id().to_string())
            .arg(&launch.program)
            .args(&launch.arguments)
            .envs(&launch.environment)
            .stdin(input)
            .stdout(output.try_clone().context("cannot share the log")?)
            .stderr(output)
            .process_group(0);
        let child = spawn(command).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => anyhow::anyhow!("setpriv is missing: install util-linux"),
            _ => anyhow::Error::new(error).context(format!("cannot start {}", launch.name)),
        })?;
        Ok(Self {
            name: launch.name.clone(),
            pid: child.id(),
            log: launch.log.clone(),
            child: Mutex::new(child),
        })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn pid(&self) -> u32 {
        self.pid
    }

    pub fn log(&self) -> &Path {
        &self.log
    }

    /// The exit status, once it has ended.
    pub fn status(&self) -> Option<ExitStatus> {
        self.child().try_wait().ok().flatten()
    }

    /// SIGKILL, and reaps it.
    pub fn kill(&self) {
        let mut child = self.child();
        // both fail only when it has ended already
        let _ = child.kill();
        let _ = child.wait();
    }

    /// SIGTERM; await [`Process::ended`] for the end.
    ///
    /// # Errors
    /// When the signal cannot be sent.
    pub fn terminate(&self) -> anyhow::Result<()> {
        self.signal("TERM")
    }

    /// SIGSTOP: it keeps its sockets and answers nothing.
    ///
    /// # Errors
    /// When the signal cannot be sent.
    pub fn pause(&self) -> anyhow::Result<()> {
        self.signal("STOP")
    }

    /// SIGCONT after [`Process::pause`].
    ///
    /// # Errors
    /// When the signal cannot be sent.
    pub fn resume(&self) -> anyhow::Result<()> {
        self.signal("CONT")
    }

    /// Waits until it has ended by itself.
    pub async fn ended(&self) -> ExitStatus {
        loop {
            if let Some(status) = self.status() {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// The last lines of its log, for error messages.
    pub fn log_tail(&self, lines: usize) -> String {
        let text = std::fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let all: Vec<&str> = text.lines().collect();
        all[all.len().saturating_sub(lines)..].join("\n")
    }

    // `kill` the program: sending a signal from here would need unsafe code
    fn signal(&self, signal: &str) -> anyhow::Result<()> {
        // the lock keeps the pid from being reaped and reused between the check and the signal
        let mut child = self.child();
        if child
            .try_wait()
            .context("cannot ask for the child's state")?
            .is_some()
        {
            bail!("{} has ended already", self.name);
        }
        let status = Command::new("kill")
            .args(["-s", signal, &self.pid.to_string()])
            .status()
            .context("cannot run kill")?;
        if !status.success() {
            bail!("kill -s {signal} {} ({}) failed", self.pid, self.name);
        }
        Ok(())
    }

    fn child(&self) -> MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

type Order = (Command, mpsc::Sender<io::Result<Child>>);

fn spawn(command: Command) -> io::Result<Child> {
    static STARTER: OnceLock<Mutex<mpsc::Sender<Order>>> = OnceLock::new();
    let starter = STARTER.get_or_init(|| {
        let (sender, orders) = mpsc::channel::<Order>();
        let body = move || {
            for (mut command, reply) in orders {
                // nobody waiting any more: the child is dropped, and ends with us at the latest
                let _ = reply.send(command.spawn());
            }
        };
        // without the thread every send below fails, which is reported there
        let _ = std::thread::Builder::new()
            .name("process-starter".to_owned())
            .spawn(body);
        Mutex::new(sender)
    });
    let (reply, answer) = mpsc::channel();
    let gone = || io::Error::other("the thread that starts processes is gone");
    starter
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .send((command, reply))
        .map_err(|_| gone())?;
    answer.recv().map_err(|_| gone())?
}
