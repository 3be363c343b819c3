//! Makes the webhook known to the API server, last of all: the certificate's Secret first, then a review over the published address with the published
//! authority, and only when that was answered the webhook configurations.
//!
//! Decides: when configurations are written. Leaves to others: what they say ([`sluice_api::admission_table`]), how certificates are issued and rotated
//! (`sluice-certs`). Only the leader publishes; nothing is ever taken back, shortened or widened because something is not known.

pub mod configurations;
pub mod self_test;

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use k8s_openapi::api::{
    admissionregistration::v1::{MutatingWebhookConfiguration, ValidatingWebhookConfiguration},
    authentication::v1::SelfSubjectReview,
};
use kube::{
    Api, Client,
    api::{Patch, PatchParams, PostParams},
};
use serde::de::DeserializeOwned;
use serde_json::Value;
use sluice_api::{
    access,
    admission_table::{self, ClientConfigChoice},
};
use sluice_certs::{ServingNames, Terms, store::StoreError};
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

use self::self_test::SelfTestError;
use crate::{
    cache::{Caches, table::Key},
    execute::Executor,
    metrics::Metrics,
    ownership::MANAGER,
};

/// How often everything is looked at while it is in order: four reads a minute.
const CALM: Duration = Duration::from_secs(60);
/// How soon it is tried again while it is not in order; doubles up to [`LAZY`].
const EAGER: Duration = Duration::from_secs(1);
/// How soon it is tried again when it was not in order for long.
const LAZY: Duration = Duration::from_secs(16);

/// Why the webhook is not published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The webhooks would take this process's writes for somebody else's and undo them.
    #[error(
        "this process is {found}, and the webhooks leave only the writes of {expected} alone: run it as that ServiceAccount, and --namespace as where it lives"
    )]
    Identity {
        /// Who this process is.
        found: String,
        /// Who it must be.
        expected: String,
    },
    /// The API server did not say who this process is.
    #[error("cannot ask the API server who this process is")]
    Unasked(#[source] Box<kube::Error>),
    /// The certificate is not in order.
    #[error("the certificate is not in order")]
    Certificate(#[source] StoreError),
    /// The namespace that owns the configurations is not known yet.
    #[error("namespace {0} is not known yet")]
    Namespace(String),
    /// The webhook does not answer as the API server would ask it.
    #[error("the webhook does not answer at {address}")]
    SelfTest {
        /// Where it was asked.
        address: String,
        /// What went wrong.
        #[source]
        source: SelfTestError,
    },
    /// The API server would not take a configuration, or could not be asked.
    #[error("webhook configuration {name}")]
    Api {
        /// Which one.
        name: String,
        /// What it said.
        #[source]
        source: Box<kube::Error>,
    },
    /// A configuration cannot be written as JSON.
    #[error("webhook configuration {name} cannot be written as JSON")]
    Json {
        /// Which one.
        name: String,
        /// Why not.
        #[source]
        source: serde_json::Error,
    },
}

/// Publishes the webhook.
pub struct Publisher {
    /// The client.
    pub client: Client,
    /// Knows the uid of our namespace.
    pub caches: Arc<Caches>,
    /// Knows whether we lead.
    pub executor: Arc<Executor>,
    /// Counts writes.
    pub metrics: Metrics,
    /// How the API server reaches the webhook.
    pub address: ClientConfigChoice,
    /// Sluice's own namespace.
    pub system: String,
    /// Namespaces the webhook never sees.
    pub off: Vec<String>,
    /// How long certificates live.
    pub terms: Terms,
    /// Set once the API server has said that this process is who the webhooks leave alone.
    pub identity: OnceCell<()>,
}

impl Publisher {
    /// Keeps everything in order until `drain`.
    pub async fn run(&self, drain: CancellationToken) {
        let mut wait = Duration::ZERO;
        let mut again = EAGER;
        let mut said = String::new();
        loop {
            tokio::select! {
                () = drain.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
            if !self.executor.leads() || !self.caches.unsynced().is_empty() {
                wait = EAGER;
                continue;
            }
            match self.publish().await {
                Ok(check_again) => {
                    let until = check_again.duration_since(Timestamp::now());
                    wait = Duration::try_from(until)
                        .unwrap_or(EAGER)
                        .clamp(EAGER, CALM);
                    if !said.is_empty() {
                        tracing::info!("webhook configurations are in order again");
                        said.clear();
                    }
                }
                Err(error) => {
                    let text = chain(&error);
                    if text != said {
                        tracing::warn!(error = text, "webhook not published; trying again");
                        said = text;
                    }
                    wait = again;
                    again = (again * 2).min(LAZY);
                }
            }
        }
    }

    async fn publish(&self) -> Result<Timestamp, PublishError> {
        self.identity.get_or_try_init(|| self.identify()).await?;
        let host = self_test::host(&self.address);
        let mut names = match &self.address {
            ClientConfigChoice::Service {
                namespace, name, ..
            } => ServingNames::of_service(name, namespace),
            ClientConfigChoice::Url(_) => ServingNames::of_service("sluice-webhook", &self.system),
        };
        if let (ClientConfigChoice::Url(_), Some(host)) = (&self.address, &host) {
            names = names.and_host(host);
        }
        let owner = self
            .caches
            .namespaces
            .get(&Key::cluster(self.system.clone()))
            .ok_or_else(|| PublishError::Namespace(self.system.clone()))?;
        // what stands there first: a new authority signs only when every API server was told to trust it
        let mut live = vec![
            self.live::<MutatingWebhookConfiguration>(admission_table::MUTATING)
                .await?,
        ];
        for name in [admission_table::ADMISSION, admission_table::OBJECTS] {
            live.push(self.live::<ValidatingWebhookConfiguration>(name).await?);
        }
        let bundles: Vec<String> = live
            .iter()
            .flatten()
            .flat_map(configurations::bundles)
            .collect();
        let published = sluice_certs::store::ensure_with(
            &self.client,
            &self.system,
            &names,
            Timestamp::now(),
            &self.terms,
            &bundles,
        )
        .await
        .map_err(PublishError::Certificate)?;
        let (mutating, validating) = admission_table::configurations(
            &self.address,
            &published.ca_bundle,
            &self.system,
            &self.off,
        );
        let mut wanted = vec![configurations::owned(&mutating, &self.system, &owner.uid)];
        for configuration in &validating {
            wanted.push(configurations::owned(
                configuration,
                &self.system,
                &owner.uid,
            ));
        }
        let mut due = Vec::new();
        for (at, (wanted, live)) in wanted.into_iter().zip(live).enumerate() {
            let wanted = wanted.map_err(|source| PublishError::Json {
                name: admission_table::MUTATING.to_owned(),
                source,
            })?;
            if live.is_none_or(|live| !configurations::covers(&live, &wanted)) {
                due.push((at, wanted));
            }
        }
        if due.is_empty() {
            return Ok(published.check_again);
        }
        self_test::ask(&self.address, &published.ca_bundle)
            .await
            .map_err(|source| PublishError::SelfTest {
                address: self_test::describe(&self.address),
                source,
            })?;
        for (at, wanted) in due {
            if !self.executor.leads() {
                break;
            }
            if at == 0 {
                self.apply::<MutatingWebhookConfiguration>(&wanted).await?;
            } else {
                self.apply::<ValidatingWebhookConfiguration>(&wanted)
                    .await?;
            }
            tracing::info!(
                name = wanted["metadata"]["name"].as_str(),
                "webhook configuration written"
            );
            self.metrics.wrote("WebhookConfiguration");
        }
        Ok(published.check_again)
    }

    /// A way back that the webhooks undo is none, so under another name nothing is published.
    async fn identify(&self) -> Result<(), PublishError> {
        let answer = Api::<SelfSubjectReview>::all(self.client.clone())
            .create(&PostParams::default(), &SelfSubjectReview::default())
            .await
            .map_err(|error| PublishError::Unasked(Box::new(error)))?;
        let found = answer
            .status
            .and_then(|status| status.user_info)
            .and_then(|user| user.username)
            .unwrap_or_default();
        let expected = access::controller_user(&self.system);
        if found == expected {
            Ok(())
        } else {
            Err(PublishError::Identity { found, expected })
        }
    }

    async fn live<K>(&self, name: &str) -> Result<Option<Value>, PublishError>
    where
        K: kube::Resource<DynamicType = (), Scope = k8s_openapi::ClusterResourceScope>
            + Clone
            + DeserializeOwned
            + serde::Serialize
            + std::fmt::Debug,
    {
        let live = Api::<K>::all(self.client.clone())
            .get_opt(name)
            .await
            .map_err(|source| PublishError::Api {
                name: name.to_owned(),
                source: Box::new(source),
            })?;
        live.map(|live| serde_json::to_value(live))
            .transpose()
            .map_err(|source| PublishError::Json {
                name: name.to_owned(),
                source,
            })
    }

    async fn apply<K>(&self, wanted: &Value) -> Result<(), PublishError>
    where
        K: kube::Resource<DynamicType = (), Scope = k8s_openapi::ClusterResourceScope>
            + Clone
            + DeserializeOwned
            + std::fmt::Debug,
    {
        let name = name(wanted);
        Api::<K>::all(self.client.clone())
            .patch(
                &name,
                &PatchParams::apply(MANAGER).force(),
                &Patch::Apply(wanted),
            )
            .await
            .map(|_| ())
            .map_err(|source| PublishError::Api {
                name,
                source: Box::new(source),
            })
    }
}

fn name(wanted: &Value) -> String {
    wanted["metadata"]["name"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

/// An error and its causes in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use http::{Request, Response};
    use kube::client::Body;
    use serde_json::json;
    use sluice_runtime::lease::Leadership;
    use tokio::sync::watch;

    use super::*;

    /// A publisher whose API server answers everything with who `user` is, and counts.
    fn publisher(
        user: &'static str,
        system: &str,
    ) -> (Publisher, Arc<std::sync::atomic::AtomicU32>) {
        let asked = Arc::<std::sync::atomic::AtomicU32>::default();
        let count = asked.clone();
        let client = Client::new(
            tower::service_fn(move |_: Request<Body>| {
                count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                let answer = json!({
                    "apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview", "metadata": {},
                    "status": {"userInfo": {"username": user}},
                });
                let body = Body::from(answer.to_string().into_bytes());
                async { Ok::<_, std::convert::Infallible>(Response::new(body)) }
            }),
            "default",
        );
        let metrics = Metrics::new(&sluice_runtime::metrics::Metrics::new());
        let (_, leadership) = watch::channel(Leadership::default());
        let publisher = Publisher {
            executor: Arc::new(Executor::new(client.clone(), leadership, metrics.clone())),
            client,
            caches: Arc::default(),
            metrics,
            address: ClientConfigChoice::Url("https://127.0.0.1:1".to_owned()),
            system: system.to_owned(),
            off: Vec::new(),
            terms: Terms::default(),
            identity: OnceCell::new(),
        };
        (publisher, asked)
    }

    #[tokio::test]
    async fn nothing_is_published_by_a_process_whose_writes_the_webhooks_would_undo() {
        let ours = "system:serviceaccount:sluice-system:sluice-controller";
        for (user, system, fine) in [
            (ours, "sluice-system", true),
            (ours, "elsewhere", false),
            (
                "system:serviceaccount:sluice-system:default",
                "sluice-system",
                false,
            ),
            ("", "sluice-system", false),
        ] {
            let (publisher, asked) = publisher(user, system);
            assert_eq!(publisher.identify().await.is_ok(), fine, "{user}, {system}");
            if !fine {
                let error = publisher.publish().await.unwrap_err();
                assert!(matches!(error, PublishError::Identity { .. }), "{error:?}");
                // nothing but the question was sent
                assert_eq!(asked.load(std::sync::atomic::Ordering::SeqCst), 2);
            }
        }
    }
}
