//! The Secret that holds the material, and what of it counts as ours. Pure.

use std::collections::BTreeMap;

use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::api::ObjectMeta;

use crate::{issue::Keyed, rotation::Material};

/// The Secret's name, in Sluice's own namespace.
pub const SECRET_NAME: &str = "sluice-webhook-certs";
/// The label that says whose the Secret is; without it nothing in it is overwritten.
pub const OWNER_LABEL: (&str, &str) = ("app.kubernetes.io/managed-by", "sluice");
/// The type that other tools read `tls.crt` and `tls.key` of.
const SECRET_TYPE: &str = "kubernetes.io/tls";

const CA_CERT: &str = "ca.crt";
const CA_KEY: &str = "ca.key";
const NEXT_CERT: &str = "ca-next.crt";
const NEXT_KEY: &str = "ca-next.key";
const PREVIOUS_CERT: &str = "ca-previous.crt";
const LEAF_CERT: &str = "tls.crt";
const LEAF_KEY: &str = "tls.key";

/// What is wrong with the Secret's content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContentError {
    /// A key is missing.
    #[error("`{key}` is missing")]
    Missing {
        /// The key in `data`.
        key: &'static str,
    },
    /// A value is no text.
    #[error("`{key}` is not text in PEM")]
    NotText {
        /// The key in `data`.
        key: &'static str,
    },
}

/// Whether the Secret says that it is ours.
#[must_use]
pub fn ours(secret: &Secret) -> bool {
    secret
        .metadata
        .labels
        .as_ref()
        .and_then(|labels| labels.get(OWNER_LABEL.0))
        .is_some_and(|owner| owner == OWNER_LABEL.1)
}

/// The serving certificate and key. All that a webhook replica reads.
///
/// # Errors
/// What is missing or no text.
pub fn leaf(secret: &Secret) -> Result<Keyed, ContentError> {
    keyed(secret, LEAF_CERT, LEAF_KEY)
}

/// Everything in the Secret. Whether the certificates work is not looked at.
///
/// # Errors
/// What is missing or no text.
pub fn material(secret: &Secret) -> Result<Material, ContentError> {
    let next = match keyed(secret, NEXT_CERT, NEXT_KEY) {
        Ok(next) => Some(next),
        Err(ContentError::Missing { .. }) => None,
        Err(error) => return Err(error),
    };
    let previous = match text(secret, PREVIOUS_CERT) {
        Ok(previous) => Some(previous),
        Err(ContentError::Missing { .. }) => None,
        Err(error) => return Err(error),
    };
    Ok(Material {
        ca: keyed(secret, CA_CERT, CA_KEY)?,
        next,
        previous,
        leaf: leaf(secret)?,
    })
}

/// The Secret with this material: `found` with its data replaced, or a new one. The resourceVersion of `found` stays and guards the write.
#[must_use]
pub fn with_material(found: Option<&Secret>, namespace: &str, material: &Material) -> Secret {
    let mut secret = found.cloned().unwrap_or_else(|| Secret {
        metadata: ObjectMeta {
            name: Some(SECRET_NAME.to_owned()),
            namespace: Some(namespace.to_owned()),
            ..ObjectMeta::default()
        },
        type_: Some(SECRET_TYPE.to_owned()),
        ..Secret::default()
    });
    secret.metadata.managed_fields = None;
    secret
        .metadata
        .labels
        .get_or_insert_default()
        .insert(OWNER_LABEL.0.to_owned(), OWNER_LABEL.1.to_owned());
    let mut data = BTreeMap::new();
    let mut put = |key: &str, value: &str| {
        data.insert(key.to_owned(), ByteString(value.as_bytes().to_vec()));
    };
    put(CA_CERT, &material.ca.cert_pem);
    put(CA_KEY, &material.ca.key_pem);
    put(LEAF_CERT, &material.leaf.cert_pem);
    put(LEAF_KEY, &material.leaf.key_pem);
    if let Some(next) = &material.next {
        put(NEXT_CERT, &next.cert_pem);
        put(NEXT_KEY, &next.key_pem);
    }
    if let Some(previous) = &material.previous {
        put(PREVIOUS_CERT, previous);
    }
    secret.data = Some(data);
    secret.string_data = None;
    secret
}

fn keyed(secret: &Secret, cert: &'static str, key: &'static str) -> Result<Keyed, ContentError> {
    Ok(Keyed {
        cert_pem: text(secret, cert)?,
        key_pem: text(secret, key)?,
    })
}

fn text(secret: &Secret, key: &'static str) -> Result<String, ContentError> {
    let value = secret
        .data
        .as_ref()
        .and_then(|data| data.get(key))
        .filter(|value| !value.0.is_empty())
        .ok_or(ContentError::Missing { key })?;
    std::str::from_utf8(&value.0)
        .map(str::to_owned)
        .map_err(|_| ContentError::NotText { key })
}
