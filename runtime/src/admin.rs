//! The admin server: `/metrics`, `/readyz`, `/livez`. Plain HTTP, meant for the node and the monitoring, not for the internet.
//!
//! Ready means: every named condition is met and the process is not draining. A condition exists from the moment its handle is made, so
//! a program makes all of them before it serves. Live means that this server's task runs; a task that dies ends the process anyway.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    fmt::Write as _,
    io,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{Router, extract::State, http::StatusCode, response::IntoResponse, routing::get};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{
    args::AdminArgs,
    metrics::{CONTENT_TYPE, Metrics},
    serve::{self, ServeOptions, Transport},
};

/// The named conditions of readiness; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Readiness {
    conditions: Arc<Mutex<BTreeMap<String, Option<String>>>>,
}

/// One condition of readiness. Not met until [`ReadyCondition::set`].
#[derive(Clone, Debug)]
pub struct ReadyCondition {
    name: String,
    readiness: Readiness,
}

impl Readiness {
    /// No conditions: ready.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a condition that is not met yet. The same name twice is the same condition.
    #[must_use]
    pub fn condition(&self, name: impl Into<String>) -> ReadyCondition {
        let name = name.into();
        self.write(|conditions| {
            conditions
                .entry(name.clone())
                .or_insert_with(|| Some("not yet".to_owned()));
        });
        ReadyCondition {
            name,
            readiness: self.clone(),
        }
    }

    /// Whether every condition is met.
    #[must_use]
    pub fn ready(&self) -> bool {
        self.write(|conditions| conditions.values().all(Option::is_none))
    }

    /// The conditions that are not met, with the reason, sorted by name.
    #[must_use]
    pub fn missing(&self) -> Vec<(String, String)> {
        self.write(|conditions| {
            conditions
                .iter()
                .filter_map(|(name, reason)| Some((name.clone(), reason.clone()?)))
                .collect()
        })
    }

    fn write<T>(&self, work: impl FnOnce(&mut BTreeMap<String, Option<String>>) -> T) -> T {
        // nothing in here panics half-way, so the map is whole
        work(
            &mut self
                .conditions
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }
}

impl ReadyCondition {
    /// Met.
    pub fn set(&self) {
        self.readiness
            .write(|conditions| conditions.insert(self.name.clone(), None));
    }

    /// Not met, with what is missing.
    pub fn unset(&self, reason: impl Into<String>) {
        self.readiness
            .write(|conditions| conditions.insert(self.name.clone(), Some(reason.into())));
    }
}

/// The admin server, bound and not yet serving.
#[derive(Debug)]
pub struct Admin {
    listener: TcpListener,
    router: Router,
}

#[derive(Clone)]
struct Shown {
    metrics: Metrics,
    readiness: Readiness,
    drain: CancellationToken,
}

impl Admin {
    /// Binds the address. `drain` makes `/readyz` say no as soon as it is cancelled.
    ///
    /// # Errors
    /// The address cannot be bound.
    pub async fn bind(
        args: &AdminArgs,
        metrics: &Metrics,
        readiness: &Readiness,
        drain: &CancellationToken,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(args.admin_addr).await?;
        tracing::info!(address = %listener.local_addr()?, "admin server listens");
        let shown = Shown {
            metrics: metrics.clone(),
            readiness: readiness.clone(),
            drain: drain.clone(),
        };
        Ok(Self {
            listener,
            router: Router::new()
                .route("/metrics", get(render))
                .route("/readyz", get(readyz))
                .route("/livez", get(|| async { "ok\n" }))
                .with_state(shown),
        })
    }

    /// The same with further pages of a program's own.
    #[must_use]
    pub fn with(self, routes: Router) -> Self {
        Self {
            router: self.router.merge(routes),
            ..self
        }
    }

    /// The bound address, for port 0.
    ///
    /// # Errors
    /// The socket does not say.
    pub fn address(&self) -> io::Result<std::net::SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stop` is cancelled: the same token as in [`Admin::bind`], or a later one so that a drain can be watched.
    ///
    /// # Errors
    /// None; the type is what [`crate::drain::Tasks::spawn`] takes.
    pub async fn run(self, stop: CancellationToken) -> Result<(), Infallible> {
        let options = ServeOptions {
            lame_duck: std::time::Duration::ZERO,
            drain_timeout: std::time::Duration::from_secs(2),
            max_connections: 64,
            ..ServeOptions::default()
        };
        serve::serve(self.listener, Transport::Plain, self.router, options, stop).await;
        Ok(())
    }
}

async fn render(State(shown): State<Shown>) -> impl IntoResponse {
    (
        [(http::header::CONTENT_TYPE, CONTENT_TYPE)],
        shown.metrics.render(),
    )
}

async fn readyz(State(shown): State<Shown>) -> impl IntoResponse {
    let mut text = String::new();
    if shown.drain.is_cancelled() {
        text.push_str("draining\n");
    }
    for (name, reason) in shown.readiness.missing() {
        // writing to a String cannot fail
        let _ = writeln!(text, "{name}: {reason}");
    }
    if text.is_empty() {
        (StatusCode::OK, "ok\n".to_owned())
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, text)
    }
}
