//! What the pods of the real cluster run: one static program, several ways to behave.
//!
//! - `serve`: HTTP on 8080, and while it runs its behaviour is switched over HTTP (`PUT /behaviour`, `POST /crash`). What it starts with stands in
//!   the variable `BEHAVIOUR`.
//! - `get`: asks a URL many times, each time over a new connection, one line per answer: a client inside a pod.
//! - `pause`: waits for the end; the container that holds a pod's namespaces.

mod behaviour;
mod get;
mod serve;

use std::time::Duration;

use clap::{Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

/// A small application for pods of tests.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    mode: Option<Mode>,
}

#[derive(Subcommand)]
enum Mode {
    /// Serve on 8080; the default
    Serve,
    /// Ask URL so many times
    Get {
        url: String,
        #[arg(default_value_t = 1)]
        times: u32,
        /// Wait so long after each answer
        #[arg(long, default_value_t = 0)]
        pause_millis: u64,
    },
    /// Wait for the end
    Pause,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    match Arguments::parse().mode.unwrap_or(Mode::Serve) {
        Mode::Serve => serve::run().await,
        Mode::Get {
            url,
            times,
            pause_millis,
        } => get::run(&url, times, Duration::from_millis(pause_millis)),
        Mode::Pause => {
            let mut terminate = signal(SignalKind::terminate())?;
            let mut interrupt = signal(SignalKind::interrupt())?;
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            Ok(())
        }
    }
}
