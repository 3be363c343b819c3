//! One review, asked as the API server would ask: at the published address, trusting only the published authority.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use serde_json::{Value, json};
use sluice_api::admission_table::{ClientConfigChoice, WORKLOAD_PATH};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// The whole test; a webhook entry has less time per review.
const LIMIT: Duration = Duration::from_secs(5);
/// More than any answer to an empty review.
const LONGEST: usize = 64 * 1024;
/// What a review must carry back.
const UID: &str = "5e1f7e57-0000-4000-8000-000000000000";

/// Why the webhook cannot be published.
#[derive(Debug, thiserror::Error)]
pub enum SelfTestError {
    /// The address has no host.
    #[error("the address has no host")]
    Address,
    /// The published authority cannot be used.
    #[error("the authority cannot be used")]
    Authority(#[source] sluice_certs::serving::ServingError),
    /// No connection.
    #[error("no connection")]
    Connect(#[source] std::io::Error),
    /// The certificate does not belong to the address, or nobody trusted has signed it.
    #[error("no TLS")]
    Tls(#[source] std::io::Error),
    /// The exchange broke off.
    #[error("no answer")]
    Http(#[source] hyper::Error),
    /// The request cannot be written.
    #[error("the review cannot be sent")]
    Request(#[source] http::Error),
    /// An answer, but not to a review.
    #[error("status {status}: {text}")]
    Answer {
        /// The HTTP status.
        status: u16,
        /// The beginning of the body.
        text: String,
    },
    /// It took too long.
    #[error("no answer within {LIMIT:?}")]
    Slow,
}

/// The host that the API server will ask, as it stands in certificates.
#[must_use]
pub fn host(address: &ClientConfigChoice) -> Option<String> {
    Some(place(address)?.0)
}

/// The address in words.
#[must_use]
pub fn describe(address: &ClientConfigChoice) -> String {
    match address {
        ClientConfigChoice::Url(url) => url.clone(),
        ClientConfigChoice::Service {
            namespace,
            name,
            port,
        } => format!("{name}.{namespace}.svc:{port}"),
    }
}

fn place(address: &ClientConfigChoice) -> Option<(String, u16, String)> {
    match address {
        ClientConfigChoice::Service {
            namespace,
            name,
            port,
        } => Some((
            format!("{name}.{namespace}.svc"),
            u16::try_from(*port).ok()?,
            String::new(),
        )),
        ClientConfigChoice::Url(url) => {
            let uri: http::Uri = url.parse().ok()?;
            let host = uri.host()?.trim_matches(['[', ']']).to_owned();
            let prefix = uri.path().trim_end_matches('/').to_owned();
            Some((host, uri.port_u16().unwrap_or(443), prefix))
        }
    }
}

/// Sends one review of an object nobody judges, dry-run, and checks that it was answered.
///
/// # Errors
/// Whatever would keep the API server from getting an answer.
pub async fn ask(address: &ClientConfigChoice, ca_bundle: &[u8]) -> Result<(), SelfTestError> {
    tokio::time::timeout(LIMIT, exchange(address, ca_bundle))
        .await
        .map_err(|_| SelfTestError::Slow)?
}

async fn exchange(address: &ClientConfigChoice, ca_bundle: &[u8]) -> Result<(), SelfTestError> {
    let (host, port, prefix) = place(address).ok_or(SelfTestError::Address)?;
    let config =
        sluice_certs::serving::client_config(ca_bundle).map_err(SelfTestError::Authority)?;
    let name = ServerName::try_from(host.clone()).map_err(|_| SelfTestError::Address)?;
    let stream = TcpStream::connect((host.as_str(), port))
        .await
        .map_err(SelfTestError::Connect)?;
    let stream = TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
        .map_err(SelfTestError::Tls)?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(SelfTestError::Http)?;
    let request = Request::post(format!("{prefix}{WORKLOAD_PATH}"))
        .header(header::HOST, &host)
        .header(header::CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(review().to_string())))
        .map_err(SelfTestError::Request)?;
    let answer = async {
        let answer = sender
            .send_request(request)
            .await
            .map_err(SelfTestError::Http)?;
        let status = answer.status().as_u16();
        let body = Limited::new(answer.into_body(), LONGEST)
            .collect()
            .await
            .map(http_body_util::Collected::to_bytes)
            .unwrap_or_default();
        read(status, &body)
    };
    // the connection does the work and is dropped with this future
    tokio::select! {
        result = answer => result,
        result = connection => Err(match result {
            Err(error) => SelfTestError::Http(error),
            Ok(()) => SelfTestError::Answer { status: 0, text: "the connection was closed".to_owned() },
        }),
    }
}

fn review() -> Value {
    json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": UID,
            "kind": {"group": "", "version": "v1", "kind": "ConfigMap"},
            "resource": {"group": "", "version": "v1", "resource": "configmaps"},
            "name": "sluice-self-test", "namespace": "sluice-self-test",
            "operation": "CREATE", "dryRun": true,
            "userInfo": {"username": "sluice-self-test"},
            "object": {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "sluice-self-test", "namespace": "sluice-self-test"}},
        },
    })
}

fn read(status: u16, body: &[u8]) -> Result<(), SelfTestError> {
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    if status == 200
        && answer["response"]["uid"] == UID
        && answer["response"]["allowed"].is_boolean()
    {
        return Ok(());
    }
    Err(SelfTestError::Answer {
        status,
        text: String::from_utf8_lossy(body).chars().take(200).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_is_where_the_api_server_will_ask() {
        let url = |text: &str| ClientConfigChoice::Url(text.into());
        let service = ClientConfigChoice::Service {
            namespace: "sluice-system".into(),
            name: "sluice-webhook".into(),
            port: 443,
        };
        for (address, expected) in [
            (service, Some(("sluice-webhook.sluice-system.svc", 443, ""))),
            (url("https://127.0.0.1:9443"), Some(("127.0.0.1", 9443, ""))),
            (
                url("https://[::1]:9443/base/"),
                Some(("::1", 9443, "/base")),
            ),
            (
                url("https://gate.example.com"),
                Some(("gate.example.com", 443, "")),
            ),
            (url("nonsense"), Some(("nonsense", 443, ""))),
            (url("/path"), None),
        ] {
            let expected =
                expected.map(|(host, port, path)| (host.to_owned(), port, path.to_owned()));
            assert_eq!(place(&address), expected, "{address:?}");
        }
    }

    #[test]
    fn only_an_answer_to_our_review_counts() {
        let good = json!({"response": {"uid": UID, "allowed": true}}).to_string();
        assert!(read(200, good.as_bytes()).is_ok());
        for (status, body) in [
            (503, good.as_str()),
            (200, r#"{"response": {"uid": "other", "allowed": true}}"#),
            (200, "hello"),
        ] {
            assert!(read(status, body.as_bytes()).is_err(), "{status} {body}");
        }
    }

    #[tokio::test]
    async fn nobody_there_is_an_error() {
        sluice_runtime::crypto::install();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let address = ClientConfigChoice::Url(format!("https://127.0.0.1:{port}"));
        let bundle = sluice_certs::Material::issue(
            Timestamp::now(),
            &sluice_certs::ServingNames::of_service("a", "b"),
            &sluice_certs::Terms::default(),
        )
        .unwrap()
        .ca_bundle();
        assert!(matches!(
            ask(&address, bundle.as_bytes()).await,
            Err(SelfTestError::Connect(_))
        ));
    }

    use jiff::Timestamp;
}
