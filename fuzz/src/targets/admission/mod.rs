//! Bodies of admission reviews, through the router of the webhook without a socket: each gets a proper HTTP answer with its own uid, what is no review is
//! never let in, and only the mutating webhook changes anything.

mod cluster;

use std::{str, sync::Arc};

use axum::{Router, body::Body};
use futures::FutureExt;
use http::{Request, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use sluice_runtime::metrics::Metrics;
use sluice_webhook::{
    http::{Door, router},
    judge::{Hook, judge},
    metrics::AdmissionMetrics,
};
use tower::ServiceExt;

use super::{chosen, holds, manifest};
use crate::target::{Fingerprint, Form, Seen, Target};

/// One body in so many is sent to every entry, and a second time.
const AGAIN: u64 = 16;
/// The longest message of a refusal, and all warnings together.
const LONGEST: usize = 4096;

/// The target.
pub struct Admission {
    router: Router,
}

impl Admission {
    /// With a cluster in memory: namespaces of every mode, policies, gates, plans and quotas.
    #[must_use]
    pub fn new() -> Self {
        let metrics = AdmissionMetrics::register(&Metrics::new());
        let knowledge = Arc::new(cluster::knowledge());
        let door = Door::judged_by(knowledge, metrics, |knowledge, hook, review, _| {
            judge(knowledge, hook, review, cluster::moment())
        });
        Self {
            router: router(Arc::new(door)),
        }
    }
}

impl Default for Admission {
    fn default() -> Self {
        Self::new()
    }
}

impl Target for Admission {
    fn name(&self) -> &'static str {
        "admission"
    }

    fn form(&self) -> Form {
        Form::Json
    }

    fn longest(&self) -> usize {
        6000
    }

    fn memory(&self) -> usize {
        32 << 20
    }

    fn seeds(&self) -> Vec<String> {
        let objects: Vec<Value> = manifest::manifests()
            .iter()
            .filter_map(|text| serde_saphyr::from_str(text).ok())
            .filter(|object: &Value| object["kind"].is_string())
            .chain(cluster::deployments())
            .collect();
        let creates = objects.iter().map(|object| review(object, None));
        // each in the place of the one before it, when that is of the same kind
        let updates = objects
            .windows(2)
            .filter(|pair| pair[0]["kind"] == pair[1]["kind"])
            .map(|pair| review(&pair[1], Some(&pair[0])));
        creates
            .chain(updates)
            .map(|review| review.to_string())
            .collect()
    }

    fn words(&self) -> Vec<String> {
        let mut words = manifest::words();
        words.extend(super::words_of(
            "AdmissionReview admission.k8s.io/v1 admission.k8s.io/v1beta1 request response uid operation CREATE UPDATE DELETE CONNECT \
             object oldObject dryRun subResource status scale userInfo username groups group version resource shop lab dark \
             kube-system sluice-system checkout paused sluice.dev/hold sluice.dev/originals sluice.dev/denied sluice.dev/mode \
             pod-template-hash {} [] null true 1e400 -0",
            &["\\u0000", "\\ud800", "\""],
        ));
        words
    }

    fn check(&mut self, case: &[u8]) -> Result<Seen, String> {
        let mut print = Fingerprint::default();
        let body: Option<Value> = serde_json::from_slice(case).ok();
        let mut depth = self.one(hook_of(body.as_ref()), case, body.as_ref(), &mut print)?;
        if chosen(case, AGAIN) {
            for hook in Hook::ALL {
                let other = self.one(hook, case, body.as_ref(), &mut print)?;
                let first = self.send(hook, case)?;
                holds(first == self.send(hook, case)?, || {
                    format!("{}: answered in two ways", hook.as_str())
                })?;
                if depth == "no review" {
                    depth = other;
                }
            }
            if let Some(body) = &body {
                self.in_place_of_itself(body)?;
            }
        }
        Ok(print.seen(depth))
    }
}

impl Admission {
    /// Status and body of an answer.
    fn send(&self, hook: Hook, body: &[u8]) -> Result<(StatusCode, Vec<u8>), String> {
        let request = Request::post(hook.path())
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(body.to_vec()))
            .map_err(|error| error.to_string())?;
        // everything is in memory: what does not answer at once never will
        let response = self
            .router
            .clone()
            .oneshot(request)
            .now_or_never()
            .ok_or("waits for something")?;
        let Ok(response) = response;
        let status = response.status();
        let bytes = response
            .into_body()
            .collect()
            .now_or_never()
            .ok_or("waits for something")?;
        let bytes = bytes.map_err(|error| error.to_string())?;
        Ok((status, bytes.to_bytes().to_vec()))
    }

    fn one(
        &self,
        hook: Hook,
        case: &[u8],
        body: Option<&Value>,
        print: &mut Fingerprint,
    ) -> Result<&'static str, String> {
        let (status, answer) = self.send(hook, case)?;
        print.add(hook.as_str()).add(status.as_u16());
        let at = hook.as_str();
        if status != StatusCode::OK {
            holds(status == StatusCode::BAD_REQUEST, || {
                format!("{at}: {status}, {}", String::from_utf8_lossy(&answer))
            })?;
            let said = str::from_utf8(&answer).map_err(|error| error.to_string())?;
            holds((10..LONGEST).contains(&said.len()), || {
                format!("{at}: a message of {} bytes", said.len())
            })?;
            print.words(said);
            return Ok("no review");
        }
        let Some(review) = body.filter(|body| {
            body["apiVersion"] == "admission.k8s.io/v1" && body["kind"] == "AdmissionReview"
        }) else {
            return Err(format!(
                "{at}: what is no review was answered with {}",
                String::from_utf8_lossy(&answer)
            ));
        };
        let answer: Value = serde_json::from_slice(&answer).map_err(|error| error.to_string())?;
        holds(
            answer["apiVersion"] == review["apiVersion"] && answer["kind"] == review["kind"],
            || format!("{at}: {answer}"),
        )?;
        let (request, response) = (&review["request"], &answer["response"]);
        holds(
            request["uid"].is_string() && response["uid"] == request["uid"],
            || format!("{at}: uid {} for {}", response["uid"], request["uid"]),
        )?;
        let warnings = response["warnings"]
            .as_array()
            .map_or(&[][..], Vec::as_slice);
        let told: usize = warnings
            .iter()
            .filter_map(Value::as_str)
            .map(str::len)
            .sum();
        holds(told <= LONGEST, || {
            format!("{at}: warnings of {told} bytes")
        })?;
        for warning in warnings {
            print.words(warning.as_str().unwrap_or_default());
        }
        match response["allowed"].as_bool() {
            Some(true) => {
                holds(
                    matches!(request["operation"].as_str(), Some("CREATE" | "UPDATE"))
                        || warnings.is_empty(),
                    || format!("{at}: warned of nothing: {answer}"),
                )?;
            }
            Some(false) => {
                holds(matches!(hook, Hook::Workload | Hook::Object), || {
                    format!("{at}: refused: {answer}")
                })?;
                let message = response["status"]["message"].as_str().unwrap_or_default();
                holds(
                    response["status"]["code"] == 403 && (10..=LONGEST).contains(&message.len()),
                    || format!("{at}: {answer}"),
                )?;
                print.words(message);
                return Ok("refused");
            }
            None => return Err(format!("{at}: neither allowed nor not: {answer}")),
        }
        match response["patch"].as_str() {
            Some(patch) => {
                holds(
                    hook == Hook::Release && response["patchType"] == "JSONPatch",
                    || format!("{at}: changed: {answer}"),
                )?;
                let changed =
                    patched(patch, &request["object"]).map_err(|what| format!("{at}: {what}"))?;
                self.leaves_alone(review, changed)?;
                Ok("patched")
            }
            None if warnings.is_empty() => Ok("allowed"),
            None => Ok("warned"),
        }
    }
}

impl Admission {
    /// Asked again about what it has changed, as the API server does, the mutating webhook changes nothing more.
    fn leaves_alone(&self, review: &Value, changed: Value) -> Result<(), String> {
        let mut again = review.clone();
        again["request"]["object"] = changed;
        let (status, answer) = self.send(Hook::Release, again.to_string().as_bytes())?;
        let answer: Value = serde_json::from_slice(&answer).map_err(|error| error.to_string())?;
        holds(
            status == StatusCode::OK && answer["response"]["patch"].is_null(),
            || format!("asked about its own change it says {answer} to {again}"),
        )
    }

    /// An update that changes nothing is refused by nobody: it would lock controllers out of what runs.
    fn in_place_of_itself(&self, review: &Value) -> Result<(), String> {
        let object = &review["request"]["object"];
        if !object.is_object() {
            return Ok(());
        }
        let mut update = review.clone();
        update["request"]["operation"] = json!("UPDATE");
        update["request"]["oldObject"] = object.clone();
        for hook in [Hook::Release, Hook::Workload, Hook::Observe] {
            let (status, answer) = self.send(hook, update.to_string().as_bytes())?;
            if status != StatusCode::OK {
                continue;
            }
            let answer: Value =
                serde_json::from_slice(&answer).map_err(|error| error.to_string())?;
            let said = answer["response"]["status"]["message"].as_str();
            // what the API server's own schema would have refused is nothing that can be there
            let impossible = said.is_some_and(|said| said.contains("the object cannot be read"));
            holds(answer["response"]["allowed"] == true || impossible, || {
                format!(
                    "{}: an update that changes nothing: {answer} to {update}",
                    hook.as_str()
                )
            })?;
        }
        Ok(())
    }
}

/// The entry that the API server would ask.
fn hook_of(body: Option<&Value>) -> Hook {
    let request = body.map_or(&Value::Null, |body| &body["request"]);
    let own = request["kind"]["group"] == "sluice.dev";
    let uid = request["uid"].as_str().map_or(0, str::len);
    match (
        own,
        request["namespace"].as_str(),
        request["kind"]["kind"].as_str(),
    ) {
        (true, ..) => Hook::Object,
        (_, Some("lab" | "dark"), _) => Hook::Observe,
        // both are asked of Deployments: one of them by chance
        (_, _, Some("Deployment")) if uid % 2 == 1 || request["oldObject"].is_object() => {
            Hook::Release
        }
        _ => Hook::Workload,
    }
}

/// The object after a patch, which is a JSON Patch that applies to it.
fn patched(patch: &str, object: &Value) -> Result<Value, String> {
    let bytes: k8s_openapi::ByteString =
        serde_json::from_value(json!(patch)).map_err(|error| error.to_string())?;
    let patch: json_patch::Patch =
        serde_json::from_slice(&bytes.0).map_err(|error| error.to_string())?;
    let mut changed = object.clone();
    json_patch::patch(&mut changed, &patch)
        .map_err(|error| format!("the patch does not apply: {error}"))?;
    holds(changed != *object, || {
        "a patch that changes nothing".to_owned()
    })?;
    Ok(changed)
}

/// A review as the API server sends it.
fn review(object: &Value, old: Option<&Value>) -> Value {
    let version = object["apiVersion"].as_str().unwrap_or_default();
    let (group, version) = version.split_once('/').unwrap_or(("", version));
    json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
        "uid": "705ab4f5-6393-11e8-b7cc-42010a800002", "kind": {"group": group, "version": version, "kind": object["kind"]},
        "name": object["metadata"]["name"], "namespace": object["metadata"]["namespace"].as_str().unwrap_or("shop"),
        "operation": if old.is_some() { "UPDATE" } else { "CREATE" }, "userInfo": {"username": "dev", "groups": ["system:authenticated"]},
        "object": object, "oldObject": old, "dryRun": false,
    }})
}
