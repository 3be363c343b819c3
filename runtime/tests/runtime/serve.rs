//! The server: what a drain keeps, and whom slowness, garbage and panics hurt.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use crate::http_client::{plain, tls};
use axum::{Router, extract::Path, routing::get};
use jiff::Timestamp;
use sluice_certs::{ServingNames, Terms, issue, serving};
use sluice_runtime::serve::{Drained, ServeMetrics, ServeOptions, TlsSource, Transport, serve};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::{JoinHandle, JoinSet},
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

struct Server {
    address: SocketAddr,
    drain: CancellationToken,
    metrics: ServeMetrics,
    task: JoinHandle<Drained>,
}

async fn start(transport: Transport, app: Router, options: ServeOptions) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let drain = CancellationToken::new();
    let metrics = options.metrics.clone();
    let task = tokio::spawn(serve(listener, transport, app, options, drain.clone()));
    Server {
        address,
        drain,
        metrics,
        task,
    }
}

fn short() -> ServeOptions {
    ServeOptions {
        handshake_timeout: Duration::from_millis(300),
        header_timeout: Duration::from_millis(400),
        request_timeout: Duration::from_millis(800),
        idle_timeout: Duration::from_secs(60),
        lame_duck: Duration::from_millis(300),
        drain_timeout: Duration::from_secs(10),
        ..ServeOptions::default()
    }
}

fn app() -> Router {
    Router::new()
        .route("/ok", get(|| async { "ok" }))
        .route(
            "/after/{milliseconds}",
            get(|Path(milliseconds): Path<u64>| async move {
                sleep(Duration::from_millis(milliseconds)).await;
                "done"
            }),
        )
        .route(
            "/panic",
            get(|| async {
                if true {
                    panic!("one review");
                }
            }),
        )
        .route("/body", axum::routing::post(|body: String| async { body }))
}

async fn within<T>(span: Duration, work: impl Future<Output = T>) -> T {
    timeout(span, work).await.expect("in time")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_loses_none_of_200_kept_alive_requests() {
    let entered = Arc::new(Semaphore::new(0));
    let release = Arc::new(Semaphore::new(0));
    let app = app().route(
        "/held",
        get({
            let (entered, release) = (entered.clone(), release.clone());
            || async move {
                entered.add_permits(1);
                release.acquire().await.unwrap().forget();
                "held"
            }
        }),
    );
    let options = ServeOptions {
        request_timeout: Duration::from_secs(60),
        ..short()
    };
    let server = start(Transport::Plain, app, options).await;
    let mut clients = JoinSet::new();
    for _ in 0..200 {
        let address = server.address;
        clients.spawn(async move {
            let mut connection = plain(address).await.unwrap();
            // kept alive before the drain
            for _ in 0..3 {
                let answer = connection.get("/ok").await.unwrap();
                assert!(answer.status == 200 && !answer.closes);
            }
            let answer = connection.get("/held").await.unwrap();
            assert_eq!(answer.body, b"held");
            assert!(answer.closes, "told to go elsewhere with the answer");
            assert!(connection.closed().await.is_empty());
        });
    }
    entered.acquire_many(200).await.unwrap().forget();
    server.drain.cancel();
    // answers only after the lame duck is over and the listener is gone
    within(Duration::from_secs(5), async {
        while TcpStream::connect(server.address).await.is_ok() {
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    release.add_permits(200);
    while let Some(client) = within(Duration::from_secs(10), clients.join_next()).await {
        client.unwrap();
    }
    let drained = within(Duration::from_secs(5), server.task).await.unwrap();
    assert_eq!(drained, Drained { cut: 0 });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn busy_clients_move_on_during_the_lame_duck_without_a_lost_request() {
    let server = start(Transport::Plain, app(), short()).await;
    let mut clients = JoinSet::new();
    for _ in 0..50 {
        let address = server.address;
        clients.spawn(async move {
            let mut connection = plain(address).await.unwrap();
            let mut asked = 0u32;
            // as fast as it goes, until an answer says that this was the last one
            loop {
                let answer = connection.get("/ok").await.unwrap();
                assert_eq!(answer.status, 200);
                asked += 1;
                if answer.closes {
                    return asked;
                }
            }
        });
    }
    sleep(Duration::from_millis(200)).await;
    server.drain.cancel();
    // whoever still comes by an old endpoint is served
    let mut late = plain(server.address).await.unwrap();
    let answer = late.get("/ok").await.unwrap();
    assert!(answer.status == 200 && answer.closes);
    let mut asked = 0;
    while let Some(client) = within(Duration::from_secs(10), clients.join_next()).await {
        asked += client.unwrap();
    }
    assert!(asked >= 50, "{asked} requests");
    within(Duration::from_secs(5), server.task).await.unwrap();
}

#[tokio::test]
async fn idle_connections_do_not_hold_a_drain_up() {
    let server = start(Transport::Plain, app(), short()).await;
    let mut idle = plain(server.address).await.unwrap();
    idle.get("/ok").await.unwrap();
    let _fresh = plain(server.address).await.unwrap();
    let begun = Instant::now();
    server.drain.cancel();
    let drained = within(Duration::from_secs(5), server.task).await.unwrap();
    assert_eq!(drained.cut, 0);
    assert!(
        begun.elapsed() < Duration::from_secs(2),
        "{:?}",
        begun.elapsed()
    );
    assert!(idle.closed().await.is_empty());
}

#[tokio::test]
async fn a_request_that_outlives_the_drain_is_cut_and_counted() {
    let server = start(
        Transport::Plain,
        app(),
        ServeOptions {
            lame_duck: Duration::ZERO,
            drain_timeout: Duration::from_millis(200),
            ..ServeOptions::default()
        },
    )
    .await;
    let mut slow = plain(server.address).await.unwrap();
    slow.send(b"GET /after/60000 HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    sleep(Duration::from_millis(100)).await;
    server.drain.cancel();
    let drained = within(Duration::from_secs(5), server.task).await.unwrap();
    assert_eq!(drained, Drained { cut: 1 });
}

#[tokio::test]
async fn a_panic_ends_its_connection_and_no_other() {
    let server = start(Transport::Plain, app(), short()).await;
    let mut other = plain(server.address).await.unwrap();
    other.get("/ok").await.unwrap();
    for _ in 0..5 {
        let mut unlucky = plain(server.address).await.unwrap();
        assert!(unlucky.get("/panic").await.is_err());
    }
    assert_eq!(other.get("/ok").await.unwrap().status, 200);
    assert_eq!(server.metrics.ended("panicked"), 5);
}

#[tokio::test]
async fn garbage_and_oversized_headers_get_an_answer_and_harm_nobody() {
    let server = start(Transport::Plain, app(), short()).await;
    let mut other = plain(server.address).await.unwrap();
    other.get("/ok").await.unwrap();
    let long = format!(
        "GET /ok HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n",
        "a".repeat(100 * 1024)
    );
    for (sent, status) in [
        (&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..], 400),
        (b"hello there\r\n\r\n", 400),
        (
            b"GET /ok HTTP/1.1\r\nHost: a\r\nContent-Length: nine\r\n\r\n",
            400,
        ),
        (long.as_bytes(), 431),
    ] {
        let mut connection = plain(server.address).await.unwrap();
        // the server may close before it has taken everything
        let _ = connection.send(sent).await;
        let answer = within(Duration::from_secs(5), connection.answer())
            .await
            .unwrap();
        assert_eq!(answer.status, status, "{:?}", &sent[..20.min(sent.len())]);
        connection.closed().await;
    }
    // nothing but noise, seeded
    let mut seed = 20_261_121u64;
    for _ in 0..200 {
        let noise: Vec<u8> = (0..64)
            .map(|_| {
                seed ^= seed << 13;
                seed ^= seed >> 7;
                seed ^= seed << 17;
                (seed >> 24) as u8
            })
            .collect();
        let mut connection = plain(server.address).await.unwrap();
        let _ = connection.send(&noise).await;
    }
    assert_eq!(other.get("/ok").await.unwrap().status, 200);
    assert_eq!(server.metrics.ended("panicked"), 0);
}

#[tokio::test]
async fn slow_clients_are_cut_and_idle_ones_are_not() {
    let server = start(Transport::Plain, app(), short()).await;
    let mut idle = plain(server.address).await.unwrap();
    idle.get("/ok").await.unwrap();

    let mut slow_headers = plain(server.address).await.unwrap();
    slow_headers.send(b"GET /ok HTTP/1.1\r\nHo").await.unwrap();
    let begun = Instant::now();
    within(Duration::from_secs(5), slow_headers.closed()).await;
    assert!(
        begun.elapsed() >= Duration::from_millis(350),
        "{:?}",
        begun.elapsed()
    );
    assert!(
        begun.elapsed() < Duration::from_secs(4),
        "{:?}",
        begun.elapsed()
    );

    let mut slow_body = plain(server.address).await.unwrap();
    slow_body
        .send(b"POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nfirst")
        .await
        .unwrap();
    within(Duration::from_secs(5), slow_body.closed()).await;

    // a kept-alive connection that was slow once is cut as well
    let mut later = plain(server.address).await.unwrap();
    later.get("/ok").await.unwrap();
    later.send(b"GET /ok HT").await.unwrap();
    within(Duration::from_secs(5), later.closed()).await;

    assert_eq!(server.metrics.ended("header_timeout"), 2);
    assert_eq!(server.metrics.ended("request_timeout"), 1);
    assert_eq!(
        idle.get("/ok").await.unwrap().status,
        200,
        "idle for longer than the header limit"
    );
}

#[tokio::test]
async fn a_long_idle_connection_is_closed() {
    let options = ServeOptions {
        idle_timeout: Duration::from_millis(300),
        ..short()
    };
    let server = start(Transport::Plain, app(), options).await;
    let mut idle = plain(server.address).await.unwrap();
    idle.get("/ok").await.unwrap();
    assert!(
        within(Duration::from_secs(5), idle.closed())
            .await
            .is_empty()
    );
    let mut unused = plain(server.address).await.unwrap();
    within(Duration::from_secs(5), unused.closed()).await;
    assert_eq!(server.metrics.ended("unused"), 1);
}

fn certificate() -> (TlsSource, Arc<rustls::ClientConfig>) {
    let names = ServingNames::of_service("sluice-webhook", "sluice-system");
    let bundle = issue(Timestamp::now(), &names, &Terms::default()).unwrap();
    let source = TlsSource::default();
    source.store(Some(Arc::new(
        serving::server_config(&bundle.leaf).unwrap(),
    )));
    let trusting = serving::client_config(bundle.ca.cert_pem.as_bytes()).unwrap();
    (source, Arc::new(trusting))
}

const SERVER_NAME: &str = "sluice-webhook.sluice-system.svc";

#[tokio::test]
async fn a_handshake_that_never_ends_is_cut() {
    let (source, _) = certificate();
    let server = start(Transport::Tls(source), app(), short()).await;
    let mut silent = TcpStream::connect(server.address).await.unwrap();
    silent.write_all(b"\x16\x03\x01").await.unwrap();
    let begun = Instant::now();
    let mut rest = Vec::new();
    let _ = within(
        Duration::from_secs(5),
        tokio::io::AsyncReadExt::read_to_end(&mut silent, &mut rest),
    )
    .await;
    assert!(begun.elapsed() >= Duration::from_millis(250));
    let mut noisy = TcpStream::connect(server.address).await.unwrap();
    noisy.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let _ = within(
        Duration::from_secs(5),
        tokio::io::AsyncReadExt::read_to_end(&mut noisy, &mut rest),
    )
    .await;
    within(Duration::from_secs(5), async {
        while server.metrics.ended("handshake_timeout") < 1
            || server.metrics.ended("handshake_failed") < 1
        {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_drain_does_not_wait_for_a_handshake_that_never_ends() {
    let (source, _) = certificate();
    let options = ServeOptions {
        handshake_timeout: Duration::from_secs(60),
        ..short()
    };
    let server = start(Transport::Tls(source), app(), options).await;
    let _silent = TcpStream::connect(server.address).await.unwrap();
    sleep(Duration::from_millis(50)).await;
    server.drain.cancel();
    let drained = within(Duration::from_secs(3), server.task).await.unwrap();
    assert_eq!(drained.cut, 0);
}

#[tokio::test]
async fn speaks_http_1_1_over_tls_1_3_and_1_2_and_nothing_else() {
    let (source, trusting) = certificate();
    let server = start(Transport::Tls(source), app(), short()).await;
    for (version, name) in [
        (&rustls::version::TLS12, "1.2"),
        (&rustls::version::TLS13, "1.3"),
    ] {
        let mut config = (*trusting).clone();
        config = limited(&config, version);
        let mut connection = tls(server.address, Arc::new(config), SERVER_NAME)
            .await
            .unwrap();
        assert_eq!(
            connection.get("/ok").await.unwrap().status,
            200,
            "TLS {name}"
        );
        let (_, session) = connection.stream().get_ref();
        assert_eq!(session.alpn_protocol(), Some(&b"http/1.1"[..]));
        assert_eq!(session.protocol_version(), Some(version.version));
    }
    let mut h2_only = (*trusting).clone();
    h2_only.alpn_protocols = vec![b"h2".to_vec()];
    assert!(
        tls(server.address, Arc::new(h2_only), SERVER_NAME)
            .await
            .is_err()
    );
    assert!(
        tls(server.address, trusting, "other.sluice-system.svc")
            .await
            .is_err(),
        "issued for its own names only"
    );
}

/// The same trust, one protocol version.
fn limited(
    config: &rustls::ClientConfig,
    version: &'static rustls::SupportedProtocolVersion,
) -> rustls::ClientConfig {
    let mut limited = rustls::ClientConfig::builder_with_provider(config.crypto_provider().clone())
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    limited.alpn_protocols.clone_from(&config.alpn_protocols);
    // the verifier is not readable back, so trust is checked by the other connections of this file
    limited
        .dangerous()
        .set_certificate_verifier(Arc::new(trust::Any(config.crypto_provider().clone())));
    limited
}

mod trust {
    use std::sync::Arc;

    use rustls::{
        DigitallySignedStruct, Error, SignatureScheme,
        client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
        pki_types::{CertificateDer, ServerName, UnixTime},
    };

    /// Checks signatures, not chains: for tests of the protocol alone.
    #[derive(Debug)]
    pub struct Any(pub Arc<CryptoProvider>);

    impl ServerCertVerifier for Any {
        fn verify_server_cert(
            &self,
            _: &CertificateDer<'_>,
            _: &[CertificateDer<'_>],
            _: &ServerName<'_>,
            _: &[u8],
            _: UnixTime,
        ) -> Result<ServerCertVerified, Error> {
            Ok(ServerCertVerified::assertion())
        }

        fn verify_tls12_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signed: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            verify_tls12_signature(
                message,
                certificate,
                signed,
                &self.0.signature_verification_algorithms,
            )
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signed: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            verify_tls13_signature(
                message,
                certificate,
                signed,
                &self.0.signature_verification_algorithms,
            )
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            self.0.signature_verification_algorithms.supported_schemes()
        }
    }
}

#[tokio::test]
async fn without_a_certificate_connections_are_closed_and_counted() {
    let (source, trusting) = certificate();
    let config = source.swap(None);
    let server = start(Transport::Tls(source.clone()), app(), short()).await;
    assert!(
        tls(server.address, trusting.clone(), SERVER_NAME)
            .await
            .is_err()
    );
    assert_eq!(server.metrics.ended("no_certificate"), 1);
    source.store(config);
    let mut connection = tls(server.address, trusting, SERVER_NAME).await.unwrap();
    assert_eq!(connection.get("/ok").await.unwrap().status, 200);
}
