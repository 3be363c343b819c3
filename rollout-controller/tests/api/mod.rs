//! A very small API server in memory: GET, POST, DELETE and PATCH of single objects, resourceVersions, dry-run, the status subresource, ownership of what a
//! patch touches, and failures on demand. Reads always work; failures meet writes only.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{Arc, Mutex},
};

use http::{Method, Request, Response};
use http_body_util::BodyExt;
use kube::{Client, client::Body};
use serde_json::{Value, json};

#[derive(Default)]
struct State {
    objects: BTreeMap<String, Value>,
    version: u64,
    writes: Vec<String>,
    tried: usize,
    fail: Option<(usize, u16)>,
}

#[derive(Clone, Default)]
pub struct Api(Arc<Mutex<State>>);

impl Api {
    pub fn client(&self) -> Client {
        let api = self.clone();
        Client::new(
            tower::service_fn(move |request: Request<Body>| {
                let api = api.clone();
                async move { Ok::<_, Infallible>(api.answer(request).await) }
            }),
            "default",
        )
    }

    pub fn put(&self, path: &str, object: Value) {
        self.0.lock().unwrap().store(path, object);
    }

    pub fn get(&self, path: &str) -> Option<Value> {
        self.0.lock().unwrap().objects.get(path).cloned()
    }

    /// Somebody else writes: only the version moves.
    pub fn touch(&self, path: &str) {
        let object = self.get(path).unwrap();
        self.put(path, object);
    }

    /// Every write from the `at`-th on is answered with `status`.
    pub fn fail_from(&self, at: usize, status: u16) {
        self.0.lock().unwrap().fail = Some((at, status));
    }

    pub fn heal(&self) {
        self.0.lock().unwrap().fail = None;
    }

    /// What was written, in order; dry-runs and failures left out.
    pub fn writes(&self) -> Vec<String> {
        self.0.lock().unwrap().writes.clone()
    }

    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let body: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let query = parts.uri.query().unwrap_or_default();
        let content = parts
            .headers
            .get("content-type")
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let result = self.0.lock().unwrap().handle(
            &parts.method,
            parts.uri.path(),
            query.contains("dryRun=All"),
            content.contains("merge-patch"),
            body,
        );
        let (status, body) = match result {
            Ok(object) => (200, object),
            Err((status, message)) => (
                status,
                json!({"kind": "Status", "status": "Failure", "code": status, "message": message, "reason": "Test"}),
            ),
        };
        Response::builder()
            .status(status)
            .body(Body::from(body.to_string().into_bytes()))
            .unwrap()
    }
}

impl State {
    fn store(&mut self, path: &str, mut object: Value) -> Value {
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.objects.insert(path.to_owned(), object.clone());
        object
    }

    fn handle(
        &mut self,
        method: &Method,
        path: &str,
        dry_run: bool,
        merge: bool,
        body: Value,
    ) -> Result<Value, (u16, String)> {
        let missing = || (404, format!("{path} not found"));
        if method == Method::GET {
            return self.objects.get(path).cloned().ok_or_else(missing);
        }
        let tried = self.tried;
        self.tried += 1;
        if let Some((at, status)) = self.fail
            && tried >= at
        {
            return Err((status, "failure on demand".to_owned()));
        }
        match method.as_str() {
            "POST" => {
                let name = body["metadata"]["name"].as_str().unwrap();
                let path = format!("{path}/{name}");
                if self.objects.contains_key(&path) {
                    return Err((409, "already exists".to_owned()));
                }
                self.writes.push(format!("POST {path}"));
                Ok(self.store(&path, body))
            }
            "PATCH" => {
                let place = path.trim_end_matches("/status");
                let old = self.objects.get(place).cloned().ok_or_else(missing)?;
                let mut new = old.clone();
                let mut about = String::new();
                if merge {
                    json_patch::merge(&mut new, &body);
                } else {
                    let patch: json_patch::Patch = serde_json::from_value(body.clone()).unwrap();
                    json_patch::patch(&mut new, &patch)
                        .map_err(|error| (422, error.to_string()))?;
                    if body.to_string().contains("/metadata/managedFields") {
                        about = " managedFields".to_owned();
                    } else if path.contains("deployments") {
                        take_over(&mut new);
                    }
                }
                if dry_run {
                    return Ok(new);
                }
                self.writes.push(format!("PATCH {path}{about}"));
                Ok(self.store(place, new))
            }
            "DELETE" => {
                let wanted = &body["preconditions"]["resourceVersion"];
                let old = self.objects.get(path).cloned().ok_or_else(missing)?;
                if !wanted.is_null() && *wanted != old["metadata"]["resourceVersion"] {
                    return Err((409, "has changed".to_owned()));
                }
                self.writes.push(format!("DELETE {path}"));
                self.objects.remove(path);
                Ok(old)
            }
            other => Err((405, format!("{other} is not for this test"))),
        }
    }
}

/// What the API server does with the ownership of `spec.paused` when a plain patch changes it.
fn take_over(object: &mut Value) {
    let list = object["metadata"]["managedFields"].as_array_mut().unwrap();
    for entry in list.iter_mut() {
        if let Some(spec) = entry["fieldsV1"]["f:spec"].as_object_mut() {
            spec.remove("f:paused");
        }
    }
    list.push(json!({
        "manager": "sluice-controller", "operation": "Update", "apiVersion": "apps/v1", "fieldsType": "FieldsV1",
        "fieldsV1": {"f:spec": {"f:paused": {}}},
    }));
}
