//! The AdmissionReview on the wire. The objects inside stay unparsed until somebody needs them: a review is routed on its envelope alone.

use std::{borrow::Cow, collections::BTreeMap};

use k8s_openapi::ByteString;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The one version of AdmissionReview that is spoken.
pub const API_VERSION: &str = "admission.k8s.io/v1";
/// Its kind.
pub const KIND: &str = "AdmissionReview";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    #[serde(borrow, default)]
    api_version: Cow<'a, str>,
    #[serde(borrow, default)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    request: Option<Review<'a>>,
}

/// One request as the API server sent it, lent from the body.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Review<'a> {
    /// What the answer must echo.
    #[serde(borrow)]
    pub uid: Cow<'a, str>,
    /// The kind of the object, after conversion to the version the rules name.
    #[serde(borrow)]
    pub kind: Kind<'a>,
    /// The resource, after the same conversion.
    #[serde(borrow, default)]
    pub resource: Resource<'a>,
    /// The sub-resource, when there is one.
    #[serde(borrow, default)]
    pub sub_resource: Option<Cow<'a, str>>,
    /// The name; empty on a create that lets the server choose one.
    #[serde(borrow, default)]
    pub name: Option<Cow<'a, str>>,
    /// The namespace; absent for cluster-scoped objects.
    #[serde(borrow, default)]
    pub namespace: Option<Cow<'a, str>>,
    /// What happens to the object.
    #[serde(borrow)]
    pub operation: Cow<'a, str>,
    /// The object as it shall be; null on delete.
    #[serde(borrow, default)]
    pub object: Option<&'a RawValue>,
    /// The object as it is; null on create.
    #[serde(borrow, default)]
    pub old_object: Option<&'a RawValue>,
    /// Whether nothing will be stored.
    #[serde(default)]
    pub dry_run: Option<bool>,
    /// Who makes the request.
    #[serde(borrow, default)]
    pub user_info: Option<&'a RawValue>,
}

/// Group, version and kind.
#[derive(Debug, Deserialize)]
pub struct Kind<'a> {
    /// The group, empty for the core group.
    #[serde(borrow, default)]
    pub group: Cow<'a, str>,
    /// The version.
    #[serde(borrow, default)]
    pub version: Cow<'a, str>,
    /// The kind.
    #[serde(borrow)]
    pub kind: Cow<'a, str>,
}

/// Group and name of a resource.
#[derive(Debug, Default, Deserialize)]
pub struct Resource<'a> {
    /// The group, empty for the core group.
    #[serde(borrow, default)]
    pub group: Cow<'a, str>,
    /// The name, such as `deployments`.
    #[serde(borrow, default)]
    pub resource: Cow<'a, str>,
}

/// Why a body is no review.
#[derive(Debug, thiserror::Error)]
pub enum EnvelopeError {
    /// Not JSON, or not of the shape of a review.
    #[error("the body is not an AdmissionReview: {0}")]
    Malformed(#[from] serde_json::Error),
    /// Another API than the one spoken here.
    #[error("the body says {kind} and {api_version}, expected {KIND} and {API_VERSION}")]
    UnknownVersion {
        /// What the body calls its version.
        api_version: String,
        /// What the body calls itself.
        kind: String,
    },
    /// A review without a request.
    #[error("the AdmissionReview has no request")]
    NoRequest,
    /// A request without what its operation implies.
    #[error("the request has no {what}, which every {operation} has")]
    Incomplete {
        /// What is missing.
        what: &'static str,
        /// The operation.
        operation: String,
    },
}

impl<'a> Review<'a> {
    /// Reads the envelope of a review.
    ///
    /// # Errors
    /// When the body is not an AdmissionReview v1 with a complete request.
    pub fn parse(body: &'a [u8]) -> Result<Self, EnvelopeError> {
        let envelope: Envelope<'a> = serde_json::from_slice(body)?;
        if envelope.api_version != API_VERSION || envelope.kind != KIND {
            let cut = |text: &str| match text {
                "" => "no kind or version".to_owned(),
                text => text.chars().take(80).collect(),
            };
            return Err(EnvelopeError::UnknownVersion {
                api_version: cut(&envelope.api_version),
                kind: cut(&envelope.kind),
            });
        }
        let review = envelope.request.ok_or(EnvelopeError::NoRequest)?;
        let missing = if review.uid.is_empty() {
            Some("uid")
        } else {
            match review.operation.as_ref() {
                "CREATE" | "UPDATE" if review.object.is_none() => Some("object"),
                "UPDATE" if review.old_object.is_none() => Some("oldObject"),
                _ => None,
            }
        };
        match missing {
            Some(what) => Err(EnvelopeError::Incomplete {
                what,
                operation: review.operation.chars().take(16).collect(),
            }),
            None => Ok(review),
        }
    }

    /// Whether nothing will be stored.
    #[must_use]
    pub fn is_dry_run(&self) -> bool {
        self.dry_run.unwrap_or(false)
    }
}

/// What is answered.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reply {
    /// Why the request is refused; `None` lets it in.
    pub refused: Option<String>,
    /// What the client is told beside the answer.
    pub warnings: Vec<String>,
    /// A JSON Patch; empty changes nothing.
    pub patch: Vec<u8>,
    /// For the audit log of the API server.
    pub audit: BTreeMap<&'static str, String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    api_version: &'static str,
    kind: &'static str,
    response: Response<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Response<'a> {
    uid: &'a str,
    allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status<'a>>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    warnings: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    patch_type: Option<&'static str>,
    /// Serialised as base64, as Go reads a byte slice.
    #[serde(skip_serializing_if = "Option::is_none")]
    patch: Option<ByteString>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    audit_annotations: &'a BTreeMap<&'static str, String>,
}

#[derive(Serialize)]
struct Status<'a> {
    code: u16,
    reason: &'static str,
    message: &'a str,
}

impl Reply {
    /// The answer as bytes. A denial carries code 403: below 400 the API server would make it 400.
    ///
    /// # Errors
    /// None in practice: strings, numbers and maps of them.
    pub fn render(self, uid: &str) -> Result<Vec<u8>, serde_json::Error> {
        let patched = !self.patch.is_empty();
        serde_json::to_vec(&Answer {
            api_version: API_VERSION,
            kind: KIND,
            response: Response {
                uid,
                allowed: self.refused.is_none(),
                status: self.refused.as_deref().map(|message| Status {
                    code: 403,
                    reason: "Forbidden",
                    message,
                }),
                warnings: &self.warnings,
                patch_type: patched.then_some("JSONPatch"),
                patch: patched.then_some(ByteString(self.patch)),
                audit_annotations: &self.audit,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn review() -> Value {
        json!({
            "apiVersion": API_VERSION, "kind": KIND,
            "request": {
                "uid": "u-1", "kind": {"group": "batch", "version": "v1", "kind": "CronJob"},
                "resource": {"group": "batch", "version": "v1", "resource": "cronjobs"},
                "requestKind": {"group": "batch", "version": "v1", "kind": "CronJob"},
                "name": "reports", "namespace": "shop", "operation": "CREATE",
                "userInfo": {"username": "dev", "groups": ["g"]},
                "object": {"spec": {"x": "\u{e9}\n"}}, "oldObject": null, "dryRun": false,
                "options": {"apiVersion": "meta.k8s.io/v1", "kind": "CreateOptions"}
            }
        })
    }

    #[test]
    fn reads_a_review_without_reading_its_objects() {
        let body = serde_json::to_vec(&review()).unwrap();
        let read = Review::parse(&body).unwrap();
        assert_eq!(read.uid, "u-1");
        assert_eq!(read.kind.kind, "CronJob");
        assert_eq!(read.namespace.as_deref(), Some("shop"));
        assert!(matches!(read.uid, Cow::Borrowed(_)));
        assert!(read.object.unwrap().get().contains("spec"));
        assert!(read.old_object.is_none() && !read.is_dry_run());
    }

    #[test]
    fn says_what_is_wrong_with_a_body() {
        let without = |pointer: &str| {
            let mut changed = review();
            *changed.pointer_mut(pointer).unwrap() = Value::Null;
            serde_json::to_vec(&changed).unwrap()
        };
        let with = |pointer: &str, value: Value| {
            let mut changed = review();
            *changed.pointer_mut(pointer).unwrap() = value;
            serde_json::to_vec(&changed).unwrap()
        };
        for (body, said) in [
            (b"".to_vec(), "not an AdmissionReview"),
            (b"{".to_vec(), "not an AdmissionReview"),
            (b"[]".to_vec(), "not an AdmissionReview"),
            (b"null".to_vec(), "not an AdmissionReview"),
            (b"{\"a\":1}garbage".to_vec(), "not an AdmissionReview"),
            (b"\xff\xfe".to_vec(), "not an AdmissionReview"),
            (
                b"{}".to_vec(),
                "expected AdmissionReview and admission.k8s.io/v1",
            ),
            (
                with("/apiVersion", json!("admission.k8s.io/v1beta1")),
                "v1beta1",
            ),
            (with("/kind", json!("Pod")), "the body says Pod"),
            (without("/request"), "has no request"),
            (without("/request/object"), "has no object"),
            (with("/request/uid", json!("")), "has no uid"),
            (
                with("/request/operation", json!("UPDATE")),
                "has no oldObject",
            ),
            (
                with("/request/dryRun", json!("yes")),
                "not an AdmissionReview",
            ),
            (
                [b"{\"apiVersion\":".to_vec(), b"[".repeat(100_000)].concat(),
                "not an AdmissionReview",
            ),
        ] {
            let error = Review::parse(&body).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
    }

    #[test]
    fn a_patch_goes_out_as_base64_and_a_refusal_as_403() {
        let reply = Reply {
            patch: br#"[{"op":"add"}]"#.to_vec(),
            ..Reply::default()
        };
        let answer: Value = serde_json::from_slice(&reply.render("u-1").unwrap()).unwrap();
        assert_eq!(
            answer,
            json!({"apiVersion": API_VERSION, "kind": KIND, "response": {
                "uid": "u-1", "allowed": true, "patchType": "JSONPatch", "patch": "W3sib3AiOiJhZGQifV0="
            }})
        );
        let reply = Reply {
            refused: Some("no".into()),
            warnings: vec!["w".into()],
            ..Reply::default()
        };
        let answer: Value = serde_json::from_slice(&reply.render("u-1").unwrap()).unwrap();
        assert_eq!(
            answer["response"],
            json!({"uid": "u-1", "allowed": false, "warnings": ["w"],
                "status": {"code": 403, "reason": "Forbidden", "message": "no"}})
        );
    }
}
