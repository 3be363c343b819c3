//! A proxy between one client and the API server that can end the client at a chosen request.
//!
//! It ends TLS with the API server's own certificate, reads each request whole, and forwards it over a connection of its own, so that a test can say:
//! when this very write comes, end the client right before the API server sees it, or right after it was carried out and before the answer arrives.
//! Everything else passes unchanged, watches included.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use bytes::Bytes;
use http_body_util::{BodyExt, Either, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::Plane;

/// A request as the client sent it.
#[derive(Clone, Debug)]
pub struct Seen {
    pub method: http::Method,
    pub path: String,
    /// Empty without one.
    pub query: String,
    /// Null when it is not JSON.
    pub body: serde_json::Value,
}

/// On which side of the API server's work the client ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The API server never sees the request.
    Before,
    /// The API server has carried it out; the client never learns.
    After,
}

type Matcher = Box<dyn Fn(&Seen) -> bool + Send>;
type End = Box<dyn FnOnce() + Send>;

struct Cut {
    side: Side,
    matches: Matcher,
    end: End,
    fired: oneshot::Sender<Seen>,
}

/// The proxy. Ends on drop.
#[derive(Debug)]
pub struct Interception {
    address: SocketAddr,
    state: Arc<State>,
    task: JoinHandle<()>,
}

/// What the client is answered in the API server's place.
struct Instead {
    path: String,
    body: String,
}

#[derive(Default)]
struct State(Mutex<Option<Cut>>, Mutex<Vec<Instead>>);

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").finish_non_exhaustive()
    }
}

impl Interception {
    /// Listens on loopback in front of the plane's API server.
    ///
    /// # Errors
    /// When the plane's certificates cannot be read.
    pub async fn start(plane: &Plane) -> anyhow::Result<Self> {
        let pki = plane.folder().join("pki");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let chain = CertificateDer::pem_file_iter(pki.join("apiserver.crt"))?
            .collect::<Result<Vec<_>, _>>()?;
        let key = PrivateKeyDer::from_pem_file(pki.join("apiserver.key"))?;
        let mut server = rustls::ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        server.alpn_protocols = vec![b"http/1.1".to_vec()];
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(pki.join("ca.crt"))?)?;
        let mut client = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        client.alpn_protocols = vec![b"http/1.1".to_vec()];
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let state = Arc::new(State::default());
        let (acceptor, connector) = (
            TlsAcceptor::from(Arc::new(server)),
            TlsConnector::from(Arc::new(client)),
        );
        let upstream = plane.server();
        let task = tokio::spawn({
            let state = state.clone();
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    let (acceptor, connector, state) =
                        (acceptor.clone(), connector.clone(), state.clone());
                    tokio::spawn(async move {
                        if let Err(error) =
                            connection(stream, &acceptor, &connector, upstream, state).await
                        {
                            tracing::trace!(%error, "intercepted connection ended");
                        }
                    });
                }
            }
        });
        Ok(Self {
            address,
            state,
            task,
        })
    }

    /// Where the client finds the API server from now on.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// At the next request that matches, `end` is called on this side of it, and its connection ends without an answer. Once; the receiver gets
    /// the request. A cut that did not fire yet is replaced.
    pub fn cut(
        &self,
        side: Side,
        matches: impl Fn(&Seen) -> bool + Send + 'static,
        end: impl FnOnce() + Send + 'static,
    ) -> oneshot::Receiver<Seen> {
        let (fired, receiver) = oneshot::channel();
        let cut = Cut {
            side,
            matches: Box::new(matches),
            end: Box::new(end),
            fired,
        };
        *self.state.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(cut);
        receiver
    }

    /// From now on every request for this path is answered with this JSON, and the API server never sees it.
    pub fn answer(&self, path: &str, body: &serde_json::Value) {
        let instead = Instead {
            path: path.to_owned(),
            body: body.to_string(),
        };
        let mut answers = self.state.1.lock().unwrap_or_else(PoisonError::into_inner);
        answers.push(instead);
    }
}

impl Drop for Interception {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl State {
    fn take(&self, seen: &Seen) -> Option<Cut> {
        let mut cut = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        cut.take_if(|cut| (cut.matches)(seen))
    }

    /// What was told to be answered on this path, the last word first.
    fn instead(&self, path: &str) -> Option<String> {
        let answers = self.1.lock().unwrap_or_else(PoisonError::into_inner);
        let found = answers.iter().rev().find(|instead| instead.path == path);
        found.map(|instead| instead.body.clone())
    }
}

async fn connection(
    stream: TcpStream,
    acceptor: &TlsAcceptor,
    connector: &TlsConnector,
    upstream: SocketAddr,
    state: Arc<State>,
) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    let stream = acceptor
        .accept(stream)
        .await
        .context("no TLS from the client")?;
    let there = TcpStream::connect(upstream).await?;
    there.set_nodelay(true)?;
    let there = connector
        .connect(ServerName::from(upstream.ip()), there)
        .await?;
    let (sender, driver) = hyper::client::conn::http1::handshake(TokioIo::new(there)).await?;
    let driver = tokio::spawn(driver);
    let sender = Arc::new(tokio::sync::Mutex::new(sender));
    let service = service_fn(|request| forward(request, sender.clone(), state.clone()));
    let outcome = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
    driver.abort();
    Ok(outcome?)
}

async fn forward(
    request: http::Request<Incoming>,
    sender: Arc<tokio::sync::Mutex<SendRequest<Full<Bytes>>>>,
    state: Arc<State>,
) -> anyhow::Result<http::Response<Either<Incoming, Full<Bytes>>>> {
    let (mut head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let seen = Seen {
        method: head.method.clone(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        body: serde_json::from_slice(&body).unwrap_or_default(),
    };
    if let Some(body) = state.instead(&seen.path) {
        let answer = http::Response::builder()
            .header(http::header::CONTENT_TYPE, "application/json")
            .body(Either::Right(Full::from(body)))?;
        return Ok(answer);
    }
    let cut = state.take(&seen);
    let cut = match cut {
        Some(cut) if cut.side == Side::Before => return Err(end(cut, seen)),
        cut => cut,
    };
    // the body is whole by now, hyper writes its length
    head.headers.remove(http::header::TRANSFER_ENCODING);
    let request = http::Request::from_parts(head, Full::new(body));
    let answer = sender.lock().await.send_request(request).await?;
    if let Some(cut) = cut {
        let code = answer.status();
        answer.into_body().collect().await?;
        tracing::debug!(%code, "carried out, and nobody learns");
        return Err(end(cut, seen));
    }
    Ok(answer.map(Either::Left))
}

fn end(cut: Cut, seen: Seen) -> anyhow::Error {
    (cut.end)();
    // nobody waits any more when the test has failed already
    let _ = cut.fired.send(seen);
    anyhow::anyhow!("cut off, as told")
}
