//! Writes the word of one replica, and takes away what was said by replicas that are long gone. All I/O of the module is here.

use std::{collections::BTreeMap, time::Duration};

use k8s_openapi::api::coordination::v1::Lease;
use kube::{
    Api, Client,
    api::{Patch, PatchParams},
};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{FORGOTTEN, INTERVAL, LEASE_NAME, PREFIX, Said, key, words};

/// A word that takes longer than this is given up: the next one is due.
const TIMEOUT: Duration = INTERVAL;

/// Why a word was not stored. Readers see the last one stand still.
#[derive(Debug, thiserror::Error)]
pub enum TellError {
    /// It cannot be written as JSON.
    #[error("what this replica enforces cannot be written as JSON")]
    Json(#[from] serde_json::Error),
    /// The API server refused or could not be asked.
    #[error("lease {namespace}/{LEASE_NAME} not written")]
    Api {
        /// Sluice's own namespace.
        namespace: String,
        /// What it said.
        #[source]
        source: Box<kube::Error>,
    },
    /// No answer in time.
    #[error("lease {namespace}/{LEASE_NAME} not written within {TIMEOUT:?}")]
    Timeout {
        /// Sluice's own namespace.
        namespace: String,
    },
}

/// The words of others as they looked first, and since when.
#[derive(Debug, Default)]
struct Others(BTreeMap<String, (String, Instant)>);

impl Others {
    /// Takes in how the Lease looks at `now`; the keys of those that stood still for too long.
    fn see(&mut self, lease: &Lease, own: &str, now: Instant) -> Vec<String> {
        let found: BTreeMap<String, String> = words(lease)
            .map(|(name, text)| (format!("{PREFIX}{name}"), text.to_owned()))
            .filter(|(key, _)| key != own)
            .collect();
        self.0.retain(|key, _| found.contains_key(key));
        for (key, text) in found {
            match self.0.get(&key) {
                Some((known, _)) if *known == text => {}
                _ => drop(self.0.insert(key, (text, now))),
            }
        }
        let still = |since: Instant| now.saturating_duration_since(since) >= FORGOTTEN;
        self.0
            .iter()
            .filter(|(_, (_, since))| still(*since))
            .map(|(key, _)| key.clone())
            .collect()
    }
}

/// Tells for one replica.
#[derive(Debug)]
pub struct Teller {
    leases: Api<Lease>,
    namespace: String,
    key: String,
    manager: String,
    others: Others,
}

impl Teller {
    /// Tells for `replica`, of which nobody else has the name.
    #[must_use]
    pub fn new(client: Client, namespace: &str, replica: &str) -> Self {
        let key = key(replica);
        Self {
            leases: Api::namespaced(client, namespace),
            namespace: namespace.to_owned(),
            manager: key.replace('/', "."),
            key,
            others: Others::default(),
        }
    }

    /// Says it anew. Call it at once when it changed, and every [`INTERVAL`].
    ///
    /// # Errors
    /// It was not stored, or whether it was is not known.
    pub async fn tell(&mut self, said: &Said) -> Result<(), TellError> {
        let text = serde_json::to_string(said)?;
        // each replica owns its own field, so that nobody overwrites what another says
        let lease = self.apply(&json!({ self.key.as_str(): text })).await?;
        let gone = self.others.see(&lease, &self.key, Instant::now());
        if !gone.is_empty() {
            let nothing: serde_json::Map<String, Value> =
                gone.iter().map(|key| (key.clone(), Value::Null)).collect();
            let patch = json!({"metadata": {"resourceVersion": lease.metadata.resource_version, "annotations": nothing}});
            let params = PatchParams {
                field_manager: Some(self.manager.clone()),
                ..PatchParams::default()
            };
            match self
                .leases
                .patch(LEASE_NAME, &params, &Patch::Merge(patch))
                .await
            {
                Ok(_) => tracing::info!(?gone, "replicas that are gone are forgotten"),
                // somebody wrote meanwhile: there is a next time
                Err(kube::Error::Api(status)) if status.code == 409 => {}
                Err(source) => return Err(self.failed(source)),
            }
        }
        Ok(())
    }

    /// This replica ends: it says nothing any more.
    ///
    /// # Errors
    /// It still stands there; readers see it stand still.
    pub async fn fall_silent(&self) -> Result<(), TellError> {
        self.apply(&json!({})).await.map(drop)
    }

    async fn apply(&self, annotations: &Value) -> Result<Lease, TellError> {
        let lease = json!({
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": {"name": LEASE_NAME, "namespace": self.namespace, "annotations": annotations},
        });
        let params = PatchParams::apply(&self.manager).force();
        let patch = Patch::Apply(&lease);
        match tokio::time::timeout(TIMEOUT, self.leases.patch(LEASE_NAME, &params, &patch)).await {
            Ok(Ok(lease)) => Ok(lease),
            Ok(Err(source)) => Err(self.failed(source)),
            Err(_) => Err(TellError::Timeout {
                namespace: self.namespace.clone(),
            }),
        }
    }

    fn failed(&self, source: kube::Error) -> TellError {
        TellError::Api {
            namespace: self.namespace.clone(),
            source: Box::new(source),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(words: &[(&str, &str)]) -> Lease {
        let annotations = words
            .iter()
            .map(|(name, text)| (format!("{PREFIX}{name}"), (*text).to_owned()))
            .collect();
        let mut lease = Lease::default();
        lease.metadata.annotations = Some(annotations);
        lease
    }

    #[test]
    fn only_what_stood_still_all_the_time_is_forgotten_and_never_the_own_word() {
        let own = key("a");
        let mut others = Others::default();
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        for (seconds, words, gone) in [
            (0, vec![("a", "1"), ("b", "1"), ("c", "1")], vec![]),
            (300, vec![("a", "1"), ("b", "2"), ("c", "1")], vec![]),
            (599, vec![("a", "1"), ("b", "2"), ("c", "1")], vec![]),
            (600, vec![("a", "1"), ("b", "2"), ("c", "1")], vec!["c"]),
            // gone and back again: it counts anew
            (700, vec![("a", "1"), ("b", "2")], vec![]),
            (899, vec![("a", "1"), ("b", "2"), ("c", "1")], vec![]),
            (900, vec![("a", "1"), ("b", "2"), ("c", "1")], vec!["b"]),
        ] {
            let found = others.see(&lease(&words), &own, at(seconds));
            let gone: Vec<String> = gone.into_iter().map(key).collect();
            assert_eq!(found, gone, "at {seconds} s");
        }
    }
}
