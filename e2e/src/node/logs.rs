//! The kubelet's HTTPS port, as far as `kubectl logs` needs it.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::world::World;

/// Serves on a free loopback port, which it returns. Any client gets in: the port holds nothing but fake logs.
pub(super) async fn serve(world: World, certificate: &Path, key: &Path) -> anyhow::Result<u16> {
    let chain = CertificateDer::pem_file_iter(certificate)?.collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_file(key)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind(("127.0.0.1", 0))
        .await
        .context("no port for the kubelet")?;
    let port = listener.local_addr()?.port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, world) = (acceptor.clone(), world.clone());
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else {
                    return;
                };
                let answer = service_fn(|request: http::Request<Incoming>| {
                    let response = logs(&world, request.uri());
                    async { Ok::<_, std::convert::Infallible>(response) }
                });
                // a client that goes away in the middle is its own business
                let _ = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), answer)
                    .await;
            });
        }
    });
    Ok(port)
}

fn logs(world: &World, uri: &http::Uri) -> http::Response<Full<Bytes>> {
    let mut parts = uri.path().trim_start_matches('/').split('/');
    let respond = |status: http::StatusCode, body: String| {
        let mut response = http::Response::new(Full::new(Bytes::from(body)));
        *response.status_mut() = status;
        response
    };
    let (Some("containerLogs"), Some(namespace), Some(name)) =
        (parts.next(), parts.next(), parts.next())
    else {
        return respond(
            http::StatusCode::NOT_FOUND,
            "this kubelet serves logs only\n".to_owned(),
        );
    };
    let Some(pod) = world.pod(namespace, name) else {
        return respond(
            http::StatusCode::NOT_FOUND,
            format!("no pod {namespace}/{name} here\n"),
        );
    };
    let lines = pod.log_lines();
    let tail = uri
        .query()
        .unwrap_or_default()
        .split('&')
        .find_map(|pair| pair.strip_prefix("tailLines="));
    let wanted = tail
        .and_then(|count| count.parse::<usize>().ok())
        .unwrap_or(lines.len());
    let mut body = lines[lines.len().saturating_sub(wanted)..].join("\n");
    body.push('\n');
    respond(http::StatusCode::OK, body)
}
