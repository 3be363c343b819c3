//! Keeps the Secret in order. For the leader only; a second writer is stopped by the resourceVersion all the same.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client, api::PostParams};

use crate::{
    issue::IssueError,
    names::ServingNames,
    rotation::{Decision, Material, Terms, decide},
    secret::{self, ContentError, OWNER_LABEL, SECRET_NAME},
};

/// Tries against a Secret that others write at the same time.
const RACES: usize = 5;
/// Steps in one call: the longest way (anew, or switch and drop) is shorter.
const STEPS: usize = 6;

/// What is stored now, for publishing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// PEM of every authority that clients are to trust: goes into the webhook configurations as it is.
    pub ca_bundle: Vec<u8>,
    /// When to call again at the latest. Calling more often is cheap: one read.
    pub check_again: Timestamp,
    /// What this call did, in order.
    pub steps: Vec<Decision>,
}

/// Why the certificates are not in order.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The API server refused or could not be asked. Says nothing about the Secret.
    #[error("secret {namespace}/{SECRET_NAME} cannot be {action}")]
    Api {
        /// Sluice's own namespace.
        namespace: String,
        /// What was tried.
        action: &'static str,
        /// What it said.
        #[source]
        source: Box<kube::Error>,
    },
    /// The Secret holds something that we cannot read and that is not marked as ours.
    #[error(
        "secret {namespace}/{SECRET_NAME} is not readable and not marked as ours: delete it, or label it {}={}, and it is issued anew",
        OWNER_LABEL.0, OWNER_LABEL.1
    )]
    NotOurs {
        /// Sluice's own namespace.
        namespace: String,
        /// What is wrong with it.
        #[source]
        source: ContentError,
    },
    /// The Secret can be read but needs a change, and is not marked as ours.
    #[error(
        "secret {namespace}/{SECRET_NAME} needs {step:?} but is not marked as ours: delete it, or label it {}={}",
        OWNER_LABEL.0, OWNER_LABEL.1
    )]
    NotOursToChange {
        /// Sluice's own namespace.
        namespace: String,
        /// What it needs.
        step: Decision,
    },
    /// Issuing failed.
    #[error("no certificate issued")]
    Issue(#[source] IssueError),
    /// Others kept writing the Secret.
    #[error("secret {namespace}/{SECRET_NAME} was written by others {RACES} times in a row")]
    Raced {
        /// Sluice's own namespace.
        namespace: String,
    },
}

/// Makes sure that the Secret holds a working certificate for these names, and says what to publish. Idempotent; call it when leadership
/// begins and at [`Published::check_again`]. Publish the bundle after every call: the overlap between authorities counts on that.
///
/// # Errors
/// Nothing was changed, or the last step is not known to be stored; the next call starts from what the API server holds.
pub async fn ensure(
    client: &Client,
    namespace: &str,
    names: &ServingNames,
    now: Timestamp,
) -> Result<Published, StoreError> {
    ensure_with(client, namespace, names, now, &Terms::default(), &[]).await
}

/// [`ensure`] with other terms, where `bundles` are published: see [`decide`].
///
/// # Errors
/// See [`ensure`].
pub async fn ensure_with(
    client: &Client,
    namespace: &str,
    names: &ServingNames,
    now: Timestamp,
    terms: &Terms,
    bundles: &[String],
) -> Result<Published, StoreError> {
    let secrets: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let api = |action| {
        move |source| StoreError::Api {
            namespace: namespace.to_owned(),
            action,
            source: Box::new(source),
        }
    };
    for _ in 0..RACES {
        let found = secrets.get_opt(SECRET_NAME).await.map_err(api("read"))?;
        let (material, steps, until) =
            bring_in_order(found.as_ref(), namespace, names, now, terms, bundles)?;
        let written = if steps.is_empty() {
            Ok(())
        } else {
            let secret = secret::with_material(found.as_ref(), namespace, &material);
            let written = match &found {
                Some(_) => {
                    secrets
                        .replace(SECRET_NAME, &PostParams::default(), &secret)
                        .await
                }
                None => secrets.create(&PostParams::default(), &secret).await,
            };
            written.map(|_| ())
        };
        match written {
            Ok(()) => {
                if !steps.is_empty() {
                    tracing::info!(?steps, until = %until, "certificates brought in order");
                }
                return Ok(Published {
                    ca_bundle: material.ca_bundle().into_bytes(),
                    check_again: until,
                    steps,
                });
            }
            // written or deleted by someone else in between: look again
            Err(kube::Error::Api(status))
                if status.code == 409 || (status.code == 404 && found.is_some()) => {}
            Err(source) => return Err(api("written")(source)),
        }
    }
    Err(StoreError::Raced {
        namespace: namespace.to_owned(),
    })
}

fn bring_in_order(
    found: Option<&Secret>,
    namespace: &str,
    names: &ServingNames,
    now: Timestamp,
    terms: &Terms,
    bundles: &[String],
) -> Result<(Material, Vec<Decision>, Timestamp), StoreError> {
    let mut steps = Vec::new();
    let mut material = match found.map(|found| (found, secret::material(found))) {
        Some((_, Ok(material))) => material,
        Some((found, Err(source))) if !secret::ours(found) => {
            return Err(StoreError::NotOurs {
                namespace: namespace.to_owned(),
                source,
            });
        }
        unreadable_or_absent => {
            if let Some((_, Err(error))) = unreadable_or_absent {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "our certificates are not readable and are issued anew"
                );
            }
            steps.push(Decision::IssueAnew);
            Material::issue(now, names, terms).map_err(StoreError::Issue)?
        }
    };
    for _ in 0..STEPS {
        let step = decide(now, &material, names, terms, bundles);
        if let Decision::Keep { until } = step {
            return Ok((material, steps, until));
        }
        if found.is_some_and(|found| !secret::ours(found)) {
            return Err(StoreError::NotOursToChange {
                namespace: namespace.to_owned(),
                step,
            });
        }
        material = material
            .after(step, now, names, terms)
            .map_err(StoreError::Issue)?;
        steps.push(step);
    }
    // terms so short that every step is due again at once: what is there works, look again soon
    Ok((material, steps, now))
}
