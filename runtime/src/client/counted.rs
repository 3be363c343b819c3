//! The layer that counts, times and limits each request to the API server.

use std::{
    task::{Context, Poll},
    time::{Duration, Instant},
};

use futures::future::BoxFuture;
use http::{Method, Request, Response};
use tower::{BoxError, Layer, Service};

use crate::metrics::{Metrics, RequestLabels, RequestMetrics, VerbLabel};

/// Wraps a client's innermost service; see [`CountedRequests`].
#[derive(Clone, Debug)]
pub struct CountRequests {
    metrics: RequestMetrics,
    limit: Duration,
}

/// Counts every request by verb, resource and code, and ends one whose answer does not begin within the limit (watches excepted).
#[derive(Clone, Debug)]
pub struct CountedRequests<S> {
    inner: S,
    metrics: RequestMetrics,
    limit: Duration,
}

/// The API server did not begin to answer in time. What it did with the request is not known.
#[derive(Debug, thiserror::Error)]
#[error("no answer from the API server within {limit:?}")]
pub struct NoAnswer {
    limit: Duration,
}

impl CountRequests {
    /// A layer that counts into `metrics`.
    #[must_use]
    pub fn new(metrics: &Metrics, limit: Duration) -> Self {
        Self {
            metrics: metrics.requests().clone(),
            limit,
        }
    }
}

impl<S> Layer<S> for CountRequests {
    type Service = CountedRequests<S>;

    fn layer(&self, inner: S) -> Self::Service {
        CountedRequests {
            inner,
            metrics: self.metrics.clone(),
            limit: self.limit,
        }
    }
}

impl<S, B, R> Service<Request<B>> for CountedRequests<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
    R: 'static,
{
    type Response = Response<R>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (verb, resource) = describe(request.method(), request.uri());
        let metrics = self.metrics.clone();
        let limit = self.limit;
        let answer = self.inner.call(request);
        Box::pin(async move {
            let sent = Instant::now();
            let answer = if verb == "watch" {
                answer.await.map_err(Into::into)
            } else {
                match tokio::time::timeout(limit, answer).await {
                    Ok(answer) => answer.map_err(Into::into),
                    Err(_) => Err(NoAnswer { limit }.into()),
                }
            };
            let code = match &answer {
                Ok(response) => response.status().as_str().to_owned(),
                Err(error) if error.is::<NoAnswer>() => "timeout".to_owned(),
                Err(_) => "error".to_owned(),
            };
            if verb != "watch" {
                metrics
                    .seconds
                    .get_or_create(&VerbLabel { verb })
                    .observe(sent.elapsed().as_secs_f64());
            }
            metrics
                .total
                .get_or_create(&RequestLabels {
                    verb,
                    resource,
                    code,
                })
                .inc();
            answer
        })
    }
}

/// The verb as the audit log names it, and the resource with its sub-resource. Names and namespaces are left out: labels stay bounded.
fn describe(method: &Method, uri: &http::Uri) -> (&'static str, String) {
    let mut parts = uri.path().trim_matches('/').split('/');
    let mut segments: Vec<&str> = match parts.next() {
        Some("api") => parts.skip(1).collect(),
        Some("apis") => parts.skip(2).collect(),
        _ => return (verb(method, false, false), "other".to_owned()),
    };
    // `namespaces/NAME/pods` is about pods; `namespaces/NAME` and its `status` and `finalize` are about the namespace
    if segments.first() == Some(&"namespaces")
        && segments.len() > 2
        && !(segments.len() == 3 && matches!(segments[2], "status" | "finalize"))
    {
        segments.drain(..2);
    }
    let named = segments.len() > 1;
    let watch = uri.query().is_some_and(|query| {
        query
            .split('&')
            .any(|pair| matches!(pair, "watch=true" | "watch=1" | "follow=true"))
    });
    let resource = match segments.as_slice() {
        [] => "discovery".to_owned(),
        [resource] | [resource, _] => (*resource).to_owned(),
        [resource, _, sub, ..] => format!("{resource}/{sub}"),
    };
    (verb(method, named, watch), resource)
}

fn verb(method: &Method, named: bool, watch: bool) -> &'static str {
    match (method.as_str(), named) {
        ("GET", _) if watch => "watch",
        ("GET", true) => "get",
        ("GET", false) => "list",
        ("POST", _) => "create",
        ("PUT", _) => "update",
        ("PATCH", _) => "patch",
        ("DELETE", true) => "delete",
        ("DELETE", false) => "deletecollection",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use tower::{ServiceExt, service_fn};

    use super::*;

    #[test]
    fn names_verbs_and_resources_as_the_audit_log_does() {
        for (method, path, expected) in [
            ("GET", "/api/v1/pods", ("list", "pods")),
            (
                "GET",
                "/api/v1/namespaces/shop/pods?watch=true",
                ("watch", "pods"),
            ),
            ("GET", "/api/v1/namespaces/shop/pods/a", ("get", "pods")),
            ("GET", "/api/v1/namespaces", ("list", "namespaces")),
            ("GET", "/api/v1/namespaces/shop", ("get", "namespaces")),
            (
                "PUT",
                "/api/v1/namespaces/shop/finalize",
                ("update", "namespaces/finalize"),
            ),
            (
                "PATCH",
                "/apis/apps/v1/namespaces/shop/deployments/a?dryRun=All",
                ("patch", "deployments"),
            ),
            (
                "PATCH",
                "/apis/sluice.dev/v1alpha1/namespaces/shop/releases/a/status",
                ("patch", "releases/status"),
            ),
            (
                "POST",
                "/apis/coordination.k8s.io/v1/namespaces/sluice-system/leases",
                ("create", "leases"),
            ),
            (
                "DELETE",
                "/api/v1/namespaces/shop/pods",
                ("deletecollection", "pods"),
            ),
            ("GET", "/version", ("list", "other")),
            ("GET", "/apis/apps/v1", ("list", "discovery")),
        ] {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let (verb, resource) = describe(&method, &path.parse().unwrap());
            assert_eq!((verb, resource.as_str()), expected, "{path}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_never_begins_is_an_error_and_counted() {
        let metrics = Metrics::new();
        let service = CountRequests::new(&metrics, Duration::from_secs(30)).layer(service_fn(
            |_: Request<()>| std::future::pending::<Result<Response<()>, BoxError>>(),
        ));
        let request = Request::get("/api/v1/pods").body(()).unwrap();
        let error = service.oneshot(request).await.unwrap_err();
        assert!(error.is::<NoAnswer>(), "{error}");
        let text = metrics.render();
        assert!(
            text.contains(
                r#"sluice_api_requests_total{verb="list",resource="pods",code="timeout"} 1"#
            ),
            "{text}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_watch_may_stay_silent() {
        let metrics = Metrics::new();
        let service = CountRequests::new(&metrics, Duration::from_secs(1)).layer(service_fn(
            |_: Request<()>| async {
                tokio::time::sleep(Duration::from_secs(60)).await;
                Ok::<_, BoxError>(Response::new(()))
            },
        ));
        let request = Request::get("/api/v1/pods?watch=true").body(()).unwrap();
        service.oneshot(request).await.unwrap();
    }
}
