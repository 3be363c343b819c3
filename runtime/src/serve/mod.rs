//! The HTTP server: our own accept loop, because it swaps the whole TLS configuration per connection and has its own limits in time.
//!
//! HTTP/1.1 only, as the API server speaks to webhooks, and TCP_NODELAY always (Nagle's algorithm costs a factor of four to five).
//!
//! ```text
//! accept -> (handshake, limited) -> requests ... -> drain:
//!                                     1 lame duck: still accepting, each answer carries `Connection: close`
//!                                     2 stop accepting, close idle connections
//!                                     3 answers in flight finish, at most `drain_timeout`
//! ```
//! The lame duck exists because endpoints are taken out of a Service some time after the signal, and because a client that gets `Connection: close`
//! with an answer never loses a request, while one whose idle connection is closed under its hands may.
//!
//! Invariants: one connection's panic, garbage or slowness ends that connection only; the certificate is read at each accept, so a swap is
//! seen by the next connection and harms no open one; the body limit is the caller's.

mod connection;
mod metrics;

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use http::{Request, Response};
use hyper::body::{Body, Incoming};
use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
    time::{Instant, sleep_until, timeout},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tower::Service;

use connection::Limits;
pub use metrics::ServeMetrics;

/// The TLS configuration that the accept loop reads for each connection; empty until a certificate is there.
pub type TlsSource = Arc<ArcSwapOption<ServerConfig>>;

/// What connections speak.
#[derive(Clone, Debug)]
pub enum Transport {
    /// Plain HTTP, for the admin server and tests.
    Plain,
    /// TLS. While the source is empty a connection is closed without an answer.
    Tls(TlsSource),
}

/// Limits of the server. All are in time or count; none is off.
#[derive(Clone, Debug)]
pub struct ServeOptions {
    /// The whole TLS handshake.
    pub handshake_timeout: Duration,
    /// From the first byte of a request to the end of its headers.
    pub header_timeout: Duration,
    /// From the end of the headers to the answer, the body's arrival included.
    pub request_timeout: Duration,
    /// An idle kept-alive connection: longer than the 90 s after which Go's client closes it, so that the client closes first.
    pub idle_timeout: Duration,
    /// Bytes of start line and headers together; more is answered with 431.
    pub max_header_bytes: usize,
    /// Connections at once; more wait in the kernel's queue.
    pub max_connections: usize,
    /// How long a drain still accepts, see the module's page.
    pub lame_duck: Duration,
    /// How long a drain waits for answers in flight after the lame duck.
    pub drain_timeout: Duration,
    /// Where connections are counted.
    pub metrics: ServeMetrics,
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self {
            handshake_timeout: Duration::from_secs(5),
            header_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(60),
            idle_timeout: Duration::from_secs(150),
            max_header_bytes: 64 * 1024,
            max_connections: 4096,
            lame_duck: Duration::from_secs(3),
            drain_timeout: Duration::from_secs(20),
            metrics: ServeMetrics::default(),
        }
    }
}

/// How a drain ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drained {
    /// Connections that were cut with a request in flight because `drain_timeout` was over.
    pub cut: usize,
}

/// Serves `app` on `listener` until `drain` is cancelled and the drain is over. Errors of single connections are counted, never returned.
pub async fn serve<S, B>(
    listener: TcpListener,
    transport: Transport,
    app: S,
    options: ServeOptions,
    drain: CancellationToken,
) -> Drained
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send + 'static,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut connections = JoinSet::new();
    let permits = Arc::new(Semaphore::new(options.max_connections));
    let closing = Arc::new(AtomicBool::new(false));
    let finish = CancellationToken::new();
    let mut last_accept: Option<Instant> = None;
    loop {
        let stop_accepting = async {
            match last_accept {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = stop_accepting => break,
            () = drain.cancelled(), if last_accept.is_none() => {
                closing.store(true, Ordering::Relaxed);
                last_accept = Some(Instant::now() + options.lame_duck);
            }
            Some(ended) = connections.join_next(), if !connections.is_empty() => settle(&ended, &options.metrics),
            (stream, peer, permit) = next(&listener, &permits, &options.metrics) => {
                let connection = Connection {
                    transport: transport.clone(),
                    app: app.clone(),
                    options: options.clone(),
                    closing: closing.clone(),
                    finish: finish.clone(),
                };
                connections.spawn(async move {
                    connection.run(stream, peer).await;
                    drop(permit);
                });
            }
        }
    }
    drop(listener);
    finish.cancel();
    let finished = timeout(options.drain_timeout, async {
        while let Some(ended) = connections.join_next().await {
            settle(&ended, &options.metrics);
        }
    })
    .await;
    let cut = if finished.is_ok() {
        0
    } else {
        connections.len()
    };
    if cut > 0 {
        tracing::warn!(cut, "connections cut with a request in flight");
    }
    connections.shutdown().await;
    Drained { cut }
}

/// The next connection with its permit. An accept that fails (no file descriptors, mostly) waits a moment and is tried again.
async fn next(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
    metrics: &ServeMetrics,
) -> (TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit) {
    loop {
        let Ok(permit) = permits.clone().acquire_owned().await else {
            // never closed by us; waiting is the harmless answer
            std::future::pending::<()>().await;
            continue;
        };
        match listener.accept().await {
            Ok((stream, peer)) => return (stream, peer, permit),
            Err(error) => {
                metrics.count("accept_failed");
                tracing::warn!(error = &error as &dyn std::error::Error, "accept failed");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

fn settle(ended: &Result<(), tokio::task::JoinError>, metrics: &ServeMetrics) {
    if let Err(error) = ended
        && error.is_panic()
    {
        metrics.count("panicked");
        tracing::error!(
            error = error as &dyn std::error::Error,
            "a connection panicked; the others go on"
        );
    }
}

struct Connection<S> {
    transport: Transport,
    app: S,
    options: ServeOptions,
    closing: Arc<AtomicBool>,
    finish: CancellationToken,
}

impl<S, B> Connection<S>
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send + 'static,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    async fn run(self, stream: TcpStream, peer: SocketAddr) {
        let metrics = self.options.metrics.clone();
        let outcome = match self.handshake_and_serve(stream).await {
            Ok(()) => "served",
            Err(reason) => {
                tracing::debug!(%peer, reason, "connection closed early");
                reason
            }
        };
        metrics.count(outcome);
    }

    async fn handshake_and_serve(self, stream: TcpStream) -> Result<(), &'static str> {
        // a latency setting; a connection without it still works
        let _ = stream.set_nodelay(true);
        let config = match &self.transport {
            Transport::Plain => return self.requests(stream).await,
            Transport::Tls(source) => source.load_full().ok_or("no_certificate")?,
        };
        let handshake = timeout(
            self.options.handshake_timeout,
            TlsAcceptor::from(config).accept(stream),
        );
        let stream = tokio::select! {
            biased;
            shaken = handshake => shaken
                .map_err(|_| "handshake_timeout")?
                .map_err(|_| "handshake_failed")?,
            // a handshake under way when the listener closes carries no request yet
            () = self.finish.cancelled() => return Err("drained"),
        };
        self.requests(stream).await
    }

    async fn requests(
        self,
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    ) -> Result<(), &'static str> {
        connection::requests(
            stream,
            self.app,
            &Limits {
                header: self.options.header_timeout,
                request: self.options.request_timeout,
                idle: self.options.idle_timeout,
                header_bytes: self.options.max_header_bytes,
            },
            &self.closing,
            &self.finish,
        )
        .await
    }
}
