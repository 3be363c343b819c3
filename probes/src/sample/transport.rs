//! One HTTP exchange over a connection of its own, with every failure on the account of whoever caused it.
//!
//! A new connection per sample, so it never sticks to one pod of a Service; no redirects, no pool, no environment. What happens before the target could have
//! answered (names, the proxy, local sockets) is the prober's own trouble; a target that refuses, resets, breaks off or stays silent fails.
//!
//! Through a proxy the two are told apart by how far it got: no connection to the proxy is ours; a proxy that closes without an answer speaks for a
//! target that did. An answer of the proxy itself cannot be told from one of the target, except 407.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    pin::pin,
    sync::atomic::{AtomicU8, Ordering},
};

use futures::future::{Either, select};
use http::{HeaderValue, Method, Request, StatusCode, Uri, header, uri::PathAndQuery};
use http_body_util::{BodyExt, Empty};
use hyper::{body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use super::tls::Tls;
use crate::{
    allow_list::{Admitted, TargetAllowList, address_of},
    engine::EngineError,
    outcome::{Blindness, chain, plain},
};

/// How much of a body is read.
pub(super) const BODY: usize = 64 * 1024;

const USER_AGENT: &str = concat!("sluice-probe/", env!("CARGO_PKG_VERSION"));

/// Whom to ask, and for what.
pub(super) struct Destination {
    pub(super) https: bool,
    /// A name, or an address without brackets.
    pub(super) host: String,
    pub(super) port: u16,
    /// As in a URL and a `Host` header: the port only when it is not the scheme's own.
    pub(super) authority: String,
    pub(super) path: PathAndQuery,
    /// What allowed the host; bounds what its name may resolve to.
    pub(super) admitted: Admitted,
}

/// An answer.
pub(super) struct Reply {
    pub(super) status: StatusCode,
    /// Its first [`BODY`] bytes.
    pub(super) body: Vec<u8>,
}

/// Why there is no answer.
pub(super) enum Failure {
    /// The target's fault.
    Target(String),
    /// Ours.
    Prober(Blindness, String),
}

/// How far an exchange got; read when it runs out of time.
#[derive(Default)]
pub(super) struct Progress(AtomicU8);

const RESOLVING: u8 = 0;
const REACHING_PROXY: u8 = 1;
const CONNECTING: u8 = 2;
const WAITING: u8 = 3;

impl Progress {
    fn reach(&self, stage: u8) {
        self.0.store(stage, Ordering::Relaxed);
    }

    /// The failure of an exchange that ran out of time at this point.
    pub(super) fn out_of_time(&self) -> Failure {
        match self.0.load(Ordering::Relaxed) {
            RESOLVING => Failure::Prober(
                Blindness::Resolve,
                "the name was not resolved in time".into(),
            ),
            REACHING_PROXY => Failure::Prober(
                Blindness::Proxy,
                "no connection to the proxy in time".into(),
            ),
            CONNECTING => Failure::Target("no connection in time".into()),
            _ => Failure::Target("no complete answer in time".into()),
        }
    }
}

/// Makes exchanges.
pub(super) struct Transport {
    proxy: Option<(String, u16)>,
    allow: TargetAllowList,
    tls: Tls,
}

impl Transport {
    /// # Errors
    /// A proxy setting that is no plain HTTP proxy.
    pub(super) fn new(proxy: Option<&str>, allow: TargetAllowList) -> Result<Self, EngineError> {
        Ok(Self {
            proxy: proxy.map(proxy_address).transpose()?,
            allow,
            tls: Tls::default(),
        })
    }

    /// Asks once. The caller bounds the time.
    pub(super) async fn ask(
        &self,
        destination: &Destination,
        progress: &Progress,
    ) -> Result<Reply, Failure> {
        match &self.proxy {
            None => {
                let stream = self.connect(destination, progress).await?;
                if destination.https {
                    let stream = self.secure(stream, destination).await?;
                    exchange(stream, destination, false, progress).await
                } else {
                    exchange(stream, destination, false, progress).await
                }
            }
            Some((host, port)) => {
                let stream = connect_to_proxy(host, *port, progress).await?;
                if destination.https {
                    progress.reach(CONNECTING);
                    let stream = tunnel(stream, destination).await?;
                    let stream = self.secure(stream, destination).await?;
                    exchange(stream, destination, false, progress).await
                } else {
                    let reply = exchange(stream, destination, true, progress).await?;
                    if reply.status == StatusCode::PROXY_AUTHENTICATION_REQUIRED {
                        return Err(Failure::Prober(
                            Blindness::Proxy,
                            "the proxy asks for credentials".into(),
                        ));
                    }
                    Ok(reply)
                }
            }
        }
    }

    async fn connect(
        &self,
        destination: &Destination,
        progress: &Progress,
    ) -> Result<TcpStream, Failure> {
        let host = destination.host.as_str();
        let addresses = resolve(host, destination.port)
            .await
            .map_err(|error| Failure::Prober(Blindness::Resolve, cannot_resolve(host, &error)))?;
        let total = addresses.len();
        let allowed: Vec<SocketAddr> = addresses
            .into_iter()
            .filter(|address| {
                address_of(host).is_some()
                    || self
                        .allow
                        .allows_resolved(destination.admitted, address.ip())
            })
            .collect();
        if allowed.is_empty() && total > 0 {
            return Err(Failure::Prober(
                Blindness::NotAllowed,
                format!("{host} points at an address that is not an allowed probe target"),
            ));
        }
        progress.reach(CONNECTING);
        let mut failure = Failure::Prober(Blindness::Resolve, format!("{host} has no address"));
        for address in allowed {
            match TcpStream::connect(address).await {
                Ok(stream) => return Ok(no_delay(stream)),
                // one address that answered "no" outweighs another that cannot be reached from here
                Err(error) if is_local(&error) => {
                    if matches!(failure, Failure::Prober(..)) {
                        let saw = format!("cannot connect from here: {error}");
                        failure = Failure::Prober(Blindness::Local, saw);
                    }
                }
                Err(error) => failure = Failure::Target(refused(&error)),
            }
        }
        Err(failure)
    }

    async fn secure<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
        destination: &Destination,
    ) -> Result<tokio_rustls::client::TlsStream<S>, Failure> {
        let config = self
            .tls
            .config()
            .map_err(|error| Failure::Prober(Blindness::Local, error))?;
        let name = match destination.host.parse::<IpAddr>() {
            Ok(address) => ServerName::IpAddress(address.into()),
            Err(_) => ServerName::try_from(destination.host.clone()).map_err(|_| {
                Failure::Prober(
                    Blindness::Misconfigured,
                    format!("{} cannot stand in a certificate", destination.host),
                )
            })?,
        };
        TlsConnector::from(config)
            .connect(name, stream)
            .await
            .map_err(|error| Failure::Target(format!("TLS handshake failed: {}", chain(&error))))
    }
}

fn proxy_address(text: &str) -> Result<(String, u16), EngineError> {
    let url = reqwest::Url::parse(text).ok();
    let plain_proxy = url.as_ref().filter(|url| {
        url.scheme() == "http"
            && url.username().is_empty()
            && url.password().is_none()
            && matches!(url.path(), "" | "/")
            && url.query().is_none()
            && url.fragment().is_none()
    });
    plain_proxy
        .and_then(|url| {
            let host = url.host_str()?.trim_matches(['[', ']']).to_owned();
            Some((host, url.port_or_known_default()?))
        })
        .ok_or_else(|| EngineError::Proxy {
            found: match url {
                Some(mut url) => {
                    // neither fails for a URL with a host, and without one there are no credentials
                    let _ = url.set_username("");
                    let _ = url.set_password(None);
                    plain(url.as_str())
                }
                None => "what is set".to_owned(),
            },
        })
}

async fn resolve(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    if let Some(address) = address_of(host) {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    Ok(tokio::net::lookup_host((host, port)).await?.collect())
}

fn cannot_resolve(host: &str, error: &io::Error) -> String {
    plain(&format!("cannot resolve {host}: {error}"))
}

async fn connect_to_proxy(
    host: &str,
    port: u16,
    progress: &Progress,
) -> Result<TcpStream, Failure> {
    let addresses = resolve(host, port)
        .await
        .map_err(|error| Failure::Prober(Blindness::Proxy, cannot_resolve(host, &error)))?;
    progress.reach(REACHING_PROXY);
    let mut failure = format!("the proxy's name {host} has no address");
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(no_delay(stream)),
            Err(error) => failure = format!("cannot connect to the proxy: {error}"),
        }
    }
    Err(Failure::Prober(Blindness::Proxy, failure))
}

fn no_delay(stream: TcpStream) -> TcpStream {
    // only saves time; a socket that refuses it works all the same
    let _ = stream.set_nodelay(true);
    stream
}

/// Whether connecting failed on this side: no descriptor, port, memory or route, or a local rule against it.
fn is_local(error: &io::Error) -> bool {
    // EPERM, ENOMEM, EACCES, ENFILE, EMFILE, EADDRNOTAVAIL, ENETDOWN, ENETUNREACH, ENOBUFS on Linux.
    // EHOSTUNREACH (113) is not among them: a pod's node that is gone looks like that.
    matches!(
        error.raw_os_error(),
        Some(1 | 12 | 13 | 23 | 24 | 99 | 100 | 101 | 105)
    )
}

fn refused(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        io::ErrorKind::ConnectionReset => "connection reset".to_owned(),
        io::ErrorKind::TimedOut => "connection timed out".to_owned(),
        _ => plain(&format!("no connection: {error}")),
    }
}

/// Asks a proxy for a way through to the target.
async fn tunnel(
    stream: TcpStream,
    destination: &Destination,
) -> Result<TokioIo<hyper::upgrade::Upgraded>, Failure> {
    let to = if destination.host.contains(':') {
        format!("[{}]:{}", destination.host, destination.port)
    } else {
        format!("{}:{}", destination.host, destination.port)
    };
    let request = Request::builder()
        .method(Method::CONNECT)
        .uri(to.as_str())
        .header(header::HOST, to.as_str())
        .header(header::USER_AGENT, USER_AGENT)
        .body(Empty::<Bytes>::new())
        .map_err(cannot_ask)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| Failure::Target(broke_off(&error)))?;
    let exchange = pin!(async {
        let response = sender.send_request(request).await;
        response.map_err(|error| Failure::Target(broke_off(&error)))
    });
    let connection = pin!(connection.with_upgrades());
    let response = match select(exchange, connection).await {
        Either::Left((response, connection)) => {
            let response = response?;
            if response.status().is_success() {
                let upgraded = pin!(hyper::upgrade::on(response));
                let upgraded = match select(upgraded, connection).await {
                    Either::Left((upgraded, _)) => upgraded,
                    Either::Right((_, upgraded)) => upgraded.await,
                };
                return upgraded
                    .map(TokioIo::new)
                    .map_err(|error| Failure::Target(broke_off(&error)));
            }
            response
        }
        Either::Right((_, exchange)) => {
            let response = exchange.await?;
            if response.status().is_success() {
                return hyper::upgrade::on(response)
                    .await
                    .map(TokioIo::new)
                    .map_err(|error| Failure::Target(broke_off(&error)));
            }
            response
        }
    };
    let status = response.status();
    let saw = format!("the proxy answered {} to CONNECT", status.as_u16());
    Err(match status {
        // the proxy speaks for a target that it could not reach
        StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => {
            Failure::Target(saw)
        }
        _ => Failure::Prober(Blindness::Proxy, saw),
    })
}

async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    destination: &Destination,
    through_proxy: bool,
    progress: &Progress,
) -> Result<Reply, Failure> {
    progress.reach(WAITING);
    let request = request(destination, through_proxy)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| Failure::Target(broke_off(&error)))?;
    let exchange = pin!(async {
        let response = sender
            .send_request(request)
            .await
            .map_err(|error| Failure::Target(broke_off(&error)))?;
        let status = response.status();
        let mut incoming = response.into_body();
        let mut body = Vec::new();
        while body.len() < BODY {
            match incoming.frame().await {
                None => break,
                Some(Ok(frame)) => {
                    if let Some(data) = frame.data_ref() {
                        body.extend_from_slice(&data[..data.len().min(BODY - body.len())]);
                    }
                }
                Some(Err(error)) => {
                    return Err(Failure::Target(format!(
                        "status {}, then the answer broke off after {} bytes: {}",
                        status.as_u16(),
                        body.len(),
                        chain(&error)
                    )));
                }
            }
        }
        Ok(Reply { status, body })
    });
    match select(exchange, pin!(connection)).await {
        Either::Left((reply, _)) => reply,
        // what the connection had to say reaches the exchange
        Either::Right((_, exchange)) => exchange.await,
    }
}

fn request(
    destination: &Destination,
    through_proxy: bool,
) -> Result<Request<Empty<Bytes>>, Failure> {
    let uri = if through_proxy {
        Uri::builder()
            .scheme("http")
            .authority(destination.authority.as_str())
            .path_and_query(destination.path.clone())
            .build()
            .map_err(cannot_ask)?
    } else {
        Uri::from(destination.path.clone())
    };
    Request::builder()
        .method(Method::GET)
        .uri(uri)
        .header(header::HOST, destination.authority.as_str())
        .header(header::USER_AGENT, USER_AGENT)
        .header(header::ACCEPT, HeaderValue::from_static("*/*"))
        .header(header::CONNECTION, HeaderValue::from_static("close"))
        .body(Empty::new())
        .map_err(cannot_ask)
}

fn cannot_ask(error: http::Error) -> Failure {
    Failure::Prober(
        Blindness::Misconfigured,
        plain(&format!("no request can be made of this: {error}")),
    )
}

fn broke_off(error: &hyper::Error) -> String {
    if error.is_incomplete_message() || error.is_canceled() || error.is_closed() {
        "connection closed without an answer".to_owned()
    } else if error.is_parse() {
        format!("the answer is not HTTP: {}", chain(error))
    } else {
        chain(error)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[test]
    fn a_proxy_is_a_plain_http_address() {
        for (text, expected) in [
            ("http://127.0.0.1:3128", ("127.0.0.1", 3128)),
            ("http://proxy.corp", ("proxy.corp", 80)),
            ("http://[::1]:3128/", ("::1", 3128)),
        ] {
            let (host, port) = proxy_address(text).unwrap();
            assert_eq!((host.as_str(), port), expected, "{text}");
        }
        for text in [
            "127.0.0.1:3128",
            "https://a:1",
            "socks5://a:1",
            "http://user:secret@a:1",
            "http://a:1/path",
            "",
        ] {
            let error = proxy_address(text).unwrap_err().to_string();
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn trouble_of_this_machine_is_not_the_targets() {
        for (errno, local) in [
            (24, true),
            (99, true),
            (101, true),
            (111, false),
            (113, false),
            (104, false),
        ] {
            assert_eq!(
                is_local(&io::Error::from_raw_os_error(errno)),
                local,
                "{errno}"
            );
        }
    }

    /// A TLS server that answers one request per connection, and its certificate.
    async fn tls_server() -> (SocketAddr, rustls_pki_types::CertificateDer<'static>) {
        let made = rcgen::generate_simple_self_signed(["checkout.shop.svc".to_owned()]).unwrap();
        let key =
            rustls_pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let certificate = made.cert.der().clone();
        let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key)
            .unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(config));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let mut stream = acceptor.accept(stream).await?;
                    let mut head = [0u8; 2048];
                    let _ = stream.read(&mut head).await?;
                    stream
                        .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
                        .await?;
                    stream.shutdown().await
                });
            }
        });
        (address, certificate)
    }

    /// A proxy that opens every tunnel to `upstream`.
    async fn tunnels_to(upstream: SocketAddr) -> SocketAddr {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let mut head = [0u8; 2048];
                let _ = client.read(&mut head).await.unwrap();
                let mut target = TcpStream::connect(upstream).await.unwrap();
                client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut client, &mut target).await;
            }
        });
        address
    }

    #[tokio::test]
    async fn https_verifies_the_name_and_the_issuer() {
        let (server, certificate) = tls_server().await;
        let proxy = tunnels_to(server).await;
        let (_, stranger) = tls_server().await;
        for (name, host, trusted, passes) in [
            ("good", "checkout.shop.svc", &certificate, true),
            ("other name", "billing.shop.svc", &certificate, false),
            ("other issuer", "checkout.shop.svc", &stranger, false),
        ] {
            let transport = Transport {
                proxy: Some((proxy.ip().to_string(), proxy.port())),
                allow: TargetAllowList::default(),
                tls: Tls::trusting(trusted.clone()),
            };
            let destination = Destination {
                https: true,
                host: host.to_owned(),
                port: 443,
                authority: host.to_owned(),
                path: PathAndQuery::from_static("/"),
                admitted: Admitted::Matched,
            };
            let asked = transport.ask(&destination, &Progress::default()).await;
            match asked {
                Ok(reply) => assert!(passes && reply.body == b"ok", "{name}"),
                Err(Failure::Target(saw)) => {
                    assert!(!passes && saw.contains("certificate"), "{name}: {saw}");
                }
                Err(Failure::Prober(_, saw)) => panic!("{name}: {saw}"),
            }
        }
    }
}
