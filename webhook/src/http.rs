//! The router: bodies in, answers out. What is no review gets a proper HTTP error and harms nobody; a panic in one review answers that review.
//!
//! Nothing is answered "allowed" before every cache is complete: until then it is 503, and the API server does as its failure policy says.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    response::Response,
    routing::post,
};
use http::{HeaderValue, StatusCode, header};
use http_body_util::BodyExt;
use sluice_runtime::drain::panic_text;
use tokio::sync::Semaphore;

use crate::{
    attempts::{Attempt, Attempts},
    envelope::{EnvelopeError, Review},
    judge::{Hook, JudgeError, Judged, Knowledge, Now, judge},
    metrics::AdmissionMetrics,
    rings::{Rings, Seen},
};

/// The largest review: an object of 1.5 MiB and its old version with managedFields stay well below.
pub const BODY_LIMIT: usize = 8 * 1024 * 1024;
/// From this size on reviews are judged one after the other: each is done in a fraction of a second, and what they hold at their peak does not add up.
const LARGE: usize = 1024 * 1024;
/// How much of an oversized body is read and thrown away, so that the sender reads our answer instead of a broken connection.
const THROWN_AWAY: usize = 32 * 1024 * 1024;

/// How a review is judged: [`judge`], or what a test puts in its place.
pub type Judge = fn(&Knowledge, Hook, &Review<'_>, Now) -> Result<Judged, JudgeError>;

/// What every request shares.
#[derive(Debug)]
pub struct Door {
    /// What the answers are made from.
    pub knowledge: Arc<Knowledge>,
    /// What is counted.
    pub metrics: AdmissionMetrics,
    /// What was found and refused nothing.
    pub rings: Arc<Rings>,
    /// Where refused releases are noted.
    attempts: Option<Attempts>,
    /// Whose turn it is among large reviews.
    large: Semaphore,
    judge: Judge,
}

impl Door {
    /// The door as it is served.
    #[must_use]
    pub fn new(knowledge: Arc<Knowledge>, metrics: AdmissionMetrics) -> Self {
        Self::judged_by(knowledge, metrics, judge)
    }

    /// The same with another way of judging.
    #[must_use]
    pub fn judged_by(knowledge: Arc<Knowledge>, metrics: AdmissionMetrics, judge: Judge) -> Self {
        Self {
            knowledge,
            metrics,
            rings: Arc::default(),
            attempts: None,
            large: Semaphore::new(1),
            judge,
        }
    }

    /// The same, and a release that a gate refuses is noted there.
    #[must_use]
    pub fn noting(mut self, attempts: Attempts) -> Self {
        self.attempts = Some(attempts);
        self
    }
}

/// Why a request gets no review's answer.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("not ready: no complete list yet of {}", .0.join(", "))]
    NotReady(Vec<&'static str>),
    #[error("the content type is {0}, expected application/json")]
    ContentType(String),
    #[error("the body is larger than {BODY_LIMIT} bytes")]
    TooLarge,
    #[error("the body ended early: {0}")]
    Cut(String),
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    #[error("{0}")]
    Judge(String),
    #[error("judging this review failed; the log has the reason under its uid")]
    Panicked,
    #[error("the answer cannot be written: {0}")]
    Render(#[from] serde_json::Error),
}

impl Refused {
    const fn status(&self) -> StatusCode {
        match self {
            Self::NotReady(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::ContentType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Cut(_) | Self::Envelope(_) | Self::Judge(_) => StatusCode::BAD_REQUEST,
            Self::Panicked | Self::Render(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// The routes of every hook.
pub fn router(door: Arc<Door>) -> Router {
    Hook::ALL.into_iter().fold(Router::new(), |router, hook| {
        let door = Arc::clone(&door);
        router.merge(
            Router::new()
                .route(
                    hook.path(),
                    post(
                        move |State(door): State<Arc<Door>>, request: Request| async move {
                            answer(&door, hook, request).await
                        },
                    ),
                )
                .with_state(door),
        )
    })
}

async fn answer(door: &Door, hook: Hook, request: Request) -> Response {
    match review(door, hook, request).await {
        Ok(answer) => response(StatusCode::OK, "application/json", Body::from(answer)),
        Err(refused) => {
            let status = refused.status();
            door.metrics.refused_body(status.as_u16());
            tracing::debug!(hook = hook.as_str(), %status, reason = %refused, "no review");
            response(
                status,
                "text/plain; charset=utf-8",
                Body::from(format!("{refused}\n")),
            )
        }
    }
}

fn response(status: StatusCode, content_type: &'static str, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

async fn review(door: &Door, hook: Hook, request: Request) -> Result<Vec<u8>, Refused> {
    let waiting = if door.knowledge.indexes.is_synced() {
        None
    } else {
        Some(door.knowledge.indexes.waiting()).filter(|waiting| !waiting.is_empty())
    };
    let content_type = content_type(&request);
    let body = body(request).await?;
    // after the body: a sender that is cut off while writing would not read the reason
    if let Some(waiting) = waiting {
        return Err(Refused::NotReady(waiting));
    }
    content_type?;
    let _turn = match body.len() {
        // never closed
        LARGE.. => door.large.acquire().await.ok(),
        _ => None,
    };
    judged(door, hook, &body)
}

fn content_type(request: &Request) -> Result<(), Refused> {
    let found = request.headers().get(header::CONTENT_TYPE);
    let media_type = found
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .map(str::trim);
    match media_type {
        Some(media_type) if media_type.eq_ignore_ascii_case("application/json") => Ok(()),
        other => Err(Refused::ContentType(other.map_or_else(
            || "absent".to_owned(),
            |text| text.chars().take(80).collect(),
        ))),
    }
}

/// The body in one piece, held once: what arrives is copied to where it stays, and let go.
async fn body(request: Request) -> Result<Vec<u8>, Refused> {
    let announced = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    let mut body = request.into_body();
    let mut held = Vec::with_capacity(announced.unwrap_or(0).min(BODY_LIMIT));
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Refused::Cut(error.to_string()))?;
        let Some(data) = frame.data_ref() else {
            continue;
        };
        if held.len() + data.len() > BODY_LIMIT {
            let mut read = held.len() + data.len();
            drop(held);
            while let Some(Ok(frame)) = body.frame().await {
                read += frame.data_ref().map_or(0, bytes::Bytes::len);
                if read > THROWN_AWAY {
                    break;
                }
            }
            return Err(Refused::TooLarge);
        }
        held.extend_from_slice(data);
    }
    Ok(held)
}

/// One review from bytes to bytes. A panic in here is this review's alone: nothing it touches is shared but the indexes, which readers never change.
fn judged(door: &Door, hook: Hook, body: &[u8]) -> Result<Vec<u8>, Refused> {
    let now = Now::read();
    let review = Review::parse(body)?;
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        (door.judge)(&door.knowledge, hook, &review, now)
    }));
    let judged = match outcome {
        Ok(Ok(judged)) => judged,
        Ok(Err(error)) => {
            tracing::warn!(uid = %review.uid, error = &error as &dyn std::error::Error, "review not readable");
            return Err(Refused::Judge(chain(&error)));
        }
        Err(panic) => {
            door.metrics.panic();
            tracing::error!(
                hook = hook.as_str(), uid = %review.uid, kind = %review.kind.kind,
                namespace = review.namespace.as_deref(), name = review.name.as_deref(),
                panic = panic_text(panic.as_ref()), "judging panicked"
            );
            return Err(Refused::Panicked);
        }
    };
    let Judged {
        reply,
        outcome,
        findings,
        starts_release,
        stopped_at,
    } = judged;
    for finding in &findings {
        door.metrics.finding(finding);
    }
    let seen = Seen {
        namespace: review.namespace.as_deref().unwrap_or_default(),
        kind: &review.kind.kind,
        name: review.name.as_deref().unwrap_or_default(),
        dry_run: review.is_dry_run(),
        at: now.time,
    };
    door.rings.record(seen, &findings);
    if starts_release {
        door.metrics.release_attempt(reply.refused.is_none());
    }
    if let Some(attempts) = door.attempts.as_ref().filter(|_| !stopped_at.is_empty()) {
        attempts.note(Attempt {
            kind: review.kind.kind.as_ref().to_owned(),
            namespace: seen.namespace.to_owned(),
            name: seen.name.to_owned(),
            gates: stopped_at,
        });
    }
    if reply.refused.is_some() {
        tracing::info!(
            hook = hook.as_str(), uid = %review.uid, kind = %review.kind.kind,
            namespace = review.namespace.as_deref(), name = review.name.as_deref(),
            findings = findings.len(), dry_run = review.is_dry_run(), "refused"
        );
    }
    let answer = reply.render(&review.uid)?;
    door.metrics.review(
        hook.as_str(),
        outcome.as_str(),
        now.instant.elapsed().as_secs_f64(),
    );
    Ok(answer)
}

/// An error with its causes in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests;
