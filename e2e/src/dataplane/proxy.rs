//! The forward proxy: absolute-form requests in, one pod's answer out.

use std::net::Ipv4Addr;
use std::sync::Arc;

use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use super::Network;
use super::answers::{self, Refused, Response};

pub(super) async fn serve(listener: TcpListener, network: Arc<Network>) {
    while let Ok((stream, _)) = listener.accept().await {
        let network = Arc::clone(&network);
        tokio::spawn(async move {
            let answer = service_fn(|request: http::Request<Incoming>| {
                let network = Arc::clone(&network);
                async move { network.request(request.uri()).await }
            });
            // an error of ours (nobody listens) makes hyper close the connection without an answer: that is the point
            if let Err(error) = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), answer)
                .await
            {
                tracing::trace!(%error, "connection through the proxy ended");
            }
        });
    }
}

impl Network {
    async fn request(&self, uri: &http::Uri) -> Result<Response, Refused> {
        let Some(host) = uri.host() else {
            let explanation =
                "this is a forward proxy: ask for an absolute http:// URL\n".to_owned();
            return Ok(answers::text(http::StatusCode::BAD_REQUEST, explanation));
        };
        if uri.scheme() != Some(&http::uri::Scheme::HTTP) {
            return Ok(answers::text(
                http::StatusCode::NOT_IMPLEMENTED,
                "only http:// goes through this proxy\n".to_owned(),
            ));
        }
        self.reach(host, uri.port_u16().unwrap_or(80), uri.path())
            .await
    }

    /// Asks whoever `host` is inside the cluster.
    pub(super) async fn reach(
        &self,
        host: &str,
        port: u16,
        path: &str,
    ) -> Result<Response, Refused> {
        let refused = || Refused(format!("{host}:{port}"));
        let (address, port) = match host.parse::<Ipv4Addr>() {
            Ok(address) if address.octets()[..2] == [10, 244] => (address, port),
            Ok(address) => self
                .services
                .by_address(address, port, &self.chance)
                .ok_or_else(refused)?,
            Err(_) => {
                let (name, namespace) = service_name(host).ok_or_else(refused)?;
                self.services
                    .by_name(namespace, name, port, &self.chance)
                    .ok_or_else(refused)?
            }
        };
        let pod = self.world.pod_at(address).ok_or_else(refused)?;
        answers::ask(&pod, port, path, &self.chance).await
    }
}

/// `NAME.NAMESPACE.svc`, with or without the cluster's domain.
fn service_name(host: &str) -> Option<(&str, &str)> {
    let host = host.strip_suffix('.').unwrap_or(host);
    let host = host.strip_suffix(".cluster.local").unwrap_or(host);
    let (name, namespace) = host.strip_suffix(".svc")?.split_once('.')?;
    (!namespace.contains('.')).then_some((name, namespace))
}

#[cfg(test)]
mod tests {
    use super::service_name;

    #[test]
    fn reads_service_names() {
        let cases = [
            ("checkout.shop.svc", Some(("checkout", "shop"))),
            (
                "checkout.shop.svc.cluster.local",
                Some(("checkout", "shop")),
            ),
            (
                "checkout.shop.svc.cluster.local.",
                Some(("checkout", "shop")),
            ),
            ("checkout.shop", None),
            ("example.com", None),
            ("pod-0.checkout.shop.svc", None),
        ];
        for (host, expected) in cases {
            assert_eq!(service_name(host), expected, "{host}");
        }
    }
}
