use http::Request as HttpRequest;
use serde_json::{Value, json};
use sluice_runtime::metrics::Metrics;
use tower::ServiceExt as _;

use super::*;
use crate::{
    fixtures::{Cluster, cronjob, review},
    judge::Outcome,
};

struct Server {
    router: Router,
    metrics: Metrics,
}

impl Server {
    fn of(cluster: &Cluster) -> Self {
        Self::judged_by(cluster, judge)
    }

    fn judged_by(cluster: &Cluster, judge: Judge) -> Self {
        let metrics = Metrics::new();
        let door = Door::judged_by(
            Arc::clone(&cluster.0),
            AdmissionMetrics::register(&metrics),
            judge,
        );
        Self {
            router: router(Arc::new(door)),
            metrics,
        }
    }

    async fn send(&self, request: HttpRequest<Body>) -> (StatusCode, String) {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    async fn post(&self, path: &str, body: impl Into<Body>) -> (StatusCode, String) {
        self.send(post_to(path, "application/json", body)).await
    }
}

fn post_to(path: &str, content_type: &str, body: impl Into<Body>) -> HttpRequest<Body> {
    HttpRequest::post(path)
        .header(header::CONTENT_TYPE, content_type)
        .body(body.into())
        .unwrap()
}

fn harmless() -> Vec<u8> {
    serde_json::to_vec(&review(&cronjob(), None, false)).unwrap()
}

#[tokio::test]
async fn what_is_no_review_gets_a_proper_error_and_the_server_goes_on() {
    let server = Server::of(&Cluster::new());
    let workload = Hook::Workload.path();
    let cases = [
        (
            post_to(workload, "application/json", ""),
            400,
            "not an AdmissionReview",
        ),
        (
            post_to(workload, "application/json", "{"),
            400,
            "not an AdmissionReview",
        ),
        (
            post_to(workload, "application/json", "{}"),
            400,
            "expected AdmissionReview",
        ),
        (
            post_to(
                workload,
                "application/json",
                r#"{"apiVersion":"admission.k8s.io/v1beta1","kind":"AdmissionReview"}"#,
            ),
            400,
            "v1beta1",
        ),
        (post_to(workload, "text/yaml", harmless()), 415, "text/yaml"),
        (
            HttpRequest::post(workload)
                .body(Body::from(harmless()))
                .unwrap(),
            415,
            "absent",
        ),
        (
            HttpRequest::get(workload).body(Body::empty()).unwrap(),
            405,
            "",
        ),
        (
            post_to("/admit/nothing", "application/json", harmless()),
            404,
            "",
        ),
        (
            post_to(workload, "application/json", vec![b' '; BODY_LIMIT + 1]),
            413,
            "larger than 8388608 bytes",
        ),
    ];
    for (request, status, said) in cases {
        let what = format!("{request:?}");
        let (found, body) = server.send(request).await;
        assert_eq!(found.as_u16(), status, "{what}: {body}");
        assert!(body.contains(said), "{what}: {body}");
        let (found, _) = server.post(workload, harmless()).await;
        assert_eq!(found, StatusCode::OK, "after {what}");
    }
    let text = server.metrics.render();
    assert!(
        text.contains(r#"sluice_admission_refused_bodies_total{code="413"} 1"#),
        "{text}"
    );
}

#[tokio::test]
async fn a_review_of_eight_mebibytes_is_served() {
    let server = Server::of(&Cluster::new());
    let mut large = cronjob();
    large["metadata"]["annotations"] = json!({"a": "x".repeat(4_000_000)});
    let mut body = serde_json::to_vec(&review(&large, Some(&large), false)).unwrap();
    assert!(body.len() < BODY_LIMIT);
    body.resize(BODY_LIMIT, b' ');
    let (status, answer) = server.post(Hook::Workload.path(), body).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
}

#[tokio::test]
async fn nothing_is_answered_before_every_cache_is_complete() {
    let unknown = Cluster::unknown();
    for hook in Hook::ALL {
        let (status, body) = Server::of(&unknown).post(hook.path(), harmless()).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        for cache in ["namespaces", "gates", "policies", "heartbeat", "daemonsets"] {
            assert!(body.contains(cache), "{body}");
        }
    }
    let (status, _) = Server::of(&Cluster::new())
        .post(Hook::Workload.path(), harmless())
        .await;
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test]
async fn a_panic_answers_its_own_review_and_harms_no_other() {
    fn tripwire(
        knowledge: &Knowledge,
        hook: Hook,
        review: &Review<'_>,
        now: Now,
    ) -> Result<Judged, JudgeError> {
        assert!(review.name.as_deref() != Some("poison"), "stepped on");
        judge(knowledge, hook, review, now)
    }
    let server = Server::judged_by(&Cluster::new(), tripwire);
    let mut poison = cronjob();
    poison["metadata"]["name"] = json!("poison");
    let poison = serde_json::to_vec(&review(&poison, None, false)).unwrap();
    let path = Hook::Workload.path();
    for _ in 0..3 {
        let (bad, good, also_good) = tokio::join!(
            server.post(path, poison.clone()),
            server.post(path, harmless()),
            server.post(path, harmless()),
        );
        assert_eq!(bad.0, StatusCode::INTERNAL_SERVER_ERROR);
        assert!(
            !bad.1.contains("stepped on"),
            "internals stay in the log: {}",
            bad.1
        );
        assert_eq!(good.0, StatusCode::OK);
        assert_eq!(also_good.0, StatusCode::OK);
    }
    assert!(
        server
            .metrics
            .render()
            .contains("sluice_admission_panics_total 3")
    );
}

#[tokio::test]
async fn an_answer_echoes_the_uid_and_is_counted() {
    let server = Server::of(&Cluster::new());
    let (status, answer) = server.post(Hook::Workload.path(), harmless()).await;
    assert_eq!(status, StatusCode::OK);
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(answer["apiVersion"], "admission.k8s.io/v1");
    assert_eq!(
        answer["response"]["uid"],
        "705ab4f5-6393-11e8-b7cc-42010a800002"
    );
    assert_eq!(answer["response"]["allowed"], true);
    let text = server.metrics.render();
    let outcome = Outcome::Allowed.as_str();
    assert!(
        text.contains(&format!(
            r#"sluice_admission_reviews_total{{webhook="workload",outcome="{outcome}"}} 1"#
        )),
        "{text}"
    );
    assert!(
        text.contains(r#"sluice_admission_review_seconds_bucket{le="0.0002",webhook="workload"}"#),
        "{text}"
    );
}

#[tokio::test]
async fn random_bytes_never_take_the_server_down() {
    let server = Server::of(&Cluster::new());
    let valid = harmless();
    let mut state = 0x5eed_u64;
    let mut random = move || {
        // xorshift: reproducible without a dependency
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for _ in 0..2_000 {
        let mut body = valid.clone();
        for _ in 0..=(random() % 8) {
            let at = usize::try_from(random()).unwrap() % body.len();
            match random() % 3 {
                0 => body[at] = (random() % 256) as u8,
                1 => body.truncate(at.max(1)),
                _ => body.insert(at, b"{}[]\",:\\0"[usize::try_from(random()).unwrap() % 9]),
            }
        }
        let hook = Hook::ALL[usize::try_from(random()).unwrap() % 4];
        let (status, _) = server.post(hook.path(), body.clone()).await;
        assert!(
            status == StatusCode::OK || status == StatusCode::BAD_REQUEST,
            "{status} for {}",
            String::from_utf8_lossy(&body)
        );
    }
}
