//! What a review as large as is taken needs of memory, whatever it is made of. In a process of its own: the kernel accounts resident memory by process.

#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its own helpers too"
)]

use std::{fs, sync::Arc, time::Instant};

use axum::body::Body;
use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use sluice_policies::ExceptionBounds;
use sluice_probes::TargetRules;
use sluice_runtime::{heartbeat::HeartbeatReader, metrics::Metrics};
use sluice_webhook::{
    http::{BODY_LIMIT, Door, router},
    index::{
        Indexes,
        bucket::{Change, Index, Key},
        reduce::Stored,
    },
    judge::{Hook, Knowledge},
    metrics::AdmissionMetrics,
};
use tower::ServiceExt;

/// What a review may add to what is resident.
const BAR: u64 = 64_000_000;
/// Rules that look into every container and every setting of a Deployment.
const RULES: [&str; 6] = [
    "container-without-memory-limit",
    "container-without-requests",
    "deployment-without-readiness-probe",
    "secret-in-environment",
    "configmap-not-found",
    "secret-not-found",
];

fn knowledge() -> Knowledge {
    fn complete<T: Clone>(index: &Index<T>) {
        index.change(Change::ListBegins);
        index.change(Change::ListEnds);
    }
    let indexes = Indexes::new(
        "sluice-system",
        HeartbeatReader::new(Instant::now()),
        ExceptionBounds::default(),
    );
    complete(&indexes.namespaces);
    complete(&indexes.gates);
    complete(&indexes.plans);
    complete(&indexes.releases);
    complete(&indexes.probes);
    complete(&indexes.policies);
    complete(&indexes.exceptions);
    complete(&indexes.quotas);
    complete(&indexes.limit_ranges);
    indexes.workloads.iter().for_each(complete);
    indexes.heartbeat(None, Instant::now());
    let rules: Vec<Value> = RULES.iter().map(|name| json!({"use": name})).collect();
    // one of one's own, for which the object is looked at with its defaults
    let own = json!({"name": "named", "kinds": ["Deployment"], "cel": "object.spec.replicas > 0 && pod.spec.containers.size() < 9"});
    let spec = json!({"rules": rules.into_iter().chain([own]).collect::<Vec<_>>()});
    let key = Key {
        bucket: "sluice-system".into(),
        name: "all".into(),
    };
    let spec = Stored(Ok(Arc::new(serde_json::from_value(spec).unwrap())));
    indexes.policies.change(Change::Applied(key, spec));
    assert_eq!(indexes.compile().broken_policies, Vec::<String>::new());
    Knowledge {
        indexes,
        targets: TargetRules::default(),
    }
}

/// An update in which old and new hold as many items of a list as fit.
fn review(list: &str, item: impl Fn(usize) -> String) -> Bytes {
    let object = |version: &str| {
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "large", "namespace": "shop", "uid": "u", "generation": 1},
            "spec": {"replicas": 1, "selector": {"matchLabels": {"a": "b"}}, "template": {"metadata": {"labels": {"a": "b"}}, "spec": {
                "containers": [{"name": "main", "image": version, list: "@"}]}}},
        })
    };
    let whole = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
        "uid": "1", "kind": {"group": "apps", "version": "v1", "kind": "Deployment"}, "name": "large", "namespace": "shop",
        "operation": "UPDATE", "object": object("a:2"), "oldObject": object("a:1")}});
    let frame = whole.to_string();
    let room = (BODY_LIMIT - frame.len()) / 2;
    let mut items = String::with_capacity(room);
    items.push('[');
    for number in 0.. {
        let item = item(number);
        if items.len() + item.len() + 2 > room {
            break;
        }
        if number > 0 {
            items.push(',');
        }
        items.push_str(&item);
    }
    items.push(']');
    Bytes::from(frame.replace("\"@\"", &items))
}

fn status(field: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(field)).unwrap();
    line.split_whitespace()
        .nth(1)
        .unwrap()
        .parse::<u64>()
        .unwrap()
        * 1024
}

#[tokio::test]
async fn a_review_of_eight_mebibytes_needs_less_than_64_megabytes_more() {
    let door = Door::new(
        Arc::new(knowledge()),
        AdmissionMetrics::register(&Metrics::new()),
    );
    let router = router(Arc::new(door));
    let setting = |size: usize| {
        move |number: usize| {
            format!(
                r#"{{"name":"SETTING_{number:06}","value":"{}"}}"#,
                "v".repeat(size)
            )
        }
    };
    let reviews = [
        (
            "settings of 1 KB",
            review("env", setting(1000)),
            StatusCode::OK,
        ),
        (
            "settings of 16 bytes",
            review("env", setting(16)),
            StatusCode::OK,
        ),
        (
            "maps of one entry",
            review("env", |_| r#"{"":0}"#.into()),
            StatusCode::BAD_REQUEST,
        ),
        (
            "numbers",
            review("args", |_| "0".into()),
            StatusCode::BAD_REQUEST,
        ),
    ];
    // with the reviews themselves; what is kept after one of them counts for the next
    let before = status("VmRSS:");
    for (what, review, expected) in reviews {
        assert!(
            review.len() <= BODY_LIMIT && review.len() > BODY_LIMIT - 4096,
            "{}",
            review.len()
        );
        // resident before, and in pieces as a connection brings them: what they are cut from stays
        let pieces = (0..review.len()).step_by(65_536);
        let pieces: Vec<Bytes> = pieces
            .map(|at| review.slice(at..review.len().min(at + 65_536)))
            .collect();
        let stream = futures::stream::iter(pieces.into_iter().map(Ok::<_, std::io::Error>));
        let request = Request::post(Hook::Workload.path())
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::CONTENT_LENGTH, review.len())
            .body(Body::from_stream(stream))
            .unwrap();
        // the mark falls to what is resident now, see proc_pid_clear_refs(5)
        fs::write("/proc/self/clear_refs", "5").unwrap();
        let began = Instant::now();
        let answer = router.clone().oneshot(request).await.unwrap();
        let took = began.elapsed();
        let extra = status("VmHWM:").saturating_sub(before);
        let kept = status("VmRSS:").saturating_sub(before);
        println!(
            "{what}: {:.1} MB more, {:.1} MB kept, {took:?}",
            extra as f64 / 1e6,
            kept as f64 / 1e6
        );
        assert_eq!(answer.status(), expected, "{what}");
        let text = answer.into_body().collect().await.unwrap().to_bytes();
        let text = String::from_utf8_lossy(&text);
        let said = if expected == StatusCode::OK {
            "\"allowed\":true"
        } else {
            "more than 500000 values"
        };
        assert!(text.contains(said), "{what}: {text}");
        assert!(extra < BAR, "{what}: {extra} bytes more");
    }
}
