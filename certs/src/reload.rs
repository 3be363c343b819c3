//! Loads the serving certificate and swaps it into the running server whenever it changes.
//!
//! From the Secret by a watch, or from files by reading them every few seconds: mounted Secrets are swapped by renaming a folder, which
//! events on the file itself miss. A certificate that cannot be loaded leaves the one being served in place, and says so.

use std::{convert::Infallible, error::Error, path::PathBuf, pin::pin, sync::Arc, time::Duration};

use arc_swap::ArcSwapOption;
use futures::TryStreamExt;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client,
    runtime::{WatchStreamExt, watcher},
};
use rustls::ServerConfig;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{
    inspect,
    issue::Keyed,
    secret::{self, SECRET_NAME},
    serving,
};

/// How often files are read.
pub const POLL: Duration = Duration::from_secs(3);

/// Where the certificate comes from.
#[derive(Clone)]
pub enum CertificateSource {
    /// The Secret that [`crate::ensure`] keeps.
    Secret {
        /// Reads it.
        client: Client,
        /// Sluice's own namespace.
        namespace: String,
    },
    /// Two PEM files.
    Files {
        /// The certificate, with intermediates if there are any.
        cert: PathBuf,
        /// Its key.
        key: PathBuf,
    },
}

impl std::fmt::Debug for CertificateSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Secret { namespace, .. } => write!(f, "secret {namespace}/{SECRET_NAME}"),
            Self::Files { cert, key } => {
                write!(f, "files {} and {}", cert.display(), key.display())
            }
        }
    }
}

/// The certificate that is served now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// Valid until.
    pub not_after: Timestamp,
    /// How many were loaded so far, this one included.
    pub count: u64,
}

/// Keeps the server's configuration at the newest certificate.
#[derive(Debug)]
pub struct Reloader {
    source: CertificateSource,
    poll: Duration,
    config: Arc<ArcSwapOption<ServerConfig>>,
    loaded: watch::Sender<Option<Loaded>>,
    current: Option<Keyed>,
}

impl Reloader {
    /// A reloader that has loaded nothing; see [`Reloader::config`] and [`Reloader::loaded`] before [`Reloader::run`].
    #[must_use]
    pub fn new(source: CertificateSource) -> Self {
        Self {
            source,
            poll: POLL,
            config: Arc::default(),
            loaded: watch::Sender::new(None),
            current: None,
        }
    }

    /// Reads files this often instead of every [`POLL`].
    #[must_use]
    pub fn polling_every(mut self, poll: Duration) -> Self {
        self.poll = poll;
        self
    }

    /// What the accept loop reads; empty until the first certificate is loaded.
    #[must_use]
    pub fn config(&self) -> Arc<ArcSwapOption<ServerConfig>> {
        self.config.clone()
    }

    /// Tells of each certificate that was loaded, for readiness and metrics.
    #[must_use]
    pub fn loaded(&self) -> watch::Receiver<Option<Loaded>> {
        self.loaded.subscribe()
    }

    /// Loads and reloads until `drain` is cancelled.
    ///
    /// # Errors
    /// None: what cannot be read is logged and tried again.
    pub async fn run(mut self, drain: CancellationToken) -> Result<(), Infallible> {
        tokio::select! {
            () = drain.cancelled() => {}
            () = async {
                match self.source.clone() {
                    CertificateSource::Secret { client, namespace } => {
                        self.follow_secret(client, &namespace).await;
                    }
                    CertificateSource::Files { cert, key } => self.follow_files(&cert, &key).await,
                }
            } => {}
        }
        Ok(())
    }

    async fn follow_secret(&mut self, client: Client, namespace: &str) {
        let secrets: Api<Secret> = Api::namespaced(client, namespace);
        loop {
            let mut states =
                pin!(watcher::watch_object(secrets.clone(), SECRET_NAME).default_backoff());
            loop {
                match states.try_next().await {
                    Ok(Some(Some(found))) => match secret::leaf(&found) {
                        Ok(leaf) => self.take(leaf),
                        Err(error) => self.keep(&error),
                    },
                    // deleted or not made yet: the leader makes it, and what is served goes on being served
                    Ok(Some(None)) => {
                        tracing::info!("no secret {namespace}/{SECRET_NAME} yet");
                    }
                    Ok(None) => break,
                    Err(error) => {
                        tracing::warn!(
                            error = &error as &dyn Error,
                            "watch of the certificate failed, trying again"
                        );
                    }
                }
            }
            tokio::time::sleep(self.poll).await;
        }
    }

    async fn follow_files(&mut self, cert: &std::path::Path, key: &std::path::Path) {
        loop {
            let read = async {
                Ok::<_, std::io::Error>(Keyed {
                    cert_pem: tokio::fs::read_to_string(cert).await?,
                    key_pem: tokio::fs::read_to_string(key).await?,
                })
            };
            match read.await {
                Ok(leaf) => self.take(leaf),
                Err(error) => self.keep(&error),
            }
            tokio::time::sleep(self.poll).await;
        }
    }

    /// Serves this certificate from the next connection on, if it is another one and can be served.
    fn take(&mut self, leaf: Keyed) {
        if self.current.as_ref() == Some(&leaf) {
            return;
        }
        let (config, facts) = match (
            serving::server_config(&leaf),
            inspect::facts(&leaf.cert_pem),
        ) {
            (Ok(config), Ok(facts)) => (config, facts),
            (Err(error), _) => return self.keep(&error),
            (_, Err(error)) => return self.keep(&error),
        };
        self.config.store(Some(Arc::new(config)));
        self.current = Some(leaf);
        let count = self.loaded.borrow().map_or(0, |loaded| loaded.count) + 1;
        self.loaded.send_replace(Some(Loaded {
            not_after: facts.not_after,
            count,
        }));
        tracing::info!(not_after = %facts.not_after, source = ?self.source, "certificate loaded");
    }

    fn keep(&self, error: &(dyn Error + 'static)) {
        tracing::warn!(error, source = ?self.source, served = self.current.is_some(), "certificate not loaded");
    }
}
