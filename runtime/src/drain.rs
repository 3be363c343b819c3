//! What ends the process: the first signal drains, the second exits at once, and any task that ends otherwise takes the process down
//! with its name.
//!
//! A task nobody joins can die unseen while the pod stays ready; so [`Tasks`] owns them all.
//!
//! A drain has two steps: first every task ends but the last ones, then these. What others stand on while they end their work (leadership) is a last
//! task; given up together with them it would be in other hands while a write is still under way.

use std::{
    any::Any,
    collections::{HashMap, HashSet},
    error::Error,
    io,
    time::Duration,
};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    task::{Id, JoinError, JoinSet},
};
use tokio_util::sync::CancellationToken;

/// The code of an exit by a second signal: what a shell reports for a process ended by SIGINT.
pub const SECOND_SIGNAL_CODE: i32 = 130;

/// SIGTERM and SIGINT, caught from the moment this exists.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Starts catching.
    ///
    /// # Errors
    /// The system does not let signals be caught.
    pub fn install() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// The next signal, by name.
    pub async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

type TaskFailure = Box<dyn Error + Send + Sync>;

/// Why the process ends other than by a completed drain.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// A task failed.
    #[error("task {name} failed")]
    Failed {
        /// The task.
        name: &'static str,
        /// Its error.
        #[source]
        source: TaskFailure,
    },
    /// A task panicked.
    #[error("task {name} panicked: {message}")]
    Panicked {
        /// The task.
        name: &'static str,
        /// What the panic said.
        message: String,
    },
    /// A task that should run until the drain ended without one.
    #[error("task {name} ended although nothing told it to")]
    Ended {
        /// The task.
        name: &'static str,
    },
    /// The drain took too long; what was left was cut.
    #[error("drain took longer than {grace:?}; still running: {}", names.join(", "))]
    Unfinished {
        /// The time given.
        grace: Duration,
        /// Who was cut, sorted.
        names: Vec<&'static str>,
    },
}

/// The tasks of a process: all joined, all ended by one drain.
#[derive(Debug)]
pub struct Tasks {
    set: JoinSet<Result<(), TaskFailure>>,
    names: HashMap<Id, &'static str>,
    drain: CancellationToken,
    /// The last tasks, and what ends them.
    last: (HashSet<Id>, CancellationToken),
}

impl Tasks {
    /// No tasks yet. Every task is to end by itself once `drain` is cancelled.
    #[must_use]
    pub fn new(drain: CancellationToken) -> Self {
        Self {
            set: JoinSet::new(),
            names: HashMap::new(),
            drain,
            last: (HashSet::new(), CancellationToken::new()),
        }
    }

    /// The token whose cancellation is the drain.
    #[must_use]
    pub fn drain(&self) -> CancellationToken {
        self.drain.clone()
    }

    /// Starts a task that runs until the drain.
    pub fn spawn<E>(
        &mut self,
        name: &'static str,
        task: impl Future<Output = Result<(), E>> + Send + 'static,
    ) where
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        self.start(name, task);
    }

    /// Starts a task that runs until every other one has ended: `task` is given the token that says so.
    pub fn spawn_last<E, F>(
        &mut self,
        name: &'static str,
        task: impl FnOnce(CancellationToken) -> F,
    ) where
        E: Into<Box<dyn Error + Send + Sync>>,
        F: Future<Output = Result<(), E>> + Send + 'static,
    {
        let id = self.start(name, task(self.last.1.clone()));
        self.last.0.insert(id);
    }

    fn start<E>(
        &mut self,
        name: &'static str,
        task: impl Future<Output = Result<(), E>> + Send + 'static,
    ) -> Id
    where
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        let handle = self
            .set
            .spawn(async move { task.await.map_err(Into::into) });
        self.names.insert(handle.id(), name);
        handle.id()
    }

    /// Whether only the last tasks are left.
    fn only_last(&self) -> bool {
        self.names.keys().all(|id| self.last.0.contains(id))
    }

    /// Runs until the drain is over: started by a signal, by the token, or by the first task that ends before it.
    /// Waits at most `grace` for the rest, then cuts it. A second signal exits the process at once.
    ///
    /// # Errors
    /// The first thing that went wrong, with the name of the task.
    pub async fn run(mut self, mut signals: Signals, grace: Duration) -> Result<(), TaskError> {
        let mut first: Option<TaskError> = None;
        let drain = self.drain.clone();
        while !drain.is_cancelled() {
            tokio::select! {
                name = signals.next() => {
                    tracing::info!(signal = name, "draining; a second signal exits at once");
                    drain.cancel();
                }
                () = drain.cancelled() => {}
                ended = self.set.join_next_with_id() => match ended {
                    Some(ended) => {
                        let error = self.judge(ended, false);
                        if let Some(error) = &error {
                            tracing::error!(error = error as &dyn Error, "a task ended, so the process drains");
                        }
                        first = error;
                        drain.cancel();
                    }
                    // nothing to run: wait for the signal
                    None => drain.cancelled().await,
                },
            }
        }
        let deadline = tokio::time::Instant::now() + grace;
        loop {
            if self.only_last() {
                self.last.1.cancel();
            }
            tokio::select! {
                name = signals.next() => exit_at_once(name),
                () = tokio::time::sleep_until(deadline) => {
                    let mut names: Vec<_> = self.names.values().copied().collect();
                    names.sort_unstable();
                    self.set.shutdown().await;
                    return Err(first.unwrap_or(TaskError::Unfinished { grace, names }));
                }
                ended = self.set.join_next_with_id() => match ended {
                    Some(ended) => {
                        if let Some(error) = self.judge(ended, true) {
                            tracing::error!(error = &error as &dyn Error, "a task ended badly while draining");
                            first.get_or_insert(error);
                        }
                    }
                    None => return first.map_or(Ok(()), Err),
                },
            }
        }
    }

    fn judge(
        &mut self,
        ended: Result<(Id, Result<(), TaskFailure>), JoinError>,
        draining: bool,
    ) -> Option<TaskError> {
        let id = match &ended {
            Ok((id, _)) => *id,
            Err(error) => error.id(),
        };
        let name = self.names.remove(&id).unwrap_or("unnamed");
        match ended {
            Ok((_, Ok(()))) if draining => None,
            Ok((_, Ok(()))) => Some(TaskError::Ended { name }),
            Ok((_, Err(source))) => Some(TaskError::Failed { name, source }),
            Err(error) => Some(TaskError::Panicked {
                name,
                message: match error.try_into_panic() {
                    Ok(panic) => panic_text(panic.as_ref()),
                    Err(error) => error.to_string(),
                },
            }),
        }
    }
}

/// What a panic said, for a log or an answer.
#[must_use]
pub fn panic_text(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<&'static str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "without a text".to_owned())
}

#[expect(
    clippy::exit,
    reason = "whoever sends a second signal wants no further waiting"
)]
fn exit_at_once(signal: &'static str) -> ! {
    tracing::warn!(signal, "second signal: exiting at once");
    std::process::exit(SECOND_SIGNAL_CODE)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    async fn until(drain: CancellationToken) -> Result<(), Infallible> {
        drain.cancelled().await;
        Ok(())
    }

    fn tasks() -> Tasks {
        Tasks::new(CancellationToken::new())
    }

    #[tokio::test]
    async fn a_drain_that_every_task_follows_is_a_success() {
        let mut tasks = tasks();
        let drain = tasks.drain();
        tasks.spawn("one", until(drain.clone()));
        tasks.spawn("two", until(drain.clone()));
        drain.cancel();
        tasks
            .run(Signals::install().unwrap(), Duration::from_secs(5))
            .await
            .unwrap();
    }

    #[tokio::test]
    async fn a_failing_task_ends_the_process_and_is_named() {
        let mut tasks = tasks();
        let drain = tasks.drain();
        tasks.spawn("steady", until(drain.clone()));
        tasks.spawn("prober", async { Err(io::Error::other("socket gone")) });
        let error = tasks
            .run(Signals::install().unwrap(), Duration::from_secs(5))
            .await
            .unwrap_err();
        assert_eq!(error.to_string(), "task prober failed");
        assert!(drain.is_cancelled());
    }

    #[tokio::test]
    async fn a_panic_ends_the_process_and_is_named() {
        let mut tasks = tasks();
        let drain = tasks.drain();
        tasks.spawn("steady", until(drain));
        tasks.spawn("gates", async {
            if true {
                panic!("index 7 of 3");
            }
            Ok::<(), Infallible>(())
        });
        let error = tasks
            .run(Signals::install().unwrap(), Duration::from_secs(5))
            .await
            .unwrap_err();
        assert_eq!(error.to_string(), "task gates panicked: index 7 of 3");
    }

    #[tokio::test]
    async fn a_task_that_just_stops_ends_the_process() {
        let mut tasks = tasks();
        tasks.spawn("watch", async { Ok::<(), Infallible>(()) });
        let error = tasks
            .run(Signals::install().unwrap(), Duration::from_secs(5))
            .await
            .unwrap_err();
        assert!(matches!(error, TaskError::Ended { name: "watch" }));
    }

    #[tokio::test]
    async fn the_last_tasks_outlive_every_other_one() {
        let (at_work, work) = tokio::sync::oneshot::channel::<()>();
        let (said, mut news) = tokio::sync::mpsc::unbounded_channel();
        let mut tasks = tasks();
        let drain = tasks.drain();
        let order = said.clone();
        tasks.spawn_last("elector", |last| async move {
            last.cancelled().await;
            order.send("released").unwrap();
            Ok::<(), Infallible>(())
        });
        let (order, draining) = (said, drain.clone());
        tasks.spawn("worker", async move {
            draining.cancelled().await;
            // a write is under way
            let _ = work.await;
            order.send("written").unwrap();
            Ok::<(), Infallible>(())
        });
        let running = tokio::spawn(tasks.run(Signals::install().unwrap(), Duration::from_secs(5)));
        drain.cancel();
        // whoever would give up now has every chance to
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert!(news.try_recv().is_err(), "given up during a write");
        at_work.send(()).unwrap();
        running.await.unwrap().unwrap();
        assert_eq!(
            (news.recv().await, news.recv().await),
            (Some("written"), Some("released"))
        );
    }

    #[tokio::test]
    async fn a_last_task_that_ends_early_ends_the_process() {
        let mut tasks = tasks();
        let drain = tasks.drain();
        tasks.spawn("steady", until(drain));
        tasks.spawn_last("elector", |_| async { Ok::<(), Infallible>(()) });
        let error = tasks
            .run(Signals::install().unwrap(), Duration::from_secs(5))
            .await
            .unwrap_err();
        assert!(matches!(error, TaskError::Ended { name: "elector" }));
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_ignores_the_drain_is_cut_and_named() {
        let mut tasks = tasks();
        let drain = tasks.drain();
        tasks.spawn("deaf", std::future::pending::<Result<(), Infallible>>());
        drain.cancel();
        let error = tasks
            .run(Signals::install().unwrap(), Duration::from_secs(5))
            .await
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "drain took longer than 5s; still running: deaf"
        );
    }
}
