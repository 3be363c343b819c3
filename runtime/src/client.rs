//! The Kubernetes client: which cluster, which time limits, and a count of every request it sends.
//!
//! Each try is counted where it leaves the process, so the count equals what the server's audit log sees. Nothing is retried in
//! here: callers are level-triggered and retry with their own backoff, and a hidden retry of many minutes would outlive a lease.

mod counted;

use std::time::Duration;

use kube::{
    Client, Config,
    client::ClientBuilder,
    config::{KubeConfigOptions, Kubeconfig, KubeconfigError},
};
use tower::ServiceBuilder;

use crate::{args::KubeArgs, metrics::Metrics};

pub use counted::{CountRequests, CountedRequests};

/// How long the head of an answer may take, watches excepted: longer than any admission chain, far shorter than a person waits.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a connection may stay silent: above the 290 s after which a watch is ended by the server.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(310);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The file named by `--kubeconfig` cannot be used.
    #[error("kubeconfig {file} cannot be used")]
    Kubeconfig {
        /// The file as given.
        file: String,
        /// Why not.
        #[source]
        source: Box<KubeconfigError>,
    },
    /// The named context cannot be used.
    #[error("context `{context}` cannot be used")]
    Context {
        /// As given.
        context: String,
        /// Why not.
        #[source]
        source: Box<KubeconfigError>,
    },
    /// Nothing says which cluster.
    #[error(
        "no cluster found by --kubeconfig, KUBECONFIG, ~/.kube/config or a pod's service account"
    )]
    NoCluster(#[source] Box<kube::config::InferConfigError>),
    /// The configuration is complete but no client can be made of it.
    #[error("no client for {url}")]
    Build {
        /// The API server's address.
        url: String,
        /// Why not.
        #[source]
        source: Box<kube::Error>,
    },
    /// The user agent cannot be a header value.
    #[error("user agent `{found}` is no header value: use visible ASCII")]
    UserAgent {
        /// As given.
        found: String,
    },
}

/// A client for the cluster that `args` names, counting its requests into `metrics`.
///
/// # Errors
/// No usable cluster configuration. The cluster itself is not asked.
pub async fn client(
    args: &KubeArgs,
    metrics: &Metrics,
    user_agent: &str,
) -> Result<Client, ClientError> {
    crate::crypto::install();
    let mut config = configuration(args).await?;
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    config.read_timeout = Some(SILENCE_TIMEOUT);
    config.reset_reader_on_write = true;
    config.default_retry = false;
    let value = http::HeaderValue::from_str(user_agent).map_err(|_| ClientError::UserAgent {
        found: user_agent.to_owned(),
    })?;
    config.headers.push((http::header::USER_AGENT, value));

    let url = config.cluster_url.to_string();
    let builder = ClientBuilder::try_from(config).map_err(|source| ClientError::Build {
        url,
        source: Box::new(source),
    })?;
    let layers = ServiceBuilder::new()
        .layer(CountRequests::new(metrics, ANSWER_TIMEOUT))
        .into_inner();
    Ok(builder.with_layer(&layers).build())
}

async fn configuration(args: &KubeArgs) -> Result<Config, ClientError> {
    let options = KubeConfigOptions {
        context: args.context.clone(),
        ..KubeConfigOptions::default()
    };
    match (&args.kubeconfig, &args.context) {
        (Some(file), _) => {
            let failed = |source| ClientError::Kubeconfig {
                file: file.display().to_string(),
                source: Box::new(source),
            };
            let kubeconfig = Kubeconfig::read_from(file).map_err(failed)?;
            Config::from_custom_kubeconfig(kubeconfig, &options)
                .await
                .map_err(failed)
        }
        (None, Some(context)) => {
            Config::from_kubeconfig(&options)
                .await
                .map_err(|source| ClientError::Context {
                    context: context.clone(),
                    source: Box::new(source),
                })
        }
        (None, None) => Config::infer()
            .await
            .map_err(|source| ClientError::NoCluster(Box::new(source))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_kubeconfig_that_is_not_there_is_named() {
        let args = KubeArgs {
            kubeconfig: Some("/does/not/exist".into()),
            context: None,
        };
        let Err(error) = client(&args, &Metrics::new(), "sluice-test").await else {
            panic!("a client without a kubeconfig");
        };
        assert_eq!(
            error.to_string(),
            "kubeconfig /does/not/exist cannot be used"
        );
    }
}
