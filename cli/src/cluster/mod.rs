//! The cluster as this program sees it: the caller's own kubeconfig and rights, no server of its own.

pub mod facts;
pub mod heartbeat;
pub mod replicas;

use std::{future::Future, time::Duration};

use kube::Client;
use sluice_runtime::{args::KubeArgs, client, metrics::Metrics};

/// Which cluster and namespace the caller means. Nothing is asked before [`Connection::client`] is used.
#[derive(Clone, Debug, Default)]
pub struct Connection {
    /// Which cluster, and as whom.
    pub kube: KubeArgs,
    /// The namespace the caller named.
    pub namespace: Option<String>,
}

impl Connection {
    /// A client with the caller's rights.
    ///
    /// # Errors
    /// When no usable cluster configuration is found.
    pub async fn client(&self) -> anyhow::Result<Client> {
        let agent = concat!("sluice/", env!("CARGO_PKG_VERSION"));
        Ok(client::client(&self.kube, &Metrics::new(), agent).await?)
    }

    /// The namespace the caller named, else `otherwise`.
    #[must_use]
    pub fn namespace_or(&self, otherwise: &str) -> String {
        self.namespace
            .clone()
            .unwrap_or_else(|| otherwise.to_owned())
    }
}

/// Adds to an error of the API what was being done and what would help.
///
/// # Errors
/// The error it was given, in other words.
pub fn explained<T>(result: Result<T, kube::Error>, doing: &str) -> anyhow::Result<T> {
    result.map_err(|error| {
        let advice = advice(&error);
        let error = match error {
            // the server's own sentence says it best
            kube::Error::Api(status) if !status.message.is_empty() => {
                anyhow::anyhow!("{}", status.message)
            }
            other => anyhow::Error::new(other),
        };
        match advice {
            Some(advice) => error.context(format!("{doing} ({advice})")),
            None => error.context(doing.to_owned()),
        }
    })
}

fn advice(error: &kube::Error) -> Option<&'static str> {
    let kube::Error::Api(status) = error else {
        return match error {
            kube::Error::HyperError(_) | kube::Error::Service(_) => {
                Some("is the API server of the current context reachable?")
            }
            kube::Error::Auth(_) => Some("the credentials of the kubeconfig do not work"),
            _ => None,
        };
    };
    match status.code {
        401 => Some("the credentials of the kubeconfig are not accepted: sign in again"),
        403 => Some("you lack the right: see docs/access.md for the roles"),
        404 => Some("if Sluice itself is missing: `sluice install`"),
        429 | 503 | 504 => Some("the API server is overloaded or starting: try again"),
        _ => None,
    }
}

/// Asks again while the API server says that it cannot answer just now: kinds that were defined a moment ago are not stored at once.
///
/// # Errors
/// Any other answer, and this one after ten seconds.
pub async fn patiently<T, F: Future<Output = Result<T, kube::Error>>>(
    mut ask: impl FnMut() -> F,
) -> Result<T, kube::Error> {
    const TRIES: usize = 40;
    let mut tries = 1;
    loop {
        match ask().await {
            Err(kube::Error::Api(status)) if matches!(status.code, 429 | 503) && tries < TRIES => {
                tries += 1
            }
            answer => return answer,
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

/// Reads an optional object: only the answer "not found" is absence, every other error stays one.
///
/// # Errors
/// Any other answer of the API.
pub async fn get<K>(api: &kube::Api<K>, name: &str, what: &str) -> anyhow::Result<Option<K>>
where
    K: Clone + serde::de::DeserializeOwned + std::fmt::Debug,
{
    explained(
        api.get_opt(name).await,
        &format!("{what} {name} cannot be read"),
    )
}
