//! One connection after its handshake: requests until it ends, is idle too long, is too slow, or drains.
//!
//! hyper's own header timeout also runs while a kept-alive connection is idle, which would close the API server's connections under
//! its hands; so the phase of the connection is followed here, on the bytes read and the requests handed to the service.

use std::{
    convert::Infallible,
    io,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header::CONNECTION};
use hyper::{
    body::{Body, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Instant,
};
use tokio_util::sync::CancellationToken;
use tower::{Service, ServiceExt as _};

pub(super) struct Limits {
    pub(super) header: Duration,
    pub(super) request: Duration,
    pub(super) idle: Duration,
    pub(super) header_bytes: usize,
}

const IDLE: u64 = 0;
const HEADERS: u64 = 1;
const REQUEST: u64 = 2;
/// Nothing was ever sent: Go opens spare connections, so this is cut later than slow headers but sooner than a used idle one.
const FRESH: u64 = 3;

/// Which phase a connection is in and since when, in one word: milliseconds since its start, times four, plus the phase.
struct Phase {
    start: Instant,
    word: AtomicU64,
}

impl Phase {
    fn enter(&self, phase: u64) {
        let since = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX >> 2);
        self.word.store((since << 2) | phase, Ordering::Relaxed);
    }

    /// Bytes came: an idle connection begins a request.
    fn bytes(&self) {
        if matches!(self.word.load(Ordering::Relaxed) & 3, IDLE | FRESH) {
            self.enter(HEADERS);
        }
    }

    fn get(&self) -> (u64, Instant) {
        let word = self.word.load(Ordering::Relaxed);
        (word & 3, self.start + Duration::from_millis(word >> 2))
    }
}

/// Serves requests until the connection ends. The error is the outcome's name in the metrics.
pub(super) async fn requests<S, B>(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    app: S,
    limits: &Limits,
    closing: &Arc<AtomicBool>,
    finish: &CancellationToken,
) -> Result<(), &'static str>
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send + 'static,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let phase = Arc::new(Phase {
        start: Instant::now(),
        word: AtomicU64::new(FRESH),
    });
    let service = service_fn({
        let (phase, closing) = (phase.clone(), closing.clone());
        move |request: Request<Incoming>| {
            phase.enter(REQUEST);
            let answer = app.clone().oneshot(request);
            let (phase, closing) = (phase.clone(), closing.clone());
            async move {
                let mut answer = answer.await?;
                phase.enter(IDLE);
                if closing.load(Ordering::Relaxed) {
                    answer
                        .headers_mut()
                        .insert(CONNECTION, HeaderValue::from_static("close"));
                }
                Ok::<_, Infallible>(answer)
            }
        }
    });
    let io = TokioIo::new(Followed {
        stream,
        phase: phase.clone(),
    });
    let mut connection = pin!(
        http1::Builder::new()
            .header_read_timeout(None)
            .max_header_size(limits.header_bytes)
            .serve_connection(io, service)
    );
    let mut draining = false;
    // slow connections are looked for four times per header limit: a limit is overrun by at most a quarter
    let step = limits.header / 4;
    loop {
        tokio::select! {
            biased;
            ended = connection.as_mut() => return ended.map_err(|_| "broken"),
            () = finish.cancelled(), if !draining => {
                draining = true;
                connection.as_mut().graceful_shutdown();
            }
            () = tokio::time::sleep(step) => {
                let (phase, since) = phase.get();
                let spent = since.elapsed();
                match phase {
                    HEADERS if spent >= limits.header => return Err("header_timeout"),
                    REQUEST if spent >= limits.request => return Err("request_timeout"),
                    FRESH if spent >= limits.header * 3 => return Err("unused"),
                    IDLE if spent >= limits.idle && !draining => {
                        draining = true;
                        connection.as_mut().graceful_shutdown();
                    }
                    // told to close and still there: the client does not read what we wrote
                    IDLE if spent >= limits.idle * 2 => return Err("broken"),
                    _ => {}
                }
            }
        }
    }
}

/// The stream, telling the phase when bytes come.
struct Followed<T> {
    stream: T,
    phase: Arc<Phase>,
}

impl<T: AsyncRead + Unpin> AsyncRead for Followed<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.phase.bytes();
        }
        read
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Followed<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
