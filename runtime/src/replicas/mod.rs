//! What each replica of the webhook says it judges by, so that a pipeline can ask whether the whole cluster judges by the rules it knows.
//!
//! Every replica keeps one annotation of one Lease up to date: written at once when what it enforces changes, and every [`INTERVAL`] besides. A Lease,
//! because it is the object that others do not watch; one, because access rights can name one object and not a pattern of names.
//!
//! The writer is [`Teller`]. Reading is pure ([`said`]): an annotation is what somebody said at some time. Whether it still holds is shown only by its
//! renewal before the reader's own eyes, as no other machine's clock is believed.

mod writer;

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use serde::{Deserialize, Serialize};

pub use writer::{TellError, Teller};

/// The Lease's name in Sluice's own namespace; the manifests make it.
pub const LEASE_NAME: &str = sluice_api::access::REPLICAS_LEASE;
/// Time between two words of a replica. Costs one request to the API server each: 0.2 a second.
pub const INTERVAL: Duration = Duration::from_secs(5);
/// A word that was not renewed for this long was said by a replica that is gone, and the others take it away. Long: while it is there readers
/// are told that somebody is silent.
pub const FORGOTTEN: Duration = Duration::from_secs(600);

/// Before the name of a replica in the annotation's key.
const PREFIX: &str = "replica.sluice.dev/";
/// The API server takes names in keys up to this length.
const NAME: usize = 63;

/// What one replica says. The form is read by other versions of `sluice`: fields may be added, never renamed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Said {
    /// The replica: the name of its pod.
    pub replica: String,
    /// What it waits for before it is ready. Empty when it is.
    #[serde(default)]
    pub waiting: Vec<String>,
    /// The digest of the policies it judges by.
    pub digest: String,
    /// How many policies these are.
    pub policies: usize,
    /// The digest of the exceptions it judges by.
    pub exceptions_digest: String,
    /// Files of its policy folder that it cannot use; an earlier state of the folder is in force.
    #[serde(default)]
    pub quarantined: Vec<String>,
    /// How many policies and exceptions of the cluster are left out because they cannot work.
    #[serde(default)]
    pub left_out: usize,
    /// The version of the program.
    pub version: String,
    /// When it said so, by its own clock: it only tells one word from the next.
    pub at: Timestamp,
}

impl Said {
    /// Whether something else than the time is different.
    #[must_use]
    pub fn differs(&self, other: &Self) -> bool {
        Self {
            at: other.at,
            ..self.clone()
        } != *other
    }
}

/// The annotation's key of a replica. Names of pods differ at their ends.
#[must_use]
fn key(replica: &str) -> String {
    let plain: String = replica
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') {
                c
            } else {
                '-'
            }
        })
        .collect();
    // ASCII by now
    let end = &plain[plain.len().saturating_sub(NAME)..];
    let end = end.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    format!("{PREFIX}{}", if end.is_empty() { "unnamed" } else { end })
}

/// Every word of the Lease as it stands there, by key: what was said, or the text that nobody can read.
#[must_use]
pub fn said(lease: &Lease) -> BTreeMap<String, Result<Said, String>> {
    words(lease)
        .map(|(key, text)| {
            let said = serde_json::from_str(text).map_err(|error| error.to_string());
            (key.to_owned(), said)
        })
        .collect()
}

/// The words as texts, by what follows the prefix of the key.
fn words(lease: &Lease) -> impl Iterator<Item = (&str, &str)> {
    lease
        .metadata
        .annotations
        .iter()
        .flatten()
        .filter_map(|(key, text)| Some((key.strip_prefix(PREFIX)?, text.as_str())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(replica: &str, digest: &str) -> Said {
        Said {
            replica: replica.into(),
            waiting: Vec::new(),
            digest: digest.into(),
            policies: 1,
            exceptions_digest: "e".into(),
            quarantined: Vec::new(),
            left_out: 0,
            version: "0.1.0".into(),
            at: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn keys_are_taken_by_the_api_server_and_keep_the_end_that_tells_pods_apart() {
        let long = "a".repeat(300);
        for (replica, expected) in [
            (
                "sluice-webhook-7d9f-x2v4q",
                "sluice-webhook-7d9f-x2v4q".to_owned(),
            ),
            ("host/1_2", "host-1_2".to_owned()),
            ("-_.", "unnamed".to_owned()),
            ("", "unnamed".to_owned()),
            ("größe", "gr--e".to_owned()),
            (long.as_str(), "a".repeat(63)),
        ] {
            assert_eq!(key(replica), format!("{PREFIX}{expected}"), "{replica}");
        }
    }

    #[test]
    fn a_word_is_read_back_and_what_is_none_is_told_as_such() {
        let word = word("a", "d");
        let lease: Lease = serde_json::from_value(serde_json::json!({"metadata": {"annotations": {
            "replica.sluice.dev/a": serde_json::to_string(&word).unwrap(),
            "replica.sluice.dev/b": "{\"replica\": 1}",
            // a newer version says more
            "replica.sluice.dev/c": serde_json::to_string(&word).unwrap().replacen('{', "{\"mood\":\"good\",", 1),
            "other.example/x": "y",
        }}}))
        .unwrap();
        let said = said(&lease);
        assert_eq!(said.keys().collect::<Vec<_>>(), ["a", "b", "c"]);
        assert_eq!((&said["a"], &said["c"]), (&Ok(word.clone()), &Ok(word)));
        assert!(said["b"].is_err());
    }

    #[test]
    fn the_time_alone_is_no_news() {
        let said = word("a", "d");
        let later = Said {
            at: Timestamp::MAX,
            ..said.clone()
        };
        assert!(!said.differs(&later));
        for other in [
            word("a", "e"),
            Said {
                waiting: vec!["gates".into()],
                ..said.clone()
            },
            Said {
                quarantined: vec!["a.yaml".into()],
                ..said.clone()
            },
            Said {
                exceptions_digest: "f".into(),
                ..said.clone()
            },
        ] {
            assert!(said.differs(&other), "{other:?}");
        }
    }
}
