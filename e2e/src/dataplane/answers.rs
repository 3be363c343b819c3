//! What a pod answers to one request.

use bytes::Bytes;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue};
use http_body_util::Full;
use jiff::Timestamp;
use serde_json::json;

use super::chance::Chance;
use super::metrics;
use crate::node::behaviour;
use crate::node::live::{LivePod, Serving};

pub(super) type Response = http::Response<Full<Bytes>>;

/// Nobody listens there: the connection ends without an answer.
#[derive(Debug, thiserror::Error)]
#[error("connection refused by {0}")]
pub(super) struct Refused(pub(super) String);

/// Asks one pod; takes as long as the pod takes.
pub(super) async fn ask(
    pod: &LivePod,
    port: u16,
    path: &str,
    chance: &Chance,
) -> Result<Response, Refused> {
    let refused = || Refused(format!("{}:{port}", pod.address));
    let serving = pod.serving();
    if !serving.up || !pod.ports.contains(&port) {
        return Err(refused());
    }
    match path {
        "/version" => return Ok(version(pod, &serving)),
        "/metrics" => return Ok(text(StatusCode::OK, metrics::of_pod(pod))),
        _ => {}
    }
    if !serving.behaviour.latency.is_zero() {
        tokio::time::sleep(serving.behaviour.latency).await;
        // it may have died in the meantime
        if !pod.serving().up {
            return Err(refused());
        }
    }
    let age = std::time::Duration::try_from(Timestamp::now() - serving.since).unwrap_or_default();
    let error = serving.failing
        || (age >= serving.behaviour.errors_after && chance.share() < serving.behaviour.error_rate);
    let (status, body) = if error {
        (StatusCode::INTERNAL_SERVER_ERROR, "error\n".to_owned())
    } else if path == "/ready" && !serving.ready {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready\n".to_owned())
    } else {
        (
            StatusCode::OK,
            format!("ok {} {}\n", pod.name, behaviour::version(&pod.image)),
        )
    };
    pod.count(status.as_u16());
    pod.log(&format!("GET {path} {}", status.as_u16()));
    Ok(text(status, body))
}

fn version(pod: &LivePod, serving: &Serving) -> Response {
    let body = json!({
        "image": pod.image,
        "version": behaviour::version(&pod.image),
        "pod": pod.name,
        "namespace": pod.namespace,
        "node": pod.node,
        "podTemplateHash": pod.template_hash(),
        "ready": serving.ready,
        "behaviour": serving.behaviour.to_string(),
    });
    respond(
        StatusCode::OK,
        body.to_string(),
        HeaderValue::from_static("application/json"),
    )
}

pub(super) fn text(status: StatusCode, body: String) -> Response {
    respond(
        status,
        body,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    )
}

fn respond(status: StatusCode, body: String, kind: HeaderValue) -> Response {
    let mut response = http::Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}
