//! The Secret, against an API server in memory: made once, never taken from others, and never mistaken for absent.

use std::sync::{Arc, Mutex};

use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::client::Body;
use sluice_certs::{
    Decision, ServingNames, ensure, inspect,
    secret::{self, OWNER_LABEL},
    store::StoreError,
};
use tower::BoxError;

#[derive(Default)]
struct Stored {
    secret: Option<Secret>,
    version: u64,
    writes: u32,
    fail: Option<StatusCode>,
    /// Someone else writes right after the next so many reads.
    races: u32,
}

#[derive(Clone, Default)]
struct SecretApi(Arc<Mutex<Stored>>);

impl SecretApi {
    fn client(&self) -> kube::Client {
        let api = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let api = api.clone();
            async move {
                let (parts, body) = request.into_parts();
                let body = body.collect().await?.to_bytes();
                Ok::<_, BoxError>(api.answer(&parts.method, &body))
            }
        });
        kube::Client::new(service, "sluice-system")
    }

    fn answer(&self, method: &Method, body: &[u8]) -> Response<Body> {
        let mut stored = self.0.lock().unwrap();
        if let Some(code) = stored.fail {
            return failure(code, "Broken");
        }
        if method == Method::GET {
            let answer = match &stored.secret {
                Some(secret) => success(secret),
                None => failure(StatusCode::NOT_FOUND, "NotFound"),
            };
            if stored.races > 0 {
                stored.races -= 1;
                stored.version += 1;
                let version = Some(stored.version.to_string());
                let secret = stored.secret.get_or_insert_default();
                secret.metadata.resource_version = version;
            }
            return answer;
        }
        let mut sent: Secret = serde_json::from_slice(body).unwrap();
        match (&stored.secret, method) {
            (Some(_), &Method::POST) => return failure(StatusCode::CONFLICT, "AlreadyExists"),
            (None, &Method::PUT) => return failure(StatusCode::NOT_FOUND, "NotFound"),
            (Some(known), _) => {
                assert!(
                    sent.metadata.resource_version.is_some(),
                    "a write without precondition"
                );
                if sent.metadata.resource_version != known.metadata.resource_version {
                    return failure(StatusCode::CONFLICT, "Conflict");
                }
            }
            (None, _) => {}
        }
        stored.version += 1;
        stored.writes += 1;
        sent.metadata.resource_version = Some(stored.version.to_string());
        stored.secret = Some(sent.clone());
        success(&sent)
    }

    fn edit(&self, change: impl FnOnce(&mut Secret)) {
        change(self.0.lock().unwrap().secret.as_mut().unwrap());
    }

    fn secret(&self) -> Option<Secret> {
        self.0.lock().unwrap().secret.clone()
    }

    fn writes(&self) -> u32 {
        self.0.lock().unwrap().writes
    }
}

fn success(secret: &Secret) -> Response<Body> {
    Response::new(Body::from(serde_json::to_vec(secret).unwrap()))
}

fn failure(code: StatusCode, reason: &str) -> Response<Body> {
    let status = serde_json::json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure",
        "reason": reason, "message": reason, "code": code.as_u16(),
    });
    Response::builder()
        .status(code)
        .body(Body::from(serde_json::to_vec(&status).unwrap()))
        .unwrap()
}

const NAMESPACE: &str = "sluice-system";

fn names() -> ServingNames {
    ServingNames::of_service("sluice-webhook", NAMESPACE)
}

fn start() -> Timestamp {
    "2026-11-21T09:00:00Z".parse().unwrap()
}

#[tokio::test]
async fn made_once_then_only_read() {
    let api = SecretApi::default();
    let client = api.client();
    let first = ensure(&client, NAMESPACE, &names(), start()).await.unwrap();
    assert_eq!(first.steps, [Decision::IssueAnew]);
    let again = ensure(&client, NAMESPACE, &names(), start()).await.unwrap();
    assert!(again.steps.is_empty());
    assert_eq!(again.ca_bundle, first.ca_bundle);
    assert!(again.check_again > start() + SignedDuration::from_hours(24 * 59));
    assert_eq!(api.writes(), 1);
    let secret = api.secret().unwrap();
    assert!(secret::ours(&secret));
    assert_eq!(secret.type_.as_deref(), Some("kubernetes.io/tls"));
    let leaf = secret::leaf(&secret).unwrap();
    let ca = String::from_utf8(first.ca_bundle).unwrap();
    inspect::check(&ca, &leaf, &names(), start()).unwrap();
}

#[tokio::test]
async fn a_year_of_calls_renews_and_overlaps() {
    let api = SecretApi::default();
    let client = api.client();
    let mut steps = Vec::new();
    let mut bundles = std::collections::BTreeSet::new();
    for day in 0..365 {
        let now = start() + SignedDuration::from_hours(24 * day);
        let published = ensure(&client, NAMESPACE, &names(), now).await.unwrap();
        steps.extend(published.steps);
        bundles.insert(
            String::from_utf8(published.ca_bundle)
                .unwrap()
                .matches("BEGIN")
                .count(),
        );
    }
    let count = |step| steps.iter().filter(|taken| **taken == step).count();
    assert_eq!(count(Decision::IssueAnew), 1);
    assert_eq!(count(Decision::PrepareCa), 1);
    assert_eq!(count(Decision::SwitchCa), 1);
    assert_eq!(count(Decision::DropPrevious), 1);
    assert!(count(Decision::RenewLeaf) >= 4, "{steps:?}");
    assert_eq!(bundles.into_iter().collect::<Vec<_>>(), [1, 2]);
}

#[tokio::test]
async fn an_api_error_is_an_error_and_nothing_is_written() {
    for code in [403, 429, 500, 503] {
        let api = SecretApi::default();
        ensure(&api.client(), NAMESPACE, &names(), start())
            .await
            .unwrap();
        api.0.lock().unwrap().fail = Some(StatusCode::from_u16(code).unwrap());
        let error = ensure(&api.client(), NAMESPACE, &names(), start())
            .await
            .unwrap_err();
        assert!(
            matches!(error, StoreError::Api { action: "read", .. }),
            "{code}: {error}"
        );
        assert_eq!(api.writes(), 1);
    }
}

#[tokio::test]
async fn two_leaders_at_once_end_with_one_secret_that_both_publish() {
    let api = SecretApi::default();
    let (one, two) = (api.client(), api.client());
    let names = names();
    let (one, two) = tokio::join!(
        ensure(&one, NAMESPACE, &names, start()),
        ensure(&two, NAMESPACE, &names, start())
    );
    assert_eq!(one.unwrap().ca_bundle, two.unwrap().ca_bundle);
    assert_eq!(api.writes(), 1);
}

#[tokio::test]
async fn a_write_in_between_is_looked_at_again() {
    let api = SecretApi::default();
    let client = api.client();
    ensure(&client, NAMESPACE, &names(), start()).await.unwrap();
    api.0.lock().unwrap().races = 2;
    let late = start() + SignedDuration::from_hours(24 * 70);
    let published = ensure(&client, NAMESPACE, &names(), late).await.unwrap();
    assert_eq!(published.steps, [Decision::RenewLeaf]);
    assert_eq!(api.writes(), 2);
    api.0.lock().unwrap().races = 100;
    let later = late + SignedDuration::from_hours(24 * 70);
    let error = ensure(&client, NAMESPACE, &names(), later)
        .await
        .unwrap_err();
    assert!(matches!(error, StoreError::Raced { .. }), "{error}");
}

#[tokio::test]
async fn what_is_not_marked_as_ours_is_never_overwritten() {
    type Damage = fn(&mut Secret);
    let damages: [(&str, Damage); 4] = [
        ("no data", |secret| secret.data = None),
        ("no authority key", |secret| {
            secret.data.as_mut().unwrap().remove("ca.key");
        }),
        ("not text", |secret| {
            secret
                .data
                .as_mut()
                .unwrap()
                .insert("tls.crt".into(), ByteString(vec![0xff, 0xfe]));
        }),
        ("not PEM", |secret| {
            secret
                .data
                .as_mut()
                .unwrap()
                .insert("tls.crt".into(), ByteString(b"hello".to_vec()));
        }),
    ];
    for (name, damage) in damages {
        for ours in [true, false] {
            let api = SecretApi::default();
            ensure(&api.client(), NAMESPACE, &names(), start())
                .await
                .unwrap();
            api.edit(damage);
            if !ours {
                api.edit(|secret| {
                    secret
                        .metadata
                        .labels
                        .as_mut()
                        .unwrap()
                        .remove(OWNER_LABEL.0);
                });
            }
            let result = ensure(&api.client(), NAMESPACE, &names(), start()).await;
            if ours {
                assert_eq!(result.unwrap().steps.len(), 1, "{name}");
                let leaf = secret::leaf(&api.secret().unwrap()).unwrap();
                inspect::facts(&leaf.cert_pem).unwrap();
            } else {
                let error = result.unwrap_err();
                assert!(
                    matches!(
                        error,
                        StoreError::NotOurs { .. } | StoreError::NotOursToChange { .. }
                    ),
                    "{name}: {error}"
                );
                assert!(
                    error.to_string().contains("delete it, or label it"),
                    "{error}"
                );
                assert_eq!(api.writes(), 1, "{name}");
            }
        }
    }
}

#[tokio::test]
async fn what_others_put_on_the_secret_stays() {
    let api = SecretApi::default();
    ensure(&api.client(), NAMESPACE, &names(), start())
        .await
        .unwrap();
    api.edit(|secret| {
        secret
            .metadata
            .annotations
            .get_or_insert_default()
            .insert("team".into(), "a".into());
        secret
            .metadata
            .labels
            .as_mut()
            .unwrap()
            .insert("tier".into(), "b".into());
    });
    let late = start() + SignedDuration::from_hours(24 * 70);
    ensure(&api.client(), NAMESPACE, &names(), late)
        .await
        .unwrap();
    let metadata = api.secret().unwrap().metadata;
    assert_eq!(metadata.annotations.unwrap()["team"], "a");
    assert_eq!(metadata.labels.unwrap()["tier"], "b");
}
