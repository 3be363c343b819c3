//! Background load on a Service, so that error rates have something to count.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::JoinHandle;

use super::Network;

/// Running load; ends on drop.
#[derive(Debug)]
pub struct Traffic {
    task: JoinHandle<()>,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    answered: AtomicU64,
    errors: AtomicU64,
    refused: AtomicU64,
}

impl Traffic {
    pub(super) fn start(
        network: Arc<Network>,
        namespace: &str,
        service: &str,
        path: &str,
        per_second: f64,
    ) -> Self {
        let counts = Arc::new(Counts::default());
        let host = format!("{service}.{namespace}.svc");
        let path = path.to_owned();
        let counted = Arc::clone(&counts);
        let task = tokio::spawn(async move {
            // bounded so that a slip of the pen does not spin
            let pause = Duration::try_from_secs_f64(1.0 / per_second.clamp(0.01, 10_000.0))
                .unwrap_or(Duration::from_secs(1));
            let mut timer = tokio::time::interval(pause);
            loop {
                timer.tick().await;
                let (network, host, path, counts) = (
                    Arc::clone(&network),
                    host.clone(),
                    path.clone(),
                    Arc::clone(&counted),
                );
                // not awaited here: a slow pod must not slow the others' load down
                tokio::spawn(async move {
                    let counter = match network.reach(&host, 80, &path).await {
                        Ok(response) if response.status().is_server_error() => &counts.errors,
                        Ok(_) => &counts.answered,
                        Err(_) => &counts.refused,
                    };
                    counter.fetch_add(1, Ordering::Relaxed);
                });
            }
        });
        Self { task, counts }
    }

    /// Requests that got an answer below 500.
    pub fn answered(&self) -> u64 {
        self.counts.answered.load(Ordering::Relaxed)
    }

    /// Requests answered with 500 or above.
    pub fn errors(&self) -> u64 {
        self.counts.errors.load(Ordering::Relaxed)
    }

    /// Requests that reached nobody.
    pub fn refused(&self) -> u64 {
        self.counts.refused.load(Ordering::Relaxed)
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.task.abort();
    }
}
