//! An API server for Leases in memory: create, get and replace with resourceVersion as the real one answers them, and a link per client that
//! can be slow, cut before the server or cut behind it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use k8s_openapi::api::coordination::v1::Lease;
use kube::client::Body;
use tower::BoxError;

#[derive(Default)]
struct Stored {
    leases: BTreeMap<String, Lease>,
    version: u64,
    requests: u64,
}

/// The server.
#[derive(Clone, Default)]
pub struct LeaseApi(Arc<Mutex<Stored>>);

/// What happens to requests of one client.
#[derive(Clone, Copy, Debug, Default)]
pub struct Weather {
    /// On the way there.
    pub delay: Duration,
    /// On the way back.
    pub answer_delay: Duration,
    /// The request never arrives, and the client gets an error at once.
    pub refused: bool,
    /// The request arrives and is done; its answer is lost.
    pub answer_lost: bool,
    /// The server answers 503.
    pub overloaded: bool,
}

/// One client's connection.
#[derive(Clone, Default)]
pub struct Link(Arc<Mutex<Weather>>);

impl Link {
    pub fn set(&self, weather: Weather) {
        *self.0.lock().unwrap() = weather;
    }

    fn get(&self) -> Weather {
        *self.0.lock().unwrap()
    }
}

impl LeaseApi {
    pub fn client(&self) -> (kube::Client, Link) {
        let link = Link::default();
        let (api, weather) = (self.clone(), link.clone());
        let service = tower::service_fn(move |request: Request<Body>| {
            let (api, weather) = (api.clone(), weather.get());
            async move {
                if weather.refused {
                    return Err(BoxError::from("connection refused"));
                }
                tokio::time::sleep(weather.delay).await;
                if weather.overloaded {
                    return Ok(failure(
                        StatusCode::SERVICE_UNAVAILABLE,
                        "ServiceUnavailable",
                    ));
                }
                let (parts, body) = request.into_parts();
                let body = body.collect().await?.to_bytes();
                let answer = api.answer(&parts.method, parts.uri.path(), &body);
                tokio::time::sleep(weather.answer_delay).await;
                if weather.answer_lost {
                    return Err(BoxError::from("connection reset"));
                }
                Ok(answer)
            }
        });
        (kube::Client::new(service, "sluice-system"), link)
    }

    pub fn lease(&self, name: &str) -> Option<Lease> {
        self.0.lock().unwrap().leases.get(name).cloned()
    }

    pub fn holder(&self, name: &str) -> Option<String> {
        self.lease(name)?.spec?.holder_identity
    }

    pub fn requests(&self) -> u64 {
        self.0.lock().unwrap().requests
    }

    /// As a person with kubectl would.
    pub fn edit(&self, name: &str, change: impl FnOnce(&mut Lease)) {
        let mut stored = self.0.lock().unwrap();
        stored.version += 1;
        let version = stored.version.to_string();
        let lease = stored.leases.get_mut(name).expect("the lease exists");
        change(lease);
        lease.metadata.resource_version = Some(version);
    }

    pub fn delete(&self, name: &str) {
        self.0.lock().unwrap().leases.remove(name);
    }

    fn answer(&self, method: &Method, path: &str, body: &[u8]) -> Response<Body> {
        let mut stored = self.0.lock().unwrap();
        stored.requests += 1;
        let name = path.rsplit_once("/leases").expect("a path of leases").1;
        let name = name.trim_start_matches('/').to_owned();
        if method == Method::GET {
            return match stored.leases.get(&name) {
                Some(lease) => success(lease),
                None => failure(StatusCode::NOT_FOUND, "NotFound"),
            };
        }
        let mut sent: Lease = serde_json::from_slice(body).expect("a lease");
        let known = if method == Method::POST {
            let name = sent.metadata.name.clone().expect("a name");
            if stored.leases.contains_key(&name) {
                return failure(StatusCode::CONFLICT, "AlreadyExists");
            }
            name
        } else {
            assert_eq!(method, Method::PUT, "only create, get and replace are used");
            let Some(current) = stored.leases.get(&name) else {
                return failure(StatusCode::NOT_FOUND, "NotFound");
            };
            let expected = sent.metadata.resource_version.as_ref();
            assert!(expected.is_some(), "a replace without precondition");
            if expected != current.metadata.resource_version.as_ref() {
                return failure(StatusCode::CONFLICT, "Conflict");
            }
            name
        };
        stored.version += 1;
        sent.metadata.resource_version = Some(stored.version.to_string());
        stored.leases.insert(known, sent.clone());
        success(&sent)
    }
}

fn success(lease: &Lease) -> Response<Body> {
    Response::new(Body::from(serde_json::to_vec(lease).unwrap()))
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
