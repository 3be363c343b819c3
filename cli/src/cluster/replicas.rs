//! What every ready replica of the webhook says it judges by, and whether that is what the caller expects.
//!
//! Two things are asked: the Lease on which each replica says it, and the endpoints of the webhook's Service, so that a replica which says nothing is not
//! passed over. A word counts only when it was renewed while we looked: one that merely stands there may be of a replica that has long stopped.
//! Who cannot be heard makes the answer "cannot tell"; only one digest from all of them makes it "the same". The judgement ([`Replicas`]) is pure.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use jiff::Timestamp;
use k8s_openapi::api::{coordination::v1::Lease, discovery::v1::EndpointSlice};
use kube::{Api, Client, api::ListParams};
use serde::Serialize;
use sluice_api::SYSTEM_NAMESPACE;
use sluice_runtime::replicas::{INTERVAL, LEASE_NAME, Said, said};
use tokio::time;

use super::explained;
use crate::outcome::Outcome;

/// How long a renewal is waited for: two words of a replica, and some air.
const PATIENCE: Duration = Duration::from_secs(2 * INTERVAL.as_secs() + 2);
const LOOK: Duration = Duration::from_millis(250);
/// The label by which Kubernetes says of which Service the endpoints are.
pub const SERVICE: &str = "kubernetes.io/service-name";

/// One replica. The JSON form is stable: fields may be added, never renamed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Replica {
    /// Its name: that of its pod.
    pub name: String,
    /// Whether its word counts.
    pub standing: Standing,
    /// What it says it judges by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// How many policies that are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policies: Option<usize>,
    /// What is worth knowing beside: why it does not count, or what of its policies it had to leave out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Its last word whole, as far as it can be read.
    #[serde(skip)]
    pub said: Option<Said>,
    /// When its last word came before our eyes, by our own clock.
    #[serde(skip)]
    pub heard: Option<Timestamp>,
}

/// Whether the word of a replica counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Standing {
    /// It is ready and said so while we looked.
    Ready,
    /// It says that it is not ready, or the cluster says so.
    NotReady,
    /// It said nothing while we looked.
    Silent,
    /// Nobody can read what it says.
    Unreadable,
}

impl Standing {
    /// The word for people.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "Ready",
            Self::NotReady => "NotReady",
            Self::Silent => "Silent",
            Self::Unreadable => "Unreadable",
        }
    }
}

/// Every replica, and what they were asked. The JSON form is stable: fields may be added, never renamed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Replicas {
    /// The digest that the caller expects, when there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// By name.
    pub replicas: Vec<Replica>,
}

impl Replicas {
    /// Yes: all say the same, and it is what is expected. No: one of them says something else. Else nobody can tell.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        let digests: BTreeSet<&str> = self
            .expected
            .iter()
            .map(String::as_str)
            .chain(self.ready().filter_map(|one| one.digest.as_deref()))
            .collect();
        // what is certainly different stays so, whatever the others say
        if digests.len() > 1 {
            return Outcome::No;
        }
        let all = self
            .replicas
            .iter()
            .all(|one| one.standing == Standing::Ready);
        if self.replicas.is_empty() || !all {
            return Outcome::CannotTell;
        }
        Outcome::Yes
    }

    fn ready(&self) -> impl Iterator<Item = &Replica> {
        self.replicas
            .iter()
            .filter(|one| one.standing == Standing::Ready)
    }

    /// What keeps the answer from being yes, a line each. Empty when it is yes.
    #[must_use]
    pub fn differences(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if self.replicas.is_empty() {
            lines.push(
                "no replica of the webhook says anything: cannot tell what the cluster judges by"
                    .to_owned(),
            );
        }
        let first = self.ready().find_map(|one| one.digest.as_deref());
        for one in &self.replicas {
            let note = one
                .note
                .as_deref()
                .map(|note| format!(" ({note})"))
                .unwrap_or_default();
            let name = &one.name;
            let digest = one.digest.as_deref().unwrap_or_default();
            match (one.standing, self.expected.as_deref()) {
                (Standing::Ready, Some(expected)) if digest != expected => lines.push(format!(
                    "replica {name} enforces policy set {digest}, not {expected}{note}"
                )),
                (Standing::Ready, None) if Some(digest) != first => lines.push(format!(
                    "replica {name} enforces policy set {digest}, another one {}{note}",
                    first.unwrap_or_default()
                )),
                (Standing::Ready, _) => {}
                (standing, _) => lines.push(format!(
                    "replica {name} {}{note}: cannot tell what it enforces",
                    match standing {
                        Standing::NotReady => "is not ready",
                        Standing::Unreadable => "says what this version cannot read",
                        Standing::Ready | Standing::Silent => "says nothing",
                    }
                )),
            }
        }
        lines
    }
}

/// Asks every replica. `service` is the name of the webhook's Service.
///
/// # Errors
/// When the cluster cannot be asked, or this caller may not ask it.
pub async fn ask(
    client: &Client,
    service: &str,
    expected: Option<&str>,
) -> anyhow::Result<Replicas> {
    let leases: Api<Lease> = Api::namespaced(client.clone(), SYSTEM_NAMESPACE);
    let slices: Api<EndpointSlice> = Api::namespaced(client.clone(), SYSTEM_NAMESPACE);
    let of_service = ListParams::default().labels(&format!("{SERVICE}={service}"));
    let began = Instant::now();
    let mut heard = Heard::default();
    loop {
        let doing = format!(
            "what the replicas of the webhook say (lease {LEASE_NAME} in namespace {SYSTEM_NAMESPACE}; the role sluice-pipeline may) cannot be read"
        );
        let lease = explained(leases.get(LEASE_NAME).await, &doing)?;
        let doing = format!(
            "the endpoints of the webhook (endpointslices in namespace {SYSTEM_NAMESPACE}; the role sluice-pipeline may) cannot be listed"
        );
        let endpoints = Endpoints::of(&explained(slices.list(&of_service).await, &doing)?.items);
        heard.listen(&lease, Timestamp::now());
        let replicas = heard.replicas(&endpoints, expected);
        // one that differs may be about to change: it is believed once every one of them has spoken again
        if replicas
            .replicas
            .iter()
            .all(|one| one.standing == Standing::Ready)
            && !replicas.replicas.is_empty()
            || began.elapsed() > PATIENCE
        {
            return Ok(replicas);
        }
        time::sleep(LOOK).await;
    }
}

/// The endpoints of the Service by name of their pod, with whether they are ready. None: no Service, the webhook is reached at an address.
#[derive(Debug)]
struct Endpoints(Option<BTreeMap<String, bool>>);

impl Endpoints {
    fn of(slices: &[EndpointSlice]) -> Self {
        if slices.is_empty() {
            return Self(None);
        }
        let mut found: BTreeMap<String, bool> = BTreeMap::new();
        for endpoint in slices.iter().flat_map(|slice| &slice.endpoints) {
            let conditions = endpoint.conditions.as_ref();
            // one that ends takes no new requests
            if conditions.and_then(|is| is.terminating) == Some(true) {
                continue;
            }
            let pod = endpoint.target_ref.as_ref().and_then(|to| to.name.clone());
            let name = pod
                .or_else(|| endpoint.addresses.first().cloned())
                .unwrap_or_default();
            // the API says that no word counts as ready
            let ready = conditions.and_then(|is| is.ready).unwrap_or(true);
            *found.entry(name).or_default() |= ready;
        }
        Self(Some(found))
    }
}

/// What was heard since we look.
#[derive(Debug, Default)]
struct Heard {
    first: BTreeMap<String, Result<Said, String>>,
    last: BTreeMap<String, Result<Said, String>>,
    /// Those that spoke before our eyes, and when they did last.
    spoke: BTreeMap<String, Timestamp>,
}

impl Heard {
    fn listen(&mut self, lease: &Lease, at: Timestamp) {
        let now = said(lease);
        for (key, word) in &now {
            let first = self
                .first
                .entry(key.clone())
                .or_insert_with(|| word.clone());
            if first != word && self.last.get(key) != Some(word) {
                self.spoke.insert(key.clone(), at);
            }
        }
        self.first.retain(|key, _| now.contains_key(key));
        self.last = now;
    }

    fn replicas(&self, endpoints: &Endpoints, expected: Option<&str>) -> Replicas {
        let mut replicas: BTreeMap<String, Replica> = BTreeMap::new();
        for (key, word) in &self.last {
            let replica = self.replica(key, word);
            replicas.insert(replica.name.clone(), replica);
        }
        if let Endpoints(Some(endpoints)) = endpoints {
            // a word of a pod that is asked nothing any more is of no weight
            replicas.retain(|name, _| endpoints.contains_key(name));
            for (name, ready) in endpoints {
                let replica = replicas.entry(name.clone()).or_insert_with(|| Replica {
                    name: name.clone(),
                    standing: Standing::Silent,
                    digest: None,
                    policies: None,
                    note: None,
                    said: None,
                    heard: None,
                });
                if !ready && replica.standing == Standing::Ready {
                    replica.standing = Standing::NotReady;
                    replica.note = Some("says the Service".to_owned());
                }
            }
        }
        Replicas {
            expected: expected.map(str::to_owned),
            replicas: replicas.into_values().collect(),
        }
    }

    fn replica(&self, key: &str, word: &Result<Said, String>) -> Replica {
        let said = match word {
            Ok(said) => said,
            Err(why) => {
                return Replica {
                    name: key.to_owned(),
                    standing: Standing::Unreadable,
                    digest: None,
                    policies: None,
                    note: Some(why.clone()),
                    said: None,
                    heard: None,
                };
            }
        };
        let mut notes = Vec::new();
        let standing = if !self.spoke.contains_key(key) {
            notes.push(format!("its last word is of {}", said.at));
            Standing::Silent
        } else if said.waiting.is_empty() {
            Standing::Ready
        } else {
            notes.push(format!("waits for {}", said.waiting.join(", ")));
            Standing::NotReady
        };
        if !said.quarantined.is_empty() {
            notes.push(format!(
                "an earlier state of its policy folder is in force: it cannot use {}",
                said.quarantined.join(", ")
            ));
        }
        if said.left_out > 0 {
            notes.push(format!(
                "{} of the cluster left out as broken",
                said.left_out
            ));
        }
        if said.version != env!("CARGO_PKG_VERSION") {
            notes.push(format!(
                "version {}, this is {}",
                said.version,
                env!("CARGO_PKG_VERSION")
            ));
        }
        Replica {
            name: said.replica.clone(),
            standing,
            digest: Some(said.digest.clone()),
            policies: Some(said.policies),
            note: (!notes.is_empty()).then(|| notes.join("; ")),
            said: Some(said.clone()),
            heard: self.spoke.get(key).copied(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A Lease on which each replica says a digest, at a time.
    fn lease(words: &[(&str, &str, i64)]) -> Lease {
        let annotations: serde_json::Map<_, _> = words
            .iter()
            .map(|(name, digest, at)| {
                let waiting: &[&str] = if *digest == "waits" { &["gates"] } else { &[] };
                let word = json!({
                    "replica": name, "digest": digest, "policies": 2, "exceptionsDigest": "e", "waiting": waiting,
                    "version": env!("CARGO_PKG_VERSION"), "at": jiff::Timestamp::from_second(*at).unwrap(),
                });
                let word = if *digest == "garbled" { "{".to_owned() } else { word.to_string() };
                (format!("replica.sluice.dev/{name}"), json!(word))
            })
            .collect();
        serde_json::from_value(json!({"metadata": {"annotations": annotations}})).unwrap()
    }

    /// The endpoints of a Service: ready, not ready, ending.
    fn endpoints(pods: Option<&[(&str, &str)]>) -> Endpoints {
        let slices = pods.map(|pods| {
            let endpoints: Vec<_> = pods
                .iter()
                .map(|(name, state)| {
                    json!({"addresses": ["10.0.0.1"], "targetRef": {"kind": "Pod", "name": name},
                        "conditions": {"ready": *state == "ready", "terminating": *state == "ending"}})
                })
                .collect();
            serde_json::from_value::<EndpointSlice>(
                json!({"addressType": "IPv4", "metadata": {}, "endpoints": endpoints}),
            )
            .unwrap()
        });
        Endpoints::of(&Vec::from_iter(slices))
    }

    #[test]
    fn only_one_digest_from_every_replica_that_is_asked_is_a_yes() {
        use Outcome::{CannotTell, No, Yes};
        type Words<'a> = &'a [(&'a str, &'a str, i64)];
        let both = Some(&[("a", "ready"), ("b", "ready")][..]);
        let quiet: Words = &[("a", "d", 1), ("b", "d", 1)];
        let spoken: Words = &[("a", "d", 6), ("b", "d", 7)];
        for (what, words, pods, expected, said) in [
            ("both the same", [quiet, spoken], both, Yes, ""),
            ("the same without a Service", [quiet, spoken], None, Yes, ""),
            (
                "one stands still",
                [quiet, &[("a", "d", 6), ("b", "d", 1)]],
                both,
                CannotTell,
                "b says nothing",
            ),
            (
                "one stands still, without a Service",
                [quiet, &[("a", "d", 6), ("b", "d", 1)]],
                None,
                CannotTell,
                "b says nothing",
            ),
            (
                "one stands still that is asked nothing",
                [quiet, &[("a", "d", 6), ("b", "d", 1)]],
                Some(&[("a", "ready")]),
                Yes,
                "",
            ),
            (
                "one of which nobody ever heard",
                [quiet, spoken],
                Some(&[("a", "ready"), ("b", "ready"), ("c", "ready")]),
                CannotTell,
                "c says nothing",
            ),
            (
                "one that ends",
                [&[("a", "d", 1)], &[("a", "d", 6)]],
                Some(&[("a", "ready"), ("z", "ending")]),
                Yes,
                "",
            ),
            (
                "one the Service calls not ready",
                [quiet, spoken],
                Some(&[("a", "ready"), ("b", "not")]),
                CannotTell,
                "b is not ready (says the Service)",
            ),
            (
                "one that says it is not",
                [quiet, &[("a", "d", 6), ("b", "waits", 6)]],
                both,
                CannotTell,
                "b is not ready (waits for gates)",
            ),
            (
                "another digest",
                [quiet, &[("a", "d", 6), ("b", "other", 6)]],
                both,
                No,
                "b enforces policy set other, not d",
            ),
            (
                "another digest, and one that is silent",
                [quiet, &[("a", "d", 1), ("b", "other", 6)]],
                both,
                No,
                "a says nothing",
            ),
            (
                "another digest that stands still",
                [
                    &[("a", "d", 1), ("b", "other", 1)],
                    &[("a", "d", 6), ("b", "other", 1)],
                ],
                both,
                CannotTell,
                "b says nothing",
            ),
            (
                "both another one",
                [&[("a", "x", 1)], &[("a", "x", 6)]],
                Some(&[("a", "ready")]),
                No,
                "a enforces policy set x, not d",
            ),
            (
                "garbled",
                [quiet, &[("a", "d", 6), ("b", "garbled", 6)]],
                None,
                CannotTell,
                "cannot read",
            ),
            ("nobody", [&[], &[]], None, CannotTell, "no replica"),
            (
                "nobody behind the Service",
                [quiet, spoken],
                Some(&[]),
                CannotTell,
                "no replica",
            ),
        ] {
            let mut heard = Heard::default();
            for words in words {
                heard.listen(&lease(words), Timestamp::UNIX_EPOCH);
            }
            let replicas = heard.replicas(&endpoints(pods), Some("d"));
            assert_eq!(replicas.outcome(), expected, "{what}: {replicas:?}");
            let lines = replicas.differences().join("\n");
            assert!(
                lines.contains(said) && lines.is_empty() == said.is_empty(),
                "{what}: {lines}"
            );
        }
    }

    #[test]
    fn without_an_expectation_the_replicas_are_held_against_each_other() {
        for (digests, expected) in [(["d", "d"], Outcome::Yes), (["d", "e"], Outcome::No)] {
            let mut heard = Heard::default();
            for at in [1, 6] {
                heard.listen(
                    &lease(&[("a", digests[0], at), ("b", digests[1], at)]),
                    Timestamp::UNIX_EPOCH,
                );
            }
            let replicas = heard.replicas(&endpoints(None), None);
            assert_eq!(replicas.outcome(), expected);
            assert_eq!(
                replicas.differences().len(),
                usize::from(expected == Outcome::No)
            );
        }
    }

    #[test]
    fn a_replica_that_went_and_came_back_must_speak_again() {
        let mut heard = Heard::default();
        heard.listen(&lease(&[("a", "d", 1)]), Timestamp::UNIX_EPOCH);
        heard.listen(&lease(&[]), Timestamp::UNIX_EPOCH);
        heard.listen(&lease(&[("a", "d", 1)]), Timestamp::UNIX_EPOCH);
        let replicas = heard.replicas(&endpoints(None), Some("d"));
        assert_eq!(replicas.outcome(), Outcome::CannotTell);
    }
}
