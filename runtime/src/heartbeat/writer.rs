//! Writes the heartbeat. One request per beat in regular operation, guarded by resourceVersion.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::MicroTime,
};
use kube::{Api, Client, api::PostParams};

use super::{INTERVAL, LEASE_NAME};

/// A beat that takes longer than this is given up: the next one is due.
const BEAT_TIMEOUT: Duration = INTERVAL;

/// Why a beat was not written. Readers see the last one age.
#[derive(Debug, thiserror::Error)]
pub enum HeartbeatError {
    /// Another process has taken the heartbeat over since our first beat: this one is no longer the engine.
    #[error("heartbeat {namespace}/{LEASE_NAME} was taken over by {holder}")]
    TakenOver {
        /// Sluice's own namespace.
        namespace: String,
        /// Who beats now.
        holder: String,
    },
    /// The API server refused or could not be asked.
    #[error("heartbeat {namespace}/{LEASE_NAME} not written")]
    Api {
        /// Sluice's own namespace.
        namespace: String,
        /// What it said.
        #[source]
        source: Box<kube::Error>,
    },
    /// No answer in time.
    #[error("heartbeat {namespace}/{LEASE_NAME} not written within {BEAT_TIMEOUT:?}")]
    Timeout {
        /// Sluice's own namespace.
        namespace: String,
    },
}

/// Writes beats as one holder. Make a new one for each term of leadership: the first beat takes the Lease over from whoever held it, later
/// ones do not.
#[derive(Debug)]
pub struct Heartbeat {
    leases: Api<Lease>,
    namespace: String,
    identity: String,
    stored: Option<Lease>,
    begun: bool,
}

impl Heartbeat {
    /// A writer that has not beaten yet.
    #[must_use]
    pub fn new(client: Client, namespace: &str, identity: &str) -> Self {
        Self {
            leases: Api::namespaced(client, namespace),
            namespace: namespace.to_owned(),
            identity: identity.to_owned(),
            stored: None,
            begun: false,
        }
    }

    /// Writes one beat. Call it every [`INTERVAL`], from the loop whose life it is to prove.
    ///
    /// # Errors
    /// The beat was not stored, or whether it was is not known. The next call starts from what the API server holds.
    pub async fn beat(&mut self) -> Result<(), HeartbeatError> {
        let written = tokio::time::timeout(BEAT_TIMEOUT, self.write()).await;
        match written {
            Ok(Ok(stored)) => {
                self.begun = true;
                self.stored = Some(stored);
                Ok(())
            }
            Ok(Err(error)) => {
                self.stored = None;
                Err(error)
            }
            Err(_) => {
                self.stored = None;
                Err(HeartbeatError::Timeout {
                    namespace: self.namespace.clone(),
                })
            }
        }
    }

    async fn write(&self) -> Result<Lease, HeartbeatError> {
        if let Some(stored) = &self.stored {
            match self.replace(stored).await {
                Ok(stored) => return Ok(stored),
                // someone wrote or deleted it: look again
                Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => {}
                Err(source) => return Err(self.api(source)),
            }
        }
        let found = self
            .leases
            .get_opt(LEASE_NAME)
            .await
            .map_err(|source| self.api(source))?;
        let written = match found {
            Some(found) => {
                let holder = holder(&found);
                if self.begun && holder != self.identity && !holder.is_empty() {
                    return Err(HeartbeatError::TakenOver {
                        namespace: self.namespace.clone(),
                        holder: holder.to_owned(),
                    });
                }
                self.replace(&found).await
            }
            None => {
                let lease = self.next(&Lease::default());
                self.leases.create(&PostParams::default(), &lease).await
            }
        };
        written.map_err(|source| self.api(source))
    }

    async fn replace(&self, stored: &Lease) -> Result<Lease, kube::Error> {
        // the resourceVersion in `stored` guards the write
        self.leases
            .replace(LEASE_NAME, &PostParams::default(), &self.next(stored))
            .await
    }

    fn next(&self, stored: &Lease) -> Lease {
        let now = MicroTime(Timestamp::now());
        let before = stored.spec.clone().unwrap_or_default();
        let ours = before.holder_identity.as_deref() == Some(self.identity.as_str());
        let mut lease = stored.clone();
        lease.metadata.name = Some(LEASE_NAME.to_owned());
        lease.metadata.managed_fields = None;
        lease.spec = Some(LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            renew_time: Some(now.clone()),
            acquire_time: if ours { before.acquire_time } else { Some(now) },
            lease_transitions: Some(
                before.lease_transitions.unwrap_or(0) + i32::from(!ours && stored.spec.is_some()),
            ),
            lease_duration_seconds: i32::try_from(super::AGE_LIMIT.as_secs()).ok(),
            ..LeaseSpec::default()
        });
        lease
    }

    fn api(&self, source: kube::Error) -> HeartbeatError {
        HeartbeatError::Api {
            namespace: self.namespace.clone(),
            source: Box::new(source),
        }
    }
}

fn holder(lease: &Lease) -> &str {
    lease
        .spec
        .as_ref()
        .and_then(|spec| spec.holder_identity.as_deref())
        .unwrap_or_default()
}
