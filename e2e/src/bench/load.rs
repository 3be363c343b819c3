//! A closed-loop load: so many keep-alive HTTP/1.1 connections over TLS, each sending one review after the other.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore, pki_types::ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Where the load goes.
#[derive(Clone, Debug)]
pub struct Target {
    /// The server.
    pub address: SocketAddr,
    /// The path of the review endpoint.
    pub path: String,
    /// The CA that signed its certificate, PEM.
    pub ca: Vec<u8>,
    /// The name in its certificate.
    pub name: String,
}

/// What a run of load saw.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Reviews answered.
    pub reviews: u64,
    /// How long it took.
    pub took: Duration,
    /// Latencies in ascending order.
    pub latencies: Vec<Duration>,
    /// One answer, to see that the work was done.
    pub sample: Bytes,
}

impl Outcome {
    /// Reviews per second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.reviews as f64 / self.took.as_secs_f64()
    }

    /// A percentile of the latency, 0 to 100.
    #[must_use]
    pub fn percentile(&self, percent: f64) -> Duration {
        let last = self.latencies.len().saturating_sub(1);
        let index = ((last as f64) * percent / 100.0).round() as usize;
        self.latencies.get(index).copied().unwrap_or_default()
    }
}

/// Sends `body` over `connections` connections for `length`.
///
/// # Errors
/// When a connection fails or an answer is not 200: a number of half the work is no number.
pub async fn run(
    target: &Target,
    body: Bytes,
    connections: usize,
    length: Duration,
) -> anyhow::Result<Outcome> {
    let tls = TlsConnector::from(Arc::new(client_config(&target.ca)?));
    let began = Instant::now();
    let until = began + length;
    let mut tasks = Vec::new();
    for _ in 0..connections {
        tasks.push(tokio::spawn(connection(
            target.clone(),
            tls.clone(),
            body.clone(),
            until,
        )));
    }
    let mut outcome = Outcome {
        reviews: 0,
        took: Duration::ZERO,
        latencies: Vec::new(),
        sample: Bytes::new(),
    };
    for task in tasks {
        let (latencies, sample) = task.await??;
        outcome.reviews += latencies.len() as u64;
        outcome.latencies.extend(latencies);
        outcome.sample = sample;
    }
    outcome.took = began.elapsed();
    outcome.latencies.sort_unstable();
    Ok(outcome)
}

async fn connection(
    target: Target,
    tls: TlsConnector,
    body: Bytes,
    until: Instant,
) -> anyhow::Result<(Vec<Duration>, Bytes)> {
    let stream = TcpStream::connect(target.address)
        .await
        .context("cannot connect")?;
    stream.set_nodelay(true)?;
    let name = ServerName::try_from(target.name.clone()).context("not a server name")?;
    let stream = tls.connect(name, stream).await.context("no TLS")?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .context("no HTTP")?;
    let driver = tokio::spawn(connection);
    let mut latencies = Vec::new();
    let mut sample = Bytes::new();
    while Instant::now() < until {
        let request = http::Request::post(&target.path)
            .header(http::header::HOST, &target.name)
            .header(http::header::CONTENT_TYPE, "application/json")
            .body(Full::new(body.clone()))?;
        let sent = Instant::now();
        let response = sender.send_request(request).await.context("no answer")?;
        let status = response.status();
        sample = response
            .into_body()
            .collect()
            .await
            .context("the answer was cut off")?
            .to_bytes();
        latencies.push(sent.elapsed());
        ensure!(
            status == 200,
            "answered {status}: {}",
            String::from_utf8_lossy(&sample)
        );
    }
    driver.abort();
    Ok((latencies, sample))
}

fn client_config(ca: &[u8]) -> anyhow::Result<ClientConfig> {
    use rustls::pki_types::{CertificateDer, pem::PemObject};
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(ca) {
        roots.add(certificate.context("an unreadable CA")?)?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
